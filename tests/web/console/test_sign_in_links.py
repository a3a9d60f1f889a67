"""Signing in by a link to one's own contact: who gets one, what it does, how often, and what strangers learn of it."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import httpx
import pytest
from starlette.responses import Response
from structlog.testing import capture_logs

from alertgate.model import ChannelName, Target
from alertgate.notify.channels.registry import PROVIDERS
from alertgate.notify.gateways import is_text_message
from alertgate.notify.render.text import SEGMENT, septets
from alertgate.notify.sign_in_message import OF_ONE_PERSON, is_of_one_person, message
from alertgate.policy.people import Contact, Person
from alertgate.policy.policy import Policy
from alertgate.policy.written import read_quiet_hours
from tests.conftest import Running, serving
from tests.console import SAME_ORIGIN, link_for, seen, sent, signed_in_by_link
from tests.fakes import START, FakeClock, MailSink, mail_sink, until
from tests.pages import PUBLIC_URL
from tests.policies import BERLIN
from tests.scrape import scrape
from tests.services import pushover, twilio
from tests.services.ntfy import NtfyServer
from tests.services.server import Asked, serve
from tests.services.telegram import TOKEN as BOT_TOKEN
from tests.services.telegram import TelegramFake

EMAIL, NTFY = ChannelName.EMAIL, ChannelName.NTFY
ANNA = Person("Anna", (Contact(NTFY, "anna-x7KqPm2w"), Contact(EMAIL, "anna@example.com")), BERLIN)
BEA = Person("Bea", (Contact(EMAIL, "bea@example.org"), Contact(EMAIL, "both@example.org")), BERLIN)
CLEO = Person("Cleo", (Contact(EMAIL, "both@example.org"),), BERLIN)
HOUSE = Policy(people=MappingProxyType({each.name: each for each in (ANNA, BEA, CLEO)}))
MAIL = {"smtp_host": "127.0.0.1", "smtp_security": "none", "smtp_email": "alerts@example.net"}
_LINK = re.compile(re.escape(PUBLIC_URL) + r"(/sign-in/[A-Za-z0-9_-]{22})(?![A-Za-z0-9_-])")


@dataclass
class Home:
    """A service of three people, their mailboxes, and a phone."""

    service: Running
    sink: MailSink
    ntfy: NtfyServer
    clock: FakeClock
    people: dict[str, Person]

    @property
    def links(self) -> list[str]:
        """The paths of all links that were sent, by whichever channel."""
        texts = [mail.text for mail in self.sink.messages] + [said["click"] for said in self.ntfy.messages]
        return [path for text in texts for path in _LINK.findall(text)]

    async def ask(self, name: str, **headers: str) -> httpx.Response:
        """Ask for a link, as the form does."""
        return await self.service.client.post("/sign-in-link", data={"person": name}, headers=SAME_ORIGIN | headers)

    async def got(self, number: int) -> list[str]:
        """Wait for so many links."""

        async def are_there() -> bool:
            return len(self.links) >= number

        await until(are_there)
        return self.links


@asynccontextmanager
async def homes(make_settings, **overrides: Any) -> AsyncIterator[Home]:
    """Run it."""
    people, clock = dict(HOUSE.people), FakeClock()
    async with mail_sink() as sink, serve(NtfyServer()) as ntfy:
        assert isinstance(ntfy, NtfyServer)
        reached = {"ntfy_url": ntfy.url, "channels_private": True, "smtp_port": sink.port, **MAIL}
        settings = make_settings(
            **{**reached, "recipient_email": "me@example.com", "public_url": PUBLIC_URL, **overrides}
        )
        parts = {"policy": lambda: Policy(people=MappingProxyType(people))}
        async with serving(settings, clock=clock, **parts) as service:
            yield Home(service, sink, ntfy, clock, people)


@pytest.fixture
async def home(make_settings) -> AsyncIterator[Home]:
    """A service on SQLite."""
    async with homes(make_settings) as made:
        yield made


async def test_a_link_signs_its_person_in_once(make_settings, database):
    """It comes to each contact; opening it does nothing, its button signs in, as that person, and uses it up."""
    async with homes(make_settings, **database) as home:
        answer = await home.ask(" anna ")
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?said=link-asked")
        first, second = await home.got(2)
        assert first == second
        [mail] = home.sink.messages
        assert (mail.to, mail.mail["subject"]) == (
            "anna@example.com",
            "[SIGN IN] Your link to the console of alertgate",
        )
        [push] = home.ntfy.messages
        assert (push["topic"], push["priority"]) == ("anna-x7KqPm2w", 2)
        async with httpx.AsyncClient(base_url=home.service.client.base_url) as browser:
            for _ in range(3):
                page = await seen(browser, first)
                assert "Sign in as Anna" in page.text
                assert page.answer.headers["referrer-policy"] == "strict-origin"
                assert not page.answer.cookies
                assert first.rpartition("/")[2] not in page.answer.text
            begun = await sent(browser, first, zone="Europe/Berlin")
            assert (begun.status_code, begun.headers["location"]) == (303, "/")
            assert "Anna" in (await seen(browser, "/")).text
            assert (await sent(browser, first)).status_code == 404
            await seen(browser, first, 404)
            assert "Anna" in (await seen(browser, "/")).text
        [session] = await _sessions(home.service)
        assert (session["person"], session["name"], session["credential"]) == ("Anna", "Anna", "console")


async def _sessions(service: Running) -> list[dict[str, Any]]:
    def rows(connection: Any) -> list[dict[str, Any]]:
        return [dict(row._mapping) for row in connection.exec_driver_sql("SELECT * FROM sessions ORDER BY id")]

    return await service.gate.store.read(rows)


async def test_whoever_presses_first_is_signed_in_and_nobody_else(make_settings, database):
    """Of ten who use one link at once, one gets a session."""
    async with homes(make_settings, **database) as home:
        path = await link_for(home.service, "Anna")
        answers = await asyncio.gather(*(sent(home.service.client, path) for _ in range(10)))
        assert sorted(answer.status_code for answer in answers) == [303] + [404] * 9
        assert len(await _sessions(home.service)) == 1


async def test_every_phone_gets_the_link_and_none_rings(make_settings):
    """By Pushover, Telegram and a text, without a sound where that can be said; nobody is called."""
    account = twilio.Account()
    contacts = (
        Contact(ChannelName.PUSHOVER, pushover.OWNER),
        Contact(ChannelName.TELEGRAM, "42"),
        Contact(ChannelName.TWILIO, twilio.PHONE),
        Contact(ChannelName.CALL, twilio.PHONE),
    )
    dora = Policy(people=MappingProxyType({"Dora": Person("Dora", contacts, BERLIN)}))
    async with (
        serve(pushover.PushoverServer()) as app,
        serve(TelegramFake()) as bot,
        serve(twilio.service(account)) as texts,
    ):
        assert isinstance(app, pushover.PushoverServer)
        assert isinstance(bot, TelegramFake)
        own = {"pushover_url": app.url, "telegram_url": bot.url, "twilio_url": texts.url, "public_url": PUBLIC_URL}
        tokens = {"pushover_token": pushover.TOKEN, "telegram_token": BOT_TOKEN, **twilio.SETTINGS}
        async with serving(make_settings(**own, **tokens), policy=lambda: dora) as service:
            await service.client.post("/sign-in-link", data={"person": "Dora"}, headers=SAME_ORIGIN)

            async def all_have_it() -> bool:
                return bool(app.messages and bot.sent and account.texts)

            await until(all_have_it)
            told = [app.messages[0]["url"], bot.sent[0].text, account.texts[0].fields["Body"]]
            paths = {path for text in told for path in _LINK.findall(text)}
            assert (len(paths), app.messages[0]["priority"], account.calls) == (1, "-1", [])
            await bot.end_polls()


async def test_a_link_counts_for_ten_minutes(home: Home):
    """Then it leads nowhere, and says what to do."""
    path = await link_for(home.service, "Anna")
    home.clock.move(minutes=9, seconds=59)
    await seen(home.service.client, path)
    home.clock.move(seconds=1)
    assert "Ask for a new one" in (await seen(home.service.client, path, 404)).text
    assert (await sent(home.service.client, path)).status_code == 404


async def test_only_the_page_itself_uses_a_link(home: Home):
    """What another site sends is refused, and the link still works."""
    path = await link_for(home.service, "Anna")
    for headers in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}, {"Origin": "https://evil.example"}):
        assert (await home.service.client.post(path, headers=headers)).status_code == 403, headers
    assert (await home.service.client.post(path, headers={"Origin": PUBLIC_URL})).status_code == 403  # of this http
    assert (await sent(home.service.client, path)).status_code == 303


async def test_strangers_do_not_learn_who_exists(home: Home):
    """The answer is the same, and comes before anything is looked up: to a name, to none, when there are no more."""
    answers = [
        await home.ask(name) for name in ("Anna", "Nobody", "", "anna@example.com", "A" * 10_000, "Anna", "Anna")
    ]
    answers += [await home.ask("Anna"), await home.ask("\x00\ud7ff\u202e")]
    said = {(each.status_code, each.headers["location"], each.content) for each in answers}
    assert said == {(303, "/sign-in?said=link-asked", b"")}
    page = await seen(home.service.client, "/sign-in?said=link-asked")
    assert "If there is a person of that name" in page.text
    await home.got(6)


async def test_the_answer_does_not_wait_for_a_server(home: Home):
    """It comes while a service hasn't answered yet, so that its time says nothing either."""
    answered = asyncio.Event()

    async def late(asked: Asked) -> Response:
        await answered.wait()
        return home.ntfy.reply(asked)

    home.ntfy.script.append(late)
    assert (await home.ask("Anna")).status_code == 303
    assert (await home.service.client.get("/health/live")).status_code == 200  # on the same connection
    assert home.links == []
    answered.set()
    await home.got(2)


async def test_a_link_that_cannot_be_stored_is_not_sent(make_settings):
    """The answer is the same; the log says why."""
    async with homes(make_settings) as home:
        with home.service.gate.store.transaction() as connection:
            connection.exec_driver_sql("PRAGMA query_only=ON")
        with capture_logs() as logs:
            assert (await home.ask("Anna")).status_code == 303

            async def is_said() -> bool:
                return any(line["event"] == "console.link_not_sent" for line in logs)

            await until(is_said)
        assert home.links == []


async def test_nobody_gets_more_than_a_few(home: Home):
    """Three an hour to a person, ten a day, whoever asks from wherever; others get theirs all the same."""
    for _ in range(5):
        await home.ask("Bea")
    await home.got(3)
    await home.ask("Anna")
    await home.got(5)
    assert [mail.to for mail in home.sink.messages].count("bea@example.org") == 3
    for _ in range(10):
        home.clock.move(hours=1, seconds=1)
        for _ in range(3):
            await home.ask("Bea")
    await home.ask("Anna")
    await home.got(14)
    assert [mail.to for mail in home.sink.messages].count("bea@example.org") == 10
    counted = scrape((await home.service.client.get("/metrics")).text)
    assert counted("alertgate_rate_limited_total", budget="sign_in_link") > 0


async def test_one_address_asks_a_few_times_an_hour(home: Home):
    """Then it is refused, whomever it names, and other addresses aren't."""
    codes = [(await home.ask("Nobody")).status_code for _ in range(11)]
    assert codes == [303] * 10 + [429]
    home.clock.move(hours=1)
    assert (await home.ask("Anna")).status_code == 303


@pytest.mark.parametrize(
    ("contacts", "expected"),
    [
        (("sms:1@example.net", "email:dora@example.org"), ["dora@example.org"]),
        (("sms:1@example.net",), ["1@example.net"]),
    ],
)
async def test_a_stranger_wakes_nobody(make_settings, contacts, expected):
    """In quiet hours no text message is sent to who has another contact; without one they could never sign in."""
    quiet = read_quiet_hours("00:00-23:59 except critical")
    async with homes(make_settings) as home:
        split = (each.split(":") for each in contacts)
        mine = tuple(Contact(ChannelName(channel), address) for channel, address in split)
        home.people["Dora"] = Person("Dora", mine, BERLIN, quiet)
        await home.ask("Dora")
        await home.got(len(expected))
        assert [mail.to for mail in home.sink.messages] == expected


async def test_links_leave_the_mail_account_to_alerts(make_settings):
    """They use a twentieth of its daily limit, and nothing of what is kept for what is critical."""
    async with homes(make_settings, smtp_daily_limit=40) as home:
        with capture_logs() as logs:
            for name, links in (("Bea", 1), ("Anna", 3), ("Bea", 3)):
                await home.ask(name)
                await home.got(links)

            async def are_refused() -> bool:
                return len([line for line in logs if line["event"] == "console.link_not_sent"]) == 1

            await until(are_refused)
        assert (len(home.sink.messages), len(home.ntfy.messages)) == (2, 1)
        [line] = [line for line in logs if line["event"] == "console.link_not_sent"]
        assert (line["person"], line["to"]) == ("Bea", "b***@example.org")
        assert "part of the account's daily limit" in line["detail"]


async def test_a_contact_that_others_share_gets_no_link(home: Home):
    """Who has that contact alone isn't sent one, and the log says why: another could sign in as them."""
    with capture_logs() as logs:
        for _ in range(6):  # a stranger asks again and again
            await home.ask("Cleo")
        await home.ask("Bea")
        await home.got(1)
    assert [mail.to for mail in home.sink.messages] == ["bea@example.org"]
    lines = [line for line in logs if line["event"] == "console.link_not_sent"]
    assert {(line["person"], "theirs alone" in line["detail"]) for line in lines} == {("Cleo", True)}
    assert len(lines) == 3  # as many as she would have got links, so that the log isn't filled


async def test_without_a_public_address_there_are_no_links(make_settings):
    """The form isn't offered, and the page says why; who sends it all the same is told so too."""
    async with homes(make_settings, public_url=None) as home:
        page = await seen(home.service.client, "/sign-in")
        assert "PUBLIC_URL isn’t set" in page.text
        assert [form.action for form in page.forms] == ["/sign-in"]
        answer = await home.ask("Anna")
        assert (answer.status_code, "PUBLIC_URL" in answer.text) == (503, True)


async def test_a_person_whom_the_policy_no_longer_has_is_signed_out(home: Home):
    """At once, with links that weren't used; and retention deletes both, so that they don't come back with the name."""
    async with signed_in_by_link(home.service, "Anna") as anna, signed_in_by_link(home.service, "Bea") as bea:
        path = await link_for(home.service, "Anna")
        removed = home.people.pop("Anna")
        await seen(anna, "/", 401)
        await seen(anna, path, 404)
        await seen(bea, "/")

        async def are_deleted() -> bool:
            home.clock.move(minutes=11)
            return len(await _sessions(home.service)) == 1

        await until(are_deleted)
        home.people["Anna"] = removed
        await seen(anna, "/", 401)
        await seen(bea, "/")


async def test_recipients_without_a_policy_sign_in_by_their_address(make_settings):
    """Who is told by the settings is called like their address, which is masked wherever it is shown and recorded."""
    async with mail_sink() as sink:
        own = {"recipient_email": "me@example.com", "smtp_port": sink.port, "public_url": PUBLIC_URL, **MAIL}
        async with serving(make_settings(**own)) as service:
            home = Home(service, sink, NtfyServer(), FakeClock(), {})
            await home.ask("ME@example.com")
            [path] = await home.got(1)
            assert "Sign in as m***@example.com" in (await seen(service.client, path)).text
            assert (await sent(service.client, path)).status_code == 303
            assert "m***@example.com" in (await seen(service.client, "/")).text
        [session] = [line for line in [await _name(make_settings)] if line]
    assert session == "m***@example.com"


async def _name(make_settings) -> str:
    async with serving(make_settings(recipient_email="me@example.com")) as again:
        return (await _sessions(again))[0]["name"]


async def test_a_links_token_is_in_no_log_and_no_metric(home: Home):
    """Whatever was asked for, however it was answered, and whatever a mail server repeats."""
    with capture_logs() as logs:
        home.sink.answer("DATA", "554 5.7.1 refused", f"554 5.7.1 {PUBLIC_URL}/sign-in/ is listed")
        await home.ask("Anna")
        [path, *_] = await home.got(1)
        token, client = path.rpartition("/")[2], home.service.client
        for wrong in (path, f"/Sign-In/{token}", f"/x{path}", f"/sign-in//{token}", f"{path}/more", f"{path}%0a"):
            await client.get(wrong)
            await client.put(wrong)
        await sent(client, path)
        metrics = (await client.get("/metrics")).text
    assert [line for line in logs if token in repr(line)] == []
    assert token not in metrics
    assert "/sign-in/{token}" in {line.get("path") for line in logs}


def _targets() -> list[Target]:
    return [(name, address) for name in ChannelName for address in ("-1001", "1001", "+491701111111", "a@vtext.com")]


@pytest.mark.parametrize("target", [each for each in _targets() if is_of_one_person(each)], ids=str)
def test_the_message_has_the_link_and_fits_its_channel(target):
    """By every channel that carries one: also a text message of one segment with the longest address of a service."""
    url = f"https://{'x' * 68}.org/sign-in/{'A' * 22}"
    made = message(target, "Anna\n\u202e" + "x" * 1000, url, "id-1", "example.net", START)
    link = made.brief.link if made.brief else None
    assert url in (made.text, link) or made.text.count(url) == 1
    if is_text_message(*target):
        assert (made.subject, septets(made.text) <= SEGMENT) == (None, True)
    else:
        assert "\u202e" not in made.text
    assert made.brief is None or made.brief.is_quiet


def test_no_room_no_program_and_no_call_gets_a_link():
    """Each channel that there is was decided on: others read along in rooms, and programs write logs."""
    names = {name for provider in PROVIDERS for name in provider.ADDRESSES} | {ChannelName.OUTBOX}
    assert names - OF_ONE_PERSON == {
        *(ChannelName.CALL, ChannelName.WEBHOOK, ChannelName.SLACK, ChannelName.DISCORD, ChannelName.TEAMS),
        *(ChannelName.MATRIX, ChannelName.APPRISE),
    }
    assert not is_of_one_person((ChannelName.TELEGRAM, "-1001234567890"))
    assert is_of_one_person((ChannelName.TELEGRAM, "1234567890"))
