"""A store with a month behind it, for the pages of the console: the same rows on both databases, by plain SQL."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import psycopg

ALERTS, EACH = 1_000_000, 10
INCIDENTS = ALERTS // EACH
DEVICES = 10_000
OPEN = 200
"""The newest incidents, which aren't over."""
DAYS = 30
HOURS = 60
"""Of what each device said of itself, every third hour."""
_MICRO = 1_000_000
_SPAN = DAYS * 86400 * _MICRO

_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {count})"
_STATEMENTS = (
    """
INSERT INTO incidents (id, key, status, source, event, device, severity, opened_at, last_alert_at, alert_count,
                       began_at, last_firing_at, last_alert_id, changed_at, resolved_at, resolution)
{incidents}
SELECT {incident_id}, 'particle:["' || {device} || '","door/' || (i % 20) || '","zone","hall ' || i || '"]',
       CASE WHEN i < {closed} THEN 'resolved' ELSE 'open' END, 'particle', 'door/' || (i % 20), {device}, i % 3, {at},
       {at} + 20000000, {each}, {at}, {at}, {last_alert_id}, {at}, CASE WHEN i < {closed} THEN {at} + 60000000 END,
       CASE WHEN i < {closed} THEN 'silence' END FROM n
""",
    """
INSERT INTO alerts (id, received_at, source, status, signal, event, severity, incident_key, device, data, fields,
                    repeat_key, id_kind, content, errors, request_id, incident_id, reason, published_at)
{alerts}
SELECT {alert_id}, {alert_at}, 'particle', CASE WHEN i % 1000 = 7 THEN 'quarantined' ELSE 'accepted' END, 'firing',
       'door/' || (i / {each} % 20), i / {each} % 3,
       'particle:["' || {alert_device} || '","door/' || (i / {each} % 20) || '","zone","hall ' || (i / {each}) || '"]',
       {alert_device}, '{{"zone":"hall","state":"open","battery":50}}', '{{}}', 'event_id:' || i, 'event_id',
       {content}, '[]', 'r-' || i, {incident_of_alert}, 'joined', {alert_at} FROM n
""",
    """
INSERT INTO notifications (id, incident_id, channel, address, kind, status, severity, reason, created_at, due_at,
                           retry_since, attempts, finished_at, claimed_at, told, person, missed_since)
{notifications}
SELECT {notification_id}, {incident_of_notification}, CASE WHEN i % 2 = 0 THEN 'email' ELSE 'ntfy' END,
       CASE WHEN i % 2 = 0 THEN 'me@example.com' ELSE 'topic' END, 'opening', 'sent', i / 2 % 3,
       'nothing was said about this incident yet', {told_at}, {told_at}, {told_at}, 1,
       {told_at} + 1000000 + i % 7 * 900000, {told_at} + 500000, 'open', 'me@example.com', NULL FROM n
""",
    """
INSERT INTO attempts (id, notification_id, started_at, seconds, outcome, reason, reply)
{notifications}
SELECT {attempt_id}, {notification_id}, {told_at}, 0.3, CASE WHEN i % 50 = 0 THEN 'transient' ELSE 'sent' END,
       CASE WHEN i % 50 = 0 THEN 'busy' ELSE 'accepted' END, '250 2.0.0 Ok: queued as 4F2B' FROM n
""",
    """
INSERT INTO devices (id, first_seen_at, last_seen_at, last_published_at, last_event, events, state, state_at, battery,
                     battery_at, battery_low, strength, quality, vitals_at, gaps, vitals, offline_at, flapping,
                     resetting)
{devices}
SELECT {device}, {now} - {span}, {now} - CAST(i % 3600 AS BIGINT) * 1000000, {now}, 'door/1', 100,
       CASE i % 500 WHEN 0 THEN 'silent' WHEN 1 THEN 'late' WHEN 2 THEN 'unknown' ELSE 'fine' END, {now}, i % 100,
       {now},
       {false}, 70, 60, {now}, '{{"2026-11-25":{{"3":20,"4":7}}}}', '{{"device":{{"power":1}}}}',
       CASE WHEN i % 700 = 0 THEN {now} END, {false}, {false} FROM n
""",
    """
INSERT INTO vitals (id, device, at, battery, strength, quality, uptime, memory)
{hours}
SELECT {vital_device} || '@' || (i / {count_devices}), {vital_device},
       {now} - i / {count_devices} * {hour} * 3,
       i % 100, 70, 60, 3600, 40 FROM n
""",
)


def fill(place: Path | str, now: float, *, alerts: int = ALERTS, devices: int = DEVICES) -> None:
    """Fill a migrated, empty store: an SQLite file, or PostgreSQL by its address."""
    at = int(now * _MICRO)
    if isinstance(place, str):
        with psycopg.connect(place, autocommit=True) as connection:
            for statement in _statements(at, _POSTGRESQL, alerts, devices):
                connection.execute(statement.encode())
            connection.execute("VACUUM ANALYZE")
        return
    with closing(sqlite3.connect(place, timeout=60)) as file:
        file.execute("PRAGMA cache_size=-400000")
        for statement in _statements(at, _SQLITE, alerts, devices):
            file.execute(statement)
        file.commit()
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")


_SQLITE = {
    "hex": "printf('%0{width}x', {value})",
    "false": "0",
}
_POSTGRESQL = {
    "hex": "lpad(to_hex({value}), {width}, '0')",
    "false": "false",
}


def _statements(now: int, dialect: Mapping[str, str], alerts: int, devices: int) -> list[str]:
    incidents = alerts // EACH

    def hexadecimal(value: str, width: int) -> str:
        return dialect["hex"].format(value=f"CAST({value} AS BIGINT)", width=width)

    def at(step: int, number: str = "i") -> str:
        return f"({now} - {_SPAN} + CAST({number} AS BIGINT) * {_SPAN // alerts * step})"

    def made(kind: int, when: str, number: str = "i") -> str:
        """Return SQL for an id of a time, as the service makes them: sorted by it."""
        milliseconds = hexadecimal(f"({when} / 1000)", 12)
        parts = f"substr({milliseconds}, 1, 8) || '-' || substr({milliseconds}, 9, 4)"
        return f"({parts} || '-7000-8{kind:03}-' || {hexadecimal(number, 12)})"

    def device(number: str) -> str:
        return hexadecimal(f"({number} % {devices})", 24)

    values = {
        **{
            name: _NUMBERS.format(count=count)
            for name, count in {
                "incidents": incidents,
                "alerts": alerts,
                "notifications": 2 * incidents,
                "devices": devices,
                "hours": HOURS * devices,
            }.items()
        },
        "incident_id": made(0, at(EACH)),
        "last_alert_id": made(1, at(1, f"(i * {EACH} + {EACH - 1})"), f"(i * {EACH} + {EACH - 1})"),
        "alert_id": made(1, at(1)),
        "incident_of_alert": made(0, at(EACH, f"(i / {EACH})"), f"(i / {EACH})"),
        "notification_id": made(2, at(EACH, "(i / 2)")),
        "incident_of_notification": made(0, at(EACH, "(i / 2)"), "(i / 2)"),
        "attempt_id": made(3, at(EACH, "(i / 2)")),
        "at": at(EACH),
        "alert_at": at(1),
        "told_at": at(EACH, "(i / 2)"),
        "device": device("i"),
        "alert_device": device(f"(i / {EACH})"),
        "vital_device": device("i"),
        "content": hexadecimal("i", 32),
        "closed": str(incidents - min(OPEN, incidents // 2)),
        "each": str(EACH),
        "now": str(now),
        "span": str(_SPAN),
        "hour": str(3600 * _MICRO),
        "count_devices": str(devices),
        "false": dialect["false"],
    }
    return [statement.format(**values) for statement in _STATEMENTS]
