"""Ways out of the house: addresses, preferences, deliveries and every attempt at one."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TZ = sa.DateTime(timezone=True)


def upgrade() -> None:
    _addresses()
    op.create_table(
        "preferences",
        sa.Column("person_id", sa.Uuid, sa.ForeignKey("persons.id"), primary_key=True),
        *(sa.Column(name, ARRAY(sa.Text), nullable=False) for name in ("high", "normal", "low")),
        sa.Column("quiet_from", sa.Time, nullable=False),
        sa.Column("quiet_until", sa.Time, nullable=False),
        sa.Column("digest", sa.Boolean, nullable=False),
        sa.Column("digest_hour", sa.Integer, nullable=False),
        *(sa.CheckConstraint(f"{name} <@ ARRAY['mail', 'sms']", name=f"{name}_known") for name in ("high", "normal", "low")),
        sa.CheckConstraint("digest_hour BETWEEN 0 AND 23", name="hour_of_day"),
    )
    _deliveries()
    op.create_table(
        "delivery_attempts",
        sa.Column("delivery_id", sa.Uuid, sa.ForeignKey("deliveries.id"), primary_key=True),
        sa.Column("n", sa.Integer, primary_key=True),
        sa.Column("what", sa.String(6), primary_key=True),
        sa.Column("message_id", sa.Uuid, nullable=False),
        sa.Column("at", TZ, nullable=False),
        sa.Column("answer", sa.String(100)),
        sa.Column("error", sa.String(200)),
        sa.CheckConstraint("what IN ('begun', 'sent', 'failed', 'lost')", name="what_known"),
    )
    op.execute(
        "CREATE TRIGGER delivery_attempts_append_only BEFORE UPDATE OR DELETE ON delivery_attempts"
        " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )


def _addresses() -> None:
    op.create_table(
        "addresses",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("person_id", sa.Uuid, sa.ForeignKey("persons.id")),
        sa.Column("unit_code", sa.Text, sa.ForeignKey("grids.code")),
        sa.Column("department_id", sa.Uuid, sa.ForeignKey("departments.id")),
        sa.Column("channel", sa.String(8), nullable=False),
        sa.Column("target", sa.LargeBinary),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("hint", sa.String(60), nullable=False),
        sa.Column("least", sa.String(6), nullable=False),
        sa.Column("created_at", TZ, nullable=False),
        sa.Column("verified_at", TZ),
        sa.Column("code", sa.LargeBinary),
        sa.Column("code_until", TZ),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("bad_since", TZ),
        sa.Column("error", sa.String(200)),
        sa.Column("queued_until", TZ),
        sa.Column("removed_at", TZ),
        sa.CheckConstraint("num_nonnulls(person_id, unit_code, department_id) = 1", name="one_owner"),
        sa.CheckConstraint("(person_id IS NOT NULL) = (channel IN ('mail', 'sms'))", name="channel_fits_owner"),
        sa.CheckConstraint("removed_at IS NOT NULL OR (target IS NULL) = (channel = 'sms')", name="has_target"),
        sa.CheckConstraint("removed_at IS NULL OR (target IS NULL AND code IS NULL)", name="removed_is_forgotten"),
        sa.CheckConstraint("failures >= 0", name="failures_not_negative"),
        sa.CheckConstraint("channel IN ('mail', 'sms', 'wecom', 'dingtalk', 'feishu', 'webhook')", name="channel_known"),
        sa.CheckConstraint("least IN ('low', 'normal', 'high')", name="least_known"),
    )
    op.create_index(
        "uq_addresses_live", "addresses", ["person_id", "unit_code", "department_id", "channel", "fingerprint"], unique=True,
        postgresql_nulls_not_distinct=True, postgresql_where=sa.text("removed_at IS NULL"),
    )  # fmt: skip
    for column in ("unit_code", "department_id"):
        there = sa.text(f"{column} IS NOT NULL")
        op.create_index(f"ix_addresses_{column}", "addresses", [column], postgresql_where=there)
    bad = sa.text("bad_since IS NOT NULL AND removed_at IS NULL")
    op.create_index("ix_addresses_bad", "addresses", ["id"], postgresql_where=bad)


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("address_id", sa.Uuid, sa.ForeignKey("addresses.id"), nullable=False),
        sa.Column("kind", sa.String(5), nullable=False),
        sa.Column("outbox_id", sa.Uuid),
        sa.Column("notice_id", sa.Uuid, sa.ForeignKey("notices.id")),
        sa.Column("issue_id", sa.Uuid, sa.ForeignKey("issues.id")),
        sa.Column("seq", sa.Integer),
        sa.Column("audience", sa.String(20), nullable=False),
        sa.Column("urgency", sa.String(6), nullable=False),
        sa.Column("state", sa.String(7), nullable=False),
        sa.Column("due_at", TZ),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("most", sa.Integer, nullable=False),
        sa.Column("message_id", sa.Uuid),
        sa.Column("answer", sa.String(100)),
        sa.Column("error", sa.String(200)),
        sa.Column("created_at", TZ, nullable=False),
        sa.Column("ended_at", TZ),
        sa.UniqueConstraint("outbox_id", "address_id", name="uq_deliveries_once"),
        sa.ForeignKeyConstraint(
            ["issue_id", "seq"], ["issue_events.issue_id", "issue_events.seq"], name="fk_deliveries_event"
        ),
        sa.CheckConstraint("kind IN ('event', 'test', 'code')", name="kind_known"),
        sa.CheckConstraint("(kind = 'event') = (outbox_id IS NOT NULL AND issue_id IS NOT NULL)", name="event_has_source"),
        sa.CheckConstraint(
            "CASE WHEN state IN ('waiting', 'sending', 'failed') THEN due_at IS NOT NULL"
            " WHEN state IN ('sent', 'dead', 'void') THEN due_at IS NULL ELSE true END",
            name="due_while_open",
        ),
        sa.CheckConstraint("attempts BETWEEN 0 AND most", name="attempts_in_bounds"),
        sa.CheckConstraint("urgency IN ('low', 'normal', 'high')", name="urgency_known"),
        sa.CheckConstraint("state IN ('waiting', 'held', 'sending', 'failed', 'sent', 'dead', 'void')", name="state_known"),
    )
    op.create_index(
        "ix_deliveries_due", "deliveries", ["due_at", "address_id"], postgresql_where=sa.text("due_at IS NOT NULL")
    )
    op.create_index("ix_deliveries_address_id", "deliveries", ["address_id", sa.text("id DESC")])
    troubled = sa.text("state IN ('failed', 'held', 'dead')")
    op.create_index("ix_deliveries_troubled", "deliveries", [sa.text("id DESC")], postgresql_where=troubled)


def downgrade() -> None:
    for table in ("delivery_attempts", "deliveries", "preferences", "addresses"):
        op.drop_table(table)
