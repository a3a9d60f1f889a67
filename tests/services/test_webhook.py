"""What programs are sent: its form, its signature, and what their answers mean."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook as StandardWebhook
from starlette.responses import HTMLResponse, RedirectResponse, StreamingResponse
from svix.webhooks import Webhook as SvixWebhook

from alertgate.clock import SystemClock
from alertgate.model import ChannelName
from alertgate.notify.channels import webhook
from alertgate.notify.channels.base import Level, Permanent, Reason, Sent, Transient
from alertgate.notify.channels.hidden import Secrets
from alertgate.notify.channels.hook import check_url, repeat_id, secret_of
from alertgate.notify.channels.service import Reply
from tests.fakes import FakeClock
from tests.services.hooks import LINK, NOW, incident, message, receiver
from tests.services.server import serve

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
DOCS = Path(__file__).parents[2] / "docs/channels/webhook.md"


def soon() -> float:
    """Return a deadline."""
    return asyncio.get_running_loop().time() + 5


@pytest.fixture
async def fake():
    """A program that takes webhooks."""
    async with serve(receiver()) as service:
        yield service


@pytest.fixture
async def opened(make_settings):
    """Open channels with these settings, and close them afterwards."""
    channels = []

    def open_one(clock=None, **settings):
        made = make_settings(**{"channels_private": True, "webhook_signing_secret": SECRET, **settings})
        [channel] = webhook.PROVIDER.from_settings(made, clock or FakeClock())
        channels.append(channel)
        return channel

    yield open_one
    for channel in channels:
        await channel.close()


@pytest.mark.parametrize("library", [StandardWebhook, SvixWebhook])
async def test_libraries_verify_the_signature(opened, fake, library):
    """Of the bytes that were sent, with characters beyond ASCII too."""
    outcome = await opened(SystemClock()).send(message(f"{fake.url}/in", "Zu heiß: 90 °C"), soon())
    assert isinstance(outcome, Sent)
    [asked] = fake.asked
    library(SECRET).verify(asked.body, asked.headers)
    assert asked.json["text"] == "Zu heiß: 90 °C"
    with pytest.raises(Exception, match="signature"):
        library(SECRET).verify(asked.body + b" ", asked.headers)


def test_a_text_is_a_key_too():
    """Without `whsec_` it is the bytes of the text; what isn't base64 after it is refused."""
    assert webhook.key_of("open sesame") == b"open sesame"
    assert webhook.key_of("whsec_AAECAw") == bytes([0, 1, 2, 3])
    for wrong in ("whsec_", "whsec_?"):
        with pytest.raises(ValueError, match="WEBHOOK_SIGNING_SECRET"):
            webhook.key_of(wrong)


async def test_without_a_key_nothing_is_signed(opened, fake):
    """The id and the time are there all the same."""
    await opened(webhook_signing_secret=None).send(message(fake.url), soon())
    headers = fake.asked[0].headers
    assert headers["webhook-id"].startswith("msg_")
    assert "webhook-signature" not in headers


async def test_a_repeat_has_the_same_id_and_another_time(opened, fake):
    """A receiver drops what it has seen, and refuses what is old."""
    clock = FakeClock()
    channel = opened(clock)
    await channel.send(message(fake.url), soon())
    clock.move(minutes=15)
    await channel.send(message(fake.url, "Water on the floor.\nSent late."), soon())
    first, second = (each.headers for each in fake.asked)
    assert first["webhook-id"] == second["webhook-id"]
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 900
    assert first["webhook-signature"] != second["webhook-signature"]


def test_what_says_something_else_has_another_id():
    """Else a receiver that has the alarm would drop its end."""
    alarm = message("https://example.org")
    over = message("https://example.org", facts={**alarm.brief.facts, "incidents": [incident(status="resolved")]})
    other = message("https://example.org", message_id="n2@alertgate.local")
    assert len({repeat_id(alarm), repeat_id(over), repeat_id(other)}) == 3


def test_the_documented_example_is_what_is_sent():
    """docs/channels/webhook.md shows a whole body."""
    text = DOCS.read_text().partition("```json\n")[2].partition("```")[0]
    shown = json.loads(text)
    facts = {"id": shown["id"], "kind": shown["kind"], "incidents": shown["incidents"], "link": shown["link"]}
    made = webhook.body(
        message("https://example.org", shown["text"], subject=shown["title"], link=shown["link"], facts=facts)
    )
    assert json.loads(made) == shown
    assert list(json.loads(made)) == list(shown)


def test_a_large_digest_is_shortened():
    """To less than 20 kB: what is open and severe stays, and the rest is counted."""
    incidents = [incident(n, status="resolved", device_name="Keller 🌡️") for n in range(300)]
    incidents.append(incident(999, severity="info"))
    incidents.append(incident(1000))
    facts = {"version": 1, "id": "d1", "kind": "digest", "incidents": incidents, "link": LINK}
    made = webhook.body(message("https://example.org", facts=facts))
    said = json.loads(made)
    assert len(made) <= 20_000
    assert [each["id"] for each in said["incidents"][:3]] == ["i1000", "i999", "i0"]
    assert len(said["incidents"]) + said["incidents_left_out"] == 302
    assert said["incidents_left_out"] > 0
    assert said["link"] == LINK


def test_a_test_message_has_the_same_form():
    """A program that takes it takes alarms too."""
    said = json.loads(webhook.body(message("https://example.org", facts={})))
    assert (said["kind"], said["incidents"], said["id"]) == ("test", [], "n1@alertgate.local")


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (200, {}, Sent("200 x")),
        (202, {}, Sent("202 x")),
        (410, {}, Permanent(Reason.NO_SUCH_RECIPIENT, "410 x")),
        (400, {}, Permanent(Reason.FORMAT, "400 x", of_content=True)),
        (422, {}, Permanent(Reason.FORMAT, "422 x", of_content=True)),
        (413, {}, Permanent(Reason.TOO_LARGE, "413 x", of_content=True)),
        (401, {}, Transient(Reason.REFUSED, "401 x")),
        (403, {}, Transient(Reason.REFUSED, "403 x")),
        (404, {}, Transient(Reason.REFUSED, "404 x")),
        (301, {}, Transient(Reason.REFUSED, "301 x (a redirect, which isn't followed)")),
        (429, {"retry-after": "30"}, 30),
        (502, {}, None),
        (503, {"retry-after": "Wed, 25 Nov 2026 03:02:00 GMT"}, 120),
        (504, {"retry-after": "60"}, 60),
        (500, {}, None),
        (101, {}, None),
    ],
)
def test_what_an_answer_means(status, headers, expected):
    """A receiver that could be put right is tried again; only what is gone for good, or can't be read, has failed."""
    outcome = webhook.outcome(Reply(status, b"x", headers, str), NOW)
    if isinstance(expected, int | None):
        words = f"{status} x"
        wait = timedelta(seconds=expected) if expected else None
        expected = Transient(
            Reason.TRY_LATER, words, if_alone=Transient(Reason.UNREACHABLE, words, retry_in=wait), retry_in=wait
        )
    assert outcome == expected


async def test_a_receiver_that_is_away_keeps_no_other_one_waiting(opened):
    """What is known of one address says nothing about the next."""
    outcome = await opened().send(message("http://127.0.0.1:9/secret-path-of-it"), soon())
    assert (outcome.reason, outcome.if_alone.reason) == (Reason.CONNECTION, Reason.UNREACHABLE)
    assert "secret-path" not in str(outcome)


async def test_hostile_answers_are_outcomes(opened, fake):
    """A redirect isn't followed, and an endless answer is cut."""

    async def endless():
        for _ in range(5000):
            yield b"x" * 100_000

    channel = opened()
    fake.script.append(RedirectResponse("http://169.254.169.254/latest"))
    fake.script.append(StreamingResponse(endless()))
    fake.script.append(HTMLResponse("<html>Sign in", 403))
    found = [await channel.send(message(fake.url), soon()) for _ in range(3)]
    assert [each.reason for each in found] == [Reason.REFUSED, Reason.SENT, Reason.REFUSED]
    assert len(fake.asked) == 3
    assert all(len(each.reply) < 400 for each in found)


async def test_the_address_is_never_shown(opened, fake):
    """A receiver may repeat it, whole or in part, and with the query."""
    fake.usual = lambda asked: HTMLResponse(f"no {fake.url}{asked.path}?key={asked.query['key']}", 404)
    outcome = await opened().send(message(f"{fake.url}/hooks/x7Kq9aPz?key=Hn4wPq8s"), soon())
    assert "x7Kq9aPz" not in str(outcome)
    assert "Hn4wPq8s" not in str(outcome)


@pytest.mark.parametrize(
    ("address", "repeated"),
    [
        ("https://example.org?key=Hn4wPq8sXy", "key=Hn4wPq8sXy"),
        ("https://example.org/a%20Hn4wPq8sXy%2Fb", "/a Hn4wPq8sXy/b"),
        ("https://example.org/a%20Hn4wPq8sXy%2Fb", "/a%20Hn4wPq8sXy%2Fb"),
        ("https://example.org#Hn4wPq8sXy", "#Hn4wPq8sXy"),
    ],
)
def test_all_after_the_host_is_secret(address, repeated):
    """Without a path too, and decoded as servers repeat it; the host isn't, so that a failure can name it."""
    hide = Secrets([secret_of(address)]).hide
    assert "Hn4wPq8s" not in hide(f"example.org doesn't know {repeated}")
    assert hide("example.org leads into a private network") == "example.org leads into a private network"


async def test_plain_http_needs_channels_private(opened, fake):
    """Whoever reads the alarm on its way reads its link too."""
    outcome = await opened(channels_private=False).send(message(fake.url), soon())
    assert (outcome.reason, fake.asked) == (Reason.REFUSED, [])
    private = await opened(channels_private=False).send(message("https://127.0.0.1:9/"), soon())
    assert "CHANNELS_PRIVATE" in private.reply


async def test_check_sends_nothing_to_the_address(make_settings, fake):
    """It asks the host alone, and says which receiver can't be reached."""
    settings = make_settings(channels_private=True)
    told = [(ChannelName.WEBHOOK, f"{fake.url}/in"), (ChannelName.WEBHOOK, "http://127.0.0.1:9/secret")]
    good, bad = await webhook.PROVIDER.check(settings, [*told, (ChannelName.EMAIL, "me@example.org")])
    assert [(each.method, each.path) for each in fake.asked] == [("HEAD", "/")]
    assert (good.level, bad.level) == (Level.OK, Level.FAIL)
    assert bad.what == "webhook http://127.0.0.1:9/***"
    assert "secret" not in str(bad)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "example.org",
        "ftp://example.org",
        "https://",
        "https:///x",
        "https://a b",
        "https://u:p@example.org/",
        "https://[::1",
        "https://x/\n",
    ],
)
def test_what_is_no_web_address_is_refused(address):
    """With words, and without showing it."""
    with pytest.raises(ValueError, match=r"web address|before its host"):
        check_url(address)


def test_a_key_that_cannot_be_read_is_said(make_settings):
    """At start and in `alertgate check`, not with the first alarm."""
    settings = make_settings(webhook_signing_secret="whsec_?")
    assert webhook.PROVIDER.from_settings(settings, FakeClock()) == []
    assert "WEBHOOK_SIGNING_SECRET" in webhook.PROVIDER.missing(settings)
    assert [each.level for each in webhook.PROVIDER.findings(settings)] == [Level.FAIL]


@pytest.mark.parametrize("reason", Reason)
def test_each_failure_has_advice(make_settings, reason):
    """One sentence, and none for a success."""
    settings = make_settings()
    assert webhook.PROVIDER.advice(settings, Transient(reason, "x"))
    assert webhook.PROVIDER.advice(settings, Sent("x")) is None
