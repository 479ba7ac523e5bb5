"""Tables of working time: days and years as imported, office hours by grid, each change, each deadline that it moved."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gridgov.db import JSONB, TZ, Field, Model, choice


class ChangeKind(StrEnum):
    """What changed the calendar: a year's notice, single days, office hours; or that all is to be reckoned anew."""

    NOTICE = "notice"
    DAYS = "days"
    HOURS = "hours"
    ALL = "all"


class CalendarChange(Model, table=True):
    """One change of the calendar, and how far the deadlines have followed it. The newest id is the calendar's version.

    `first_day` to `last_day` hold all days that changed. `cursor_*` is the last timer seen in this pass; `skipped` counts
    those of it that somebody else had locked. `began_at` is the real time at which the pass began, for what a virtual
    clock says is no measure of how long other processes go on with the older calendar.
    """

    __tablename__ = "calendar_changes"
    __table_args__ = (
        sa.CheckConstraint("first_day <= last_day", name="days_in_order"),
        sa.Index("ix_calendar_changes_open", "id", postgresql_where=sa.text("finished_at IS NULL")),
    )
    id: int = Field(default=None, primary_key=True, sa_type=sa.BigInteger)
    kind: ChangeKind = Field(sa_column=choice(ChangeKind, name="kind", nullable=False))
    year: int | None = Field(default=None, sa_type=sa.SmallInteger)
    grid_code: str | None = Field(default=None, foreign_key="grids.code", sa_type=sa.Text)
    source: str = Field(max_length=200)
    actor_id: UUID | None = Field(default=None, foreign_key="persons.id")
    at: datetime = Field(sa_type=TZ)
    first_day: date
    last_day: date
    changed: list[Any] = Field(default_factory=list, sa_type=JSONB)
    pass_n: int = 1
    began_at: datetime | None = Field(default=None, sa_type=TZ)
    cursor_subject: UUID | None = None
    cursor_kind: str | None = Field(default=None, max_length=20)
    skipped: int = 0
    moved: int = 0
    confirmed: int = 0
    finished_at: datetime | None = Field(default=None, sa_type=TZ)


class CalendarYear(Model, table=True):
    """A year whose notice was imported: its days are those of `calendar_days`, every other day goes by the weekend."""

    __tablename__ = "calendar_years"
    __table_args__ = (sa.CheckConstraint("year BETWEEN 1970 AND 2199", name="year_reckoned"),)
    year: int = Field(primary_key=True, sa_type=sa.SmallInteger, sa_column_kwargs={"autoincrement": False})
    source: str = Field(max_length=200)
    imported_at: datetime = Field(sa_type=TZ)
    imported_by: UUID | None = Field(default=None, foreign_key="persons.id")


class CalendarDay(Model, table=True):
    """A day that works or rests, whatever the weekday, the package and calendars.yaml say.

    `year` is that of the notice that lists it, which may name days of the December before.
    """

    __tablename__ = "calendar_days"
    day: date = Field(primary_key=True)
    working: bool
    name: str = Field(default="", max_length=40)
    year: int = Field(sa_type=sa.SmallInteger, index=True)
    source: str = Field(max_length=200)


class OfficeHours(Model, table=True):
    """When the offices of a township, or of the whole city, work from a day on, until the next row of the same grid.

    `hours` is written like 08:00-12:00, 14:30-17:30; null: as the city has them, for the city as calendars.yaml says.
    """

    __tablename__ = "office_hours"
    __table_args__ = (sa.CheckConstraint("length(grid_code) IN (6, 9)", name="of_a_city_or_township"),)
    grid_code: str = Field(primary_key=True, foreign_key="grids.code", sa_type=sa.Text)
    valid_from: date = Field(primary_key=True)
    hours: str | None = Field(default=None, max_length=120)


class DeadlineMove(Model, table=True):
    """A deadline that a change of the calendar moved. Append-only (a trigger's work).

    `was` and `now` are the moments; for a paused one they are null and `was_left_s`, `now_left_s` tell what is left.
    `fired`: it had fired before by the older calendar. That is not undone, only noted.
    """

    __tablename__ = "deadline_moves"
    __table_args__ = (
        sa.Index("ix_deadline_moves_subject_id", "subject_id"),
        sa.Index("ix_deadline_moves_change_id", "change_id", "id"),
    )
    id: int = Field(default=None, primary_key=True, sa_type=sa.BigInteger)
    change_id: int = Field(foreign_key="calendar_changes.id", sa_type=sa.BigInteger)
    timer_id: int = Field(sa_type=sa.BigInteger)
    subject_kind: str = Field(max_length=20)
    subject_id: UUID
    kind: str = Field(max_length=20)
    was: datetime | None = Field(default=None, sa_type=TZ)
    now: datetime | None = Field(default=None, sa_type=TZ)
    was_left_s: int | None = None
    now_left_s: int | None = None
    fired: bool = False
    at: datetime = Field(sa_type=TZ)
