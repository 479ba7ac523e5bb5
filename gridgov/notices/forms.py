"""How I am told outside the house: my addresses, which channel for what, hours of rest, the daily digest. No script needed."""

from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from gridgov.errors import Conflict, DomainError, Invalid, TooMany
from gridgov.i18n import _
from gridgov.notices import addresses, settings, troubles
from gridgov.notices.address_schemas import CodeSchema, NewAddressSchema, WantedFormSchema
from gridgov.notices.models import PERSONAL, Channel
from gridgov.people import limits
from gridgov.people.pages import read
from gridgov.people.scopes import no_tokens
from gridgov.web import current_user

bp = Blueprint("channels", __name__, template_folder="templates")


@bp.get("/me/notices")
def mine() -> ResponseReturnValue:
    """My addresses and what I want."""
    return _page()


@bp.post("/me/notices")
@no_tokens
def want() -> ResponseReturnValue:
    """Keep what I want."""
    try:
        addresses.set_preferences(current_user, **read(WantedFormSchema))
    except Invalid as error:
        return _page(error, form="wanted"), 422
    flash(_("Kept."), "success")
    return redirect(url_for("channels.mine"), 303)


@bp.post("/me/notices/addresses")
@no_tokens
def add() -> ResponseReturnValue:
    """Enter an address of mine."""
    try:
        limits.hit("login_rate", "address", str(current_user.id))
        given = read(NewAddressSchema)
        addresses.add_own(Channel(given["channel"]), given["target"], actor=current_user)
    except (Invalid, Conflict, TooMany) as error:
        return _page(error, form="add"), 422 if isinstance(error, Invalid) else error.status
    if given["channel"] == Channel.MAIL:
        flash(_("A code is on its way to you. Enter it here, and messages will reach you there."), "success")
    else:
        flash(_("Messages will reach you there from now on."), "success")
    return redirect(url_for("channels.mine"), 303)


@bp.post("/me/notices/addresses/<uuid:address_id>/confirm")
@no_tokens
def confirm(address_id: UUID) -> ResponseReturnValue:
    """Prove a mailbox by its code."""
    address = addresses.own_address(address_id, actor=current_user)
    try:
        limits.hit("login_rate", "code", str(address.id))
        addresses.confirm(address.id, actor=current_user, digits=read(CodeSchema)["code"])
    except (Invalid, TooMany) as error:
        return _page(error, form=str(address.id)), error.status
    flash(_("Messages will reach you there from now on."), "success")
    return redirect(url_for("channels.mine"), 303)


@bp.post("/me/notices/addresses/<uuid:address_id>/test")
@no_tokens
def try_out(address_id: UUID) -> ResponseReturnValue:
    """Send a test, or the code once more."""
    address = addresses.own_address(address_id, actor=current_user)
    try:
        addresses.send_again(address)
    except TooMany as error:
        return _page(error, form="add"), error.status
    flash(_("It is on its way."), "success")
    return redirect(url_for("channels.mine"), 303)


@bp.post("/me/notices/addresses/<uuid:address_id>/remove")
@no_tokens
def remove(address_id: UUID) -> ResponseReturnValue:
    """Forget an address of mine."""
    addresses.remove(addresses.own_address(address_id, actor=current_user), actor=current_user)
    flash(_("Removed."), "success")
    return redirect(url_for("channels.mine"), 303)


def _page(error: DomainError | None = None, form: str = "") -> str:
    """The page, with what was wrong beside its field in the form that was sent, and what was entered kept there."""
    wanted: Any = troubles.wanted(current_user)
    if form == "wanted":
        wanted = _entered()
    return render_template(
        "notices/channels.html",
        wanted=wanted,
        mine=addresses.own(current_user),
        offered=[channel for channel in PERSONAL if settings.current().offers(channel)],
        phone=current_user.phone,
        form=form,
        errors=error.errors if error else {},
        notice=error.message if error and not error.errors else "",
        entered=request.form,
    )


def _entered() -> dict[str, Any]:
    """What was entered in the form of preferences, as it was entered."""
    one = ("quiet_from", "quiet_until", "digest_hour")
    several = ("high", "normal", "low")
    return (
        {name: request.form.get(name, "") for name in one}
        | {name: request.form.getlist(name) for name in several}
        | {"digest": bool(request.form.get("digest"))}
    )
