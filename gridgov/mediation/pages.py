"""Pages of mediation: the list, the file, its draft, the screen to sign on, the paper."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue

from gridgov import web
from gridgov.db import session
from gridgov.errors import Conflict, IllegalTransition, Invalid, NotFound, NotPermitted
from gridgov.i18n import _
from gridgov.issues import queries as issues
from gridgov.issues.schemas import CursorSchema
from gridgov.mediation import actions, paper, queries, schemas, words
from gridgov.mediation.models import Mediation, Signature
from gridgov.people.csrf import redraw
from gridgov.web import current_user, takes

bp = Blueprint("mediation", __name__, template_folder="templates")
BLANK_ROWS = 2
PARTY = ("name", "side", "phone", "group_name")


@bp.record_once
def names(state: BlueprintSetupState) -> None:
    """Give the templates the words of mediation as `mediate`."""
    state.app.jinja_env.globals.update(mediate=words.names())


@bp.get("/mediations")
@takes(CursorSchema, location="query")
def listing(cursor: str | None) -> ResponseReturnValue:
    """The files I see, the newest first."""
    return render_template("mediation/list.html", page=queries.page(current_user, cursor=cursor))


@bp.post("/issues/<uuid:issue_id>/mediation")
def open_file(issue_id: UUID) -> ResponseReturnValue:
    """Open the file of a dispute that I handle."""
    issue = issues.visible(current_user, issue_id, lock=True)
    mediation = actions.open_file(issue, actor=current_user)
    return redirect(url_for("mediation.draft", mediation_id=mediation.id), 303)


@bp.get("/mediations/<uuid:mediation_id>")
def show(mediation_id: UUID) -> ResponseReturnValue:
    """One file, as far as I see it."""
    return _page(queries.visible(current_user, mediation_id))


@bp.get("/mediations/<uuid:mediation_id>/draft")
def draft(mediation_id: UUID) -> ResponseReturnValue:
    """The form of the draft."""
    return _draft_page(queries.visible(current_user, mediation_id))


@bp.post("/mediations/<uuid:mediation_id>/draft")
@redraw(lambda mediation_id: _draft_page(queries.visible(current_user, mediation_id), values=_posted()))
def revise(mediation_id: UUID) -> ResponseReturnValue:
    """Keep the draft. What is wrong is answered with the form again."""
    mediation = queries.visible(current_user, mediation_id, lock=True)
    values = _posted()
    try:
        with session.begin_nested():
            actions.revise(mediation, actor=current_user, **web.load(schemas.RevisionSchema(), values))
    except Invalid as error:
        return _draft_page(mediation, values=values, errors=error.errors, status=422)
    flash(_("The draft is kept."), "success")
    return redirect(url_for("mediation.show", mediation_id=mediation.id), 303)


@bp.post("/mediations/<uuid:mediation_id>/steps")
@redraw(lambda mediation_id: _page(queries.visible(current_user, mediation_id)))
def step(mediation_id: UUID) -> ResponseReturnValue:
    """Make a step on the file. What is wrong is answered with the page it came from again."""
    mediation = queries.visible(current_user, mediation_id, lock=True)
    given = {key: value for key, value in request.form.items() if key not in ("csrf_token", "name")}
    name = request.form.get("name", "")
    if name not in schemas.STEPS:
        raise Invalid(_("There is no such step."), field="name")
    kind, run = schemas.STEPS[name]
    try:
        with session.begin_nested():
            run(mediation, actor=current_user, **web.load(kind(), given))
    except Invalid as error:
        session.refresh(mediation)
        if name == "sign" and _signer(mediation, given.get("signer", "")):
            return _sign_page(mediation, UUID(given["signer"]), errors=error.errors, status=422)
        return _page(mediation, name=name, errors=error.errors, values=given, status=422)
    except (Conflict, IllegalTransition) as error:
        session.refresh(mediation)
        return _page(mediation, notice=error.message, status=409)
    flash(_("Done."), "success")
    return redirect(url_for("mediation.show", mediation_id=mediation.id), 303)


@bp.get("/mediations/<uuid:mediation_id>/sign/<uuid:signer>")
def sign(mediation_id: UUID, signer: UUID) -> ResponseReturnValue:
    """The whole text, and under it the field to sign in."""
    return _sign_page(queries.visible(current_user, mediation_id), signer)


@bp.get("/mediations/<uuid:mediation_id>/signatures/<uuid:signature_id>.png")
def signature(mediation_id: UUID, signature_id: UUID) -> ResponseReturnValue:
    """One signature as a picture."""
    mediation = queries.visible(current_user, mediation_id)
    found = session.get(Signature, signature_id)
    if found is None or found.mediation_id != mediation.id or found.image is None:
        raise issues.out_of_sight()
    return Response(
        found.image, mimetype="image/png", headers={"Cache-Control": "private, max-age=86400, immutable"}
    )


@bp.get("/mediations/<uuid:mediation_id>/agreement.pdf")
def agreement(mediation_id: UUID) -> ResponseReturnValue:
    """The paper to print or to keep."""
    file = queries.file(current_user, queries.visible(current_user, mediation_id))
    if file.paper is None:
        raise IllegalTransition(_("There is no text to print yet."), code="no_paper")
    headers = {
        "Content-Disposition": f'inline; filename="{file.mediation.number}.pdf"',
        "Cache-Control": "private, no-store",
    }
    return Response(paper.agreement(file), mimetype="application/pdf", headers=headers)


def _page(
    mediation: Mediation, *, name: str = "", errors: Mapping[str, Any] | None = None, values: Mapping[str, Any] | None = None,
    notice: str = "", status: int = 200,
) -> Response:  # fmt: skip
    file = queries.file(current_user, mediation)
    context = {
        "file": file,
        "name": name,
        "errors": errors or {},
        "values": values or {},
        "notice": notice,
        "today": actions._today(),
    }
    return make_response(render_template("mediation/file.html", **context), status)


def _draft_page(
    mediation: Mediation,
    *,
    values: Mapping[str, Any] | None = None,
    errors: Mapping[str, Any] | None = None,
    status: int = 200,
) -> Response:
    file = queries.file(current_user, mediation)
    if not file.works:
        raise NotPermitted(_("Its mediators and whoever handles the issue now work on this file."))
    if values is None:
        values = {
            "facts": mediation.facts, "agreement": mediation.agreement, "performance": mediation.performance,
            "parties": [{key: str(getattr(p, key) or "") for key in PARTY} for p in file.parties],
            "mediators": [str(person.id) for _m, person in file.mediators],
        }  # fmt: skip
    rows = list(values["parties"])
    rows += [{}] * max(BLANK_ROWS - len(rows), 1)
    context = {
        "file": file,
        "values": values,
        "rows": rows,
        "errors": errors or {},
        "candidates": queries.candidates(file.issue),
    }
    return make_response(render_template("mediation/draft.html", **context), status)


def _sign_page(
    mediation: Mediation, signer: UUID, *, errors: Mapping[str, Any] | None = None, status: int = 200
) -> Response:
    file = queries.file(current_user, mediation)
    who = _signer(mediation, str(signer))
    own = any(p.id == signer and p.person_id == current_user.id for p in file.parties)
    if who is None or not (file.works or own):
        raise NotFound(_("There is nothing here, or it is not yours to see."))
    if file.paper is None or signer in file.signed:
        return _page(mediation, notice=_("This is not possible any more: the file has moved on."), status=409)
    context = {"file": file, "paper": file.paper, "signer": signer, "who": who, "errors": errors or {}}
    return make_response(render_template("mediation/sign.html", **context), status)


def _signer(mediation: Mediation, signer: str) -> str | None:
    """The name of a party or mediator by their id in the file."""
    known = {str(p.id): p.name for p in queries.parties(mediation)}
    known |= {str(m.id): p.name for m, p in queries.mediators(mediation)}
    return known.get(signer)


def _posted() -> dict[str, Any]:
    """The draft as it was sent: rows of parties that say nothing are left out."""
    columns = [request.form.getlist(f"party_{key}") for key in PARTY]
    rows = [dict(zip(PARTY, row, strict=True)) for row in zip(*columns, strict=False)]
    parties = [
        {k: v for k, v in row.items() if v.strip()}
        for row in rows
        if row["name"].strip() or row["phone"].strip()
    ]
    return {
        **{key: request.form.get(key, "") for key in ("facts", "agreement", "performance")},
        "parties": parties, "mediators": [m for m in request.form.getlist("mediators") if m],
    }  # fmt: skip
