"""Store by what an alert was let in, and with what a person acted. Of what was done before, it isn't known."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

COLUMNS = (
    ("alerts", "credential"),
    ("incidents", "acknowledged_with"),
    ("incidents", "resolved_with"),
    ("notifications", "dismissed_with"),
    ("notifications", "retried_with"),
)


def upgrade() -> None:
    for table, column in COLUMNS:
        op.add_column(table, sa.Column(column, sa.String(16)))


def downgrade() -> None:
    for table, column in reversed(COLUMNS):
        op.drop_column(table, column)
