"""The state of a notification and its channel after each kind of failure of the mail server."""

import asyncio
from datetime import datetime

import pytest

from alertgate.model import ChannelName
from alertgate.notify.breaker import PATIENCE
from alertgate.notify.budget import Budget
from alertgate.prove.outstanding import ADVICE
from tests.conftest import API_BEARER, serving
from tests.fakes import START, FakeClock, mail_sink, until
from tests.flow.household import MINUTE, escalation, household, person, policy, step
from tests.flow.test_nothing_is_lost import mail_settings, raise_alert

LOGIN = {"smtp_username": "u", "smtp_password": "p"}
FIRST_RETRY = (4.0, 6.0)
"""Seconds: 5, a fifth either way."""
SLOW_PROBE = (48.0, 72.0)
"""Seconds: a minute, a fifth either way."""
ABOUT_US, SLOW = ("transient",), ("pending", False, SLOW_PROBE)


async def attempted(service, alert_id: str, times: int = 1) -> dict:
    """Return an alert's only notification, once it has that many attempts and isn't being sent."""

    async def has_attempts():
        [notification, *_] = (await service.trail(alert_id))["notifications"]
        return len(notification["attempts"]) >= times and notification["status"] != "sending" and notification

    return await until(has_attempts)


@pytest.mark.parametrize(
    ("command", "reply", "outcome", "reason", "status", "up", "probe"),
    [
        ("AUTH", "535 5.7.8 credentials refused", "transient", "credentials", "pending", False, SLOW_PROBE),
        ("AUTH", "534 5.7.9 app password needed", "transient", "credentials", "pending", False, SLOW_PROBE),
        ("AUTH", "454 4.7.0 too many logins", "transient", "too_many_logins", "pending", True, None),
        ("EHLO", "421 4.7.0 try again later", "transient", "try_later", "pending", True, None),
        ("MAIL", "421 4.7.0 try again later", "transient", "try_later", "pending", True, None),
        ("RCPT", "450 4.2.1 receiving too fast", "transient", "recipient_busy", "pending", True, None),
        ("RCPT", "452 4.2.2 mailbox full", "transient", "mailbox_full", "pending", True, None),
        ("DATA", "550 5.4.5 daily limit", "transient", "daily_limit", "pending", False, SLOW_PROBE),
        ("RCPT", "550 5.1.1 no such user", "permanent", "no_such_recipient", "failed", True, None),
        ("DATA", "552 5.3.4 message too large", "permanent", "too_large", "failed", True, None),
        ("DATA", "554 5.7.1 spam", "permanent", "policy", "failed", True, None),
        ("RCPT", "553 5.7.1 Sender address rejected: not owned by user", *ABOUT_US, "sender_refused", *SLOW),
        ("RCPT", "554 5.7.1 <me@example.com>: Relay access denied", *ABOUT_US, "relay_refused", *SLOW),
        ("RCPT", "504 5.5.2 Helo command rejected: need fully-qualified hostname", *ABOUT_US, "host_refused", *SLOW),
        ("RCPT", "550 Sender not allowed", *ABOUT_US, "sender_refused", *SLOW),
        ("RCPT", "550 relay not permitted", *ABOUT_US, "relay_refused", *SLOW),
        ("RCPT", "550 HELO/EHLO with no dot", *ABOUT_US, "host_refused", *SLOW),
        ("DATA", "554 Message rejected: Email address is not verified.", *ABOUT_US, "sender_refused", *SLOW),
        ("DATA", "554 5.2.252 SendAsDenied", *ABOUT_US, "sender_refused", *SLOW),
        ("RCPT", "550 5.7.1 Access denied", *ABOUT_US, "unclear", "pending", False, FIRST_RETRY),
        ("DATA", "554 Transaction failed", *ABOUT_US, "unclear", "pending", False, FIRST_RETRY),
    ],
)
async def test_each_refusal_decides_notification_and_channel(
    make_settings, command, reply, outcome, reason, status, up, probe
):
    """It decides the outcome, its reason, the channel's state, and the time of the next attempt."""
    clock = FakeClock()
    credentials = {"user": "u", "password": "p"} if command == "AUTH" else {}
    async with mail_sink(**credentials) as sink:
        sink.answer(command, reply)
        settings = make_settings(**mail_settings(sink.port), **(LOGIN if credentials else {}))
        async with serving(settings, clock=clock) as service:
            notification = await attempted(service, await raise_alert(service.client))
            state = service.gate.deliverer.states[ChannelName.EMAIL]
            [attempt] = notification["attempts"]
            assert (attempt["outcome"], attempt["reason"], notification["status"]) == (outcome, reason, status)
            if command != "EHLO":  # the library replaces the reply to a refused greeting
                assert attempt["reply"] == reply
            assert (state.up, state.reason) == (up, reason)
            if status == "pending":
                wait = (datetime.fromisoformat(notification["due_at"]) - START).total_seconds()
                assert FIRST_RETRY[0] <= wait <= FIRST_RETRY[1]
            if probe:
                assert state.probe_at
                assert probe[0] <= (state.probe_at - START).total_seconds() <= probe[1]
            await service.gate.failures.look()
            health = (await service.client.get("/health", headers=API_BEARER)).json()
            paused = [] if up else [f"channel email is paused: {reason}"]
            failed = [f"outstanding failures: 1 (email 1): {ADVICE}"] if status == "failed" else []
            assert health.get("degraded", []) == [*paused, *failed]


async def test_a_dead_server_is_probed_with_one_notification_until_it_is_back(make_settings):
    """Three failures pause the channel and ten notifications wait; one is the probe, and later each arrives once."""
    clock = FakeClock()
    async with mail_sink() as sink:
        await sink.stop()
        async with serving(make_settings(**mail_settings(sink.port), flood_limit=0), clock=clock) as service:
            deliverer = service.gate.deliverer
            last = ""
            for number in range(PATIENCE):
                last = await raise_alert(service.client, coreid=f"d{number}")
                await attempted(service, last)
            paused = deliverer.states[ChannelName.EMAIL]
            assert (paused.up, paused.failures) == (False, PATIENCE)
            for number in range(PATIENCE, 10):
                last = await raise_alert(service.client, coreid=f"d{number}")
            assert (await service.trail(last))["notifications"][0]["attempts"] == []  # it waits, unattempted

            status = (await service.client.get("/status", headers=API_BEARER)).json()
            assert status["channels"]["email"]["state"] == "paused"
            assert (status["channels"]["email"]["pending"], status["channels"]["email"]["failures"]) == (10, PATIENCE)
            assert status["channels"]["email"]["last_error_reason"] == "connection"

            clock.move(seconds=10)
            deliverer.wake()

            async def probed():
                return deliverer.states[ChannelName.EMAIL].failures == PATIENCE + 1

            await until(probed)  # one more failure, not ten
            await sink.start()
            clock.move(seconds=30)
            deliverer.wake()
            mails = await sink.received(10)

            async def up():
                return deliverer.states[ChannelName.EMAIL].up

            await until(up)
    assert len({mail.mail["Message-ID"] for mail in mails}) == len(mails) == 10


async def test_a_mail_that_is_too_large_is_resent_without_its_picture(make_settings):
    """552 5.3.4 for a mail with a picture: the same message arrives without it, and says so."""
    picture = "data:image/png;base64,iVBORw0KGgo="
    async with mail_sink() as sink:
        sink.answer("DATA", "552 5.3.4 too large")
        async with serving(make_settings(**mail_settings(sink.port))) as service:
            alert_id = await raise_alert(service.client, data=picture)
            notification = await attempted(service, alert_id, 2)
            [mail] = await sink.received(1)
    assert [(a["outcome"], a["reason"]) for a in notification["attempts"]] == [
        ("permanent", "too_large"),
        ("sent", "sent"),
    ]
    assert notification["status"] == "sent"
    assert [part.get_content_type() for part in mail.mail.walk() if part.get_content_maintype() == "image"] == []
    assert "too large" in mail.text


async def test_an_undeliverable_notification_fails_after_give_up_after(make_settings):
    """Behind a paused channel, notifications fail after GIVE_UP_AFTER, attempted or not, and the audit reports them."""
    clock = FakeClock()
    async with mail_sink() as sink:
        await sink.stop()
        settings = make_settings(**mail_settings(sink.port), give_up_after=3600)
        async with serving(settings, clock=clock) as service:
            ids = [await raise_alert(service.client, coreid=f"d{number}") for number in range(PATIENCE + 2)]

            async def paused():
                deliverer = service.gate.deliverer
                return not deliverer.states[ChannelName.EMAIL].up and not deliverer.here

            await until(paused)
            clock.move(hours=1, seconds=1)
            service.gate.deliverer.wake()

            async def given_up():
                found = [(await service.trail(alert_id))["notifications"][0]["status"] for alert_id in ids]
                return set(found) == {"failed"}

            await until(given_up)
            audit = await service.gate.auditor.run()
            assert audit.say()[0].startswith(f"nobody_told: {PATIENCE + 2}")


async def test_give_up_after_counts_from_the_latest_alert(make_settings):
    """A retried notification that reports a new alert as well gets the whole of GIVE_UP_AFTER again."""
    clock = FakeClock()
    async with mail_sink() as sink:
        sink.answer("RCPT", *["450 4.2.1 busy"] * 3)
        settings = make_settings(**mail_settings(sink.port), give_up_after=3600)
        async with serving(settings, clock=clock) as service:
            first = await raise_alert(service.client)
            await attempted(service, first, 1)
            clock.move(minutes=59)
            await raise_alert(service.client, data="late")
            service.gate.deliverer.wake()
            await attempted(service, first, 2)
            clock.move(minutes=30)
            service.gate.deliverer.wake()
            notification = await attempted(service, first, 3)
            assert notification["status"] == "pending"
            clock.move(minutes=20)
            service.gate.deliverer.wake()
            [mail] = await sink.received(1)
    assert "late" in mail.text


async def test_close_to_the_daily_limit_only_what_is_critical_is_sent(make_settings):
    """From 90 % of SMTP_DAILY_LIMIT the rest waits, on purpose and visibly, until there is room."""
    clock = FakeClock()
    async with mail_sink() as sink:
        settings = make_settings(
            **mail_settings(sink.port),
            smtp_daily_limit=20,
            flood_limit=0,
            severity_rules="leak=critical",
            give_up_after=200_000,
        )
        async with serving(settings, clock=clock) as service:
            for number in range(18):
                await attempted(service, await raise_alert(service.client, event="leak", coreid=f"d{number}"))
            clock.move(seconds=6)
            service.gate.deliverer.wake()
            await until(lambda: asyncio.sleep(0, service.gate.deliverer.budgets["mail"] is Budget.RESERVE))
            waiting = await raise_alert(service.client, coreid="waits")
            leak = await raise_alert(service.client, event="leak", coreid="new")
            mails = await sink.received(19)
            assert (await attempted(service, leak))["status"] == "sent"
            assert mails[18].mail["Subject"] == "[CRITICAL] new: leak"
            clock.move(minutes=6)
            status = (await service.client.get("/status", headers=API_BEARER)).json()
            [held] = (await service.trail(waiting))["notifications"]  # what the gate says of the limit may wait as well
            assert (status["mail_budget"], held["status"]) == ("reserve", "pending")
            health = (await service.client.get("/health", headers=API_BEARER)).json()
            assert health["degraded"] == ["SMTP_DAILY_LIMIT is close: only critical notifications go out"]
            assert (await service.gate.auditor.run()).passed  # held back on purpose is no finding
            clock.move(hours=24)
            service.gate.deliverer.wake()
            assert (await attempted(service, waiting))["status"] == "sent"


async def test_notifications_of_a_removed_channel_move_to_the_configured_one(make_settings):
    """Pending emails go to the outbox after SMTP was removed from the settings."""
    async with mail_sink() as sink:
        await sink.stop()
        async with serving(make_settings(**mail_settings(sink.port))) as service:
            alert_id = await raise_alert(service.client)
            await attempted(service, alert_id)
        async with serving(make_settings(recipient_email="me@example.com")) as service:
            notification = await attempted(service, alert_id, 2)
        assert (notification["channel"], notification["status"]) == ("outbox", "sent")


async def test_a_clock_that_jumps_sends_nothing_twice(make_settings):
    """An hour forward while a mail is being sent: the lease has run out, but the sender is right here."""
    clock = FakeClock()
    async with mail_sink() as sink:
        sink.open.clear()
        async with serving(make_settings(**mail_settings(sink.port)), clock=clock) as service:
            alert_id = await raise_alert(service.client)
            await sink.talking.wait()
            clock.move(hours=1)
            service.gate.deliverer.wake()
            await raise_alert(service.client, coreid="another")
            sink.open.set()
            await attempted(service, alert_id)
            await sink.received(2)
    assert len({mail.mail["Message-ID"] for mail in sink.messages}) == len(sink.messages) == 2


async def test_who_was_refused_once_is_reminded_and_the_incident_ends(make_settings, database):
    """The relay was misconfigured for a moment, and the only mail was refused for good; reminders are new tries."""
    home_steps = escalation("home", step("owner"), repeat_every=5 * MINUTE, stop_after=20 * MINUTE)
    house = policy((person("owner"),), (home_steps,))
    async with household(make_settings, house, START, database) as home, home.running():
        home.sink.answer("RCPT", "550 5.1.1 no such user")
        leak = await home.says({"severity": "critical"})
        assert await home.passes(4.5) == []
        told = await home.passes(90)
        of_leak = [each for each in told if "not delivered" not in each]  # what that ended, the gate may say too
        assert of_leak[0].startswith("owner: CRITICAL 1st reminder")
        assert of_leak[-1].startswith("owner: CRITICAL Nobody has answered in 20 min")
        assert len(told) <= 5
        assert (await home.service.trail(leak["id"]))["escalation"]["next_at"] is None


async def test_nobody_is_reminded_while_the_first_message_is_on_its_way(make_settings):
    """It is retried; the one that is held for somebody asleep doesn't count."""
    quick = escalation("home", step("owner", "sleeper"), repeat_every=5 * MINUTE)
    house = policy((person("owner"), person("sleeper", "00:00-23:59")), (quick,))
    async with household(make_settings, house, START, {}) as home, home.running():
        home.sink.answer("RCPT", *["451 4.3.0 later"] * 400)
        leak = await home.says("water")
        assert await home.passes(12) == []
        escalated = (await home.service.trail(leak["id"]))["escalation"]
        assert (escalated["reason"], escalated["reminders"]) == ("nothing_sent", 0)
        home.sink.script.clear()
        home.sink.answer("RCPT", "550 5.1.1 no such user")
        told = await home.passes(40)
        assert told[0].startswith("owner: WARNING 1st reminder")
