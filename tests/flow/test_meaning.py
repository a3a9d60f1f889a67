"""What an alert's words mean, from the webhook to the mail."""

import base64

import pytest

from tests.conftest import BEARER, serving
from tests.fakes import FakeClock, mail_sink
from tests.flow.test_nothing_is_lost import mail_settings


async def _subjects(sink, count: int) -> list[str]:
    return [mail.mail["Subject"] for mail in await sink.received(count)]


async def test_a_device_ends_its_alarm_in_its_own_words(make_settings, database):
    """`Status: Closed` ends what `severity: EMERG` began, in a form as well as in JSON."""
    async with mail_sink() as sink:
        settings = make_settings(**mail_settings(sink.port), **database)
        async with serving(settings, clock=FakeClock()) as service:
            await service.particle(event="leak", coreid="bath", data={"severity": " EMERG\n", "ml": 3})
            assert await _subjects(sink, 1) == ["[CRITICAL] bath: leak 3 ml"]
            form = {"event": "leak", "coreid": "bath", "Status": "Closed"}
            await service.client.post("/webhook/particle", data=form, headers=BEARER)
            assert await _subjects(sink, 2) == ["[CRITICAL] bath: leak 3 ml", "[RESOLVED, last 3 ml] bath: leak 3 ml"]


async def test_a_doubtful_all_clear_ends_nothing(make_settings):
    """A status that an alarm contradicts joins the open incident, and its trail says why."""
    async with (
        mail_sink() as sink,
        serving(make_settings(**mail_settings(sink.port)), clock=FakeClock()) as service,
    ):
        await service.particle(event="kitchen", data={"smoke": True})
        await sink.received(1)
        answer = await service.particle(event="kitchen", data={"status": "ok", "smoke": True})
        trail = await service.trail(answer.json()["id"])
        await service.particle(event="kitchen", data={"status": "ok", "smoke": False})
        subjects = await _subjects(sink, 2)
    reason, _, grouped = trail["alert"]["reason"].partition("; ")
    assert reason == "fires, because its status says resolved, but a field named smoke is on"
    assert grouped.startswith(f"joined incident {trail['incident']['id']}")
    assert [subject.split("]")[0] for subject in subjects] == ["[WARNING", "[RESOLVED"]


async def test_a_signed_alert_goes_through_whatever_decorates_it(make_settings):
    """Unknown words, an endless message and odd details are told, and not refused."""
    async with mail_sink() as sink, serving(make_settings(**mail_settings(sink.port))) as service:
        answer = await service.generic(
            message="No backup " * 1000,
            severity="purple",
            status="odd",
            details=["disk 1", "disk 2"],
            timestamp="soon",
            source="nas",
        )
        assert answer.status_code == 202
        [mail] = await sink.received(1)
    assert mail.mail["Subject"] == "[WARNING] nas: backup"
    for words in ("No backup No backup", "disk 1", "disk 2", "purple", "odd", "soon"):
        assert (words in mail.text, words in mail.html) == (True, True)


async def test_an_event_in_the_query_arrives_as_a_mail(make_settings):
    """A webhook of Particle's by GET is told like any other."""
    async with mail_sink() as sink, serving(make_settings(**mail_settings(sink.port))) as service:
        fields = {"event": "leak", "data": "under the sink", "coreid": "bath", "room": "bath 2"}
        answer = await service.client.get("/webhook/particle", params=fields, headers=BEARER)
        assert answer.status_code == 202
        [mail] = await sink.received(1)
    assert mail.mail["Subject"] == "[WARNING] bath (bath 2): leak"
    assert ("under the sink" in mail.text, "room  bath 2" in mail.text) == (True, True)


async def test_unreadable_bodies_of_two_devices_are_two_mails(make_settings):
    """Devices that share a broken template don't silence each other, with an id in it and without."""
    bodies = {
        "leak": [b'{"name":"leak","value":"a "b"","device_id":"%d"}' % number for number in (1, 2)],
        "flood": [b'{"event":"flood","value":"a "b"","node":"%d"}' % number for number in (1, 2)],
        "unreadable": [b"kitchen: wet", b"cellar: wet"],
    }
    async with mail_sink() as sink, serving(make_settings(**mail_settings(sink.port), flood_limit=6)) as service:
        for body in [body for several in bodies.values() for body in several]:
            answer = await service.client.post("/webhook/particle", content=body, headers=BEARER)
            assert (answer.status_code, answer.json()["status"]) == (202, "quarantined")
        subjects = await _subjects(sink, 6)
    assert sorted(subjects) == sorted(
        [
            "[WARNING] 1: unreadable alert leak",
            "[WARNING] 2: unreadable alert leak",
            *["[WARNING] particle: unreadable alert flood"] * 2,
            *["[WARNING] particle: unreadable alert unreadable"] * 2,
        ]
    )


async def test_data_arrives_as_a_person_would_read_it(make_settings):
    """A list has its count, a buffer is the picture that it holds, and what a template has escaped is unescaped."""
    picture = b"\x89PNG\r\n\x1a\n and so on"
    data = {
        "doors": [{"door": number, "open": True, "since": "noon", "by": "Ann"} for number in range(12)],
        "photo": {"_type": "buffer", "_data": base64.b64encode(picture).decode()},
    }
    async with mail_sink() as sink, serving(make_settings(**mail_settings(sink.port))) as service:
        await service.particle(event="doors", data=data)
        form = {"event": "said", "coreid": "d", "data": "it&#39;s &quot;open&quot; &amp; &lt;wet&gt;"}
        await service.client.post("/webhook/particle", data=form, headers=BEARER)
        mails = {mail.mail["Subject"].split(": ")[1]: mail for mail in await sink.received(2)}
    assert "12 items, 3 left out" in mails["doors"].text
    [attached] = [part.get_content() for part in mails["doors"].mail.walk() if part.get_content_type() == "image/png"]
    assert attached == picture
    assert 'it\'s "open" & <wet>' in mails["said"].text
    assert ("&lt;wet&gt;" in mails["said"].html, "<wet>" in mails["said"].html) == (True, False)


@pytest.mark.parametrize(
    ("published_at", "when", "note"),
    [
        (
            "1970-01-01T00:00:07Z",
            "2026-11-23 14:03:00 UTC (received; the device's clock is wrong)",
            "The device's clock is wrong: it says 1970-01-01 00:00:07 UTC.",
        ),
        (
            "2026-11-23T17:03:00Z",
            "2026-11-23 14:03:00 UTC (received; the device's time is in the future)",
            "The device's clock is ahead: it says 2026-11-23 17:03:00 UTC, 3 h after the alert was received.",
        ),
    ],
)
async def test_an_impossible_time_is_not_shown_as_one(make_settings, published_at, when, note):
    """A clock that was never set, and one that is ahead, are named as such; no mail is thousands of days late."""
    async with (
        mail_sink() as sink,
        serving(make_settings(**mail_settings(sink.port)), clock=FakeClock()) as service,
    ):
        await service.particle(published_at=published_at)
        [mail] = await sink.received(1)
    assert (when in mail.text, note in mail.text, " late" in mail.text) == (True, True, False)
