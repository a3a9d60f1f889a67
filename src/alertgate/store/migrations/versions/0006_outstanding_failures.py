"""Store who dismissed a failed notification, and which later one makes it needless."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

OUTSTANDING = sa.text(
    "(status = 'failed' OR status = 'sending' AND finished_at IS NOT NULL)"
    " AND dismissed_at IS NULL AND superseded_by IS NULL"
)
SUPERSEDE = sa.text(
    "UPDATE notifications SET superseded_by = (SELECT max(later.id) FROM notifications AS later"
    " WHERE later.incident_id = notifications.incident_id AND later.channel = notifications.channel"
    " AND later.address = notifications.address AND later.id <> notifications.id"
    " AND (later.status = 'sent' AND later.finished_at >= notifications.finished_at"
    " OR later.status IN ('sent', 'failed') AND later.id > notifications.id)) WHERE status = 'failed'"
)
"""What failed stays outstanding unless its contact was told of the same incident later, or that failed too."""


def upgrade() -> None:
    op.add_column("notifications", sa.Column("dismissed_at", sa.BigInteger))
    op.add_column("notifications", sa.Column("dismissed_by", sa.Text))
    op.add_column("notifications", sa.Column("superseded_by", sa.String(36)))
    op.execute(SUPERSEDE)
    op.create_index(
        "notifications_outstanding",
        "notifications",
        ["channel", "id"],
        sqlite_where=OUTSTANDING,
        postgresql_where=OUTSTANDING,
    )


def downgrade() -> None:
    op.drop_index("notifications_outstanding", "notifications")
    op.drop_column("notifications", "superseded_by")
    op.drop_column("notifications", "dismissed_by")
    op.drop_column("notifications", "dismissed_at")
