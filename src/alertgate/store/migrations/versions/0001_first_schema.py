"""The first schema: alerts, incidents, notifications, attempts, pulse."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

RESOLVED = sa.text("status = 'resolved'")
UNRESOLVED = sa.text("status <> 'resolved'")
PENDING = sa.text("status = 'pending'")
SENT = sa.text("status = 'sent'")
SENDING = sa.text("status = 'sending'")


def upgrade() -> None:
    op.create_table(
        "incidents",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("device", sa.Text),
        sa.Column("severity", sa.SmallInteger, nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("last_alert_at", sa.BigInteger, nullable=False),
        sa.Column("alert_count", sa.Integer, nullable=False),
        sa.Column("acknowledged_at", sa.BigInteger),
        sa.Column("acknowledged_by", sa.Text),
        sa.Column("resolved_at", sa.BigInteger),
        sa.Column("resolved_by", sa.Text),
    )
    op.create_index(
        "incidents_unresolved", "incidents", ["key"], unique=True, sqlite_where=UNRESOLVED, postgresql_where=UNRESOLVED
    )
    op.create_index("incidents_ended", "incidents", ["last_alert_at"], sqlite_where=RESOLVED, postgresql_where=RESOLVED)
    op.create_index(
        "incidents_quiet", "incidents", ["last_alert_at"], sqlite_where=UNRESOLVED, postgresql_where=UNRESOLVED
    )
    op.create_index("incidents_status", "incidents", ["status", "id"])
    op.create_table(
        "alerts",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("signal", sa.String(16), nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("severity", sa.SmallInteger, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("device", sa.Text),
        sa.Column("message", sa.Text),
        sa.Column("data", sa.Text),
        sa.Column("fields", sa.Text, nullable=False),
        sa.Column("published_at", sa.BigInteger),
        sa.Column("dedup", sa.Text),
        sa.Column("errors", sa.Text, nullable=False),
        sa.Column("raw", sa.LargeBinary),
        sa.Column("request_id", sa.Text),
        sa.Column("incident_id", sa.String(36), sa.ForeignKey("incidents.id")),
        sa.Column("grouping", sa.Text),
    )
    op.create_index("ix_alerts_received_at", "alerts", ["received_at"])
    op.create_index("alerts_dedup", "alerts", ["dedup"], unique=True)
    op.create_index("alerts_incident", "alerts", ["incident_id", "id"])
    op.create_index("alerts_device", "alerts", ["device", "id"])
    op.create_index("alerts_event", "alerts", ["event", "id"])
    op.create_table(
        "notifications",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("incident_id", sa.String(36), sa.ForeignKey("incidents.id"), nullable=False),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("severity", sa.SmallInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("retry_since", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("lease_owner", sa.Text),
        sa.Column("lease_until", sa.BigInteger),
        sa.Column("claimed_at", sa.BigInteger),
        sa.Column("finished_at", sa.BigInteger),
    )
    op.create_index("ix_notifications_incident_id", "notifications", ["incident_id"])
    op.create_index(
        "notifications_one_pending",
        "notifications",
        ["incident_id", "channel", "address"],
        unique=True,
        sqlite_where=PENDING,
        postgresql_where=PENDING,
    )
    op.create_index(
        "notifications_due",
        "notifications",
        ["channel", sa.text("severity DESC"), "due_at"],
        sqlite_where=PENDING,
        postgresql_where=PENDING,
    )
    op.create_index("notifications_sent", "notifications", ["finished_at"], sqlite_where=SENT, postgresql_where=SENT)
    op.create_index(
        "notifications_leased", "notifications", ["lease_until"], sqlite_where=SENDING, postgresql_where=SENDING
    )
    op.create_table(
        "attempts",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("notification_id", sa.String(36), sa.ForeignKey("notifications.id"), nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("reply", sa.Text, nullable=False),
        sa.Column("queue_id", sa.Text),
    )
    op.create_index("ix_attempts_notification_id", "attempts", ["notification_id"])
    op.create_table(
        "pulse",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    for table in ("pulse", "attempts", "notifications", "alerts", "incidents"):
        op.drop_table(table)
