"""Timers that warn and can be paused, dead letters that can be found, and the number of an issue's last event."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TZ = sa.DateTime(timezone=True)
OPEN = sa.text("state = 'open'")
LIVE = sa.text("state IN ('open', 'paused')")
DEAD = sa.text("state = 'dead'")
BURIED = sa.text("dead_at IS NOT NULL")


def upgrade() -> None:
    op.add_column("timers", sa.Column("warn_s", sa.Integer))
    op.add_column("timers", sa.Column("warned_at", TZ))
    op.add_column("timers", sa.Column("left_s", sa.Integer))
    op.alter_column("timers", "state", type_=sa.String(6), existing_nullable=False)
    op.drop_constraint(op.f("ck_timers_state_known"), "timers", type_="check")
    op.drop_constraint(op.f("ck_timers_not_negative"), "timers", type_="check")
    op.create_check_constraint(
        op.f("ck_timers_state_is_one"), "timers", "state IN ('open', 'paused', 'fired', 'void', 'dead')"
    )
    # A budget may be below zero: what is paused after its deadline was overspent, and stays so.
    op.create_check_constraint(op.f("ck_timers_attempts_not_negative"), "timers", "attempts >= 0")
    op.create_check_constraint(
        op.f("ck_timers_paused_has_rest"), "timers", "state <> 'paused' OR left_s IS NOT NULL"
    )
    op.drop_index("uq_timers_open", "timers")
    op.create_index("uq_timers_live", "timers", ["subject_id", "kind"], unique=True, postgresql_where=LIVE)
    op.create_index("ix_timers_dead", "timers", ["id"], postgresql_where=DEAD)
    op.create_index("ix_outbox_dead", "outbox", ["id"], postgresql_where=BURIED)
    # What has fired leaves the index of the due at the next vacuum; that must not wait for a fifth of the table.
    for table in ("timers", "outbox"):
        op.execute(f"ALTER TABLE {table} SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000)")
    op.add_column("issues", sa.Column("last_seq", sa.Integer, nullable=False, server_default="1"))
    op.execute(
        "UPDATE issues SET last_seq = latest.seq FROM (SELECT issue_id, max(seq) AS seq FROM issue_events GROUP BY issue_id)"
        " AS latest WHERE latest.issue_id = issues.id AND latest.seq > 1"
    )


def downgrade() -> None:
    op.drop_column("issues", "last_seq")
    for table in ("timers", "outbox"):
        op.execute(f"ALTER TABLE {table} RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold)")
    op.drop_index("ix_outbox_dead", "outbox")
    op.drop_index("ix_timers_dead", "timers")
    op.drop_index("uq_timers_live", "timers")
    # The older code knows no paused timer: it goes on from where the calendar stands, and is due at what it had left.
    op.execute(
        "UPDATE timers SET state = 'open', started_at = app_now(), budget_s = greatest(left_s, 0),"
        " due_at = app_now() + make_interval(secs => left_s), run_at = app_now() + make_interval(secs => left_s)"
        " WHERE state = 'paused'"
    )
    op.execute("UPDATE timers SET budget_s = 0 WHERE budget_s < 0")
    op.execute("UPDATE timers SET run_at = due_at WHERE state = 'open' AND run_at < due_at")
    op.create_index("uq_timers_open", "timers", ["subject_id", "kind"], unique=True, postgresql_where=OPEN)
    for name in ("paused_has_rest", "attempts_not_negative", "state_is_one"):
        op.drop_constraint(op.f(f"ck_timers_{name}"), "timers", type_="check")
    op.alter_column("timers", "state", type_=sa.String(5), existing_nullable=False)
    op.create_check_constraint(
        op.f("ck_timers_not_negative"), "timers", "budget_s >= 0 AND attempts >= 0"
    )
    op.create_check_constraint(op.f("ck_timers_state_known"), "timers", "state IN ('open', 'fired', 'void', 'dead')")
    for column in ("left_s", "warned_at", "warn_s"):
        op.drop_column("timers", column)
