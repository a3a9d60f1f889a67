"""A flood that somebody takes at once in the console: what is done, what isn't, and what the others hear of it."""

import asyncio
from contextlib import asynccontextmanager, nullcontext
from datetime import datetime

import pytest

from alertgate.answers import Verdict
from alertgate.credential import Credential
from alertgate.errors import StoreUnavailable
from alertgate.group.actions import Action
from alertgate.group.portions import PORTION, do_portion
from alertgate.web.console.many import MOST, Taken
from alertgate.web.portions import do_all
from tests.console import BESIDE, queries, seen, sent, signed_in, signed_in_by_link
from tests.flow.household import BERLIN, Household, escalation, household, person, policy, step
from tests.pages import Page
from tests.web.console.test_now import press, words

STEPS = (step("owner", "partner", "sleeper"), step("neighbour", after=10))
PEOPLE = (person("owner"), person("partner"), person("sleeper", "22:30-06:30"), person("neighbour"))
HOME = policy(PEOPLE, (escalation("home", *STEPS),))
NIGHT = datetime(2026, 11, 24, 3, tzinfo=BERLIN)
FLOOD = PORTION + 10
"""More than one transaction takes."""
FIRING, OVER, WORSE = {"status": "firing"}, {"status": "ok"}, {"severity": "critical"}
TAKE_ALL = f"I'm on it: all {FLOOD}"


@asynccontextmanager
async def night(make_settings, database, **changes):
    """Run a house at 3 am whose devices may all speak at once, with the owner at its console."""
    given = {**database, "particle_rate_limit": "100000/minute", **changes}
    async with (
        household(make_settings, HOME, NIGHT, given) as home,
        home.running() as service,
        signed_in(service, "owner", zone="Europe/Berlin") as client,
    ):
        yield home, client


async def power_cut(home: Household, number: int = FLOOD) -> list[str]:
    """Let so many devices report that they have no power; return the incidents."""
    return [(await home.says(FIRING, event="power", device=f"d{n:02}"))["incident"] for n in range(number)]


async def statuses(home: Household, ids: list[str]) -> list[str]:
    """Return how incidents stand, and who has them."""
    found = [(await home.get(f"incidents/{each}"))["incident"] for each in ids]
    return [f"{each['status']} {each['acknowledged_by'] or ''}".strip() for each in found]


async def test_a_flood_is_taken_at_once_and_the_others_hear_it_once(make_settings, database):
    """In the middle of its mails: what isn't sent is cancelled, and sixty times "owner has it" is one message.

    It wakes nobody who sleeps, and nothing of it is told in the morning to somebody who heard nothing of it.
    """
    async with night(make_settings, database, flood_limit=5) as (home, client):
        ids = await power_cut(home)
        await home.sink.received(10)  # five to each of two people, and the rest is gathered
        home.clock.move(seconds=5)
        assert len(await home.heard()) == 12
        asked = await seen(client, (await seen(client, "/")).links[TAKE_ALL])
        assert f"Are you on all {FLOOD} of these?" in words(asked)
        assert f"{FLOOD} incidents that nobody has, none of them critical. Nobody is told any more" in words(asked)
        assert f"warningpowerd00, d01, d02 and {FLOOD - 3} more{FLOOD}" in words(asked)
        assert await statuses(home, ids[:1]) == ["open"]
        home.clock.move(minutes=1)
        for _ in range(2):
            answer = await press(client, asked, TAKE_ALL)
            assert (answer.status_code, answer.headers["location"]) == (303, "/?said=all-acknowledged")
        assert set(await statuses(home, ids)) == {"acknowledged owner"}
        home.clock.move(minutes=5)  # a digest follows another after GROUP_INTERVAL
        [told] = await home.heard()
        assert told.startswith(f"partner: ACKNOWLEDGED {FLOOD} alerts in one message: owner has them.")
        assert await home.sleeps(15) == []
        assert await home.sleeps(3 * 60) == []
        page = await seen(client, "/?said=all-acknowledged")
        assert "You have them all. Nobody is told any more about these" in words(page)
        assert not [each for each in page.links if each.startswith("I'm on it: ")]
        story = words(await seen(client, f"/incidents/{ids[-1]}"))
        assert 'acknowledged by "owner" in the console with API_TOKEN' in story


async def test_a_person_who_signed_in_by_a_link_takes_it_in_their_own_name(make_settings, database):
    """One message to each of the others who were told, also where no flood holds it back."""
    async with night(make_settings, database) as (home, _), signed_in_by_link(home.service, "partner") as client:
        ids = await power_cut(home)
        assert len(await home.heard()) == 2 * FLOOD
        asked = await seen(client, "/incidents/acts?to=/")
        assert (await press(client, asked, "Snooze them for 1 h")).headers["location"] == "/?said=all-snoozed"
        [told] = await home.heard()
        assert told.startswith(f"owner: SNOOZED {FLOOD} alerts in one message")
        assert set(await statuses(home, ids)) == {"acknowledged partner"}
        assert 'snoozed by "partner" in the console' in words(await seen(client, f"/incidents/{ids[0]}"))
        assert await home.sleeps(55) == []
        assert len(await home.sleeps(6)) == 2 * FLOOD  # everything starts anew


async def test_what_changed_after_the_page_was_shown_is_not_touched(make_settings, database):
    """One is over, one has become critical and goes on ringing, one has somebody, and one came: all of that is said."""
    async with night(make_settings, database) as (home, client):
        same, over, worse, taken = await power_cut(home, 4)
        await home.heard()
        asked = await seen(client, (await seen(client, "/")).links["I'm on it: all 4"])
        await home.says(OVER, event="power", device="d01")
        await home.says(WORSE, event="power", device="d02")
        await home.post(f"incidents/{taken}/acknowledge", by="partner")
        new = (await home.says(FIRING, event="leak", device="d09"))["incident"]
        await home.heard()
        again = Page(await press(client, asked, "I'm on it: all 4"))
        assert again.status == 409
        assert (
            "You have 1 of the 4. 1 is over. 1 was taken by somebody else before. 1 changed after the page was loaded, "
            "and wasn't touched. 1 has come since. Look again, and press again if you mean these, too."
        ) in words(again)
        assert "2 incidents that nobody has, 1 of them critical." in words(again)
        each = await statuses(home, [same, over, worse, taken, new])
        assert each == ["acknowledged owner", "resolved", "open", "acknowledged partner", "open"]
        assert [told.split(":")[0] for told in await home.heard()] == ["partner"]
        neighbour = [told for told in await home.sleeps(10) if told.startswith("neighbour")]
        assert len(neighbour) == 2
        await home.says(OVER, event="leak", device="d09")
        rest = words(await seen(client, "/incidents/acts?to=/"))
        assert "1 incident that nobody has, and it is critical. Nobody is told any more about it" in rest
        await home.says(FIRING, event="leak", device="d09")
        again = await seen(client, "/incidents/acts?to=/")
        answer = await press(client, again, "I'm on it: all 2")
        assert answer.headers["location"] == "/?said=all-acknowledged"
        assert await statuses(home, [worse, new]) == ["acknowledged owner", "acknowledged owner"]


async def test_two_people_at_once_take_each_incident_once(make_settings, database):
    """On PostgreSQL at two replicas. Who was first with one stays on record; the others hear of each person once."""
    async with night(make_settings, database) as (home, one):
        ids = await power_cut(home)
        await home.heard()
        other_replica = home.running() if database else nullcontext(home.service)
        async with other_replica as second, signed_in(second, "Ada") as other:
            pages = [await seen(client, "/incidents/acts?to=/") for client in (one, other)]
            answers = await asyncio.gather(
                *(press(client, page, TAKE_ALL) for client, page in zip((one, other), pages, strict=True))
            )
            assert {answer.status_code for answer in answers} <= {200, 303}
            has = await statuses(home, ids)
            assert set(has) <= {"acknowledged owner", "acknowledged Ada"}
            for answer, who in zip(answers, ("owner", "Ada"), strict=True):
                number = has.count(f"acknowledged {who}")
                if answer.status_code == 303:
                    assert number == FLOOD
                else:
                    begins = f"You have {number} of the {FLOOD}." if number else "Nothing was done."
                    rest = f"{FLOOD - number} {'was' if FLOOD - number == 1 else 'were'} taken by somebody else before."
                    assert f"{begins} {rest}" in words(Page(answer))
            told = await home.heard()
            assert 1 <= len(told) <= 3  # the partner of both, the owner of what Ada has
            assert all(" ACKNOWLEDGED " in each for each in told)


async def test_what_a_process_told_that_ended_before_the_last_portion_goes_by_itself(make_settings, database):
    """Nobody is left believing that nobody has it; it waits for a minute, because the rest might have come."""
    async with night(make_settings, database) as (home, _):
        ids, gate = await power_cut(home, 3), home.service.gate
        await home.heard()
        actions = [Action(each, "owner", Credential.CONSOLE, gate.clock.now()) for each in ids]

        def act(connection):
            return do_portion(connection, gate.actions.acknowledge, actions, gate.actions, is_whole=False)

        assert len(await gate.store.write(act)) == 3
        assert await home.sleeps(0.5) == []
        assert [each.split()[:2] for each in await home.sleeps(0.5)] == [["partner:", "ACKNOWLEDGED"]] * 3


async def test_what_was_done_before_a_portion_failed_is_told_together(make_settings, database):
    """The store was away for a moment: who has those is no secret, and no handful of messages either."""
    async with night(make_settings, database) as (home, _):
        ids, gate = await power_cut(home, 3), home.service.gate
        await home.heard()
        actions = [Action(each, "owner", Credential.CONSOLE, gate.clock.now()) for each in ids]

        def act(connection, beyond):
            if beyond:
                raise StoreUnavailable("it is away")
            did = do_portion(connection, gate.actions.acknowledge, actions[:2], gate.actions, is_whole=False)
            return Taken({Verdict.DONE: 2}, did, ids[1])

        with pytest.raises(StoreUnavailable):
            await do_all(gate, act)
        [told] = await home.heard()
        assert told.startswith("partner: ACKNOWLEDGED 2 alerts in one message: owner has them.")
        assert (await statuses(home, ids))[2] == "open"


async def test_what_rises_before_the_news_of_it_goes_is_told_at_once(make_settings, database):
    """That news waits for the flood's next digest, with which nothing critical may wait."""
    async with night(make_settings, database, flood_limit=5) as (home, client):
        await power_cut(home, 12)
        await home.sink.received(10)
        home.clock.move(seconds=5)
        assert len(await home.heard()) == 12
        home.clock.move(seconds=1)
        answer = await press(client, await seen(client, "/incidents/acts?to=/"), "I'm on it: all 12")
        assert answer.status_code == 303
        home.clock.move(seconds=1)
        await home.says(WORSE, event="power", device="d07")
        mails = (await home.sink.received(15))[12:]  # alone, to the sleeper too
        assert {mail.to.split("@")[0] for mail in mails} == {"owner", "partner", "sleeper"}
        assert [mail.mail["Subject"].split(" alert")[0] for mail in mails] == ["[CRITICAL] d07: power"] * 3
        told = [each for each in await home.sleeps(5) if " ACKNOWLEDGED " in each]
        assert [each[:66] for each in told] == ["partner: ACKNOWLEDGED 11 alerts in one message: owner has them."]


async def test_what_ends_before_the_news_of_it_goes_is_told_as_over(make_settings, database):
    """The power is back for some of them: their digest says so, and who has the rest."""
    async with night(make_settings, database, flood_limit=5) as (home, client):
        await power_cut(home, 12)
        await home.sink.received(10)
        home.clock.move(seconds=5)
        await home.heard()
        home.clock.move(seconds=1)
        await press(client, await seen(client, "/incidents/acts?to=/"), "I'm on it: all 12")
        home.clock.move(seconds=1)
        await home.says(OVER, event="power", device="d07")
        told = [each for each in await home.sleeps(5) if each.startswith("partner")]
        assert len(told) == 1
        assert told[0].startswith("partner: ACKNOWLEDGED 12 alerts in one message: owner has those that aren't over.")
        assert "1 of them is over." in told[0]


async def test_what_is_silenced_stays_as_it_is(make_settings, database):
    """Who has silenced something counts on being told of it at the end."""
    async with night(make_settings, database) as (home, client):
        ids = await power_cut(home, 2)
        quiet = (await home.says(FIRING, event="pump"))["incident"]
        await home.silence("4h", event="pump")
        await home.heard()
        for path in ("/", "/incidents"):
            asked = await seen(client, (await seen(client, path)).links["I'm on it: all 2"])
            assert "1 silenced one is left as it is." in words(asked)
        answer = await press(client, asked, "I'm on it: all 2")
        assert answer.headers["location"] == "/incidents?said=all-acknowledged"
        assert await statuses(home, [*ids, quiet]) == ["acknowledged owner"] * 2 + ["open"]
        nothing = words(await seen(client, "/incidents/acts?to=/"))
        assert "No incident is open here that nobody has, but for what is silenced." in nothing


async def test_a_list_takes_what_its_filters_find(make_settings, database):
    """All of it, also what is on its next page, and nothing else."""
    async with night(make_settings, database) as (home, client):
        ids = await power_cut(home, 35)
        others = [(await home.says(FIRING, event="leak", device=f"d{n}"))["incident"] for n in range(2)]
        page = await seen(client, "/incidents?event=leak")
        assert "I'm on it: all 2" in page.links
        page = await seen(client, "/incidents?event=po*&status=open")
        asked = await seen(client, page.links["I'm on it: all of them"])
        assert asked.links["Back"] == "/incidents?event=po%2A&status=open"
        answer = await press(client, asked, "I'm on it: all 35")
        assert answer.headers["location"].startswith("/incidents?said=all-acknowledged&event=po%2A")
        assert set(await statuses(home, ids)) == {"acknowledged owner"}
        assert set(await statuses(home, others)) == {"open"}
        for none in ("/incidents?status=acknowledged", "/incidents?event=po*", "/incidents?event=nothing"):
            assert not [each for each in (await seen(client, none)).links if each.startswith("I'm on it")]
        assert "Nothing to take" in (await seen(client, "/incidents/acts?to=/incidents?status=resolved")).text


async def test_what_no_page_says_changes_nothing(make_settings):
    """No other act, no other page, no more than a page shows; and no page of another site."""
    async with night(make_settings, {}) as (home, client):
        [incident, _] = await power_cut(home, 2)
        asked = await seen(client, "/incidents/acts?to=/")
        fields = {**asked.forms[1].fields, "act": "acknowledge"}
        wrong = (
            *({"act": act} for act in ("resolve", "silence", "unsilence", "snooze-longer", "")),
            *({"seen": text} for text in ("", "x", f"{incident}x", " ".join([incident] * (MOST + 1)))),
            *(
                {"to": to}
                for to in ("//evil.example", "/devices", "/incidents?colour=red", f"/incidents?text={'x' * 2000}")
            ),
        )
        for each in wrong:
            assert (await sent(client, "/incidents/acts", **{**fields, **each})).status_code == 422, each
        elsewhere = await client.post("/incidents/acts", data=fields, headers={"Sec-Fetch-Site": "cross-site"})
        assert elsewhere.status_code == 403
        await seen(client, "/incidents/acts?to=/incidents?status=gone", 422)
        never_shown = await sent(client, "/incidents/acts", **{**fields, "seen": f"{incident}.0123456789"})
        assert never_shown.status_code == 409
        assert await statuses(home, [incident]) == ["open"]
        assert (await sent(client, "/incidents/acts", **fields)).status_code == 303


@pytest.mark.parametrize("path", ["/incidents/acts?to=/", "/incidents/acts?to=/incidents?text=power", "/incidents"])
async def test_many_are_asked_about_with_as_few_questions_as_two(make_settings, database, path):
    """The page costs the database as much for two as for two hundred."""
    async with night(make_settings, database) as (home, client):
        await power_cut(home, 2)
        await home.heard()
        few = len(await queries(client, path))
        await power_cut(home)
        await home.heard()
        assert len(await queries(client, path)) <= min(few + BESIDE, 20)
