"""What people do by the links of their mails, and what the others hear of it. From the webhook to the mail."""

from dataclasses import replace
from types import MappingProxyType

import pytest
from structlog.testing import capture_logs

from alertgate.group.portions import PORTION
from alertgate.model import ChannelName
from alertgate.policy.people import recipients
from alertgate.policy.policy import Policy
from tests.conftest import API_BEARER
from tests.fakes import START
from tests.flow.household import BERLIN, MINUTE, Household, escalation, household, person, policy, step
from tests.pages import PUBLIC_URL, link_in, opened, pressed

HOUSE = policy((person("owner"), person("partner")), (escalation("home", step("owner", "partner")),))


OWNER = (ChannelName.EMAIL, "owner@example.com")
SCANNER = "If that wasn't you but a mail scanner, nobody has it: please look."
PRESSED = (
    "ACKNOWLEDGED Acknowledged at 14:03 by the button of a message to you. Nothing more is sent about it, unless it "
    f"gets worse or goes on for hours. {SCANNER}"
)
"""What is said to a person whose message's button was pressed."""
SILENCED = "SILENCED owner has silenced {}: nothing is said of it until {}, unless it is critical."


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
        assert told.startswith("owner: SNOOZED Snoozed at 14:03 until 15:03 by the button of a message to you.")
        assert told.endswith(SCANNER)
        assert [each.split(".")[0] for each in await home.sleeps(60)] == [
            "owner: WARNING It is open again: owner had snoozed it until 15:03"
        ]


@pytest.mark.parametrize(
    ("house", "number"),
    [(HOUSE, 3), (ONLY, 3), (HOUSE, PORTION + 1)],
    ids=["another person", "the only contact", "more than one transaction takes"],
)
async def test_what_one_press_does_to_many_is_one_message(make_settings, database, house, number):
    """A night's digest has one button for its batteries: nobody gets as many messages of that."""
    asleep = replace(house, people={name: person(name, "15:00-16:00") for name in house.people})
    async with household(make_settings, asleep, START, database) as home, home.running():
        for device in range(number):
            await home.says("low", event="battery", device=f"d{device}")
        assert len(await home.sleeps(57)) == len(asleep.people)
        await home.presses("owner", "I'm on it")
        [told] = await home.heard()
        name = "partner" if house is HOUSE else "owner"
        assert told.startswith(
            f"{name}: ACKNOWLEDGED {number} alerts in one message: owner has them. It was done by the button"
        )
        assert "What became of it: https://" in home.sink.messages[-1].text


async def test_what_a_scanner_acknowledged_starts_anew_by_the_api(make_settings):
    """Handing it back is the way back: at once, with reminders."""
    async with household(make_settings, ONLY, START, {}) as home, home.running():
        incident = (await home.says("water"))["incident"]
        await home.heard()
        await home.presses("owner", "I'm on it")
        await home.heard()
        await home.post(f"incidents/{incident}/hand-back", by="owner")
        assert await home.heard() == ["owner: WARNING owner can't after all: nobody has it."]
        assert await home.passes(5) == ["owner: WARNING 1st reminder, open for 5 min: nobody has acknowledged it."]


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
        assert page.buttons == ["I'm on it", "It's over", "Silence this device", "I can't after all"]
        assert await home.heard() == ["owner: SNOOZED partner has snoozed it until 15:03. Then it starts anew."]
        home.clock.move(minutes=20)
        page = await home.presses("owner", "I'm on it")
        assert "owner has it (taken at 14:23)." in page.text
        assert page.buttons == ["It's over", "Silence this device", "I can't after all"]
        said = "ACKNOWLEDGED owner has it: acknowledged at 14:23. You needn't do anything."
        assert await home.heard() == [f"partner: {said}"]
        assert await home.sleeps(90) == []


async def test_a_snooze_on_an_old_page_is_not_done_where_somebody_has_it_for_good(make_settings):
    """Who pressed it would sleep until the hour is over; pressed twice is once, and reads so."""
    async with household(make_settings, ONLY, START, {}) as home, home.running() as service:
        await home.says({"severity": "warning"})
        await home.heard()
        path = link_in(home.sink.messages[-1].text)
        old = await opened(service.client, path)
        await home.presses("owner", "Snooze 1 h")
        twice = await pressed(service.client, path, old, "Snooze 1 h")
        assert "that had been done before" in twice.text
        await home.presses("owner", "I'm on it")
        late = await pressed(service.client, path, old, "Snooze 1 h")
        assert "Nothing was changed: somebody has it already." in late.text
        assert "owner has it" in late.text


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
            assert "Silenced by owner until 22:03: nothing is said of it before, unless it is critical." in page.text
            home.clock.move(seconds=1)
        [silence] = await silences(home)
        wanted = {"device": "Cellar [[]1]", "source": "particle", "unless": "critical", "author": "owner"}
        assert {key: silence[key] for key in wanted} == wanted
        assert silence["credential"] == "link"
        await home.says("low", event="battery", device="Cellar [1]")
        assert await home.heard() == [f"partner: {SILENCED.format('Cellar [1]', '22:03')}"]
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


async def test_a_silence_by_link_keeps_nothing_critical_back_and_is_heard_of(make_settings, database):
    """Whoever was told hears of it once; a leak of the same device wakes everybody; its page says all of that."""
    async with household(make_settings, HOUSE, START, database) as home, home.running():
        await home.says("low", event="battery", severity="info")
        await home.heard()
        asked = await home.presses("owner", "Silence this device")
        assert "nobody is told of anything that the device reports, unless it is critical." in asked.text
        page = await home.presses("owner", "Silence this device", "Silence it for 24 h")
        assert "The device is silenced." in page.text
        until = "2026-11-24 14:03"
        assert await home.heard() == [f"partner: {SILENCED.format('cellar', until)}"]
        assert f"owner silenced it until {until} with a message's link" in page.text
        assert "SILENCED" in page.text
        assert await home.sleeps(60) == []
        await home.says("water", severity="critical")
        told = await home.heard()
        assert [each.partition(" WARNING")[0][:16] for each in told] == ["owner: CRITICAL ", "partner: CRITICA"]


async def test_what_is_critical_is_silenced_only_by_who_saw_it(make_settings):
    """Whoever silences the device of a critical incident is told what that means, and so are the others."""
    async with household(make_settings, HOUSE, START, {}) as home, home.running():
        await home.says("water", severity="critical")
        await home.heard()
        asked = await home.presses("owner", "Silence this device")
        assert "anything that the device reports, NOT EVEN IF IT IS CRITICAL." in asked.text
        page = await home.presses("owner", "Silence this device", "Silence it for 1 h")
        assert "Silenced by owner until 15:03: nothing is said of it before." in page.text
        said = "SILENCED owner has silenced cellar: nothing is said of it until 15:03, not even if it is critical."
        assert await home.heard() == [f"partner: {said}"]
        await home.says("water", severity="critical")
        assert await home.passes(30) == []


async def test_who_silences_hears_of_it_by_another_contact(make_settings, database):
    """A scanner that goes through the question of the only person ends no alarm unseen, and the phone isn't silent."""
    alone = policy((person("owner", phone=3),), (escalation("home", step("owner")),))
    async with household(make_settings, alone, START, database) as home, home.running():
        await home.says("water")
        assert await home.heard() == ["owner: WARNING A new alert."]
        await home.presses("owner", "Silence this device", "Silence it for 8 h")
        assert await home.heard() == [f"owner@phone.example: {SILENCED.format('cellar', '22:03')}"]
        assert await home.sleeps(90) == []


async def test_nobody_is_woken_to_hear_of_a_silence(make_settings):
    """Who sleeps hears it in the morning: that it is silenced, or, if that is over, that it was."""
    both = policy(
        (person("owner"), person("partner", "15:05-06:30"), person("guest", "15:05-16:30")),
        (escalation("home", step("owner", "partner", "guest")),),
    )
    async with household(make_settings, both, START, {}) as home, home.running():
        await home.says("water", severity="critical")
        await home.heard()
        home.clock.move(minutes=5)
        await home.presses("owner", "Silence this device", "Silence it for 8 h")
        assert await home.sleeps(80) == []
        said = "owner has silenced cellar: nothing is said of it until 22:08, not even if it is critical."
        assert await home.sleeps(5) == [f"guest: SILENCED {said} It was held until 15:33."]
        assert await home.sleeps(7 * 60) == []
        [told] = await home.sleeps(8 * 60)
        assert told.startswith("partner: CRITICAL owner had silenced cellar until 2026-11-23 22:08.")


PAIR = policy((person("owner", "15:05-06:30"), person("partner")), (escalation("home", step("owner", "partner")),))
"""At 15:03 both are awake, and soon after that one of them sleeps, unless it is critical."""


@pytest.mark.parametrize("by_itself", [False, True])
async def test_the_news_of_a_silence_that_is_over_keeps_back_no_reminder(make_settings, database, by_itself):
    """Whoever sleeps would hear of the silence in the morning; of a critical leak they hear at once, as the others."""
    nags = replace(PAIR, escalations={"home": escalation("home", step(*PAIR.people), repeat_every=5 * MINUTE)})
    async with household(make_settings, nags, START, database) as home, home.running():
        await home.says("water", severity="critical")
        assert len(await home.heard()) == 2
        home.clock.move(minutes=4)
        await home.presses("partner", "Silence this device", "Silence it for 1 h")
        assert await home.sleeps(59 if by_itself else 10) == []
        if not by_itself:
            await home.presses("partner", "End the silence")
        told = await home.passes(7)
        both = [f"{who}: CRITICAL {number} reminder" for number in ("1st", "2nd") for who in PAIR.people]
        assert [each.partition(",")[0] for each in told] == both


@pytest.mark.parametrize("severity", ["critical", "warning"])
async def test_the_news_of_a_silence_that_is_over_keeps_back_no_alert(make_settings, database, severity):
    """Of what came within the silence everybody hears at its end; who sleeps does so if it is critical."""
    async with household(make_settings, PAIR, START, database) as home, home.running():
        await home.says("water", severity=severity)
        await home.heard()
        home.clock.move(minutes=4)
        await home.presses("partner", "Silence this device", "Silence it for 1 h")
        await home.says("more water", severity=severity)
        assert await home.sleeps(10) == []
        await home.presses("partner", "End the silence")
        said = f"{severity.upper()} 2 alerts in 4 min, since 14:03. The latest is above. It was held until 14:17."
        awake = PAIR.people if severity == "critical" else ["partner"]
        assert await home.heard() == [f"{who}: {said}" for who in awake]
        told = await home.sleeps(20 * 60)
        assert [each.partition(":")[0] for each in told] == [who for who in PAIR.people if who not in awake]


async def test_the_news_of_a_silence_takes_no_place_that_it_would_keep_until_the_morning(make_settings, database):
    """An alert whose update waited as the device was silenced is told at the silence's end, and wakes who sleeps."""
    async with household(make_settings, PAIR, START, database) as home, home.running():
        await home.says("water", severity="critical")
        await home.heard()
        home.clock.move(minutes=3)
        await home.says("more water", severity="critical")
        await home.presses("partner", "Silence this device", "Silence it for 1 h")
        assert await home.sleeps(59) == []
        said = "CRITICAL 2 alerts in 3 min, since 14:03. The latest is above. It was held until 15:06."
        assert await home.sleeps(1) == [f"owner: {said}", f"partner: {said}"]


async def test_the_news_of_a_silence_comes_before_what_it_holds(make_settings):
    """Whoever wakes while the device is silenced hears so, also if alerts came meanwhile."""
    both = replace(PAIR, people={"owner": person("owner", "15:05-15:30"), "partner": person("partner")})
    async with household(make_settings, both, START, {}) as home, home.running():
        await home.says("water", severity="critical")
        await home.heard()
        home.clock.move(minutes=4)
        await home.presses("partner", "Silence this device", "Silence it for 1 h")
        await home.says("more water", severity="critical")
        said = "partner has silenced cellar: nothing is said of it until 15:07, not even if it is critical."
        assert await home.sleeps(23) == [f"owner: SILENCED {said} It was held until 14:30."]


async def test_the_news_of_a_silence_has_what_was_to_be_told(make_settings):
    """An update that waited would be held by the silence: it is told with that, and once."""
    async with household(make_settings, HOUSE, START, {}) as home, home.running():
        answer = await home.says("water")
        await home.heard()
        home.clock.move(seconds=30)
        await home.says("more water")
        assert await home.heard() == []
        await home.presses("owner", "Silence this device", "Silence it for 1 h")
        assert await home.heard() == [f"partner: {SILENCED.format('cellar', '15:03')}"]
        assert "more water" in home.sink.messages[-1].text
        assert await home.passes(20) == []
        trail = await home.service.trail(answer["id"])
        reasons = {each["reason"] for each in trail["notifications"] if each["status"] == "cancelled"}
        assert reasons == {"told together with who has silenced its device"}


async def test_a_silence_by_link_can_be_ended_by_link(make_settings, database):
    """By anybody who was told; what it held is told at once."""
    async with household(make_settings, HOUSE, START, database) as home, home.running():
        await home.says("water")
        await home.heard()
        await home.presses("owner", "Silence this device", "Silence it for 8 h")
        await home.heard()
        await home.says("low", event="battery")
        assert await home.sleeps(1) == []
        page = await home.presses("partner", "End the silence")
        assert "The device isn't silenced any more. What was held is told now." in page.text
        assert "partner ended the silence" in page.text
        assert "End the silence" not in page.buttons
        assert [each.partition(":")[0] for each in await home.heard()] == ["owner", "partner"]
        assert await silences(home) == []


async def test_an_old_page_does_nothing_once_a_snooze_is_over(make_settings, database):
    """Everybody heard that it is open again: a tab from before that is asked again, and a reload does nothing."""
    async with household(make_settings, HOUSE, START, database) as home, home.running() as service:
        await home.says("water")
        await home.heard()
        path = link_in(home.sink.messages[0].text)
        old = await opened(service.client, path)
        done = await pressed(service.client, path, old, "Snooze 1 h")
        assert "You have it for an hour." in done.text
        again = str(done.answer.url)
        assert "You have it for an hour." in (await opened(service.client, again)).text
        assert len(await home.passes(70)) == 3
        later = await opened(service.client, again)
        assert "You have it for an hour." not in later.text
        for page, status in ((old, 409), (done, 409), (later, 200)):
            assert (await pressed(service.client, path, page, "I'm on it")).status == status


async def test_an_old_page_does_nothing_once_a_silence_is_over(make_settings):
    """Somebody ended it: the question that began it is asked again."""
    async with household(make_settings, HOUSE, START, {}) as home, home.running() as service:
        await home.says("water")
        await home.heard()
        path = link_in(home.sink.messages[0].text)
        asked = await pressed(service.client, path, await opened(service.client, path), "Silence this device")
        assert (await pressed(service.client, path, asked, "Silence it for 24 h")).status == 200
        [silence] = await silences(home)
        await service.client.delete(f"/api/silences/{silence['id']}?by=Ben", headers=API_BEARER)
        again = await pressed(service.client, path, asked, "Silence it for 24 h")
        assert (again.status, again.buttons) == (409, asked.buttons)
        assert await silences(home) == []
        assert (await pressed(service.client, path, again, "Silence it for 1 h")).status == 200
        home.clock.move(minutes=61)
        assert (await pressed(service.client, path, again, "Silence it for 1 h")).status == 409


async def test_a_filter_that_quotes_a_link_gives_it_to_nobody(make_settings):
    """What a mail server says stands in the log, in the API and in the store: not the link that it names."""
    async with household(make_settings, HOUSE, START, {}) as home, home.running() as service:
        quoted: list[str] = []

        def judge(command: str, _: str, said: str) -> str | None:
            if command != "DATA":
                return None
            quoted.append(link_in(said).removeprefix("/a/"))
            return f"554 5.7.1 {PUBLIC_URL}/a/{quoted[-1]} is listed, and so is {quoted[-1][:10].lower()}"

        home.sink.judge = judge
        with capture_logs() as logs:
            answer = await home.says("water")
            await home.heard()
        paths = (f"/api/alerts/{answer['id']}", "/api/notifications", "/status")
        texts = [(await service.client.get(path, headers=API_BEARER)).text for path in paths]
    assert len(quoted) == 2
    assert f"554 5.7.1 {PUBLIC_URL}/a/*** is listed" in texts[0]
    assert not any(token in repr(logs) or any(token in text for text in texts) for token in quoted)
