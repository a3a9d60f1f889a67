"""Push messages that are answered on the phone, by ntfy and Pushover. From the webhook to the phone, and back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import Response

from alertgate.group.sweep import resolve_quiet
from alertgate.model import ChannelName
from alertgate.policy.people import Contact, Person
from tests.conftest import API_BEARER, Running, serving
from tests.fakes import FakeClock, until
from tests.flow.household import BERLIN, MINUTE, escalation, policy, step
from tests.pages import LINKED, PUBLIC_URL
from tests.services.ntfy import NtfyServer
from tests.services.pushover import OWNER, TOKEN, PushoverServer
from tests.services.server import serve

TOPIC = "owner-x7KqPm2w"
HOME = escalation("home", step("owner", "partner"), repeat_every=5 * MINUTE, stop_after=120 * MINUTE)
HOUSE = policy(
    (
        Person("owner", (Contact(ChannelName.NTFY, TOPIC),), BERLIN),
        Person("partner", (Contact(ChannelName.PUSHOVER, OWNER),), BERLIN),
    ),
    (HOME,),
)


@dataclass(frozen=True)
class Phones:
    """A service, and the phones of two people."""

    service: Running
    clock: FakeClock
    ntfy: NtfyServer
    pushover: PushoverServer

    async def leak(self) -> str:
        """Report a leak; return its incident, once both phones ring."""
        answer = await self.service.particle(event="leak", coreid="cellar", data={"severity": "critical"})
        await self.service.settled()
        return answer.json()["incident"]

    async def incident(self, incident_id: str) -> dict[str, Any]:
        answer = await self.service.client.get(f"/api/incidents/{incident_id}", headers=API_BEARER)
        return answer.json()["incident"]

    async def reminded(self) -> bool:
        """Return whether both people were told twice, and what came first rings no more."""
        await self.service.gate.escalations.run()
        await self.service.settled()
        await self.service.gate.follower.run()
        rings = [each.rings for each in self.pushover.emergencies.values()]
        return len(self.ntfy.messages) == 2 and rings == [False, True]

    async def quiet(self) -> bool:
        """Return whether neither phone rings, nor shows what is over."""
        await self.service.gate.follower.run()
        cleared = [sequence for _, sequence in self.ntfy.cleared]
        asked = [said["sequence_id"] for said in self.ntfy.messages if said.get("actions")]
        return asked == cleared and not any(each.rings for each in self.pushover.emergencies.values())


@asynccontextmanager
async def phones(make_settings, database) -> AsyncIterator[Phones]:
    """Run a service that reaches them."""
    clock = FakeClock()
    async with serve(NtfyServer()) as ntfy, serve(PushoverServer()) as pushover:
        reached = {"ntfy_url": ntfy.url, "pushover_url": pushover.url, "pushover_token": TOKEN}
        settings = make_settings(channels_private=True, **reached, **LINKED, **database)
        async with serving(settings, clock=clock, policy=lambda: HOUSE) as service:
            assert isinstance(ntfy, NtfyServer)
            assert isinstance(pushover, PushoverServer)
            yield Phones(service, clock, ntfy, pushover)


async def test_a_push_is_answered_by_its_button(make_settings, database):
    """The phone posts what the button holds; the other one stops ringing, and the notification goes away."""
    async with phones(make_settings, database) as home:
        incident_id = await home.leak()
        [said] = home.ntfy.messages
        assert (said["topic"], said["priority"]) == (TOPIC, 5)
        assert said["title"].startswith("[CRITICAL")
        assert said["click"].startswith(f"{PUBLIC_URL}/a/")
        button = said["actions"][0]
        assert (button["label"], button["url"], button["method"]) == ("I'm on it", said["click"], "POST")
        path = urlsplit(button["url"]).path
        answer = await home.service.client.post(path, content=button["body"], headers=button["headers"])
        assert answer.status_code == 303
        shown = await home.incident(incident_id)
        assert (shown["status"], shown["acknowledged_by"]) == ("acknowledged", "owner")
        assert shown["acknowledged_with"] == "link"
        await until(home.quiet)


async def test_an_emergency_is_acknowledged_in_the_app(make_settings, database):
    """It rings as its escalation says; its receipt acknowledges the incident, by whom and with what."""
    async with phones(make_settings, database) as home:
        incident_id = await home.leak()
        alert_id = (await home.incident(incident_id))["last_alert_id"]
        [said] = home.pushover.messages
        assert (said["user"], said["priority"]) == (OWNER, "2")
        assert (said["retry"], said["expire"]) == ("300", "7200")
        assert said["url"].startswith(f"{PUBLIC_URL}/a/")
        [receipt] = home.pushover.emergencies
        home.clock.move(seconds=11)
        pressed_at = home.clock.now().isoformat()
        home.pushover.acknowledge(receipt, at=int(home.clock.now().timestamp()))
        await until(home.quiet)
        shown = await home.incident(incident_id)
        assert (shown["status"], shown["acknowledged_by"]) == ("acknowledged", "partner")
        assert shown["acknowledged_with"] == "pushover"
        [_, opening] = (await home.service.trail(alert_id))["notifications"][:2]
        assert (opening["channel"], opening["proof"], opening["proved_at"]) == ("pushover", "acknowledged", pressed_at)
        await home.service.settled()
        assert home.ntfy.messages[-1]["message"].startswith("partner has it: acknowledged at 14:03.")
        assert home.ntfy.messages[-1]["priority"] == 2


async def test_a_reminder_rings_in_place_of_the_message_before_it(make_settings, database):
    """Nobody has to acknowledge one incident twice; each message is followed until it is answered."""
    async with phones(make_settings, database) as home:
        await home.leak()
        home.clock.move(minutes=5)
        await until(home.reminded)
        first, second = home.pushover.emergencies.values()
        assert (first.rings, second.rings) == (False, True)
        assert [each.said["expire"] for each in (first, second)] == ["7200", "6900"]


async def test_what_rings_though_its_answer_was_lost_ends_too(make_settings, database):
    """Pushover took it, and its answer didn't arrive: the one who has it needn't hear the other phone for hours."""
    async with phones(make_settings, database) as home:

        def lost(asked):
            home.pushover.reply(asked)
            return Response(status_code=502)

        home.pushover.script.append(lost)
        await home.leak()
        [emergency] = home.pushover.emergencies.values()
        await home.service.gate.follower.run()
        assert emergency.rings
        [said] = home.ntfy.messages
        button = said["actions"][0]
        path = urlsplit(button["url"]).path
        await home.service.client.post(path, content=button["body"], headers=button["headers"])
        await until(home.quiet)


async def test_a_silence_ends_the_ringing(make_settings, database):
    """Whoever silences the device doesn't have the phone ring on; the reminder after the silence rings again."""
    async with phones(make_settings, database) as home:
        await home.leak()
        [emergency] = home.pushover.emergencies.values()
        home.clock.move(seconds=11)
        await home.service.gate.follower.run()
        assert emergency.rings
        asked = {"event": "leak", "for": "1h", "by": "owner"}
        assert (await home.service.client.post("/api/silences", json=asked, headers=API_BEARER)).status_code == 201
        home.clock.move(seconds=11)
        await home.service.gate.follower.run()
        assert not emergency.rings
        home.clock.move(minutes=70)
        await until(home.reminded)
        assert [each.rings for each in home.pushover.emergencies.values()] == [False, True]


async def test_what_only_went_quiet_rings_on(make_settings):
    """No more alerts came within half an hour, and nobody has answered: the phone rings for the whole hour."""
    clock = FakeClock()
    async with serve(PushoverServer()) as pushover:
        reached = {"recipient_push": f"pushover:{OWNER}", "pushover_url": pushover.url, "pushover_token": TOKEN}
        async with serving(make_settings(channels_private=True, **reached), clock=clock) as service:
            answer = await service.particle(event="leak", coreid="cellar", data={"severity": "critical"})
            await service.settled()
            [emergency] = pushover.emergencies.values()
            clock.move(minutes=31)
            await resolve_quiet(service.gate.store, service.gate.settings.grouping, clock)
            path = f"/api/incidents/{answer.json()['incident']}"
            shown = (await service.client.get(path, headers=API_BEARER)).json()["incident"]
            assert shown["resolution"] == "silence"
            await service.gate.follower.run()
            assert (emergency.rings, emergency.said["expire"]) == (True, "3600")


async def test_somebody_else_has_it(make_settings, database):
    """Who acknowledges by the API ends the ringing on all phones."""
    async with phones(make_settings, database) as home:
        incident_id = await home.leak()
        [emergency] = home.pushover.emergencies.values()
        assert emergency.rings
        path = f"/api/incidents/{incident_id}/acknowledge"
        await home.service.client.post(path, json={"by": "neighbour"}, headers=API_BEARER)
        await until(home.quiet)
        assert emergency.is_cancelled
