"""Who may look at the console: signing in with API_TOKEN, and out; where that can't be, and what is guessed."""

import asyncio
import re

import httpx
import pytest
from structlog.testing import capture_logs

from alertgate.web.console.entrance import known_zone, local
from alertgate.web.console.routes import ROUTERS
from alertgate.web.limits import SIGN_IN_LIMIT
from tests.conftest import API, API_BEARER, Running, serving
from tests.console import SAME_ORIGIN, seen, sent, signed_in
from tests.fakes import FakeClock
from tests.pages import Page
from tests.scrape import scrape

HTTPS = {"X-Forwarded-Proto": "https", "Host": "alerts.example.org"}
"""What a proxy passes on that a browser came by https."""


async def test_who_has_the_token_signs_in_and_out(service: Running):
    """The first page names whoever signed in; after signing out the same cookie shows nothing."""
    async with signed_in(service, "Ada") as client:
        assert "Ada" in (await seen(client, "/")).text
        cookies = dict(client.cookies)
        answer = await sent(client, "/sign-out")
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?said=signed-out")
        assert "You are signed out." in (await seen(client, "/sign-in?said=signed-out")).text
        client.cookies.update(cookies)
        assert "Sign in" in (await seen(client, "/", 401)).text


@pytest.mark.parametrize(
    "headers",
    [
        *({}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "none"}),
        *({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://[::1"}),
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1"},
    ],
)
async def test_a_form_from_elsewhere_does_nothing(service: Running, headers):
    """Neither signing in nor what somebody who has signed in sends."""
    refused = await service.client.post("/sign-in", data={"token": API}, headers=headers)
    assert (refused.status_code, refused.cookies.get("alertgate")) == (403, None)
    async with signed_in(service) as client:
        assert (await client.post("/sign-out", headers=headers)).status_code == 403
        await seen(client, "/")


async def test_an_older_browser_says_its_origin(make_settings):
    """Without Sec-Fetch-Site, Origin counts: that of PUBLIC_URL, or of the address that was asked."""
    async with serving(
        make_settings(trusted_proxies="127.0.0.1", public_url="https://Alerts.example.org:443")
    ) as service:
        for origin in ("https://alerts.example.org", "https://alerts.example.org:444", "http://alerts.example.org"):
            headers = {**HTTPS, "Host": "inside", "Origin": origin}
            answer = await service.client.post("/sign-in", data={"token": API}, headers=headers)
            assert answer.status_code == (303 if origin == "https://alerts.example.org" else 403), origin


OTHER_HOSTS = [
    *("//evil.example", "https://evil.example", "/\\evil.example", "evil", "/\n/evil.example", "\\/evil.example", ""),
    *("/\t/evil.example", "///evil.example", "javascript:alert(1)", "/x\r\nSet-Cookie: a=b", "/" + "x" * 5000),
]


@pytest.mark.parametrize("to", OTHER_HOSTS)
async def test_signing_in_leads_to_no_other_host(service: Running, to):
    """Only a path of this service is where somebody comes back to."""
    fields = {"token": API, "to": to}
    answer = await service.client.post("/sign-in", data=fields, headers=SAME_ORIGIN)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert [name for name, _ in answer.headers.multi_items() if name == "set-cookie"] == ["set-cookie"]
    asked = Page(await service.client.get("/sign-in", params={"to": to}))
    assert asked.forms[0].fields["to"] == "/"


async def test_who_was_asked_to_sign_in_comes_back_to_the_page(service: Running):
    """With its query, which isn't markup; after a form that was sent too late, to the first page."""
    asked = await seen(service.client, '/sessions?before="><script>', 401)
    assert asked.forms[0].fields["to"] == "/sessions?before=%22%3E%3Cscript%3E"
    late = Page(await sent(service.client, "/sign-out"))
    assert (late.status, late.forms[0].fields["to"]) == (401, "/")
    assert local("/incidents?text=é&at=1") == "/incidents?text=é&at=1"


@pytest.mark.parametrize(
    ("page", "back"),
    [
        ("/?said=acknowledged", "/"),
        ("/incidents?event=a%26b&said=snoozed&status=open", "/incidents?event=a%26b&status=open"),
        ("/incidents/{incident}/acts?act=snooze-longer&to=%2F", "/incidents/{incident}/acts?act=snooze-longer&to=%2F"),
        ("/incidents/{incident}/acts", "/incidents/{incident}/acts"),
        (None, "/"),
        ("http://evil.example/incidents", "/"),
        ("//evil.example/", "/"),
        ("http://[", "/"),
    ],
)
async def test_a_press_after_the_sessions_end_says_that_nothing_was_done(service: Running, page, back):
    """Nobody believes then that they have it; who signs in again is back where they pressed, and nothing is said."""
    incident = (await service.particle()).json()["incident"]
    own = str(service.client.base_url)
    assert "nothing was done" not in (await seen(service.client, "/incidents", 401)).text
    named = {} if page is None else {"Referer": page if "//" in page[1:] else own + page.format(incident=incident)}
    answer = await service.client.post(
        f"/incidents/{incident}/acts", data={"act": "acknowledge"}, headers={**SAME_ORIGIN, **named}
    )
    asked = Page(answer)
    assert asked.status == 401
    assert "You were signed out, so nothing was done." in asked.text
    form = next(each for each in asked.forms if each.action == "/sign-in")
    assert form.fields["to"] == back.format(incident=incident)
    signed = await sent(service.client, "/sign-in", **{**form.fields, "token": API})
    assert (await service.client.get(signed.headers["location"], follow_redirects=True)).status_code == 200


async def test_the_cookie_is_kept_by_the_browser_alone(make_settings):
    """By https with the prefix and Secure, at loopback without; never for scripts or other paths."""
    async with serving(make_settings(trusted_proxies="127.0.0.1")) as service:
        for headers, name, secure in ((HTTPS, "__Host-alertgate", True), ({}, "alertgate", False)):
            answer = await service.client.post("/sign-in", data={"token": API}, headers=SAME_ORIGIN | headers)
            [cookie] = answer.headers.get_list("set-cookie")
            value, *attributes = cookie.split("; ")
            assert re.fullmatch(f"{name}=[A-Za-z0-9_-]{{43}}", value)
            wanted = {"HttpOnly", "Max-Age=2592000", "Path=/", "SameSite=lax"} | ({"Secure"} if secure else set())
            assert set(attributes) == wanted
            async with httpx.AsyncClient(base_url=service.client.base_url) as client:
                own = {**headers, **SAME_ORIGIN, "Cookie": value}
                out = await client.post("/sign-out", headers=own)
                [gone] = out.headers.get_list("set-cookie")
                assert {"HttpOnly", "Max-Age=0", "Path=/"} <= set(gone.split("; "))
                assert ("Secure" in gone.split("; ")) == secure


async def test_a_cookie_of_one_way_is_none_of_the_other(make_settings):
    """One that went over plain http opens nothing by https: whoever read it there can't use it."""
    async with serving(make_settings(trusted_proxies="127.0.0.1")) as service, signed_in(service) as client:
        secret = client.cookies["alertgate"]
        for cookies in (f"alertgate={secret}", f"__host-alertgate={secret}", f"__Host-alertgate ={secret}x"):
            answer = await service.client.get("/", headers={**HTTPS, "Cookie": cookies})
            assert answer.status_code == 401, cookies


BY_HTTP = [
    {"Host": "alerts.example.org"},
    {"Host": "192.0.2.1:8000"},
    {"Host": "localhost.evil.example"},
    {"Host": "localhost", "X-Forwarded-For": "203.0.113.9"},
    {"Host": "localhost", "X-Forwarded-Proto": "https"},
    {"Host": "127.0.0.1:8000", "Via": "1.1 proxy"},
]
"""Plain http, not from this machine: a proxy that isn't trusted, or none; a name that was bound to this address."""


@pytest.mark.parametrize("headers", BY_HTTP)
async def test_by_plain_http_the_page_says_why_nobody_can_sign_in(make_settings, headers):
    """Instead of the form: also on the page that somebody asks for; and the form, sent all the same, does nothing."""
    async with serving(make_settings(public_url="https://alerts.example.org")) as service:
        for path, status in (("/sign-in", 200), ("/", 401)):
            page = Page(await service.client.get(path, headers=headers))
            assert (page.status, page.forms) == (status, [])
            assert "TRUSTED_PROXIES" in page.text
            assert page.links["Open https://alerts.example.org"] == "https://alerts.example.org"
        for own in (SAME_ORIGIN, {"Origin": f"http://{headers['Host']}"}):
            answer = await service.client.post("/sign-in", data={"token": API}, headers=headers | own)
            assert (answer.status_code, answer.headers.get("set-cookie")) == (403, None)
            assert "TRUSTED_PROXIES" in answer.text


async def test_a_proxy_that_hides_the_name_is_found_by_the_form(service: Running):
    """A page of another name than loopback sends it, by its own word of ours: the answer says what to set."""
    for own in ({"Origin": "http://alerts.lan"}, {"Origin": "https://alerts.example.org", **SAME_ORIGIN}):
        answer = await service.client.post("/sign-in", data={"token": API}, headers=own)
        assert (answer.status_code, "TRUSTED_PROXIES" in answer.text) == (403, True)


async def test_a_name_bound_to_this_machine_sees_nothing(service: Running):
    """DNS rebinding: the session of localhost isn't one of evil.example, even with its cookie."""
    async with signed_in(service) as client:
        await seen(client, "/")
        answer = await client.get("/", headers={"Host": f"evil.example:{service.port}"})
        assert answer.status_code == 401


async def test_a_wrong_token_is_told_and_nothing_is_lost(service: Running):
    """What was filled in beside it stays, the token doesn't; an empty or odd one is wrong too."""
    for token in ("guess-0123456789abcdef", "", API[:-1], f"{API} x", "\x00", "пароль", "x" * 100_000):
        page = Page(await sent(service.client, "/sign-in", token=token, name="Ada", to="/incidents"))
        assert (page.status, page.forms[0].fields["name"], page.forms[0].fields["to"]) == (401, "Ada", "/incidents")
        assert "That isn't API_TOKEN" in page.text
        assert page.forms[0].fields["token"] == ""
        assert not page.answer.cookies
    assert (await sent(service.client, "/sign-in", token=f" {API}\n", name="Ada")).status_code == 303


async def test_guessing_is_slowed_by_address_and_the_right_token_gets_in(make_settings):
    """After the address's budget 429 on the same page; the right token signs in all the same (docs/adr/0006)."""
    async with serving(make_settings(rate_limit="5/minute"), clock=FakeClock()) as service:
        with capture_logs() as logs:
            answers = [await sent(service.client, "/sign-in", token=f"guess-{n:020}") for n in range(8)]
        assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 3
        assert int(answers[-1].headers["retry-after"]) > 0
        assert "Too many failed requests" in Page(answers[-1]).text
        assert len([line for line in logs if line["event"] == "console.sign_in_failed"]) == 5
        assert (await sent(service.client, "/sign-in", token=API)).status_code == 303
        counted = scrape((await service.client.get("/metrics")).text)
    assert counted("alertgate_auth_failures_total", guard="console") == 8


async def test_guessing_from_everywhere_is_slowed_in_all(make_settings):
    """A thousand addresses have one budget together, and cause no more lines than that."""
    most = int(SIGN_IN_LIMIT.partition("/")[0])
    settings = make_settings(trusted_proxies="127.0.0.1", public_url="https://alerts.example.org")
    async with serving(settings, clock=FakeClock()) as service:
        with capture_logs() as logs:
            for number in range(most + 5):
                headers = {**SAME_ORIGIN, **HTTPS, "X-Forwarded-For": f"198.51.{number // 250}.{number % 250}"}
                path = "/sign-in" if number % 2 else "/sign-in/x"
                answer = await service.client.post(path, data={"token": "x" * 20}, headers=headers)
                assert answer.status_code == ({0: 404, 1: 401}[number % 2] if number < most else 429)
        assert len([line for line in logs if line["event"].startswith("console.")]) == most / 2
        answer = await service.client.post("/sign-in", data={"token": API}, headers=SAME_ORIGIN | HTTPS)
        assert answer.status_code == 303
        counted = scrape((await service.client.get("/metrics")).text)
    assert counted("alertgate_rate_limited_total", budget="sign_in") == 5


async def test_without_a_token_the_page_says_that_it_is_off(make_settings):
    """What to set stands there; the form, sent all the same, says so too."""
    async with serving(make_settings(api_token=None)) as service:
        page = await seen(service.client, "/sign-in")
        assert "API_TOKEN isn’t set" in page.text
        assert page.forms == []
        answer = await sent(service.client, "/sign-in", token="x" * 20)
        assert (answer.status_code, "API_TOKEN isn't set" in Page(answer).text) == (503, True)


@pytest.mark.parametrize(
    "name", ["", "   ", "\u202egnA", "a\nb", "\x1b[2J", "\u200b", "x" * 100_000, "<b>Ada</b>", "Ada"]
)
async def test_a_name_is_one_that_can_be_seen(service: Running, name):
    """Whatever somebody calls themselves: what deceives is replaced, what is long is cut, markup is text."""
    with capture_logs() as logs:
        assert (await sent(service.client, "/sign-in", token=API, name=name)).status_code == 303
        page = await seen(service.client, "/")
    [line] = [line for line in logs if line["event"] == "console.signed_in"]
    wanted = {"x" * 100_000: "x" * 60, "<b>Ada</b>": "<b>Ada</b>", "Ada": "Ada"}.get(name, "console")
    assert line["by"] == wanted
    assert wanted in page.text


ZONES = ["Europe/Berlin", "", "Nowhere/City", "../../etc/passwd", "/etc/localtime", "\x00", "x" * 100_000, "America"]


@pytest.mark.parametrize("zone", ZONES)
async def test_a_zone_is_one_that_there_is(service: Running, zone):
    """Anything else is left out, and the policy's counts."""
    assert known_zone(zone) == (zone if zone == "Europe/Berlin" else None)
    async with signed_in(service, zone=zone) as client:
        await seen(client, "/")


async def test_a_form_that_is_none_is_refused(service: Running):
    """422 for bytes that are no text, or too many fields; 413 for what has no end."""
    for body, status in ((b"\xff\xfe", 422), (b"a=b&" * 50, 422), (b"token=" + b"a" * 200_000, 413), (b"", 401)):
        answer = await service.client.post("/sign-in", content=body, headers=SAME_ORIGIN)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")


async def test_switched_off_there_is_no_console(make_settings):
    """CONSOLE_ENABLED=false: none of its paths is there, whatever is sent, and the rest is."""
    paths = {(method, route.path) for router in ROUTERS for route in router.routes for method in route.methods or ()}
    async with serving(make_settings(console_enabled=False)) as service:
        for method, template in sorted(paths):
            path = re.sub(r"\{[^}]*\}", "01890000-0000-7000-8000-000000000000", template)
            answer = await service.client.request(method, path, headers=SAME_ORIGIN | API_BEARER, data={"token": API})
            assert answer.status_code == 404, (method, template)
        assert (await service.client.get("/api/incidents", headers=API_BEARER)).status_code == 200


@pytest.mark.parametrize("enabled", [True, False])
async def test_switched_off_nothing_is_done_for_a_console(make_settings, enabled):
    """Nobody watches, and nobody sees plots: no job runs for either."""
    async with serving(make_settings(console_enabled=enabled)):
        jobs = {task.get_name() for task in asyncio.all_tasks()}
        assert "retention" in jobs
        assert jobs & {"console", "hourly"} == ({"console", "hourly"} if enabled else set())


async def test_pages_for_strangers_load_nothing_from_elsewhere(service: Running):
    """The policy of the console's pages, on each answer of theirs, also on errors; and nothing is kept."""
    for path, status in (("/sign-in", 200), ("/", 401), ("/sign-in/x", 404)):
        page = await seen(service.client, path, status)
        headers = page.answer.headers
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert (headers["cache-control"], headers["x-frame-options"]) == ("no-store", "DENY")
        assert not [name for name, _ in page.attributes if name.startswith("on") or name == "style"]
