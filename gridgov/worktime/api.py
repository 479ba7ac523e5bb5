"""The calendar as JSON: a year to read for everybody signed in, a notice to import for administrators."""

from typing import Any

from flask import Blueprint

from gridgov.people import actions as people
from gridgov.people.models import Role
from gridgov.people.scopes import scope
from gridgov.web import current_user, gives, takes
from gridgov.worktime import actions, notice, queries, recompute
from gridgov.worktime.schemas import CalendarImportSchema, CalendarReportSchema, CalendarYearSchema

bp = Blueprint("calendar", __name__, url_prefix="/calendar")


@bp.get("/<int:year>")
@gives(CalendarYearSchema)
def show(year: int) -> Any:
    """The working days of a year: those that differ from the weekends, in the form that can be imported."""
    return queries.year(year)


@bp.post("/import")
@scope("act")
@gives(CalendarReportSchema)
@takes(CalendarImportSchema)
def take(days: list[dict[str, Any]], year: int | None, single: bool, dry_run: bool, **_rest: Any) -> Any:
    """Import a year's notice, or single days; running deadlines follow within seconds. For administrators.

    Importing the same again changes nothing. Codes of refusal: import_refused (422, nothing is imported; `problems` lists
    all).
    """
    people.require(current_user, Role.ADMINISTRATOR)
    found = notice.of_entries(days, "API", year=year, single=single)
    report = actions.import_notice(found, actor=current_user, dry_run=dry_run)
    if report.change is not None:
        recompute.at_once(report.change)
    return report
