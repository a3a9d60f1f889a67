"""Invisible characters in names, on terminals, and at the end of a text that is cut."""

import pytest

from alertgate.accept.salvage import salvage
from alertgate.characters import cut, escaped, is_shown
from alertgate.web.queries import By

PERSIAN = "می\u200cنا"
SCOTLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"


@pytest.mark.parametrize(
    "name", ["Anna", PERSIAN, "\U0001f468\u200d\U0001f467", "דנה\u200f", f"{SCOTLAND} Fan", "\u2764\ufe0f"], ids=ascii
)
def test_a_name_may_hold_what_its_writing_needs(name):
    """Whoever acknowledges under such a name isn't refused."""
    assert is_shown(name)
    assert By.model_validate({"by": name}).by == name


@pytest.mark.parametrize(
    "name",
    ["", " ", "\u200b", "\u200d\u200e", "a\nb", "a\tb", "a\u202eb", "a\u2066b", "a\x1b[31m", "a\ud800", "a\U000e0061"],
    ids=ascii,
)
def test_a_name_that_nobody_can_see_is_none(name):
    """Nor one that reorders or ends the line that it is shown in."""
    assert not is_shown(name)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (f"{PERSIAN} {SCOTLAND} 5\u00a0°C", f"{PERSIAN} {SCOTLAND} 5\u00a0°C"),
        ("a\x1b[2J\x9b2J\u202e", "a\\x1b[2J\\x9b2J\\u202e"),
        ("a\nb\r\tc\u2028d\x85", "a\\nb\\r\\tc\\u2028d\\x85"),
        ("\udcff\U000e0061", "\\udcff\\U000e0061"),
    ],
    ids=ascii,
)
def test_a_terminal_gets_words_and_no_orders(line, shown):
    """What would end, control or reorder a line is escaped; what belongs to words isn't."""
    assert escaped(line) == shown


def test_an_event_of_an_unreadable_body_keeps_its_name():
    """A name with a joiner is a name."""
    assert salvage(f'{{"event": "{PERSIAN}", "coreid": '.encode(), {}).event == PERSIAN


def test_a_text_that_fits_is_not_cut():
    """Even one that ends in a joiner."""
    assert cut("a\u200d", 2) == "a\u200d"
