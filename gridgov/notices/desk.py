"""The administrator's pages of messages outside: what could not be brought, addresses that do not work, groups' robots."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from gridgov.errors import Conflict, DomainError, Invalid, TooMany
from gridgov.i18n import _
from gridgov.notices import addresses, deliveries, troubles
from gridgov.notices.address_schemas import NewGroupSchema, TroubleQuerySchema
from gridgov.notices.models import GROUP, Channel
from gridgov.people import queries as people
from gridgov.people.actions import require
from gridgov.people.models import Role
from gridgov.people.pages import read
from gridgov.people.scopes import no_tokens
from gridgov.web import current_user, takes

bp = Blueprint("deliveries", __name__, template_folder="templates")


@bp.get("/admin/deliveries")
@no_tokens
@takes(TroubleQuerySchema, location="query")
def troubled(state: str | None, cursor: str | None) -> ResponseReturnValue:
    """What could not be brought, and addresses that do not work."""
    require(current_user, Role.ADMINISTRATOR)
    page = troubles.deliveries(state=state, cursor=cursor)
    return render_template(
        "notices/deliveries.html", page=page, state=state, counts=troubles.counts(), bad=troubles.bad() if not cursor else []
    )


@bp.post("/admin/deliveries/<uuid:delivery_id>/retry")
@no_tokens
def retry(delivery_id: UUID) -> ResponseReturnValue:
    """Try once more to bring it."""
    deliveries.retry(delivery_id, actor=current_user)
    flash(_("It is tried once more."), "success")
    return redirect(url_for("deliveries.troubled"), 303)


@bp.get("/admin/channels")
@no_tokens
def groups() -> ResponseReturnValue:
    """The robots and webhooks of all units."""
    require(current_user, Role.ADMINISTRATOR)
    return _groups_page()


@bp.post("/admin/channels")
@no_tokens
def add() -> ResponseReturnValue:
    """Enter a robot or a webhook of a unit."""
    require(current_user, Role.ADMINISTRATOR)
    try:
        given = read(NewGroupSchema)
        addresses.add_group(Channel(given.pop("channel")), given.pop("target"), actor=current_user, **given)
    except (Invalid, Conflict) as error:
        return _groups_page(error), 422
    flash(_("Messages for this unit go there from now on."), "success")
    return redirect(url_for("deliveries.groups"), 303)


@bp.post("/admin/channels/<uuid:address_id>/test")
@no_tokens
def try_out(address_id: UUID) -> ResponseReturnValue:
    """Send a test there."""
    address = addresses.any_address(address_id, actor=current_user)
    try:
        addresses.send_again(address)
        flash(_("It is on its way."), "success")
    except TooMany as error:
        flash(error.message, "warning")
    return redirect(url_for("deliveries.groups"), 303)


@bp.post("/admin/channels/<uuid:address_id>/enable")
@no_tokens
def enable(address_id: UUID) -> ResponseReturnValue:
    """Say that an address works again."""
    addresses.enable(addresses.any_address(address_id, actor=current_user))
    flash(_("Messages go there again."), "success")
    return redirect(url_for("deliveries.troubled"), 303)


@bp.post("/admin/channels/<uuid:address_id>/remove")
@no_tokens
def remove(address_id: UUID) -> ResponseReturnValue:
    """Forget a group's address."""
    addresses.remove(addresses.group(address_id, actor=current_user), actor=current_user)
    flash(_("Removed."), "success")
    return redirect(url_for("deliveries.groups"), 303)


def _groups_page(error: DomainError | None = None) -> str:
    return render_template(
        "notices/groups.html", groups=troubles.groups(), departments=people.departments(), kinds=GROUP,
        errors=error.errors if error else {}, entered=request.form,
    )  # fmt: skip
