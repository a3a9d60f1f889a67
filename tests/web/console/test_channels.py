"""Channels in the console: what each says of itself over real servers, and what is done about failures."""

import re
from contextlib import AsyncExitStack

from structlog.testing import capture_logs

from alertgate.model import ChannelName
from alertgate.store import counts
from tests.conftest import API_BEARER, Running, serving
from tests.console import BESIDE, queries, seen, sent, signed_in, signed_in_by_link
from tests.fakes import FakeClock, mail_sink, until
from tests.flow.test_nothing_is_lost import mail_settings
from tests.flow.test_outstanding import BAD, GONE, GOOD, told_both


async def failed(service: Running, number: int) -> list[str]:
    """Raise as many alerts, and wait for the failures of the one whose address is refused; return their ids."""
    for each in range(number):
        await service.particle(event=f"leak/{each}", coreid=f"d{each}")
    await service.settled()

    async def all_failed():
        query = {"outstanding": True, "limit": 200}
        answer = await service.client.get("/api/notifications", params=query, headers=API_BEARER)
        found = [each["id"] for each in answer.json()["items"]]
        return found if len(found) >= number else None

    return await until(all_failed)


async def test_failures_are_shown_in_the_servers_words_and_dealt_with(make_settings, database):
    """Retry sends one again, dismiss ends one; done twice, nothing more happens."""
    async with AsyncExitStack() as stack:
        sink = await stack.enter_async_context(mail_sink())
        settings = make_settings(**told_both(sink), **database)
        service = await stack.enter_async_context(serving(settings, clock=FakeClock()))
        client = await stack.enter_async_context(signed_in(service, "Ada"))
        first, second, *_ = await failed(service, 3)
        page = await seen(client, "/channels")
        assert "3 notifications failed" in page.text
        assert GONE in page.text
        assert BAD not in page.answer.text
        assert "email:a***@example.com" in page.text
        assert "3 sent" in page.text
        assert GOOD not in page.answer.text
        sink.refused.clear()
        with capture_logs() as logs:
            for notice in ("retried", "not-failed"):
                answer = await sent(client, f"/notifications/{first}/retry", to="/channels")
                assert answer.headers["location"] == f"/channels?said={notice}"
        [line] = [each for each in logs if each["event"] == "notification.retried"]
        assert (line["by"], line["credential"]) == ("Ada", "console_token")
        await service.settled()
        assert len([mail for mail in sink.messages if mail.to == BAD]) == 1
        for notice in ("dismissed", "dismissed"):
            answer = await sent(client, f"/notifications/{second}/dismiss", to="/channels")
            assert answer.headers["location"] == f"/channels?said={notice}"
        dismissed = (await service.client.get("/api/notifications", headers=API_BEARER)).json()["items"]
        by = {each["id"]: (each["dismissed_by"], each["dismissed_with"]) for each in dismissed}
        assert by[second] == ("Ada", "console_token")
        assert "1 notification failed" in (await seen(client, "/channels")).text


async def test_who_signed_in_by_a_link_sees_failures_and_has_no_buttons_for_them(make_settings):
    """On both pages that show one; its page says who has."""
    async with AsyncExitStack() as stack:
        sink = await stack.enter_async_context(mail_sink())
        service = await stack.enter_async_context(serving(make_settings(**told_both(sink)), clock=FakeClock()))
        client = await stack.enter_async_context(signed_in_by_link(service, GOOD))
        await failed(service, 2)
        incident = (await service.client.get("/api/incidents", headers=API_BEARER)).json()["items"][0]["id"]
        for path in ("/channels", f"/incidents/{incident}"):
            page = await seen(client, path)
            assert GONE in page.text
            assert not [form.action for form in page.forms if form.action.startswith("/notifications/")]
        assert "Whoever signs in with API_TOKEN can retry or dismiss them." in (await seen(client, "/channels")).text


async def test_dismissing_all_leaves_what_failed_since(make_settings):
    """Nobody has seen that on the page whose button was pressed."""
    async with AsyncExitStack() as stack:
        sink, clock = await stack.enter_async_context(mail_sink()), FakeClock()
        service = await stack.enter_async_context(serving(make_settings(**told_both(sink)), clock=clock))
        client = await stack.enter_async_context(signed_in(service))
        await failed(service, 2)
        page = await seen(client, "/channels")
        button = "Yes, dismiss all 2"
        clock.move(minutes=1)
        await service.particle(event="later", coreid="d9")
        await service.settled()
        answer = await sent(client, "/notifications/dismiss", **page.filled(button))
        assert answer.headers["location"] == "/channels?said=all-dismissed"
        left = await seen(client, "/channels")
        assert "1 notification failed" in left.text
        assert "later" in left.text
        for given in ({}, {"until": "soon"}):
            assert (await sent(client, "/notifications/dismiss", **given)).status_code == 422
        assert "1 notification failed" in (await seen(client, "/channels")).text


async def test_a_paused_channel_says_why_and_what_to_do(make_settings):
    """With the server's words, what waits, and when it is tried again."""
    async with AsyncExitStack() as stack:
        sink, clock = await stack.enter_async_context(mail_sink(user="u", password="p")), FakeClock()
        settings = make_settings(
            **{**mail_settings(sink.port), "smtp_host": "localhost"}, smtp_user="u", smtp_password="wrong"
        )
        service = await stack.enter_async_context(serving(settings, clock=clock))
        client = await stack.enter_async_context(signed_in(service))
        await service.particle(event="leak")

        async def is_paused():
            waits = (await service.gate.store.read(counts.queues)).get(ChannelName.EMAIL)
            return not service.gate.deliverer.states[ChannelName.EMAIL].up and waits and waits.pending == 1

        await until(is_paused)
        clock.move(minutes=0.5)
        page = await seen(client, "/channels")
        for said in ("paused", "credentials", "535", "What to do:", "SMTP_PASSWORD", "1; the first is due"):
            assert said in page.text, said
        assert "me@example.com" not in page.answer.text


async def test_what_is_not_configured_and_what_is_doubtful_is_said(make_settings):
    """Each channel with the setting that it needs; the mail account's limit with what was sent."""
    settings = make_settings(
        **mail_settings(1), smtp_daily_limit=500, ntfy_url="http://ntfy.example.org", ntfy_token="tk_x"
    )
    async with serving(settings) as service, signed_in(service) as client:
        page = await seen(client, "/channels")
        for said in (
            "set PUSHOVER_TOKEN",
            "docs/channels/telegram.md",
            "of 500 (SMTP_DAILY_LIMIT)",
            "warn",
            "anybody on the way can read",
        ):
            assert said in page.text, said
        assert "TWILIO_DAILY_LIMIT" not in page.text
    async with serving(make_settings(data_dir=settings.data_dir / "other")) as service, signed_in(service) as client:
        page = await seen(client, "/channels")
        for said in ("set SMTP_EMAIL or SMTP_HOST", "nobody is told", "fail"):
            assert said in page.text, said


async def test_many_failures_take_no_more_queries(make_settings, database):
    """As many statements for nine as for two; all are counted."""
    async with AsyncExitStack() as stack:
        sink = await stack.enter_async_context(mail_sink())
        service = await stack.enter_async_context(serving(make_settings(**told_both(sink), **database)))
        client = await stack.enter_async_context(signed_in(service))
        await failed(service, 2)
        few = len(await queries(client, "/channels"))
        await failed(service, 9)
        assert len(await queries(client, "/channels")) <= min(few + BESIDE, 20)
        page = await seen(client, "/channels")
        assert re.search(r"Dismiss all (9|1\d)", page.text)
