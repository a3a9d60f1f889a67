"""What each hour had, kept for the console's plots: which hours are to be counted, and the counts. Pure but the job."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from alertgate.clock import Clock
from alertgate.model import Json
from alertgate.store import Connection, hourly
from alertgate.store.engine import Store
from alertgate.store.hourly import HOUR, Hour

EVERY = 60.0
"""Seconds between two counts."""
KEPT = 31 * 24
"""Hours, the running one among them."""
SETTLED = timedelta(minutes=15)
"""So long after its end an hour is counted for the last time: by then all that began in it is stored."""
AT_ONCE = 24
"""Hours that are stored together, after a start that has many to count."""
LONGEST_RUN = 2.0
"""Seconds after which the rest is left to the next run: a service that stops waits for this one."""
SHORTEST = 0.1
"""Seconds: what took less time counts as this."""
STEP = 1.2
"""A delay is counted in a bucket whose upper edge is a fifth above its lower one."""


def hour_id(at: datetime) -> str:
    """Return the id of the hour that a time is in."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H}"


def begins(hour: str) -> datetime:
    """Return when an hour begins."""
    return datetime.fromisoformat(f"{hour}:00:00+00:00")


def hours(now: datetime, number: int) -> list[str]:
    """Return the ids of the last hours, the running one first."""
    return [hour_id(now - HOUR * back) for back in range(number)]


def is_settled(hour: Hour, now: datetime) -> bool:
    """Return whether an hour needn't be counted again: not if a clock that was ahead counted it before it came."""
    return begins(hour.id) + HOUR + SETTLED <= hour.counted_at <= now


def to_count(now: datetime, stored: Mapping[str, Hour], first: datetime | None) -> list[str]:
    """Return the hours that are to be counted, the newest first: before the first alert there was nothing."""
    since = hour_id(first or now)
    wanted = [each for each in hours(now, KEPT) if each >= since]
    return [each for each in wanted if each not in stored or not is_settled(stored[each], now)]


def is_news(counted: Hour, stored: Hour | None) -> bool:
    """Return whether an hour is to be stored: while nothing comes, nothing is written but each hour's last count."""
    return stored is None or stored.counts != counted.counts or is_settled(counted, counted.counted_at)


def bucket(delay: timedelta) -> int:
    """Return the number of the first bucket whose upper edge isn't below a delay."""
    return max(math.ceil(math.log(max(delay.total_seconds(), SHORTEST) / SHORTEST, STEP) - 1e-9), 0)


def quantile(buckets: Mapping[int, int], share: float) -> float | None:
    """Return seconds that this share of the delays didn't exceed, a fifth too many at most; None without a delay."""
    rank = max(1, math.ceil(share * sum(buckets.values())))
    passed = 0
    for number in sorted(buckets):
        passed += buckets[number]
        if passed >= rank:
            return SHORTEST * STEP**number
    return None


def added(counts: Iterable[Mapping[str, int]]) -> Counter[str]:
    """Return the sum of counts by their names."""
    found = Counter[str]()
    for each in counts:
        found.update(each)
    return found


def count(connection: Connection, hour: str, now: datetime) -> Hour:
    """Count an hour, as far as it is over."""
    at = begins(hour)
    delays = Counter(str(bucket(each)) for each in hourly.first_delays(connection, at))
    counts: Json = {
        "alerts": hourly.by_severity(connection, at),
        "deliveries": hourly.by_outcome(connection, at),
        "delays": dict(delays),
    }
    return Hour(hour, counts, now)


class HourlyCounter:
    """Counts the running hour every minute, and at a start those of the last month that weren't.

    Any number of replicas may do it: they count the same, and each hour has one row.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.ran_at: datetime | None = None
        """When all was counted last."""

    async def run(self) -> None:
        """Count what is to be counted, the newest first, within about LONGEST_RUN. Raises StoreUnavailable."""
        now, begun = self._clock.now(), self._clock.monotonic()
        known = hours(now, KEPT)

        def read(connection: Connection) -> tuple[dict[str, Hour], datetime | None]:
            return hourly.of_hours(connection, known), hourly.first_alert_at(connection)

        stored, first = await self._store.read(read)
        wanted = to_count(now, stored, first)
        for start in range(0, len(wanted), AT_ONCE):
            if self._clock.monotonic() - begun > LONGEST_RUN:
                return
            await self._count(wanted[start : start + AT_ONCE], stored, now, known[-1])
        self.ran_at = now

    async def _count(self, wanted: Sequence[str], stored: Mapping[str, Hour], now: datetime, oldest: str) -> None:
        counted = [await self._store.read(partial(count, hour=each, now=now)) for each in wanted]
        news = [each for each in counted if is_news(each, stored.get(each.id))]
        if news:
            await self._store.write(lambda connection: hourly.save(connection, news, oldest))
