"""What people do by the links of their mails, and what the others hear of it. From the webhook to the mail."""

from dataclasses import replace
from types import MappingProxyType

import pytest

from alertgate.model import ChannelName
from alertgate.policy.people import recipients
from alertgate.policy.policy import Policy
from tests.conftest import API_BEARER
from tests.fakes import START
from tests.flow.household import BERLIN, MINUTE, Household, escalation, household, person, policy, step

HOUSE = policy((person("owner"), person("partner")), (escalation("home", step("owner", "partner")),))


OWNER = (ChannelName.EMAIL, "owner@example.com")
SCANNER = "If that wasn't you but a mail scanner, nobody has it: please look."
PRESSED = (
    "ACKNOWLEDGED Acknowledged at 14:03 by the button of a message to you. Nothing more is sent about it, unless it "
    f"gets worse or goes on for hours. {SCANNER}"
)
"""What is said to a person whose message's button was pressed."""


async def silences(home: Household) -> list[dict]:
    """Return the silences that aren't over."""
    return (await home.service.client.get("/api/silences", headers=API_BEARER)).json()["items"]


async def test_who_pressed_hears_of_it_by_another_contact(make_settings, database):
    """A mail scanner that presses the button of the only person doesn't end the alarm unseen."""
    alone = policy((person("owner", phone=3),), (escalation("home", step("owner")),))
    async with household(make_settings, alone, START, database) as home, home.running():
        await home.says("water")
        assert await home.heard() == ["owner: WARNING A new alert."]
        await home.presses("owner", "I'm on it")
        assert await home.heard() == [f"owner@phone.example: {PRESSED}"]
        assert await home.sleeps(90) == []


RINGS = escalation("home", step("owner"), repeat_every=5 * MINUTE)
ONLY = policy((person("owner"),), (RINGS,))
ASLEEP = policy((person("owner", "15:00-16:00"),), (RINGS,))


@pytest.mark.parametrize(
    ("house", "asleep"),
    [(ONLY, False), (ASLEEP, True), (Policy(people=dict(recipients([OWNER], BERLIN))), False)],
    ids=["of a person", "of somebody asleep", "of the settings"],
)
async def test_the_only_contact_hears_once_what_its_own_button_did(make_settings, house, asleep):
    """A mail scanner that presses it mustn't end the alarm unseen. It is no alarm: it wakes nobody."""
    async with household(make_settings, house, START, {}) as home, home.running():
        await home.says({"severity": "critical"})
        assert await home.heard() == ["owner: CRITICAL A new alert."]
        await home.presses("owner", "I'm on it")
        if asleep:
            assert await home.sleeps(56) == []
            home.clock.move(minutes=1)
        [told] = await home.heard()
        assert told.startswith("owner: ACKNOWLEDGED Acknowledged at 14:03 by the button of a message to you.")
        assert SCANNER in told
        assert await home.sleeps(90) == []


async def test_the_only_contact_hears_until_when_its_button_has_snoozed(make_settings):
    """And then it starts anew."""
    async with household(make_settings, ONLY, START, {}) as home, home.running():
        await home.says("water")
        await home.heard()
        await home.presses("owner", "Snooze 1 h")
        [told] = await home.heard()
        assert told.startswith("owner: ACKNOWLEDGED Snoozed at 14:03 until 15:03 by the button of a message to you.")
        assert told.endswith(SCANNER)
        assert [each.split(".")[0] for each in await home.sleeps(60)] == [
            "owner: WARNING It is open again: owner had snoozed it until 15:03"
        ]


@pytest.mark.parametrize("house", [HOUSE, ONLY], ids=["another person", "the only contact"])
async def test_what_one_press_does_to_many_is_one_message(make_settings, database, house):
    """A night's digest has one button for its three batteries: nobody gets three messages of that."""
    asleep = replace(house, people={name: person(name, "15:00-16:00") for name in house.people})
    async with household(make_settings, asleep, START, database) as home, home.running():
        for number in range(3):
            await home.says("low", event="battery", device=f"d{number}")
        assert len(await home.sleeps(57)) == len(asleep.people)
        await home.presses("owner", "I'm on it")
        [told] = await home.heard()
        name = "partner" if house is HOUSE else "owner"
        assert told.startswith(
            f"{name}: ACKNOWLEDGED 3 alerts in one message: owner has them. It was done by the button"
        )
        assert "What became of it: https://" in home.sink.messages[-1].text


async def test_what_a_scanner_acknowledged_starts_anew_by_the_api(make_settings):
    """A snooze of a minute is the way back."""
    async with household(make_settings, ONLY, START, {}) as home, home.running():
        incident = (await home.says("water"))["incident"]
        await home.heard()
        await home.presses("owner", "I'm on it")
        await home.heard()
        await home.post(f"incidents/{incident}/snooze", by="owner", minutes=1)
        assert [each.split(".")[0].split(":")[1] for each in await home.passes(6)] == [
            " WARNING It is open again",
            " WARNING 1st reminder, open for 6 min",
        ]


async def test_who_acknowledges_by_the_api_hears_nothing_of_it(make_settings):
    """No scanner does."""
    async with household(make_settings, ONLY, START, {}) as home, home.running():
        incident = (await home.says("water"))["incident"]
        await home.heard()
        await home.post(f"incidents/{incident}/acknowledge", by="owner")
        assert await home.sleeps(90) == []


async def test_recipients_of_the_settings_hear_who_has_it(make_settings, database):
    """Without a policy there are no names: a masked address says by whose message."""
    targets = [(ChannelName.EMAIL, f"{name}@example.com") for name in ("ann", "ben")]
    everyone = Policy(people=MappingProxyType(dict(recipients(targets, BERLIN))))
    async with household(make_settings, everyone, START, database) as home, home.running():
        await home.says("water")
        await home.heard()
        page = await home.presses("ben", "I'm on it")
        assert "b***@example.com has it (taken at 14:03)." in page.text
        said = "ACKNOWLEDGED b***@example.com has it: acknowledged at 14:03. You needn't do anything."
        assert await home.heard() == [f"ann: {said}"]


async def test_a_snooze_by_link_can_be_taken_over(make_settings, database):
    """The others hear until when it is snoozed; who takes it then ends the snooze, and nothing starts anew."""
    async with household(make_settings, HOUSE, START, database) as home, home.running():
        await home.says("water")
        await home.heard()
        page = await home.presses("partner", "Snooze 1 h")
        assert "partner has snoozed it until 15:03. Then it starts anew." in page.text
        assert page.buttons == ["I'm on it", "It's over", "Silence this device"]
        assert await home.heard() == ["owner: ACKNOWLEDGED partner has snoozed it until 15:03. Then it starts anew."]
        home.clock.move(minutes=20)
        page = await home.presses("owner", "I'm on it")
        assert "owner has it (taken at 14:23)." in page.text
        assert page.buttons == ["It's over", "Silence this device"]
        said = "ACKNOWLEDGED owner has it: acknowledged at 14:23. You needn't do anything."
        assert await home.heard() == [f"partner: {said}"]
        assert await home.sleeps(90) == []


async def test_a_snooze_by_link_ends_by_itself(make_settings, database):
    """After an hour it is open again, and everybody is told."""
    async with household(make_settings, HOUSE, START, database) as home, home.running():
        await home.says("water")
        await home.heard()
        await home.presses("partner", "Snooze 1 h")
        await home.heard()
        assert await home.sleeps(59) == []
        said = "WARNING It is open again: partner had snoozed it until 15:03."
        assert await home.sleeps(1) == [f"owner: {said}", f"partner: {said}"]


async def test_a_device_is_silenced_by_link(make_settings, database):
    """All of its incidents are, for as long as the button says and once however often it is pressed; others aren't."""
    async with household(make_settings, HOUSE, START, database) as home, home.running():
        await home.says("water", device="Cellar [1]")
        await home.heard()
        asked = await home.presses("owner", "Silence this device")
        assert asked.buttons == ["Silence it for 1 h", "Silence it for 8 h", "Silence it for 24 h", "Back"]
        assert await silences(home) == []
        for _ in range(2):
            page = await home.presses("owner", "Silence this device", "Silence it for 8 h")
            assert "Silenced by owner until 22:03: nothing is said of it before." in page.text
            home.clock.move(seconds=1)
        [silence] = await silences(home)
        assert [silence[key] for key in ("device", "author", "credential")] == ["Cellar [[]1]", "owner", "link"]
        await home.says("low", event="battery", device="Cellar [1]")
        assert await home.heard() == []
        await home.says("low", event="battery", device="Cellar 1")
        assert len(await home.heard()) == 2
        assert await home.sleeps(7 * 60) == []
        told = await home.sleeps(60)
        assert [each.partition(":")[0] for each in told] == ["owner", "partner"]


async def test_a_shorter_silence_can_be_made_longer_by_link(make_settings):
    """An hour that is nearly over isn't eight: the longer one is begun beside it."""
    async with household(make_settings, HOUSE, START, {}) as home, home.running():
        await home.says("water")
        await home.heard()
        await home.presses("owner", "Silence this device", "Silence it for 1 h")
        home.clock.move(minutes=50)
        page = await home.presses("partner", "Silence this device", "Silence it for 8 h")
        assert "Silenced by partner until 22:53" in page.text
        assert len(await silences(home)) == 2


async def test_a_page_says_why_a_device_cannot_be_silenced(make_settings):
    """There are as many silences as there can be."""
    async with household(make_settings, HOUSE, START, {}) as home, home.running():
        await home.says("water")
        await home.heard()
        for number in range(500):
            body = {"event": f"e{number}", "for": "1h"}
            await home.service.client.post("/api/silences", json=body, headers=API_BEARER)
        page = await home.presses("owner", "Silence this device", "Silence it for 1 h")
        assert page.status == 409
        assert "Nothing was done: there are 500 silences that aren't over: end some of them first." in page.text
