"""A webhook in, a mail out, through real parts."""

import ssl

import trustme
from structlog.testing import capture_logs

from tests.conftest import BEARER, serving
from tests.fakes import mail_sink, until

PARTICLES_OWN = b"event=demo&data=mydata&published_at=2017-02-01T21%3A08%3A05.763Z&coreid=3f002b000000000000000000"
"""The documented default request of Particle, byte for byte."""


async def test_an_all_clear_with_nothing_open_tells_nobody(make_settings):
    """Sent at a device's start, late, or twice, it is stored and its trail says why; the alarm after it is told."""
    async with mail_sink() as sink:
        settings = make_settings(
            smtp_host="127.0.0.1",
            smtp_port=sink.port,
            smtp_security="none",
            smtp_email="alerts@example.net",
            recipient_email="me@example.com",
            severity_rules="leak*=critical",
        )
        async with serving(settings) as service:
            cleared = {"event": "leak", "coreid": "3f01", "data": '{"status":"resolved"}'}
            for number in range(3):
                answer = await service.client.post(
                    "/webhook/particle", data={**cleared, "event_id": f"c{number}"}, headers=BEARER
                )
                assert (answer.status_code, answer.json()["incident"]) == (202, None)
                trail = await service.trail(answer.json()["id"])
                assert trail["alert"]["reason"] == "says resolved, but no incident is open for it; nobody is told"
            wet = {"event": "leak", "coreid": "3f01", "data": "wet"}
            assert (await service.client.post("/webhook/particle", data=wet, headers=BEARER)).status_code == 202
            [received] = await sink.received(1)
    assert received.mail["Subject"] == "[CRITICAL] 3f01: leak, wet"


async def test_what_waited_for_the_outbox_does_not_fail_once_mail_is_set(make_settings):
    """The first real start is quiet: an update that nobody was to get is cancelled, and the next alarm is a mail."""
    wet = {"event": "leak", "coreid": "3f01", "data": "wet"}
    async with serving(make_settings()) as service:
        answer = await service.client.post("/webhook/particle", data=wet, headers=BEARER)

        async def written():
            return (await service.trail(answer.json()["id"]))["notifications"][0]["status"] == "sent"

        await until(written)
        await service.client.post("/webhook/particle", data=wet, headers=BEARER)
    async with mail_sink() as sink:
        mail = {
            "smtp_host": "127.0.0.1",
            "smtp_port": sink.port,
            "smtp_security": "none",
            "smtp_email": "a@example.net",
        }
        with capture_logs() as logs:
            async with serving(make_settings(**mail, recipient_email="me@example.com")) as service:

                async def cancelled():
                    found = (await service.trail(answer.json()["id"]))["notifications"]
                    return [each["kind"] for each in found if each["status"] == "cancelled"]

                assert await until(cancelled) == ["update"]
                await service.client.post("/webhook/particle", data=wet, headers=BEARER)
                await sink.received(1)
                await service.gate.failures.look()
                assert service.gate.failures.latest.total == 0
    assert [line["event"] for line in logs if line["log_level"] in {"error", "critical"}] == []
    assert [line["number"] for line in logs if line["event"] == "outbox.left"] == [1]


async def test_particles_default_request_arrives_as_a_mail(make_settings, authority: trustme.CA, authority_file):
    """Particle's documented default request becomes a mail, over STARTTLS and with a login."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    async with mail_sink(user="alerts@example.net", password="app password", tls=context) as sink:
        settings = make_settings(
            smtp_host="localhost",
            smtp_port=sink.port,
            smtp_email="alerts@example.net",
            smtp_password="app password",
            smtp_ca_file=authority_file,
            recipient_email="me@example.com",
            devices="3f002b000000000000000000=Front door",
        )
        async with serving(settings) as service:
            answer = await service.client.post(
                "/webhook/particle",
                content=PARTICLES_OWN,
                headers={
                    **BEARER,
                    "Content-Type": "application/x-www-form-urlencoded",
                    "User-Agent": "ParticleBot/1.1 (https://docs.particle.io/webhooks)",
                },
            )
            assert answer.status_code == 202
            [received] = await sink.received(1)
    assert (received.sender, received.to) == ("alerts@example.net", "me@example.com")
    assert (received.tls, received.user) == (True, "alerts@example.net")
    assert received.mail["Subject"] == "[WARNING] Front door: demo"
    assert received.mail["Auto-Submitted"] == "auto-generated"
    assert "mydata" in received.text
    assert "2017-02-01 21:08:05 UTC" in received.text
    assert "mydata" in received.html
