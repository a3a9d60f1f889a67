"""Who has it can't after all: it is handed back, and everybody is asked again. From the webhook to the mail."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from types import MappingProxyType

import pytest
from structlog.testing import capture_logs

from alertgate.credential import Credential
from alertgate.group.actions import Action
from alertgate.group.portions import do_portion, finish
from alertgate.model import ChannelName
from alertgate.policy.people import recipients
from alertgate.policy.policy import Policy
from alertgate.store import Connection
from tests.conftest import API_BEARER
from tests.fakes import START
from tests.flow.household import BERLIN, MINUTE, Household, escalation, household, person, policy, route, step
from tests.pages import link_in, opened, pressed

HOME = escalation("home", step("owner", "partner"), step("neighbour", after=10), repeat_every=20 * MINUTE)
HOUSE = policy((person("owner"), person("partner"), person("neighbour")), (HOME,))
PAIR = policy((person("owner"), person("partner")), (escalation("home", step("owner", "partner")),))
CANNOT = "WARNING owner can't after all: nobody has it."
HAS_IT = "ACKNOWLEDGED owner has it: acknowledged at {}. You needn't do anything."
BACK = ("I can't after all", "Yes, hand it back")


async def incident_of(home: Household, number: str) -> dict:
    """Return an incident as the API shows it."""
    return (await home.service.client.get(f"/api/incidents/{number}", headers=API_BEARER)).json()["incident"]


async def test_who_cannot_after_all_hands_it_back_and_somebody_else_takes_it(make_settings, database):
    """Both hear once that nobody has it, the steps run anew, and the next acknowledgement stops them."""
    async with household(make_settings, HOUSE, START, database) as home, home.running():
        number = (await home.says("water"))["incident"]
        assert await home.heard() == ["owner: WARNING A new alert.", "partner: WARNING A new alert."]
        page = await home.presses("owner", "I'm on it")
        assert page.buttons == ["It's over", "Silence this device", "I can't after all"]
        assert await home.heard() == [f"partner: {HAS_IT.format('14:03')}"]
        assert await home.sleeps(30) == []
        asked = await home.presses("owner", BACK[0])
        assert "Nobody would have it any more. Everybody is asked again, as at the beginning." in asked.text
        assert (await incident_of(home, number))["status"] == "acknowledged"
        with capture_logs() as logs:
            page = await home.presses("owner", *BACK)
        assert "Nobody has it any more. Everybody is asked again, as at the beginning." in page.text
        assert "owner can't after all: nobody has it." in page.text
        assert "owner handed it back with a message's link" in page.text
        [line] = [line for line in logs if line["event"] == "incident.handed_back"]
        assert (line["by"], line["credential"], line["due"]) == ("owner", "link", 2)
        assert await home.heard() == [f"owner: {CANNOT}", f"partner: {CANNOT}"]
        told = await home.passes(10)
        assert told == ["neighbour: WARNING Nobody has acknowledged it: owner and partner were told."]
        await home.presses("neighbour", "I'm on it")
        said = "ACKNOWLEDGED neighbour has it: acknowledged at 14:43. You needn't do anything."
        assert await home.heard() == [f"owner: {said}", f"partner: {said}"]
        assert await home.sleeps(90) == []
        stored = await incident_of(home, number)
        assert (stored["acknowledged_by"], stored["handed_back_at"], stored["handed_back_by"]) == (
            "neighbour",
            None,
            None,
        )


async def test_another_one_who_sees_it_can_say_so(make_settings, database):
    """Whoever holds a link: the others hear by whose word, and the incident says so."""
    async with household(make_settings, PAIR, START, database) as home, home.running():
        number = (await home.says("water"))["incident"]
        await home.heard()
        await home.presses("owner", "I'm on it")
        await home.heard()
        await home.presses("partner", "owner can't after all", "Yes, hand it back")
        said = "WARNING owner can't after all, says partner: nobody has it."
        assert await home.heard() == [f"owner: {said}", f"partner: {said}"]
        stored = await incident_of(home, number)
        assert (stored["status"], stored["acknowledged_by"], stored["acknowledged_changes"]) == ("open", "owner", None)
        assert (stored["handed_back_by"], stored["handed_back_with"]) == ("partner", "link")
        assert stored["handed_back_at"] == "2026-11-23T14:03:00+00:00"
        trail = (await home.service.client.get(f"/api/incidents/{number}", headers=API_BEARER)).json()
        reopenings = [each["reason"] for each in trail["notifications"] if each["kind"] == "reopening"]
        assert sorted(reopenings) == [
            f"{who}, by email, at once: handed back by partner (step 1 of home)" for who in PAIR.people
        ]


async def test_without_a_policy_whoever_was_told_that_somebody_has_it_hears_once(make_settings, database):
    """Then nothing more comes: there are no steps."""
    targets = [(ChannelName.EMAIL, f"{name}@example.com") for name in ("ann", "ben")]
    everyone = Policy(people=MappingProxyType(dict(recipients(targets, BERLIN))))
    async with household(make_settings, everyone, START, database) as home, home.running():
        await home.says("water")
        await home.heard()
        await home.presses("ben", "I'm on it")
        assert [each[:17] for each in await home.heard()] == ["ann: ACKNOWLEDGED"]
        await home.presses("ben", *BACK)
        said = "WARNING b***@example.com can't after all: nobody has it."
        assert await home.heard() == [f"ann: {said}", f"ben: {said}"]
        assert await home.sleeps(20) == []


@pytest.mark.parametrize("severity", ["critical", "warning"])
async def test_nobody_hears_who_has_it_once_it_was_handed_back(make_settings, database, severity):
    """The news waits for the end of quiet hours, which it doesn't reach: what is said then, or at once, is the end."""
    night = policy((person("owner"), person("partner", "15:00-16:00")), (escalation("home", step("owner", "partner")),))
    async with household(make_settings, night, START - timedelta(minutes=10), database) as home, home.running():
        number = (await home.says({"severity": severity}))["incident"]
        assert len(await home.heard()) == 2
        home.clock.move(minutes=10)
        await home.post(f"incidents/{number}/acknowledge", by="owner")
        assert await home.heard() == []
        await home.post(f"incidents/{number}/hand-back", by="owner")
        said = f"{severity.upper()} owner can't after all: nobody has it."
        if severity == "critical":
            assert await home.heard() == [f"owner: {said}", f"partner: {said}"]
            assert await home.sleeps(24 * 60) == []
        else:
            assert await home.heard() == [f"owner: {said}"]
            assert await home.sleeps(57) == [f"partner: {said} It was held until 15:00."]
            assert await home.sleeps(24 * 60) == []


async def test_news_that_waits_for_a_retry_says_that_nobody_has_it(make_settings, database):
    """The mail server refused "owner has it" for now; what it takes then is how it stands by then."""
    async with household(make_settings, PAIR, START, database) as home, home.running():
        number = (await home.says("water"))["incident"]
        await home.heard()
        home.sink.answer("RCPT", "450 4.2.1 busy")
        await home.post(f"incidents/{number}/acknowledge", by="owner")
        assert await home.heard() == []
        home.sink.answer("RCPT", "250 ok")
        await home.post(f"incidents/{number}/hand-back", by="owner")
        heard = [*await home.heard(), *await home.sleeps(1)]
        late = "This message is 1 min late: it couldn't be sent earlier."
        assert heard == [f"{who}: {CANNOT} {late}" for who in PAIR.people]
        assert await home.sleeps(20) == []


async def test_a_snooze_is_handed_back_too(make_settings, database):
    """And doesn't end once more when it was to end."""
    async with household(make_settings, PAIR, START, database) as home, home.running():
        number = (await home.says("water"))["incident"]
        await home.heard()
        await home.post(f"incidents/{number}/snooze", by="owner", minutes=20)
        await home.heard()
        await home.post(f"incidents/{number}/hand-back", by="owner")
        assert await home.heard() == [f"owner: {CANNOT}", f"partner: {CANNOT}"]
        assert await home.sleeps(20) == []


async def test_a_silence_holds_that_nobody_has_it(make_settings, database):
    """As it holds all that is said of its device: the question says so, and it is told at the end."""
    async with household(make_settings, PAIR, START, database) as home, home.running():
        number = (await home.says("water"))["incident"]
        await home.heard()
        await home.post(f"incidents/{number}/acknowledge", by="owner")
        await home.heard()
        await home.silence("15m")
        asked = await home.presses("owner", BACK[0])
        assert "But not yet: Silenced by partner until 14:18: nothing is said of it before." in asked.text
        await home.presses("owner", *BACK)
        assert await home.heard() == []
        said = f"{CANNOT} It was held until 14:18."
        assert await home.sleeps(15) == [f"owner: {said}", f"partner: {said}"]


async def test_what_nobody_was_told_of_yet_waits_as_it_did(make_settings):
    """A route that waits still does: it was handed back before anybody would have heard."""
    waits = replace(PAIR, routes=(route("home", wait=10),))
    async with household(make_settings, waits, START, {}) as home, home.running():
        number = (await home.says("water"))["incident"]
        await home.post(f"incidents/{number}/acknowledge", by="owner")
        await home.post(f"incidents/{number}/hand-back", by="owner")
        assert await home.heard() == []
        assert await home.sleeps(9) == []
        assert await home.sleeps(1) == ["owner: WARNING A new alert.", "partner: WARNING A new alert."]


async def test_what_one_press_hands_back_is_one_message(make_settings, database):
    """A night's digest has one button for its three batteries: nobody gets three messages of that."""
    asleep = replace(PAIR, people={name: person(name, "15:00-16:00") for name in PAIR.people})
    async with household(make_settings, asleep, START, database) as home, home.running():
        for number in range(3):
            await home.says("low", event="battery", device=f"d{number}")
        assert len(await home.sleeps(57)) == 2
        await home.presses("owner", "I'm on it")
        assert len(await home.heard()) == 1
        await home.presses("owner", *BACK)
        said = "WARNING 3 alerts in one message: owner can't after all: nobody has them."
        assert await home.heard() == [f"owner: {said}", f"partner: {said}"]
        assert await home.sleeps(20) == []


@pytest.mark.parametrize("portions", [1, 2])
async def test_who_was_to_hear_in_the_morning_who_has_them_hears_of_all_in_one_message(
    make_settings, database, portions
):
    """Critical ones wake them: as the others, once for all that one act hands back, also in portions."""
    night = policy((person("owner"), person("partner", "15:10-06:30")), tuple(PAIR.escalations.values()))
    async with household(make_settings, night, START, database) as home, home.running() as service:
        found = [(await home.says({"severity": "critical"}, device=f"d{number}"))["incident"] for number in range(3)]
        assert len(await home.heard()) == 6
        home.clock.move(minutes=10)
        for number in found:
            await home.post(f"incidents/{number}/acknowledge", by="owner")
        assert await home.sleeps(20) == []
        gate, now = service.gate, home.clock.now()
        acts = [Action(number, "owner", Credential.COMMAND_LINE, now) for number in found]

        def hand_back(connection: Connection) -> None:
            do = partial(do_portion, connection, gate.actions.hand_back, gatherer=gate.actions)
            if portions == 1:
                do(acts, is_whole=True)
            else:
                finish(connection, [*do(acts[:2], is_whole=False), *do(acts[2:], is_whole=False)], gate.actions)

        await gate.store.write(hand_back)
        gate.deliverer.wake()
        said = "CRITICAL 3 alerts in one message: owner can't after all: nobody has them."
        assert await home.heard() == [f"owner: {said}", f"partner: {said}"]
        assert await home.sleeps(20) == []


async def test_who_takes_it_and_hands_it_back_again_and_again_wakes_nobody_each_time(make_settings, database):
    """Whoever has a forwarded link can: after the third change that is told at once, the others hear once a minute."""
    async with household(make_settings, PAIR, START, database) as home, home.running():
        number = (await home.says({"severity": "critical"}))["incident"]
        assert len(await home.heard()) == 2
        back, at_once = "CRITICAL owner can't after all: nobody has it.", []
        for _ in range(6):
            home.clock.move(seconds=2)
            await home.post(f"incidents/{number}/acknowledge", by="owner")
            await home.heard()
            home.clock.move(seconds=2)
            await home.post(f"incidents/{number}/hand-back", by="owner")
            at_once += [each for each in await home.heard() if each.endswith(back)]
        assert at_once == [f"owner: {back}", f"partner: {back}"] * 2
        assert (await incident_of(home, number))["status"] == "open"
        assert await home.sleeps(1) == [f"owner: {back}", f"partner: {back}"]
        assert await home.sleeps(20) == []


async def test_an_old_page_hands_back_nothing(make_settings, database):
    """Not what somebody else has by now, nor what nobody has; pressing twice is pressing once."""
    async with household(make_settings, PAIR, START, database) as home, home.running():
        number = (await home.says("water"))["incident"]
        await home.heard()
        path = link_in(home.sink.messages[-1].text)
        client = home.service.client
        await home.post(f"incidents/{number}/acknowledge", by="owner")
        label = next(each for each in (await opened(client, path)).buttons if each.endswith("can't after all"))
        asked = await pressed(client, path, await opened(client, path), label)
        for _ in range(2):
            home.clock.move(seconds=1)
            again = await pressed(client, path, asked, BACK[1])
            assert again.status == 200
        assert "Nothing was changed: that had been done before." in again.text
        assert len(await home.heard()) == 3  # who has it, and that nobody has: each to whom it is news
        home.clock.move(seconds=1)
        await home.post(f"incidents/{number}/acknowledge", by="partner")
        await home.heard()
        refused = await pressed(client, path, asked, BACK[1])
        assert refused.status == 409
        assert "It changed after this page was loaded, so nothing was done." in refused.text
        assert refused.buttons == [BACK[1], "Back"]
        assert (await incident_of(home, number))["acknowledged_by"] == "partner"
        assert await home.heard() == []
        await home.post(f"incidents/{number}/resolve", by="partner")
        over = await pressed(client, path, asked, BACK[1])
        assert "Nothing was changed: it is over already." in over.text


async def test_an_old_button_takes_nothing_that_was_handed_back(make_settings):
    """Its page showed it open before, or in the hands of who couldn't: it asks again."""
    async with household(make_settings, PAIR, START, {}) as home, home.running():
        number = (await home.says("water"))["incident"]
        await home.heard()
        path = link_in(home.sink.messages[-1].text)
        before = await opened(home.service.client, path)
        await home.post(f"incidents/{number}/acknowledge", by="owner")
        await home.post(f"incidents/{number}/hand-back", by="owner")
        refused = await pressed(home.service.client, path, before, "I'm on it")
        assert refused.status == 409
        taken = await pressed(home.service.client, path, refused, "I'm on it")
        assert taken.status == 200
        assert (await incident_of(home, number))["status"] == "acknowledged"
