"""Store which digest carries a notification, and until when the daily limit held it back."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

CLAIMED = sa.text("claimed_at IS NOT NULL")


def upgrade() -> None:
    op.add_column("notifications", sa.Column("digest_id", sa.String(36)))
    op.add_column("notifications", sa.Column("held_until", sa.BigInteger))
    op.create_index(
        "notifications_claimed",
        "notifications",
        ["channel", "address", "claimed_at"],
        sqlite_where=CLAIMED,
        postgresql_where=CLAIMED,
    )


def downgrade() -> None:
    op.drop_index("notifications_claimed", "notifications")
    op.drop_column("notifications", "held_until")
    op.drop_column("notifications", "digest_id")
