"""Store what the console needs: sessions, counts of changes and of hours, and indexes for what its pages show."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

IS_OFFLINE = sa.text("offline_at IS NOT NULL")
IS_LOW = sa.text("(battery_low OR battery < 20)")
IS_UNRESOLVED = sa.text("status <> 'resolved'")
QUARANTINED = sa.text("status = 'quarantined'")


def upgrade() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("person", sa.Text),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("credential", sa.String(16), nullable=False),
        sa.Column("token_mark", sa.String(32)),
        sa.Column("zone", sa.Text),
        sa.Column("agent", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("ends_at", sa.BigInteger, nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
    )
    op.create_index("sessions_hash", "sessions", ["hash"], unique=True)
    op.create_index("sessions_ends_at", "sessions", ["ends_at"])
    op.create_table(
        "sign_ins",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("ends_at", sa.BigInteger, nullable=False),
    )
    op.create_index("sign_ins_hash", "sign_ins", ["hash"], unique=True)
    op.create_index("sign_ins_ends_at", "sign_ins", ["ends_at"])
    op.create_table(
        "changes",
        sa.Column("topic", sa.String(16), primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "hourly",
        sa.Column("id", sa.String(13), primary_key=True),
        sa.Column("counts", sa.Text, nullable=False),
        sa.Column("counted_at", sa.BigInteger, nullable=False),
    )
    op.create_index("devices_state", "devices", ["state", "id"])
    op.create_index("devices_offline", "devices", ["id"], sqlite_where=IS_OFFLINE, postgresql_where=IS_OFFLINE)
    op.create_index("devices_low", "devices", ["id"], sqlite_where=IS_LOW, postgresql_where=IS_LOW)
    op.create_index(
        "incidents_unresolved_device",
        "incidents",
        ["device", "id"],
        sqlite_where=IS_UNRESOLVED,
        postgresql_where=IS_UNRESOLVED,
    )

    # What a console counts by hour and severity, and shows first.
    op.drop_index("ix_alerts_received_at", "alerts")
    op.create_index("alerts_received_at", "alerts", ["received_at", "severity"])
    op.create_index(
        "incidents_worst",
        "incidents",
        [sa.text("severity DESC"), sa.text("status DESC"), "id"],
        sqlite_where=IS_UNRESOLVED,
        postgresql_where=IS_UNRESOLVED,
    )
    op.create_index("alerts_quarantined", "alerts", ["id"], sqlite_where=QUARANTINED, postgresql_where=QUARANTINED)
    # The newest notifications of an incident that has thousands.
    op.create_index("notifications_incident", "notifications", ["incident_id", "id"])
    op.drop_index("ix_notifications_incident_id", "notifications")


def downgrade() -> None:
    op.drop_index("incidents_unresolved_device", "incidents")
    for index in ("devices_low", "devices_offline", "devices_state"):
        op.drop_index(index, "devices")
    op.create_index("ix_notifications_incident_id", "notifications", ["incident_id"])
    op.drop_index("notifications_incident", "notifications")
    op.drop_index("alerts_quarantined", "alerts")
    op.drop_index("incidents_worst", "incidents")
    op.drop_index("alerts_received_at", "alerts")
    op.create_index("ix_alerts_received_at", "alerts", ["received_at"])
    for table in ("hourly", "changes", "sign_ins", "sessions"):
        op.drop_table(table)
