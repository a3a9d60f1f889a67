"""Simulate a Particle device."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from statistics import quantiles
from typing import Any

import httpx
from rich.progress import Progress

from alertgate.addresses import mask
from alertgate.clock import Clock
from alertgate.model import ChannelName, Target
from alertgate.outbound import Answer, ask, is_local, open_client, proxies_named

USER_AGENT = "ParticleBot/1.1 (https://docs.particle.io/webhooks)"
IN_FLIGHT = 64
MOST_NAMED = 5
WITHIN = 20.0
"""Seconds for a whole answer, as Particle waits."""
MOST_BYTES = 65_536
"""Of an answer; a real one has less than one kB."""


@dataclass(frozen=True, slots=True)
class Run:
    """What to send, and how fast (`rate` is in events per second)."""

    url: str
    token: str = field(repr=False)
    count: int
    rate: float
    device: str
    event: str
    data: str
    form: bool
    proxied: bool = False
    """Whether the environment's proxy counts."""


@dataclass(slots=True)
class Summary:
    """The answers, counted, and their latencies in seconds."""

    answers: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    @property
    def failed(self) -> int:
        """How many events were not accepted."""
        return sum(count for answer, count in self.answers.items() if not answer.startswith("2"))

    def text(self) -> str:
        """Return the summary as two lines."""
        answers = ", ".join(f"{count} x {answer}" for answer, count in self.answers.most_common())
        if len(self.seconds) > 1:
            cuts = quantiles(self.seconds, n=100, method="inclusive")
            latency = (
                f"p50 {cuts[49] * 1000:.1f} ms, p99 {cuts[98] * 1000:.1f} ms, max {max(self.seconds) * 1000:.1f} ms"
            )
        else:
            latency = f"{self.seconds[0] * 1000:.1f} ms" if self.seconds else "no answer"
        return f"answers: {answers}\nlatency: {latency}"


def told(targets: Collection[Target], url: str | None) -> str | None:
    """Return which of those who can be told simulated alerts would be sent to, or None if they go to the outbox.

    A service elsewhere has settings of its own, which aren't known here. Raises ValueError for what is no URL.
    """
    if url is not None and not is_local(url):
        return f"whoever the service at {httpx.URL(url).host} tells"
    people = [target for target in targets if target[0] is not ChannelName.OUTBOX]
    if not people:
        return None
    named = ", ".join(f"{channel} {mask(address)}" for channel, address in people[:MOST_NAMED])
    more = len(people) - MOST_NAMED
    return f"{named} and {more} more" if more > 0 else named


def proxy_hint(run: Run) -> str | None:
    """Say which variables a call that failed may owe its failure to."""
    names = proxies_named(run.url) if run.proxied else None
    return f"The environment names a proxy in {names}; NO_PROXY excludes hosts from it." if names else None


def goes_through_proxy(url: str) -> bool:
    """Tell whether a service at a URL is called as the environment's proxy variables say.

    Only what is encrypted is: a proxy would read the bearer of a plain request. Raises ValueError.
    """
    try:
        parsed = httpx.URL(url)
        if parsed.scheme not in {"http", "https"} or not parsed.host:
            raise ValueError(f"{url!r} isn't a URL; write one like http://127.0.0.1:8000")
        return parsed.scheme == "https" and not is_local(url)
    except httpx.InvalidURL as error:
        raise ValueError(f"{error}; write a URL like http://127.0.0.1:8000") from None


async def simulate(run: Run, clock: Clock, new_id: Callable[[datetime], str]) -> Summary:
    """Send the events at their rate, with at most IN_FLIGHT unanswered, and summarise the answers."""
    summary = Summary()
    slots = asyncio.Semaphore(IN_FLIGHT)
    limits, encrypted = httpx.Limits(max_connections=IN_FLIGHT), run.url.lower().startswith("https:")
    headers = {"Authorization": f"Bearer {run.token}", "User-Agent": USER_AGENT}
    with Progress(transient=True) as progress:
        bar = progress.add_task("events", total=run.count)
        async with (
            open_client(
                proxied=run.proxied, verify=encrypted, headers=headers, limits=limits, timeout=WITHIN
            ) as client,
            asyncio.TaskGroup() as group,
        ):
            start = clock.monotonic()
            for number in range(run.count):
                await asyncio.sleep(max(0.0, start + number / run.rate - clock.monotonic()))
                await slots.acquire()
                now = clock.now()
                body = _body(run, now, new_id(now))
                task = group.create_task(_send(client, run, body, clock, summary))
                task.add_done_callback(lambda _: slots.release())
                task.add_done_callback(lambda _: progress.advance(bar))
    return summary


def _body(run: Run, now: datetime, event_id: str) -> dict[str, str]:
    return {
        "event": run.event,
        "data": run.data,
        "published_at": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "coreid": run.device,
        "event_id": event_id,
    }


async def _send(client: httpx.AsyncClient, run: Run, body: dict[str, str], clock: Clock, summary: Summary) -> None:
    start = clock.monotonic()
    try:
        sent: dict[str, Any] = {"data": body} if run.form else {"json": body}
        answer = await ask(client, "POST", run.url, within=WITHIN, most=MOST_BYTES, **sent)
        summary.answers[_say(answer)] += 1
    except httpx.HTTPError as error:
        summary.answers[f"{type(error).__name__}: {error}"] += 1
    summary.seconds.append(clock.monotonic() - start)


def _say(answer: Answer) -> str:
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        body = None
    word = body.get("status" if answer.is_success else "title") if isinstance(body, dict) else None
    return f"{answer.status} {word or httpx.codes.get_reason_phrase(answer.status)}"
