"""Hours of the week by the clock on the wall, such as `mon-fri 08:00-21:00`, in a zone whose clock changes. Pure.

A moment is within hours if the clock shows such a time then. So an hour that is repeated in autumn is within them
twice, and one that is skipped in spring not at all.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY = timedelta(days=1)
WEEK = timedelta(days=7)
NOTHING = timedelta(0)
MICROSECOND = timedelta(microseconds=1)

Span = tuple[timedelta, timedelta]
"""A part of the week, from and until a time since Monday 00:00."""


@dataclass(frozen=True, slots=True)
class Hours:
    """Parts of the week: sorted, disjoint and none empty. One that goes on over Sunday's midnight is two."""

    spans: tuple[Span, ...]

    @classmethod
    def of(cls, spans: Iterable[Span]) -> "Hours":
        """Return the hours that any of these spans covers; one may end after the week."""
        pieces: list[Span] = []
        for start, end in spans:
            pieces.append((start, min(end, WEEK)))
            if end > WEEK:
                pieces.append((NOTHING, end - WEEK))
        merged: list[Span] = []
        for start, end in sorted(pieces):
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        return cls(tuple(merged))

    @property
    def always(self) -> bool:
        """Whether they cover the whole week."""
        return self.spans == ((NOTHING, WEEK),)

    @property
    def gaps(self) -> "Hours":
        """The rest of the week."""
        edges = [NOTHING, *(edge for span in self.spans for edge in span), WEEK]
        return Hours.of((start, end) for start, end in zip(edges[::2], edges[1::2], strict=True) if start < end)

    def on(self, days: Collection[int]) -> "Hours":
        """Return those that begin on these weekdays; one that goes on over midnight belongs to where it begins."""
        return Hours.of(piece for span in _joined(self.spans) for piece in _daily(*span) if piece[0] // DAY % 7 in days)

    def covers(self, wall: timedelta) -> bool:
        """Return whether a time of the week is within them."""
        place = bisect_right(self.spans, (wall, WEEK)) - 1
        return place >= 0 and wall < self.spans[place][1]

    def until_edge(self, wall: timedelta) -> timedelta:
        """Return how far the next edge of a span, or the end of the week, is away."""
        return next((edge for span in self.spans for edge in span if edge > wall), WEEK) - wall

    def contain(self, at: datetime, zone: ZoneInfo) -> bool:
        """Return whether the clock shows a time within them."""
        return self.covers(time_of_week(at, zone))

    def next_change(self, at: datetime, zone: ZoneInfo) -> datetime | None:
        """Return when the clock next enters or leaves them; None if it never does."""
        inside, moment = self.contain(at, zone), at
        while moment - at <= WEEK + DAY:
            edge = moment + self.until_edge(time_of_week(moment, zone))
            moment = clock_change(moment, edge, zone) or edge
            if self.contain(moment, zone) is not inside:
                return moment
        return None

    def __str__(self) -> str:
        """Return them as the policy's file writes them, days with the same times together."""
        parts = list(_parts(self.spans))
        if parts == [(day, "00:00-24:00") for day in range(7)]:
            return "always"
        times = list(dict.fromkeys(text for _, text in parts))
        return ", ".join(f"{_days([day for day, text in parts if text == one])} {one}" for one in times)


def time_of_week(at: datetime, zone: ZoneInfo) -> timedelta:
    """Return what the clock shows, since Monday 00:00."""
    wall = at.astimezone(zone)
    return timedelta(
        days=wall.weekday(), hours=wall.hour, minutes=wall.minute, seconds=wall.second, microseconds=wall.microsecond
    )


def clock_change(start: datetime, end: datetime, zone: ZoneInfo) -> datetime | None:
    """Return when a zone's clock is changed, after `start` and until `end`; None if it isn't. One at most is found."""
    before = start.astimezone(zone).utcoffset()
    if end.astimezone(zone).utcoffset() == before:
        return None
    low, high = start.astimezone(UTC), end.astimezone(UTC)
    while high - low > MICROSECOND:
        middle = low + (high - low) // 2
        low, high = (middle, high) if middle.astimezone(zone).utcoffset() == before else (low, middle)
    return high


def first_moment(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """Return when the clock first shows a time on a day, or a later one where that time is skipped; in UTC."""
    local = datetime.combine(day, clock, zone)
    first, second = (local.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    if first <= second:
        return first
    return clock_change(second, first, zone) or first  # skipped: these are before and after the change


def span_of(day: int, start: timedelta, end: timedelta) -> Span:
    """Return a span that begins on a weekday; `end` isn't later than `start` if it is on the next one."""
    begin = DAY * day
    return begin + start, begin + end + (DAY if end <= start else NOTHING)


def _joined(spans: Sequence[Span]) -> list[Span]:
    """Return spans with the two of one that goes on over Sunday's midnight as one, which ends after the week."""
    joined = list(spans)
    if len(joined) > 1 and joined[0][0] == NOTHING and joined[-1][1] == WEEK:
        joined[-1] = (joined[-1][0], WEEK + joined.pop(0)[1])
    return joined


def _daily(start: timedelta, end: timedelta) -> Iterator[Span]:
    """Cut a span that is longer than a day at midnights."""
    while end - start > DAY:
        midnight = start - start % DAY + DAY
        yield start, midnight
        start = midnight
    yield start, end


def _parts(spans: Sequence[Span]) -> Iterator[tuple[int, str]]:
    """Yield each day on which a span begins with its times; longer spans are cut at midnights."""
    for start, end in _joined(spans):
        begin = start
        while end - begin >= DAY:
            midnight = begin - begin % DAY + DAY
            yield (begin // DAY) % 7, f"{_clock(begin % DAY)}-24:00"
            begin = midnight
        if begin < end:
            over = end - begin // DAY * DAY
            yield (begin // DAY) % 7, f"{_clock(begin % DAY)}-{_clock(over if over <= DAY else over - DAY)}"


def _clock(since_midnight: timedelta) -> str:
    hours, rest = divmod(since_midnight, timedelta(hours=1))
    return f"{hours:02}:{rest // timedelta(minutes=1):02}"


def _days(days: Sequence[int]) -> str:
    """Return weekdays as `mon-fri, sun`."""
    runs = [[day for _, day in run] for _, run in groupby(enumerate(sorted(set(days))), lambda pair: pair[1] - pair[0])]
    return " ".join(DAYS[run[0]] if len(run) == 1 else f"{DAYS[run[0]]}-{DAYS[run[-1]]}" for run in runs)
