"""Store by which link a message's notification is found. What was sent before has none."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

HAS_LINK = sa.text("link_hash IS NOT NULL")


def upgrade() -> None:
    op.add_column("notifications", sa.Column("link_hash", sa.String(64)))
    op.create_index(
        "notifications_link", "notifications", ["link_hash"], sqlite_where=HAS_LINK, postgresql_where=HAS_LINK
    )


def downgrade() -> None:
    op.drop_index("notifications_link", "notifications")
    op.drop_column("notifications", "link_hash")
