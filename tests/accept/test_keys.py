"""Which alerts are about the same thing: the parts of a device."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertgate.accept.keys import LONGEST_KEY, LONGEST_PART, PART_FIELDS, STATE_WORDS, incident_key, part_of
from tests.builders import for_any, incompressible


@pytest.mark.parametrize(
    ("data", "part"),
    [
        ({"door": "front"}, ("door", "front")),
        ({"door": " Front  Door\n"}, ("door", "front door")),
        ({"Door": "front"}, ("door", "front")),
        ({"zone": "ground", "door": "front"}, ("zone", "ground", "door", "front")),
        ({"door": "front", "zone": "ground"}, ("zone", "ground", "door", "front")),
        ({"zone": 3}, ("zone", "3")),
        ({"zone": "3"}, ("zone", "3")),
        ({"zone": 3.0}, ("zone", "3")),
        ({"input": 0}, ("input", "0")),
        ({"input": 255}, ("input", "255")),
        ({"dedup_key": "a", "door": "front"}, ("dedup_key", "a")),
        ({"dedup_key": 7}, ("dedup_key", "7")),
        ({"dedup_key": " ", "door": "front"}, ("door", "front")),
        ({"door": "open", "room": "hall"}, ("room", "hall")),
        ({"zone": "3.0"}, ("zone", "3")),
        ({"zone": "003"}, ("zone", "3")),
        ({"zone": -0.5, "room": "101"}, ("room", "101")),
    ],
)
def test_a_part_is_named_by_its_fields(data, part):
    """In any case, any order and any spelling of a number it is the same part."""
    assert part_of(data) == part


@pytest.mark.parametrize(
    "data",
    [
        {},
        None,
        "front",
        ["front"],
        {"probe": 21.5},
        {"probe": "21.5"},
        {"probe": -3},
        {"sensor": 256},
        {"sensor": 1023},
        {"sensor": float("nan")},
        {"door": True},
        {"door": False},
        {"door": "open"},
        {"door": " CLOSED "},
        {"door": None},
        {"door": ""},
        {"door": {"name": "front"}},
        {"door": ["front"]},
        {"dedup_key": True},
        {"temperature": "hall"},
        {"probe": 1e22},
        {"probe": 1e-5},
        {"probe": float("inf")},
        {"probe": -0.0},
        {"probe": 10**400},
        {"probe": "9" * 5000},
    ],
    ids=str,
)
def test_a_reading_is_no_name(data):
    """Else each temperature would be an incident of its own, and a door that closes another door."""
    assert part_of(data) == ()


@pytest.mark.parametrize(
    "name",
    [
        *(
            "room 101",
            "2nd floor",
            "2. floor",
            "1.og",
            "3a",
            "3-1",
            "1/2",
            "a1",
            "²",
            "10.0.0.5",
            "10.0.0.5:80",
            "v1.2",
        ),
        *("0x1f", "00:1a:2b:3c:4d:5e", "12:34:56:78:9a:bc", "28ff641e", "front door", "left", "vent", "battery"),
        *("motion sensor", "open space", "landing", "shed", "heating", "parking", "living room", "low tank", "isolde"),
    ],
)
def test_a_name_with_digits_or_an_unusual_word_is_a_name(name):
    """Else two rooms would be one, and the one could end the other's incident."""
    assert part_of({"room": name}) == ("room", name)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "closing",
            "Opening",
            "moving",
            "leaking",
            "latched",
            "unlatched",
            "deactivated",
            "low battery",
            "battery low",
        ),
        *(
            "opened",
            "locked",
            "unlocked",
            "triggered",
            "tripped",
            "pressed",
            "released",
            "armed",
            "disarmed",
            "started",
        ),
        *("is open", "not closed", "not_closed", "door open", "Door: open", "fully closed", "just opened", "open!"),
        *("has been tripped", "rearmed", "motion detected"),
    ],
)
def test_words_that_say_nothing_but_a_state_are_no_name(text):
    """Forms of verbs of state, and states with words that say nothing of their own, such as the field's name."""
    assert part_of({"door": text}) == ()


@pytest.mark.parametrize("word", sorted(STATE_WORDS))
def test_a_state_is_no_name(word):
    """`{"door": "open"}` is a reading of the only door."""
    assert part_of({field: word.upper() for field in PART_FIELDS}) == ()


def test_the_first_place_that_names_a_part_decides():
    """The data comes before the body's other fields."""
    assert part_of({"door": "front"}, {"door": "back"}) == ("door", "front")
    assert part_of({"door": "open"}, {"door": "back"}) == ("door", "back")
    assert part_of(None, {"dedup_key": "k"}) == ("dedup_key", "k")


@for_any
@given(st.text(), st.text())
def test_different_names_are_different_parts(one, other):
    """Also long ones, which are stored as a digest; white space and case make no difference."""

    def folded(text):
        return " ".join(text.split()).casefold()

    parts = [part_of({"door": f"door {text}" + "x" * LONGEST_PART}) for text in (one, other)]
    assert (parts[0] == parts[1]) == (folded(f"door {one}xx") == folded(f"door {other}xx"))
    assert all(len(name) <= LONGEST_PART for _, name in parts)


@for_any
@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_different_parts_make_different_keys(one, other):
    """Whatever characters they contain."""
    assert (incident_key("k", *one) == incident_key("k", *other)) == (one == other)


@pytest.mark.parametrize(
    "parts",
    [
        ("d" * 2000,),
        (incompressible(128, 1), incompressible(128, 2)),
        ("device", "event", *(text for field in PART_FIELDS for text in (field, incompressible(128, 3)))),
        tuple("x" for _ in range(1000)),
    ],
    ids=["one", "two", "all parts", "many"],
)
def test_a_long_key_is_bounded(parts):
    """It stays a kind and a JSON list, which begins with what fits, and differs from all others."""
    key = incident_key("particle", *parts)
    assert len(key.encode()) <= LONGEST_KEY
    kind, _, text = key.partition(":")
    *kept, digest = json.loads(text)
    assert (kind, tuple(kept)) == ("particle", parts[: len(kept)])
    assert digest[0] == "#"
    assert len({key, incident_key("generic", *parts), incident_key("particle", *parts, "x")}) == 3
    assert key == incident_key("particle", *parts)


def test_a_key_that_fits_is_as_it_always_was():
    """Incidents that were open before an update keep their keys."""
    longest = "x" * (LONGEST_KEY - len('particle:["",""]'))
    assert incident_key("particle", "", longest) == f'particle:["","{longest}"]'
    assert len(incident_key("particle", "", longest)) == LONGEST_KEY
    assert incident_key("particle", "", f"{longest}x").startswith('particle:["","#')


@for_any
@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_long_keys_differ_in_what_does_not_fit(one, other):
    """Whatever their parts contain."""
    keys = [incident_key("k", "x" * LONGEST_KEY, *parts) for parts in (one, other)]
    assert (keys[0] == keys[1]) == (one == other)
