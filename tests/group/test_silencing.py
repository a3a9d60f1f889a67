"""What a person does with silences: the device of an incident, and what retention keeps; on both databases."""

from datetime import timedelta

import pytest

from alertgate.credential import Credential
from alertgate.group.silencing import Silencer, SilenceResult, Wanted
from alertgate.model import IncidentStatus, Severity, Source
from alertgate.store import incidents, retention, silences
from alertgate.store.engine import Store
from tests.builders import new_incident
from tests.fakes import START

HOUR = timedelta(hours=1)
BY = ("a***@example.org", Credential.LINK)


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({}, None),
        ({"status": IncidentStatus.ACKNOWLEDGED}, None),
        ({"source": Source.GENERIC, "device": "nas"}, None),
        ({"status": IncidentStatus.RESOLVED}, "the incident is over: there is nothing to silence"),
        ({"device": None}, "the incident names no device"),
        ({"source": Source.ALERTGATE}, "it is about alertgate itself, which can't be silenced"),
        ({"device": "x" * 300}, "has more than 200 characters"),
        ({"device": "a\u202eb"}, "is blank, or holds a character that can't be shown, such as a line break"),
    ],
)
def test_the_device_of_an_open_incident_can_be_silenced(store: Store, changes, refused):
    """For a day at most, all that it says; what has no device, or is over, can't be."""
    incident = new_incident(**changes)
    silencer = Silencer(lambda at: f"{at:%S}")
    with store.transaction() as connection:
        incidents.add(connection, [incident])
        done = silencer.silence_device(connection, incident.id, *BY, 48 * HOUR, START)
    assert done
    assert [each.message for each in done.errors] == ([refused] if refused else [])
    if refused:
        assert (done.result, done.silence) == (SilenceResult.REFUSED, None)
        return
    assert done.silence
    assert (done.silence.device, done.silence.ends_at, done.open_incidents) == (incident.device, START + 24 * HOUR, 1)
    assert store.read_now(lambda c: silences.get(c, done.silence.id)) == done.silence


def test_a_device_whose_name_looks_like_a_glob_is_silenced_alone(store: Store):
    """Its special characters stand for themselves."""
    odd, other = (new_incident(device=device, key=device) for device in ("s[a]*", "sax"))
    with store.transaction() as connection:
        incidents.add(connection, [odd, other])
        done = Silencer(str).silence_device(connection, odd.id, *BY, HOUR, START)
    assert done
    assert (done.open_incidents, done.silence and done.silence.device) == (1, "s[[]a][*]")


def test_nobody_silences_an_incident_that_isnt_there(store: Store):
    """Retention may have deleted it."""
    with store.transaction() as connection:
        assert Silencer(str).silence_device(connection, "gone", *BY, HOUR, START) is None


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
