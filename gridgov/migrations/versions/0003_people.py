"""People, posts, departments, households; sessions, tokens; logs of sign-ins and administrative acts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TZ = sa.DateTime(timezone=True)
NOW = sa.text("app_now()")
ROLES = (
    "'resident', 'worker', 'micro_chief', 'village_chief', 'township_chief', 'city_chief', 'township_office'"
    ", 'city_office', 'department', 'city_leader', 'store_clerk', 'auditor', 'administrator'"
)
# The length of a grid code is its level: 6 city, 9 township, 12 village, 15 micro grid.
ROLE_FITS = """
CASE role
    WHEN 'department' THEN department_id IS NOT NULL AND grid_code IS NULL
    ELSE department_id IS NULL AND grid_code IS NOT NULL AND length(grid_code) = ANY (CASE role
        WHEN 'resident' THEN ARRAY[12, 15]
        WHEN 'worker' THEN ARRAY[12, 15]
        WHEN 'micro_chief' THEN ARRAY[15]
        WHEN 'village_chief' THEN ARRAY[12]
        WHEN 'township_chief' THEN ARRAY[9]
        WHEN 'township_office' THEN ARRAY[9]
        WHEN 'store_clerk' THEN ARRAY[9, 12]
        ELSE ARRAY[6]
    END)
END
"""
# What a CHECK cannot see: the person's other posts. The lock on the person makes appointments take turns.
GUARD_POSTS = """
CREATE FUNCTION guard_posts() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    other record;
BEGIN
    IF NEW.ends_on < NEW.starts_on THEN
        RETURN NEW;
    END IF;
    PERFORM 1 FROM persons WHERE id = NEW.person_id FOR NO KEY UPDATE;
    FOR other IN
        SELECT role, grid_code, department_id FROM posts
        WHERE person_id = NEW.person_id AND id <> NEW.id AND coalesce(ends_on >= starts_on, true)
        AND starts_on <= coalesce(NEW.ends_on, 'infinity') AND NEW.starts_on <= coalesce(ends_on, 'infinity')
    LOOP
        IF other.role = NEW.role AND other.grid_code IS NOT DISTINCT FROM NEW.grid_code
            AND other.department_id IS NOT DISTINCT FROM NEW.department_id THEN
            RAISE EXCEPTION 'this post is held already in this period'
                USING ERRCODE = 'unique_violation', TABLE = 'posts', CONSTRAINT = 'posts_held_once';
        END IF;
        IF other.role <> NEW.role AND 'resident' NOT IN (other.role, NEW.role)
            AND (other.role IN ('auditor', 'administrator') OR NEW.role IN ('auditor', 'administrator')) THEN
            RAISE EXCEPTION 'auditors and administrators hold no other office'
                USING ERRCODE = 'check_violation', TABLE = 'posts', CONSTRAINT = 'posts_kept_apart';
        END IF;
    END LOOP;
    RETURN NEW;
END $$
"""
GUARD_SIGN_INS = """
CREATE FUNCTION guard_sign_ins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND OLD.at < app_now() - interval '183 days' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the log of sign-ins is append-only and kept six months'
        USING ERRCODE = 'restrict_violation';
END $$
"""


def upgrade() -> None:
    _people()
    _posts()
    _access()
    _logs()


def _people() -> None:
    op.create_table(
        "households",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("code", sa.String(32), nullable=False, unique=True),
        sa.Column("grid_code", sa.Text, sa.ForeignKey("grids.code"), nullable=False, index=True),
        sa.Column("head_name", sa.String(60), nullable=False),
        sa.Column("address", sa.String(200), nullable=False),
        sa.CheckConstraint("length(grid_code) = 15", name="in_a_micro_grid"),
    )
    op.create_table(
        "departments",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("code", sa.String(32), nullable=False, unique=True),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("name_en", sa.String(120), nullable=False),
        sa.Column("grid_code", sa.Text, sa.ForeignKey("grids.code"), nullable=False, index=True),
        sa.Column("closed_at", TZ),
        sa.CheckConstraint("length(grid_code) IN (6, 9)", name="of_a_city_or_township"),
    )
    op.create_table(
        "persons",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("phone", sa.String(11), nullable=False, unique=True),
        sa.Column("password_hash", sa.String(200)),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("elder_view", sa.Boolean, nullable=False),
        sa.Column("household_id", sa.Uuid, sa.ForeignKey("households.id"), index=True),
        sa.Column("disabled_at", TZ),
        sa.Column("created_at", TZ, nullable=False, server_default=NOW),
        sa.CheckConstraint("phone ~ '^1[0-9]{10}$'", name="phone_11_digits"),
        sa.CheckConstraint("language IN ('zh', 'en')", name="language_known"),
    )
    op.execute(
        "CREATE TRIGGER persons_are_kept BEFORE DELETE ON persons "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )


def _posts() -> None:
    op.create_table(
        "posts",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("person_id", sa.Uuid, sa.ForeignKey("persons.id"), nullable=False, index=True),
        sa.Column("role", sa.String(15), nullable=False),
        sa.Column("grid_code", sa.Text, sa.ForeignKey("grids.code")),
        sa.Column("department_id", sa.Uuid, sa.ForeignKey("departments.id"), index=True),
        sa.Column("lines", ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'")),
        sa.Column("title", sa.String(60)),
        sa.Column("starts_on", sa.Date, nullable=False),
        sa.Column("ends_on", sa.Date),
        sa.Column("ended_at", TZ),
        sa.CheckConstraint(f"role IN ({ROLES})", name="role_known"),
        sa.CheckConstraint(ROLE_FITS, name="role_fits_place"),
        sa.CheckConstraint(
            "lines <@ ARRAY['safety', 'public_order', 'epidemic', 'river', 'forest', 'road', 'farmland']",
            name="lines_known",
        ),
        # A post that is ended before its second day has no day at all; it stays, with when that was decided.
        sa.CheckConstraint(
            "ends_on >= starts_on OR (ended_at IS NOT NULL AND ends_on = starts_on - 1)",
            name="period_in_order",
        ),
    )
    op.create_index(
        "ix_posts_grid_code", "posts", ["grid_code"], postgresql_ops={"grid_code": "text_pattern_ops"}
    )
    op.create_index(
        "uq_posts_open_ended", "posts", ["person_id", "role", "grid_code", "department_id"], unique=True,
        postgresql_nulls_not_distinct=True, postgresql_where=sa.text("ends_on IS NULL"),
    )  # fmt: skip
    op.execute(GUARD_POSTS)
    op.execute(
        "CREATE TRIGGER guard_posts BEFORE INSERT OR UPDATE ON posts "
        "FOR EACH ROW EXECUTE FUNCTION guard_posts()"
    )


def _access() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("token_hash", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("person_id", sa.Uuid, sa.ForeignKey("persons.id"), nullable=False, index=True),
        sa.Column("created_at", TZ, nullable=False),
        sa.Column("last_seen_at", TZ, nullable=False),
        sa.Column("idle_s", sa.Integer, nullable=False),
        sa.Column("expires_at", TZ, nullable=False, index=True),
        sa.Column("ip", sa.String(45), nullable=False),
        sa.Column("agent", sa.String(300), nullable=False),
        sa.CheckConstraint("idle_s > 0 AND expires_at > created_at", name="lasts"),
    )
    op.create_table(
        "sign_in_guards",
        sa.Column("phone", sa.String(11), primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("failed_at", TZ),
        sa.Column("locked_until", TZ),
    )
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("person_id", sa.Uuid, sa.ForeignKey("persons.id"), nullable=False, index=True),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("token_hash", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("hint", sa.String(8), nullable=False),
        sa.Column("scopes", ARRAY(sa.Text), nullable=False),
        sa.Column("created_at", TZ, nullable=False),
        sa.Column("expires_at", TZ, nullable=False),
        sa.Column("last_used_at", TZ),
        sa.Column("revoked_at", TZ),
        sa.CheckConstraint(
            "scopes <@ ARRAY['read', 'report', 'act'] AND cardinality(scopes) > 0", name="scopes_known"
        ),
        sa.CheckConstraint(
            "expires_at > created_at AND expires_at <= created_at + interval '366 days'", name="expires"
        ),
    )


def _logs() -> None:
    op.create_table(
        "sign_ins",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("at", TZ, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("phone", sa.String(11), nullable=False),
        sa.Column("person_id", sa.Uuid, sa.ForeignKey("persons.id")),
        sa.Column("ip", sa.String(45), nullable=False),
        sa.Column("agent", sa.String(300), nullable=False),
        sa.CheckConstraint(
            "kind IN ('success', 'failure', 'locked', 'sign_out', 'session_ended', 'password_changed')",
            name="kind_known",
        ),
    )
    op.create_index("ix_sign_ins_phone", "sign_ins", ["phone", "id"])
    op.create_index("ix_sign_ins_person_id", "sign_ins", ["person_id", "id"])
    op.create_index("ix_sign_ins_at", "sign_ins", ["at"])
    op.execute(GUARD_SIGN_INS)
    op.execute(
        "CREATE TRIGGER guard_sign_ins BEFORE UPDATE OR DELETE ON sign_ins "
        "FOR EACH ROW EXECUTE FUNCTION guard_sign_ins()"
    )
    op.create_table(
        "admin_log",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("at", TZ, nullable=False),
        sa.Column("actor_id", sa.Uuid, sa.ForeignKey("persons.id")),
        sa.Column("act", sa.String(40), nullable=False),
        sa.Column("person_id", sa.Uuid, sa.ForeignKey("persons.id")),
        sa.Column("detail", JSONB, nullable=False),
    )
    op.create_index("ix_admin_log_person_id", "admin_log", ["person_id", "id"])
    op.execute(
        "CREATE TRIGGER admin_log_is_append_only BEFORE UPDATE OR DELETE ON admin_log "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    for table in ("admin_log", "sign_ins", "api_tokens", "sign_in_guards", "sessions", "posts", "persons",
                  "departments", "households"):  # fmt: skip
        op.drop_table(table)
    op.execute("DROP FUNCTION guard_posts()")
    op.execute("DROP FUNCTION guard_sign_ins()")
