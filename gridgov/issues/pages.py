"""The phone's pages: reporting, what I reported, what waits for me, one issue and the moves on it.

A refused form is answered with 422 and shown again with everything kept; what somebody else changed meanwhile
with 409 and the issue as it is now.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue

from gridgov import events
from gridgov.db import session, utcnow
from gridgov.errors import Invalid, TooMany
from gridgov.i18n import _, pick
from gridgov.issues import (
    actions,
    asks,
    chances,
    choices,
    drafts,
    flow,
    followers,
    forms,
    lines,
    moving,
    part_models,
    part_words,
    queries,
    queues,
    report_form,
    schemas,
    sharing,
    suspended,
    view,
    words,
)
from gridgov.issues.models import Issue
from gridgov.people import limits, queries as people
from gridgov.people.csrf import redraw
from gridgov.people.models import Person
from gridgov.photos import uploads
from gridgov.web import current_user, public, takes

bp = Blueprint("issues", __name__, template_folder="templates")
uploads.expected |= {"issues.send": actions.MAX_PHOTOS, "issues.act": actions.MAX_PHOTOS}


@bp.record_once
def names(state: BlueprintSetupState) -> None:
    """Give every template the words of issues as `say`, a dispatch's choice, and the map tiles configured."""
    config = state.app.config["GRIDGOV"]
    tiles = {
        "url": config.tile_url,
        "subdomains": config.tile_subdomains,
        "crs": config.tile_crs,
        "attribution": config.tile_attribution,
    }
    state.app.jinja_env.globals.update(say=words, departments_for=departments_for, units_for=asks.siblings, map_tiles=tiles)
    state.app.jinja_env.globals.update(shares=part_words, chances=chances)


def departments_for(issue: Issue) -> list[tuple[str, str]]:
    """The departments that the present unit may dispatch to, for a select."""
    return [(department.code, pick(department.label)) for department in choices.dispatchable(issue)]


# Reporting --------------------------------------------------------------------------------------------------


@bp.get("/report")
def report() -> ResponseReturnValue:
    """The form for reporting a problem: photo, place, category, words."""
    return _report_page(report_form.blank(current_user) | report_form.prefilled(request.args))


@bp.post("/report")
@redraw(lambda: _report_again())
def send() -> ResponseReturnValue:
    """Take a report in. By the form's `id` a form sent twice is one report."""
    try:
        limits.hit("intake_rate", str(current_user.id))
    except TooMany as error:
        answer = _report_page(report_form.posted(request.form), status=429, notice=error.message)
        answer.headers["Retry-After"] = str(error.details["retry_after_s"])
        return answer
    if (before := _sent_before(current_user)) is not None:  # Before its photos are taken in once more.
        return redirect(url_for("issues.show", issue_id=before, new=1), 303)
    sent = drafts.Photos(current_user, ["photos"])
    try:
        given = forms.read_report(current_user, sent.of)
        if sent.errors:
            raise Invalid(_("Please check what you entered."), errors=sent.errors)
        if page := sharing.first_asked(current_user, given, report_form.posted(request.form) | sent.kept()):
            return page
        with session.begin_nested():  # A refusal half-way undoes the report; the photos stay.
            issue, _new = actions.report(actor=current_user, **given)
    except Invalid as error:
        values = report_form.posted(request.form) | sent.kept()
        if again := sharing.asked_again(values, error):
            return again
        return _report_page(values, status=422, errors=drafts.plain(error.errors) | sent.errors)
    return redirect(url_for("issues.show", issue_id=issue.id, new=1), 303)


def _sent_before(person: Person) -> UUID | None:
    """The report that this very form has made already."""
    sent = drafts.sent_before("id")
    mine = sa.select(Issue.id).where(Issue.id.in_(sent), Issue.reporter_id == person.id)
    return session.scalar(mine) if sent else None


def _report_page(
    values: Mapping[str, Any], *, status: int = 200, errors: Mapping[str, Any] | None = None, notice: str = ""
) -> Response:
    context = report_form.context(current_user, values)
    # The script mints ids itself, so it gets the address with a place for one.
    done = url_for("issues.show", issue_id=UUID(int=0), new=1).replace(str(UUID(int=0)), "{id}")
    page = render_template("issues/report.html", errors=errors or {}, notice=notice, done=done, **context)
    return make_response(page, status)


def _report_again() -> ResponseReturnValue:
    """The form again after its CSRF token was stale. Of a request that may be forged only words are kept."""
    return _report_page(
        report_form.posted(request.form) | {"photos": drafts.sent_before("photos")}, notice=_out_of_date()
    )


# Lists ------------------------------------------------------------------------------------------------------


@bp.get("/mine")
def mine() -> ResponseReturnValue:
    """What I reported, newest first, with what became of it."""
    page = followers.mine(current_user, cursor=request.args.get("cursor"))
    return render_template("issues/mine.html", page=page, asked=_asked(current_user))


def _asked(person: Person) -> list[Issue]:
    """Reports of this person that wait for their word, the most urgent first."""
    waiting = sa.select(Issue).where(
        Issue.reporter_id == person.id, Issue.state.in_(words.reporter_states())
    )
    return list(session.scalars(waiting.order_by(Issue.due_at).limit(3)))


@bp.get("/todo")
def todo() -> ResponseReturnValue:
    """What waits for my units, most urgent first, with what I can do now."""
    colour = request.args.get("colour") or None
    filter = queues.Filter(view="mine", colour=colour, sort="due")
    page = queues.issues(current_user, filter, cursor=request.args.get("cursor"))
    return render_template(
        "issues/todo.html",
        page=page,
        colour=colour,
        counts=queues.counts(current_user, queues.Filter(view="mine")),
        posts=people.live_posts(current_user),
        handles=queries.handles(current_user),
        own_parts=part_models.due([row.issue for row in page.rows], **queries.own_units(current_user)),
        now=utcnow(),
    )


@bp.get("/line")
@takes(schemas.CursorSchema, location="query")
def line(cursor: str | None) -> ResponseReturnValue:
    """Open issues of the lines of work that I lead, most urgent first."""
    return render_template("issues/line.html", page=lines.led_by(current_user, cursor=cursor))


@bp.get("/public/suspended")
@public
@takes(schemas.CursorSchema, location="query")
def suspended_list(cursor: str | None) -> ResponseReturnValue:
    """What is suspended now, newest first, for everybody."""
    return render_template("issues/suspended.html", page=suspended.page(cursor))


# One issue --------------------------------------------------------------------------------------------------


@bp.get("/issues/<uuid:issue_id>")
def show(issue_id: UUID) -> ResponseReturnValue:
    """One issue. Opening it marks as read what I was told of it."""
    issue = queries.visible(current_user, issue_id)
    events.publish("issue.opened", issue=issue, person=current_user)
    fresh = "new" in request.args and issue.reporter_id == current_user.id
    return _page("issues/issue.html", issue, fresh=fresh)


@bp.get("/issues/<uuid:issue_id>/move/<name>")
def move(issue_id: UUID, name: str) -> ResponseReturnValue:
    """The form of one move. Raises NotFound for an unknown one, NotPermitted for one that is not mine."""
    issue = queries.visible(current_user, issue_id)
    transition = flow.current().transitions.get(name)
    if transition is None:
        raise queries.out_of_sight()
    if any(open.name == name for open in queries.transitions(current_user, issue)):
        return _page("issues/move.html", issue, opened=name)
    moving.require(current_user, transition, issue)
    notice = _("“%(step)s” is not possible now.", step=pick(transition.label))
    return _page("issues/issue.html", issue, status=409, notice=notice)


@bp.post("/issues/<uuid:issue_id>/events")
@redraw(lambda issue_id: _act_again(issue_id))
def act(issue_id: UUID) -> ResponseReturnValue:
    """Make a move. What is wrong with the form is answered with the form again, photos and words kept."""
    issue = queries.visible(current_user, issue_id)
    made = moving.attempt(current_user, issue)
    if made.status == 200:
        flash(_("Done: %(step)s.", step=words.happened(made.name)), "success")
        return redirect(url_for("issues.show", issue_id=issue.id), 303)
    open = any(move.name == made.name for move in queries.transitions(current_user, issue))
    template = "issues/move.html" if open and made.status == 422 else "issues/issue.html"
    return _page(
        template,
        issue,
        status=made.status,
        opened=made.name if open else None,
        errors=made.errors,
        values=made.values,
        notice=made.notice,
    )


@bp.get("/issues/<uuid:issue_id>/events")
def acted(issue_id: UUID) -> ResponseReturnValue:
    """Where a form was sent to, opened as a page: the issue."""
    return redirect(_address(queries.visible(current_user, issue_id), None), 303)


def _address(issue: Issue, opened: str | None) -> str:
    """Where the issue's page, or the form of one move on it, can be fetched."""
    return url_for("issues.move", issue_id=issue.id, name=opened) if opened else url_for("issues.show", issue_id=issue.id)


def _act_again(issue_id: UUID) -> ResponseReturnValue:
    """The form of a move again, after its CSRF token was stale: words kept, nothing changed."""
    issue = queries.visible(current_user, issue_id)
    name = request.form.get("name", "")
    transition = flow.current().transitions.get(name)
    earlier = {field: drafts.sent_before(field) for field in moving.photo_fields(transition)}
    values = forms.entered() | earlier
    open = any(move.name == name for move in queries.transitions(current_user, issue))
    template = "issues/move.html" if open else "issues/issue.html"
    return _page(template, issue, opened=name if open else None, values=values, notice=_out_of_date())


def _out_of_date() -> str:
    notice = _("The page was out of date, so nothing was sent yet. Please send it again.")
    if any(file.filename for file in request.files.values()):
        notice += " " + _("Photos have to be chosen once more; they could not be kept.")
    return notice


def _page(
    template: str,
    issue: Issue,
    *,
    status: int = 200,
    opened: str | None = None,
    errors: Mapping[str, Any] | None = None,
    values: Mapping[str, Any] | None = None,
    notice: str = "",
    fresh: bool = False,
) -> ResponseReturnValue:
    post_url = url_for("issues.act", issue_id=issue.id)
    context = view.issue_context(
        current_user, issue, post_url=post_url, opened=opened, errors=errors, values=values
    )
    if request.method == "POST":
        context["address"] = _address(issue, opened)
    return make_response(render_template(template, notice=notice, fresh=fresh, **context), status)
