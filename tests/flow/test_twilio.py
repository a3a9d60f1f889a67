"""By phone: a text or a call goes out, what became of it comes back, and somebody answers."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from httpx import Response

from alertgate.accept.failure_trouble import cause_of
from alertgate.group.replies import code_length, code_of, told_lately
from alertgate.model import ChannelName, IncidentStatus, Notification, NotificationStatus
from alertgate.notify.budget import Budget
from alertgate.notify.channels.twilio_advice import CODES
from alertgate.notify.failure_words import why
from alertgate.proof import Proof
from alertgate.prove.troubles import Cause
from alertgate.store import failures, follow, incidents
from tests.conftest import API_BEARER, Running, serving
from tests.fakes import START, FakeClock, until
from tests.services.server import serve
from tests.services.twilio import PHONE, SETTINGS, TOKEN, Account, Made, parsed, post, problem, service

PUBLIC = "https://alerts.example.org"
KEY = "key-of-links-0123456789abcdef-01"


@dataclass
class Phone:
    """A service with Twilio, and whoever holds the phone."""

    running: Running
    account: Account
    clock: FakeClock
    read: int = field(default=0)

    async def alert(self, event: str = "leak", **fields: object) -> str:
        """Report something; return the incident's id, once the message about it went out."""
        answer = await self.running.particle(event=event, **{"data": '{"severity":"critical"}', **fields})
        await self.running.settled()
        return answer.json()["incident"]

    async def says(self, text: str, *, number: str = PHONE, **changes: str) -> str:
        """Reply with a text; return what is answered."""
        fields = {"MessageSid": "SM" + "9" * 32, "From": number, "To": SETTINGS["twilio_from"], "Body": text, **changes}
        answer = await post(self.running.client, PUBLIC, "/twilio/sms", fields)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
        return "".join(parsed(answer.text).itertext())

    async def presses(self, call: Made, digit: str, **changes: str) -> str:
        """Press a key in a call; return what is said."""
        action = call.twiml.find("Gather").get("action")
        fields = {"CallSid": call.sid, "To": call.fields["To"], "Digits": digit, **changes}
        answer = await post(self.running.client, PUBLIC, action.removeprefix(PUBLIC), fields)
        assert answer.status_code == 200
        return " ".join(each.text for each in parsed(answer.text).iter("Say"))

    async def ends(
        self, made: Made, status: str, *, code: int | None = None, answered_by: str = "", tells: str | None = None
    ) -> Response:
        """Have Twilio tell how a text or a call ended; `tells` is what it tells of who answered, if that differs."""
        made.status, made.error_code, made.answered_by = status, code, answered_by or None
        kind = "Call" if made.sid.startswith("CA") else "Message"
        fields = {f"{kind}Sid": made.sid, f"{kind}Status": status, "To": made.fields["To"]}
        fields |= {"ErrorCode": str(code)} if code else {}
        told = answered_by if tells is None else tells
        fields |= {"AnsweredBy": told} if told else {}
        answer = await post(self.running.client, PUBLIC, "/twilio/status", fields)
        assert answer.status_code == 204
        return answer

    async def passes(self, **time: float) -> None:
        """Let time pass, ask what is to be asked, and send what is due."""
        self.clock.move(**time)
        await self.running.gate.follower.run()
        await self.running.settled()

    async def status(self, incident_id: str) -> tuple[IncidentStatus, str | None]:
        """Return the status of an incident, and who has it."""
        found = await self.running.gate.store.read(lambda connection: incidents.get(connection, incident_id))
        assert found
        return found.status, found.acknowledged_by

    async def notification(self, made: Made) -> Notification:
        """Return the notification of a text or a call."""
        channel = ChannelName.CALL if made.sid.startswith("CA") else ChannelName.TWILIO
        [found] = await self.running.gate.store.read(
            lambda connection: follow.by_receipt(connection, channel, made.sid)
        )
        return found


@pytest.fixture
async def open_phone(make_settings, database):
    """Return what runs a service whose only recipient is a phone."""

    @asynccontextmanager
    async def start(told: str = f"sms:{PHONE}", **changes):
        clock = FakeClock()
        account = Account(now=clock.now)
        async with serve(service(account)) as fake:
            more = {"recipient_push": told, "twilio_url": fake.url, "public_url": PUBLIC, "secret_key": KEY}
            settings = make_settings(**{**SETTINGS, **more, **database, **changes})
            async with serving(settings, clock=clock) as running:
                account.fake = fake
                yield Phone(running, account, clock)

    return start


ACKNOWLEDGED = (IncidentStatus.ACKNOWLEDGED, "+***")


async def test_a_text_goes_out_arrives_and_is_answered(open_phone):
    """The carrier's receipt proves that it is on the phone; `ok` takes the incident, and the answer says so."""
    async with open_phone() as phone:
        incident = await phone.alert()
        [text] = phone.account.texts
        assert text.fields["Body"].startswith("CRITICAL")
        assert text.fields["Body"].endswith(" Reply OK")
        assert (await phone.notification(text)).proof is Proof.SENT
        await phone.ends(text, "sent")
        await phone.ends(text, "delivered")
        assert (await phone.notification(text)).proof is Proof.DELIVERED
        said = await phone.says("Ok!")
        assert said.startswith("CRITICAL")
        assert "You have it." in said
        assert await phone.status(incident) == ACKNOWLEDGED
        assert (await phone.notification(text)).proof is Proof.ACKNOWLEDGED
        assert "somebody has it already" in await phone.says("ok")
        trail = (await phone.running.client.get(f"/api/incidents/{incident}", headers=API_BEARER)).json()
        assert trail["incident"]["acknowledged_with"] == "twilio"


async def test_a_reply_answers_the_text_also_after_a_call(open_phone):
    """Nothing is proved of a call that nobody took; words that mean nothing are told how to answer, once."""
    async with open_phone(f"sms:{PHONE},call:{PHONE}") as phone:
        await phone.alert()
        [text], [call] = phone.account.texts, phone.account.calls
        said = await phone.says("what?")
        assert said.startswith("Nothing was done. Reply OK to say that you are on it: CRITICAL")
        assert said.count("Reply") == 1
        assert "You have it." in await phone.says("ok")
        assert [(await phone.notification(each)).proof for each in (text, call)] == [Proof.ACKNOWLEDGED, Proof.SENT]


async def test_without_a_public_url_the_status_is_asked_for(open_phone):
    """No callback, no words that nobody would hear; what became of it is known within seconds all the same."""
    async with open_phone(public_url=None, secret_key=None) as phone:
        await phone.alert()
        [text] = phone.account.texts
        assert "Reply" not in text.fields["Body"]
        text.status = "delivered"
        await phone.passes(seconds=4)
        assert (await phone.notification(text)).proof is Proof.SENT
        await phone.passes(seconds=2)
        found = await phone.notification(text)
        assert (found.proof, found.proved_by, found.follow_at) == (Proof.DELIVERED, "the carrier's receipt", None)
        assert (await phone.running.client.post("/twilio/sms", content="Body=ok")).status_code == 503


async def test_of_several_open_ones_a_reply_chooses_by_code(open_phone):
    """`ok` alone takes none of two; the answer names both; a code takes the one that it named."""
    async with open_phone() as phone:
        leak, smoke = await phone.alert("leak"), await phone.alert("smoke")
        listed = await phone.says("ok")
        assert listed.startswith("Nothing was done yet.")
        codes = {part.split(": ")[-1].strip(): part.split("OK ")[1].split(" =")[0] for part in listed.split(";")}
        assert set(codes) == {"leak", "smoke"}
        assert "You have it." in await phone.says(f"OK {codes['smoke'].upper()}")
        assert await phone.status(smoke) == ACKNOWLEDGED
        assert (await phone.status(leak))[0] is IncidentStatus.OPEN
        assert "Nothing was done" in await phone.says("ok zz")
        assert "You have it." in await phone.says("ok"), "now only one is open"
        assert await phone.status(leak) == ACKNOWLEDGED


async def test_an_answer_that_takes_nothing_is_no_acknowledgement(open_phone):
    """What rose since is still open: the trail must not say that somebody acknowledged it."""
    async with open_phone(f"call:{PHONE}") as phone:
        incident = await phone.alert(data='{"severity":"warning"}')
        [call] = phone.account.calls
        await phone.alert()
        assert "It changed after this message" in await phone.presses(call, "1")
        assert (await phone.status(incident))[0] is IncidentStatus.OPEN
        assert (await phone.notification(call)).proof is Proof.SEEN


async def test_a_code_means_what_was_listed_and_no_more(open_phone):
    """Once it is worse than it was listed, the code takes nothing: who has a warning may not want a fire."""
    async with open_phone() as phone:
        await phone.alert("smoke")
        leak = await phone.alert("leak", data='{"severity":"warning"}')
        told = await phone.running.gate.store.read(lambda connection: told_lately(connection, PHONE, START))
        [code] = [code_of(each.incident)[: code_length(told)] for each in told if each.incident.id == leak]
        await phone.alert("leak")
        assert "nothing open has the code" in await phone.says(f"ok {code}")
        assert (await phone.status(leak))[0] is IncidentStatus.OPEN


async def test_a_reply_to_a_digest_takes_nothing_that_it_did_not_name(open_phone):
    """Of a flood that came as one text nothing is taken by `ok`, though one alone is open by now."""
    async with open_phone(flood_limit=1) as phone:
        client, texts = phone.running.client, phone.account.texts
        first = await phone.alert("first")
        several = [(await phone.running.particle(event=f"leak-{number}")).json()["incident"] for number in range(3)]

        async def came() -> bool:
            phone.clock.move(seconds=1)
            phone.running.gate.deliverer.wake()
            return len(texts) == 2

        await until(came)
        await phone.running.settled()
        assert "3 alerts" in texts[1].fields["Body"]
        for each in (first, *several[1:]):
            await client.post(f"/api/incidents/{each}/resolve", json={"by": "x"}, headers=API_BEARER)
        said = await phone.says("ok")
        assert "You have it." not in said
        assert (await phone.status(several[0]))[0] is IncidentStatus.OPEN
        code = said.split("OK ")[1].split(" =")[0]
        assert "You have it." in await phone.says(f"ok {code}"), "the answer named it"
        assert await phone.status(several[0]) == ACKNOWLEDGED


async def test_a_late_ok_takes_nothing_that_began_meanwhile(open_phone):
    """The leak was over while the reply was on its way, and smoke came: the answer asks which of them is meant."""
    async with open_phone() as phone:
        await phone.alert("leak")
        await phone.running.particle(event="leak", data='{"status":"resolved"}')
        smoke = await phone.alert("smoke")
        assert (await phone.says("ok")).startswith("Nothing was done yet.")
        assert (await phone.status(smoke))[0] is IncidentStatus.OPEN
        phone.clock.move(minutes=3)
        assert "You have it." in await phone.says("ok")
        assert await phone.status(smoke) == ACKNOWLEDGED


async def test_an_ok_that_crosses_a_rise_takes_nothing(open_phone):
    """It answers the warning: the answer lists what has become of it, and a code, or `ok` a while later, takes that."""
    async with open_phone() as phone:
        leak = await phone.alert("leak", data='{"severity":"warning"}')
        phone.clock.move(minutes=2)
        await phone.alert("leak")
        phone.clock.move(seconds=1)
        listed = await phone.says("ok")
        assert listed.startswith("Nothing was done yet. Reply: OK ")
        assert listed.endswith(": leak")
        assert " = CRITICAL " in listed
        assert (await phone.status(leak))[0] is IncidentStatus.OPEN
        phone.clock.move(minutes=2)
        assert "You have it." in await phone.says("ok")
        assert await phone.status(leak) == ACKNOWLEDGED


async def test_what_is_not_ok_takes_nothing(open_phone):
    """Any other word is answered with how to answer."""
    async with open_phone() as phone:
        incident = await phone.alert()
        for text in ("what is it?", "ok not now", "not ok", "no", "", "STOP", "\x00" * 2000, "👍", "ok ok ok", "0k"):
            assert "OK" in await phone.says(text)
        assert (await phone.status(incident))[0] is IncidentStatus.OPEN


async def test_strangers_and_answering_phones_get_no_answers(open_phone):
    """Who was told nothing takes nothing; STOP is Twilio's; a phone that answers by itself doesn't go on for ever."""
    async with open_phone() as phone:
        incident = await phone.alert()
        assert await phone.says("ok", number="+4915112345678") == ""
        assert await phone.says("ok", number="ALERTS") == ""
        assert await phone.says("stop", OptOutType="STOP") == ""
        assert (await phone.status(incident))[0] is IncidentStatus.OPEN
        answers = [await phone.says("I'm driving") for _ in range(25)]
        assert [bool(each) for each in answers] == [True] * 20 + [False] * 5
        assert await phone.says("ok") == ""
        assert await phone.status(incident) == ACKNOWLEDGED, "it counts, though it isn't answered any more"


async def test_a_call_is_taken_by_pressing_1(open_phone):
    """Any other key asks again; 1 takes the incident; a machine that seemed to answer changes nothing then."""
    async with open_phone(f"call:{PHONE}") as phone:
        incident = await phone.alert()
        [call] = phone.account.calls
        assert "Press 1" in await phone.presses(call, "5")
        assert "nothing to take" in await phone.presses(call, "1", To="+4915112345678")
        assert (await phone.status(incident))[0] is IncidentStatus.OPEN
        assert "You have it." in await phone.presses(call, "1")
        assert await phone.status(incident) == ACKNOWLEDGED
        await phone.ends(call, "completed", answered_by="machine_start")
        found = await phone.notification(call)
        assert (found.status, found.proof, found.proved_by) == (
            NotificationStatus.SENT,
            Proof.ACKNOWLEDGED,
            "a digit",
        )
        await phone.passes(minutes=10)
        assert len(phone.account.calls) == 1


@pytest.mark.parametrize(
    ("status", "by", "proof"), [("completed", "human", Proof.DELIVERED), ("completed", "unknown", Proof.SENT)]
)
async def test_a_call_that_ends_proves_no_more_than_it_does(open_phone, status, by, proof):
    """Somebody took it; but nobody has the incident."""
    async with open_phone(f"call:{PHONE}") as phone:
        incident = await phone.alert()
        [call] = phone.account.calls
        await phone.ends(call, status, answered_by=by)
        assert (await phone.notification(call)).proof is proof
        assert (await phone.status(incident))[0] is IncidentStatus.OPEN


@pytest.mark.parametrize(("status", "by"), [("no-answer", ""), ("busy", ""), ("completed", "machine_end_beep")])
async def test_a_call_that_nobody_takes_is_made_again_and_then_visible(open_phone, status, by):
    """Three calls, a minute apart; then it has failed, and is outstanding."""
    async with open_phone(f"call:{PHONE}") as phone:
        await phone.alert()
        for number in range(1, 4):
            assert len(phone.account.calls) == number
            await phone.ends(phone.account.calls[-1], status, answered_by=by)
            await phone.passes(seconds=61)
        assert len(phone.account.calls) == 3
        found = await phone.notification(phone.account.calls[-1])
        assert (found.status, found.attempts) == (NotificationStatus.FAILED, 3)
        status = (await phone.running.client.get("/status", headers=API_BEARER)).json()
        assert status["outstanding_failures"]["number"] == 1


async def test_of_two_things_at_once_the_second_call_waits_for_the_end_of_the_first(open_phone):
    """Smoke on two floors: the phone would be busy, and the second call lost. Nothing of that is a failure."""
    async with open_phone(f"call:{PHONE}") as phone:
        await phone.alert("smoke")
        await phone.alert("leak")
        await phone.passes(seconds=30)
        [first] = phone.account.calls
        await phone.ends(first, "completed", answered_by="human")
        await phone.passes(minutes=1)
        _, second = phone.account.calls
        assert "leak" in second.fields["Twiml"]
        await phone.ends(second, "completed", answered_by="human")
        found = [await phone.notification(call) for call in (first, second)]
        assert [each.proof for each in found] == [Proof.DELIVERED] * 2
        status = (await phone.running.client.get("/status", headers=API_BEARER)).json()
        assert status["outstanding_failures"]["number"] == 0


async def test_a_call_that_an_outage_kept_back_is_made_as_often_as_any_other(open_phone):
    """Attempts that Twilio didn't take rang nowhere, and so count for nothing."""
    async with open_phone(f"call:{PHONE}") as phone:
        phone.account.fake.script.extend(problem(503, 0, "away") for _ in range(3))
        await phone.alert()
        await phone.passes(seconds=30)
        await phone.passes(minutes=1)
        await phone.passes(minutes=3)
        for number in range(1, 4):
            assert len(phone.account.calls) == number
            await phone.ends(phone.account.calls[-1], "no-answer")
            await phone.passes(seconds=61)
        assert len(phone.account.calls) == 3
        assert (await phone.notification(phone.account.calls[-1])).status is NotificationStatus.FAILED


@pytest.mark.parametrize("tells", ["", "unknown"])
async def test_who_took_a_call_is_asked_for_where_that_is_not_told(open_phone, tells):
    """The call itself says that a machine took it, so it is made again; what nobody knows is asked for once."""
    async with open_phone(f"call:{PHONE}") as phone:
        await phone.alert()
        [call] = phone.account.calls
        await phone.ends(call, "completed", answered_by="machine_start", tells=tells)
        await phone.passes(seconds=1)
        await phone.passes(seconds=61)
        _, again = phone.account.calls
        await phone.ends(again, "completed", tells=tells)
        await phone.passes(seconds=1)
        await phone.passes(minutes=30)
        assert len(phone.account.calls) == 2
        assert len([each for each in phone.account.fake.asked if again.sid in each.path]) == 1


async def test_a_text_that_did_not_arrive_is_sent_again_or_visible(open_phone):
    """A phone that was off gets it once more; a number that isn't there has failed at once. Once said is enough."""
    async with open_phone() as phone:
        await phone.alert()
        [text] = phone.account.texts
        await phone.ends(text, "undelivered", code=30003)
        await phone.ends(text, "undelivered", code=30003)
        await phone.passes(seconds=61)
        assert len(phone.account.texts) == 2
        await phone.ends(phone.account.texts[1], "failed", code=30005)
        await phone.passes(minutes=10)
        found = await phone.notification(phone.account.texts[1])
        assert (found.status, len(phone.account.texts)) == (NotificationStatus.FAILED, 2)


async def test_what_came_back_counts_against_the_daily_limit(open_phone):
    """Twilio charges for a text that didn't arrive, so the third one isn't sent any more."""
    async with open_phone(twilio_daily_limit=2, flood_limit=0) as phone:
        await phone.alert()
        await phone.ends(phone.account.texts[0], "undelivered", code=30003)
        await phone.passes(seconds=61)
        assert len(phone.account.texts) == 2
        await phone.ends(phone.account.texts[1], "undelivered", code=30003)
        phone.clock.move(seconds=61)
        phone.running.gate.deliverer.wake()
        budgets = phone.running.gate.deliverer.budgets
        await until(lambda: asyncio.sleep(0.01, budgets["twilio"] is Budget.EXHAUSTED))
        assert len(phone.account.texts) == 2


async def test_what_an_unregistered_number_kept_from_its_contact_is_told_once_texts_arrive(open_phone):
    """The failure says what to do. Nothing is sent again by itself before the next alarm, whose text arrives."""
    async with open_phone() as phone:
        await phone.alert("leak")
        await phone.ends(phone.account.texts[0], "undelivered", code=30034)
        await phone.passes(days=3)
        assert len(phone.account.texts) == 1
        [failed] = await phone.running.gate.store.read(lambda connection: failures.latest(connection, 9))
        said = list(why(failed, phone.running.gate.settings))
        assert said[1:] == [
            f"What to do: {CODES[30034]}",
            "It is sent by itself once another message to its contact has arrived.",
        ]
        [contact] = await phone.running.gate.store.read(failures.by_contact)
        assert cause_of(contact, [(contact.channel, contact.address)]) is Cause.SERVICE_REFUSED
        await phone.alert("smoke")
        await phone.ends(phone.account.texts[1], "delivered")
        await phone.running.settled()
        await until(lambda: asyncio.sleep(0.01, len(phone.account.texts) == 3))
        assert "leak" in phone.account.texts[2].fields["Body"]
        await phone.running.settled()
        assert await phone.running.gate.store.read(failures.number) == 0


async def test_nobody_is_called_again_for_what_somebody_has(open_phone):
    """It was busy; meanwhile somebody else took it."""
    async with open_phone(f"call:{PHONE}") as phone:
        incident = await phone.alert()
        await phone.running.client.post(
            f"/api/incidents/{incident}/acknowledge", json={"by": "Anna"}, headers=API_BEARER
        )
        await phone.ends(phone.account.calls[0], "busy")
        await phone.passes(minutes=2)
        assert len(phone.account.calls) == 1


async def test_a_text_that_went_out_unseen_is_not_sent_twice(open_phone):
    """Twilio took it and answered 502: the next attempt looks first, and finds it."""
    async with open_phone() as phone:

        def taken_unseen(asked):
            phone.account.handle(asked)
            return problem(502, 0, "bad gateway")

        phone.account.fake.script.append(taken_unseen)
        await phone.alert()
        await phone.passes(seconds=10)
        [text] = phone.account.texts
        assert (await phone.notification(text)).status is NotificationStatus.SENT


async def test_a_forged_signature_does_nothing(open_phone):
    """Another token, another address, a field more, none at all: 401, and nothing is believed; with the port it is."""
    async with open_phone() as phone:
        incident = await phone.alert()
        [text] = phone.account.texts
        client = phone.running.client
        ok = {"From": PHONE, "Body": "ok", "MessageSid": "SM" + "9" * 32}
        done = {"MessageSid": text.sid, "MessageStatus": "delivered"}
        for path, fields in (("/twilio/sms", ok), ("/twilio/status", done), ("/twilio/call/x", {"Digits": "1"})):
            for public, token in ((PUBLIC, "x" * 32), ("https://elsewhere.example.org", TOKEN), (PUBLIC + "/a", TOKEN)):
                assert (await post(client, public, path, fields, token=token)).status_code == 401
            assert (await client.post(path, data=fields)).status_code == 401
            assert (await client.post(path, data=fields, headers={"X-Twilio-Signature": ""})).status_code == 401
        assert (await phone.status(incident))[0] is IncidentStatus.OPEN
        assert (await phone.notification(text)).proof is Proof.SENT
        assert (await post(client, f"{PUBLIC}:443", "/twilio/status", done)).status_code == 204
        assert (await phone.notification(text)).proof is Proof.DELIVERED
        assert (await post(client, PUBLIC, "/twilio/sms?source=x", ok)).status_code == 200
        assert await phone.status(incident) == ACKNOWLEDGED


async def test_the_daily_limit_is_told_and_keeps_what_is_critical(open_phone):
    """Near TWILIO_DAILY_LIMIT only what is critical goes out; the status and the health check say so."""
    async with open_phone(twilio_daily_limit=5, flood_limit=0) as phone:
        client, texts = phone.running.client, phone.account.texts
        for number in range(4):
            await phone.alert(f"leak-{number}")
        await phone.running.particle(event="door", data='{"severity":"warning"}')
        await phone.running.particle(event="smoke", data='{"severity":"critical"}')
        await until(lambda: asyncio.sleep(0.01, len(texts) == 5))
        phone.clock.move(seconds=6)
        phone.running.gate.deliverer.wake()
        budgets = phone.running.gate.deliverer.budgets
        await until(lambda: asyncio.sleep(0.01, budgets["twilio"] is Budget.EXHAUSTED))
        assert [text.fields["Body"].split()[0] for text in texts] == ["CRITICAL"] * 5
        status = (await client.get("/status", headers=API_BEARER)).json()
        assert (status["twilio_budget"], status["mail_budget"]) == ("exhausted", "plenty")
        assert (
            "TWILIO_DAILY_LIMIT is reached: no text and no call by Twilio goes out until there is room again"
            in (status["degraded"])
        )
