"""What people do by the links of their mails, and what the others hear of it. From the webhook to the mail."""

from types import MappingProxyType

from alertgate.model import ChannelName
from alertgate.policy.people import recipients
from alertgate.policy.policy import Policy
from tests.conftest import API_BEARER
from tests.fakes import START
from tests.flow.household import BERLIN, Household, escalation, household, person, policy, step

HOUSE = policy((person("owner"), person("partner")), (escalation("home", step("owner", "partner")),))


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
        said = "ACKNOWLEDGED owner has it: acknowledged at 14:03. You needn't do anything."
        assert await home.heard() == [f"owner@phone.example: {said}"]
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
        assert await home.heard() == ["owner: SNOOZED partner has snoozed it until 15:03. Then it starts anew."]
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
