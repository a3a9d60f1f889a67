"""Databases with a long history, made with plain SQL."""

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from torture.gate import Gate

_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {count})"
_INCIDENTS = """
INSERT INTO incidents (id, key, status, source, event, device, severity, opened_at, last_alert_at, alert_count,
                       began_at, last_firing_at, last_alert_id, changed_at, resolved_at, resolution)
{numbers}
SELECT printf('01900000-0000-7000-8000-%012x', i), printf('particle:["old-%d","e","zone","hall"]', i), '{status}',
       'particle', 'e', printf('old-%d', i), 1, {at}, {at}, {each}, {at}, {at},
       printf('01900000-0000-7001-8000-%012x', i * {each} + {each} - 1), {at}, {resolved}, {resolution} FROM n
"""
_ALERTS = """
INSERT INTO alerts (id, received_at, source, status, signal, event, severity, incident_key, device, data, fields,
                    repeat_key, id_kind, content, errors, request_id, incident_id, reason)
{numbers}
SELECT printf('01900000-0000-7001-8000-%012x', i), {at} + i, 'particle', 'accepted', 'firing', 'e', 1,
       printf('particle:["old-%d","e","zone","hall"]', i / {each}), printf('old-%d', i / {each}),
       '{{"zone":"hall","battery":50}}', '{{}}', printf('event_id:["old-%d","old-%d"]', i / {each}, i), 'event_id',
       printf('%032x', i), '[]', printf('r-%d', i),
       printf('01900000-0000-7000-8000-%012x', i / {each}), 'joined' FROM n
"""
_NOTIFICATIONS = """
INSERT INTO notifications (id, incident_id, channel, address, kind, status, severity, reason, created_at, due_at,
                           retry_since, attempts)
{numbers}
SELECT printf('01900000-0000-7002-8000-%012x', i), printf('01900000-0000-7000-8000-%012x', i), 'email',
       'me@example.com', 'opening', 'pending', 1, 'nothing was said about this incident yet', {at}, {at}, {at}, 0 FROM n
"""
_DEVICES = """
INSERT INTO devices (id, first_seen_at, last_seen_at, last_published_at, last_event, events, state, state_at,
                     battery, battery_at, battery_low, strength, quality, vitals_at, gaps, vitals)
{numbers}
SELECT printf('%024x', i), {at}, {at} + i, {at} + i, 'alarm/motion', 100, 'fine', {at}, 80.5, {at}, 0, 70, 60, {at},
       '{{"2026-11-25":{{"3":20,"4":7}},"2026-11-26":{{"3":18,"5":2}}}}',
       '{{"event":"loc","data":"' || printf('%.*c', 400, 'x') || '"}}' FROM n
"""
"""As the register has them, each with half a kilobyte of vitals."""


def seed(file: Path, now: float, *, incidents: int, each: int, pending: bool = False) -> None:
    """Add incidents with `each` alerts: resolved ones or, with `pending`, open ones with a pending notification."""
    at = int((now - 3600) * 1e6)
    numbers = _NUMBERS.format(count=incidents)
    status, resolved, resolution = ("open", "NULL", "NULL") if pending else ("resolved", at, "'silence'")
    with closing(sqlite3.connect(file, timeout=60)) as connection:
        connection.execute("PRAGMA cache_size=-400000")
        connection.execute(
            _INCIDENTS.format(
                numbers=numbers, status=status, at=at, each=each, resolved=resolved, resolution=resolution
            )
        )
        connection.execute(_ALERTS.format(numbers=_NUMBERS.format(count=incidents * each), at=at, each=each))
        if pending:
            connection.execute(_NOTIFICATIONS.format(numbers=numbers, at=at))
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def seed_devices(file: Path, now: float, devices: int) -> None:
    """Add devices to the register: the first ids are those that speak (`bench.load`)."""
    with closing(sqlite3.connect(file, timeout=60)) as connection:
        connection.execute(_DEVICES.format(numbers=_NUMBERS.format(count=devices), at=int((now - 3600) * 1e6)))
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


async def seeded(directory: Path, *, incidents: int, each: int, pending: bool = False) -> None:
    """Make a service's directory with such a database; the service itself makes the schema."""
    file = await _made(directory)
    await asyncio.to_thread(seed, file, time.time(), incidents=incidents, each=each, pending=pending)


async def registered(directory: Path, *, devices: int) -> None:
    """Make a service's directory whose database has so many devices."""
    await asyncio.to_thread(seed_devices, await _made(directory), time.time(), devices)


async def _made(directory: Path) -> Path:
    directory.mkdir(parents=True)
    gate = Gate(directory, {"smtp_port": 1})
    await gate.start()
    await gate.stop()
    return gate.database
