"""What may be the same problem: the same minor category, near by and reported lately, as `duplicates` of categories.yaml says.

Without a position on either side the grid stands for the place. Distances are metres on the mean sphere of WGS-84, worked out
by PostgreSQL (`metres_between`); a box of degrees lets the index find the few it is worked out for.
Source: DOMAIN "The closed loop": same sub-category, within 50 m and 24 h.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gridgov.db import TZ, session, utcnow
from gridgov.issues import flow, queries
from gridgov.issues.models import Category, Issue, IssuePhoto
from gridgov.issues.names import Names, title, unit_names
from gridgov.people import queries as people
from gridgov.people.models import Person

MOST = 5
LINE_MAX = 24
DEGREE_M = 111_000  # Of latitude; a degree is never shorter than 110.5 km, so the box is a little too large and never too small.
# One of the two: near enough, or in the same grid where a position is missing.
SPOT = """o.category_code = :category_code AND o.ended_at IS NULL AND o.confidential = :confidential
    AND o.reported_at BETWEEN :since AND :until
    AND o.lat BETWEEN :south AND :north AND o.lon BETWEEN :west AND :east
    AND metres_between(o.lat, o.lon, :lat, :lon) <= :within_m"""
GRID = """o.category_code = :category_code AND o.ended_at IS NULL AND o.confidential = :confidential
    AND o.reported_at BETWEEN :since AND :until
    AND o.grid_code = :grid_code AND (o.lat IS NULL OR CAST(:lat AS float8) IS NULL)"""
TYPES = (
    *(sa.bindparam(name, type_=sa.Float) for name in ("lat", "lon", "south", "north", "west", "east")),
    *(sa.bindparam(name, type_=TZ) for name in ("since", "until")),
    *(sa.bindparam(name, type_=sa.Text) for name in ("category_code", "grid_code")),
    sa.bindparam("within_m", type_=sa.Integer), sa.bindparam("confidential", type_=sa.Boolean),
)  # fmt: skip
NEAR = sa.text(
    f"""
    SELECT o.id, metres_between(o.lat, o.lon, :lat, :lon) AS metres, o.reported_at FROM issues AS o WHERE {SPOT}
    UNION ALL
    SELECT o.id, NULL, o.reported_at FROM issues AS o WHERE {GRID}
    """  # noqa: S608  # Put together from constants.
).bindparams(*TYPES)


@dataclass(frozen=True)
class Alike:
    """An issue that may be the same. `metres` away, if both positions are known; `line` is what a stranger may read of it.

    `thumb` is there for those alone who may see the issue; `mine`: the person reported it, or follows it.
    """

    issue: Issue
    category: Category
    place: str
    unit: str
    line: str
    metres: int | None
    thumb: UUID | None
    mine: bool


def around(
    category: str, *, lat: float | None, lon: float | None, grid_code: str | None, confidential: bool,
    since: datetime, until: datetime,
) -> dict[str, Any]:  # fmt: skip
    """The values of SPOT and GRID: what is looked for, where, and reported when."""
    given: dict[str, Any] = {
        "category_code": category, "lat": lat, "lon": lon, "grid_code": grid_code, "confidential": confidential,
        "since": since, "until": until, "within_m": flow.rules().same.within_m,
        **dict.fromkeys(("south", "north", "west", "east")),
    }  # fmt: skip
    if lat is not None and lon is not None:
        high = given["within_m"] / DEGREE_M * 1.01
        wide = high / max(0.01, math.cos(math.radians(lat)))
        given |= {"south": lat - high, "north": lat + high, "west": lon - wide, "east": lon + wide}
    return given


def offers(
    person: Person,
    category: str,
    *,
    lat: float | None = None,
    lon: float | None = None,
    grid_code: str | None = None,
) -> list[Alike]:
    """What somebody who is about to report this may follow instead, the nearest first. Never what is confidential.

    One statement when there is nothing, a fixed number otherwise.
    """
    now = utcnow()
    since = now - timedelta(seconds=flow.rules().same.within_s)
    given = around(
        category, lat=lat, lon=lon, grid_code=grid_code, confidential=False, since=since, until=now
    )
    return _alike(person, given, sa.and_(Category.duplicates, Category.closed_at.is_(None)))


def candidates(person: Person, issue: Issue) -> list[Alike]:
    """Open issues within this person's reach that may be the same as this one, the nearest first."""
    within = timedelta(seconds=flow.rules().same.within_s)
    given = around(
        issue.category_code, lat=issue.lat, lon=issue.lon, grid_code=issue.grid_code, confidential=issue.confidential,
        since=issue.reported_at - within, until=issue.reported_at + within,
    )  # fmt: skip
    return _alike(
        person,
        given,
        sa.and_(Issue.id != issue.id, Category.duplicates, queries.within(people.reach(person))),
    )


def _alike(person: Person, given: dict[str, Any], also: sa.ColumnElement[bool]) -> list[Alike]:
    found = NEAR.columns(
        sa.column("id", sa.Uuid), sa.column("metres", sa.Float), sa.column("reported_at", TZ)
    ).subquery("near")
    sees = queries.in_sight(person)
    thumb = sa.select(IssuePhoto.photo_id).where(
        IssuePhoto.issue_id == Issue.id, IssuePhoto.stage == "before", sees
    )
    query = (
        sa.select(
            Issue,
            Category,
            found.c.metres,
            thumb.order_by(IssuePhoto.photo_id).limit(1).scalar_subquery(),
            sees,
        )
        .join(found, found.c.id == Issue.id)
        .join(Category, Category.code == Issue.category_code)
        .where(also)
        .order_by(found.c.metres.nulls_last(), Issue.id.desc())
        .limit(MOST)
    )
    rows = session.execute(query, given).all()
    if not rows:
        return []
    names = unit_names([row[0] for row in rows])
    return [_drawn(person, names, *row) for row in rows]


def _drawn(
    person: Person,
    names: Names,
    issue: Issue,
    category: Category,
    metres: float | None,
    thumb: UUID | None,
    sees: bool,
) -> Alike:
    line = title(issue)
    return Alike(
        issue, category, names.place(issue.grid_code), names.unit(issue.unit_code, issue.department_id),
        line if len(line) <= LINE_MAX else line[: LINE_MAX - 1] + "…", None if metres is None else round(metres), thumb,
        issue.reporter_id == person.id,
    )  # fmt: skip
