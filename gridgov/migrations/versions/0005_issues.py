"""Issues, their hops, their append-only events, their photos, and the categories."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TZ = sa.DateTime(timezone=True)
ONE_UNIT = "(unit_code IS NULL) <> (department_id IS NULL)"


def upgrade() -> None:
    _categories()
    _issues()
    _hops()
    _events()
    op.create_table(
        "issue_photos",
        sa.Column("issue_id", sa.Uuid, sa.ForeignKey("issues.id"), primary_key=True),
        sa.Column("photo_id", sa.Uuid, sa.ForeignKey("photos.id"), primary_key=True),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("stage", sa.String(6), nullable=False),
        sa.CheckConstraint("stage IN ('before', 'after', 'note')", name="stage_known"),
    )
    op.create_index("ix_issue_photos_photo_id", "issue_photos", ["photo_id"])


def _categories() -> None:
    op.create_table(
        "categories",
        sa.Column("code", sa.String(4), primary_key=True),
        sa.Column("parent_code", sa.String, sa.ForeignKey("categories.code")),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("name_en", sa.String(80), nullable=False),
        sa.Column("line", sa.String(20), nullable=False),
        sa.Column("grade", sa.String(1)),
        sa.Column("department_code", sa.String(40)),
        sa.Column("photos_required", sa.Boolean, nullable=False),
        sa.Column("confidential", sa.Boolean, nullable=False),
        sa.Column("closed_at", TZ),
        sa.CheckConstraint("code ~ '^[0-9]{2}([0-9]{2})?$'", name="code_format"),
        sa.CheckConstraint(
            "CASE WHEN length(code) = 2 THEN parent_code IS NULL AND grade IS NULL"
            " ELSE parent_code IS NOT NULL AND parent_code = left(code, 2) AND grade IS NOT NULL END",
            name="two_levels",
        ),
        sa.CheckConstraint("grade IN ('A', 'B', 'C')", name="grade_known"),
    )


def _issues() -> None:
    op.create_table(
        "issues",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("number", sa.String(30), nullable=False, unique=True),
        sa.Column("grid_code", sa.Text, sa.ForeignKey("grids.code"), nullable=False),
        sa.Column("category_code", sa.String, sa.ForeignKey("categories.code"), nullable=False),
        sa.Column("line", sa.String(20), nullable=False),
        sa.Column("grade", sa.String(1), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("lat", sa.Float),
        sa.Column("lon", sa.Float),
        sa.Column("accuracy_m", sa.Integer),
        sa.Column("address", sa.String(200)),
        sa.Column("reporter_id", sa.Uuid, sa.ForeignKey("persons.id"), nullable=False),
        sa.Column("confidential", sa.Boolean, nullable=False),
        sa.Column("state", sa.String(30), nullable=False),
        sa.Column("unit_code", sa.Text, sa.ForeignKey("grids.code")),
        sa.Column("department_id", sa.Uuid, sa.ForeignKey("departments.id")),
        sa.Column("hop_n", sa.Integer, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("due_at", TZ),
        sa.Column("warn_at", TZ),
        sa.Column("due_provisional", sa.Boolean, nullable=False),
        sa.Column("handler_id", sa.Uuid, sa.ForeignKey("persons.id")),
        sa.Column("handling_hop", sa.Integer),
        sa.Column("verifier_id", sa.Uuid, sa.ForeignKey("persons.id")),
        sa.Column("rework_count", sa.Integer, nullable=False),
        sa.Column("on_time", sa.Boolean),
        sa.Column("solved", sa.Boolean),
        sa.Column("satisfaction", sa.Integer),
        sa.Column("reported_at", TZ, nullable=False),
        sa.Column("accepted_at", TZ),
        sa.Column("resolved_at", TZ),
        sa.Column("verified_at", TZ),
        sa.Column("ended_at", TZ),
        sa.CheckConstraint(ONE_UNIT, name="one_unit"),
        sa.CheckConstraint("grade IN ('A', 'B', 'C')", name="grade_known"),
        sa.CheckConstraint("btrim(text) <> ''", name="has_words"),
        sa.CheckConstraint("(lat IS NULL) = (lon IS NULL)", name="place_is_whole"),
        sa.CheckConstraint("satisfaction BETWEEN 1 AND 5", name="satisfaction_scale"),
        sa.CheckConstraint(
            "verifier_id IS NULL OR handler_id IS NULL OR verifier_id <> handler_id",
            name="verifier_is_not_handler",
        ),
        sa.CheckConstraint("(ended_at IS NULL) = (due_at IS NOT NULL)", name="open_has_deadline"),
        sa.CheckConstraint("rework_count >= 0 AND generation >= 0 AND hop_n >= 1", name="counts_not_negative"),
    )
    _issue_indexes()


def _issue_indexes() -> None:
    still_open = sa.text("ended_at IS NULL")
    op.create_index("ix_issues_unit_open", "issues", ["unit_code", "due_at"], postgresql_where=still_open)
    op.create_index(
        "ix_issues_department_open", "issues", ["department_id", "due_at"],
        postgresql_where=sa.text("ended_at IS NULL AND department_id IS NOT NULL"),
    )  # fmt: skip
    # What is open in an area, counted without looking at the rows themselves; and the most urgent of a whole city.
    op.create_index(
        "ix_issues_open_place", "issues", ["grid_code"], postgresql_ops={"grid_code": "text_pattern_ops"},
        postgresql_include=["due_at", "warn_at", "state", "generation"], postgresql_where=still_open,
    )  # fmt: skip
    op.create_index("ix_issues_open_due", "issues", ["due_at", "id"], postgresql_where=still_open)
    op.create_index(
        "ix_issues_grid_code", "issues", ["grid_code"], postgresql_ops={"grid_code": "text_pattern_ops"}
    )
    op.create_index("ix_issues_township", "issues", [sa.text("left(grid_code, 9)"), sa.text("id DESC")])
    op.create_index("ix_issues_reporter_id", "issues", ["reporter_id", sa.text("id DESC")])


def _hops() -> None:
    op.create_table(
        "hops",
        sa.Column("issue_id", sa.Uuid, sa.ForeignKey("issues.id"), primary_key=True),
        sa.Column("n", sa.Integer, primary_key=True),
        sa.Column("unit_code", sa.Text, sa.ForeignKey("grids.code")),
        sa.Column("department_id", sa.Uuid, sa.ForeignKey("departments.id")),
        sa.Column("entered_at", TZ, nullable=False),
        sa.Column("entered_by", sa.String(30), nullable=False),
        sa.Column("accepted_at", TZ),
        sa.Column("left_at", TZ),
        sa.Column("left_by", sa.String(30)),
        sa.Column("worked_s", sa.BigInteger),
        sa.CheckConstraint(ONE_UNIT, name="one_unit"),
        sa.CheckConstraint("left_at IS NULL OR left_at >= entered_at", name="left_after_entered"),
    )
    op.create_index(
        "uq_hops_open", "hops", ["issue_id"], unique=True, postgresql_where=sa.text("left_at IS NULL")
    )
    op.create_index(
        "ix_hops_department_id", "hops", ["department_id", "issue_id"],
        postgresql_where=sa.text("department_id IS NOT NULL"),
    )  # fmt: skip


def _events() -> None:
    op.create_table(
        "issue_events",
        sa.Column("issue_id", sa.Uuid, sa.ForeignKey("issues.id"), primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(30), nullable=False),
        sa.Column("from_state", sa.String(30)),
        sa.Column("to_state", sa.String(30), nullable=False),
        sa.Column("actor_id", sa.Uuid, sa.ForeignKey("persons.id")),
        sa.Column("actor_role", sa.String(30), nullable=False),
        sa.Column("hop_n", sa.Integer, nullable=False),
        sa.Column("unit_code", sa.Text),
        sa.Column("department_id", sa.Uuid),
        sa.Column("data", JSONB, nullable=False),
        sa.Column("due_at", TZ),
        sa.Column("at", TZ, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
    )
    op.create_index("ix_issue_events_actor_id", "issue_events", ["actor_id"])
    _chain()


def _chain() -> None:
    # The chain's rule in one place: the trigger writes by it, the audit verifies by it. Times as UTC microseconds.
    op.execute(
        """
        CREATE FUNCTION issue_event_hash(e issue_events, before bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
            SELECT sha256(before || convert_to(jsonb_build_array(
                e.issue_id, e.seq, e.name, e.from_state, e.to_state, e.actor_id, e.actor_role, e.hop_n, e.unit_code,
                e.department_id, e.data, (extract(epoch FROM e.due_at) * 1000000)::bigint,
                (extract(epoch FROM e.at) * 1000000)::bigint)::text, 'UTF8'))
        $$
        """
    )
    op.execute(
        """
        CREATE FUNCTION issue_event_chain() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE before bytea;
        BEGIN
            IF NEW.seq = 1 THEN
                before := ''::bytea;
            ELSE
                SELECT hash INTO before FROM issue_events WHERE issue_id = NEW.issue_id AND seq = NEW.seq - 1;
                IF NOT FOUND THEN
                    RAISE EXCEPTION 'event % of issue % has no event before it', NEW.seq, NEW.issue_id
                        USING ERRCODE = 'integrity_constraint_violation';
                END IF;
            END IF;
            NEW.hash := issue_event_hash(NEW, before);
            RETURN NEW;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER chain BEFORE INSERT ON issue_events FOR EACH ROW EXECUTE FUNCTION issue_event_chain()"
    )
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON issue_events FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON issue_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    op.drop_table("issue_photos")
    op.execute("DROP FUNCTION issue_event_hash(issue_events, bytea)")
    op.drop_table("issue_events")
    op.execute("DROP FUNCTION issue_event_chain()")
    op.drop_table("hops")
    op.drop_table("issues")
    op.drop_table("categories")
