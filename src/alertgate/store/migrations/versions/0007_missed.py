"""Store since when a channel's outage has kept a notification from its contact."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

MISSED = sa.text("missed_since IS NOT NULL")


def upgrade() -> None:
    op.add_column("notifications", sa.Column("missed_since", sa.BigInteger))
    op.create_index(
        "notifications_missed",
        "notifications",
        ["channel", "status"],
        sqlite_where=MISSED,
        postgresql_where=MISSED,
    )


def downgrade() -> None:
    op.drop_index("notifications_missed", "notifications")
    op.drop_column("notifications", "missed_since")
