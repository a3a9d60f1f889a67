"""The archive of alerts, the pictures in them, and the bodies that couldn't be read."""

import asyncio
import base64
import json
import threading
from typing import Any

import pytest

from alertgate.web.console import story
from tests.builders import alert
from tests.conftest import BEARER, Running
from tests.console import seen, signed_in
from tests.hostile.test_mail import ODD
from tests.pages import Page

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
JPEG = b"\xff\xd8\xff\xe0" + bytes(40)
GIF = b"GIF89a" + bytes(40)
WEBP = b"RIFF\x00\x00\x00\x00WEBP" + bytes(40)
HTML = b"<html><script>alert(1)</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'


def data_url(kind: str, content: bytes) -> str:
    """Return bytes as a `data:` URL that calls them so."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


async def test_pictures_are_served_as_what_their_bytes_are(service: Running):
    """Inline, in a sandbox, never sniffed; what isn't a picture isn't served, whatever it is called."""
    data = {
        "a": data_url("image/png", PNG),
        "b": [data_url("text/html", JPEG), {"_type": "buffer", "_data": base64.b64encode(GIF).decode()}],
        "c": data_url("image/png", HTML),
        "d": data_url("image/svg+xml", SVG),
        "e": base64.b64encode(WEBP).decode(),
        "f": data_url("image/png", b""),
    }
    found = (await service.particle(data=data)).json()["id"]
    async with signed_in(service) as client:
        served = [await client.get(f"/alerts/{found}/picture/{number}") for number in range(4)]
        page = await seen(client, f"/alerts/{found}")
        for wrong in (f"{found}/picture/4", f"{found}/picture/-1", f"{found[:-4]}0000/picture/0"):
            assert (await client.get(f"/alerts/{wrong}")).status_code == 404
    kinds = [(answer.headers["content-type"], answer.content) for answer in served]
    assert kinds == [("image/png", PNG), ("image/jpeg", JPEG), ("image/gif", GIF), ("image/webp", WEBP)]
    for answer in served:
        assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-disposition"].startswith("inline; filename=")
    assert [value for name, value in page.attributes if name == "src" and "/static/" not in (value or "")] == [
        f"/alerts/{found}/picture/{number}" for number in range(4)
    ]
    assert (await service.client.get(f"/alerts/{found}/picture/0")).status_code == 401


async def test_addresses_elsewhere_are_links_and_nothing_more(service: Running):
    """Nothing of another host is shown in the page, and what isn't a web address is no link."""
    data = {
        "picture": "https://cam.example.org/now.jpg?x=1&y=2",
        "script": "javascript:alert(1)",
        "quoted": 'https://x.example/" onclick="alert(1)',
        "turned": "https://x.example/\u202egnp.exe",
    }
    found = (await service.particle(data=data)).json()["id"]
    async with signed_in(service) as client:
        page = await seen(client, f"/alerts/{found}")
    outside = {name: value for name, value in page.links.items() if not value.startswith(("/", "#"))}
    assert outside == {"https://cam.example.org/now.jpg?x=1&y=2": "https://cam.example.org/now.jpg?x=1&y=2"}
    assert "img" not in page.tags


async def test_alerts_are_listed_searched_and_shown_with_all_that_was_sent(service: Running):
    """By the words of their data, and of an incident those that belong to it."""
    wet = (await service.particle(event="leak", data={"note": "Wasser im Keller"}, fw_version=7)).json()
    await service.particle(event="door", data={"note": "open"})
    async with signed_in(service) as client:
        every = await seen(client, "/alerts")
        assert ("leak" in every.links, "door" in every.links) == (True, True)
        assert ("data-live", "alerts") in every.attributes
        page = await seen(client, "/alerts?text=KELLER")
        assert ("leak" in page.links, "door" in page.links) == (True, False)
        shown = await seen(client, page.links["leak"])
        for said in ('"note": "Wasser im Keller"', "fw_version", "let in with PARTICLE_WEBHOOK_SECRET", wet["id"]):
            assert said in shown.text
        incident = shown.links["The incident"].rsplit("/", 1)[1]
        of_it = await seen(client, f"/alerts?incident={incident}")
        assert ("leak" in of_it.links, "door" in of_it.links) == (True, False)


BODIES = {
    b'{"event": "x", <script>alert(1)</script>\xe2\x80\xaeabc': "<script>alert(1)</script>\\u202eabc",
    b"\x89PNG\r\n\x1a\n\x00\x01<b>": "00000000  89 50 4e 47 0d 0a 1a 0a 00 01 3c 62 3e           .PNG......<b>",
    b"{" + b"<i>" * 6000: "17,501 more characters",
    b"\xff" * 10_000: "9,938 more bytes",
    b"</pre></section><svg onload=alert(1)>": "</pre></section><svg onload=alert(1)>",
}


async def test_bodies_that_could_not_be_read_are_shown_and_do_nothing(service: Running):
    """As text, or as bytes; the beginning of each in the list, and why."""
    found = {}
    for body in BODIES:
        headers = {**BEARER, "Content-Type": "application/json"}
        found[body] = (await service.client.post("/webhook/particle", content=body, headers=headers)).json()["id"]
    async with signed_in(service) as client:
        page = await seen(client, "/quarantine")
        for body, said in BODIES.items():
            assert said in page.text
            shown = await seen(client, f"/alerts/{found[body]}")
            assert "It couldn't be read" in shown.text
            for each in (page, shown):
                assert_inert(each)
        assert "Invalid JSON" in page.text
        assert "There are none in this time" in (await seen(client, "/quarantine?until=2020-01-01T00:00")).text


TAGS = {"i", "b", "iframe", "base", "style", "object"}


def assert_inert(page: Page) -> None:
    """Require that a page has its own markup alone, and that nothing in it turns text around or hides it."""
    assert page.tags.count("script") == page.answer.text.count('<script src="/static/')
    assert not TAGS & set(page.tags)
    assert not [
        name for name, _ in page.attributes if name.startswith("on") or name in {"style", "srcdoc", "http-equiv"}
    ]
    assert not [
        char for char in "\u202a\u202b\u202d\u202e\u2066\u2067\u2068\ufeff\x00\x07\x1b\x9b" if char in page.answer.text
    ]


@pytest.mark.parametrize("order", ["newest", "oldest"])
async def test_hostile_text_of_every_kind_is_text_on_every_page(service: Running, order):
    """In events, devices, data, names of fields, messages, and sources."""
    made: list[Any] = []
    for number, text in enumerate(ODD):
        fields = {
            "event": f"{number}{text}"[:120],
            "coreid": f"{number}{text}"[:100],
            "data": {text: [text]},
            text: text,
        }
        made.append((await service.particle(**fields)).json())
        made.append(
            (await service.generic(event=f"g{text}"[:120], message=text, source=f"{number}{text}"[:100])).json()
        )
    async with signed_in(service) as client:
        paths = ["/incidents", "/alerts", "/alerts?text=OWNED", "/incidents?text=evil"]
        for each in made:
            paths.append(f"/alerts/{each['id']}?order={order}")
            if incident := each.get("incident"):
                paths.append(f"/incidents/{incident['id'] if isinstance(incident, dict) else incident}?order={order}")
        for path in paths:
            assert_inert(await seen(client, path))


def test_a_body_is_shown_up_to_its_limit():
    """What is left out is said; an empty body is a body."""
    assert story.body(b"") == ("text", "", "")
    assert story.body("ä".encode() * 10, 4) == ("text", "ääää", "6 more characters")
    assert story.body(b"\x1b[31mred\x9b").kind == "bytes, in hexadecimal"
    assert story.body(b"\x1b[31m\r\nred").text == "\\x1b[31m\nred"
    assert json.loads(story.received({"a": "\ud800"}).text) == {"a": "\ud800"}


def test_an_alert_shows_so_many_pictures():
    """However many a device sends."""
    assert len(story.shots(alert(data=[data_url("image/png", PNG)] * 40))) == 12


async def test_nothing_but_a_search_waits_for_a_search(service: Running):
    """However many look for a text at once: what is to be told, and every other page, is read by other threads."""
    through = threading.Event()
    async with signed_in(service) as client:
        held = asyncio.create_task(service.gate.store.search(lambda _: through.wait(30)))
        paths = [f"/{each}?text=water" for each in ("alerts", "incidents")]
        searches = [asyncio.create_task(client.get(path)) for path in paths * 4]
        try:
            for path in ("/", "/alerts", "/incidents?status=open"):
                await seen(client, path)
            assert not any(each.done() for each in searches)
        finally:
            through.set()
        assert [(await each).status_code for each in searches] == [200] * 8
        assert await held
