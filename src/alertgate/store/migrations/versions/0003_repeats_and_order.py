"""Repeats by content and time, the order of alerts and all-clears, and generic keys that name their source."""

import hashlib
import json
import re

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

WITHOUT_INCIDENT = sa.text("incident_id IS NULL")
PREFIX = "key:"
"""Keys of generic alerts with a `dedup_key`."""
NO_SOURCE = "generic"
LONGEST_SOURCE = 128
"""Characters of a source in a key, and of the shortened one in `device`."""
ESCAPED = re.compile(r"\x1a([0-9a-f]{4})")
"""A character that databases don't store, as the store writes it."""
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

incidents = sa.table(
    "incidents",
    sa.column("id", sa.Text),
    sa.column("key", sa.Text),
    sa.column("status", sa.Text),
    sa.column("device", sa.Text),
)
alerts = sa.table("alerts", sa.column("id", sa.Text), sa.column("incident_id", sa.Text), sa.column("fields", sa.Text))


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
    """Let the next alerts with a `dedup_key` find their incidents: since this version their keys name the source.

    Keys aren't changed to name a part of a device, which they do since this version too: an open incident may be about
    several parts, and the end of one of them isn't its end. It ends by a person, or in silence.
    """
    connection = op.get_bind()
    for row in connection.execute(sa.select(incidents).where(incidents.c.key.like(f"{PREFIX}%"))).all():
        parts = json.loads(row.key.removeprefix(PREFIX))
        if len(parts) > 1:  # named before a downgrade
            continue
        key = f"{PREFIX}{json.dumps([_source(connection, row.id, row.device), *parts], separators=(',', ':'))}"
        if row.status == "resolved" or not _is_open(connection, key):
            connection.execute(incidents.update().where(incidents.c.id == row.id).values(key=key))


def _source(connection: sa.Connection, incident_id: str, device: str | None) -> str:
    """Return an incident's source as keys have it: a long one with a digest of all of it."""
    if not device:
        return NO_SOURCE
    source = ESCAPED.sub(lambda escaped: chr(int(escaped[1], 16)), device)
    if len(source) == LONGEST_SOURCE:  # and so perhaps cut; its alerts have all of it
        first = sa.select(alerts.c.fields).where(alerts.c.incident_id == incident_id).order_by(alerts.c.id).limit(1)
        fields = json.loads(connection.execute(first).scalar() or "{}")
        said = fields.get("source")
        source = said if isinstance(said, str) and said.startswith(source[:-1]) else source
    if len(source) <= LONGEST_SOURCE:
        return source
    digest = hashlib.sha256(source.encode(errors="surrogatepass")).hexdigest()
    return f"{source[: LONGEST_SOURCE - len(digest) - 1]}#{digest}"


def _is_open(connection: sa.Connection, key: str) -> bool:
    """Return whether there is an unresolved incident with this key, from before a downgrade: there can't be two."""
    unresolved = sa.select(incidents.c.id).where(incidents.c.key == key, incidents.c.status != "resolved")
    return connection.execute(unresolved).first() is not None
