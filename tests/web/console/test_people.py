"""People in the console: what proves that a contact works, who is quiet or on call until when, and tests."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx
import pytest
from structlog.testing import capture_logs

from alertgate.credential import Credential
from alertgate.notify.channels.base import Learned
from alertgate.notify.lane import DeliveryTimes
from alertgate.proof import Proof
from alertgate.session import LASTS, Session, fingerprint
from alertgate.store import sessions
from tests.conftest import API_BEARER, Running, serving
from tests.console import BESIDE, queries, seen, sent, signed_in
from tests.fakes import FakeClock, mail_sink, until
from tests.flow.test_nothing_is_lost import mail_settings
from tests.flow.test_outstanding import GONE
from tests.flow.test_proof import Pushes, household

POLICY = """
timezone = "Europe/Berlin"
[people.anna]
contacts = ["email:anna@example.com"]
quiet_hours = "22:30-06:30 except critical"
[people.bea]
contacts = ["email:bea@example.com", "sms:bea@example.net"]
[people.cleo]
contacts = ["email:cleo@example.com"]
quiet_hours = "22:00-07:00"
[schedules.nights]
handover = "08:00"
week = [{ who = "anna", days = "mon-wed" }, { who = "bea", days = "thu-sun" }]
[escalations.home]
steps = [{ notify = "bea" }, { notify = "@nights", after = "5m" }]
[[routes]]
escalation = "home"
"""
TEST = "Send a test"


@asynccontextmanager
async def house(make_settings, tmp_path, clock: FakeClock, policy: str = POLICY, **more) -> AsyncIterator[tuple]:
    """A service with that policy, a mail server, and somebody who has signed in with API_TOKEN."""
    file = tmp_path / "alertgate.toml"
    file.write_text(policy)
    async with mail_sink() as sink:
        settings = make_settings(**mail_settings(sink.port), policy_file=file, **more)
        async with serving(settings, clock=clock) as service, signed_in(service, "Ada", zone="Europe/Berlin") as client:
            yield service, client, sink


@asynccontextmanager
async def signed_in_as(service: Running, person: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client with the session of a person, who didn't need API_TOKEN."""
    gate = service.gate
    now = gate.clock.now()
    new = Session(
        id=gate.new_id(now),
        hash=fingerprint("secret"),
        person=person,
        name=person,
        credential=Credential.CONSOLE,
        token_mark=None,
        zone=None,
        agent="",
        created_at=now,
        ends_at=now + LASTS,
        seen_at=now,
    )
    await gate.store.write(lambda connection: sessions.add(connection, new))
    cookies = {"alertgate": "secret"}
    async with httpx.AsyncClient(base_url=service.client.base_url, timeout=30, cookies=cookies) as client:
        yield client


async def test_each_contact_says_what_proves_that_it_works(make_settings, tmp_path, database):
    """One that never got anything, one whose server took it, and one whose server refuses it, in its words."""
    clock = FakeClock()
    async with house(make_settings, tmp_path, clock, **database) as (service, client, sink):
        sink.refused["bea@example.net"] = GONE
        await service.particle(event="leak")
        await service.settled()
        clock.move(hours=2)
        page = await seen(client, "/people")
        assert page.text.count("never tried") == 2
        assert re.search(r"email:b\*\*\*@example.com\s+sent 2 h ago: 250", page.text)
        assert re.search(rf"sms:b\*\*\*@example.net\s+failed 2 h ago: {GONE}", page.text)
        assert "bea@" not in page.answer.text
        sink.refused.clear()
        await service.particle(event="smoke")
        await service.settled()
        again = await seen(client, "/people")
        assert re.search(r"sms:b\*\*\*@example.net\s+sent now: 250", again.text)


async def test_what_a_service_proves_is_said(make_settings):
    """Somebody answered on the phone: that stands beside the contact, also after a later message without a proof."""
    pushes = Pushes()
    served = serving(
        make_settings(),
        channels=[pushes],
        policy=lambda: household("anna", "bea"),
        times=DeliveryTimes(poll_every=0.02),
    )
    async with served as service, signed_in(service) as client:
        await service.particle(event="leak")
        await until(lambda: _async(len(pushes.sent) == 2))
        pushes.says.append(Learned(Proof.ACKNOWLEDGED, by="Ben's iPhone"))

        async def acknowledged():
            page = await seen(client, "/people")
            return page if "acknowledged (by Ben's iPhone)" in page.text else None

        page = await until(acknowledged)
        assert "pushover:a***" in page.text
        assert "anna" not in page.text
        assert "all of them are told at once" in page.text
        await service.particle(event="smoke")
        await until(lambda: _async(len(pushes.sent) >= 4))
        assert "acknowledged (by Ben's iPhone)" in (await seen(client, "/people")).text


async def _async(value):
    return value


async def test_quiet_hours_and_turns_end_when_the_clock_says(make_settings, tmp_path):
    """Over the night that sets the clock back, and a change of turns; each with what is told all the same."""
    clock = FakeClock(datetime(2026, 10, 24, 22, 0, tzinfo=UTC))  # Sunday 00:00 in Berlin
    async with house(make_settings, tmp_path, clock) as (_, client, _sink):
        page = re.sub(r"\s+", " ", (await seen(client, "/people")).text)
        assert "quiet now until 06:30 (in 8 h); what is critical is told all the same" in page
        assert "quiet now until 07:00 (in 8 h); what is critical is held too" in page
        assert "not quiet no quiet hours" in page
        assert re.search(r"on call @nights until [^(]*08:00", page)
        assert re.search(r"not on call @nights: next from [^(]*08:00", page)
        assert "step 1, step 2" in page
        assert page.count("not told of alerts No escalation names them") == 1
        clock.move(hours=34)
        later = re.sub(r"\s+", " ", (await seen(client, "/people")).text)
        assert re.search(r"on call @nights until [^(]*08:00 \(in 3 d\)", later)


async def test_a_test_says_what_the_server_said(make_settings, tmp_path):
    """To one contact or to all of a person; pressed twice it is one; who did it is logged."""
    clock = FakeClock()
    async with house(make_settings, tmp_path, clock) as (_, client, sink):
        sink.refused["bea@example.net"] = GONE
        page = await seen(client, "/people")
        with capture_logs() as logs:
            answers = [await sent(client, "/people/test", **page.filled(TEST, 1)) for _ in range(2)]
        assert [each.headers["location"] for each in answers] == [
            "/people?said=tested&from=0#person-1",
            "/people?said=tested-before&from=0#person-1",
        ]
        assert [mail.to for mail in sink.messages] == ["bea@example.com"]
        [line] = [each for each in logs if each["event"] == "test.sent"]
        assert (line["by"], line["credential"], line["to"]) == ("Ada", "console_token", "b***@example.com")
        assert re.search(r"test sent now: 250", (await seen(client, "/people")).text)
        clock.move(seconds=31)
        both = page.filled("Send a test to each contact")
        answer = await sent(client, "/people/test", **both)
        assert "test-failed" in answer.headers["location"]
        assert [mail.to for mail in sink.messages] == ["bea@example.com"] * 2
        shown = await seen(client, "/people?said=test-failed")
        for said in (f"test failed now: no_such_recipient: {GONE}", "What to do:", "Not every test could be sent"):
            assert said in re.sub(r"\s+", " ", shown.text)
        wrong = {**both, "policy": "old"}
        assert (await sent(client, "/people/test", **wrong)).status_code == 409
        for typed in ({"person": "99"}, {"person": "x"}, {"contact": "7"}, {"contact": "-1"}, {"person": "²"}):
            assert (await sent(client, "/people/test", **{**both, **typed})).status_code == 422, typed


async def test_only_who_has_the_token_sends_tests(make_settings, tmp_path):
    """A person sees the same page without the buttons; who sends the form all the same is told why not."""
    async with house(make_settings, tmp_path, FakeClock()) as (service, operator, sink):
        form = (await seen(operator, "/people")).filled(TEST)
        async with signed_in_as(service, "bea") as client:
            page = await seen(client, "/people")
            assert "never tried" in page.text
            assert not any(said.startswith(TEST) for said in page.buttons)
            refused = await sent(client, "/people/test", **form)
            assert (refused.status_code, "API_TOKEN" in refused.text) == (403, True)
            assert "<h1>" in refused.text
        assert sink.messages == []


async def test_many_people_take_pages_and_no_more_queries(make_settings, tmp_path, database):
    """As many statements for three people as for fifty; each is on one page."""
    many = 'timezone = "Europe/Berlin"\n' + "".join(
        f'[people.p{number:03}]\ncontacts = ["email:p{number:03}@example.com"]\n' for number in range(120)
    )
    clock = FakeClock()
    async with house(make_settings, tmp_path, clock, **database) as (service, client, _):
        await service.particle(event="leak")
        await service.settled()
        few = len(await queries(client, "/people"))
    async with house(make_settings, tmp_path, clock, many, **database) as (service, client, _):
        await service.particle(event="leak")
        await service.settled()
        # The gate's own jobs run beside it, and their statements are counted too: not each time.
        counts = [len(await queries(client, "/people")) for _ in range(5)]
        assert min(counts) <= min(few + BESIDE, 20)
        path, names = "/people", []
        while path:
            page = await seen(client, path)
            names += re.findall(r"\bp\d{3}\b", page.text)
            path = page.links.get("More people")
        assert len(names) == len(set(names)) == 120


@pytest.mark.parametrize("path", ["/people", "/people/who", "/silences", "/channels"])
async def test_who_has_not_signed_in_sees_nothing(service: Running, path):
    """The sign-in stands in place of each page, and leads back to it."""
    page = await seen(service.client, path, 401)
    assert "Sign in" in page.text
    assert (await service.client.post("/people/test", headers=API_BEARER)).status_code == 401
