"""Bounded search, the same on SQLite and PostgreSQL."""

import time
from datetime import timedelta

import pytest

from alertgate.model import AlertStatus, IncidentStatus, Severity
from alertgate.store import search
from alertgate.store.engine import Store
from alertgate.store.search import REACH, Found, Reach, Sought
from tests.fakes import START
from tests.store.test_pages import SECOND, put_alert, put_incident

SHORT = Reach(alerts=3)


def alerts(
    store: Store, sought: Sought, before: str | None = None, limit: int = 20, reach: Reach = REACH
) -> Found[str]:
    """Return a page of alerts, of each its id."""
    found = store.read_now(lambda connection: search.find_alerts(connection, sought, before, limit, reach))
    return Found([each.id for each in found.items], found.older, found.is_cut)


def incidents(store: Store, sought: Sought, before: str | None = None, limit: int = 20) -> Found[str]:
    """Return a page of incidents, of each its id."""
    found = store.read_now(lambda connection: search.find_incidents(connection, sought, before, limit))
    return Found([each.id for each in found.items], found.older, found.is_cut)


BOTH = [
    (Sought(), {}, None),
    (Sought(device="one"), {"device": "one"}, {"device": "two"}),
    (Sought(event="leak/a"), {"event": "leak/a"}, {"event": "leak/A"}),
    (Sought(event="leak/*"), {"event": "leak/a"}, {"event": "lea/k"}),
    (Sought(event="LEAK/?"), {"event": "leak/ü"}, {"event": "leak/ab"}),
    (Sought(event="öl*"), {"event": "Öl/Süd"}, {"event": "Kohl/Süd"}),
    (Sought(event="a_%*"), {"event": "a_%b"}, {"event": "abcd"}),
    (Sought(severity=Severity.INFO), {"severity": Severity.INFO}, {"severity": Severity.CRITICAL}),
    (
        Sought(device="one", event="le*", severity=Severity.INFO),
        {"device": "one", "event": "leak", "severity": Severity.INFO},
        {"device": "one"},
    ),
    (Sought(since=START - SECOND, until=START + SECOND), {}, None),
]
"""What is looked for, what it finds, and what it doesn't."""


@pytest.mark.parametrize(("sought", "good", "other"), BOTH)
@pytest.mark.parametrize(("put", "find"), [(put_alert, alerts), (put_incident, incidents)], ids=["alerts", "incidents"])
def test_each_filter_finds_what_it_says(store: Store, sought, good, other, put, find):
    """And nothing else, whether an index finds it or each row is read."""
    found = put(store, 0, **good)
    if other is not None:
        put(store, 1, **other)
    assert find(store, sought) == Found([found])


def test_each_status_is_found(store: Store):
    """Of alerts and of incidents."""
    for number, status in enumerate(AlertStatus):
        found = put_alert(store, number, status=status)
        assert alerts(store, Sought(status=status)).items == [found]
    for number, status in enumerate(IncidentStatus):
        found = put_incident(store, number, status=status)
        assert incidents(store, Sought(status=status, device=None)).items == [found]


TEXTS = [
    "water in the hall",
    "Wasser im Flur, Tür offen",
    "TÜR",
    "100%_",
    'say "x"\\n',
    "\x00\x1a",
    "\ud800",
    "\u202eabc",
    "日本",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_found_wherever_an_alert_says_it(store: Store, text):
    """In its message, its data and its other fields, in small letters and in capitals; a wildcard stands for itself."""
    put_alert(store, 0, data="abcdefgh 1000")
    said = [
        put_alert(store, 1, message=f"a {text} b"),
        put_alert(store, 2, data={"x": [text]}),
        put_alert(store, 3, data=None, fields={"note": text}),
    ]
    for spelled in (text, text.upper(), text.lower()):
        assert alerts(store, Sought(text=spelled)) == Found(said[::-1])


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_finds_the_incidents_whose_latest_alerts_say_it(store: Store, text):
    """Or whose event does; a text that only an older alert says isn't found there."""
    named = put_incident(store, 0, event=f"e {text}")
    said = put_incident(store, 1, event="e")
    before = put_incident(store, 2, event="e")
    put_alert(store, 3, incident_id=before, data=text)
    for number in range(search.LATEST):
        put_alert(store, 4 + number, incident_id=before, data="x")
        put_alert(store, 4 + number, incident_id=said, data=text if number == 0 else "x")
    assert incidents(store, Sought(text=text)) == Found([said, named])


def test_pages_of_what_is_found_join_without_a_gap(store: Store):
    """Each begins where the one before ended."""
    put = [put_alert(store, number, severity=Severity.INFO) for number in range(5)]
    first = alerts(store, Sought(severity=Severity.INFO), limit=2)
    assert (first.items, first.is_cut) == (put[:2:-1], False)
    second = alerts(store, Sought(severity=Severity.INFO), first.older, limit=2)
    third = alerts(store, Sought(severity=Severity.INFO), second.older, limit=2)
    assert (second.items + third.items, third.older) == (put[2::-1], None)


def test_a_search_ends_after_so_many_rows_and_can_go_on(store: Store):
    """It says from where: nothing older was looked at, and what is there is found then."""
    put = [put_alert(store, number, data="rare" if number == 0 else "x") for number in range(7)]
    first = alerts(store, Sought(text="rare"), reach=SHORT)
    assert first == Found([], put[4], is_cut=True)
    second = alerts(store, Sought(text="rare"), first.older, reach=SHORT)
    assert second == Found([], put[1], is_cut=True)
    assert alerts(store, Sought(text="rare"), second.older, reach=SHORT) == Found([put[0]])


def test_a_search_in_a_time_and_for_a_device_reads_those_alone(store: Store):
    """So that it isn't cut where few rows can match."""
    found = put_alert(store, 0, device="one", data="rare")
    for number in range(1, 9):
        put_alert(store, number, device="two", data="x")
    assert alerts(store, Sought(text="rare", device="one"), reach=SHORT) == Found([found])
    assert alerts(store, Sought(text="rare", until=START + timedelta(seconds=1)), reach=SHORT) == Found([found])


def test_no_text_takes_a_search_long(store: Store):
    """Not even one that almost stands at every place of what alerts say."""
    for number in range(100):
        put_alert(store, number, data="a" * 100_000)
    before = time.thread_time()  # LIKE would take more than twice the limit, and minutes on a whole page
    assert alerts(store, Sought(text="a" * 99 + "b")) == Found([])
    took = time.thread_time() - before
    assert took < 0.4
