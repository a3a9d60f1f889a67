"""Matrix: what a homeserver is asked, what its answers mean, and that repeats are recognised."""

import asyncio
import json
from datetime import timedelta

import pytest
from starlette.responses import HTMLResponse

from alertgate.model import ChannelName
from alertgate.notify.breaker import PATIENCE, ChannelState, after
from alertgate.notify.channels import matrix
from alertgate.notify.channels.base import Level, Reason, Sent, Transient
from alertgate.notify.channels.service import Reply
from alertgate.notify.evidence import Tried, weigh
from tests.fakes import FakeClock
from tests.services import hooks
from tests.services.hooks import HOSTILE, LINK, NOW, incident, message
from tests.services.server import serve

TOKEN = "syt_secret_token"
ROOM = "!r:hs"


def soon() -> float:
    """Return a deadline."""
    return asyncio.get_running_loop().time() + 5


@pytest.fixture
async def fake():
    """A homeserver."""
    async with serve(hooks.matrix(TOKEN)) as service:
        yield service


@pytest.fixture
async def opened(make_settings, fake):
    """The channel to that homeserver."""
    settings = make_settings(channels_private=True, matrix_url=fake.url, matrix_token=TOKEN)
    [channel] = matrix.from_settings(settings, FakeClock())
    yield channel
    await channel.close()


async def test_a_message_is_plain_and_mentions_nobody(opened, fake):
    """It rings, as a notice wouldn't."""
    outcome = await opened.send(message(ROOM, HOSTILE), soon())
    [asked] = fake.asked
    said = asked.json
    assert outcome == Sent("200 $event0")
    assert asked.path.startswith("/_matrix/client/v3/rooms/!r:hs/send/m.room.message/msg_")
    assert (said["msgtype"], said["m.mentions"], sorted(said)) == ("m.text", {}, ["body", "m.mentions", "msgtype"])
    assert said["body"] == f"[CRITICAL] Boiler room: leak\n{HOSTILE}\n{LINK}"


async def test_a_repeat_is_recognised_and_news_are_not(opened):
    """The homeserver answers a repeat with the first event; changed facts are another one."""
    alarm = message(ROOM)
    over = message(ROOM, facts={**alarm.brief.facts, "incidents": [incident(status="resolved")]})
    found = [await opened.send(each, soon()) for each in (alarm, message(ROOM, "Sent late."), over)]
    assert [each.reply for each in found] == ["200 $event0", "200 $event0", "200 $event1"]


async def test_a_long_message_fits_into_an_event(opened, fake):
    """Its link too."""
    await opened.send(message(ROOM, "\x01🌡️" * 20_000), soon())
    assert len(fake.asked[0].body) < 65_536
    assert fake.asked[0].json["body"].endswith(LINK)


async def test_a_rehearsal_asks_for_the_account_and_its_rooms(opened, fake):
    """Nothing is sent."""
    assert (await opened.rehearse(None, soon())).reply == "200 @gate:hs"
    assert (await opened.rehearse(ROOM, soon())).reply == "200 @gate:hs is in the room"
    other = await opened.rehearse("!other:hs", soon())
    assert (other.word, other.reason) == ("permanent", Reason.REFUSED)
    assert {each.method for each in fake.asked} == {"GET"}


@pytest.mark.parametrize(
    ("member", "word"),
    [({"membership": "leave"}, "permanent"), ({"membership": "join"}, "sent"), ([], "permanent")],
)
async def test_an_account_that_has_left_cannot_write(opened, fake, member, word):
    """It may only have been invited."""
    fake.answer(200, {"user_id": "@gate:hs"})
    fake.answer(200, member)
    assert (await opened.rehearse(ROOM, soon())).word == word


async def test_check_names_each_room(make_settings, fake):
    """And the account, where nobody is told by it yet."""
    settings = make_settings(channels_private=True, matrix_url=fake.url, matrix_token=TOKEN)
    told = [(ChannelName.MATRIX, ROOM), (ChannelName.MATRIX, "!other:hs")]
    assert [each.level for each in await matrix.check(settings, told)] == [Level.OK, Level.FAIL]
    assert [each.level for each in await matrix.check(settings, [])] == [Level.OK]
    assert await matrix.check(make_settings(), told) == []


async def test_the_token_is_never_shown(make_settings, fake):
    """The fake repeats all headers."""
    settings = make_settings(channels_private=True, matrix_url=fake.url, matrix_token="syt_another_secret")
    [channel] = matrix.from_settings(settings, FakeClock())
    outcome = await channel.send(message(ROOM), soon())
    await channel.close()
    assert outcome.reason is Reason.CREDENTIALS
    assert "another_secret" not in f"{outcome}{channel!r}"


P, T = "permanent", "transient"


@pytest.mark.parametrize(
    ("status", "body", "word", "reason"),
    [
        (200, {"event_id": "$e"}, "sent", Reason.SENT),
        (200, {"event_id": 1}, T, Reason.TRY_LATER),
        (200, [], T, Reason.TRY_LATER),
        (200, "<html>", T, Reason.TRY_LATER),
        (401, {"errcode": "M_UNKNOWN_TOKEN"}, T, Reason.CREDENTIALS),
        (401, {"errcode": "M_MISSING_TOKEN"}, T, Reason.CREDENTIALS),
        (403, {"errcode": "M_USER_DEACTIVATED"}, T, Reason.CREDENTIALS),
        (401, "", T, Reason.CREDENTIALS),
        (403, {"errcode": "M_FORBIDDEN"}, P, Reason.REFUSED),
        (403, "<html>", T, Reason.TRY_LATER),
        (404, {"errcode": "M_NOT_FOUND"}, P, Reason.NO_SUCH_RECIPIENT),
        (404, {"errcode": "M_UNRECOGNIZED"}, T, Reason.TRY_LATER),
        (404, "", T, Reason.TRY_LATER),
        (413, {"errcode": "M_TOO_LARGE"}, P, Reason.TOO_LARGE),
        (413, "", P, Reason.TOO_LARGE),
        (400, {"errcode": "M_BAD_JSON"}, P, Reason.FORMAT),
        (429, {"errcode": "M_LIMIT_EXCEEDED"}, T, Reason.TRY_LATER),
        (500, {"errcode": "M_UNKNOWN"}, T, Reason.TRY_LATER),
        (502, "", T, Reason.TRY_LATER),
        (308, "", T, Reason.TRY_LATER),
        (400, {"errcode": []}, T, Reason.TRY_LATER),
    ],
)
def test_what_a_homeserver_means(status, body, word, reason):
    """Its codes count."""
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    found = matrix.outcome(Reply(status, raw, {}, str), NOW)
    assert (found.word, found.reason) == (word, reason)


@pytest.mark.parametrize(
    ("status", "body", "alone"),
    [
        (500, {"errcode": "M_UNKNOWN"}, Reason.RECIPIENT_BUSY),
        (502, "", Reason.RECIPIENT_BUSY),
        (403, {"errcode": "M_GUEST_ACCESS_FORBIDDEN"}, Reason.RECIPIENT_BUSY),
        (200, "<html>", None),
        (429, {"errcode": "M_LIMIT_EXCEEDED"}, None),
        (429, "", None),
        (401, {"errcode": "M_UNKNOWN_TOKEN"}, None),
    ],
)
def test_what_may_be_about_one_room(status, body, alone):
    """It is tried again for as long as any other, and keeps nobody else waiting."""
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    found = matrix.outcome(Reply(status, raw, {"retry-after": "60"}, str), NOW)
    assert (found.word, found.if_alone and (found.if_alone.word, found.if_alone.reason)) == (T, alone and (T, alone))


def test_a_room_that_always_fails_does_not_pause_the_others():
    """Whatever it is that ails it: it alone waits."""
    state, at = ChannelState(), NOW
    for number in range(PATIENCE + 1):
        failed = matrix.outcome(Reply(500, b'{"errcode":"M_UNKNOWN"}', {}, str), NOW)
        state = after(state, weigh(state.evidence, Tried("!broken:hs", f"{number}"), failed, at), at, 0.5)
        at += timedelta(seconds=10)
    assert (state.up, state.admits("!broken:hs"), state.admits(ROOM)) == (False, False, True)


@pytest.mark.parametrize(
    ("headers", "said", "seconds"),
    [
        ({"retry-after": "30"}, {}, 30),
        ({}, {"retry_after_ms": 2500}, 2.5),
        ({}, {"retry_after_ms": 1e300}, 86400),
        ({}, {"retry_after_ms": "soon"}, None),
        ({}, {"retry_after_ms": -1}, None),
    ],
)
def test_how_long_a_homeserver_asks_to_wait(headers, said, seconds):
    """By a header, or in older releases in the body."""
    body = json.dumps({"errcode": "M_LIMIT_EXCEEDED", **said}).encode()
    found = matrix.outcome(Reply(429, body, headers, str), NOW)
    assert found.retry_in == (timedelta(seconds=seconds) if seconds else None)


async def test_a_page_is_an_outcome(opened, fake):
    """Also where the account is asked for."""
    fake.script.extend([HTMLResponse("<html>"), HTMLResponse("<html>")])
    assert (await opened.send(message(ROOM), soon())).word == "transient"
    assert (await opened.rehearse(ROOM, soon())).word == "transient"


@pytest.mark.parametrize("address", ["#alarms:hs", "@me:hs", "!", "! x:hs", "!a:b/c", "r:hs", "!a\n:hs"])
def test_what_is_no_room_is_refused(address):
    """A name can be given to another room, so it is refused with words."""
    with pytest.raises(ValueError, match="id"):
        matrix.check_room(address)


@pytest.mark.parametrize(
    "address", [ROOM, "!AbC:matrix.example.org:8448", "!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM"]
)
def test_a_room_is_known_by_its_id(address):
    """Those of newer rooms name no server."""
    matrix.check_room(address)


def test_both_settings_are_needed(make_settings):
    """And a token isn't sent in the open without a word."""
    assert matrix.missing(make_settings()) == "set MATRIX_URL and MATRIX_TOKEN"
    assert matrix.missing(make_settings(matrix_url="https://m.example.org")) == "set MATRIX_TOKEN"
    open_to_all = make_settings(matrix_url="http://m.example.org", matrix_token=TOKEN)
    assert [each.level for each in matrix.findings(open_to_all)] == [Level.WARN]


@pytest.mark.parametrize("reason", Reason)
def test_each_failure_has_advice(make_settings, reason):
    """One sentence."""
    assert matrix.advice(make_settings(), Transient(reason, "x"))
