"""What a body that can't be read is about."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertgate.accept.salvage import Salvage, salvage
from alertgate.model import AlertStatus
from tests.accept.test_particle import DEVICE, RECEIPT, read
from tests.builders import for_any

OTHER = "3f002b000000000000000001"


@pytest.mark.parametrize(
    "body",
    [
        b'{"event":"leak","data":"{"t":1}","coreid":"%b"}',
        b'{"event" :\n"leak", "data": he said, "coreid"\t:  "%b"}',
        b"{'event':'leak','data':'x','coreid':'%b'}",
        b"{event: leak, data: \"x\", coreid: '%b'}",
        b'{"name":"leak","value":"{"name":"inner"}","coreid":"%b"',
        b'{"name":"leak","data":"{"t":1}","device_id":"%b"}',
        b'{"name":"leak","data":"{"t":1}","deviceId":"%b"}',
        b'{"Event":"leak","data":"{"t":1}","Core-ID":"%b"}',
        b'{"event":"leak","device_id":"other","coreid":"%b","data":}',
        b'{"event":"{{PARTICLE_EVENT_NAME}}","name":"leak","data":"{"t":1}","coreid":"%b"}',
        b"{&quot;event&quot;:&quot;leak&quot;,&quot;data&quot;:&quot;x&quot;,&quot;coreid&quot;:&quot;%b&quot;}",
        b"event=leak&data=x&coreid=%b",
        b"event=leak&deviceId=%b&data=%%ff",
        b'\xef\xbb\xbf{"event":"leak","coreid":"%b"}',
        b"event: leak\ncoreid: %b\n",
        b'{"event":"leak","data":"\xff","node":"%b"}',
        b'{"event":"leak","coreid":"%b","data":"{"coreid":"inner"}"',
        b'{"event":"leak","coreid":"a","device_id":"b","node":"%b"',
        b'{"event":"leak","coreid":"undefined","node":"%b"',
        b"{'event':'leak','coreid':'NULL','device_id':'%b'",
        b"event=leak&coreid=undefined&node=%b",
        b'{"event":"leak","userid":"5e0000000000000000000000","node":"%b","x":}',
    ],
    ids=ascii,
)
def test_event_and_device_are_made_out(body):
    """Whatever broke the body, what it names is found."""
    assert salvage(body % DEVICE.encode(), {}) == Salvage("leak", DEVICE, DEVICE)


@pytest.mark.parametrize(
    "body",
    [
        b"????",
        b"",
        b'{"event":true,"coreid":null}',
        b'{"event":"Undefined","coreid":"undefined"',
        b'{"event":"","coreid":"{{PARTICLE_DEVICE_ID}}"}',
        b'{"event":"a\nb","coreid":"a\\"b"}',
        b'{"event":"%b","coreid":"%b"}' % (b"x" * 129, b"x" * 129),
        b"my event: none",
        b'{"userid":"5e0000000000000000000000"}',
        f"{DEVICE}0 x{OTHER}".encode(),
        f"{DEVICE} {OTHER}".encode(),
    ],
    ids=ascii,
)
def test_what_is_not_plain_is_not_guessed_at(body):
    """Blank, unfilled, escaped and endless names are none, nor is one of two ids."""
    found = salvage(body, {})
    assert (found.event, found.device) == (None, None)


def test_the_query_counts_first():
    """It can be read, and the body can't."""
    found = salvage(b'{"event":"inner","coreid":"inner"', {"event": "leak", "deviceId": DEVICE})
    assert found == Salvage("leak", DEVICE, DEVICE)


def _end(body: bytes) -> str:
    return ascii(body[-40:])


def _sender(body: bytes) -> str:
    return salvage(body, {}).sender


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"from the kitchen", b"from the bath"),
        (b'{"event":"leak","data":"a "b"","node":1}', b'{"event":"leak","data":"a "b"","node":2}'),
        (b'{"event":"leak","ip":"192.168.1.7"', b'{"event":"leak","ip":"192.168.1.8"'),
        (b'{"event":"leak","imei":490154203237518', b'{"event":"leak","imei":490154203237526'),
        (b"x" * 100_000 + b"kitchen", b"x" * 100_000 + b"bath"),
        (b"\xff1", b"\xff2"),
        (b'{"tel":1234567890', b'{"tel":1234567891'),
        (b"at 1420070399", b"at 1420070398"),
        (b"at 2208988800", b"at 2208988801"),
        (b"at 1234567890123", b"at 1234567890124"),
        (b'{"coreid":"a","data":"{"coreid":"x"}"', b'{"coreid":"b","data":"{"coreid":"x"}"'),
        (f'{{"coreid":"{DEVICE}","device_id":"{OTHER}"'.encode(), f'{{"coreid":"{DEVICE}","device_id":"x"'.encode()),
        (f"{DEVICE} x".encode(), f"{OTHER} x".encode()),
    ],
    ids=_end,
)
def test_bodies_that_tell_their_senders_apart_share_no_incident(one, other):
    """Where no device can be found, any difference but a time or a reading may be another device."""
    assert _sender(one) != _sender(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"event":"leak","at":"2026-11-23T14:03:00.1Z"', b'{"event":"leak","at":"2026-11-23T14:04:59.25Z"'),
        (b"temperature 21.5 at 1795435200", b"temperature -3.25 at 1795435261"),
        (b"at 1420070400", b"at 2208988799"),
        (b'{"coreid":"a","device_id":"b","n":1', b'{"device_id":"b","coreid":"a","n":2'),
        (b"temperature 21.5 at 1795435200123", b"temperature 3.25 at 1795435261000"),
    ],
)
def test_times_and_readings_make_no_new_sender(one, other):
    """A broken template of one device is one incident, and not one for each reading."""
    assert _sender(one) == _sender(other)


def test_the_query_tells_senders_apart():
    """A device may be named only there, under any name; times in it change nothing."""

    def key(body: bytes, query: bytes) -> str:
        return read(body, None, RECEIPT, query).incident_key

    assert len({key(b"?", query) for query in (b"", b"node=1", b"node=2", b"node=1&node=2")}) == 4
    assert key(b"?", b"node=1") != key(b"!", b"node=1")
    assert key(b"?", b"n=1&t=2026-11-23T14%3A03%3A00Z") == key(b"?", b"n=1&t=2026-11-23T14%3A04%3A00Z")
    assert key(b"?", b"coreid=a&n=1") == key(b"!", b"coreid=a&n=2")


@pytest.mark.parametrize(
    "body",
    [
        b'"event"' + b" " * 65_000,
        b'"event" ' * 8_000,
        b"event" * 13_000,
        b'"coreid":"' * 6_500,
        b"a=" + b"&" * 65_000,
        b"0" * 65_536,
        b"1.1" * 20_000,
        b"&quot;" * 10_000,
        b"user_id" * 9_000,
    ],
    ids=lambda body: ascii(body[:20]),
)
def test_no_body_takes_long(body):
    """A hostile body of the largest size is searched in a moment."""
    started = time.process_time()
    salvage(body, {})
    assert time.process_time() - started < 1


@for_any
@given(st.binary() | st.text().map(str.encode), st.dictionaries(st.text(), st.text()))
def test_any_body_has_a_sender(body, query):
    """Whatever bytes come, the same are always the same sender's, and names are short enough to keep."""
    found = salvage(body, query)
    assert found == salvage(body, query)
    assert (found.sender == "") == (body == b"" and found.device is None)
    assert [name for name in (found.event, found.device) if name is not None and not 0 < len(name) <= 128] == []


def test_unreadable_bodies_of_three_devices_are_three_incidents():
    """Each device speaks, though no field of its template is Particle's."""
    bodies = [b'{"name":"leak","value":"he said "hi"","device_id":"%d"}' % number for number in range(3)]
    alerts = [read(body, None, RECEIPT) for body in bodies]
    assert [(alert.status, alert.event, alert.device) for alert in alerts] == [
        (AlertStatus.QUARANTINED, "leak", str(number)) for number in range(3)
    ]
    assert len({alert.incident_key for alert in alerts}) == 3
