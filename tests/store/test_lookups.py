"""One look into an index for each key, on both databases: what is found, and that nothing else is read for it."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import event, text

from alertgate.ids import new_id
from alertgate.model import Alert, IncidentStatus, Signal
from alertgate.seen import Seen
from alertgate.store import alerts, incidents
from alertgate.store.engine import Store
from tests.builders import new_alert, new_incident
from tests.fakes import START

SECOND, MS = timedelta(seconds=1), timedelta(milliseconds=1)
DAY = timedelta(days=1)


def came(after: timedelta = timedelta(0), **changes) -> Alert:
    """Return an alert with an id of its sender's, received some time after the start."""
    at = START + after
    return new_alert(**{"id": new_id(at), "received_at": at, "repeat_key": "x", "content": "same", **changes})


def stored(store: Store, *new: Alert) -> None:
    """Store alerts."""
    with store.transaction() as connection:
        alerts.add(connection, new)


def same_id(store: Store, *new: Alert, since: datetime = START - DAY) -> dict[str, list[Seen]]:
    """Return what these alerts may repeat, by repeat key."""
    return store.read_now(lambda c: alerts.with_same_id(c, new, since))


def test_the_newest_with_the_same_id_is_found_whatever_its_content(store: Store):
    """Not one from before a time, and none with another id: that tells whether an id was used before."""
    old, newest, other = came(), came(2 * SECOND, content="b"), came(2 * SECOND, repeat_key="y")
    stored(store, old, newest, other, came(SECOND, content=None), new_alert())
    new = came(3 * SECOND, content="c")
    assert same_id(store, new) == {"x": [Seen.of(newest)]}
    assert same_id(store, new, since=START + 3 * SECOND) == {}
    assert same_id(store, came(content=None)) == {"x": [Seen.of(newest)]}
    assert same_id(store, came(repeat_key=None), came(repeat_key="z")) == {}
    assert same_id(store, new, came(repeat_key="y")) == {"x": [Seen.of(newest)], "y": [Seen.of(other)]}
    assert store.read_now(lambda c: alerts.seen(c, [old.id])) == {old.id: Seen.of(old)}


@pytest.mark.parametrize(
    ("stored_at", "sent_at"),
    [
        (None, None),
        (START, START),
        (START + 250 * MS, START + 250 * MS),
        (START, START + 250 * MS),
        (START + 250 * MS, START),
        (START + 999 * MS, START),
        (START + timedelta(microseconds=250_123), START + 250 * MS),
        (START + 250 * MS, START + timedelta(microseconds=250_123)),
        (START, START + timedelta(microseconds=250_123)),
    ],
)
def test_the_one_with_the_same_time_is_found_among_many(store: Store, stored_at, sent_at):
    """Hundreds of others have the same id and content; a template may leave milliseconds out."""
    repeated = came(published_at=stored_at)
    others = [came(number * SECOND, published_at=START + number * SECOND) for number in range(1, 200)]
    stored(store, repeated, *others, came(200 * SECOND, published_at=START - MS))
    found = same_id(store, came(300 * SECOND, published_at=sent_at))["x"]
    assert Seen.of(repeated) in found
    assert len(found) <= 4
    assert found == sorted(found, reverse=True)


def test_a_busy_id_hides_no_repeat_of_another_device(store: Store):
    """Each id has its own limit."""
    mine = came(repeat_key="mine")
    stored(store, mine, *(came(SECOND, content=f"{number}") for number in range(300)))
    found = same_id(store, *(came(content=f"new {number}") for number in range(300)), came(repeat_key="mine"))
    assert found["mine"] == [Seen.of(mine)]
    assert len(found["x"]) == 1


def clear(after: timedelta, **changes) -> Alert:
    """Return an all-clear that belongs to no incident."""
    return came(after, **{"signal": Signal.RESOLVED, "incident_key": "k", "repeat_key": None, **changes})


def unheeded(store: Store, since: datetime = START) -> dict[str, list[Seen]]:
    """Return the all-clears that are found."""
    return store.read_now(lambda c: alerts.all_clears(c, {"k", "none"}, since))


def test_all_clears_without_an_incident_are_found(store: Store):
    """The last one; not one from before a time, none that ended an incident, and no firing alert."""
    first, second = clear(SECOND), clear(2 * SECOND)
    incident = new_incident()
    with store.transaction() as connection:
        incidents.add(connection, [incident])
    ended = clear(3 * SECOND, incident_id=incident.id)
    stored(store, first, second, ended, came(3 * SECOND, incident_key="k"), clear(SECOND, incident_key="other"))
    assert unheeded(store) == {"k": [Seen.of(second)]}
    assert unheeded(store, START + 2 * SECOND) == {"k": [Seen.of(second)]}
    assert unheeded(store, START + 3 * SECOND) == {}


def test_of_many_all_clears_the_one_that_was_published_last_is_found(store: Store):
    """However many came after it, and however many a device stamped in the future."""
    last = clear(60 * SECOND, published_at=START + 59 * SECOND)
    overtaken = [clear((61 + n) * SECOND, published_at=START + n * MS) for n in range(100)]
    ahead = [clear((61 + n) * SECOND, published_at=START + DAY) for n in range(100)]
    newest = clear(200 * SECOND, published_at=START - DAY)
    stored(store, last, *overtaken, *ahead, newest)
    assert unheeded(store) == {"k": [Seen.of(newest), Seen.of(last)]}
    assert unheeded(store, START + 60 * SECOND) == {"k": [Seen.of(newest)]}


def test_the_newest_incident_of_each_key_is_found(store: Store):
    """Among many, and none of another key."""
    over = [
        new_incident(key=key, status=IncidentStatus.RESOLVED, id=new_id(START + number * SECOND))
        for number in range(100)
        for key in ("a", "b")
    ]
    with store.transaction() as connection:
        incidents.add(connection, over)
        assert incidents.last(connection, {"a", "b", "c"}) == {"a": over[-2], "b": over[-1]}


def statements(store: Store) -> list[tuple[str, object]]:
    """Return the lookups that read ids by their keys, each with its parameters, as the driver gets them."""
    found = []

    def note(_, __, statement, parameters, *___):
        if "sought" in statement:
            found.append((statement, parameters))

    with store.transaction() as connection:
        event.listen(connection, "before_cursor_execute", note)
        alerts.with_same_id(connection, [came(), came(published_at=START)], START)
        alerts.all_clears(connection, ["k"], START)
        incidents.last(connection, ["k"])
        event.remove(connection, "before_cursor_execute", note)
    assert len(found) == 3
    return found


ROWS = {
    "alerts": "INSERT INTO alerts (id, received_at, source, status, signal, event, severity, incident_key, fields, "
    "published_at, repeat_key, content, errors) SELECT {id}, n, 'particle', 'accepted', 'resolved', 'e', 1, "
    "'k' || n % 3, '{{}}', n, 'x' || n % 3, 'same', '[]' FROM {numbers}",
    "incidents": "INSERT INTO incidents (id, key, status, source, event, severity, opened_at, last_alert_at, "
    "alert_count) SELECT {id}, 'k' || n % 3, 'resolved', 'particle', 'e', 1, n, n, 1 FROM {numbers}",
}
"""Many rows that share three keys: a frequent key is what makes a planner prefer a walk through the ids."""


def fill(store: Store) -> None:
    """Store many alerts and incidents."""
    if store.dialect == "sqlite":
        numbers = "(WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 3000) SELECT n FROM t)"
        row_id = "printf('%036d', n)"
    else:
        numbers, row_id = "generate_series(1, 3000) AS n", "lpad(n::text, 36, '0')"
    with store.transaction() as connection:
        for insert in ROWS.values():
            connection.execute(text(insert.format(id=row_id, numbers=numbers)))
        if store.dialect == "postgresql":
            connection.execute(text("ANALYZE"))  # PostgreSQL does so by itself, SQLite never does


@pytest.mark.parametrize("is_filled", [False, True], ids=["empty", "filled"])
def test_lookups_find_their_rows_in_the_order_of_an_index(store: Store, is_filled):
    """Also on an empty database: PostgreSQL keeps the plans that it made then."""
    if is_filled:
        fill(store)
    explain = "EXPLAIN QUERY PLAN" if store.dialect == "sqlite" else "EXPLAIN"
    plans = []
    for statement, parameters in statements(store):
        with store.transaction() as connection:
            rows = connection.exec_driver_sql(f"{explain} {statement}", parameters)
            plans.append("\n".join(str(row) for row in rows))
    same, all_clears, newest = plans
    assert (same.count("alerts_repeat_key"), same.count("alerts_same_event")) == (1, 3)
    assert all_clears.count("alerts_without_incident ") == all_clears.count("alerts_without_incident_published") == 1
    assert newest.count("incidents_key") == 1
    for plan in plans:
        assert "pkey" not in plan
        assert "Sort" not in plan
        assert "TEMP B-TREE" not in plan
        assert "Seq Scan" not in plan
        assert "SCAN alerts" not in plan
        assert "SCAN incidents" not in plan
