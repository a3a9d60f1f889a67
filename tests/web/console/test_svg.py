"""Plots stay within their box, whatever the numbers are, and say in words what they show."""

import math
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertgate.web.console import svg

NUMBERS = st.one_of(st.none(), st.floats())


def _parsed(picture):
    return ET.fromstring(picture)  # noqa: S314  (our own)


def _rects(picture):
    root = _parsed(picture)
    return [{name: float(each.get(name)) for name in ("x", "y", "width", "height")} for each in root.iter("rect")]


def _points(picture):
    root = _parsed(picture)
    lines = [each.get("points").split() for each in root.iter("polyline")]
    return [[tuple(map(float, point.split(","))) for point in line] for line in lines]


def _bars(*values):
    return svg.bars([svg.Series(f"s{n}", "info", each) for n, each in enumerate(values)], "title", "words")


@given(
    st.integers(0, 40).flatmap(lambda n: st.lists(st.lists(NUMBERS, min_size=n, max_size=n), min_size=1, max_size=4))
)
def test_bars_stay_within_their_box(values):
    """Nothing, one value, huge ones, less than nothing and what is no number: no bar is outside, and none overlap."""
    rects = _rects(_bars(*values))
    for rect in rects:
        assert 0 <= rect["x"] <= rect["x"] + rect["width"] <= svg.WIDTH + 0.02
        assert 0 <= rect["y"] <= rect["y"] + rect["height"] <= svg.HEIGHT + 0.02
        assert rect["width"] > 0
    stacked = [(a, b) for a, b in pairwise(rects) if a["x"] == b["x"]]
    assert all(below["y"] + 0.02 >= above["y"] + above["height"] for below, above in stacked)


@given(st.lists(NUMBERS, max_size=60), st.floats())
def test_lines_stay_within_their_box(values, top):
    """Also where the top is nothing, or no number."""
    for picture in (
        svg.lines([svg.Series("a", "info", values)], "title", "words", top=top),
        svg.sparkline(values, "info", "title", top=top),
    ):
        width, height = map(float, _parsed(picture).get("viewBox").split()[2:])
        for line in _points(picture):
            assert all(0 <= x <= width and 0 <= y <= height for x, y in line)


def test_heights_are_in_proportion():
    """Half as many are half as high, and stand on the same ground."""
    half, whole = _rects(_bars([5, 10]))
    assert (half["height"], whole["height"]) == (svg.HEIGHT / 2, svg.HEIGHT)
    assert half["y"] + half["height"] == whole["y"] + whole["height"] == svg.HEIGHT


def test_one_beside_a_million_is_seen():
    """What isn't nothing has a height; what is nothing has none."""
    rects = _rects(_bars([1, 1_000_000, 0]))
    assert [rect["height"] for rect in rects] == [svg.THINNEST, svg.HEIGHT]


@pytest.mark.parametrize(
    ("values", "lengths"),
    [
        ([], []),
        ([None, None], []),
        ([1], [2]),
        ([1, 2, None, 3], [2, 2]),
        ([math.nan, 1, 2, 3, math.inf], [3]),
    ],
)
def test_a_line_has_gaps_where_nothing_is_known(values, lengths):
    """It isn't drawn through hours in which a device said nothing; a lone value is a dash."""
    picture = svg.lines([svg.Series("a", "info", values)], "title", "words", top=3)
    assert [len(line) for line in _points(picture)] == lengths


def test_a_picture_says_in_words_what_it_shows():
    """A reader who can't see it hears its title and its description, in which markup is text."""
    root = _parsed(svg.bars([svg.Series("a", "info", [1])], "<b>Alerts</b>", "1 & no more"))
    assert (root.get("role"), root.find("title").text, root.find("desc").text) == (
        "img",
        "<b>Alerts</b>",
        "1 & no more",
    )
