"""Photos."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TZ = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "photos",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("owner_id", sa.Uuid, sa.ForeignKey("persons.id"), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("phash", sa.BigInteger),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("bytes", sa.Integer, nullable=False),
        sa.Column("content_type", sa.String(40), nullable=False),
        sa.Column("key", sa.String(200), nullable=False, unique=True),
        sa.Column("thumb_key", sa.String(200), nullable=False, unique=True),
        sa.Column("lat", sa.Float),
        sa.Column("lon", sa.Float),
        sa.Column("taken_at", TZ),
        sa.Column("created_at", TZ, nullable=False, server_default=sa.text("app_now()")),
        sa.CheckConstraint("width > 0 AND height > 0", name="has_size"),
        sa.CheckConstraint("bytes > 0", name="has_bytes"),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256_in_hex"),
        sa.CheckConstraint(
            "(lat IS NULL) = (lon IS NULL)"
            " AND (lat IS NULL OR (lat BETWEEN -90 AND 90 AND lon BETWEEN -180 AND 180))",
            name="placed",
        ),
    )
    for column in ("owner_id", "sha256", "phash"):
        op.create_index(f"ix_photos_{column}", "photos", [column])


def downgrade() -> None:
    op.drop_table("photos")
