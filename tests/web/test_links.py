"""The pages behind the links of messages: who sees what, what a button does, and what does nothing."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy
from zoneinfo import ZoneInfo

import httpx
import pytest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from alertgate.app import create_app, open_gate
from alertgate.errors import StoreTooSlow, StoreUnavailable
from alertgate.group.actions import Action, Applied
from alertgate.group.by_link import LinkAct, LinkActions
from alertgate.group.portions import Doer
from alertgate.group.transitions import Transition, TransitionResult
from alertgate.links import Links
from alertgate.prove.history import Trail, trail
from alertgate.prove.timeline import tell
from alertgate.store import Connection, incidents
from alertgate.web.paths import logged_path
from tests.conftest import API_BEARER, BEARER, Running, copy_template, listening, serving
from tests.fakes import Received
from tests.flow.test_stories import House, house
from tests.pages import KEY, LINKED, PUBLIC_URL, Page, link_in, opened, pressed

TWO = {"recipient_email": "owner@example.com,partner@example.org"}
LATER = ["Snooze 1 h", "It's over", "Silence this device"]
"""What a page offers beside *I'm on it*."""
SEVERE = {"severity_rules": "leak*=critical,door*=warning"}


@asynccontextmanager
async def linked(make_settings, **overrides) -> AsyncIterator[House]:
    """Run a service whose mails have links."""
    async with house(make_settings, **{**LINKED, **TWO, **SEVERE, **overrides}) as made:
        yield made


@pytest.fixture
async def home(make_settings) -> AsyncIterator[House]:
    """A service on SQLite, with links and two recipients."""
    async with linked(make_settings) as made:
        yield made


def mail_to(home: House, who: str, number: int = -1) -> Received:
    """Return one of the mails to a recipient, the last unless it says another one."""
    return [each for each in home.sink.messages if each.to.startswith(who)][number]


def link_to(home: House, who: str = "owner", number: int = -1) -> str:
    """Return the path of a mail's link."""
    return link_in(mail_to(home, who, number).text)


async def incident(home: House, answer: dict) -> dict:
    """Return the incident of an answered alert."""
    found = await home.service.client.get(f"/api/incidents/{answer['incident']}", headers=API_BEARER)
    return found.json()


async def everything(home: House) -> list:
    """Return all that may change: incidents and notifications."""
    answers = [
        await home.service.client.get(path, headers=API_BEARER) for path in ("/api/incidents", "/api/notifications")
    ]
    return [answer.json()["items"] for answer in answers]


async def test_a_link_shows_the_story_and_its_button_stops_it(make_settings, database):
    """Who was told, what happened; after *I'm on it* the other hears who has it, and nobody is told any more."""
    async with linked(make_settings, **database) as home:
        answer = await home.says({"status": "firing", "depth": "3 cm"}, event="leak")
        path = link_to(home)
        assert path != link_to(home, "partner")
        page = await opened(home.service.client, path)
        assert (page.status, page.buttons) == (200, ["I'm on it", *LATER])
        for said in ("CRITICAL", "hall", "leak", "3 cm", "Nobody has it yet", "o***@example.com", "p***@example.org"):
            assert said in page.text
        done = await pressed(home.service.client, path, page, "I'm on it")
        assert (done.status, done.buttons) == (200, [*LATER[1:], "I can't after all"])
        assert "You have it." in done.text
        assert "o***@example.com has it (taken at 14:03)." in done.text
        acknowledged = (await incident(home, answer))["incident"]
        assert [acknowledged[name] for name in ("status", "acknowledged_by", "acknowledged_with")] == [
            "acknowledged",
            "o***@example.com",
            "link",
        ]
        assert "o***@example.com has it" in (await opened(home.service.client, link_to(home, "partner"))).text
        await home.says({"status": "firing"}, event="leak")
        await home.passes(minutes=30)
        assert await home.mails() == ["CRITICAL", "CRITICAL", "ACKNOWLEDGED"]
        assert home.sink.messages[-1].to == "partner@example.org"


async def test_it_is_over_is_asked_first_and_told_to_everybody(home: House):
    """The first page only leads to the question; the answer ends the incident, and everybody hears it once."""
    answer = await home.says({"status": "firing"}, event="leak")
    path, client = link_to(home), home.service.client
    asked = await pressed(client, path, await opened(client, path), "It's over")
    assert (asked.status, asked.buttons) == (200, ["Yes, it's over", "Back"])
    assert "Is it over?" in asked.text
    assert (await incident(home, answer))["incident"]["status"] == "open"
    done = await pressed(client, path, asked, "Yes, it's over")
    assert "It is over. Everybody who was told hears that." in done.text
    again = await pressed(client, path, asked, "Yes, it's over")
    assert "it is over already" in again.text
    assert sorted(await home.mails()) == ["CRITICAL", "CRITICAL", "RESOLVED", "RESOLVED"]
    over = (await incident(home, answer))["incident"]
    assert [over[name] for name in ("status", "resolved_by", "resolved_with")] == [
        "resolved",
        "o***@example.com",
        "link",
    ]


async def test_pressing_twice_is_pressing_once(home: House):
    """The same form again, and another person's button, change nothing: the first stays on record."""
    answer = await home.says({"status": "firing"}, event="leak")
    client, mine, theirs = home.service.client, link_to(home), link_to(home, "partner")
    page, other = await opened(client, mine), await opened(client, theirs)
    await pressed(client, mine, page, "I'm on it")
    await home.mails()
    before = await everything(home)
    home.clock.move(minutes=1)
    for path, shown in ((mine, page), (theirs, other)):
        again = await pressed(client, path, shown, "I'm on it")
        assert (again.status, "that had been done before" in again.text) == (200, True)
    assert await everything(home) == before
    assert (await incident(home, answer))["incident"]["acknowledged_by"] == "o***@example.com"


async def test_a_phone_that_was_offline_is_asked_again_after_a_rise(home: House):
    """Its page showed a warning; what it posts after that became critical does nothing, and says what it is now."""
    answer = await home.says({"status": "firing", "severity": "warning"}, event="gas")
    path, client = link_to(home), home.service.client
    offline = await opened(client, path)
    home.clock.move(minutes=1)
    await home.says({"status": "firing", "severity": "critical"}, event="gas")
    asked = await pressed(client, path, offline, "I'm on it")
    assert (asked.status, asked.buttons) == (409, ["I'm on it", *LATER])
    assert "It changed after this page was loaded, so nothing was done." in asked.text
    assert "CRITICAL" in asked.text
    assert (await incident(home, answer))["incident"]["status"] == "open"
    assert (await pressed(client, path, asked, "I'm on it")).status == 200
    assert (await incident(home, answer))["incident"]["status"] == "acknowledged"


async def test_a_phone_that_was_offline_is_asked_again_after_a_reopening(home: House):
    """What it meant was over before: *I'm on it* and *It's over* are both asked again."""
    answer = await home.says({"status": "firing"})
    path, client = link_to(home), home.service.client
    offline = await opened(client, path)
    sure = await pressed(client, path, offline, "It's over")
    home.clock.move(seconds=10)
    await home.says({"status": "resolved"})
    home.clock.move(seconds=10)
    assert (await home.says({"status": "firing"}))["incident"] == answer["incident"]
    for shown, button in ((offline, "I'm on it"), (sure, "Yes, it's over")):
        asked = await pressed(client, path, shown, button)
        assert (asked.status, button in asked.buttons) == (409, True)
    assert (await incident(home, answer))["incident"]["status"] == "open"
    assert (await pressed(client, path, asked, "Yes, it's over")).status == 200
    assert (await incident(home, answer))["incident"]["status"] == "resolved"


async def test_a_page_says_what_its_message_didnt_know(home: House):
    """The link of a message about a warning, opened after the rise, shows how it is now, and that this is new."""
    await home.says({"status": "firing", "severity": "warning"}, event="gas")
    old = link_to(home)
    assert "This changed" not in (await opened(home.service.client, old)).text
    home.clock.move(minutes=1)
    await home.says({"status": "firing", "severity": "critical"}, event="gas")
    assert "This changed after your message was sent: it is critical" in (await opened(home.service.client, old)).text
    assert "This changed" not in (await opened(home.service.client, link_to(home))).text


async def test_a_rise_after_an_acknowledgement_starts_anew_by_every_link(home: House):
    """The old page that showed who has it doesn't stop what became worse."""
    answer = await home.says({"status": "firing", "severity": "warning"}, event="gas")
    path, client = link_to(home), home.service.client
    page = await opened(client, path)
    await pressed(client, path, page, "I'm on it")
    home.clock.move(minutes=1)
    await home.says({"status": "firing", "severity": "critical"}, event="gas")
    assert (await pressed(client, path, page, "I'm on it")).status == 409
    assert (await incident(home, answer))["incident"]["status"] == "open"


SCANNERS = [
    {},
    {"Purpose": "prefetch"},
    {"Sec-Purpose": "prefetch;prerender", "Sec-Fetch-Dest": "document"},
    {"X-Moz": "prefetch"},
    {"User-Agent": "Mozilla/5.0 (compatible; SafeLinks/1.0)", "Accept": "*/*"},
    {"Range": "bytes=0-10"},
]


async def test_a_scanner_that_fetches_everything_changes_nothing(home: House):
    """GET and HEAD, twice, with whatever headers, of the link and of all that its pages link to."""
    await home.says({"status": "firing"}, event="leak")
    await home.says({"status": "firing"}, event="door")
    before, client = await everything(home), home.service.client
    paths = [link_in(mail.text) for mail in home.sink.messages]
    for path in paths:
        page = await opened(client, path)
        for href in ("", *page.links.values()):
            for _ in range(2):
                for headers in SCANNERS:
                    home.clock.move(seconds=10)  # it isn't in such a hurry
                    assert (await client.get(path + href, headers=headers)).status_code == 200
                    head = await client.head(path + href, headers=headers)
                    assert (head.status_code, head.content) == (200, b"")
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS"):
        assert (await client.request(method, paths[0])).status_code == 405
    assert await everything(home) == before


WRONG = [
    *("", "x", "a" * 15, "a" * 16, "a" * 17, "A" * 4000, "a/b", "/", "{token}", "<script>", "é" * 16),
    *("%00", "%0d%0aX-Y:%20z", "..%2f..%2fetc", "%ff%fe", "%2e%2e", "aaaa%20aaaaaaaaaaa", "%E2%80%AE"),
    *("%27%20OR%201=1--", "%F0%9F%94%A5" * 4),
]


async def test_every_wrong_token_is_answered_alike(home: House):
    """A quiet 404 of one shape, for GET and POST, whatever it looks like, and nothing of it comes back."""
    await home.says({"status": "firing"}, event="leak")
    path = link_to(home)
    near = [path.removeprefix("/a/")[:-1] + ("A" if path[-1] != "A" else "B"), path.removeprefix("/a/") + "A"]
    wrong = [*near, path.removeprefix("/a/").swapcase(), f"{path.removeprefix('/a/')}/", *WRONG]
    answers = []
    for token in wrong:
        home.clock.move(minutes=1)
        answers.append(await home.service.client.get(f"/a/{token}"))
        answers.append(await home.service.client.post(f"/a/{token}", data={"act": "acknowledge"}))
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1
    varying = {"x-request-id", "date"}
    headers = {
        tuple((name, value) for name, value in answer.headers.items() if name not in varying) for answer in answers
    }
    assert len(headers) == 1
    assert "<h1>This link leads nowhere</h1>" in answers[0].text
    assert (await everything(home))[0][0]["status"] == "open"


async def test_the_wrong_form_does_nothing(home: House):
    """No act, one that there isn't, no marks, another group, a body that is no form: nothing is done."""
    answer = await home.says({"status": "firing"}, event="leak")
    path, client = link_to(home), home.service.client
    good = (await opened(client, path)).filled("I'm on it")
    wrong = [{}, {**good, "act": ""}, {**good, "act": "explode"}, {**good, "act": "silence", "hours": "9999"}]
    wrong += [{**good, "act": "silence"}, {**good, "act": "snooze "}, {"List-Unsubscribe": "One-Click"}]
    for form in wrong:
        assert (await client.post(path, data=form)).status_code == 422
    for form in ({**good, "seen": ""}, {**good, "group": "0" * 10}, {"act": "acknowledge"}, {"act": "resolve"}):
        assert (await client.post(path, data=form)).status_code == 409
    for body in (b"\xff" * 100, b"&" * 1000, b"act=acknowledge&" * 500, b"{}"):
        assert (await client.post(path, content=body)).status_code == 422
    assert (await client.post(path, content=b"x" * 200_000)).status_code == 413
    assert (await incident(home, answer))["incident"]["status"] == "open"


async def test_a_link_of_what_is_long_over_leads_nowhere(home: House):
    """For 30 days after the end it says what became of it."""
    await home.says({"status": "firing"}, event="leak")
    path, client = link_to(home), home.service.client
    await home.says({"status": "resolved"}, event="leak")
    home.clock.move(days=30)
    page = await opened(client, path)
    assert (page.status, page.buttons) == (200, [])
    assert "Over at 2026-11-23 14:03, by its sender." in page.text
    home.clock.move(seconds=1)
    assert (await opened(client, path)).status == 404


async def test_a_rotated_key_ends_its_links_once_it_is_taken_out(make_settings, database):
    """The previous key's links work beside those of the new one."""
    async with linked(make_settings, **database) as home:
        await home.says({"status": "firing"}, event="leak")
        path = link_to(home)
    keys = {"secret_key": "another-key-0123456789abcdefghij", "secret_key_previous": KEY}
    async with linked(make_settings, **{**database, **keys}) as home:
        assert (await opened(home.service.client, path)).status == 200
    async with linked(make_settings, **{**database, "secret_key": keys["secret_key"]}) as home:
        assert (await opened(home.service.client, path)).status == 404


@pytest.mark.parametrize("left_out", ["public_url", "secret_key"])
async def test_without_an_address_or_a_key_there_are_no_links(make_settings, left_out):
    """Mails have none, and no token is one."""
    async with linked(make_settings, **{left_out: None}) as home:
        await home.says({"status": "firing"}, event="leak")
        mail = mail_to(home, "owner")
        assert "/a/" not in mail.text + mail.html
        token = Links(PUBLIC_URL, [KEY]).token((await everything(home))[1][0]["id"])
        assert (await opened(home.service.client, f"/a/{token}")).status == 404


async def test_a_link_is_made_from_the_settings_and_not_from_the_request(home: House):
    """A forged Host changes no message."""
    forged = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", **BEARER}
    body = {"event": "leak", "coreid": "cellar"}
    assert (await home.service.client.post("/webhook/particle", json=body, headers=forged)).status_code == 202
    assert len(await home.mails()) == 2
    assert all(f"{PUBLIC_URL}/a/" in mail.text and "evil" not in mail.text for mail in home.sink.messages)


async def test_a_page_is_for_its_reader_alone(home: House):
    """Nobody keeps, frames or indexes it, no script runs, nothing is loaded, and its address goes nowhere else."""
    await home.says({"status": "firing"}, event="leak")
    page = await opened(home.service.client, link_to(home))
    headers = page.answer.headers
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-robots-tag"] == "noindex, nofollow, noarchive"
    assert headers["x-frame-options"] == "DENY"
    assert "set-cookie" not in headers
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='; form-action 'self'; frame-ancestors 'none'; "
        r"base-uri 'none'",
        headers["content-security-policy"],
    )
    assert not {"script", "img", "iframe", "link", "object"}.intersection(page.tags)
    assert [name for name, _ in page.attributes if name.startswith("on") or name in {"src", "style"}] == []
    assert "/a/" not in page.answer.text  # forms and links are relative: the token isn't in the page


HOSTILE = "</h1><script>x()</script>\"'><img src=x onerror=x()>\u202egnp\u2066\x1b[31m\x00{{ 7*7 }}"


async def test_hostile_names_are_only_text(make_settings):
    """Markup, control and bidirectional characters in events, devices, values and names of people are harmless."""
    async with linked(make_settings, devices=f"hall={HOSTILE.replace(',', '')}") as home:
        answer = await home.says({"note": HOSTILE, HOSTILE: HOSTILE}, event=f"leak{HOSTILE}")
        path = f"/api/incidents/{answer['incident']}/acknowledge"
        await home.service.client.post(path, json={"by": HOSTILE[:60]}, headers=API_BEARER)
        page = await opened(home.service.client, link_to(home))
        asked = Page(await home.service.client.get(link_to(home) + page.links["It's over"]))
    for shown in (page, asked):
        assert shown.status == 200
        assert not {"script", "img"}.intersection(shown.tags)
        assert "49" not in shown.text
        assert not re.search("[\x00-\x08\x0b-\x1f\u202e\u2066]", shown.answer.text)
    assert "<script>x()</script>" in page.text


async def test_a_digest_has_a_button_for_each_of_its_groups(make_settings, database):
    """One button acknowledges what the digest names with it, and nothing else."""
    async with linked(make_settings, **{**database, "flood_limit": 1, "recipient_email": "owner@example.com"}) as home:
        await home.says({"status": "firing"}, event="boot", device="first")
        for event, device in (("door", "hall"), ("door", "attic"), ("leak", "cellar"), ("power", "barn")):
            await home.service.particle(event=event, coreid=device, data={"status": "firing"})
        await home.passes(seconds=10)
        [digest] = [mail for mail in home.sink.messages if "alerts" in mail.mail["Subject"]]
        path, client = link_in(digest.text), home.service.client
        page = await opened(client, path)
        groups = len({form.fields["group"] for form in page.forms})
        assert groups == page.buttons.count("I'm on it") > 1
        at = [page.text.index(event) for event in ("door", "power")]
        assert max(at) > 0
        number = [form.fields["group"] for form in page.forms].index(
            next(form.fields["group"] for form in page.forms if len(form.fields["seen"].split()) == 2)
        )
        done = await pressed(client, path, page, "I'm on it", number)
        assert done.status == 200
        states = {each["event"]: set() for each in (await everything(home))[0]}
        for each in (await everything(home))[0]:
            states[each["event"]].add(each["status"])
        assert states == {"boot": {"open"}, "door": {"acknowledged"}, "leak": {"open"}, "power": {"open"}}
        assert done.buttons.count("I'm on it") == groups - 1


async def test_tokens_are_in_no_log_no_metric_and_no_file_name(make_settings):
    """Whatever was asked for: lines and metrics name the template of the path."""
    with capture_logs() as logs:
        async with linked(make_settings) as home:
            await home.says({"status": "firing"}, event="leak")
            path, client = link_to(home), home.service.client
            token = path.removeprefix("/a/")
            page = await opened(client, path)
            await pressed(client, path, page, "I'm on it")
            for wrong in (f"/x//a/{token}", f"/A/{token}", f"/alerts/a/{token}", f"/a/{token}/x", f"/a//{token}"):
                await client.get(wrong, headers={"Referer": PUBLIC_URL + path})
            await client.put(path)
            metrics = (await client.get("/metrics")).text
            everywhere = [await client.get(each, headers=API_BEARER) for each in ("/api/notifications", "/status")]
    assert [line for line in logs if token in repr(line)] == []
    assert token not in metrics
    assert 'path="/a/{token}"' in metrics or "/a/{token}" in metrics
    assert not any(token in answer.text for answer in everywhere)
    assert {line["path"] for line in logs if line["event"] == "request.answered" and "/a/" in line["path"].lower()} <= {
        "/a/{token}",
        "/x//a/{token}",
        "/alerts/a/{token}",
    }


async def test_a_token_is_in_no_name_of_the_outbox(make_settings):
    """While no mail server is set, mails with their links are files, whose names anybody on the machine may see."""
    settings = make_settings(**LINKED)
    async with serving(settings) as service:
        await service.particle(event="leak")
        await service.settled()
    [file] = (settings.outbox_dir / "new").iterdir()
    token = link_in(message_from_bytes(file.read_bytes(), policy=policy.default).get_body(("plain",)).get_content())
    assert token.removeprefix("/a/") not in str(file)


async def test_what_was_done_is_in_the_log_and_the_trail_with_its_message(home: House):
    """Who, masked, with what, and by which message."""
    with capture_logs(processors=[merge_contextvars]) as logs:
        answer = await home.says({"status": "firing"}, event="leak")
        client, path = home.service.client, link_to(home)
        await pressed(client, path, await opened(client, path), "I'm on it")
    [line] = [line for line in logs if line["event"] == "incident.acknowledged"]
    mine = [each["id"] for each in (await everything(home))[1] if each["address"] == "owner@example.com"]
    assert [line[name] for name in ("by", "credential", "incident_id")] == [
        "o***@example.com",
        "link",
        answer["incident"],
    ]
    assert [line["notification_id"]] == mine
    told = tell(await trail_of(home, answer), None, ZoneInfo("UTC"), home.clock.now())
    assert 'the incident was acknowledged by "o***@example.com" with a message\'s link' in told


async def trail_of(home: House, answer: dict) -> Trail:
    """Return an alert's trail."""
    found = await home.service.gate.store.read(lambda connection: trail(connection, answer["id"]))
    assert found
    return found


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/a/TOKEN", "/a/{token}"),
        ("/A/TOKEN", "/a/{token}"),
        ("/gate/a/TOKEN/more", "/gate/a/{token}"),
        ("/a//TOKEN", "/a/{token}"),
        ("/a/TOK\nEN", "/a/{token}"),
        ("/sign-in/TOKEN", "/sign-in/{token}"),
        ("/Sign-In//TOKEN/more", "/sign-in/{token}"),
        ("/gate/sign-in/TOK\nEN", "/gate/sign-in/{token}"),
        ("/sign-in-link", "/sign-in-link"),
        ("/sign-in", "/sign-in"),
        ("/api/alerts/1", "/api/alerts/1"),
        ("/a", "/a"),
        ("/" + "x" * 300, "/" + "x" * 199),
    ],
)
def test_the_log_names_links_by_their_template(path, shown):
    """Also below a prefix that a proxy should have removed."""
    assert logged_path(path) == shown


async def test_links_are_limited_by_token_and_what_leads_nowhere_by_address(home: House):
    """A page that is reloaded forever is refused for a while, and so is who tries tokens; who has one never is."""
    await home.says({"status": "firing"}, event="leak")
    path, client = link_to(home), home.service.client
    codes = [(await client.get(path)).status_code for _ in range(31)]
    assert codes == [200] * 30 + [429]
    refused = await client.get(path)
    assert int(refused.headers["Retry-After"]) > 0
    assert "Too many requests" in Page(refused).text
    assert (await opened(client, link_to(home, "partner"))).status == 200
    theirs = link_to(home, "partner")
    for tokens in ([f"{number:016}" for number in range(120)], ["short", "long" * 9, "a" * 16]):
        codes = [(await client.get(f"/a/{token}")).status_code for token in tokens]
        assert set(codes) == ({404} if len(tokens) == 120 else {429})
    page = await opened(client, theirs)
    assert (page.status, (await pressed(client, theirs, page, "I'm on it")).status) == (200, 200)
    home.clock.move(minutes=1)
    assert (await opened(client, path)).status == 200
    assert (await opened(client, f"/a/{0:016}")).status == 404


async def test_two_replicas_serve_each_others_links(make_settings, postgres_database):
    """What one sent, the other shows and acknowledges."""
    async with linked(make_settings, database_url=postgres_database) as home:
        answer = await home.says({"status": "firing"}, event="leak")
        path = link_to(home)
        settings = make_settings(**LINKED, database_url=postgres_database, recipient_email="owner@example.com")
        async with serving(settings, clock=home.clock) as second:
            page = await opened(second.client, path)
            assert (await pressed(second.client, path, page, "I'm on it")).status == 200
        assert (await incident(home, answer))["incident"]["status"] == "acknowledged"


async def test_everybody_pressing_at_once_is_one_acknowledgement(home: House):
    """Whoever is first stays on record; the others hear that it was done."""
    answer = await home.says({"status": "firing"}, event="leak")
    client, paths = home.service.client, [link_to(home), link_to(home, "partner")]
    pages = [await opened(client, path) for path in paths]
    both = list(zip(paths, pages, strict=True)) * 5
    done = await asyncio.gather(*(pressed(client, path, page, "I'm on it") for path, page in both))
    assert {page.status for page in done} == {200}
    assert sum("You have it." in page.text for page in done) == 1
    assert (await incident(home, answer))["incident"]["status"] == "acknowledged"


@asynccontextmanager
async def doing(make_settings, doer: Callable[[LinkAct], Doer]) -> AsyncIterator[tuple[Running, str]]:
    """Run a service whose acts are the test's own; give it, with the path of a link."""
    settings = make_settings(**LINKED, recipient_email="owner@example.com")
    copy_template(settings)
    links = Links(PUBLIC_URL, [KEY])
    gate = open_gate(settings, disk_usage=lambda _: (10**12, 0, 10**12))
    gate = replace(gate, link_actions=LinkActions(links, {act: doer(act) for act in LinkAct}, gate.actions))
    async with (
        listening(create_app(gate)) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        service = Running(gate, client, port)
        await service.particle(event="leak")
        await service.settled()
        answer = (await client.get("/api/notifications", headers=API_BEARER)).json()
        yield service, f"/a/{links.token(answer['items'][0]['id'])}"


@pytest.mark.parametrize(
    ("error", "said"), [(StoreUnavailable, "nothing was stored"), (StoreTooSlow, "Look how it stands, and do it again")]
)
async def test_what_cant_be_stored_is_not_called_done(make_settings, error, said):
    """The page says that nothing was stored, or that this isn't known, and what to do: pressing again may help."""

    def failing(_: LinkAct) -> Doer:
        def do(*_: object) -> Applied:
            raise error("disk full at /secret/place")

        return do

    async with doing(make_settings, failing) as (service, path):
        page = await pressed(service.client, path, await opened(service.client, path), "I'm on it")
    assert (page.status, page.answer.headers["content-type"]) == (503, "text/html; charset=utf-8")
    assert said in page.text
    assert "/secret" not in page.text


async def test_a_page_offers_to_snooze_and_to_silence_where_somebody_does_it(make_settings):
    """*Snooze 1 h* at once; *Silence this device* after a question, for as long as its answer says and no longer."""
    asked: list[tuple[LinkAct, str, timedelta | None]] = []

    def noting(act: LinkAct) -> Doer:
        def do(connection: Connection, action: Action) -> Applied:
            asked.append((act, action.by, action.lasting))
            found = incidents.get(connection, action.incident_id)
            assert found
            return Applied(Transition(TransitionResult.ALREADY, found, "noted"))

        return do

    async with doing(make_settings, noting) as (service, path):
        client = service.client
        page = await opened(client, path)
        assert page.buttons == ["I'm on it", "Snooze 1 h", "It's over", "Silence this device"]
        assert "You have it for an hour." in (await pressed(client, path, page, "Snooze 1 h")).text
        question = await pressed(client, path, page, "Silence this device")
        assert question.buttons == ["Silence it for 1 h", "Silence it for 8 h", "Silence it for 24 h", "Back"]
        assert "The device is silenced." in (await pressed(client, path, question, "Silence it for 8 h")).text
        longer = {**question.filled("Silence it for 8 h"), "hours": "48"}
        assert (await client.post(path, data=longer)).status_code == 422
    hour, who = timedelta(hours=1), "o***@example.com"
    assert asked == [(LinkAct.SNOOZE, who, hour), (LinkAct.SILENCE, who, 8 * hour)]
