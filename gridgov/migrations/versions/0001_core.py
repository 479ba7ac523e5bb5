"""The clock, deadlines, the outbox and running numbers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TZ = sa.DateTime(timezone=True)


def upgrade() -> None:
    _clock()
    _numbers()
    _timers()
    _outbox()


def _clock() -> None:
    op.create_table(
        "virtual_clock",
        sa.Column("id", sa.Boolean, primary_key=True, server_default=sa.true()),
        sa.Column("at", TZ),
        sa.Column("shift", sa.Interval, nullable=False, server_default=sa.text("'0'")),
        sa.CheckConstraint("id", name="one_row"),
    )
    # STABLE, so that it can be an index condition; empty in production, where it is now().
    op.execute(
        """
        CREATE FUNCTION app_now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS
        $$ SELECT coalesce((SELECT coalesce(at, now() + shift) FROM virtual_clock), now()) $$
        """
    )
    op.execute(
        """
        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; END $$
        """
    )


def _numbers() -> None:
    # A number of the day without a row that everybody queues for: one sequence, and its position at the day's start.
    op.create_table(
        "number_days",
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("base", sa.BigInteger, nullable=False),
    )
    op.execute("CREATE SEQUENCE running_number AS bigint")
    op.execute(
        """
        CREATE FUNCTION next_number(at_day date) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
        DECLARE start_at bigint;
        BEGIN
            SELECT base INTO start_at FROM number_days WHERE day = at_day;
            IF NOT FOUND THEN
                INSERT INTO number_days (day, base) VALUES (at_day, nextval('running_number'))
                ON CONFLICT (day) DO NOTHING;
                SELECT base INTO start_at FROM number_days WHERE day = at_day;
            END IF;
            RETURN nextval('running_number') - start_at;
        END $$
        """
    )


def _timers() -> None:
    op.create_table(
        "timers",
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("subject_kind", sa.String(20), nullable=False),
        sa.Column("subject_id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("started_at", TZ, nullable=False),
        sa.Column("budget_s", sa.Integer, nullable=False),
        sa.Column("clock", sa.String(12), nullable=False),
        sa.Column("due_at", TZ, nullable=False),
        sa.Column("run_at", TZ, nullable=False),
        sa.Column("provisional", sa.Boolean, nullable=False),
        sa.Column("state", sa.String(5), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("error", sa.String),
        sa.Column("ended_at", TZ),
        sa.CheckConstraint("state IN ('open', 'fired', 'void', 'dead')", name="state_known"),
        sa.CheckConstraint("budget_s >= 0 AND attempts >= 0", name="not_negative"),
    )
    still_open = sa.text("state = 'open'")
    op.create_index("ix_timers_due", "timers", ["run_at"], postgresql_where=still_open)
    op.create_index(
        "uq_timers_open", "timers", ["subject_id", "kind"], unique=True, postgresql_where=still_open
    )


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("topic", sa.String(60), nullable=False),
        sa.Column("payload", JSONB, nullable=False),
        sa.Column("created_at", TZ, nullable=False),
        sa.Column("run_at", TZ, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("done_at", TZ),
        sa.Column("dead_at", TZ),
        sa.Column("error", sa.String),
        sa.CheckConstraint("attempts >= 0", name="attempts_not_negative"),
    )
    op.create_index(
        "ix_outbox_open",
        "outbox",
        ["run_at"],
        postgresql_where=sa.text("done_at IS NULL AND dead_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("outbox")
    op.drop_table("timers")
    op.execute("DROP FUNCTION next_number(date)")
    op.execute("DROP SEQUENCE running_number")
    op.drop_table("number_days")
    op.execute("DROP FUNCTION refuse_change()")
    op.execute("DROP FUNCTION app_now()")
    op.drop_table("virtual_clock")
