"""Pages of visits: the list, the form on the phone, one visit, the withdrawal of consent."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue

from gridgov import web
from gridgov.db import session, utcnow, uuid7
from gridgov.errors import Invalid, NotFound, NotPermitted
from gridgov.i18n import _
from gridgov.issues.schemas import CursorSchema
from gridgov.people.csrf import redraw
from gridgov.visits import actions, policy, queries, schemas
from gridgov.web import current_user, takes

bp = Blueprint("visits", __name__, template_folder="templates")


@bp.record_once
def names(state: BlueprintSetupState) -> None:
    """Give the templates what kinds and purposes are called, as `visit_words`."""
    state.app.jinja_env.globals.update(visit_words=policy)


@bp.get("/visits")
@takes(CursorSchema, location="query")
def listing(cursor: str | None) -> ResponseReturnValue:
    """The visits I see, the newest first."""
    page = queries.page(current_user, cursor=cursor)
    return render_template("visits/list.html", page=page, may=bool(queries.places(current_user)))


@bp.get("/visits/new")
def new() -> ResponseReturnValue:
    """The form."""
    today = utcnow().astimezone(actions.SHANGHAI).date()
    return _form({"id": str(uuid7()), "visited_on": today, "consent": ""})


@bp.post("/visits")
@redraw(lambda: _form(request.form.to_dict()))
def record() -> ResponseReturnValue:
    """Keep a visit. By the form's `id` a form sent twice is one visit; what is wrong is answered with the form again."""
    values = {key: value for key, value in request.form.items() if key != "csrf_token"}
    try:
        given = web.load(
            schemas.RecordSchema(), {key: value for key, value in values.items() if value.strip()}
        )
        with session.begin_nested():
            visit, _new = actions.record(actor=current_user, **given)
    except Invalid as error:
        return _form(values, errors=error.errors, status=422)
    flash(_("The visit is recorded."), "success")
    return redirect(url_for("visits.show", visit_id=visit.id), 303)


@bp.get("/visits/<uuid:visit_id>")
def show(visit_id: UUID) -> ResponseReturnValue:
    """One visit."""
    row = queries.rows([queries.visible(current_user, visit_id)])[0]
    return render_template("visits/visit.html", row=row)


@bp.post("/visits/<uuid:visit_id>/withdrawal")
@redraw(lambda visit_id: show(visit_id))
def withdraw(visit_id: UUID) -> ResponseReturnValue:
    """Blank what was kept of the person."""
    actions.withdraw(queries.visible(current_user, visit_id, lock=True))
    flash(_("Consent is withdrawn; what was kept of the person is gone."), "success")
    return redirect(url_for("visits.show", visit_id=visit_id), 303)


@bp.get("/visits/<uuid:visit_id>/signature.png")
def signature(visit_id: UUID) -> ResponseReturnValue:
    """The signature under the consent."""
    visit = queries.visible(current_user, visit_id)
    if visit.signature is None:
        raise NotFound(_("There is nothing here, or it is not yours to see."))
    return Response(visit.signature, mimetype="image/png", headers={"Cache-Control": "private, no-store"})


def _form(
    values: Mapping[str, Any], *, errors: Mapping[str, Any] | None = None, status: int = 200
) -> Response:
    places = queries.place_options(current_user)
    if not places:
        raise NotPermitted(_("Visits are recorded by workers and chiefs, in their own grid."))
    context = {"values": values, "errors": errors or {}, "places": places, "rules": policy.current()}
    return make_response(render_template("visits/form.html", **context), status)
