"""`[devices]` in alertgate.toml: what is read, and what is wrong or doubtful, each with its remedy."""

from datetime import UTC, datetime, timedelta

import pytest

from alertgate.errors import PolicyInvalid
from alertgate.policy.device_tables import unheard
from alertgate.policy.devices import FLAPS, Expected, expected, name_of
from alertgate.policy.doubts import doubts
from alertgate.policy.load import parse

DOOR, LEAK = "3f002b000000000000000001", "3f002b000000000000000002"
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
EVERY_KEY = f"""
[devices."{DOOR.upper()}"]
name = "Front door"
expect_every = "1h"
grace = "10m"
battery = 20
flaps = 3
[devices."{LEAK}"]
[devices."freezer*"]
expect_every = "15m"
[devices."*"]
expect_every = "1d"
battery = 10
"""


def problems(text: str) -> list[str]:
    """Return the problems of a file."""
    with pytest.raises(PolicyInvalid) as refused:
        parse(text)
    return refused.value.problems


def test_every_key_is_read():
    """The table of a device comes before globs, and earlier globs before later ones, key by key."""
    rules = parse(EVERY_KEY).devices
    hour, quarter, day = timedelta(hours=1), timedelta(minutes=15), timedelta(days=1)
    assert name_of(rules, DOOR) == "Front door"
    assert expected(rules, DOOR, "Front door") == Expected(hour, timedelta(minutes=10), 20, 3, named=True)
    assert expected(rules, LEAK, None) == Expected(day, day / 4, 10, FLAPS, named=True)
    assert expected(rules, "other", "Freezer 2") == Expected(quarter, quarter / 4, 10, FLAPS, named=False)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f'[devices."{DOOR[1:]}"]', f"devices.{DOOR[1:]} isn't the id of a Particle device: that is 24 of the"),
        (f'[devices."{DOOR.replace("0", "O", 1)}"]', "isn't the id of a Particle device"),
        (f'[devices."{DOOR[:12]}-{DOOR[12:]}"]', "and this is 25 characters; copy it from Particle's console"),
        (f'[devices."{DOOR}"]\n[devices."{DOOR.upper()}"]', f"is the same as {DOOR}, because case doesn't matter"),
        ('[devices."Hall*"]\nbattery = 9\n[devices."hall*"]\nbattery = 9', 'devices."hall*" is the same as Hall*'),
        (
            f'[devices."{DOOR}"]\nname = "Hall"\n[devices."{LEAK}"]\nname = "hall"',
            f"devices.{LEAK}.name is also that of {DOOR}: give them different names",
        ),
        (f'[devices."{DOOR}"]\nname = "{LEAK}"', f"devices.{DOOR}.name is the id of a device: write what people"),
        (f'[devices."{DOOR}"]\nname = " Hall"', "isn't a name that can be seen as it is"),
        ('[devices."hall*"]\nname = "Hall"', 'devices."hall*".name would be the name of every device that matches'),
        (f'[devices."{DOOR}"]\ngrace = "1m"', f"devices.{DOOR}.grace is for nothing: no expect_every applies here"),
        (
            f'[devices."{DOOR}"]\ngrace = "1m"\n[devices."{LEAK}"]\nexpect_every = "1h"',
            f"devices.{DOOR}.grace is for nothing",
        ),
        ('[devices."hall*"]\nexpect_every = "59s"', 'devices."hall*".expect_every is shorter than a minute'),
        ('[devices."hall*"]\nexpect_every = 3600', 'expect_every must be text in quotes, as in "10m"'),
        ('[devices."hall*"]\nexpect_every = "1h"\ngrace = "0s"', "grace is no time at all"),
        ('[devices."hall*"]\nbattery = true', "battery must be a whole number from 1 to 90, as in battery = 20"),
        ('[devices."hall*"]\nbattery = "20%"', "battery must be a whole number from 1 to 90"),
        ('[devices."hall*"]\nflaps = 0', "flaps must be a whole number from 1 to 1000"),
        (
            '[devices."hall*"]\nexpct_every = "1h"',
            "expct_every is unknown; did you mean expect_every? (known here: name, expect_every, grace, ba",
        ),
        ('[devices]\nhall = "1h"', "devices.hall must be a table: write its keys as in docs/devices.md"),
        ("[[devices]]", "devices must be tables: write [devices.NAME], and its keys below it"),
    ],
)
def test_a_problem_is_named_with_its_key_and_a_remedy(text, problem):
    """Nothing is watched by a file that may mean another device than it says."""
    [found] = problems(text)
    assert problem in found


@pytest.mark.parametrize(
    "text",
    [
        f'[devices."{DOOR}"]\ngrace = "1m"\n[devices."*"]\nexpect_every = "1h"',
        f'[devices."hall*"]\ngrace = "1m"\n[devices."{DOOR}"]\nexpect_every = "1h"',
        '[devices."shed 12"]\nbattery = 9',
        '[devices."cafe12"]\nbattery = 9',
        f'[devices."{DOOR[:10]}*"]\nbattery = 9',
        '[devices."AA:BB:CC:DD:EE:FF"]\nbattery = 9',
    ],
)
def test_what_may_be_meant_is_no_problem(text):
    """A grace for an expectation of another table, and names that only look a little like an id."""
    assert parse(text).devices


@pytest.mark.parametrize(
    ("text", "doubt"),
    [
        ('[devices."hall*"]', ('devices."hall*"', "says nothing: add expect_every, battery or flaps, or remove it")),
        (
            '[devices."*"]\nbattery = 9\nflaps = 2\n[devices."hall*"]\nbattery = 20',
            (
                'devices."hall*"',
                "never counts: an earlier table for all devices says the same; put this one before it",
            ),
        ),
    ],
)
def test_a_table_that_does_nothing_is_doubted(text, doubt):
    """With what to do about it."""
    assert [each for each in doubts(parse(text), NOW) if each[0].startswith("devices")] == [doubt]


def test_sensible_tables_have_no_doubts():
    """A table of a device alone says that what the cloud says of it is no alert."""
    assert [each for each in doubts(parse(EVERY_KEY), NOW) if each[0].startswith("devices")] == []


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ('[[events]]\nevent = "spark/status"\nseverity = "critical"', ["events[1].event"]),
        ('[[events]]\nevent = "spark/st*"\nresolved = "data == \'online\'"', ["events[1].event"]),
        (
            '[[routes]]\nevent = "spark/status"\nescalation = "everyone"\n[[routes]]\nescalation = "everyone"',
            ["routes[1].event"],
        ),
        ('[[events]]\nevent = "spark/status"\nalarm = "data == \'offline\'"', []),
        ('[[events]]\nevent = "spark/*"\nignore = true', []),
        ('[[events]]\nevent = "*"\nseverity = "info"', []),
        ('[[events]]\nevent = "spark/flash/status"\nseverity = "info"', []),
    ],
)
def test_rules_and_routes_that_wait_for_what_goes_to_the_device_are_doubted(text, keys):
    """Whoever relied on an alert for `offline` learns of it when the device gets a table."""
    people = '[people.me]\ncontacts = ["email:me@example.com"]\n'
    found = dict(doubts(parse(f'[devices."{DOOR}"]\nname = "Door"\n{people}{text}'), NOW))
    said = [key for key, doubt in found.items() if "goes to the device" in doubt]
    assert said == keys
    globs = dict(doubts(parse(f'[devices."hall*"]\nexpect_every = "1h"\n{people}{text}'), NOW))
    assert not any("goes to the device" in doubt for doubt in globs.values())


def test_a_glob_that_matches_no_known_device_is_found():
    """By id and by name, in any case; with the name that may be meant."""
    rules = parse('[devices."FREEZER*"]\nflaps=2\n[devices."3f00*"]\nflaps=2\n[devices."celar*"]\nflaps=2').devices
    known = [(DOOR, "Freezer 2"), (LEAK, "cellar"), ("0a" * 12, None)]
    assert list(unheard(rules, known)) == [
        ("celar*", "matches no device that was ever heard; did you mean cellar?"),
    ]
    [(_, nothing), *_] = unheard(rules, [])
    assert nothing == "matches no device that was ever heard: compare `alertgate devices`"
