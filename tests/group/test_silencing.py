"""What a person does with silences: the device of an incident, and what retention keeps; on both databases."""

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
    ("first", "later", "number"),
    [
        ((HOUR, timedelta(0)), (HOUR, timedelta(minutes=5)), 1),
        ((HOUR, timedelta(0)), (HOUR, timedelta(minutes=6)), 2),
        ((8 * HOUR, timedelta(0)), (HOUR, timedelta(minutes=6)), 1),
        ((HOUR, timedelta(0)), (8 * HOUR, timedelta(seconds=1)), 2),
        ((HOUR, timedelta(0)), (HOUR, 2 * HOUR), 2),
    ],
)
def test_a_button_that_is_pressed_twice_silences_once(store: Store, first, later, number):
    """What is silenced for as long as is asked for stays as it is; for longer, another silence begins."""
    incident = new_incident()
    silencer = Silencer(lambda at: f"{at:%H%M%S}")
    with store.transaction() as connection:
        incidents.add(connection, [incident])
        for lasting, after in (first, later):
            done = silencer.silence_device(connection, by_link(incident.id, lasting, after))
        assert done
        assert done.transition.result is (TransitionResult.ALREADY if number == 1 else TransitionResult.CHANGED)
        assert len(silences.over_after(connection, START)) == number


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
