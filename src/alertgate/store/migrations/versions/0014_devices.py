"""Store devices, what they say of themselves, and when nobody watched."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

IS_DUE = sa.text("due_at IS NOT NULL")
IS_OVERDUE = sa.text("state IN ('late', 'silent')")
IS_WATCHED = sa.text("watched_since IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "devices",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("first_seen_at", sa.BigInteger),
        sa.Column("last_seen_at", sa.BigInteger),
        sa.Column("last_published_at", sa.BigInteger),
        sa.Column("last_event", sa.Text),
        sa.Column("events", sa.BigInteger, nullable=False),
        sa.Column("offline_at", sa.BigInteger),
        sa.Column("name", sa.Text),
        sa.Column("product", sa.Text),
        sa.Column("firmware", sa.Text),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("state_at", sa.BigInteger),
        sa.Column("watched_since", sa.BigInteger),
        sa.Column("due_at", sa.BigInteger),
        sa.Column("silent_since", sa.BigInteger),
        sa.Column("told_at", sa.BigInteger),
        sa.Column("flapping", sa.Boolean, nullable=False),
        sa.Column("resetting", sa.Boolean, nullable=False),
        sa.Column("battery", sa.Float),
        sa.Column("battery_at", sa.BigInteger),
        sa.Column("battery_low", sa.Boolean, nullable=False),
        sa.Column("strength", sa.Float),
        sa.Column("quality", sa.Float),
        sa.Column("vitals_at", sa.BigInteger),
        sa.Column("outages", sa.Text),
        sa.Column("resets", sa.Text),
        sa.Column("gaps", sa.Text),
        sa.Column("vitals", sa.Text),
    )
    op.create_index("devices_due", "devices", ["due_at"], sqlite_where=IS_DUE, postgresql_where=IS_DUE)
    op.create_index("devices_overdue", "devices", ["state"], sqlite_where=IS_OVERDUE, postgresql_where=IS_OVERDUE)
    op.create_index(
        "devices_watched", "devices", ["last_seen_at"], sqlite_where=IS_WATCHED, postgresql_where=IS_WATCHED
    )
    op.create_index("devices_seen", "devices", ["last_seen_at"])
    op.create_table(
        "vitals",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("battery", sa.Float),
        sa.Column("strength", sa.Float),
        sa.Column("quality", sa.Float),
        sa.Column("uptime", sa.Float),
        sa.Column("memory", sa.Float),
    )
    op.create_index("vitals_of_device", "vitals", ["device", "at"])
    op.create_index("vitals_at", "vitals", ["at"])
    op.create_table(
        "downtimes",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("began_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "watch",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("owner", sa.Text),
        sa.Column("lease_until", sa.BigInteger),
        sa.Column("ran_at", sa.BigInteger),
        sa.Column("wide", sa.Text),
    )


def downgrade() -> None:
    for table in ("watch", "downtimes", "vitals", "devices"):
        op.drop_table(table)
