"""Query plans: frequent queries use an index, on an empty database as well as on a large one."""

import asyncio
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event, text

from alertgate.model import IncidentStatus
from alertgate.store import follow, incidents
from alertgate.store.engine import Store
from tests.builders import new_incident
from tests.fakes import START

SWEEP = "SELECT id FROM incidents WHERE status <> 'resolved' AND last_alert_at <= 1"
RETENTION = "SELECT id FROM incidents WHERE resolved_at < 1 ORDER BY resolved_at LIMIT 50"
LATELY = (
    "SELECT address, count(*) FROM notifications WHERE channel = 'email' AND address IN ('a', 'b') AND claimed_at > 1"
    " AND claimed_at <= 2 AND status IN ('sending', 'sent', 'pending') GROUP BY address"
)
MISSED = (
    "SELECT 1 FROM notifications WHERE channel = 'email' AND status IN ('pending', 'failed')"
    " AND missed_since IS NOT NULL"
)
USED = "SELECT count(*) FROM notifications WHERE status = 'sent' AND finished_at > 1 AND channel IN ('email', 'sms')"
OUTSTANDING = (
    "SELECT channel, count(*), max(id) FROM notifications WHERE status = 'failed' AND dismissed_at IS NULL"
    " AND superseded_by IS NULL GROUP BY channel"
)
LINK = "SELECT id FROM notifications WHERE link_hash = 'x'"
CARRIED = (
    "SELECT id FROM notifications WHERE channel = 'email' AND address = 'a' AND claimed_at = 1 AND digest_id = 'd'"
    " ORDER BY id"
)
PARTS = "SELECT DISTINCT key FROM incidents WHERE device = 'd' AND id >= '01' AND substr(key, 1, 3) = 'abc' LIMIT 32"
WORST = "SELECT id FROM incidents WHERE status <> 'resolved' ORDER BY severity DESC, status DESC, id LIMIT 50"
UNTAKEN = "SELECT count(*) FROM (SELECT id FROM incidents WHERE status = 'open' LIMIT 50) AS found"
BY_HOUR = "SELECT received_at, severity FROM alerts WHERE received_at >= 1 ORDER BY received_at DESC LIMIT 50"
SILENT = "SELECT state, id FROM devices WHERE state = 'silent' AND id > 'x' ORDER BY id LIMIT 31"
LOW = "SELECT count(*) FROM devices WHERE (battery_low OR battery < 20)"
OFFLINE = "SELECT count(*) FROM devices WHERE offline_at IS NOT NULL"
OPEN_OF_DEVICES = (
    "SELECT device, count(*), max(id) FROM incidents WHERE device IN ('a', 'b') AND status <> 'resolved'"
    " GROUP BY device"
)
HOUR = "SELECT severity, count(*) FROM alerts WHERE received_at >= 1 AND received_at < 2 GROUP BY severity"
UNNAMED_PARTS = PARTS.replace("= 'd'", "IS NULL")
QUARANTINED = "SELECT id FROM alerts WHERE status = 'quarantined' AND id < '02' ORDER BY id DESC LIMIT 31"
NEWEST_SENT = "SELECT id FROM notifications WHERE incident_id = 'i' ORDER BY id DESC LIMIT 40"
EXPORTED = (
    "SELECT id FROM notifications WHERE incident_id BETWEEN 'a' AND 'b' AND (incident_id, id) > ('a', 'x')"
    " ORDER BY incident_id, id LIMIT 1000"
)


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (PARTS, "incidents_device"),
        (UNNAMED_PARTS, "incidents_device"),
        (SWEEP, "incidents_(unresolved|worst)"),
        (RETENTION, "incidents_resolved_at"),
        (LATELY, "notifications_claimed"),
        (MISSED, "notifications_missed"),
        (USED, "notifications_sent"),
        (OUTSTANDING, "notifications_outstanding"),
        (LINK, "notifications_link"),
        (CARRIED, "notifications_claimed"),
        (SILENT, "devices_state"),
        (LOW, "devices_low"),
        (OFFLINE, "devices_offline"),
        (OPEN_OF_DEVICES, "incidents_unresolved_device"),
        (HOUR, "alerts_received_at"),
        (QUARANTINED, "alerts_quarantined"),
        (NEWEST_SENT, "notifications_incident"),
        (EXPORTED, "notifications_incident"),
        (WORST, "incidents_worst"),
        (UNTAKEN, "incidents_(status|worst)"),
        (BY_HOUR, "alerts_received_at"),
    ],
)
def test_queries_use_their_indexes(store: Store, query, index):
    """The sweep, for example, reads unresolved incidents only, however many are resolved."""
    explain = "EXPLAIN QUERY PLAN" if store.dialect == "sqlite" else "EXPLAIN"
    with store.transaction() as connection:
        plan = "\n".join(str(row) for row in connection.execute(text(f"{explain} {query}")))
    assert re.search(index, plan)


def test_what_is_open_again_is_found_by_its_incident(store: Store):
    """Not among all messages of a channel: it is looked for within the transaction of an alert."""
    explain, found = "EXPLAIN QUERY PLAN" if store.dialect == "sqlite" else "EXPLAIN", []

    def note(_, __, statement, parameters, *___):
        found.append((statement, parameters))

    with store.transaction() as connection:
        event.listen(connection, "before_cursor_execute", note)
        follow.show_open_again(connection, ["a", "b"], START)
        event.remove(connection, "before_cursor_execute", note)
        [(statement, parameters)] = found
        plan = "\n".join(str(row) for row in connection.exec_driver_sql(f"{explain} {statement}", parameters))
    assert "notifications_incident" in plan


@pytest.mark.postgres
async def test_alerts_that_join_rewrite_no_index(make_settings, postgres_database):
    """PostgreSQL updates the incident in place (a "heap-only tuple"): no index contains what a join changes."""
    store = Store(make_settings(database_url=postgres_database))
    store.open(exclusive=True)
    incident = new_incident()
    with store.transaction() as connection:
        incidents.add(connection, [incident])
    for number in range(1, 51):
        later = START + timedelta(seconds=number)
        joined = replace(incident, alert_count=number + 1, last_alert_at=later)
        await store.write(lambda connection, joined=joined: incidents.join(connection, [joined]))
    ended = replace(incident, status=IncidentStatus.RESOLVED, resolved_at=START)
    await store.write(lambda connection: incidents.save(connection, [ended]))
    counts = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'incidents'"
    async with asyncio.timeout(20):
        while (found := tuple(store.read_now(lambda c: c.execute(text(counts)).one())))[0] < 51:
            with store.transaction() as connection:
                connection.execute(text("SELECT pg_stat_force_next_flush()"))
            await asyncio.sleep(0.05)
    store.close()
    updated, in_place = found
    assert updated == 51
    assert in_place >= 45  # a full page sometimes moves a row
