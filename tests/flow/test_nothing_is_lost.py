"""Every alert answered with 2xx is delivered, whichever process or server dies in between."""

import re
import signal

from sqlalchemy import create_engine, text

from tests.conftest import BEARER, serving
from tests.fakes import mail_sink, until
from tests.flow.process import process


def mail_settings(port: int) -> dict:
    """Settings for the test's mail server."""
    return {
        "smtp_host": "127.0.0.1",
        "smtp_port": port,
        "smtp_security": "none",
        "smtp_email": "alerts@example.net",
        "recipient_email": "me@example.com",
    }


async def raise_alert(client, **fields):
    """Call the Particle webhook; return the accepted alert's id."""
    answer = await client.post("/webhook/particle", json={"event": "alarm", "coreid": "d1", **fields}, headers=BEARER)
    assert answer.status_code == 202
    return answer.json()["id"]


async def test_a_mail_arrives_after_the_server_was_killed(tmp_path, database):
    """After a SIGKILL between the 202 and the mail server's answer, the mail arrives after a restart.

    It may be sent twice, with the same Message-ID, because the service can't know whether the first one arrived.
    """
    async with mail_sink() as sink:
        sink.open.clear()
        settings = {**mail_settings(sink.port), **database}
        async with process(tmp_path, **settings) as first:
            await raise_alert(first.client, data="before the kill")
            await sink.talking.wait()
            await first.kill()
        assert sink.messages == []
        sink.open.set()
        if database:
            let_leases_run_out(database["database_url"])
        async with process(tmp_path, **settings) as second:
            [mail, *repeats] = await sink.received(1)
            assert "before the kill" in mail.text
            assert {repeat.mail["Message-ID"] for repeat in repeats} <= {mail.mail["Message-ID"]}
            assert await second.stop() == 0


def let_leases_run_out(url: str) -> None:
    """Expire all leases, because a replica takes over another's notifications only after their minute."""
    engine = create_engine(url)
    with engine.begin() as connection:
        assert connection.execute(text("UPDATE notifications SET lease_until = 0 WHERE status = 'sending'")).rowcount
    engine.dispose()


async def test_a_mail_waits_for_its_server(make_settings, database):
    """If the mail server is down when the alert arrives, the mail arrives once it is back, exactly once."""
    async with mail_sink() as sink:
        await sink.stop()
        async with serving(make_settings(**mail_settings(sink.port), **database)) as service:
            alert_id = await raise_alert(service.client, data="while it was away")

            async def attempted():
                [notification] = (await service.trail(alert_id))["notifications"]
                return notification["attempts"]

            [attempt] = await until(attempted)
            assert (attempt["outcome"], attempt["reason"]) == ("transient", "connection")
            await sink.start()
            [mail] = await sink.received(1)
            assert "while it was away" in mail.text

            async def sent():
                [notification] = (await service.trail(alert_id))["notifications"]
                return notification["status"] == "sent" and notification

            notification = await until(sent)
    assert [attempt["outcome"] for attempt in notification["attempts"]][-1] == "sent"
    assert len(sink.messages) == 1


async def test_sigterm_finishes_what_is_being_sent(tmp_path):
    """A stop waits for the mail server's answer, records it, and exits with 0; nothing is sent again afterwards."""
    async with mail_sink() as sink:
        sink.open.clear()
        async with process(tmp_path, **mail_settings(sink.port)) as first:
            await raise_alert(first.client)
            await sink.talking.wait()
            first.child.send_signal(signal.SIGTERM)
            sink.open.set()
            assert await first.child.wait() == 0
        assert len(sink.messages) == 1
        async with process(tmp_path, **mail_settings(sink.port)) as second:
            await raise_alert(second.client, coreid="another")
            await sink.received(2)
    assert [mail.mail["Subject"] for mail in sink.messages] == ["[WARNING] d1: alarm", "[WARNING] another: alarm"]


async def test_two_devices_in_the_same_second_are_two_mails(make_settings, database):
    """An alert from one device doesn't delay one from another."""
    async with mail_sink() as sink, serving(make_settings(**mail_settings(sink.port), **database)) as service:
        await raise_alert(service.client, coreid="one")
        await raise_alert(service.client, coreid="two")
        mails = await sink.received(2)
    assert {mail.mail["Subject"] for mail in mails} == {"[WARNING] one: alarm", "[WARNING] two: alarm"}


async def test_fifty_alerts_are_one_mail_and_one_pending_update(make_settings, database):
    """A storm from one device and event sends one opening at once, and plans one update."""
    async with mail_sink() as sink, serving(make_settings(**mail_settings(sink.port), **database)) as service:
        for number in range(50):
            last = await raise_alert(service.client, data=f"n {number}")
        trail = await service.trail(last)
        assert trail["incident"]["alert_count"] == 50

        async def settled():
            told = (await service.trail(last))["notifications"]
            return [(n["kind"], n["status"]) for n in told] == [("opening", "sent"), ("update", "pending")]

        await until(settled)
    assert len(sink.messages) == 1


async def test_a_text_message_goes_out_plain(make_settings):
    """A gateway address gets one segment of plain ASCII without subject or HTML; an email address gets both."""
    settings = {**the_recipients(), "devices": "d1=Küche"}
    async with mail_sink() as sink, serving(make_settings(**{**mail_settings(sink.port), **settings})) as service:
        await raise_alert(service.client, data="Feuer – schnell! ✓" * 20)
        mails = {mail.to: mail for mail in await sink.received(3)}
    text = mails["4915100000@sms.example.net"].mail
    assert (text["Subject"], text.get_content_type()) == (None, "text/plain")
    content = text.get_content().removesuffix("\n")
    assert re.match(r"WARNING Kuche: alarm at \d\d:\d\d - Feuer - schnell! ", content)
    assert (len(content), text["Content-Transfer-Encoding"]) == (160, "7bit")
    assert mails["5551234567@vtext.com"].mail.get_content_type() == "text/plain"
    assert mails["me@example.com"].mail.get_content_type() == "multipart/alternative"


def the_recipients() -> dict:
    """An email address, an address at a known gateway, and one of RECIPIENT_SMS."""
    return {
        "recipient_email": "me@example.com, 5551234567@vtext.com",
        "recipient_sms": "4915100000@sms.example.net",
    }
