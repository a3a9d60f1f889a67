"""Store which process polls a service for answers."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "polls",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("owner", sa.Text()),
        sa.Column("until", sa.BigInteger()),
        sa.Column("position", sa.Text()),
    )


def downgrade() -> None:
    op.drop_table("polls")
