"""Repeats by content and time, the order of alerts and all-clears, and generic keys that name their source."""

import hashlib
import json
import re
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

WITHOUT_INCIDENT = sa.text("incident_id IS NULL")
PUBLISHED = sa.text("incident_id IS NULL AND published_at <= received_at + 60000000")
PREFIX = "key:"
"""Keys of generic alerts with a `dedup_key`."""
NO_SOURCE = "generic"
LONGEST_SOURCE = 128
"""Characters of a source in a key, and of the shortened one in `device`."""
LONGEST_KEY = 1000
"""Characters of a key since this version: it is in more indexes, and PostgreSQL's have no room for a longer one."""
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
alerts = sa.table(
    "alerts",
    sa.column("id", sa.Text),
    sa.column("incident_id", sa.Text),
    sa.column("fields", sa.Text),
    sa.column("repeat_key", sa.Text),
)


def upgrade() -> None:
    for table, name, type_ in NEW_COLUMNS:
        op.add_column(table, sa.Column(name, type_))
    op.add_column("incidents", sa.Column("changes", sa.Integer, nullable=False, server_default="1"))
    op.drop_index("alerts_repeat_key", "alerts")
    _rewrite_keys()
    op.create_index("alerts_repeat_key", "alerts", ["repeat_key", "id"])
    op.create_index("alerts_same_event", "alerts", ["repeat_key", "content", "published_at", "id"])
    op.create_index(
        "alerts_without_incident",
        "alerts",
        ["incident_key", "id"],
        sqlite_where=WITHOUT_INCIDENT,
        postgresql_where=WITHOUT_INCIDENT,
    )
    op.create_index(
        "alerts_without_incident_published",
        "alerts",
        ["incident_key", "published_at"],
        sqlite_where=PUBLISHED,
        postgresql_where=PUBLISHED,
    )
    op.create_index("incidents_key", "incidents", ["key", "id"])
    op.create_index("incidents_device", "incidents", ["device", "id"])


def downgrade() -> None:
    op.drop_index("incidents_device", "incidents")
    op.drop_index("incidents_key", "incidents")
    op.drop_index("alerts_without_incident_published", "alerts")
    op.drop_index("alerts_without_incident", "alerts")
    op.drop_index("alerts_same_event", "alerts")
    op.drop_index("alerts_repeat_key", "alerts")
    # Several alerts may have one key by now, which the older version takes for one and the same.
    op.execute(sa.text("UPDATE alerts SET repeat_key = NULL"))
    op.create_index("alerts_repeat_key", "alerts", ["repeat_key"], unique=True)
    op.drop_column("incidents", "changes")
    for table, name, _ in NEW_COLUMNS:
        op.drop_column(table, name)


def _rewrite_keys() -> None:
    """Let the next alerts find their incidents: keys are bounded now, and those with a `dedup_key` name the source.

    Keys aren't changed to name a part of a device, which they do since this version too: an open incident may be about
    several parts, and the end of one of them isn't its end. It ends by a person, or in silence.
    """
    connection = op.get_bind()
    affected = sa.or_(incidents.c.key.like(f"{PREFIX}%"), sa.func.length(incidents.c.key) > LONGEST_KEY)
    for row in connection.execute(sa.select(incidents).where(affected)).all():
        key = _bounded(_named(connection, row))
        if key != row.key and (row.status == "resolved" or not _is_open(connection, key)):
            connection.execute(incidents.update().where(incidents.c.id == row.id).values(key=key))
    # No repeat of such an alert is recognised.
    too_long = sa.func.length(alerts.c.repeat_key) > LONGEST_KEY
    connection.execute(alerts.update().where(too_long).values(repeat_key=None))


def _named(connection: sa.Connection, row: Any) -> str:
    """Return the key of a generic alert with its source; others were named before a downgrade."""
    key: str = row.key
    parts = _parts(key)
    if not key.startswith(PREFIX) or len(parts) != 1:
        return key
    return _joined(key, [_source(connection, row.id, row.device), *parts])


def _bounded(key: str) -> str:
    """Return a key as this version writes it: in a long one a digest stands for the parts that don't fit."""
    if len(key) <= LONGEST_KEY:
        return key
    parts, digest = _parts(key), f"#{hashlib.sha256(key.encode()).hexdigest()}"
    shortened = (_joined(key, [*parts[:kept], digest]) for kept in range(len(parts), -1, -1))
    return next(each for each in shortened if len(each) <= LONGEST_KEY)


def _parts(key: str) -> list[str]:
    """Return the parts of a key; the first versions wrote keys that have none."""
    try:
        return list(json.loads(key.partition(":")[2]))
    except ValueError:
        return []


def _joined(key: str, parts: list[str]) -> str:
    """Return a key of the same kind as `key`."""
    return f"{key.partition(':')[0]}:{json.dumps(parts, separators=(',', ':'))}"


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
