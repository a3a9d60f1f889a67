"""What is suggested for alertgate.toml: by habits, never by one bad day, and nothing without a fortnight."""

import tomllib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alertgate import gaps
from alertgate.device import Device
from alertgate.policy.devices import Expected
from alertgate.policy.load import parse
from alertgate.prove.device_list import KnownDevice
from alertgate.prove.device_suggestions import Suggestion, Verdict, lines, suggest

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
DOOR, LEAK = "3f002b000000000000000001", "3f002b000000000000000002"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def habit(*lengths: timedelta, days: int = 15, **others: tuple[timedelta, ...]) -> Any:
    """Return the silences of a device: on each of the last days those lengths, on some others, as `day3=`."""
    found = None
    for ago in reversed(range(days)):
        for length in others.get(f"day{ago}", lengths):
            found = gaps.add(found, length, NOW - ago * DAY)
    return found


def known(counted: Any, *, since: timedelta = 30 * DAY, every: timedelta | None = None, **more: Any) -> KnownDevice:
    """Return a device with those silences that was just heard."""
    told = {"id": DOOR, "first_seen_at": NOW - since, "last_seen_at": NOW, "gaps": counted, **more}
    return KnownDevice(Device(**told), "Front door", Expected(every))


HOURLY = (HOUR,) * 20
BY_DAY = (*(HOUR,) * 9, 14 * HOUR)
WEEKEND = {f"day{ago}": (2.6 * DAY,) for ago in (3, 10)} | {f"day{ago}": () for ago in (4, 5, 11, 12)}


@pytest.mark.parametrize(
    ("counted", "every"),
    [
        (habit(*(10 * MINUTE,) * 100), 12 * MINUTE),
        (habit(*HOURLY), 90 * MINUTE),
        (habit(DAY), 30 * HOUR),
        (habit(*BY_DAY), 18 * HOUR),
        (habit(*HOURLY, **WEEKEND), 4 * DAY),
        (habit(*HOURLY, day4=(HOUR, 3 * DAY)), 90 * MINUTE),
        (habit(*HOURLY, day4=(HOUR, 80 * MINUTE)), 2 * HOUR),
        (habit(*HOURLY, day4=(3 * DAY,), day9=(3 * DAY,)), 4 * DAY),
        (habit(HOUR, HOUR, days=5), 90 * MINUTE),
        (habit(HOUR, HOUR, days=5, day2=(3 * DAY, HOUR)), 4 * DAY),
    ],
)
def test_the_longest_silence_of_a_habit_is_suggested(counted, every):
    """Rounded up. Nights and weekends are habits; the one day on which it was away is none."""
    assert suggest(known(counted), NOW).every == every


def test_a_day_on_which_it_was_away_is_told():
    """With how long that was, as far as it was counted."""
    found = suggest(known(habit(*HOURLY, day4=(HOUR, 3 * DAY))), NOW)
    assert found.left_out is not None
    day, length = found.left_out
    assert (day, 3 * DAY <= length <= 3.6 * DAY) == ((NOW - 4 * DAY).date(), True)


@pytest.mark.parametrize(
    ("device", "verdict"),
    [
        (known(habit(*HOURLY), every=HOUR), Verdict.WATCHED),
        (known(habit(*HOURLY, days=13), since=13 * DAY), Verdict.NEW),
        (known(habit(*HOURLY), first_seen_at=None), Verdict.NEW),
        (known(habit(DAY, days=9)), Verdict.FEW),
        (known(None), Verdict.FEW),
        (known(habit(8 * DAY, *HOURLY)), Verdict.SELDOM),
    ],
)
def test_nothing_is_suggested_without_evidence(device, verdict):
    """Nor for what is watched already."""
    assert suggest(device, NOW) == Suggestion(verdict)


def test_the_lines_are_a_policy_with_the_evidence_in_comments():
    """They can be pasted as they are; a device that has a table there gets no second one."""
    devices = [
        known(habit(*HOURLY, day4=(HOUR, 3 * DAY)), last_seen_at=NOW - 5 * HOUR),
        known(habit(DAY), id=LEAK),
        known(None),
        known(None, every=HOUR),
        known(None, every=HOUR),
    ]
    text = "\n".join(lines(devices, frozenset([LEAK]), NOW))
    assert tomllib.loads(text) == {"devices": {DOOR: {"expect_every": "1h30m"}}}
    [rule] = parse(text).devices
    assert rule.expect_every == 90 * MINUTE
    for said in (
        "# Front door. 282 silences in a fortnight:\n# half of them up to ",
        "# Without 2026-11-22, when it was silent for 3d",
        "# Now it has been silent for 5h: expect an incident at once.",
        f'# It has a table already: add this to [devices."{LEAK}"].\n# expect_every = "1d6h"',
        "# 2 devices could be watched like this; nothing is, unless alertgate.toml says so.",
        "# 1 device left out: heard less than 11 times in a fortnight.",
        "# 2 devices left out: expected already.",
    ):
        assert said in text
