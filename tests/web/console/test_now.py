"""What the console's first page says in the night, and what its buttons do, through real parts."""

from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import httpx
import pytest
from sqlalchemy import text

from alertgate.ids import new_id
from alertgate.model import ChannelName, Severity
from alertgate.policy.escalations import Step
from alertgate.policy.people import Contact
from alertgate.policy.schedules import Schedule, Turn
from alertgate.store import incidents
from tests.builders import new_incident
from tests.conftest import API_BEARER, Running, serving
from tests.console import BESIDE, queries, seen, sent, signed_in
from tests.flow.household import BERLIN, MINUTE, Household, escalation, household, person, policy, step
from tests.pages import Page

OWNER, PARTNER, NEIGHBOUR = person("owner"), person("partner", "22:30-06:30", unless=None), person("neighbour")
STEPS = (step("owner", "partner"), step("neighbour", after=10))
HOME = policy((OWNER, PARTNER, NEIGHBOUR), (escalation("home", *STEPS),))
NIGHT = datetime(2026, 11, 24, 3, tzinfo=BERLIN)
CRITICAL = {"severity": "critical", "temp": 2}


@asynccontextmanager
async def night(make_settings, database, made=HOME):
    """Run a household at 3 am, and look at its console as the owner."""
    async with (
        household(make_settings, made, NIGHT, database) as home,
        home.running() as service,
        signed_in(service, "owner", zone="Europe/Berlin") as client,
    ):
        await service.gate.auditor.run()
        await service.gate.failures.look()
        yield home, client


async def looked(home: Household, client: httpx.AsyncClient, path: str = "/") -> Page:
    """Open a page once all that is due was sent, and the auditor has looked."""
    await home.heard()
    await home.service.gate.auditor.run()
    return await seen(client, path)


async def press(client: httpx.AsyncClient, page: Page, button: str, **fields: str) -> httpx.Response:
    """Press a button of a page."""
    [form] = [each for each in page.forms if button in each.buttons]
    return await sent(client, form.action, **{**form.fields, **form.buttons[button], **fields})


def words(page: Page) -> str:
    """Return what a page says, in one line."""
    return " ".join(page.text.split())


async def test_a_quiet_night_is_well_as_far_as_everything_was_looked_at(make_settings, database):
    """After an event that opens nothing; before that nothing was ever heard, which isn't well."""
    async with night(make_settings, database) as (home, client):
        assert "No webhook has come yet" in words(await looked(home, client))
        await home.says({"status": "ok"})
        page = await looked(home, client)
        assert "ALL IS WELL Nothing is going on, and all that was due was told" in words(page)
        assert "On call now everyone: owner, partner and neighbour" in words(page)
        assert "Channels email up Last webhook now, Particle's webhook" in words(page)
        assert ("data-open-incidents", "0") in page.attributes


async def test_an_open_incident_says_who_was_told_and_what_comes_next(make_settings, database):
    """The owner was told, the partner sleeps, and the neighbour comes in ten minutes."""
    async with night(make_settings, database) as (home, client):
        answer = await home.says({"temp": 2})
        page = await looked(home, client)
        said = words(page)
        assert "(1) Now" in said
        assert "LOOK 1 incident is going on, and nobody has it." in said
        assert "Nobody has it yet." in said
        assert "1 alert since 03:00" in said
        assert "owner, email o***@example.com told at 03:00" in said
        assert "partner, email p***@example.com to be told at 06:30 (quiet hours)" in said
        assert "neighbour in 10 min unless acknowledged" in said
        assert "partner by email in 4 h (quiet hours)" in said
        assert ("id", f"incident-{answer['incident']}") in page.attributes
        assert ("data-open-incidents", "1") in page.attributes
        assert page.buttons.count("I'm on it") == 1


async def test_the_next_reminder_comes_when_the_page_said(make_settings, database):
    """Also the first one, and before the neighbour, whom it doesn't hide."""
    reminded = policy((OWNER, NEIGHBOUR), (escalation("home", step("owner"), STEPS[1], repeat_every=5 * MINUTE),))
    async with night(make_settings, database, reminded) as (home, client):
        await home.says(CRITICAL)
        said = words(await looked(home, client))
        next_ones = said.index("reminder 1 to owner in 5 min unless acknowledged")
        assert next_ones < said.index("neighbour in 10 min unless acknowledged")
        assert await home.passes(4.5) == []
        assert [each.partition(":")[0] for each in await home.passes(0.5)] == ["owner"]
        assert "reminder 2 to owner in 5 min unless acknowledged" in words(await looked(home, client))
        assert {each.partition(":")[0] for each in await home.passes(5)} == {"owner", "neighbour"}


async def test_acknowledging_ends_what_comes_next_and_pressing_twice_is_once(make_settings, database):
    """The one who pressed reads twice that they have it; the others are told once."""
    async with night(make_settings, database) as (home, client):
        await home.says({"temp": 2})
        page = await looked(home, client)
        for _ in range(2):
            answer = await press(client, page, "I'm on it")
            assert (answer.status_code, answer.headers["location"]) == (303, "/?said=acknowledged")
        page = await looked(home, client, "/?said=acknowledged")
        assert "You have it. Nobody is told any more" in words(page)
        assert "owner has it (taken at 03:00)." in words(page)
        assert "GOING ON 1 incident is going on, and somebody has it" in words(page)
        assert "neighbour in" not in words(page)
        assert "Nobody is told any more, unless it gets worse or begins again." in words(page)
        assert "I'm on it" not in page.buttons
        assert await home.sleeps(15) == []


@pytest.mark.parametrize(
    ("first", "then", "now"),
    [
        ("I'm on it", "Snooze 1 h", "owner has it (taken at 03:00)."),
        ("Snooze 1 h", "I'm on it", "owner has snoozed it until 04:00."),
        ("Snooze 1 h", "Snooze it for 8 h", "owner has snoozed it until 04:00."),
        ("Snooze it for 8 h", "Snooze 1 h", "owner has snoozed it until 11:00."),
    ],
)
async def test_another_button_on_an_old_page_never_reads_as_done(make_settings, first, then, now):
    """The same person did something else on another page: they are asked again; a double tap isn't."""
    async with night(make_settings, {}) as (home, client):
        await home.says({"temp": 2})
        page = await looked(home, client)
        asked = await seen(client, page.links["Snooze longer"])

        def old(button: str) -> Page:
            return asked if button in asked.buttons else page

        for _ in range(2):
            assert (await press(client, old(first), first)).status_code == 303
        again = Page(await press(client, old(then), then))
        assert again.status == 409
        assert "It changed after the page was loaded, so nothing was done." in words(again)
        assert now in words(again)
        for _ in range(2):
            assert (await press(client, again, then)).status_code == 303
        assert now not in words(await looked(home, client))


async def test_who_comes_second_learns_that_somebody_has_it(make_settings, database):
    """The first person stays on record; their snooze isn't replaced by one who saw it open."""
    async with night(make_settings, database) as (home, client):
        incident = (await home.says({"temp": 2}))["incident"]
        page = await looked(home, client)
        await home.post(f"incidents/{incident}/acknowledge", by="partner")
        answer = await press(client, page, "I'm on it")
        assert answer.headers["location"] == "/?said=had-before"
        again = Page(await press(client, page, "Snooze 1 h"))
        assert again.status == 409
        assert "It changed after the page was loaded, so nothing was done." in words(again)
        assert "partner has it" in words(again)
        assert (await press(client, again, "Snooze 1 h")).status_code == 303
        assert "owner has snoozed it until 04:00. Then it starts anew." in words(await looked(home, client))


async def test_what_somebody_has_is_handed_back(make_settings, database):
    """Who asks sees what follows; pressed twice is once, and everybody is told at once that nobody has it."""
    async with night(make_settings, database) as (home, client):
        incident = (await home.says(CRITICAL))["incident"]
        await home.heard()
        await home.post(f"incidents/{incident}/acknowledge", by="partner")
        await home.heard()
        asked = await seen(client, (await looked(home, client)).links["Hand it back"])
        assert "Nobody would have it any more. Everybody is asked again, as at the beginning." in words(asked)
        assert "partner has it" in words(asked)
        for _ in range(2):
            answer = await press(client, asked, "Yes, hand it back")
            assert (answer.status_code, answer.headers["location"]) == (303, "/?said=handed-back")
        page = await looked(home, client, "/?said=handed-back")
        assert "Nobody has it any more. Everybody is asked again" in words(page)
        assert "partner can't after all, says owner: nobody has it." in words(page)
        assert "I'm on it" in page.buttons
        assert "Hand it back" not in page.links
        story = words(await seen(client, f"/incidents/{incident}"))
        assert 'the incident was handed back by "owner"' in story


async def test_only_what_the_page_showed_in_somebodys_hands_is_handed_back(make_settings):
    """Another one took it meanwhile: they keep it; and what nobody has stays as it is."""
    async with night(make_settings, {}) as (home, client):
        incident = (await home.says({"temp": 2}))["incident"]
        await home.post(f"incidents/{incident}/acknowledge", by="partner")
        asked = await seen(client, (await looked(home, client)).links["Hand it back"])
        await home.post(f"incidents/{incident}/hand-back", by="partner")
        assert (await press(client, asked, "Yes, hand it back")).headers["location"] == "/?said=nobody-has-it"
        home.clock.move(seconds=1)
        await home.post(f"incidents/{incident}/acknowledge", by="partner")
        again = Page(await press(client, asked, "Yes, hand it back"))
        assert again.status == 409
        assert "It changed after the page was loaded, so nothing was done." in words(again)
        assert "partner has it" in words(again)


async def test_a_page_from_before_it_got_worse_acts_on_nothing(make_settings, database):
    """The page that answers shows how it is now, and its button acts."""
    async with night(make_settings, database) as (home, client):
        await home.says({"temp": 2})
        page = await looked(home, client)
        await home.says(CRITICAL)
        again = Page(await press(client, page, "I'm on it"))
        assert again.status == 409
        assert "CRITICAL" in words(again)
        assert "Nobody has it yet." in words(again)
        assert (await press(client, again, "I'm on it")).headers["location"] == "/?said=acknowledged"


async def test_what_ended_meanwhile_is_left_alone(make_settings, database):
    """An all-clear came after the page was loaded: no button opens it again, or tells its end twice."""
    async with night(make_settings, database) as (home, client):
        await home.says({"temp": 2})
        page = await looked(home, client)
        await home.says({"status": "ok"})
        await home.heard()
        for button in ("I'm on it", "Snooze 1 h"):
            assert (await press(client, page, button)).headers["location"] == "/?said=over-before"
        asked = await seen(client, page.links["It's over"])
        assert "OVER" in words(asked)
        assert "Yes, it's over" not in asked.buttons
        assert await home.heard() == []


async def test_resolving_asks_first_and_tells_everybody_once(make_settings, database):
    """The page that asks says what follows; pressing its button twice tells the end once."""
    async with night(make_settings, database) as (home, client):
        await home.says({"temp": 2})
        asked = await seen(client, (await looked(home, client)).links["It's over"])
        assert "Everybody who was told hears that it is over." in words(asked)
        assert await home.heard() == []
        for _ in range(2):
            assert (await press(client, asked, "Yes, it's over")).headers["location"] == "/?said=resolved"
        [told] = await home.heard()
        assert told.startswith("owner: RESOLVED")
        assert "None." in words(await looked(home, client))


async def test_silencing_asks_first_holds_what_comes_and_ends_by_a_button(make_settings, database):
    """A silenced incident says by whom and until when; ending the silence lets its escalation go on."""
    async with night(make_settings, database) as (home, client):
        await home.says({"temp": 2})
        asked = await seen(client, (await looked(home, client)).links["Silence this device"])
        assert "unless it is critical" in words(asked)
        answer = await press(client, asked, "Silence it for 8 h", hours="8")
        assert answer.headers["location"] == "/?said=silenced"
        page = await looked(home, client)
        assert "Silenced by owner until 11:00: nothing is said of it before, unless it is critical." in words(page)
        assert "GOING ON 1 incident is going on, and somebody has it, or has silenced it." in words(page)
        assert await home.sleeps(15) == []
        page = await looked(home, client)
        assert (await press(client, page, "End owner's silence")).headers["location"] == "/?said=unsilenced"
        assert (await press(client, page, "End owner's silence")).headers["location"] == "/?said=silenced-before"
        assert "neighbour in" in words(await looked(home, client))


async def test_a_wide_silence_asks_before_it_ends(make_settings, database):
    """It holds more than the incident on whose card it stands, and the page says what."""
    async with night(make_settings, database) as (home, client):
        await home.silence("4h")
        await home.says({"temp": 2})
        page = await looked(home, client)
        assert "Silenced by partner until 07:00" in words(page)
        asked = await seen(client, page.links["End partner's silence"])
        assert "partner silenced all with event * until 07:00." in words(asked)
        assert (await press(client, asked, "Yes, end it")).headers["location"] == "/?said=unsilenced"
        assert len(await home.heard()) == 1


async def test_a_snooze_lasts_as_long_as_was_chosen_and_starts_anew(make_settings, database):
    """The card says when it starts anew, and with whom."""
    async with night(make_settings, database) as (home, client):
        await home.says({"temp": 2})
        asked = await seen(client, (await looked(home, client)).links["Snooze longer"])
        answer = await press(client, asked, "Snooze it for 2 h", hours="2")
        assert answer.headers["location"] == "/?said=snoozed"
        said = words(await looked(home, client))
        assert "owner has snoozed it until 05:00. Then it starts anew." in said
        assert "it starts anew with owner in 2 h unless it is over by then" in said
        assert "partner in 4 h unless it is over by then (held until then)" in said
        assert len(await home.sleeps(121)) == 1


async def test_a_paused_channel_is_said_and_what_waits_for_it(make_settings, database):
    """Nobody reads that somebody is told next whose channel can't send."""
    async with night(make_settings, database) as (home, client):
        home.sink.answer("MAIL", *["550 5.7.1 sender refused"] * 5)
        await home.says(CRITICAL)
        said = words(await looked(home, client))
        assert "NOT WELL Channel email is paused: its server doesn't accept the sender." in said
        assert "email is paused" in said.split("Open incidents")[1]


async def test_nobody_who_can_be_told_is_said_before_all_else(make_settings, database):
    """An incident of which nobody was told is no card like the others."""
    nobody = policy((), (escalation("home", Step(())),))
    async with night(make_settings, database, nobody) as (home, client):
        await home.says({"temp": 2})
        said = words(await looked(home, client))
        assert "NOT WELL Nobody can be told of anything: there are no recipients." in said
        assert "NOBODY WAS TOLD of it, and nobody will be" in said
        assert "On call now nobody: there are no recipients" in said


async def test_what_is_only_written_to_the_outbox_tells_nobody(service: Running):
    """Without a mail server nothing of a critical alert reads as told, while it is open or after its end."""
    incident = (await service.particle(data='{"severity":"critical"}')).json()["incident"]
    await service.settled()
    await service.gate.auditor.run()
    await service.gate.failures.look()
    async with signed_in(service) as client:
        nobody = (
            "NOT WELL Nobody is told of anything: no mail server is set, so messages are only written to the outbox."
        )
        for path in ("/", f"/incidents/{incident}"):
            said = words(await seen(client, path))
            assert (nobody in said) is (path == "/")
            assert "NOBODY WAS TOLD of it, only the outbox has it" in said
            assert "o***@localhost not told: written to the outbox only, at " in said
            assert "Nobody else is told" not in said
        assert 'only written, to the outbox, which tells nobody: "written to ' in said
        said = words(await seen(client, "/"))
        assert "Set one, and whom to tell, as README's “Real mail” says, and restart." in said
        assert "On call now nobody: there are no recipients Channels outbox tells nobody" in said
        assert "outbox tells nobody" in words(await seen(client, "/channels"))
        assert "written to the outbox only" in words(await seen(client, "/people"))
        await service.client.post(f"/api/incidents/{incident}/resolve", headers=API_BEARER, json={"by": "me"})
        await service.settled()
        await service.gate.auditor.run()
        said = words(await seen(client, "/"))
        assert nobody in said
        assert "ALL IS WELL" not in said


async def test_mails_that_are_only_written_are_said_where_others_are_told(make_settings):
    """Their people have other channels, or there are others: whom the outbox keeps from hearing is named."""
    topic = Contact(ChannelName.NTFY, "alerts")
    ada = replace(OWNER, contacts=(*OWNER.contacts, topic))
    made = policy((ada, NEIGHBOUR), (escalation("home", step("owner"), STEPS[1]),))
    settings = make_settings(ntfy_url="http://127.0.0.1:1", channels_private=True)
    async with serving(settings, policy=lambda: made) as service, signed_in(service) as client:
        await service.particle(data='{"status":"ok"}')
        await service.gate.auditor.run()
        await service.gate.failures.look()
        said = words(await seen(client, "/"))
        mails = "mails to owner and neighbour are only written to the outbox, which tells nobody."
        assert f"LOOK No mail server is set: {mails}" in said
        assert "Channels ntfy up; outbox tells nobody" in said
        await service.particle(data='{"temp":2}')
        assert "Next neighbour (by the outbox only) in 10 min unless acknowledged" in words(await seen(client, "/"))


async def test_who_is_on_call_is_named_by_schedule(make_settings, database):
    """The people of the turn, as the policy calls them."""
    week = Schedule("house", (Turn(("partner",), frozenset({0})), Turn(("owner",), frozenset({1}))), BERLIN)
    made = replace(HOME, schedules={"house": week})
    async with night(make_settings, database, made) as (home, client):
        assert "On call now house: owner Channels email up" in words(await looked(home, client))


async def test_the_worst_comes_first_and_the_rest_is_counted(make_settings, database):
    """Twenty-five cards at most: critical ones, then what nobody has; the number of queries stays the same."""
    async with night(make_settings, database) as (home, client):
        await home.says({"temp": 2}, device="d0")
        await home.heard()
        few = len(await queries(client, "/"))
        for number in range(51):
            await home.says({"temp": 2}, device=f"d{number}")
        await home.says(CRITICAL, event="smoke", device="attic")
        taken = await home.says({"temp": 2}, event="first", device="attic")
        await home.post(f"incidents/{taken['incident']}/acknowledge", by="partner")
        page = await looked(home, client)
        ids = [value for name, value in page.attributes if name == "id" and str(value).startswith("incident-")]
        assert len(ids) == 25
        assert f"incident-{taken['incident']}" not in ids
        assert page.text.index("smoke") < page.text.index("d0")
        assert "And 28 more: see" in words(page)
        assert page.links["those that nobody has"] == "/incidents?status=open"
        assert "NOT WELL 53 incidents are going on, and nobody has 52 of them." in words(page)
        assert len(await queries(client, "/")) <= min(few + BESIDE, 20)


async def test_what_is_silenced_hides_nothing_that_speaks(make_settings, database):
    """A younger incident has a card, and is the verdict, behind twenty-six silenced ones."""
    async with night(make_settings, database) as (home, client):
        await home.silence("4h", event="leak")
        for number in range(26):
            await home.says(CRITICAL, device=f"d{number}")
        page = await looked(home, client)
        assert "GOING ON 26 incidents are going on, and somebody has each of them, or has silenced it." in words(page)
        answer = await home.says(CRITICAL, event="smoke", device="attic")
        page = await looked(home, client)
        assert ("id", f"incident-{answer['incident']}") in page.attributes
        assert "NOT WELL 27 incidents are going on, and nobody has 1 of them." in words(page)


async def test_however_many_are_silenced_what_isnt_has_its_card_and_the_numbers_are_right(make_settings, database):
    """Hundreds of incidents of a power cut are silenced; then something smokes, which is as critical and younger."""
    async with night(make_settings, database) as (home, client):
        await home.says({"temp": 2})
        few = len(await queries(client, "/"))
        await home.silence("8h", event="power")
        await home.silence("8h", device="door*")
        begun = home.clock.now()
        cut = [
            new_incident(
                id=new_id(begun + timedelta(milliseconds=number)),
                key=f"k{number}",
                event=("power", "lock")[number % 2],
                device=f"door-{number}",
                severity=Severity.CRITICAL,
            )
            for number in range(450)
        ]
        store = home.service.gate.store
        await store.write(lambda connection: incidents.add(connection, cut))
        assert "LOOK 451 incidents are going on, and nobody has 1 of them." in words(await looked(home, client))
        home.clock.move(seconds=1)
        smoke = (await home.says(CRITICAL, event="smoke", device="attic"))["incident"]
        page = await looked(home, client)
        assert "NOT WELL 452 incidents are going on, and nobody has 2 of them." in words(page)
        assert ("id", f"incident-{smoke}") in page.attributes
        assert len(await queries(client, "/")) <= min(few + BESIDE, 20)


async def test_the_strip_says_in_words_what_it_shows(make_settings, database):
    """By hour and severity, on the reader's clock."""
    async with night(make_settings, database) as (home, client):
        for _ in range(2):
            await home.says({"temp": 2})
        await home.says(CRITICAL)
        said = words(await looked(home, client))
        assert "3 alerts in the last 24 hours: 1 critical, 2 warning. Most came in the hour from 03:00: 3." in said
        assert "By hour Hour from Alerts 03:00 1 critical, 2 warning" in said


async def test_device_text_stays_text(make_settings, database):
    """Markup is shown as it is, and a mark that turns text around for what it is."""
    async with night(make_settings, database) as (home, client):
        await home.says("<script>alert(1)</script>\u202eevil", event="<b>leak")
        answer = await client.get("/")
        assert "<script>alert" not in answer.text
        assert "<b>leak" not in answer.text
        assert "\u202e" not in answer.text


@pytest.mark.parametrize(
    ("fields", "status"),
    [({}, 422), ({"act": "dance"}, 422), ({"act": "silence", "hours": "9999"}, 422), ({"act": "acknowledge"}, 404)],
)
async def test_what_no_button_says_does_nothing(service: Running, fields, status):
    """Neither an act that there isn't, nor hours that none offers, nor an incident that there isn't."""
    async with signed_in(service) as client:
        answer = await sent(client, "/incidents/00000000-0000-7000-8000-000000000000/acts", **fields)
        assert answer.status_code == status
        assert "text/html" in answer.headers["content-type"]


async def test_acting_leads_to_no_other_host_and_keeps_the_filters(make_settings, database):
    """Only a page of this service is where somebody comes back to, with the query that it had."""
    async with night(make_settings, database) as (home, client):
        await home.says({"temp": 2})
        page = await looked(home, client)
        for to, back in (("//evil.example", "/?said=acknowledged"), ("/incidents?event=a%26b", None)):
            answer = await press(client, page, "I'm on it", to=to)
            assert answer.headers["location"] == (back or "/incidents?said=acknowledged&event=a%26b")


async def test_acts_are_recorded_with_how_somebody_had_signed_in(make_settings, database):
    """The incident names the person and the console."""
    async with night(make_settings, database) as (home, client):
        incident = (await home.says({"temp": 2}))["incident"]
        await press(client, await looked(home, client), "I'm on it")
        answer = await home.service.client.get(f"/api/incidents/{incident}", headers=API_BEARER)
        shown = answer.json()["incident"]
        assert (shown["acknowledged_by"], shown["acknowledged_with"]) == ("owner", "console_token")


async def test_a_critical_incident_that_nobody_has_is_not_well(make_settings, database):
    """The verdict names it before all that is less bad."""
    async with night(make_settings, database) as (home, client):
        await home.says(CRITICAL)
        assert "NOT WELL 1 incident is going on, and nobody has it." in words(await looked(home, client))
        assert Severity.CRITICAL.upper() in words(await looked(home, client))


async def test_a_database_that_cannot_be_read_is_said_and_no_page_is_an_error(make_settings):
    """What is going on isn't known then, and the page says nothing else of it."""
    async with night(make_settings, {}) as (home, client):
        await home.says({"temp": 2})
        await looked(home, client)
        with home.service.gate.store.transaction() as connection:
            connection.execute(text("ALTER TABLE incidents RENAME TO gone"))
        said = words(await seen(client, "/"))
        assert "NOT WELL The database can't be read, so what is going on isn't known." in said
        assert "What is open isn't known" in said
        assert "ALL IS WELL" not in said
        with home.service.gate.store.transaction() as connection:
            connection.execute(text("ALTER TABLE sessions RENAME TO away"))
        page = await seen(client, "/", 503)
        assert "The database can't be read" in words(page)
        assert "text/html" in page.answer.headers["content-type"]


async def test_a_store_without_the_auditor_is_never_well(make_settings):
    """After a start nobody knows yet whether everybody was told."""
    async with (
        household(make_settings, HOME, NIGHT, {}) as home,
        home.running() as service,
        signed_in(service) as client,
    ):
        await home.says({"status": "ok"})
        if service.gate.auditor.latest is None:
            assert "NOT KNOWN The auditor hasn't looked yet" in words(await seen(client, "/"))
        await service.gate.auditor.run()
        home.clock.move(minutes=3)
        assert "NOT KNOWN The auditor last looked 3 min ago" in words(await seen(client, "/"))


async def test_a_flood_on_a_phone_shows_the_worst_whole_and_the_others_briefly(make_settings, database):
    """Who was told of each of two hundred devices opens by a touch; the buttons are there at once."""
    async with night(make_settings, database) as (home, client):
        for number in range(7):
            await home.says({"status": "firing"}, device=f"{number:024x}")
        page = await looked(home, client)
        assert page.text.count("Who was told, and what comes next") == 4
        assert page.buttons.count("I'm on it") == 7
        assert page.text.count("neighbour in 10 min") == 7
