"""From a webhook to a phone whose service says how far it got, and that somebody has it."""

from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from alertgate.model import ChannelName
from alertgate.notify.channels.base import Learned, Message, Permanent, Reason, Sent
from alertgate.notify.lane import DeliveryTimes
from alertgate.policy.people import recipients
from alertgate.policy.policy import Policy
from alertgate.proof import Proof
from tests.conftest import API_BEARER, Running, serving
from tests.fakes import until

SOON = timedelta(milliseconds=10)
PUBLIC = {"public_url": "https://gate.example.org", "secret_key": "secret-key-0123456789abcdefghij"}


@dataclass
class Pushes:
    """A service that takes all, and says afterwards what it is told to say, then nothing new."""

    says: deque[Learned] = field(default_factory=deque)
    name: ChannelName = ChannelName.PUSHOVER
    capacity: int = 2
    repeats_safely: bool = False
    settles: bool = True
    rings: bool = False
    sent: list[Message] = field(default_factory=list)
    settled: list[tuple[str, Message]] = field(default_factory=list)

    async def send(self, message, _deadline):
        self.sent.append(message)
        return Sent("200 queued", receipt=f"r{len(self.sent)}", follow_in=SOON)

    async def rehearse(self, _to, _deadline):
        return Sent("200")

    async def ask(self, _sent, _deadline):
        return self.says.popleft() if self.says else Learned(again_in=SOON)

    async def settle(self, sent, message, _deadline):
        self.settled.append((sent.receipt, message))
        return Sent("200 cancelled")

    async def close(self):
        pass


def household(*names: str) -> Policy:
    """Return a policy in which each of these has one push contact."""
    told = [(ChannelName.PUSHOVER, name) for name in names]
    return Policy(people=recipients(told, ZoneInfo("UTC")))


def served(settings, pushes: Pushes, *names: str):
    """Serve with that service alone."""
    times = DeliveryTimes(poll_every=0.02)
    return serving(settings, channels=[pushes], policy=lambda: household(*names), times=times)


async def test_who_acknowledges_on_the_phone_ends_it_for_all(make_settings, database):
    """The trail, the status, the metrics and the page of the link say so; the others' phones stop ringing."""
    pushes = Pushes()
    async with served(make_settings(**database, **PUBLIC), pushes, "anna", "bea") as service:
        alert = (await service.particle()).json()["id"]
        await until(lambda: _sent(service, alert, 2))
        pushes.says.append(Learned(Proof.ACKNOWLEDGED, by="anna's phone"))
        trail = await until(lambda: _acknowledged(service, alert))
        incident = trail["incident"]
        assert (incident["acknowledged_by"], incident["acknowledged_with"]) == ("anna's phone", "pushover")
        first = [each for each in trail["notifications"] if each["proof"] == "acknowledged"]
        assert [each["proved_by"] for each in first] == ["anna's phone"]
        assert not {"receipt", "shown", "follow_at", "follow_owner"} & set(first[0])
        await until(lambda: _async({"r1", "r2"} <= {receipt for receipt, _ in pushes.settled}))
        assert not any(message.brief.asks for _, message in pushes.settled)
        status = (await service.client.get("/status", headers=API_BEARER)).json()
        assert status["channels"]["pushover"]["proved"]["acknowledged"] == 1
        metrics = (await service.client.get("/metrics")).text
        assert 'alertgate_notifications_proved_total{channel="pushover",proof="acknowledged"} 1.0' in metrics
        link = pushes.sent[0].brief.link
        page = (await service.client.get(link.removeprefix(PUBLIC["public_url"]))).text
        assert page.count("(acknowledged)") == 1


async def test_what_the_phone_never_got_is_visible(make_settings, database):
    """Its service took it, and says then that it can't arrive: it has failed, with both in the trail."""
    pushes = Pushes()
    async with served(make_settings(**database), pushes, "anna") as service:
        alert = (await service.particle()).json()["id"]
        await until(lambda: _sent(service, alert, 1))
        pushes.says.append(Learned(failure=Permanent(Reason.REFUSED, "blocked")))

        async def failed() -> Any:
            [told] = (await service.trail(alert))["notifications"]
            return told if told["status"] == "failed" else None

        told = await until(failed)
        assert [each["outcome"] for each in told["attempts"]] == ["sent", "permanent"]
        assert (told["proof"], told["proved_at"]) == (None, None)


async def _sent(service: Running, alert: str, number: int) -> bool:
    told = (await service.trail(alert))["notifications"]
    return [each["status"] for each in told] == ["sent"] * number


async def _acknowledged(service: Running, alert: str) -> Any:
    trail = await service.trail(alert)
    return trail if trail["incident"]["status"] == "acknowledged" else None


async def _async(found: Any) -> Any:
    return found
