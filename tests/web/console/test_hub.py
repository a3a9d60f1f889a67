"""Whose turn it is to be told what changed."""

from datetime import timedelta

import pytest

from alertgate.credential import Credential
from alertgate.errors import RateLimited
from alertgate.session import Session
from alertgate.topic import Topic
from alertgate.web.console.hub import SHARE, Hub, Stream, TooManyStreams
from tests.fakes import START

EVERYTHING = frozenset(Topic)


def session(id_: str = "s", person: str | None = None) -> Session:
    """Return a session that lasts."""
    return Session(
        id=id_,
        hash="hash",
        person=person,
        name="Ada",
        credential=Credential.CONSOLE_TOKEN,
        token_mark=None,
        zone=None,
        agent="",
        created_at=START,
        ends_at=START + timedelta(days=1),
        seen_at=START,
    )


def joined(hub: Hub, about: frozenset[Topic] = EVERYTHING, of: str = "s") -> Stream:
    """Open a stream whose reader has taken what a new one is told."""
    stream = hub.join(session(of), about, lambda: None)
    hub.turn()
    stream.take()
    return stream


def told(streams: list[Stream]) -> list[int]:
    """Return which of the streams were told something, and let their readers take it."""
    return [number for number, stream in enumerate(streams) if stream.take()]


def test_a_page_is_told_of_what_it_shows():
    """Other topics don't make it fetch itself; several changes are one hint."""
    hub = Hub()
    devices = joined(hub, frozenset({Topic.DEVICES, Topic.SILENCES}))
    hub.changed([Topic.INCIDENTS])
    hub.turn()
    assert devices.take() == []
    hub.changed([Topic.INCIDENTS, Topic.SILENCES])
    hub.changed([Topic.DEVICES])
    hub.changed([Topic.DEVICES])
    assert devices.take() == []
    hub.turn()
    assert devices.take() == ["devices", "silences"]
    hub.turn()
    assert devices.take() == []


def test_a_new_stream_is_told_of_everything_that_it_shows():
    """Its page may be an hour old, after a night in a pocket."""
    hub = Hub()
    stream = hub.join(session(), frozenset({Topic.PEOPLE}), lambda: None)
    hub.turn()
    assert stream.take() == ["people"]


def test_many_viewers_are_told_in_turns():
    """However many watch, a turn costs no more than it may; nobody waits for ever, and nobody is told twice before."""
    hub = Hub(most_hints=3)
    streams = [joined(hub, of=f"{number}") for number in range(8)]
    turns = []
    for _ in range(8):
        hub.changed([Topic.ALERTS])
        hub.turn()
        turns.append(told(streams))
    assert turns[:3] == [[0, 1, 2], [3, 4, 5], [0, 6, 7]]
    assert {len(turn) for turn in turns} == {3}
    assert {sum(number in turn for turn in turns) for number in range(8)} == {3}


def test_dear_pages_are_fetched_more_rarely():
    """What the fetched pages took is saved in the next turns, and one that took for ever is forgiven after ten."""
    hub = Hub(most_hints=2)
    stream = joined(hub)
    turns = []
    for part in (0.3, 0.95, 2.3, 0, 0, 0, 1000, *[0] * 11):
        hub.fetched(part * SHARE)
        hub.changed([Topic.ALERTS])
        hub.turn()
        turns.append(bool(stream.take()))
    assert turns == [True, True, False, True, True, True, *[False] * 10, True, True]


def test_few_viewers_are_told_at_once():
    """One look later each of them knows."""
    hub = Hub(most_hints=3)
    streams = [joined(hub) for _ in range(3)]
    hub.changed([Topic.ALERTS])
    hub.turn()
    assert told(streams) == [0, 1, 2]


def test_a_reader_that_takes_nothing_costs_no_more_than_the_topics():
    """A thousand changes that a slow phone didn't take are one hint when it does."""
    hub = Hub()
    slow = joined(hub)
    for _ in range(1000):
        hub.changed(Topic)
        hub.turn()
    assert slow.take() == sorted(Topic)
    assert slow.take() == []


def test_streams_are_capped():
    """A session has so many, and so have all; whoever leaves makes room."""
    hub = Hub(most=3, most_of_a_session=2)
    first = joined(hub)
    joined(hub)
    with pytest.raises(RateLimited, match="2 pages of this session") as refused:
        joined(hub)
    assert refused.value.retry_after == 30
    joined(hub, of="other")
    with pytest.raises(TooManyStreams, match="3 pages are live already") as full:
        joined(hub, of="third")
    assert full.value.retry_after == 30
    hub.leave(first)
    hub.leave(first)
    joined(hub, of="third")
    assert len(hub) == 3


def test_closing_ends_all_streams_and_lets_nobody_in():
    """The readers are woken, so that their connections close."""
    hub, woken = Hub(), []
    streams = [hub.join(session(), EVERYTHING, lambda: woken.append(1)) for _ in range(2)]
    hub.close()
    assert [stream.over for stream in streams] == [True, True]
    assert (len(hub), len(woken)) == (0, 2)
    with pytest.raises(TooManyStreams, match="stopping"):
        joined(hub)
