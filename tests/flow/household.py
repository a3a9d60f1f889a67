"""A household whose people are told by mail, with a clock that the test moves, on a store that outlives the service."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from alertgate.model import ChannelName, Severity
from alertgate.policy.escalations import Escalation, Step
from alertgate.policy.matchers import Matcher
from alertgate.policy.people import Contact, Person, QuietHours
from alertgate.policy.policy import Policy
from alertgate.policy.routes import Route
from alertgate.policy.wall_clock import DAY, Hours, Span
from tests.conftest import API_BEARER, BEARER, Running, serving
from tests.fakes import FakeClock, MailSink, mail_sink
from tests.flow.test_nothing_is_lost import mail_settings
from tests.pages import LINKED, Page, link_in, opened, pressed

BERLIN = ZoneInfo("Europe/Berlin")
MINUTE = timedelta(minutes=1)


def person(name: str, quiet: str = "", *, unless: Severity | None = Severity.CRITICAL, **later: float) -> Person:
    """Return a person with one mail address, or with a second one that is told some minutes later (`later=3`)."""
    contacts = [Contact(ChannelName.EMAIL, f"{name}@example.com")]
    contacts += [Contact(ChannelName.EMAIL, f"{name}@{key}.example", MINUTE * after) for key, after in later.items()]
    return Person(name, tuple(contacts), BERLIN, QuietHours(every_night(quiet), unless) if quiet else None)


def every_night(text: str) -> Hours:
    """Return the hours `22:30-06:30` of every day."""
    begin, end = (timedelta(hours=int(each[:2]), minutes=int(each[3:])) for each in text.split("-"))
    end = end if end > begin else end + DAY
    spans: list[Span] = [(DAY * day + begin, DAY * day + end) for day in range(7)]
    return Hours.of(spans)


def policy(people: tuple[Person, ...], escalations: tuple[Escalation, ...], routes: tuple[Route, ...] = ()) -> Policy:
    """Return a policy; without routes everything goes to the first escalation."""
    return Policy(
        zone=BERLIN,
        people=_by_name(people),
        escalations=_by_name(escalations),
        routes=routes or (Route(escalations[0].name),),
    )


def _by_name(named: tuple[Any, ...]) -> Mapping[str, Any]:
    return MappingProxyType({each.name: each for each in named})


def escalation(name: str, *steps: Step, **more: Any) -> Escalation:
    """Return an escalation."""
    return Escalation(name, steps, BERLIN, **more)


def step(*who: str, after: float = 0, **more: Any) -> Step:
    """Return a step, some minutes after the one before."""
    return Step(who, MINUTE * after, **more)


def route(name: str, *, wait: float = 0, **matcher: Any) -> Route:
    """Return a route to an escalation."""
    return Route(name, Matcher(**matcher), MINUTE * wait)


@dataclass
class Household:
    """A service, its mails, and its policy, which a test may replace."""

    make_settings: Any
    database: dict[str, Any]
    clock: FakeClock
    sink: MailSink
    policy: Policy
    services: list[Running] = field(default_factory=list)
    read: int = 0
    """How many mails the test has seen."""
    of_itself: bool = False
    """Whether those count that are about alertgate's own troubles, which it reports when its jobs come to it."""

    @property
    def service(self) -> Running:
        """The service that runs."""
        return self.services[-1]

    @asynccontextmanager
    async def running(self, policy: Callable[[], Policy] | None = None) -> AsyncIterator[Running]:
        """Run a service, or one more, on the household's database; with a policy of its own, if it lags behind."""
        settings = self.make_settings(**{**mail_settings(self.sink.port), "flood_limit": 0, **LINKED, **self.database})
        async with serving(settings, clock=self.clock, policy=policy or (lambda: self.policy)) as service:
            self.services.append(service)
            yield service
            self.services.remove(service)

    async def says(self, data: object, event: str = "leak", device: str = "cellar", **fields: object) -> dict:
        """Publish an event; return the answer."""
        body = {"event": event, "data": data, "coreid": device, **fields}
        answer = await self.service.client.post("/webhook/particle", json=body, headers=BEARER)
        assert answer.status_code in (200, 202)
        return answer.json()

    async def post(self, path: str, **body: object) -> Any:
        """Call the API."""
        answer = await self.service.client.post(f"/api/{path}", json=body, headers=API_BEARER)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def get(self, path: str) -> Any:
        """Read from the API."""
        answer = await self.service.client.get(f"/api/{path}", headers=API_BEARER)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def silence(self, lasts: str, **asked: object) -> Any:
        """Silence everything for a while from now, or from `begins_at`; return the silence."""
        body = {"event": "*", "for": lasts, "by": "partner", **asked}
        answer = await self.service.client.post("/api/silences", json=body, headers=API_BEARER)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def unsilence(self, silence: Mapping[str, Any]) -> None:
        """End a silence."""
        path = f"/api/silences/{silence['id']}?by=partner"
        answer = await self.service.client.delete(path, headers=API_BEARER)
        assert answer.status_code == 200, answer.text

    async def presses(self, who: str, *buttons: str) -> Page:
        """Open the link of the last mail to a person, press one button after another; return what is shown then."""
        path = link_in([mail for mail in self.sink.messages if mail.to.startswith(f"{who}@")][-1].text)
        page = await opened(self.service.client, path)
        for button in buttons:
            page = await pressed(self.service.client, path, page, button)
        return page

    async def heard(self) -> list[str]:
        """Return who got which message since the last call, once what is due was sent: `owner: WARNING <lead>`."""
        for service in self.services:
            await service.gate.escalations.run()
        for service in self.services:
            await service.settled()
        new, self.read = self.sink.messages[self.read :], len(self.sink.messages)
        new = [mail for mail in new if self.of_itself or "] alertgate: " not in mail.mail["Subject"]]
        return sorted(
            f"{mail.to.removesuffix('@example.com')}: {said(mail.mail['Subject'], mail.text)}" for mail in new
        )

    async def passes(self, minutes: float) -> list[str]:
        """Let time pass, in steps of half a minute; return who got which message."""
        told: list[str] = []
        for _ in range(round(minutes * 2)):
            self.clock.move(seconds=30)
            told += await self.heard()
        return told

    async def sleeps(self, minutes: float) -> list[str]:
        """Let time pass at once, as for a service that was down or has nothing to do; return who got which message."""
        self.clock.move(minutes=minutes)
        return await self.heard()


def said(subject: str, text: str) -> str:
    """Return a mail's tag and the sentence that says why it is sent."""
    tag = subject.split("]", maxsplit=1)[0].strip("[").split(",")[0]
    paragraphs = text.replace("\r\n", "\n").split("\n\n")[1:]
    paragraph = next(each for each in paragraphs if each.rstrip().endswith("."))
    return f"{tag} {' '.join(paragraph.split())}"


@asynccontextmanager
async def household(make_settings, made: Policy, start: datetime, database: dict[str, Any]) -> AsyncIterator[Household]:
    """Make a household whose service doesn't run yet."""
    async with mail_sink() as sink:
        yield Household(make_settings, database, FakeClock(start), sink, made)
