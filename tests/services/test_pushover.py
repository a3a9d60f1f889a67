"""Pushover: what is sent, how an emergency rings and ends, and what each answer means."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from starlette.responses import RedirectResponse, Response
from structlog.testing import capture_logs

from alertgate.model import ChannelName, Severity
from alertgate.notify.channels.base import Followed, Learned, Level, Permanent, Reason, Sent, Transient
from alertgate.notify.channels.pushover import Pushover, advice, check, from_settings, missing
from alertgate.notify.channels.pushover_answers import check_key, learned, outcome
from alertgate.notify.channels.pushover_message import rings
from alertgate.notify.channels.service import Reply
from alertgate.proof import Proof
from tests.fakes import START, FakeClock
from tests.services.messages import LINK, PICTURE, brief, message, soon
from tests.services.pushover import GROUP, OWNER, TOKEN, PushoverServer
from tests.services.server import serve

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
RESET = int((START + timedelta(hours=5)).timestamp())
LIMITS = {"x-limit-app-limit": "10000", "x-limit-app-remaining": "0", "x-limit-app-reset": str(RESET)}
PUSHED = int(START.timestamp()) - 60
FOLLOWED = Followed(OWNER, "r" * 30, START - MINUTE, brief().notification_id)


@pytest.fixture
async def fake():
    """Pushover with one user and one group."""
    async with serve(PushoverServer()) as server:
        yield server


@pytest.fixture
async def channel(make_settings, fake):
    """A channel of an application that it knows."""
    opened = Pushover(make_settings(pushover_token=TOKEN, pushover_url=fake.url), FakeClock())
    yield opened
    await opened.close()


def answer(status: int, body: object, headers: dict[str, str] | None = None) -> Reply:
    """Return an answer."""
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return Reply(status, content, headers or {}, lambda text: text)


@pytest.mark.parametrize(
    ("status", "body", "headers", "expected"),
    [
        (200, {"status": 1, "request": "r1"}, {}, Sent("200 accepted as r1")),
        (200, {"status": 0}, {}, (Transient, Reason.UNCLEAR, None)),
        (200, "<html>Log in</html>", {}, (Transient, Reason.UNCLEAR, None)),
        (200, [1], {}, (Transient, Reason.UNCLEAR, None)),
        (200, None, {}, (Transient, Reason.UNCLEAR, None)),
        (302, "", {}, (Transient, Reason.UNCLEAR, None)),
        (404, "", {}, (Transient, Reason.UNCLEAR, None)),
        (
            400,
            {"token": "invalid", "errors": ["application token is invalid"]},
            {},
            (Transient, Reason.CREDENTIALS, None),
        ),
        (401, "", {}, (Transient, Reason.CREDENTIALS, None)),
        (403, "", {}, (Transient, Reason.HOST_REFUSED, None)),
        (400, {"user": "invalid", "errors": ["no"]}, {}, (Permanent, Reason.NO_SUCH_RECIPIENT, False)),
        (400, {"message": "cannot be blank", "errors": ["no"]}, {}, (Permanent, Reason.FORMAT, False)),
        (400, {"errors": "no"}, {}, (Permanent, Reason.FORMAT, False)),
        (400, {"errors": ["attachment is no image"]}, {}, (Permanent, Reason.TOO_LARGE, True)),
        (413, "nginx", {}, (Permanent, Reason.TOO_LARGE, True)),
        (429, {"errors": ["over its limit"]}, LIMITS, (Transient, Reason.DAILY_LIMIT, timedelta(hours=5))),
        (429, {}, LIMITS | {"x-limit-app-reset": "9999999999"}, (Transient, Reason.DAILY_LIMIT, timedelta(days=1))),
        (429, {}, LIMITS | {"x-limit-app-reset": "1"}, (Transient, Reason.DAILY_LIMIT, None)),
        (429, {}, {"x-limit-app-reset": "soon"}, (Transient, Reason.DAILY_LIMIT, None)),
        (429, {}, LIMITS | {"x-limit-app-remaining": "7"}, (Transient, Reason.TRY_LATER, 5 * SECOND)),
        (429, {}, {"retry-after": "30"}, (Transient, Reason.TRY_LATER, 30 * SECOND)),
        (500, "", {}, (Transient, Reason.TRY_LATER, 5 * SECOND)),
        (503, "", {"retry-after": "60"}, (Transient, Reason.TRY_LATER, 60 * SECOND)),
    ],
)
def test_what_an_answer_means(status, body, headers, expected):
    """Each row of Pushover's documentation."""
    found = outcome(answer(status, body, headers), START)
    if isinstance(expected, Sent):
        assert found == expected
        return
    kind, reason, more = expected
    assert (type(found), found.reason) == (kind, reason)
    assert more == (found.of_content if isinstance(found, Permanent) else found.retry_in)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, {"status": 1, "acknowledged": 0, "last_delivered_at": 0, "expired": 0}, Learned(again_in=10 * SECOND)),
        (
            200,
            {"status": 1, "last_delivered_at": PUSHED},
            Learned(again_in=10 * SECOND),
        ),
        (
            200,
            {"status": 1, "last_delivered_at": PUSHED, "expired": 1},
            Learned(),
        ),
        (
            200,
            {"status": 1, "acknowledged": 1, "acknowledged_by": OWNER, "acknowledged_at": PUSHED},
            Learned(Proof.ACKNOWLEDGED, None, START - MINUTE),
        ),
        (
            200,
            {"status": 1, "acknowledged": 1, "acknowledged_by": "someone", "acknowledged_by_device": "anns-phone"},
            Learned(Proof.ACKNOWLEDGED, "the device anns-phone"),
        ),
        (
            200,
            {"status": 1, "acknowledged": 1, "acknowledged_by": [], "acknowledged_by_device": "\u202e<b>"},
            Learned(Proof.ACKNOWLEDGED),
        ),
        (200, {"status": 1, "last_delivered_at": True}, Learned(again_in=10 * SECOND)),
        (200, {"status": 1, "last_delivered_at": 10**30}, Learned(again_in=10 * SECOND)),
        (200, {"status": 1, "last_delivered_at": "1764082999"}, Learned(again_in=10 * SECOND)),
        (404, {"status": 0, "receipt": "not found"}, Learned()),
        (401, "", Learned(again_in=5 * MINUTE)),
        (400, {"token": "invalid", "status": 0}, Learned(again_in=5 * MINUTE)),
        (429, "", Learned(again_in=MINUTE)),
        (500, "", Learned(again_in=MINUTE)),
        (200, "<html>", Learned(again_in=MINUTE)),
        (200, [None], Learned(again_in=MINUTE)),
    ],
)
def test_what_a_receipt_says(status, body, expected):
    """Never more than Pushover says, and no more questions once there is nothing to learn."""
    assert learned(answer(status, body), FOLLOWED, START) == expected


def test_an_old_emergency_is_asked_for_less_often():
    """After ten minutes every half minute."""
    old = replace(FOLLOWED, sent_at=START - 11 * MINUTE)
    assert learned(answer(200, {"status": 1}), old, START).again_in == 30 * SECOND


async def test_something_critical_is_an_emergency(channel, fake):
    """It has the link, the time, and the tag by which it ends."""
    sent = await channel.send(message(OWNER), soon())
    assert isinstance(sent, Sent)
    assert (sent.receipt, sent.follow_in) == (f"r{0:029}", 10 * SECOND)
    assert fake.messages == [
        {
            "token": TOKEN,
            "user": OWNER,
            "title": "[CRITICAL] leak at the cellar",
            "message": "Water in the cellar\nA new alert.",
            "priority": "2",
            "retry": "72",
            "expire": "3600",
            "tags": brief().notification_id,
            "timestamp": str(int(START.timestamp())),
            "url": LINK,
            "url_title": "I'm on it, snooze, details",
        }
    ]


@pytest.mark.parametrize(
    ("every", "lasts", "expected"),
    [
        (None, None, (72, 3600)),
        (5 * MINUTE, 120 * MINUTE, (300, 7200)),
        (10 * SECOND, 20 * MINUTE, (30, 1200)),
        (30 * SECOND, 25 * MINUTE, (30, 1500)),
        (30 * SECOND, 26 * MINUTE, (32, 1560)),
        (SECOND, timedelta(days=2), (216, 10_800)),
        (timedelta(hours=4), timedelta(hours=8), (10_800, 10_800)),
        (SECOND, SECOND, (30, 30)),
        (5 * MINUTE, timedelta(0), (30, 30)),
    ],
)
def test_how_an_emergency_rings(every, lasts, expected):
    """As its escalation says, within what Pushover takes: at most 50 times, so less often where it lasts."""
    assert rings(brief(repeat_every=every, repeat_for=lasts)) == expected


@pytest.mark.parametrize(
    ("changes", "urgent", "expected"),
    [
        ({}, True, "2"),
        ({"asks": False}, True, "1"),
        ({"tag": "WARNING", "severity": Severity.WARNING}, False, "0"),
        ({"tag": "INFO", "severity": Severity.INFO}, False, "-1"),
        ({"tag": "RESOLVED", "over": True, "asks": False}, False, "-1"),
        ({"tag": "ACKNOWLEDGED", "asks": False}, False, "-1"),
    ],
)
async def test_how_loud_a_message_is(channel, fake, changes, urgent, expected):
    """Only what asks for an answer rings until there is one."""
    sent = await channel.send(message(OWNER, urgent=urgent, brief=brief(**changes)), soon())
    assert fake.messages[0]["priority"] == expected
    assert isinstance(sent, Sent)
    assert (sent.receipt is not None) == ("retry" in fake.messages[0]) == (expected == "2")


async def test_a_message_without_a_brief_is_sent(channel, fake):
    """As that of `send-test`."""
    assert isinstance(await channel.send(message(OWNER, brief=None, urgent=False), soon()), Sent)
    assert fake.messages[0]["priority"] == "0"


async def test_a_picture_is_attached(channel, fake):
    """As a file beside the fields; one that is too large is left out by the sender."""
    assert isinstance(await channel.send(message(OWNER, picture=PICTURE, text="schön 🚿"), soon()), Sent)
    said = fake.messages[0]
    assert (said["attachment"], said["attachment_type"], said["message"]) == (PICTURE.content, "image/jpeg", "schön 🚿")
    fake.largest = 3
    found = await channel.send(message(OWNER, picture=PICTURE), soon())
    assert isinstance(found, Permanent)
    assert (found.reason, found.of_content) == (Reason.TOO_LARGE, True)


async def test_what_cannot_be_read_is_sent_as_text(channel, fake):
    """Once more within the attempt, with the link in the text, and still as an emergency."""
    fake.answer(400, {"url": "is invalid", "errors": ["url is invalid"], "status": 0})
    sent = await channel.send(message(OWNER, text="x" * 2000, picture=PICTURE), soon())
    assert isinstance(sent, Sent)
    assert sent.receipt
    [said] = fake.messages
    assert said["message"].endswith(f"…\n{LINK}")
    assert len(said["message"]) == 1024
    assert said.keys().isdisjoint({"url", "attachment", "timestamp"})


async def test_what_may_have_gone_out_is_cancelled_before_it_goes_again(channel, fake, make_settings):
    """Pushover has no key by which it would know a repeat. Whichever process sent it, and though that can't be done."""

    def lost(asked):
        fake.reply(asked)
        return Response(status_code=502)

    fake.script.append(lost)
    found = await channel.send(message(OWNER), soon())
    assert isinstance(found, Transient)
    assert (found.reason, found.is_unanswered) == (Reason.TRY_LATER, True)
    again = replace(message(OWNER), repeats_since=START)
    assert isinstance(await channel.send(again, soon()), Sent)
    other = Pushover(make_settings(pushover_token=TOKEN, pushover_url=fake.url), FakeClock())
    assert isinstance(await other.send(again, soon()), Sent)
    assert [each.rings for each in fake.emergencies.values()] == [False, False, True]
    fake.answer(500, "")
    assert isinstance(await other.send(again, soon()), Sent)
    await other.close()
    assert [each.rings for each in fake.emergencies.values()] == [False, False, True, True]


async def test_a_receipt_is_asked_for(channel, fake):
    """Until it is acknowledged; a question that fails is asked again, and none after four hours."""
    sent = await channel.send(message(GROUP), soon())
    assert isinstance(sent, Sent)
    followed = Followed(GROUP, sent.receipt or "", START, brief().notification_id)
    assert await channel.ask(followed, soon()) == Learned(again_in=10 * SECOND)
    fake.acknowledge(followed.receipt, by=OWNER, device="anns-phone", at=int(START.timestamp()))
    assert await channel.ask(followed, soon()) == Learned(Proof.ACKNOWLEDGED, "the device anns-phone", START)
    assert (await channel.ask(followed, asyncio.get_running_loop().time() - 1)).again_in == 10 * SECOND
    asked = len(fake.asked)
    assert await channel.ask(replace(followed, sent_at=START - timedelta(hours=5)), soon()) == Learned()
    assert len(fake.asked) == asked


async def test_settling_ends_all_that_rings(channel, fake, make_settings):
    """Also what another process sent of the same notification, without telling anybody its receipt."""
    sent = await channel.send(message(OWNER), soon())
    again = Pushover(make_settings(pushover_token=TOKEN, pushover_url=fake.url), FakeClock())
    await again.send(message(OWNER), soon())
    await again.close()
    assert isinstance(sent, Sent)
    followed = Followed(OWNER, sent.receipt or "", START, brief().notification_id)
    assert isinstance(await channel.settle(followed, message(OWNER), soon()), Sent)
    assert [each.rings for each in fake.emergencies.values()] == [False, False]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [(404, 200, Sent), (404, 404, Permanent), (400, 400, Permanent), (500, 503, Transient), (429, 429, Transient)],
)
async def test_settling_that_fails(channel, fake, first, second, expected):
    """It falls back to the receipt; what Pushover refuses is never repeated, what is overloaded is."""
    for status in (first, second):
        fake.answer(status, {"status": int(status == 200), "errors": ["no"]})
    found = await channel.settle(FOLLOWED, message(OWNER), soon())
    assert isinstance(found, expected)
    assert [each.path for each in fake.asked] == [
        f"/1/receipts/cancel_by_tag/{brief().notification_id}.json",
        f"/1/receipts/{FOLLOWED.receipt}/cancel.json",
    ]


async def test_at_most_two_connections(channel, fake):
    """Pushover refuses more; a question never keeps an alarm waiting."""
    at_once, most, gate = 0, 0, asyncio.Event()

    async def slow(asked):
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        gate.set() if at_once == 2 else None
        await gate.wait()
        at_once -= 1
        return fake.reply(asked)

    fake.usual = slow
    questions = [channel.ask(FOLLOWED, soon()) for _ in range(5)]
    await asyncio.gather(*questions, channel.send(message(OWNER, brief=None), soon()))
    assert most == 2


async def test_secrets_are_never_shown(channel, fake):
    """Neither the token nor a key, whatever Pushover repeats."""
    fake.answer(500, f"{TOKEN} {OWNER}")
    found = await channel.send(message(OWNER), soon())
    assert found.reply == "500 *** ***"
    fake.answer(400, {"user": "invalid", "errors": [f"{OWNER} isn't known to {TOKEN}"]})
    found = await channel.send(message(OWNER, brief=None), soon())
    assert found.reply == "400 *** isn't known to ***"
    fake.script.append(RedirectResponse("http://169.254.169.254/latest"))
    assert (await channel.send(message(OWNER, brief=None), soon())).reason is Reason.UNCLEAR


async def test_few_messages_left_are_logged_once(channel, fake):
    """Before the month's last one."""
    fake.remaining = 1002
    with capture_logs() as logs:
        for _ in range(4):
            await channel.send(message(OWNER, brief=None), soon())
    assert [each["left"] for each in logs if each["event"] == "pushover.quota_low"] == [1000]


async def test_a_rehearsal_sends_nothing(channel, fake):
    """It asks how many messages are left, and whether the key is known."""
    assert await channel.rehearse(None, soon()) == Sent(
        "200 accepted as r1: 9000 of 10000 messages are left this month"
    )
    assert isinstance(await channel.rehearse(OWNER, soon()), Sent)
    assert (await channel.rehearse("u" * 30, soon())).reason is Reason.NO_SUCH_RECIPIENT
    fake.remaining = 0
    assert (await channel.rehearse(None, soon())).reason is Reason.DAILY_LIMIT
    fake.answer(500, "")
    assert (await channel.rehearse(None, soon())).reason is Reason.TRY_LATER
    assert fake.messages == []


async def test_check_asks_for_the_token_and_each_key(make_settings, fake):
    """Without a token there is nothing to ask; with a wrong one nothing about keys."""
    told = [(ChannelName.PUSHOVER, OWNER), (ChannelName.PUSHOVER, "u" * 30), (ChannelName.EMAIL, "me@example.org")]
    assert await check(make_settings(), told) == []
    found = await check(make_settings(pushover_token=TOKEN, pushover_url=fake.url), told)
    assert [(each.level, each.what) for each in found] == [
        (Level.OK, "PUSHOVER_TOKEN"),
        (Level.OK, "contact pushover:u***"),
        (Level.FAIL, "contact pushover:u***"),
    ]
    [wrong] = await check(make_settings(pushover_token="wrong-token-0123456789", pushover_url=fake.url), told)
    assert (wrong.level, wrong.what) == (Level.FAIL, "PUSHOVER_TOKEN")
    assert "PUSHOVER_TOKEN" in wrong.text


def test_a_token_opens_the_channel(make_settings):
    """Without it, a contact is refused with what to set."""
    assert missing(make_settings()) == "set PUSHOVER_TOKEN (docs/channels/pushover.md)"
    assert from_settings(make_settings(), FakeClock()) == []
    assert [each.name for each in from_settings(make_settings(pushover_token=TOKEN), FakeClock())] == ["pushover"]


@pytest.mark.parametrize("address", ["", OWNER[:29], OWNER + "x", "u" * 29 + "-", "ü" * 30])
def test_an_address_is_a_key(address):
    """Of thirty letters and digits."""
    check_key(OWNER)
    with pytest.raises(ValueError, match="isn't a user or group key"):
        check_key(address)


def test_each_failure_has_advice(make_settings):
    """And what was sent has none."""
    reasons = {found for found in Reason if advice(make_settings(), Transient(found, "no"))}
    assert reasons >= {Reason.CREDENTIALS, Reason.NO_SUCH_RECIPIENT, Reason.DAILY_LIMIT, Reason.TIMEOUT, Reason.FORMAT}
    assert advice(make_settings(), Sent("yes")) is None
