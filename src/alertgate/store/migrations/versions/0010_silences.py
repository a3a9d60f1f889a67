"""Store silences. Before an older version is used again, what they hold is let go: it knows of no such hold."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "silences",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("event", sa.Text),
        sa.Column("device", sa.Text),
        sa.Column("source", sa.Text),
        sa.Column("min_severity", sa.SmallInteger),
        sa.Column("unless", sa.SmallInteger),
        sa.Column("begins_at", sa.BigInteger, nullable=False),
        sa.Column("ends_at", sa.BigInteger, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("credential", sa.String(16), nullable=False),
        sa.Column("note", sa.Text),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("removed_at", sa.BigInteger),
        sa.Column("removed_by", sa.Text),
        sa.Column("removed_with", sa.String(16)),
    )
    op.create_index("silences_ends_at", "silences", ["ends_at"])


def downgrade() -> None:
    op.execute("UPDATE notifications SET hold = NULL, due_at = created_at WHERE hold = 'silenced'")
    op.drop_table("silences")
