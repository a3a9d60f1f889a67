"""Twilio: what its answers mean, what a text and a call are, and what a repeat looks for."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from starlette.responses import RedirectResponse, StreamingResponse

from alertgate.model import ChannelName, Severity
from alertgate.notify.channels import twilio, twilio_call
from alertgate.notify.channels.base import Brief, Followed, Level, Message, Outcome, Permanent, Reason, Sent
from alertgate.notify.channels.service import Reply
from alertgate.notify.channels.twilio_advice import CODES, REASONS
from alertgate.notify.channels.twilio_outcomes import LATER, NEVER, Became, ask_in, learned, outcome
from alertgate.notify.channels.twilio_twiml import LONGEST, call, speakable, written
from alertgate.notify.render.text import SEGMENT, septets
from alertgate.proof import Proof
from tests.fakes import FakeClock
from tests.services.server import serve
from tests.services.twilio import NUMBER, PHONE, SETTINGS, TOKEN, Account, Made, parsed, problem, service

NOW = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
SM = "SM" + "1" * 32
PUBLIC = "https://alerts.example.org"
LINK = f"{PUBLIC}/a/abcdefghijklmnop"


def message(**changes: object) -> Message:
    """Return a text about a leak that is open, with changes."""
    brief = {"notification_id": "n-1", "tag": "CRITICAL", "severity": Severity.CRITICAL, "asks": True, "link": LINK}
    brief |= changes.pop("brief", {})
    text = changes.pop("text", f"CRITICAL Cellar: leak at 03:12 {LINK}")
    return Message(PHONE, text, "n-1@x", "incident.1@x", NOW, brief=Brief(**brief), **changes)


def soon() -> float:
    """Return a deadline."""
    return asyncio.get_running_loop().time() + 5


@pytest.fixture
async def account():
    """A Twilio account."""
    return Account(now=lambda: NOW)


@pytest.fixture
async def fake(account):
    """The account's API."""
    async with serve(service(account)) as served:
        yield served


@pytest.fixture
async def open_channel(make_settings, fake):
    """Return what opens a channel to the fake."""
    opened = []

    def make(module=twilio, **changes):
        clock = FakeClock(NOW)
        [channel] = module.from_settings(make_settings(**{**SETTINGS, "twilio_url": fake.url, **changes}), clock)
        opened.append(channel)
        return channel

    yield make
    for each in opened:
        await each.close()


def shape(found: Outcome) -> tuple:
    """Return what matters of an outcome."""
    return found.word, found.reason, getattr(found, "of_content", False), getattr(found, "retry_in", None)


T, P = "transient", "permanent"
ROWS = [
    *((400, code, {}, (P, Reason.NO_SUCH_RECIPIENT, False, None)) for code in (21211, 21614, 21635, 30005, 30006)),
    *((400, code, {}, (P, Reason.REFUSED, False, None)) for code in (21610, 30004, 21408, 21612)),
    *((400, code, {}, (T, Reason.UNREACHABLE, False, None)) for code in (30003, 30008, 30036)),
    *((400, code, {}, (T, Reason.SENDER_REFUSED, False, None)) for code in (21606, 30032, 30034)),
    *((400, code, {}, (T, Reason.RELAY_REFUSED, False, None)) for code in (21608, 30002)),
    (400, 30007, {}, (P, Reason.POLICY, False, None)),
    (400, 21617, {}, (P, Reason.TOO_LARGE, True, None)),
    (401, 20003, {}, (T, Reason.CREDENTIALS, False, None)),
    (429, 20429, {"retry-after": "7"}, (T, Reason.TRY_LATER, False, timedelta(seconds=7))),
    (429, 30001, {}, (T, Reason.TRY_LATER, False, None)),
    (400, 99999, {}, (T, Reason.UNCLEAR, False, None)),
    (400, "21610", {}, (P, Reason.REFUSED, False, None)),
    (401, None, {}, (T, Reason.CREDENTIALS, False, None)),
    (500, None, {}, (T, Reason.TRY_LATER, False, None)),
    (503, None, {"retry-after": "60"}, (T, Reason.TRY_LATER, False, timedelta(seconds=60))),
    (200, None, {}, (T, Reason.UNCLEAR, False, None)),
    (307, None, {"location": "http://169.254.169.254/"}, (T, Reason.UNCLEAR, False, None)),
]


@pytest.mark.parametrize(("status", "code", "headers", "wanted"), ROWS)
def test_each_answer_has_its_outcome(status, code, headers, wanted):
    """Every row of what Twilio answers: for good or for a while, about us or about the recipient, and how long."""
    body = f'{{"code": {code!r}, "message": "no"}}'.replace("'", '"') if code else "<html>hello</html>"
    assert shape(outcome(Reply(status, body.encode(), headers, lambda text: text), NOW)) == wanted


@pytest.mark.parametrize(
    "body", [b"[]", b"null", b"{", b'{"sid": 7}', b'{"sid": "x"}', b'{"sid": "SM1"}', b"\xff", b""]
)
def test_what_is_not_an_answer_of_twilio_is_no_success(body):
    """201 with anything but the id of a message sent nothing that could be known."""
    assert shape(outcome(Reply(201, body, {}, lambda text: text), NOW)) == (T, Reason.UNCLEAR, False, None)


def test_each_code_and_reason_has_advice(make_settings):
    """A sentence for whatever fails; that of a code where it says more."""
    settings = make_settings(**SETTINGS)
    for code in {**NEVER, **LATER}:
        found = outcome(Reply(400, f'{{"code": {code}}}'.encode(), {}, lambda text: text), NOW)
        assert twilio.advice(settings, found) == CODES.get(code, REASONS[found.reason])
    assert twilio.advice(settings, Sent("x")) is None
    assert set(CODES) <= {*NEVER, *LATER}


LATE = [
    (Became("queued"), None),
    (Became("sent"), None),
    (Became("in-progress"), None),
    (Became(""), None),
    (Became("delivered"), (Proof.DELIVERED, None)),
    (Became("read"), (Proof.SEEN, None)),
    (Became("undelivered", 30003), (None, (T, Reason.UNREACHABLE))),
    (Became("undelivered", 30008), (None, (T, Reason.UNREACHABLE))),
    (Became("failed", 30036), (None, (T, Reason.UNREACHABLE))),
    (Became("failed", 30001), (None, (T, Reason.TRY_LATER))),
    (Became("undelivered"), (None, (T, Reason.UNREACHABLE))),
    (Became("undelivered", 12345), (None, (T, Reason.UNREACHABLE))),
    (Became("undelivered", 30004), (None, (P, Reason.REFUSED))),
    (Became("undelivered", 30005), (None, (P, Reason.NO_SUCH_RECIPIENT))),
    (Became("undelivered", 30007), (None, (P, Reason.POLICY))),
    (Became("undelivered", 30032), (None, (P, Reason.SENDER_REFUSED))),
    (Became("undelivered", 30034), (None, (P, Reason.SENDER_REFUSED))),
    (Became("failed", 30002), (None, (P, Reason.RELAY_REFUSED))),
    *((Became(status), (None, (T, Reason.UNREACHABLE))) for status in ("busy", "no-answer", "failed", "canceled")),
    (Became("completed", None, "human"), (Proof.DELIVERED, None)),
    (Became("completed", None, "machine_start"), (None, (T, Reason.UNREACHABLE))),
    (Became("completed", None, "fax"), (None, (T, Reason.UNREACHABLE))),
    (Became("completed", None, "unknown"), (None, None)),
    (Became("completed"), (None, None)),
]


@pytest.mark.parametrize(("became", "wanted"), LATE)
def test_each_status_says_no_more_than_it_proves(became, wanted):
    """A machine is no person; what only the operator can mend fails at once; what passes is tried again."""
    found = learned(became, None)
    failure = found.failure if found else None
    assert (found and (found.proof, failure and (failure.word, failure.reason))) == wanted


def test_what_arrived_does_not_fail_later():
    """Whoever pressed 1 was taken for a machine; a call that ends in another way isn't made again."""
    for proof in (Proof.DELIVERED, Proof.ACKNOWLEDGED):
        assert learned(Became("completed", None, "machine_start"), proof) == learned(Became("completed"), proof)


def test_it_is_asked_often_at_first_and_ends_after_a_day():
    """Five seconds, growing to a quarter of an hour; never within a minute where Twilio tells it by itself."""
    ages = [timedelta(0), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=20), timedelta(days=1)]
    waits = [ask_in(age, called_back=False) for age in ages]
    assert [wait and wait.total_seconds() for wait in waits] == [5, 30, 300, 900, None]
    assert ask_in(timedelta(0), called_back=True) == timedelta(minutes=1)


async def test_a_text_is_one_form(open_channel, account, fake):
    """To, From, the text, how long it is good for; without PUBLIC_URL no callback, and it is asked for soon."""
    found = await open_channel().send(message(), soon())
    assert isinstance(found, Sent)
    assert (found.receipt, found.follow_in) == (account.texts[0].sid, timedelta(seconds=5))
    assert account.texts[0].fields == {
        "To": PHONE,
        "From": NUMBER,
        "Body": f"CRITICAL Cellar: leak at 03:12 {LINK}",
        "ValidityPeriod": "3600",
    }
    assert [asked.method for asked in fake.asked] == ["POST"]


async def test_with_a_public_url_twilio_calls_back_and_is_answered(open_channel, account):
    """A text says how to answer, and where its status goes; a messaging service has a field of its own."""
    found = await open_channel(public_url=PUBLIC, twilio_from="MG" + "b" * 32).send(message(), soon())
    fields = account.texts[0].fields
    assert fields["Body"].endswith(f"{LINK} Reply OK")
    assert fields["StatusCallback"] == f"{PUBLIC}/twilio/status"
    assert fields["MessagingServiceSid"] == "MG" + "b" * 32
    assert "From" not in fields
    assert found.follow_in == timedelta(minutes=1)


async def test_a_callback_that_is_refused_is_left_out(open_channel, fake):
    """The alarm is worth more than its receipt."""
    fake.script.append(problem(400, 21609, "The 'StatusCallback' URL is not a valid URL."))
    found = await open_channel(public_url=PUBLIC).send(message(), soon())
    assert isinstance(found, Sent)
    assert ["StatusCallback" in asked.form for asked in fake.asked] == [True, False]


@pytest.mark.parametrize(
    ("text", "link", "wanted"),
    [
        (f"short {LINK}", LINK, f"short {LINK} Reply OK"),
        (f"{'x' * 112} {LINK}", LINK, f"{'x' * 112} {LINK}"),
        ("x" * 160, LINK, "x" * 148 + "... Reply OK"),
        ("x" * 160, None, "x" * 148 + "... Reply OK"),
    ],
)
def test_a_text_always_says_how_to_answer(text, link, wanted):
    """By its link and by a reply where there is room, else by one of them; always one segment."""
    made = twilio.text_of(message(text=text, brief={"link": link}), answers=True)
    assert made == wanted
    assert septets(made) <= SEGMENT


def test_what_is_over_or_a_digest_asks_for_no_reply():
    """An answer could mean what it doesn't name."""
    assert twilio.text_of(message(text="over", brief={"asks": False}), answers=True) == "over"


@pytest.mark.parametrize(
    ("before", "status", "is_found"),
    [
        (f"CRITICAL Cellar: leak at 03:12 {LINK}", "queued", True),
        (f"CRITICAL Cellar: leak at 03:12 (2 min late) {LINK}", "delivered", True),
        (f"CRITICAL Cellar: leak at 03:12 {LINK}", "undelivered", False),
        (f"CRITICAL Cellar: leak at 03:12 {PUBLIC}/a/of-another-one-x", "sent", False),
        (f"WARNING Cellar: leak at 03:12 {LINK}", "sent", False),
    ],
)
async def test_a_repeat_looks_first(open_channel, account, before, status, is_found):
    """What an attempt before has sent isn't sent twice; what failed, or says something else, doesn't count."""
    account.texts.append(Made(SM, {"To": PHONE, "Body": before}, NOW, status))
    found = await open_channel().send(message(repeats_since=NOW - timedelta(minutes=2)), soon())
    assert isinstance(found, Sent)
    assert (found.receipt == SM, len(account.texts) == 1) == (is_found, is_found)


async def test_an_older_text_with_the_same_words_is_another_one(open_channel, account):
    """The cellar had a leak at 03:12 last night too."""
    same = f"CRITICAL Cellar: leak at 03:12 {LINK}"
    account.texts.append(Made(SM, {"To": PHONE, "Body": same}, NOW - timedelta(hours=23)))
    await open_channel().send(message(repeats_since=NOW - timedelta(minutes=2)), soon())
    assert len(account.texts) == 2


async def test_who_cannot_look_does_not_send(open_channel, account, fake):
    """It may have gone out: it waits until Twilio says whether it did."""
    fake.answer(500, "<html>oops</html>")
    found = await open_channel().send(message(repeats_since=NOW), soon())
    assert (shape(found)[:2], account.texts) == ((T, Reason.TRY_LATER), [])


async def test_a_call_is_not_repeated_into_one_that_goes_on(open_channel, account):
    """The phone may be ringing because of the attempt before; once that is over, it is called again."""
    account.calls.append(Made("CA" + "1" * 32, {"To": PHONE}, NOW, "ringing"))
    channel = open_channel(twilio_call)
    assert shape(await channel.send(message(repeats_since=NOW), soon()))[:2] == (T, Reason.RECIPIENT_BUSY)
    account.calls[0].status = "no-answer"
    assert isinstance(await channel.send(message(repeats_since=NOW), soon()), Sent)
    assert len(account.calls) == 2


async def test_a_call_waits_until_another_one_to_its_number_is_over(open_channel, account):
    """The phone would be busy, and the call lost; but a call that goes on for hours is none."""
    account.calls.append(Made("CA" + "1" * 32, {"To": PHONE}, NOW, "in-progress"))
    channel = open_channel(twilio_call)
    assert shape(await channel.send(message(), soon()))[:2] == (T, Reason.RECIPIENT_BUSY)
    assert isinstance(await channel.send(replace(message(), to="+491702222222"), soon()), Sent)
    account.calls[0].made_at = NOW - timedelta(minutes=11)
    assert isinstance(await channel.send(message(), soon()), Sent)


async def test_of_two_calls_to_one_number_at_once_one_waits(open_channel, account):
    """Two things are wrong at the same moment."""
    channel = open_channel(twilio_call)
    outcomes = await asyncio.gather(*(channel.send(message(), soon()) for _ in range(2)))
    assert [shape(each)[:2] for each in outcomes[1:]] == [(T, Reason.RECIPIENT_BUSY)]
    assert (isinstance(outcomes[0], Sent), len(account.calls)) == (True, 1)


async def test_a_first_call_is_made_also_if_nobody_says_whether_another_goes_on(open_channel, account, fake):
    """An alarm isn't kept back for that."""
    fake.answer(500, "<html>oops</html>")
    assert isinstance(await open_channel(twilio_call).send(message(), soon()), Sent)
    assert len(account.calls) == 1


async def test_a_call_reads_the_essence_twice_and_asks_for_a_digit(open_channel, account):
    """With PUBLIC_URL it takes "press 1"; the digit goes to an absolute address."""
    loud = message(subject="[CRITICAL] Cellar: leak 42.5 °C", text='wet & "cold" <b>\nsince 03:12')
    await open_channel(twilio_call, public_url=PUBLIC).send(loud, soon())
    made = account.calls[0]
    gather = made.twiml.find("Gather")
    said = [each.text for each in gather.findall("Say")]
    assert said[0].startswith(
        "This is alertgate. critical Cellar: leak 42.5 degrees Celsius. wet & cold b. since 03:12."
    )
    assert said[1].startswith("Again: critical Cellar")
    assert all(each.endswith("Press 1 to take it.") for each in said)
    assert (gather.get("action"), gather.get("numDigits")) == (f"{PUBLIC}/twilio/call/n-1", "1")
    assert (made.fields["MachineDetection"], made.fields["StatusCallback"]) == ("Enable", f"{PUBLIC}/twilio/status")


async def test_without_a_public_url_a_call_only_reads(open_channel, account):
    """Nobody could hear the digit; nor is one asked for by what is over."""
    await open_channel(twilio_call).send(message(subject="[CRITICAL] Cellar: leak"), soon())
    account.calls[0].status = "completed"
    over = message(subject="[RESOLVED] Cellar: leak", brief={"asks": False})
    await open_channel(twilio_call, public_url=PUBLIC).send(over, soon())
    assert len(account.calls) == 2
    for made in account.calls:
        assert made.twiml.find("Gather") is None
        assert "Press" not in made.fields["Twiml"]


@pytest.mark.parametrize("nasty", ["&" * 5000, "<Say>" * 900, "\x00\x07\ud800\ufffe" * 99, "ä\U0001f525" * 2000, ""])
def test_no_text_breaks_a_call(nasty):
    """Twilio takes 4,000 characters of XML, whatever a device says; its elements never become ours."""
    made = call(message(subject=f"[CRITICAL] {nasty}", text=nasty), f"{PUBLIC}/twilio/call/n-1?a=1&b=2")
    assert len(made) <= LONGEST
    root = parsed(made)
    assert [each.tag for each in root.iter()] == ["Response", "Gather", "Pause", "Say", "Pause", "Say", "Say"]
    assert parsed(written(f"a{nasty}")).tag == "Response"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[CRITICAL] alarm/motion_hall", "critical alarm motion hall"),
        ("waterLevel 87 %", "water Level 87 percent"),
        ("-12 °C at 03:12", "minus 12 degrees Celsius at 03:12"),
        ("freezer \u22124.2 °C", "freezer minus 4.2 degrees Celsius"),
        ("open for 25 min, 2 h late", "open for 25 minutes, 2 hours late"),
        ("device 3f002b00000000000000a1c9: x", "device ending in A 1 C 9: x"),
        (f"look at {LINK}", "look at"),
        ("3.5 V, door-2", "3.5 V, door 2"),
    ],
)
def test_names_and_numbers_are_speakable(text, said):
    """No slashes, signs, ids and links are spelled to somebody who sleeps."""
    assert speakable(text) == said


async def test_no_secret_is_shown(open_channel, fake):
    """Neither the token, in any form, nor the number that is told."""
    channel = open_channel()
    fake.usual = lambda asked: problem(400, 21211, f"{TOKEN} {PHONE} {asked.headers['authorization']} is not valid")
    sent = await channel.send(message(), soon())
    assert PHONE not in repr(sent)
    for found in (sent, await channel.rehearse(None, soon())):
        shown = repr(found)
        assert TOKEN not in shown
        assert fake.asked[-1].headers["authorization"].split()[1] not in shown


async def test_hostile_answers_are_outcomes(open_channel, fake):
    """500 MB, HTML, a redirect to the cloud's metadata, wrong JSON: never an exception, from no method."""

    async def endless():
        for _ in range(5000):
            yield b"x" * 100_000

    answers = [
        lambda _: StreamingResponse(endless(), 201),
        lambda _: RedirectResponse("http://169.254.169.254/latest"),
        lambda _: problem(200, 0, "<html>"),
        lambda _: StreamingResponse(iter([b'{"sid": null, "status": {"a": [1]}, "messages": {}, "calls": 3}'])),
    ]
    followed = Followed(PHONE, SM, NOW, "n-1")
    for usual in answers:
        fake.usual = usual
        for channel in (open_channel(), open_channel(twilio_call)):
            for sent in (message(), message(repeats_since=NOW)):
                assert not isinstance(await channel.send(sent, soon()), Sent)
            assert not isinstance(await channel.rehearse(PHONE, soon()), Sent)
            assert (await channel.ask(followed, soon())).again_in == timedelta(seconds=5)
            assert isinstance(await channel.settle(followed, message(), soon()), Sent)


async def test_a_status_is_asked_for(open_channel, account, fake):
    """What became of it; later, while that isn't known or can't be asked; never again, if Twilio has deleted it."""
    channel = open_channel()
    account.texts.append(Made(SM, {"To": PHONE}, NOW))
    followed = Followed(PHONE, SM, NOW - timedelta(minutes=30), "n-1")
    assert (await channel.ask(followed, soon())).again_in == timedelta(minutes=5)
    account.texts[0].status = "delivered"
    assert (await channel.ask(followed, soon())).proof is Proof.DELIVERED
    account.texts[0].status, account.texts[0].error_code = "undelivered", 30005
    assert isinstance((await channel.ask(followed, soon())).failure, Permanent)
    fake.answer(503)
    assert (await channel.ask(followed, soon())).again_in == timedelta(minutes=5)
    account.texts.clear()
    assert (await channel.ask(followed, soon())).again_in is None


async def test_check_finds_what_would_fail_at_night(make_settings, account, fake):
    """The login, a trial, a suspended account, a number that can't call, replies that go nowhere; nothing is sent."""
    told = [(ChannelName.TWILIO, PHONE), (ChannelName.CALL, PHONE)]

    async def found(**changes) -> dict[str, Level]:
        settings = make_settings(**{**SETTINGS, "twilio_url": fake.url, "public_url": PUBLIC, **changes})
        return {each.text.partition(":")[0]: each.level for each in await twilio.check(settings, told)}

    ok, replies = "the login works, and the account is active", "replies to texts don't reach alertgate"
    assert await found() == {ok: Level.OK, replies: Level.WARN}
    account.number["sms_url"] = f"{PUBLIC}/twilio/sms"
    assert await found() == {ok: Level.OK}
    account.number["capabilities"] = {"sms": True, "voice": False}
    assert await found() == {ok: Level.OK, "this number can't call": Level.FAIL}
    account.number = None
    assert await found() == {
        ok: Level.OK,
        "isn't a number of this account; messages from it may be refused": Level.WARN,
    }
    account.kind = "Trial"
    assert list((await found()).values()) == [Level.WARN]
    account.status = "suspended"
    assert await found() == {"relay_refused": Level.FAIL}
    assert await found(twilio_auth_token="another-token-0123456789") == {"credentials": Level.FAIL}
    assert not [asked for asked in fake.asked if asked.method == "POST"]


@pytest.mark.parametrize("address", ["4917011111", "+0170111", "+49 170 1111111", "+49", "+1555x", "+1" + "5" * 20, ""])
def test_what_is_no_number_is_refused(address):
    """With what to write instead, and the number masked."""
    for module in (twilio, twilio_call):
        for check in module.ADDRESSES.values():
            with pytest.raises(ValueError, match="such as \\+491701111111"):
                check(address)
            check(PHONE)


def test_what_is_missing_is_named(make_settings):
    """All that is to be set; a messaging service can text, but not call."""
    assert twilio.missing(make_settings()) == "set TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN, TWILIO_FROM"
    service_alone = make_settings(**{**SETTINGS, "twilio_from": "MG" + "b" * 32})
    assert twilio.missing(service_alone) is None
    assert twilio_call.missing(service_alone) == "set TWILIO_FROM to a number: a messaging service can't call"
    assert [each.level for each in twilio.findings(make_settings(**SETTINGS))] == [Level.NOTE]
