"""Mediation files: parties, mediators, sittings, papers, signatures, follow-ups; which categories are disputes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

TZ = sa.DateTime(timezone=True)
CHILDREN = ("parties", "mediators", "attempts", "papers", "signatures", "follow_ups")
DISPUTES = "('0101', '0102', '0103', '0104')"
GUARD_FILE = """
CREATE FUNCTION guard_mediation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'mediation files are kept' USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.state IN ('concluded', 'failed', 'ended') AND (to_jsonb(NEW) - 'generation') <> (to_jsonb(OLD) - 'generation') THEN
        RAISE EXCEPTION 'a mediation file that is over does not change' USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.state = 'signing' AND NEW.state <> 'drafting'
       AND (NEW.facts, NEW.agreement, NEW.performance, NEW.version)
           IS DISTINCT FROM (OLD.facts, OLD.agreement, OLD.performance, OLD.version) THEN
        RAISE EXCEPTION 'the text is frozen while people sign it' USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.state = 'signing' AND NEW.state = 'drafting' AND NEW.version <> OLD.version + 1 THEN
        RAISE EXCEPTION 'a text that was laid before people to sign is followed by a new version' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.state = 'concluded' AND OLD.state <> 'concluded' AND (
        OLD.state <> 'signing'
        OR EXISTS (SELECT 1 FROM mediation_parties p WHERE p.mediation_id = NEW.id AND NOT EXISTS (
            SELECT 1 FROM mediation_signatures s WHERE s.party_id = p.id AND s.version = NEW.version AND s.mark = 'signed'))
        OR EXISTS (SELECT 1 FROM mediation_mediators m WHERE m.mediation_id = NEW.id AND NOT EXISTS (
            SELECT 1 FROM mediation_signatures s WHERE s.mediator_id = m.id AND s.version = NEW.version AND s.mark = 'signed'))
    ) THEN
        RAISE EXCEPTION 'it is concluded when all have signed' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""
# The row of the file is locked by whoever changes what belongs to it, so its state stands still meanwhile.
GUARD_PART = """
CREATE FUNCTION guard_mediation_part() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    stands text;
    at_version integer;
    of_file uuid := CASE WHEN TG_OP = 'DELETE' THEN OLD.mediation_id ELSE NEW.mediation_id END;
BEGIN
    SELECT state, version INTO stands, at_version FROM mediations WHERE id = of_file;
    -- A row has only its own table's fields: what is not its branch must not be looked at.
    IF TG_TABLE_NAME IN ('mediation_parties', 'mediation_mediators') THEN
        IF stands <> 'drafting' THEN
            RAISE EXCEPTION 'who is in the file is settled before anybody signs' USING ERRCODE = 'check_violation';
        END IF;
    ELSIF TG_TABLE_NAME = 'mediation_attempts' THEN
        IF TG_OP <> 'INSERT' OR stands NOT IN ('drafting', 'signing') THEN
            RAISE EXCEPTION 'a sitting is written once, while the file is open' USING ERRCODE = 'check_violation';
        END IF;
    ELSIF TG_TABLE_NAME = 'mediation_signatures' THEN
        IF TG_OP <> 'INSERT' OR stands <> 'signing' OR NEW.version <> at_version THEN
            RAISE EXCEPTION 'a signature is set once, under the text that is laid out' USING ERRCODE = 'check_violation';
        END IF;
    ELSIF TG_TABLE_NAME = 'mediation_papers' THEN
        IF TG_OP = 'DELETE' THEN
            RAISE EXCEPTION 'a text that was laid out is kept' USING ERRCODE = 'check_violation';
        ELSIF TG_OP = 'UPDATE' THEN
            IF OLD.voided_at IS NOT NULL OR stands <> 'signing'
               OR (NEW.words, NEW.hash, NEW.at, NEW.version) IS DISTINCT FROM (OLD.words, OLD.hash, OLD.at, OLD.version) THEN
                RAISE EXCEPTION 'a text that was laid out is kept' USING ERRCODE = 'check_violation';
            END IF;
        END IF;
    ELSIF TG_TABLE_NAME = 'mediation_follow_ups' THEN
        IF stands IN ('failed', 'ended') OR (TG_OP = 'DELETE' AND stands = 'concluded') THEN
            RAISE EXCEPTION 'what was found at a follow-up stays' USING ERRCODE = 'check_violation';
        ELSIF TG_OP <> 'INSERT' THEN
            IF OLD.done_at IS NOT NULL THEN
                RAISE EXCEPTION 'what was found at a follow-up stays' USING ERRCODE = 'check_violation';
            END IF;
        END IF;
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$
"""


def upgrade() -> None:
    op.add_column("categories", sa.Column("mediation", sa.Boolean, nullable=False, server_default=sa.false()))
    op.execute(f"UPDATE categories SET mediation = true WHERE code IN {DISPUTES}")  # noqa: S608 – a constant.
    _file()
    _people()
    _papers()
    _follow_ups()
    op.execute(GUARD_FILE)
    op.execute(
        "CREATE TRIGGER guard BEFORE UPDATE OR DELETE ON mediations FOR EACH ROW EXECUTE FUNCTION guard_mediation()"
    )
    op.execute(GUARD_PART)
    for name in CHILDREN:
        op.execute(
            f"CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE ON mediation_{name}"
            " FOR EACH ROW EXECUTE FUNCTION guard_mediation_part()"
        )


def _file() -> None:
    op.create_table(
        "mediations",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("issue_id", sa.Uuid, sa.ForeignKey("issues.id"), nullable=False),
        sa.Column("number", sa.String(40), nullable=False, unique=True),
        sa.Column("state", sa.String(9), nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("agreement", sa.Text, nullable=False),
        sa.Column("performance", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("opened_by", sa.Uuid, sa.ForeignKey("persons.id"), nullable=False),
        sa.Column("opened_at", TZ, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("ended_at", TZ),
        sa.CheckConstraint(
            "state IN ('drafting', 'signing', 'concluded', 'failed', 'ended')", name="state_known"
        ),
        sa.CheckConstraint(
            "(state IN ('concluded', 'failed', 'ended')) = (ended_at IS NOT NULL)", name="over_has_time"
        ),
        sa.CheckConstraint(
            "state NOT IN ('signing', 'concluded') OR (btrim(agreement) <> '' AND btrim(facts) <> '')",
            name="signed_has_words",
        ),
        sa.CheckConstraint(
            "state NOT IN ('failed', 'ended') OR btrim(reason) <> ''", name="given_up_has_reason"
        ),
        sa.CheckConstraint("version >= 1 AND generation >= 0", name="counts_not_negative"),
    )
    live = sa.text("state IN ('drafting', 'signing', 'concluded')")
    op.create_index("uq_mediations_live", "mediations", ["issue_id"], unique=True, postgresql_where=live)
    op.create_index("ix_mediations_issue_id", "mediations", ["issue_id"])


def _people() -> None:
    op.create_table(
        "mediation_parties",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("mediation_id", sa.Uuid, sa.ForeignKey("mediations.id"), nullable=False),
        sa.Column("n", sa.Integer, nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("side", sa.String(10), nullable=False),
        sa.Column("phone", sa.String(20)),
        sa.Column("group_name", sa.String(80)),
        sa.Column("person_id", sa.Uuid, sa.ForeignKey("persons.id")),
        sa.UniqueConstraint("mediation_id", "n", name="uq_mediation_parties_n"),
        sa.CheckConstraint("side IN ('applicant', 'respondent', 'other')", name="side_known"),
        sa.CheckConstraint("btrim(name) <> ''", name="has_name"),
        sa.CheckConstraint("phone ~ '^[0-9+ -]{5,20}$'", name="phone_format"),
    )
    known = sa.text("person_id IS NOT NULL")
    op.create_index(
        "ix_mediation_parties_person_id", "mediation_parties", ["person_id"], postgresql_where=known
    )
    op.create_table(
        "mediation_mediators",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("mediation_id", sa.Uuid, sa.ForeignKey("mediations.id"), nullable=False),
        sa.Column("n", sa.Integer, nullable=False),
        sa.Column("person_id", sa.Uuid, sa.ForeignKey("persons.id"), nullable=False),
        sa.UniqueConstraint("mediation_id", "person_id", name="uq_mediation_mediators_once"),
    )
    op.create_index("ix_mediation_mediators_person_id", "mediation_mediators", ["person_id"])
    op.create_table(
        "mediation_attempts",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("mediation_id", sa.Uuid, sa.ForeignKey("mediations.id"), nullable=False),
        sa.Column("held_on", sa.Date, nullable=False),
        sa.Column("place", sa.String(120), nullable=False),
        sa.Column("outcome", sa.String(10), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("recorded_by", sa.Uuid, sa.ForeignKey("persons.id"), nullable=False),
        sa.Column("at", TZ, nullable=False),
        sa.CheckConstraint("outcome IN ('agreed', 'not_agreed', 'adjourned')", name="outcome_known"),
    )
    op.create_index("ix_mediation_attempts_mediation_id", "mediation_attempts", ["mediation_id"])


def _papers() -> None:
    op.create_table(
        "mediation_papers",
        sa.Column("mediation_id", sa.Uuid, sa.ForeignKey("mediations.id"), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("words", JSONB, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("at", TZ, nullable=False),
        sa.Column("voided_at", TZ),
        sa.Column("voided_by", sa.Uuid, sa.ForeignKey("persons.id")),
        sa.Column("why", sa.Text),
        sa.CheckConstraint("num_nulls(voided_at, voided_by, why) IN (0, 3)", name="voided_whole"),
        sa.CheckConstraint("length(hash) = 32", name="hash_is_sha256"),
    )
    op.create_table(
        "mediation_signatures",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("mediation_id", sa.Uuid, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("party_id", sa.Uuid),
        sa.Column("mediator_id", sa.Uuid),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("mark", sa.String(7), nullable=False),
        sa.Column("image", sa.LargeBinary),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("recorded_by", sa.Uuid, sa.ForeignKey("persons.id"), nullable=False),
        sa.Column("at", TZ, nullable=False),
        sa.ForeignKeyConstraint(
            ["mediation_id", "version"],
            ["mediation_papers.mediation_id", "mediation_papers.version"],
            name="fk_signatures_paper",
        ),
        sa.CheckConstraint("mark IN ('signed', 'refused')", name="mark_known"),
        sa.CheckConstraint("num_nonnulls(party_id, mediator_id) = 1", name="one_signer"),
        sa.CheckConstraint("(mark = 'signed') = (image IS NOT NULL)", name="signed_has_image"),
        sa.CheckConstraint("mark = 'signed' OR btrim(note) <> ''", name="refusal_has_reason"),
    )
    op.create_index("ix_mediation_signatures_mediation_id", "mediation_signatures", ["mediation_id"])
    for who in ("party", "mediator"):
        some = sa.text(f"{who}_id IS NOT NULL")
        op.create_index(
            f"uq_signatures_{who}",
            "mediation_signatures",
            [f"{who}_id", "version"],
            unique=True,
            postgresql_where=some,
        )


def _follow_ups() -> None:
    op.create_table(
        "mediation_follow_ups",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("mediation_id", sa.Uuid, sa.ForeignKey("mediations.id"), nullable=False),
        sa.Column("due_on", sa.Date, nullable=False),
        sa.Column("found", sa.Text),
        sa.Column("kept", sa.Boolean),
        sa.Column("done_by", sa.Uuid, sa.ForeignKey("persons.id")),
        sa.Column("done_at", TZ),
        sa.CheckConstraint("num_nulls(found, done_at, done_by) IN (0, 3)", name="done_whole"),
        sa.UniqueConstraint("mediation_id", "due_on", name="uq_mediation_follow_ups_day"),
    )


def downgrade() -> None:
    for name in reversed(CHILDREN):
        op.drop_table(f"mediation_{name}")
    op.drop_table("mediations")
    op.execute("DROP FUNCTION guard_mediation()")
    op.execute("DROP FUNCTION guard_mediation_part()")
    op.drop_column("categories", "mediation")
