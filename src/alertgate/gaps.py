"""How long a device was silent between two signs of life: counts by day and length, and quantiles of them. Pure.

A length is counted in a bucket whose upper edge is a fifth above its lower one, so a quantile is at most a fifth too
long, and never too short. A fortnight's counts are a few hundred bytes, and ten thousand at the very most.
"""

import math
from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, timedelta

from alertgate.model import Json

DAYS = 15
"""Days that are kept: a whole fortnight, and today."""
SHORTEST = timedelta(minutes=1)
"""Shorter ones count as this: nothing can be expected more often."""
LONGEST = timedelta(days=DAYS)
_STEP = 1.2
_LAST_BUCKET = math.ceil(math.log(LONGEST / SHORTEST, _STEP))

Counts = Mapping[str, Mapping[str, int]]
"""By day as `2026-11-25`, and there by the number of the bucket."""


def add(gaps: Json, gap: timedelta, at: datetime) -> Json:
    """Return the counts with one more gap, which ended then, and without days that are too old."""
    if gap <= timedelta(0):
        return gaps
    day, bucket = at.date().isoformat(), str(_bucket(gap))
    # A day that lies further ahead was counted by a clock that was years ahead: it would have all others dropped.
    last = (at.date() + timedelta(days=DAYS)).isoformat()
    counts = {day: of_day for day, of_day in read(gaps).items() if day <= last}
    today = counts.get(day, {})
    more = {**counts, day: {**today, bucket: today.get(bucket, 0) + 1}}
    if today:
        return more
    oldest = _first_day(max(map(date.fromisoformat, more)))
    return {day: of_day for day, of_day in sorted(more.items()) if day >= oldest}


def read(gaps: Json) -> Counts:
    """Return the counts as they are stored; none if there are none."""
    return gaps if isinstance(gaps, dict) else {}


def number(gaps: Json, today: date) -> int:
    """Return how many gaps ended within the last fortnight."""
    return sum(_lately(gaps, today).values())


def days(gaps: Json, today: date) -> int:
    """Return on how many days of the last fortnight a gap ended."""
    return sum(day >= _first_day(today) for day in read(gaps))


def quantile(gaps: Json, share: float, today: date) -> timedelta | None:
    """Return a length that this share of the gaps of the last fortnight doesn't exceed; None if there are none.

    It is the nearest rank's bucket's upper edge: with 1, no gap was longer.
    """
    found = _lately(gaps, today)
    rank = max(1, math.ceil(share * found.total()))
    passed = 0
    for bucket in sorted(found):
        passed += found[bucket]
        if passed >= rank:
            return _edge(bucket)
    return None


def _lately(gaps: Json, today: date) -> Counter[int]:
    found = Counter[int]()
    for day, of_day in read(gaps).items():
        if day >= _first_day(today):
            found.update({int(bucket): count for bucket, count in of_day.items()})
    return found


def _first_day(last: date) -> str:
    return (last - timedelta(days=DAYS - 1)).isoformat()


def _bucket(gap: timedelta) -> int:
    """Return the number of the first bucket whose upper edge isn't below a gap."""
    found = math.ceil(math.log(max(gap, SHORTEST) / SHORTEST, _STEP) - 1e-9)
    return min(found, _LAST_BUCKET)


def _edge(bucket: int) -> timedelta:
    return timedelta(seconds=math.ceil(SHORTEST.total_seconds() * _STEP**bucket - 1e-6))
