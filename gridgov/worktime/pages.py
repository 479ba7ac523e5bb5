"""The administrator's page of the calendar: import with a look before, years, office hours, what changes moved."""

import json
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from gridgov.errors import DomainError, Invalid
from gridgov.grids.csvfile import ImportRefused
from gridgov.i18n import _, ngettext
from gridgov.people import actions as people
from gridgov.people.csrf import redraw
from gridgov.people.models import Role
from gridgov.people.scopes import no_tokens
from gridgov.web import current_user, takes
from gridgov.worktime import actions, notice, queries, recompute
from gridgov.worktime.actions import Report
from gridgov.worktime.models import CalendarChange
from gridgov.worktime.notice import Notice
from gridgov.worktime.schemas import HoursSchema

bp = Blueprint("worktime", __name__, template_folder="templates")


@bp.get("/admin/calendar")
@no_tokens
def calendar() -> ResponseReturnValue:
    """Years, office hours, and the latest changes with what they moved."""
    people.require(current_user, Role.ADMINISTRATOR)
    return _page()


def _page(**more: Any) -> str:
    people.require(current_user, Role.ADMINISTRATOR)
    changes = queries.changes()
    return render_template(
        "worktime/calendar.html",
        years=queries.years(),
        hours=queries.hours(current_user),
        changes=changes,
        moves={change.id: queries.moves(change.id) for change in changes[:5]},
        **{"errors": {}, "form": {}, "report": None, "problems": []} | more,
    )


@bp.post("/admin/calendar/preview")
@no_tokens
@redraw(lambda: _page())
def preview() -> ResponseReturnValue:
    """Read a file and show what importing it would change. Nothing is written yet."""
    people.require(current_user, Role.ADMINISTRATOR)
    file, single = request.files.get("file"), request.form.get("mode") == "single"
    if file is None or not file.filename:
        return _page(errors={"file": [_("Please choose a file.")]}, single=single), 422
    try:
        found = notice.read(file.read(), file.filename, single=single)
        report = actions.import_notice(found, actor=current_user, dry_run=True)
    except ImportRefused as refused:
        return _page(problems=refused.problems, single=single), 422
    return _page(report=report, carried=_carry(found), affected=_affected(report), file=found.source)


@bp.post("/admin/calendar/import")
@no_tokens
@redraw(lambda: _page())
def take() -> ResponseReturnValue:
    """Import what the preview showed."""
    people.require(current_user, Role.ADMINISTRATOR)
    try:
        found = _carried(request.form.get("notice", ""))
    except ImportRefused as refused:
        return _page(problems=refused.problems), 422
    report = actions.import_notice(found, actor=current_user)
    if report.change is None:
        flash(_("Nothing had to be changed."), "info")
        return redirect(url_for("worktime.calendar"), 303)
    recompute.at_once(report.change)
    _tell(report.change)
    return redirect(url_for("worktime.calendar"), 303)


@bp.post("/admin/calendar/hours")
@no_tokens
@redraw(lambda: _page())
def hours() -> ResponseReturnValue:
    """Set the office hours of a township or of the city."""
    people.require(current_user, Role.ADMINISTRATOR)
    try:
        given: dict[str, Any] = takes(HoursSchema, location="form")(lambda **data: data)()  # type: ignore[assignment]
        change = actions.set_hours(given["grid_code"], given["hours"], given["valid_from"], actor=current_user)
    except Invalid as error:
        return _page(errors=error.errors, form=request.form), 422
    if change is None:
        flash(_("Nothing had to be changed."), "info")
    else:
        recompute.at_once(change)
        _tell(change)
    return redirect(url_for("worktime.calendar"), 303)


def _tell(change: CalendarChange) -> None:
    moved = change.moved
    done = ngettext("Saved. %(num)d deadline moved at once.", "Saved. %(num)d deadlines moved at once.", moved)
    flash(done + " " + _("The rest follow within a minute; the list below says when all have."), "success")


def _affected(report: Report) -> int:
    """How many running deadlines the days of a report may move."""
    if report.published and report.year:
        first, last = actions.span_of(report.year)
    elif report.days:
        first, last = min(c.day for c in report.days), max(c.day for c in report.days)
    else:
        return 0
    return recompute.affected(first, last)


def _carry(found: Notice) -> str:
    """The list as the form of the preview carries it to the import."""
    days = [{"date": day.day.isoformat(), "isOffDay": not day.working, "name": day.name} for day in found.days]
    return json.dumps({"source": found.source, "year": found.year, "days": days}, ensure_ascii=False)


def _carried(text: str) -> Notice:
    try:
        data = json.loads(text)
        source, year = str(data["source"]), data["year"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise DomainError(_("Please choose the file once more."), code="no_preview") from None
    return notice.read(text.encode(), source, year=year if isinstance(year, int) else None, single=year is None)
