"""Store who has handed an incident back, so that nobody has it any more."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("incidents", sa.Column("handed_back_at", sa.BigInteger))
    op.add_column("incidents", sa.Column("handed_back_by", sa.Text))
    op.add_column("incidents", sa.Column("handed_back_with", sa.String(16)))


def downgrade() -> None:
    for column in ("handed_back_with", "handed_back_by", "handed_back_at"):
        op.drop_column("incidents", column)
