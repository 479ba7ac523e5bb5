"""Parts of an issue: what assisting departments and joint grids do beside the unit that answers for the whole.

`issues.parts` counts those ever given, `issues.parts_open` those that nobody has settled; so whoever reads an issue without
any need not look here.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gridgov.db import TZ, Field, Model, session
from gridgov.grids import queries as grids
from gridgov.issues.models import ONE_UNIT, Issue

ASSIST, JOINT = "assist", "joint"
OPEN, DONE, DECLINED, WITHDRAWN = "open", "done", "declined", "withdrawn"
UNSETTLED = "state IN ('open', 'declined')"


class Part(Model, table=True):
    """One unit's part of an issue. `giver_code` is the grid of the office, or chief, that gave it; `task` what is asked.

    open: to be done by `due_at`; declined: its unit says it is not theirs, and whoever gave it is to drop it or insist;
    both count as unsettled. A part that was declined before and is open again cannot be declined again.
    """

    __tablename__ = "issue_parts"
    __table_args__ = (
        sa.CheckConstraint(ONE_UNIT, name="one_unit"),
        sa.CheckConstraint("(kind = 'joint') = (unit_code IS NOT NULL) AND kind IN ('assist', 'joint')", name="kind_fits"),
        sa.CheckConstraint("state IN ('open', 'done', 'declined', 'withdrawn')", name="state_known"),
        sa.CheckConstraint("state <> 'done' OR num_nulls(done_at, done_by, result) = 0", name="done_has_result"),
        sa.CheckConstraint("state <> 'declined' OR num_nulls(declined_at, reason) = 0", name="declined_has_reason"),
        sa.Index("uq_issue_parts_unit", "unit_code", "issue_id", unique=True, postgresql_where=sa.text(UNSETTLED)),
        sa.Index("uq_issue_parts_department", "department_id", "issue_id", unique=True, postgresql_where=sa.text(UNSETTLED)),
        sa.Index(
            "ix_issue_parts_unit", "unit_code", postgresql_ops={"unit_code": "text_pattern_ops"},
            postgresql_where=sa.text("unit_code IS NOT NULL"),
        ),
        sa.Index("ix_issue_parts_department", "department_id", postgresql_where=sa.text("department_id IS NOT NULL")),
    )  # fmt: skip
    issue_id: UUID = Field(foreign_key="issues.id", primary_key=True)
    n: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    unit_code: str | None = Field(default=None, foreign_key="grids.code", sa_type=sa.Text)
    department_id: UUID | None = Field(default=None, foreign_key="departments.id")
    kind: str = Field(max_length=6)
    state: str = Field(default=OPEN, max_length=9)
    task: str | None = Field(default=None, max_length=500)
    giver_code: str = Field(foreign_key="grids.code", sa_type=sa.Text)
    opened_at: datetime = Field(sa_type=TZ)
    opened_by: UUID = Field(foreign_key="persons.id")
    due_at: datetime = Field(sa_type=TZ)
    due_provisional: bool = False
    late_at: datetime | None = Field(default=None, sa_type=TZ)
    declined_at: datetime | None = Field(default=None, sa_type=TZ)
    reason: str | None = Field(default=None, max_length=500)
    done_at: datetime | None = Field(default=None, sa_type=TZ)
    done_by: UUID | None = Field(default=None, foreign_key="persons.id")
    result: str | None = Field(default=None, max_length=1000)

    @property
    def settled(self) -> bool:
        """Whether nothing is to be done about it any more."""
        return self.state in (DONE, WITHDRAWN)

    @property
    def clock(self) -> str:
        """The name of its deadline among the clocks of the issue."""
        return f"part:{self.n}"


OF_ISSUE = sa.select(Part).where(Part.issue_id == sa.bindparam("issue")).order_by(Part.n)
DONE_BY = sa.select(Part.done_by).where(Part.issue_id == sa.bindparam("issue"), Part.done_by.is_not(None))


def of(issue: Issue) -> list[Part]:
    """Every part of an issue, in the order in which they were given; without a statement where there is none."""
    return list(session.scalars(OF_ISSUE, {"issue": issue.id})) if issue.parts else []


def unsettled(issue: Issue) -> list[Part]:
    """The parts of an issue that somebody is to do or to decide about."""
    return [part for part in of(issue) if not part.settled] if issue.parts_open else []


def fresh(issue: Issue) -> list[Part]:
    """The same as the database has them now. A page may have read them before it held the issue locked."""
    if issue.parts_open:
        session.scalars(OF_ISSUE.execution_options(populate_existing=True), {"issue": issue.id}).all()
    return unsettled(issue)


def doers(issue: Issue) -> set[UUID]:
    """Everybody who finished a part of the issue."""
    found = session.connection().execute(DONE_BY, {"issue": issue.id}) if issue.parts else ()
    return {person for (person,) in found if person}


def held_by(part: Part, post: Any) -> bool:
    """Whether a post is held at the unit of a part."""
    if part.department_id is not None:
        return post.department_id == part.department_id
    return post.department_id is None and post.grid_code == part.unit_code


# Which issues -----------------------------------------------------------------------------------------------------------

WAITS_AT_GRID = (
    "id = ANY(ARRAY(SELECT issue_id FROM issue_parts WHERE state = 'open' AND unit_code = ANY(:codes)))"
)
WAITS_IN_DEPARTMENT = "id = ANY(ARRAY(SELECT issue_id FROM issue_parts WHERE state = 'open' AND department_id = ANY(:departments)))"
# When the part is due that one of these units has of an issue `top`; of nearly all issues nothing need be read for it.
DUE = """
        CASE WHEN top.parts_open > 0 THEN (SELECT min(due_at) FROM issue_parts WHERE issue_id = top.id AND state = 'open'
            AND (unit_code = ANY(:own_codes) OR department_id = ANY(:own_departments))) END AS part_due"""


def seen(reach: Any) -> sa.ColumnElement[bool]:
    """The SQL condition that an issue has, or had, a part of a unit within a reach (people.queries.Reach)."""
    units = [grids.under(Part.unit_code, code) for code in sorted(reach.grids)]
    if reach.departments:
        units.append(Part.department_id.in_(reach.departments))
    given = sa.exists().where(Part.issue_id == Issue.id, sa.or_(sa.false(), *units))
    return sa.and_(Issue.parts > sa.literal_column("0"), given)


def waiting(codes: Any, departments: Any) -> sa.ColumnElement[bool]:
    """The SQL condition that a part of an issue waits for one of these units."""
    units = sa.or_(Part.unit_code.in_(list(codes)), Part.department_id.in_(list(departments)))
    ids = sa.select(Part.issue_id).where(units, Part.state == sa.literal_column("'open'"))
    # An array, read first: there are few of them, which a planner would not believe of a subquery.
    return Issue.id == sa.any_(sa.func.array(ids.scalar_subquery(), type_=sa.ARRAY(sa.Uuid)))


def due(
    issues: Sequence[Issue], *, own_codes: Sequence[str], own_departments: Sequence[UUID]
) -> dict[UUID, datetime]:
    """When the parts are due that these units have to do, by issue; without a statement where no issue has any."""
    ids = [issue.id for issue in issues if issue.parts_open]
    if not ids:
        return {}
    query = sa.select(Part.issue_id, sa.func.min(Part.due_at)).where(
        Part.issue_id.in_(ids), Part.state == OPEN
    )
    units = sa.or_(Part.unit_code.in_(own_codes), Part.department_id.in_(own_departments))
    return dict(session.execute(query.where(units).group_by(Part.issue_id)).all())
