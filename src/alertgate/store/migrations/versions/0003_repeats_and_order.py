"""Repeats by content and time, the order of alerts and all-clears, and generic keys that name their source."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

WITHOUT_INCIDENT = sa.text("incident_id IS NULL")
PREFIX = "key:"
"""Keys of generic alerts with a `dedup_key`."""
NEW_COLUMNS = (
    ("alerts", "id_kind", sa.String(16)),
    ("alerts", "content", sa.String(32)),
    ("incidents", "began_at", sa.BigInteger()),
    ("incidents", "last_firing_at", sa.BigInteger()),
    ("incidents", "last_alert_id", sa.String(36)),
    ("incidents", "changed_at", sa.BigInteger()),
    ("incidents", "acknowledged_changes", sa.Integer()),
    ("incidents", "ended_at", sa.BigInteger()),
    ("notifications", "told", sa.String(16)),
)

incidents = sa.table("incidents", sa.column("id", sa.Text), sa.column("key", sa.Text), sa.column("device", sa.Text))


def upgrade() -> None:
    for table, name, type_ in NEW_COLUMNS:
        op.add_column(table, sa.Column(name, type_))
    op.add_column("incidents", sa.Column("changes", sa.Integer, nullable=False, server_default="1"))
    op.drop_index("alerts_repeat_key", "alerts")
    op.create_index("alerts_repeat_key", "alerts", ["repeat_key", "id"])
    op.create_index(
        "alerts_without_incident",
        "alerts",
        ["incident_key", "id"],
        sqlite_where=WITHOUT_INCIDENT,
        postgresql_where=WITHOUT_INCIDENT,
    )
    op.create_index("incidents_key", "incidents", ["key", "id"])
    op.create_index("incidents_device", "incidents", ["device", "id"])
    _name_sources()


def downgrade() -> None:
    op.drop_index("incidents_device", "incidents")
    op.drop_index("incidents_key", "incidents")
    op.drop_index("alerts_without_incident", "alerts")
    op.drop_index("alerts_repeat_key", "alerts")
    # Several alerts may have one key by now, which the older version takes for one and the same.
    op.execute(sa.text("UPDATE alerts SET repeat_key = NULL"))
    op.create_index("alerts_repeat_key", "alerts", ["repeat_key"], unique=True)
    op.drop_column("incidents", "changes")
    for table, name, _ in NEW_COLUMNS:
        op.drop_column(table, name)


def _name_sources() -> None:
    """Let the next alerts with a `dedup_key` find their incidents: since this version their keys name the source."""
    connection = op.get_bind()
    for row in connection.execute(sa.select(incidents).where(incidents.c.key.like(f"{PREFIX}%"))).all():
        parts = json.loads(row.key.removeprefix(PREFIX))
        if len(parts) == 1:  # others were named before a downgrade
            key = f"{PREFIX}{json.dumps([row.device or 'generic', *parts], separators=(',', ':'))}"
            connection.execute(incidents.update().where(incidents.c.id == row.id).values(key=key))
