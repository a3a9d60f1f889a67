"""ntfy: what is published, what each answer means, and what never leaves to another server."""

import asyncio
import json
from datetime import timedelta

import pytest
from starlette.responses import RedirectResponse

from alertgate.model import ChannelName, Severity
from alertgate.notify.channels.base import Followed, Level, Permanent, Reason, Sent, Transient
from alertgate.notify.channels.ntfy import Ntfy, advice, check, findings, outcome
from alertgate.notify.channels.ntfy_message import fit
from alertgate.notify.channels.ntfy_topic import check_topic, topic_of
from alertgate.notify.channels.service import Reply
from tests.fakes import START, FakeClock
from tests.services.messages import FORM, LINK, PICTURE, brief, message, soon
from tests.services.ntfy import NtfyServer
from tests.services.server import serve

TOPIC, TOKEN = "owner-x7KqPm2w", "tk_0123456789abcdefghijklmno"
SECOND = timedelta(seconds=1)


@pytest.fixture
async def fake():
    """A server whose topics are public."""
    async with serve(NtfyServer()) as server:
        yield server


@pytest.fixture
async def opened(make_settings, fake):
    """Opens channels to the server, and closes them."""
    channels = []

    def open_channel(**settings) -> Ntfy:
        channels.append(Ntfy(make_settings(channels_private=True, ntfy_url=fake.url, **settings), FakeClock()))
        return channels[-1]

    yield open_channel
    for channel in channels:
        await channel.close()


def code(number: int, error: str = "error") -> dict:
    """Return the body of an error."""
    return {"code": number, "http": number // 100, "error": error}


@pytest.mark.parametrize(
    ("status", "body", "headers", "expected"),
    [
        (200, {"id": "m1", "event": "message"}, {}, Sent("200 accepted as m1")),
        (200, "<html>Log in</html>", {}, (Transient, Reason.UNCLEAR, None)),
        (200, [], {}, (Transient, Reason.UNCLEAR, None)),
        (200, None, {}, (Transient, Reason.UNCLEAR, None)),
        (200, {"id": 7}, {}, (Transient, Reason.UNCLEAR, None)),
        (302, "", {}, (Transient, Reason.UNCLEAR, None)),
        (404, code(40401), {}, (Transient, Reason.UNCLEAR, None)),
        (401, code(40101), {}, (Transient, Reason.CREDENTIALS, None)),
        (403, code(40301), {}, (Transient, Reason.CREDENTIALS, None)),
        (403, "a proxy", {}, (Transient, Reason.CREDENTIALS, None)),
        (429, code(42901), {}, (Transient, Reason.TRY_LATER, 5 * SECOND)),
        (429, code(42901), {"retry-after": "30"}, (Transient, Reason.TRY_LATER, 30 * SECOND)),
        (429, code(42908), {}, (Transient, Reason.DAILY_LIMIT, None)),
        (429, code(42909), {}, (Transient, Reason.TOO_MANY_LOGINS, 60 * SECOND)),
        (429, {"code": [1]}, {}, (Transient, Reason.TRY_LATER, 5 * SECOND)),
        (400, code(40009), {}, (Permanent, Reason.NO_SUCH_RECIPIENT, False)),
        (400, code(40010), {}, (Permanent, Reason.NO_SUCH_RECIPIENT, False)),
        (400, code(40018), {}, (Permanent, Reason.FORMAT, False)),
        (400, "", {}, (Permanent, Reason.FORMAT, False)),
        (400, code(40014), {}, (Permanent, Reason.TOO_LARGE, True)),
        (413, code(41301), {}, (Permanent, Reason.TOO_LARGE, True)),
        (413, code(41303), {}, (Permanent, Reason.TOO_LARGE, True)),
        (413, "nginx", {}, (Permanent, Reason.TOO_LARGE, True)),
        (429, code(42905), {}, (Permanent, Reason.TOO_LARGE, True)),
        (408, "", {}, (Transient, Reason.TRY_LATER, None)),
        (500, code(50001), {}, (Transient, Reason.TRY_LATER, None)),
        (503, "", {"retry-after": "60"}, (Transient, Reason.TRY_LATER, 60 * SECOND)),
    ],
)
def test_what_an_answer_means(status, body, headers, expected):
    """Each row of ntfy's documentation and of its list of errors."""
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    found = outcome(Reply(status, content, headers, lambda text: text), START)
    if isinstance(expected, Sent):
        assert found == expected
        return
    kind, reason, more = expected
    assert (type(found), found.reason) == (kind, reason)
    assert more == (found.of_content if isinstance(found, Permanent) else found.retry_in)


def test_a_refusal_may_be_about_one_topic_alone():
    """Somebody else may have reserved it: then that contact alone has failed."""
    found = outcome(Reply(403, b"{}", {}, lambda text: text), START)
    assert isinstance(found, Transient)
    assert isinstance(found.if_alone, Permanent)
    assert found.if_alone.reason is Reason.REFUSED


async def test_a_message_is_published_with_link_and_buttons(opened, fake):
    """The buttons post the link's form from the phone; a repeat has the same sequence."""
    channel = opened()
    sent = await channel.send(message(TOPIC), soon())
    assert isinstance(sent, Sent)
    assert (sent.receipt, sent.follow_in) == (brief().notification_id, timedelta(days=1))
    [said] = fake.messages
    assert {name: said[name] for name in ("topic", "title", "message", "priority", "tags", "click", "sequence_id")} == {
        "topic": TOPIC,
        "title": "[CRITICAL] leak at the cellar",
        "message": "Water in the cellar\nA new alert.",
        "priority": 5,
        "tags": ["rotating_light"],
        "click": LINK,
        "sequence_id": brief().notification_id,
    }
    assert [each["label"] for each in said["actions"]] == ["I'm on it", "Snooze 1 h"]
    assert said["actions"][0] == {
        "action": "http",
        "label": "I'm on it",
        "url": LINK,
        "method": "POST",
        "headers": {"Content-Type": "application/x-www-form-urlencoded"},
        "body": FORM,
        "clear": True,
    }


async def test_a_picture_is_attached(opened, fake):
    """The message then goes in headers, whatever its language."""
    text = "Wasser im Keller — schön ist das nicht 🚿\n=?UTF-8?Q?no?="
    await opened().send(message(TOPIC, text=text, subject="[CRITICAL] Lücke", picture=PICTURE), soon())
    [said] = fake.messages
    assert (said["topic"], said["attachment"], said["filename"]) == (TOPIC, PICTURE.content, "picture.jpeg")
    assert (said["message"], said["title"], said["priority"]) == (text, "[CRITICAL] Lücke", 5)
    assert (said["click"], said["sequence_id"]) == (LINK, brief().notification_id)
    assert [each["body"] for each in said["actions"]] == [answer.form for answer in brief().answers]


@pytest.mark.parametrize("largest", [0, 5])
async def test_a_picture_that_is_too_large_is_left_out(opened, fake, largest):
    """The sender is told that the content was the cause, and sends the message without it."""
    fake.largest = largest
    found = await opened().send(message(TOPIC, picture=PICTURE), soon())
    assert isinstance(found, Permanent)
    assert (found.reason, found.of_content) == (Reason.TOO_LARGE, True)


async def test_what_the_server_cannot_read_is_sent_as_text(opened, fake):
    """Once more within the same attempt, with the link in the text, which is never cut away."""
    fake.answer(400, code(40018, "invalid request: actions invalid"))
    sent = await opened().send(message(TOPIC, text="ü" * 5000), soon())
    assert isinstance(sent, Sent)
    [said] = fake.messages
    assert said["message"].endswith(f"…\n{LINK}")
    assert len(said["message"].encode()) in range(4090, 4097)
    assert said.keys() == {"topic", "message", "title", "priority"}
    fake.answer(400, code(40024))
    fake.answer(400, code(40024))
    found = await opened().send(message(TOPIC), soon())
    assert found.reason is Reason.FORMAT


@pytest.mark.parametrize(
    ("changes", "urgent", "expected"),
    [
        ({}, True, 5),
        ({"tag": "WARNING", "severity": Severity.WARNING}, False, 4),
        ({"tag": "WARNING", "severity": Severity.WARNING, "asks": False}, False, 3),
        ({"tag": "INFO", "severity": Severity.INFO}, False, 2),
        ({"tag": "RESOLVED", "over": True, "asks": False}, False, 2),
        ({"tag": "ACKNOWLEDGED", "asks": False}, False, 2),
        ({"tag": "SNOOZED", "asks": False}, False, 2),
        ({"asks": False}, False, 4),
    ],
)
async def test_how_loud_a_message_is(opened, fake, changes, urgent, expected):
    """Only what is critical and open passes do-not-disturb; good news makes no sound."""
    await opened().send(message(TOPIC, urgent=urgent, brief=brief(**changes)), soon())
    assert fake.messages[0]["priority"] == expected


async def test_a_message_without_a_brief_is_published(opened, fake):
    """As that of `send-test`."""
    sent = await opened().send(message(TOPIC, brief=None, urgent=False), soon())
    assert isinstance(sent, Sent)
    assert fake.messages[0].keys() == {"topic", "message", "title", "priority"}


async def test_a_notification_is_cleared(opened, fake):
    """By its sequence, once somebody has the incident or it is over; that the server can't is harmless."""
    channel = opened()
    sent = Followed(TOPIC, brief().notification_id, START, brief().notification_id)
    assert isinstance(await channel.settle(sent, message(TOPIC), soon()), Sent)
    assert fake.cleared == [(TOPIC, brief().notification_id)]
    for status, expected in ((404, Sent), (403, Sent), (200, Sent), (503, Transient), (429, Transient)):
        fake.answer(status, code(status * 100 + 1))
        assert isinstance(await channel.settle(sent, message(TOPIC), soon()), expected)


async def test_an_old_server_is_never_asked_to_clear(opened, fake):
    """It doesn't name the sequence in its answer, so there is no receipt."""
    fake.knows_sequences = False
    sent = await opened().send(message(TOPIC), soon())
    assert isinstance(sent, Sent)
    assert sent.receipt is None


async def test_nothing_is_asked_after_a_week(opened, fake):
    """A phone shows the notification for so long at most, and the service knows nothing more of it anyway."""
    channel = opened()
    followed = Followed(TOPIC, "s", START, "n")
    assert (await channel.ask(followed, soon())).again_in == timedelta(days=1)
    old = Followed(TOPIC, "s", START - timedelta(days=8), "n")
    assert (await channel.ask(old, soon())).again_in is None
    assert fake.asked == []


@pytest.mark.parametrize(
    ("token", "header"), [(TOKEN, f"Bearer {TOKEN}"), ("gate:S3cret-word", "Basic Z2F0ZTpTM2NyZXQtd29yZA==")]
)
async def test_the_login_is_sent_to_its_server_alone(opened, fake, token, header):
    """Not to another host of a contact, which gets the login of its own address."""
    async with serve(NtfyServer()) as other:
        channel = opened(ntfy_token=token)
        fake.logins = {header: TOPIC}
        other.logins = {"Bearer tk_of_the_other_one": "*"}
        assert isinstance(await channel.send(message(TOPIC), soon()), Sent)
        assert isinstance(await channel.send(message(f"{fake.url}/{TOPIC}"), soon()), Sent)
        await channel.send(message(f"{other.url}/{TOPIC}"), soon())
        address = other.url.replace("://", "://:tk_of_the_other_one@") + f"/{TOPIC}"
        assert isinstance(await channel.send(message(address), soon()), Sent)
        assert [each.headers.get("authorization") for each in fake.asked] == [header, header]
        assert [each.headers.get("authorization") for each in other.asked] == [None, "Bearer tk_of_the_other_one"]


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (403, Permanent, Reason.REFUSED),
        (429, Transient, Reason.RECIPIENT_BUSY),
        (500, Transient, Reason.RECIPIENT_BUSY),
        (404, Transient, Reason.RECIPIENT_BUSY),
    ],
)
async def test_another_server_never_pauses_the_channel(opened, status, kind, reason):
    """What it says is about its contact alone."""
    async with serve(NtfyServer()) as other:
        other.answer(status, "no")
        found = await opened().send(message(f"{other.url}/{TOPIC}"), soon())
    assert (type(found), found.reason) == (kind, reason)
    gone = await opened().send(message(f"{other.url}/{TOPIC}"), soon())
    assert (gone.reason, gone.is_unanswered) == (Reason.RECIPIENT_BUSY, False)


async def test_another_server_that_does_not_answer_may_have_the_message(opened):
    """It alone is tried again, and the repeat may be the second one."""
    never = asyncio.Event()

    async def hang(_):
        await never.wait()

    async with serve(NtfyServer()) as other:
        other.script.append(hang)
        found = await opened().send(message(f"{other.url}/{TOPIC}"), asyncio.get_running_loop().time() + 0.2)
        never.set()
    assert (found.reason, found.is_unanswered) == (Reason.RECIPIENT_BUSY, True)


async def test_secrets_are_never_shown(opened, fake):
    """Whatever the server repeats: the token, the topic, the login of an address."""
    channel = opened(ntfy_token=TOKEN)
    fake.answer(403, f"Bearer {TOKEN} may not write to {TOPIC}")
    found = await channel.send(message(TOPIC), soon())
    assert found.reply == "403 Bearer *** may not write to ***"
    async with serve(NtfyServer()) as other:
        other.answer(500, f"tk_of_the_other_one and {TOPIC}")
        address = other.url.replace("://", "://:tk_of_the_other_one@") + f"/{TOPIC}"
        found = await channel.send(message(address), soon())
        assert found.reply == "500 *** and ***"
    found = await channel.send(message(address), soon())
    assert found.reason is Reason.RECIPIENT_BUSY
    assert "tk_of" not in found.reply
    topic = topic_of("https://:tk_of_the_other_one@ntfy.example.org/alarm-x7Kq", "https://ntfy.sh")
    assert "tk_of" not in repr(topic)
    assert "x7Kq" not in repr(topic)


async def test_a_redirect_is_not_followed(opened, fake):
    """Least of all with a token."""
    fake.script.append(RedirectResponse("http://169.254.169.254/latest"))
    assert (await opened(ntfy_token=TOKEN).send(message(TOPIC), soon())).reason is Reason.UNCLEAR


async def test_nothing_is_sent_after_the_deadline(opened, fake):
    """Another process may send it by then."""
    found = await opened().send(message(TOPIC), asyncio.get_running_loop().time() - 1)
    assert found.reason is Reason.TIMEOUT
    assert fake.asked == []


@pytest.mark.parametrize(
    "address",
    [
        "owner-x7Kq",
        "https://ntfy.example.org/owner-x7Kq",
        "http://192.168.1.5:8080/owner-x7Kq",
        "https://[2001:db8::1]/owner",
        "https://:tk_abc@ntfy.example.org/owner",
        "https://me:secret@ntfy.example.org/owner",
    ],
)
def test_addresses_that_are_taken(address):
    """A topic, or the whole address of one, with a login or without."""
    check_topic(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "two words",
        "a/b",
        "x" * 65,
        "t\u00f6pic",
        "https://ntfy.example.org",
        "https://ntfy.example.org/a/b",
        "https://ntfy.example.org/a?auth=x",
        "https://ntfy.example.org/a#b",
        "ftp://ntfy.example.org/a",
        "https:///a",
        "https://ntfy.example.org:99999/a",
        "https://me@ntfy.example.org/a",
        "https://ntfy.example.org/\u00e4",
        "https://ntfy.example.org /a",
        "https://:tk_%C3%A4@ntfy.example.org/a",
        "https://:tk%0D%0AX-Evil:1@ntfy.example.org/a",
        pytest.param(f"https://:{'x' * 3000}@ntfy.example.org/a", id="long"),
    ],
)
def test_addresses_that_are_refused(address):
    """With what to write instead."""
    with pytest.raises(ValueError, match="write ntfy:TOPIC"):
        check_topic(address)


@pytest.mark.parametrize(
    ("text", "longest", "expected"),
    [
        ("short", 5, "short"),
        ("äöü", 5, "ä…"),
        ("äöü", 6, "äöü"),
        ("a👨‍👩‍👧b", 20, "a👨‍👩‍👧b"),
        ("a👨‍👩‍👧b", 15, "a…"),
        ("\ud800", 9, "?"),
    ],
)
def test_a_text_is_cut_between_characters(text, longest, expected):
    """Counted in bytes."""
    assert fit(text, longest) == expected


async def test_a_rehearsal_sends_nothing(opened, fake):
    """It asks for the server's health, and whether it knows the login."""
    assert isinstance(await opened().rehearse(None, soon()), Sent)
    assert [each.path for each in fake.asked] == ["/v1/health"]
    assert (await opened(ntfy_token=TOKEN).rehearse(None, soon())).reason is Reason.CREDENTIALS
    fake.logins = {f"Bearer {TOKEN}": "*"}
    assert isinstance(await opened(ntfy_token=TOKEN).rehearse(TOPIC, soon()), Sent)
    fake.answer(200, "<html>")
    assert (await opened().rehearse(None, soon())).reason is Reason.UNCLEAR
    fake.answer(503, "")
    assert (await opened().rehearse(None, soon())).reason is Reason.TRY_LATER
    assert fake.messages == []


async def test_check_asks_the_servers_that_are_used(make_settings, fake):
    """And warns of a topic that is guessed soon; nobody who isn't told by ntfy makes it ask anything."""
    settings = make_settings(channels_private=True, ntfy_url=fake.url)
    assert await check(settings, [(ChannelName.EMAIL, "me@example.org")]) == []
    assert fake.asked == []
    told = [(ChannelName.NTFY, "alarm"), (ChannelName.NTFY, "http://127.0.0.1:9/owner-x7KqPm2w")]
    found = await check(settings, told)
    assert [(each.level, each.what) for each in found] == [
        (Level.OK, "NTFY_URL"),
        (Level.FAIL, "contact ntfy:http://127.0.0.1:9/***"),
        (Level.WARN, "an ntfy topic"),
    ]


def test_a_token_over_plain_http_is_warned_of(make_settings):
    """Unless it stays on this machine."""
    assert findings(make_settings(ntfy_url="http://ntfy.lan", ntfy_token=TOKEN))[0].level is Level.WARN
    assert findings(make_settings(ntfy_url="http://127.0.0.1:8", ntfy_token=TOKEN)) == []
    assert findings(make_settings(ntfy_url="http://ntfy.lan")) == []


def test_each_failure_has_advice(make_settings):
    """And what was sent has none."""
    reasons = {
        Reason.CREDENTIALS,
        Reason.TOO_MANY_LOGINS,
        Reason.TRY_LATER,
        Reason.DAILY_LIMIT,
        Reason.UNCLEAR,
        Reason.RECIPIENT_BUSY,
        Reason.NO_SUCH_RECIPIENT,
        Reason.TOO_LARGE,
        Reason.FORMAT,
        Reason.REFUSED,
        Reason.CONNECTION,
        Reason.TLS,
        Reason.TIMEOUT,
        Reason.INTERNAL,
    }
    assert all(advice(make_settings(), Transient(reason, "no")) for reason in reasons)
    assert advice(make_settings(), Sent("yes")) is None
