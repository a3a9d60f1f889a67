"""Sessions: how long they last, who sees and ends which, what ends them, and that replicas share them."""

from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from alertgate.credential import Credential
from alertgate.session import LASTS, Session, token_mark
from alertgate.store import sessions
from alertgate.web.console.browsers import browser
from alertgate.web.console.sessions import AT_ONCE
from tests.conftest import API, Running, serving
from tests.console import BESIDE, SAME_ORIGIN, link_for, queries, seen, sent, signed_in, signed_in_by_link
from tests.fakes import START, FakeClock, until

OTHER = "other-token-0123456789abcdefghij"
FIREFOX = "Mozilla/5.0 (Android 14; Mobile; rv:128.0) Gecko/128.0 Firefox/128.0"
TWO = {"recipient_email": "anna@example.com,bea@example.org"}
ANNA, BEA = "anna@example.com", "bea@example.org"


def session(service: Running, number: int = 0, **changes: Any) -> Session:
    """Return a session that began with API_TOKEN."""
    now = service.gate.clock.now()
    made = Session(
        *(service.gate.new_id(now), f"{number:064}", None, f"Ada {number}", Credential.CONSOLE_TOKEN),
        *(token_mark(API), None, FIREFOX, now, now + LASTS, now),
    )
    return replace(made, **changes)


async def put(service: Running, *new: Session) -> None:
    """Store sessions."""
    for each in new:
        await service.gate.store.write(lambda connection, each=each: sessions.add(connection, each))


async def test_a_session_survives_a_restart_and_lasts_thirty_days(make_settings, database):
    """The cookie of before is as good after it; a second before its end it still is, and at its end it isn't."""
    clock = FakeClock()
    settings = make_settings(**database)
    async with AsyncExitStack() as held:
        async with serving(settings, clock=clock) as service, signed_in(service) as client:
            cookies = dict(client.cookies)
        clock.move(days=29, hours=23, minutes=59, seconds=59)
        service = await held.enter_async_context(serving(settings, clock=clock))
        client = httpx.AsyncClient(base_url=service.client.base_url, cookies=cookies)
        held.push_async_callback(client.aclose)
        await seen(client, "/")
        clock.move(seconds=1)
        await seen(client, "/", 401)


@pytest.mark.postgres
async def test_two_replicas_share_sessions(make_settings, postgres_database, tmp_path):
    """Signed in at one, signed in at the other; and signed out at both when it is revoked at one."""
    own = {"database_url": postgres_database}
    async with (
        serving(make_settings(**own)) as one,
        serving(make_settings(**own, data_dir=tmp_path / "two")) as two,
        signed_in(one) as client,
        httpx.AsyncClient(base_url=two.client.base_url, cookies=dict(client.cookies)) as same,
        signed_in(two, "Bob") as bob,
    ):
        assert "Ada" in (await seen(same, "/sessions")).text
        page = await seen(bob, "/sessions")
        [own_first, other] = [form.action for form in page.forms if form.action.endswith("/end")]
        assert (await sent(bob, other)).status_code == 303
        for each in (client, same):
            await seen(each, "/", 401)
        await seen(bob, "/")
        assert (await sent(bob, own_first)).headers["location"] == "/sign-in?said=signed-out"
        await seen(bob, "/", 401)


@pytest.mark.parametrize("token", [OTHER, None])
async def test_a_changed_token_ends_the_sessions_that_it_began(make_settings, token):
    """Also one that is taken out; a person's session stays. As the previous one it counts on."""
    settings = make_settings(**TWO)
    async with AsyncExitStack() as held:
        async with serving(settings) as service, signed_in(service) as ada, signed_in_by_link(service, ANNA) as anna:
            cookies = [dict(client.cookies) for client in (ada, anna)]
        async with serving(make_settings(**TWO, api_token=OTHER, api_token_previous=API)) as service:
            ada, anna = await _browsers(held, service, cookies)
            await seen(ada, "/")
        async with serving(make_settings(**TWO, api_token=token)) as service:
            ada, anna = await _browsers(held, service, cookies)
            await seen(ada, "/", 401)
            await seen(anna, "/")
            if token:
                answer = await sent(service.client, "/sign-in", token=OTHER)
                assert answer.status_code == 303
                assert "Ada" not in (await seen(service.client, "/sessions")).text


async def _browsers(held: AsyncExitStack, service: Running, cookies: list[dict[str, str]]) -> list[httpx.AsyncClient]:
    made = [httpx.AsyncClient(base_url=service.client.base_url, cookies=each) for each in cookies]
    for each in made:
        held.push_async_callback(each.aclose)
    return made


async def test_a_person_sees_and_ends_their_own_sessions_alone(make_settings):
    """Also by the address of another's; the token's session sees and ends all."""
    async with (
        serving(make_settings(**TWO)) as service,
        signed_in(service, "Ada") as ada,
        signed_in_by_link(service, ANNA, agent=FIREFOX) as anna,
        signed_in_by_link(service, ANNA) as annas_other,
        signed_in_by_link(service, BEA) as bea,
    ):
        all_of_them = await seen(ada, "/sessions")
        for said in ("Ada", "a***@example.com", "b***@example.org", "Firefox on Android", "(this one)"):
            assert said in all_of_them.text
        ends = [form.action for form in all_of_them.forms if form.action.endswith("/end")]
        assert len(ends) == 4
        own = await seen(anna, "/sessions")
        annas = [form.action for form in own.forms if form.action.endswith("/end")]
        assert (len(annas), "Ada" in own.text, "b***" in own.text) == (2, False, False)
        for path in ends:
            if path not in annas:
                await sent(anna, path)
        for client in (ada, anna, annas_other, bea):
            await seen(client, "/")
        assert (await sent(anna, "/sessions/end-all")).headers["location"] == "/sign-in?said=signed-out-everywhere"
        await seen(anna, "/", 401)
        await seen(annas_other, "/", 401)
        await seen(bea, "/")
        await seen(ada, "/")
        await sent(ada, "/sessions/end-all")
        await seen(bea, "/", 401)
        await seen(ada, "/", 401)


async def test_signing_out_everywhere_takes_links_back_too(make_settings):
    """A link that was sent before can't sign in afterwards."""
    async with serving(make_settings(**TWO)) as service, signed_in_by_link(service, ANNA) as anna:
        path, other = await link_for(service, ANNA), await link_for(service, BEA)
        await sent(anna, "/sessions/end-all")
        await seen(service.client, path, 404)
        await seen(service.client, other)


async def test_pressing_twice_is_pressing_once(service: Running):
    """The second press leads to the same page."""
    async with signed_in(service) as ada:
        other = session(service)
        await put(service, other)
        for _ in range(2):
            answer = await sent(ada, f"/sessions/{other.id}/end")
            assert (answer.status_code, answer.headers["location"]) == (303, "/sessions?said=session-ended")
        assert "isn't signed in any more" in (await seen(ada, "/sessions?said=session-ended")).text


async def test_signing_in_again_replaces_the_browsers_session(service: Running):
    """What its cookie was before opens nothing any more: neither an own old one, nor one that was planted."""
    async with signed_in(service) as client:
        before = dict(client.cookies)
        assert (await sent(client, "/sign-in", token=API)).status_code == 303
        assert dict(client.cookies) != before
        await seen(client, "/")
        async with httpx.AsyncClient(base_url=service.client.base_url, cookies=before) as old:
            await seen(old, "/", 401)
        planted = {"alertgate": "planted-by-somebody-else"}
        async with httpx.AsyncClient(base_url=service.client.base_url, cookies=planted) as victim:
            answer = await sent(victim, "/sign-in", token=API)
            assert answer.cookies["alertgate"] != planted["alertgate"]
        async with httpx.AsyncClient(base_url=service.client.base_url, cookies=planted) as attacker:
            await seen(attacker, "/", 401)


async def test_that_a_session_is_used_is_noted_once_an_hour(make_settings):
    """A page otherwise writes nothing; a clock that was set back changes nothing."""
    clock = FakeClock()
    async with serving(make_settings(), clock=clock) as service, signed_in(service) as client:

        async def last_seen() -> Any:
            found = await service.gate.store.read(
                lambda c: sessions.page(c, clock.now(), (), {token_mark(API)}, None, 10)
            )
            return found[0].seen_at

        for minutes, noted in ((59, 0), (1, 60), (59, 60), (-200, 60), (400, 319)):
            clock.move(minutes=minutes)
            await seen(client, "/")
            assert await last_seen() - START == timedelta(minutes=noted)


async def test_the_list_takes_as_few_queries_for_many_and_goes_on(service: Running):
    """Fifty on a page, newest first, one's own before them; each once."""
    async with signed_in(service) as client:
        few = len(await queries(client, "/sessions"))
        await put(service, *(session(service, number) for number in range(AT_ONCE * 2)))
        assert len(await queries(client, "/sessions")) <= min(few + BESIDE, 20)
        names: list[str] = []
        path = "/sessions"
        while path:
            page = await seen(client, path)
            names += [form.action for form in page.forms if form.action.endswith("/end")]
            path = page.links.get("Older", "")
        assert len(names) == len(set(names)) == AT_ONCE * 2 + 1


async def test_what_is_over_is_deleted(make_settings):
    """Retention takes sessions and links that are over out of the store, also where alerts are kept forever."""
    clock = FakeClock()
    async with serving(make_settings(retention_days=0), clock=clock) as service, signed_in(service):
        await link_for(service, "operator@localhost")
        over = session(service, ends_at=clock.now() + timedelta(minutes=11))
        await put(service, over)

        def number(connection: Any) -> list[int]:
            tables = ("sessions", "sign_ins")
            return [connection.exec_driver_sql(f"SELECT count(*) FROM {each}").scalar() for each in tables]  # noqa: S608

        assert await service.gate.store.read(number) == [2, 1]
        clock.move(minutes=12)

        async def are_deleted() -> bool:
            return await service.gate.store.read(number) == [1, 0]

        await until(are_deleted)


async def test_who_cannot_be_stored_is_still_shown_the_pages(make_settings):
    """While the database takes no write, whoever has signed in sees what is."""
    clock = FakeClock()
    async with serving(make_settings(), clock=clock) as service, signed_in(service) as client:
        clock.move(hours=2)
        with service.gate.store.transaction() as connection:
            connection.exec_driver_sql("PRAGMA query_only=ON")
        await seen(client, "/")
        assert (await sent(client, "/sign-in", token=API)).status_code == 503


HOSTILE = [
    "<script>alert(1)</script>",
    "\u202egnp.exe",
    "a" * 5000,
    "",
    '"><img src=x onerror=alert(1)>',
    "\x00\x1b[31m",
]


@pytest.mark.parametrize("agent", HOSTILE)
async def test_what_a_browser_calls_itself_is_shown_for_what_it_is(service: Running, agent):
    """Neither markup, nor a character that turns others around, nor without end."""
    async with signed_in(service) as client:
        await put(service, session(service, agent=agent[:200], name=agent[:60] or "x"))
        page = await seen(client, "/sessions")
        assert "<script>alert" not in page.answer.text
        assert "<img" not in page.answer.text
        assert not {"\u202e", "\x00", "\x1b"} & set(page.answer.text)
        assert len(page.answer.text) < 10_000


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        (FIREFOX, "Firefox on Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5) Version/17.5 Mobile/15E148 Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/125.0.0.0 Safari/537.36 Edg/125.0.0.0", "Edge on Windows"),
        ("Mozilla/5.0 (X11; Linux x86_64) Chrome/125.0.0.0 Safari/537.36", "Chrome on Linux"),
        ("Mozilla/5.0 (Linux; Android 14) SamsungBrowser/25.0 Chrome/121 Safari/537.36", "Samsung Internet on Android"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("", "a browser that doesn't say what it is"),
    ],
)
def test_browsers_are_named(agent, said):
    """By what they are and run on; others by their own word."""
    assert browser(agent) == said


def test_the_mark_of_a_token_does_not_tell_the_token():
    """Two tokens have two marks, the same one the same, and neither holds a part of it."""
    assert token_mark(API) == token_mark(API) != token_mark(OTHER)
    assert len(token_mark(API)) == 32


async def test_a_form_of_another_site_ends_no_session(service: Running):
    """Neither one nor all."""
    async with signed_in(service) as client:
        other = session(service)
        await put(service, other)
        for path in (f"/sessions/{other.id}/end", "/sessions/end-all"):
            for headers in ({}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "http://127.0.0.1.evil.example"}):
                assert (await client.post(path, headers=headers)).status_code == 403
        ends = [form.action for form in (await seen(client, "/sessions")).forms if form.action.endswith("/end")]
        assert len(ends) == 2
        assert (await client.post("/sessions/end-all", headers=SAME_ORIGIN)).status_code == 303


@pytest.mark.parametrize(("site", "is_said"), [("same-origin", True), ("cross-site", False), ("none", False)])
async def test_what_was_done_is_said_by_pages_of_ours_alone(service: Running, site, is_said):
    """A link in a mail or on another site can't tell somebody that they have an incident, or that it is over."""
    async with signed_in(service) as client:
        for path in ("/?said=acknowledged", "/sign-in?said=signed-out"):
            page = (await client.get(path, headers={"Sec-Fetch-Site": site})).text
            assert ("You have it" in page or "You are signed out" in page) == is_said


@pytest.mark.parametrize("path", ["/", "/live", "/alerts?text=x", "/incidents.csv"])
@pytest.mark.parametrize("site", ["same-site", "cross-site"])
async def test_pages_of_others_load_nothing(service: Running, path, site):
    """Not even those at a neighbouring name, with whose requests browsers send the cookie; their links lead here."""
    async with signed_in(service) as client:
        for dest in ("empty", "image", "iframe", "script"):
            headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Dest": dest}
            assert (await client.get(path, headers=headers)).status_code == 403
        headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Dest": "document"}
        async with client.stream("GET", path, headers=headers) as answer:
            assert answer.status_code == 200
