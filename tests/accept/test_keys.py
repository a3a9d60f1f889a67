"""Which alerts are about the same thing: the parts of a device."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertgate.accept.keys import LONGEST_PART, PART_FIELDS, STATE_WORDS, incident_key, part_of
from tests.builders import for_any


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
    ],
    ids=str,
)
def test_a_reading_is_no_name(data):
    """Else each temperature would be an incident of its own, and a door that closes another door."""
    assert part_of(data) == ()


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
