"""Store what services say of messages afterwards. What was sent before is asked about no more."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

COLUMNS = (
    ("receipt", sa.Text()),
    ("proof", sa.String(16)),
    ("proved_at", sa.BigInteger()),
    ("proved_by", sa.Text()),
    ("shown", sa.String(16)),
    ("follow_at", sa.BigInteger()),
    ("follow_owner", sa.Text()),
)
IS_FOLLOWED = sa.text("follow_at IS NOT NULL")
HAS_RECEIPT = sa.text("receipt IS NOT NULL")


def upgrade() -> None:
    for name, kind in COLUMNS:
        op.add_column("notifications", sa.Column(name, kind))
    op.create_index(
        "notifications_followed", "notifications", ["follow_at"], sqlite_where=IS_FOLLOWED, postgresql_where=IS_FOLLOWED
    )
    op.create_index(
        "notifications_receipt",
        "notifications",
        ["channel", "receipt"],
        sqlite_where=HAS_RECEIPT,
        postgresql_where=HAS_RECEIPT,
    )


def downgrade() -> None:
    op.drop_index("notifications_receipt", "notifications")
    op.drop_index("notifications_followed", "notifications")
    for name, _ in reversed(COLUMNS):
        op.drop_column("notifications", name)
