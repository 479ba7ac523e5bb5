"""People, their posts, and what proves who somebody is: sessions, tokens, the log of sign-ins.

A person is never deleted, only disabled: what they did stays theirs. Rights come from posts alone, by the
day.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask_login import UserMixin
from sqlalchemy.dialects.postgresql import ARRAY

from gridgov.db import JSONB, TZ, Field, Model, choice, utcnow, uuid7

PHONE = r"^1[0-9]{10}$"
NOW = sa.text("app_now()")
# The length of a grid code is its level: 6 city, 9 township, 12 village, 15 micro grid, more for what is finer.
ROLE_FITS = """
CASE role
    WHEN 'department' THEN department_id IS NOT NULL AND grid_code IS NULL
    ELSE department_id IS NULL AND grid_code IS NOT NULL AND CASE role
        WHEN 'resident' THEN length(grid_code) >= 12
        WHEN 'worker' THEN length(grid_code) >= 12
        WHEN 'micro_chief' THEN length(grid_code) >= 15
        WHEN 'village_chief' THEN length(grid_code) = 12
        WHEN 'township_chief' THEN length(grid_code) = 9
        WHEN 'township_office' THEN length(grid_code) = 9
        WHEN 'store_clerk' THEN length(grid_code) IN (9, 12)
        WHEN 'line_chief' THEN length(grid_code) IN (6, 9, 12)
        ELSE length(grid_code) = 6
    END
END
"""


class Role(StrEnum):
    """What somebody may be appointed to. Reach, area and label of each stand in workflows/roles.yaml."""

    RESIDENT = "resident"
    WORKER = "worker"
    MICRO_CHIEF = "micro_chief"
    VILLAGE_CHIEF = "village_chief"
    TOWNSHIP_CHIEF = "township_chief"
    CITY_CHIEF = "city_chief"
    TOWNSHIP_OFFICE = "township_office"
    CITY_OFFICE = "city_office"
    DEPARTMENT = "department"
    CITY_LEADER = "city_leader"
    STORE_CLERK = "store_clerk"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"
    LINE_CHIEF = "line_chief"


class Scope(StrEnum):
    """What an API token may be used for."""

    READ = "read"
    REPORT = "report"
    ACT = "act"


class SignInKind(StrEnum):
    """What the log of sign-ins records."""

    SUCCESS = "success"
    FAILURE = "failure"
    LOCKED = "locked"
    SIGN_OUT = "sign_out"
    SESSION_ENDED = "session_ended"
    PASSWORD_CHANGED = "password_changed"


class Household(Model, table=True):
    """A household (户), which later owns the account of points."""

    __tablename__ = "households"
    __table_args__ = (sa.CheckConstraint("length(grid_code) = 15", name="in_a_micro_grid"),)
    id: UUID = Field(default_factory=uuid7, primary_key=True)
    code: str = Field(max_length=32, unique=True)
    grid_code: str = Field(sa_type=sa.Text, foreign_key="grids.code", index=True)
    head_name: str = Field(max_length=60)
    address: str = Field(default="", max_length=200)


class Department(Model, table=True):
    """A line agency (职能部门) of the city, or a township's station of one."""

    __tablename__ = "departments"
    __table_args__ = (sa.CheckConstraint("length(grid_code) IN (6, 9)", name="of_a_city_or_township"),)
    id: UUID = Field(default_factory=uuid7, primary_key=True)
    code: str = Field(max_length=32, unique=True)
    name: str = Field(max_length=80)
    name_en: str = Field(default="", max_length=120)
    grid_code: str = Field(sa_type=sa.Text, foreign_key="grids.code", index=True)
    closed_at: datetime | None = Field(default=None, sa_type=TZ)

    @property
    def label(self) -> dict[str, str]:
        """The name in both languages, for `i18n.pick`."""
        return {"zh": self.name, "en": self.name_en or self.name}


class Person(UserMixin, Model, table=True):
    """Somebody who may sign in. `password_hash` None: cannot sign in by password."""

    __tablename__ = "persons"
    __table_args__ = (
        sa.CheckConstraint(f"phone ~ '{PHONE}'", name="phone_11_digits"),
        sa.CheckConstraint("language IN ('zh', 'en')", name="language_known"),
    )
    id: UUID = Field(default_factory=uuid7, primary_key=True)
    name: str = Field(max_length=60)
    phone: str = Field(max_length=11, unique=True)
    password_hash: str | None = Field(default=None, max_length=200)
    language: str = Field(default="zh", max_length=2)
    elder_view: bool = False
    household_id: UUID | None = Field(default=None, foreign_key="households.id", index=True)
    disabled_at: datetime | None = Field(default=None, sa_type=TZ)
    created_at: datetime = Field(default_factory=utcnow, sa_type=TZ, sa_column_kwargs={"server_default": NOW})

    @property
    def is_active(self) -> bool:
        """Whether this person may sign in and hold posts at all."""
        return self.disabled_at is None

    @property
    def masked_name(self) -> str:
        """What may be shown in public: the family name alone, 张**."""
        return f"{self.name[:1]}**"


class Post(Model, table=True):
    """A role held by a person on a grid or in a department, for a period of whole days, both ends included.

    Which level of grid fits which role is a CHECK (workflows/roles.yaml says the same); that nobody holds the
    same post twice on a day, and that administrators and auditors hold no other office, is the trigger
    `guard_posts`.
    """

    __tablename__ = "posts"
    __table_args__ = (
        sa.Index("ix_posts_grid_code", "grid_code", postgresql_ops={"grid_code": "text_pattern_ops"}),
        sa.Index(
            "uq_posts_open_ended",
            "person_id",
            "role",
            "grid_code",
            "department_id",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=sa.text("ends_on IS NULL"),
        ),
        sa.CheckConstraint(ROLE_FITS, name="role_fits_level"),
        sa.CheckConstraint("role <> 'line_chief' OR cardinality(lines) > 0", name="line_chief_has_line"),
        sa.CheckConstraint(
            "lines <@ ARRAY['safety', 'public_order', 'epidemic', 'river', 'forest', 'road', 'farmland']",
            name="lines_known",
        ),
        sa.CheckConstraint(
            "ends_on >= starts_on OR (ended_at IS NOT NULL AND ends_on = starts_on - 1)",
            name="period_in_order",
        ),
    )
    id: UUID = Field(default_factory=uuid7, primary_key=True)
    person_id: UUID = Field(foreign_key="persons.id", index=True)
    role: Role = Field(sa_column=choice(Role, name="role", nullable=False))
    grid_code: str | None = Field(default=None, sa_type=sa.Text, foreign_key="grids.code")
    department_id: UUID | None = Field(default=None, foreign_key="departments.id", index=True)
    lines: list[str] = Field(
        default_factory=list, sa_type=ARRAY(sa.Text), sa_column_kwargs={"server_default": sa.text("'{}'")}
    )
    title: str | None = Field(default=None, max_length=60)
    starts_on: date
    ends_on: date | None = None
    ended_at: datetime | None = Field(default=None, sa_type=TZ)


class SignInSession(Model, table=True):
    """One signed-in browser. Only the hash of its token is kept; a row that is gone is a session that has
    ended.
    """

    __tablename__ = "sessions"
    __table_args__ = (sa.CheckConstraint("idle_s > 0 AND expires_at > created_at", name="lasts"),)
    id: UUID = Field(default_factory=uuid7, primary_key=True)
    token_hash: bytes = Field(sa_type=sa.LargeBinary, unique=True)
    person_id: UUID = Field(foreign_key="persons.id", index=True)
    created_at: datetime = Field(default_factory=utcnow, sa_type=TZ)
    last_seen_at: datetime = Field(default_factory=utcnow, sa_type=TZ)
    idle_s: int
    expires_at: datetime = Field(sa_type=TZ, index=True)
    ip: str = Field(max_length=45)
    agent: str = Field(max_length=300)


class SignIn(Model, table=True):
    """A line in the log of sign-ins: append-only, and kept at least six months (a trigger sees to both)."""

    __tablename__ = "sign_ins"
    __table_args__ = (
        sa.Index("ix_sign_ins_phone", "phone", "id"),
        sa.Index("ix_sign_ins_person_id", "person_id", "id"),
        sa.Index("ix_sign_ins_at", "at"),
    )
    id: UUID = Field(default_factory=uuid7, primary_key=True)
    at: datetime = Field(default_factory=utcnow, sa_type=TZ)
    kind: SignInKind = Field(sa_column=choice(SignInKind, name="kind", nullable=False))
    phone: str = Field(max_length=11)
    person_id: UUID | None = Field(default=None, foreign_key="persons.id")
    ip: str = Field(max_length=45)
    agent: str = Field(max_length=300)


class SignInGuard(Model, table=True):
    """Failed attempts for one phone number, whether it belongs to somebody or not. In the database, so that
    losing Redis opens nothing.
    """

    __tablename__ = "sign_in_guards"
    phone: str = Field(primary_key=True, max_length=11)
    failures: int = 0
    failed_at: datetime | None = Field(default=None, sa_type=TZ)
    locked_until: datetime | None = Field(default=None, sa_type=TZ)


class ApiToken(Model, table=True):
    """A bearer token of a person for programs: hashed, scoped, expiring, revocable. It is shown once, when
    made.
    """

    __tablename__ = "api_tokens"
    __table_args__ = (
        sa.CheckConstraint(
            "scopes <@ ARRAY['read', 'report', 'act'] AND cardinality(scopes) > 0", name="scopes_known"
        ),
        sa.CheckConstraint(
            "expires_at > created_at AND expires_at <= created_at + interval '366 days'", name="expires"
        ),
    )
    id: UUID = Field(default_factory=uuid7, primary_key=True)
    person_id: UUID = Field(foreign_key="persons.id", index=True)
    name: str = Field(max_length=60)
    token_hash: bytes = Field(sa_type=sa.LargeBinary, unique=True)
    hint: str = Field(max_length=8)
    scopes: list[str] = Field(sa_type=ARRAY(sa.Text))
    created_at: datetime = Field(default_factory=utcnow, sa_type=TZ)
    expires_at: datetime = Field(sa_type=TZ)
    last_used_at: datetime | None = Field(default=None, sa_type=TZ)
    revoked_at: datetime | None = Field(default=None, sa_type=TZ)


class AdminAct(Model, table=True):
    """An administrative act: who did what to whom, and when. Append-only. `actor_id` None is the system."""

    __tablename__ = "admin_log"
    __table_args__ = (sa.Index("ix_admin_log_person_id", "person_id", "id"),)
    id: UUID = Field(default_factory=uuid7, primary_key=True)
    at: datetime = Field(default_factory=utcnow, sa_type=TZ)
    actor_id: UUID | None = Field(default=None, foreign_key="persons.id")
    act: str = Field(max_length=40)
    person_id: UUID | None = Field(default=None, foreign_key="persons.id")
    detail: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
