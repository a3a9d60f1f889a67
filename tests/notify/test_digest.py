"""What a digest says, as a mail and as a text message."""

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertgate.model import ChannelName, IncidentStatus, Resolution, Severity, Source
from alertgate.notify.channels.mail import compose
from alertgate.notify.context import DigestContext, DigestItem
from alertgate.notify.missed import Untold
from alertgate.notify.render.digest import groups, is_urgent
from alertgate.notify.render.message import render
from alertgate.notify.render.text import GSM7, GSM7_DOUBLE, septets
from tests.builders import for_any, incident
from tests.fakes import START

ROOMS = ("Boat shed", "Cellar", "Gate", "Attic")


def item(number: int, event: str = "power/lost", name: str | None = None, **changes) -> DigestItem:
    """Return an incident of a device of its own."""
    own = {"id": f"{event}-{number}", "event": event, "device": f"{number:024x}"}
    return DigestItem(incident(**{**own, **changes}), name)


def over(each: DigestItem, after: timedelta = timedelta(minutes=9)) -> DigestItem:
    """Return an incident that is over."""
    ended = each.incident.opened_at + after
    return replace(each, incident=replace(each.incident, status=IncidentStatus.RESOLVED, resolved_at=ended))


def rooms(count: int, event: str = "power/lost", **changes) -> list[DigestItem]:
    """Return incidents of devices with names."""
    names = [*ROOMS, *(f"Room {number}" for number in range(count))]
    return [item(number, event, names[number], **changes) for number in range(count)]


def digest(*items: DigestItem, **changes) -> DigestContext:
    """Return a digest about these incidents, sent ten minutes later."""
    context = DigestContext(
        "digest-1",
        ChannelName.EMAIL,
        "me@example.com",
        items,
        ZoneInfo("Europe/Berlin"),
        START + timedelta(minutes=10),
        "example.net",
    )
    return replace(context, **changes)


def text_message(*items: DigestItem) -> str:
    """Return a digest as a text message."""
    return render(digest(*items, channel=ChannelName.SMS)).text


def test_a_digest_is_grouped_by_event_the_worst_first():
    """Each group says how many devices there are, since when, and which; those that are over come last."""
    critical = rooms(5, severity=Severity.CRITICAL, opened_at=START - timedelta(minutes=2))
    battery = [item(n, "battery/low", f"Lock {n}") for n in (10, 9)]
    ended = [over(each) for each in rooms(3, "door/open", severity=Severity.CRITICAL)]
    single = item(7, "frost", "Greenhouse")
    mail = render(digest(*ended, single, *battery, *critical))
    assert mail.subject == "[CRITICAL] 11 alerts: power/lost and 3 more"
    assert mail.text == (
        "CRITICAL  11 alerts: power/lost and 3 more\n"
        "since 15:01\n"
        "\n"
        "11 alerts in one message: too many came for a message each. 3 of them are over.\n"
        "\n"
        "CRITICAL power/lost: 5 devices since 15:01\n"
        "  Attic, Boat shed, Cellar, Gate, Room 0\n"
        "\n"
        "WARNING battery/low: 2 devices since 15:03\n"
        "  Lock 9, Lock 10\n"
        "\n"
        "WARNING frost: Greenhouse since 15:03\n"
        "\n"
        "over: door/open: 3 devices from 15:03 to 15:12\n"
        "  Boat shed, Cellar, Gate\n"
        "\n"
        "Details:\n"
        "  Digest  digest-1\n"
        "  Sent    2026-11-23 15:13:00 CET\n"
    )
    assert (mail.urgent, mail.thread_id) == (True, "digest.digest-1@example.net")


@pytest.mark.parametrize(
    ("items", "subject", "urgent"),
    [
        (rooms(2), "[WARNING] 2 alerts: power/lost", False),
        ([over(each) for each in rooms(2, severity=Severity.CRITICAL)], "[RESOLVED] 2 alerts: power/lost", False),
        ([over(item(1, severity=Severity.CRITICAL)), item(2)], "[WARNING] 2 alerts: power/lost", False),
        ([item(1, severity=Severity.CRITICAL), item(2, "x")], "[CRITICAL] 2 alerts: power/lost and 1 more", True),
        (rooms(1200), "[WARNING] 1,200 alerts: power/lost", False),
    ],
)
def test_the_subject_says_how_bad_it_is_and_how_much(items, subject, urgent):
    """The worst of what isn't over, and whether all is."""
    mail = render(digest(*items))
    assert (mail.subject, mail.urgent) == (subject, urgent)


@pytest.mark.parametrize(
    ("items", "text"),
    [
        (rooms(200), "WARNING power/lost: 200 devices since 15:03 - Attic, Boat shed, Cellar and 197 more"),
        ([over(each) for each in rooms(2)], "RESOLVED power/lost: 2 devices from 15:03 to 15:12 - Boat shed, Cellar"),
        (
            [*rooms(40), over(item(1, "door", "Gate"))],
            "WARNING 41 alerts: power/lost: 40 devices since 15:03 - Attic, Boat shed, Cellar and 37 more; over: door",
        ),
        (
            [item(n, f"event/{n:02}", f"Lock {n}") for n in range(30)],
            "WARNING 30 alerts: event/00: Lock 0 since 15:03; event/01: Lock 1 since 15:03; event/02: Lock 2 since",
        ),
        ([item(n, f"event/{n:02}", "Door" * 9) for n in range(30)], "WARNING 30 alerts: event/00: DoorDoorDoorDoor"),
        ([item(n, "x" * 200) for n in range(2)], f"WARNING {'x' * 43}...: 2 devices since 15:03"),
    ],
)
def test_a_text_message_names_what_fits_and_counts_the_rest(items, text):
    """As many groups and names as fit into one segment."""
    found = text_message(*items)
    assert (found[: len(text)], septets(found) <= 160) == (text, True)
    if len(items) == 30:
        shown = found.count("event/")
        assert found.endswith(f"; and {30 - shown} more events, {30 - shown} alerts")


def hours(number: float) -> datetime:
    """Return the time so many hours after the start."""
    return START + timedelta(hours=number)


def silent(each: DigestItem, last: float) -> DigestItem:
    """Return an incident that ended in silence, some hours after its last alert."""
    ended = {"status": IncidentStatus.RESOLVED, "resolution": Resolution.SILENCE, "resolved_at": hours(24)}
    return replace(each, incident=replace(each.incident, last_alert_at=hours(last), **ended))


def away(*items: DigestItem, **changes) -> DigestContext:
    """Return a digest of what was missed for two days."""
    return digest(*items, **{"missed_since": START, "now": hours(50), **changes})


LEAK = silent(replace(item(1, "leak", "Cellar", severity=Severity.CRITICAL), news=3), last=1)
HALL = replace(item(2, "door", "Hall", opened_at=hours(30)), earlier=Untold(4, hours(2)))
FROST = over(item(3, "frost", "Greenhouse", opened_at=hours(3)))
SINCE = "missed since Mon 15:03"
LATER = {"opened_at": hours(-30), "last_alert_at": hours(-30)}


def test_what_was_missed_says_since_when_and_how_it_stands():
    """The worst first; what is silent isn't called over; earlier alerts that weren't told are counted with others."""
    mail = render(away(FROST, HALL, LEAK))
    assert mail.subject == "[CRITICAL] 9 alerts of 3 incidents while mail was away, since Monday 15:03"
    assert mail.text.startswith(
        "CRITICAL  9 alerts of 3 incidents: leak and 2 more\n"
        "while mail was away, since Monday 15:03\n"
        "\n"
        "Mail couldn't be sent until now. This is what you missed, in one message. 1 of the 3 incidents is over.\n"
        "\n"
        "CRITICAL leak: Cellar (3 alerts) fired Mon 15:03, silent since Mon 16:03\n"
        "\n"
        "WARNING door: Hall (5 alerts) since Mon 17:03\n"
        "\n"
        "over: frost: Greenhouse fired Mon 18:03, over Mon 18:12\n"
    )
    assert mail.urgent


@pytest.mark.parametrize(
    ("context", "subject"),
    [
        (away(FROST, HALL, now=hours(5)), "[WARNING] 6 alerts of 2 incidents while mail was away, since 15:03"),
        (away(item(1), item(2)), "[WARNING] 2 alerts while mail was away, since Monday 15:03"),
        (away(FROST, over(item(1))), "[RESOLVED] 2 alerts while mail was away, since Monday 15:03"),
        (
            away(*(replace(over(item(n, **LATER)), news=0) for n in range(3))),
            "[RESOLVED] 3 incidents while mail was away, since Monday 15:03",
        ),
        (away(silent(item(1), 0), FROST), "[WARNING] 2 alerts while mail was away, since Monday 15:03"),
        (
            away(LEAK, FROST, now=hours(24 * 9)),
            "[CRITICAL] 4 alerts of 2 incidents while mail was away, since 2026-11-23 15:03",
        ),
        (
            away(LEAK, FROST, channel=ChannelName.OUTBOX),
            "[CRITICAL] 4 alerts of 2 incidents while the outbox was away, since Monday 15:03",
        ),
        (
            away(HALL, FROST, zone=ZoneInfo("Pacific/Auckland")),
            "[WARNING] 6 alerts of 2 incidents while mail was away, since Tuesday 03:03",
        ),
    ],
)
def test_the_subject_of_what_was_missed(context, subject):
    """Alerts and incidents, if they differ, and since when in the reader's zone: the day of this week, or the date."""
    assert render(context).subject == subject


@pytest.mark.parametrize(
    ("items", "text"),
    [
        (
            (FROST, HALL, LEAK),
            (
                f"CRITICAL 9 alerts of 3 incidents {SINCE}: leak: Cellar (3 alerts), silent; door: Hall (5 alerts); "
                "over: frost: Greenhouse"
            ),
        ),
        (
            (HALL, FROST),
            (
                f"WARNING 6 alerts of 2 incidents {SINCE}: door: Hall (5 alerts) since Mon 17:03; "
                "over: frost: Greenhouse fired Mon 18:03, over Mon 18:12"
            ),
        ),
        (
            tuple(
                replace(item(n, f"event/{n:02}", f"Lock {n}", severity=Severity.CRITICAL), news=9) for n in range(30)
            ),
            (
                f"CRITICAL 270 alerts of 30 incidents {SINCE}: event/00: Lock 0 (9 alerts) since Mon 15:03; "
                "and 29 more events, 261 alerts of 29 incidents"
            ),
        ),
    ],
)
def test_a_text_message_says_what_was_missed(items, text):
    """In one segment: the times are left out before anything else is, and what isn't named is counted."""
    found = render(away(*items, channel=ChannelName.SMS)).text
    assert (found, len(found) <= 160) == (text, True)


def test_another_alert_is_another_message():
    """The number of alerts is part of what the digest says."""
    again = away(LEAK, replace(FROST, news=2))
    assert render(away(LEAK, FROST)).message_id != render(again).message_id
    assert render(away(LEAK, FROST, now=hours(60))).message_id == render(away(FROST, LEAK)).message_id


def test_devices_and_alerts_are_counted_apart():
    """Two doors of one device are two alerts; a generic alert comes from a source."""
    two = [item(1, "door", "Barn", id=f"i{n}", key=f"k{n}") for n in range(2)]
    generic = [item(n, "backup", source=Source.GENERIC, device=f"nas{n}") for n in range(2)]
    found = groups(digest(*two, *generic))
    assert [(each.event, each.count()) for each in found] == [
        ("backup", "2 sources"),
        ("door", "2 alerts from 1 device"),
    ]


def test_devices_with_the_same_name_are_counted_apart():
    """Names aren't unique; devices are."""
    [group] = groups(digest(item(1, name="Door"), item(2, name="Door")))
    assert (group.count(), group.some_names(5)) == ("2 devices", "Door, Door")


def test_the_message_id_stands_for_what_is_said():
    """A later attempt keeps it, unless something ended, got worse, or dropped out meanwhile."""
    items = rooms(3)
    first = render(digest(*items)).message_id
    assert render(digest(*reversed(items), now=START + timedelta(hours=3))).message_id == first
    others = [
        digest(over(items[0]), *items[1:]),
        digest(*items[:2]),
        digest(replace(items[0], incident=replace(items[0].incident, severity=Severity.CRITICAL)), *items[1:]),
    ]
    ids = {render(each).message_id for each in others} | {first}
    assert len(ids) == 4
    assert all(each.startswith("digest-1.") and each.endswith("@example.net") for each in ids)


@pytest.mark.parametrize(
    "items",
    [
        [item(n, "power/lost", "Ü" * 60 + str(n)) for n in range(2000)],
        [item(n, f"{n} {'ß' * 90}", "Ü" * 90) for n in range(2000)],
        [item(n, f"<{n}&&&&&&&&>" * 9, "<&>" * 30) for n in range(300)],
    ],
    ids=["many devices", "many events", "much to escape"],
)
def test_a_digest_is_small(items):
    """However long names are: under 20 kB, and what isn't named is counted."""
    mail = render(digest(*items))
    assert len(compose(mail, "alerts@example.net")) < 20_000
    named = sum(mail.text.count(f"\n  {each}") for each in ("Ü", "<"))
    assert named or "more" in mail.text
    assert f"{len(items):,} alerts" in mail.text


texts = st.text(max_size=40)


@for_any
@given(st.lists(st.tuples(texts, texts, st.booleans(), st.sampled_from(Severity)), min_size=2, max_size=30))
def test_no_text_of_a_device_breaks_a_digest(said):
    """Whatever it says: one line each, one segment, nothing evaluated, and everything counted."""
    items = [
        (over if ended else lambda each: each)(item(n, event, name, severity=severity))
        for n, (event, name, ended, severity) in enumerate(said)
    ]
    mail, short = render(digest(*items)), text_message(*items)
    compose(mail, "alerts@example.net")
    assert sum(each.incidents for each in groups(digest(*items))) == len(items)
    assert septets(short) <= 160
    assert set(short) <= GSM7 | GSM7_DOUBLE
    assert "\n" not in short
    assert mail.subject
    assert len(mail.subject.splitlines()) == 1
    titles = [line for line in mail.text.splitlines() if line.startswith(("over: ", "INFO ", "WARNING ", "CRITICAL "))]
    assert len(titles) >= len(groups(digest(*items)))


def test_what_somebody_has_silenced_is_no_alarm():
    """It is a group of its own, comes after what is going on, and makes no digest urgent."""
    context = digest(replace(item(1, severity=Severity.CRITICAL), silenced=True), item(2, severity=Severity.INFO))
    found = groups(context)
    assert [group.tag for group in found] == ["INFO", "SILENCED"]
    assert not is_urgent(found)
