"""The calendar as a city imports it, office hours by grid, changes and the deadlines they moved; the runs of a paused timer."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TZ = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "calendar_changes",
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("kind", sa.String(6), nullable=False),
        sa.Column("year", sa.SmallInteger),
        sa.Column("grid_code", sa.Text, sa.ForeignKey("grids.code")),
        sa.Column("source", sa.String(200), nullable=False),
        sa.Column("actor_id", sa.Uuid, sa.ForeignKey("persons.id")),
        sa.Column("at", TZ, nullable=False),
        sa.Column("first_day", sa.Date, nullable=False),
        sa.Column("last_day", sa.Date, nullable=False),
        sa.Column("changed", JSONB, nullable=False),
        sa.Column("pass_n", sa.Integer, nullable=False),
        sa.Column("began_at", TZ),
        sa.Column("cursor_subject", sa.Uuid),
        sa.Column("cursor_kind", sa.String(20)),
        sa.Column("skipped", sa.Integer, nullable=False),
        sa.Column("moved", sa.Integer, nullable=False),
        sa.Column("confirmed", sa.Integer, nullable=False),
        sa.Column("finished_at", TZ),
        sa.CheckConstraint("kind IN ('notice', 'days', 'hours', 'all')", name="kind_known"),
        sa.CheckConstraint("first_day <= last_day", name="days_in_order"),
    )
    op.create_index(
        "ix_calendar_changes_open", "calendar_changes", ["id"], postgresql_where=sa.text("finished_at IS NULL")
    )
    _calendar()
    _moves()
    op.add_column("timers", sa.Column("total_s", sa.Integer))
    op.add_column("timers", sa.Column("runs", sa.ARRAY(TZ)))


def _calendar() -> None:
    op.create_table(
        "calendar_years",
        sa.Column("year", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("source", sa.String(200), nullable=False),
        sa.Column("imported_at", TZ, nullable=False),
        sa.Column("imported_by", sa.Uuid, sa.ForeignKey("persons.id")),
        sa.CheckConstraint("year BETWEEN 1970 AND 2199", name="year_reckoned"),
    )
    op.create_table(
        "calendar_days",
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("working", sa.Boolean, nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("year", sa.SmallInteger, nullable=False),
        sa.Column("source", sa.String(200), nullable=False),
    )
    op.create_index("ix_calendar_days_year", "calendar_days", ["year"])
    op.create_table(
        "office_hours",
        sa.Column("grid_code", sa.Text, sa.ForeignKey("grids.code"), primary_key=True),
        sa.Column("valid_from", sa.Date, primary_key=True),
        sa.Column("hours", sa.String(120)),
        sa.CheckConstraint("length(grid_code) IN (6, 9)", name="of_a_city_or_township"),
    )


def _moves() -> None:
    op.create_table(
        "deadline_moves",
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("change_id", sa.BigInteger, sa.ForeignKey("calendar_changes.id"), nullable=False),
        sa.Column("timer_id", sa.BigInteger, nullable=False),
        sa.Column("subject_kind", sa.String(20), nullable=False),
        sa.Column("subject_id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("was", TZ),
        sa.Column("now", TZ),
        sa.Column("was_left_s", sa.Integer),
        sa.Column("now_left_s", sa.Integer),
        sa.Column("fired", sa.Boolean, nullable=False),
        sa.Column("at", TZ, nullable=False),
    )
    op.create_index("ix_deadline_moves_subject_id", "deadline_moves", ["subject_id"])
    op.create_index("ix_deadline_moves_change_id", "deadline_moves", ["change_id", "id"])
    op.execute(
        "CREATE TRIGGER deadline_moves_append_only BEFORE UPDATE OR DELETE ON deadline_moves "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER deadline_moves_no_truncate BEFORE TRUNCATE ON deadline_moves "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    op.drop_column("timers", "runs")
    op.drop_column("timers", "total_s")
    for table in ("deadline_moves", "office_hours", "calendar_days", "calendar_years", "calendar_changes"):
        op.drop_table(table)
