"""What a person does with silences: the device of an incident, and what retention keeps; on both databases."""

from dataclasses import replace
from datetime import timedelta

import pytest

from alertgate.credential import Credential
from alertgate.group.actions import Action
from alertgate.group.silencing import Silencer, Wanted
from alertgate.group.transitions import TransitionResult
from alertgate.model import IncidentStatus, Severity, Source
from alertgate.policy.matchers import Subject
from alertgate.policy.silences import matches
from alertgate.store import incidents, retention, silences
from alertgate.store.engine import Store
from tests.builders import new_incident
from tests.fakes import START

HOUR = timedelta(hours=1)


def by_link(incident_id: str, lasting: timedelta = HOUR, after: timedelta = timedelta(0)) -> Action:
    """Return what a button of a link's page asks for."""
    return Action(incident_id, "a***@example.org", Credential.LINK, START + after, lasting)


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({}, None),
        ({"status": IncidentStatus.ACKNOWLEDGED}, None),
        ({"source": Source.GENERIC, "device": "nas"}, None),
        ({"status": IncidentStatus.RESOLVED}, "the incident is over: there is nothing to silence"),
        ({"device": None}, "the incident names no device"),
        ({"source": Source.ALERTGATE}, "it is about alertgate itself, which can't be silenced"),
        ({"source": Source.WATCH, "event": "gate/no-webhooks"}, "it is about many devices, and not about one"),
        ({"source": Source.WATCH, "event": "device/silent"}, None),
        ({"device": "x" * 300}, "device: has more than 200 characters"),
        ({"device": "a\u202eb"}, "device: is blank, or holds a character that can't be shown, such as a line break"),
    ],
)
def test_the_device_of_an_open_incident_can_be_silenced(store: Store, changes, refused):
    """For a day at most, all that it says; what has no device, or is over, can't be."""
    incident = new_incident(**changes)
    silencer = Silencer(lambda at: f"{at:%S}")
    with store.transaction() as connection:
        incidents.add(connection, [incident])
        done = silencer.silence_device(connection, by_link(incident.id, 48 * HOUR))
    assert done
    if refused:
        wanted = (TransitionResult.REFUSED, refused, None)
        assert (done.transition.result, done.transition.reason, done.silence) == wanted
        return
    assert done.silence
    assert (done.silence.device, done.silence.ends_at) == (incident.device, START + 24 * HOUR)
    assert store.read_now(lambda c: silences.get(c, done.silence.id)) == done.silence


def test_a_device_whose_name_looks_like_a_glob_is_silenced_alone(store: Store):
    """Its special characters stand for themselves."""
    odd, other = (new_incident(device=device, key=device) for device in ("s[a]*", "sax"))
    with store.transaction() as connection:
        incidents.add(connection, [odd, other])
        done = Silencer(str).silence_device(connection, by_link(odd.id))
    assert done
    assert done.silence
    assert done.silence.device == "s[[]a][*]"
    silenced = {
        each.device
        for each in (odd, other)
        if matches(done.silence, Subject(each.event, each.severity, each.source, each.device))
    }
    assert silenced == {odd.device}


@pytest.mark.parametrize(
    ("first", "later", "ends"),
    [
        ((HOUR, timedelta(0)), (HOUR, timedelta(minutes=5)), [HOUR]),
        ((HOUR, timedelta(0)), (HOUR, timedelta(minutes=6)), [timedelta(minutes=66)]),
        ((8 * HOUR, timedelta(0)), (HOUR, timedelta(minutes=6)), [8 * HOUR]),
        ((HOUR, timedelta(0)), (8 * HOUR, HOUR / 2), [8.5 * HOUR]),
        ((HOUR, timedelta(0)), (HOUR, 2 * HOUR), [HOUR, 3 * HOUR]),
    ],
)
def test_a_button_that_is_pressed_twice_silences_once(store: Store, first, later, ends):
    """What is silenced for as long as is asked for stays as it is; else it is made longer; no other begins."""
    incident = new_incident()
    silencer = Silencer(lambda at: f"{at:%H%M%S}")
    with store.transaction() as connection:
        incidents.add(connection, [incident])
        for lasting, after in (first, later):
            done = silencer.silence_device(connection, by_link(incident.id, lasting, after))
        assert done
        stays = ends == [first[0]]
        assert done.transition.result is (TransitionResult.ALREADY if stays else TransitionResult.CHANGED)
        stored = silences.over_after(connection, START)
        assert [each.ends_at - START for each in stored] == ends
        assert stays or done.silence == stored[-1]


def test_each_person_and_each_severity_has_a_silence_of_its_own(store: Store):
    """A name stays on record beside what it asked for; what holds critical ones too isn't made of what doesn't."""
    incident = new_incident()
    made: list[str] = []
    silencer = Silencer(lambda _: f"{len(made)}")
    asked = [("ann", HOUR), ("ben", 2 * HOUR), ("ann", 3 * HOUR)]
    with store.transaction() as connection:
        incidents.add(connection, [incident])
        for by, lasting in asked:
            silencer.silence_device(connection, replace(by_link(incident.id, lasting), by=by))
            made.append(by)
        worse = replace(incident, severity=Severity.CRITICAL)
        incidents.save(connection, [worse])
        silencer.silence_device(connection, replace(by_link(incident.id, HOUR), by="ann"))
        found = [(each.author, each.unless, each.ends_at - START) for each in silences.over_after(connection, START)]
    assert found == [("ann", Severity.CRITICAL, 3 * HOUR), ("ben", Severity.CRITICAL, 2 * HOUR), ("ann", None, HOUR)]


@pytest.mark.parametrize(
    ("about", "held"),
    [
        ({}, True),
        ({"event": "another"}, True),
        ({"severity": Severity.CRITICAL}, False),
        ({"source": Source.GENERIC}, False),
        ({"device": "other", "device_name": "D"}, False),
        ({"device": "d", "device_name": "Hall"}, True),
    ],
)
def test_a_silence_by_link_is_about_one_device_of_one_source(store: Store, about, held):
    """Another device may have its id as a name, and a generic sender may call itself whatever it likes."""
    incident = new_incident(device="d")
    with store.transaction() as connection:
        incidents.add(connection, [incident])
        done = Silencer(str).silence_device(connection, by_link(incident.id))
    assert done
    assert done.silence
    subject = {"event": incident.event, "severity": incident.severity, "source": incident.source, "device": "d"}
    assert matches(done.silence, Subject(**{**subject, **about})) is held


def test_what_was_silenced_by_link_can_be_ended_by_link(store: Store):
    """Whoever has the link ends what was begun by link for that device, and nothing else."""
    incident, silencer = new_incident(), Silencer(lambda at: f"{at:%H%M%S}")
    later = by_link(incident.id, after=HOUR / 4)
    with store.transaction() as connection:
        incidents.add(connection, [incident])
        silencer.silence_device(connection, by_link(incident.id))
        by_api = Wanted("Anna", Credential.API_TOKEN, lasting=2 * HOUR, device=incident.device)
        silencer.begin(connection, by_api, START + HOUR / 8)
        ended = silencer.unsilence_device(connection, later)
        again = silencer.unsilence_device(connection, later)
        [left] = silences.over_after(connection, later.now)
        assert silencer.unsilence_device(connection, by_link("gone")) is None
    assert ended
    assert [(each.author, each.removed_by) for each in ended.ended] == [(later.by, later.by)]
    assert again
    assert (again.transition.result, again.ended) == (TransitionResult.ALREADY, ())
    assert left.author == "Anna"


def test_nobody_silences_an_incident_that_isnt_there(store: Store):
    """Retention may have deleted it."""
    with store.transaction() as connection:
        assert Silencer(str).silence_device(connection, by_link("gone")) is None


def test_a_silence_names_what_is_open_and_matches(store: Store):
    """By the device's name too, and by severity; what is over doesn't count."""
    open_ones = [new_incident(key=str(n), severity=severity) for n, severity in enumerate(Severity)]
    over = new_incident(key="over", status=IncidentStatus.RESOLVED)
    silencer = Silencer(lambda at: f"{at:%S.%f}{len(numbers)}", lambda device: "Hall" if device == "d" else None)
    numbers: list[int] = []
    with store.transaction() as connection:
        incidents.add(connection, [*open_ones, over])
        for more in ({}, {"unless": Severity.CRITICAL}, {"min_severity": Severity.CRITICAL}):
            wanted = Wanted("Anna", Credential.API_TOKEN, lasting=HOUR, device="hall", **more)
            numbers.append(silencer.begin(connection, wanted, START).open_incidents)
    assert numbers == [3, 2, 1]


def test_retention_deletes_silences_that_are_long_over(store: Store):
    """And keeps the others."""
    silencer = Silencer(lambda at: f"{at:%d}")
    with store.transaction() as connection:
        for day in range(3):
            wanted = Wanted("Anna", Credential.API_TOKEN, lasting=HOUR, event="x")
            silencer.begin(connection, wanted, START + timedelta(days=day))
        assert retention.delete_old(connection, START + timedelta(days=1, hours=2)) == 2
        assert [each.id for each in silences.page(connection, None, None, 10)] == ["25"]
