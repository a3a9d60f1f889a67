"""Expressions: what is refused when the policy is loaded, and what they give for an event."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertgate.policy.bounds import EVENT_FIELDS, LARGEST_EVENT, size
from alertgate.policy.expressions import Failure, Value, compile_expression, evaluate, shown
from tests.accept.test_intake import json_values
from tests.builders import for_any


def event(data: Any = None, **fields: Any) -> dict[str, Any]:
    """Return an event as expressions see it."""
    return {**dict.fromkeys(EVENT_FIELDS), "event": "leak", "source": "particle", "fields": {}, "data": data, **fields}


def given_by(text: str, data: Any = None, **fields: Any) -> Value:
    """Return what an expression gives for an event."""
    return evaluate(compile_expression(text), event(data, **fields))


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # as in a service: the check is ours
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty: leave the key out, or write an expression"),
        (" \n", "is empty: leave the key out, or write an expression"),
        ("data." + "a" * 496, "has 501 characters: at most 500 are allowed"),
        ("data.open = 'x'", "can't be read at character 11: Unknown token '='; to compare, write =="),
        ("data == 0", "can't be read at character 9 of 9 (0); write numbers in backticks, `0`"),
        ("data.a and data.b", "can't be read at character 8 of 17 (and); write &&"),
        ("data.a or data.b", "can't be read at character 8 of 16 (or); write ||"),
        ("data.", "ends too early: something is missing after its last character"),
        ("data[", "ends too early: something is missing after its last character"),
        ("data == 'closed", "can't be read at character 9: Unclosed ' delimiter"),
        ("data == `closed`", "has text in backticks that isn't JSON: write texts in single quotes, as in 'closed'"),
        (
            'data.state == "closed"',
            "looks for a field called closed: double quotes name a field; write the text in single quotes, 'closed'",
        ),
        ("data.open == false", "looks for a field called false: write the value in backticks, `false`"),
        (
            "contains(keys(data), door) && data.door == 'x'",
            "looks for door, but an event has only event, data, device, message, source, severity, status, fields: ",
        ),
        ("!data.open", "has a ! that negates only the name after it: write !(data.open), with parentheses"),
        ("!data.doors[?open]", "has a ! that negates only the name after it: write !(data.open), with parentheses"),
        ("lenght(data)", "calls lenght(), which JMESPath doesn't have; did you mean length?"),
        ("lower(data)", "calls lower(), which JMESPath doesn't have"),
        ("length(data, data)", "calls length() with 2 arguments; it takes 1"),
        ("not_null()", "calls not_null() with 0 arguments; it takes at least 1"),
        ("data == ''", "has a null or a blank text in it, but every expression that comes upon one fails: to ask "),
        ("data.open == `null`", "has a null or a blank text in it, but every expression that comes upon one fails"),
        ("!" * 100 + "data", "nests too deeply: at most 20 levels are allowed"),
        ("(" * 490 + "data", "nests too deeply: at most 20 levels are allowed"),
    ],
)
def test_a_broken_expression_is_refused_with_a_remedy(text, problem):
    """Whatever is certainly a mistake is found when the policy is loaded, not at three in the morning."""
    with pytest.raises(ValueError) as refused:
        compile_expression(text)
    assert str(refused.value).startswith(problem)


@pytest.mark.parametrize(
    "text",
    [
        "|".join(["[@, @]"] * 40),  # 2 ** 40 values
        "|".join(["[@, @][]"] * 40),
        "|".join(["{a: @, b: @}"] * 20),
        "|".join(["[@, @]"] * 30 + ["to_string(@)"]),
        "|".join(["to_string([@])"] * 20),
        "data" + "[*].[@, @, @]" * 20,
        "`[0, 0]`[*].[`[0, 0]`[*].[`[0, 0]`[*].[`[0, 0]`[*].[`[0, 0]`[*].[`[0, 0]`[*].[`[0, 0]`[*].[@]]]]]]]",
        "map(&map(&map(&map(&map(&[@, @, @], @), @), @), @), [data, data, data, data])",
        "join(data.text, data.list)",
    ],
)
def test_a_hostile_expression_is_refused(text):
    """What doubles its data again and again is refused when it is loaded; nothing evaluates it."""
    started = time.monotonic()
    with pytest.raises(ValueError, match=r"may take too long on a large event|isn't allowed|nests too deeply"):
        compile_expression(text)
    assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    "text",
    [
        "[data, data][].[@, @]",
        "data[*][*].not_null(@, @, @, @, @, @, @)",
        "map(&to_string(@), data)",
        "sort_by(data, &length(@))[*].[@, @]",
        "contains(to_string(data), to_string([data, data]))",
    ],
)
def test_what_is_allowed_is_quick_on_the_largest_event(text):
    """The most expensive expressions that are allowed take no longer than a person notices."""
    largest = event([[1, 2, 3]] * 480)
    assert LARGEST_EVENT * 0.9 < size(largest) <= LARGEST_EVENT
    expression = compile_expression(text)
    started = time.monotonic()
    assert evaluate(expression, largest).failure is None
    assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    ("text", "data", "value"),
    [
        ("data == '00'", "00", True),
        ("data == '00'", "0", False),
        ("data == '0'", "0", True),
        ("data == '0'", 0, False),
        ("data == `0`", 0, True),
        ("data == `0`", 0.0, True),
        ("data == `0`", False, False),
        ("data == `0`", "0", False),
        ("data == 'off'", "off", True),
        ("data == 'off'", "OFF", False),
        ("data == `false`", False, True),
        ("data == `false`", 0, False),
        ("data.open == `false`", {"open": False}, True),
        ("data.open == `false`", {"open": True}, False),
        *(
            ("contains(['0', '00', 'off', 'false'], to_string(data))", data, True)
            for data in ("0", 0, "00", "off", False)
        ),
        *(("contains(['0', '00', 'off', 'false'], to_string(data))", data, False) for data in ("1", 1, "on", True)),
        ("to_number(data.level) > `5`", {"level": "7"}, True),
        ("data.level > `5` && 'critical' || 'warning'", {"level": 7}, "critical"),
        ("[data.floor, data.door]", {"floor": "ground", "door": 2}, ["ground", 2]),
        ("length(data.doors[?open]) == `0`", {"doors": [{"open": False}]}, True),
        ('data."door-state"', {"door-state": "shut"}, "shut"),
        ("data[0]", ["first"], "first"),
        ('data == `"off"`', "off", True),
        ("data[0:2]", [1, 2, 3], [1, 2]),
        ("not_null(data.open, data.isOpen) == 'no'", {"isOpen": "no"}, True),
        ("not_null(data.a.b, data[3], `7`) == `7`", {"a": "x"}, True),
        ("contains(keys(data), 'open') && data.open == 'no'", {"shut": "yes"}, False),
        ("event == 'leak' && source == 'particle'", None, True),
        ("not_null(data, 'nothing') == 'nothing'", "", True),
        ("not_null(data, 'nothing') == 'nothing'", None, True),
        ("not_null(data, 'nothing') == 'nothing'", "open", False),
        ("not_null(data.open, data.isOpen) == 'no'", {"open": " ", "isOpen": "no"}, True),
        # These are values.
        ("!(data.open)", {"open": False}, True),
        ("!(data.open)", {"open": []}, True),
        ("!(data.open)", {"open": {}}, True),
        ("data.open == `0`", {"open": 0}, True),
        ("length(data.open) == `0`", {"open": []}, True),
        ("data.open == `[]`", {"open": []}, True),
        ("!contains(data.states, 'open')", {"states": []}, True),
        # A gap in what nobody looks at is none.
        ("data.open == `false`", {"open": False, "note": None}, True),
        ("data.open == `false`", {"open": False, "notes": [""]}, True),
        ("contains(keys(data), 'open')", {"open": None}, True),
        ("length(keys(data)) == `2`", {"open": None, "note": ""}, True),
        ("type(data) == 'object'", {"note": None}, True),
        ("data == 'closed' || data.state == 'closed'", {"state": "closed", "note": None}, True),
        ("data && data.open == `false`", {"open": False, "note": None}, True),
        ("length(data.doors[?open]) == `0`", {"doors": [{"open": False, "name": ""}]}, True),
        ("length(data.doors) == `1`", {"doors": [{"open": False, "name": None}]}, True),
        ("max_by(data.doors, &level).level < `5`", {"doors": [{"level": 3, "name": None}]}, True),
        ("contains(['open', 'ajar'], data.state)", {"state": "shut"}, False),
        ('contains(`["", "off"]`, data)', "off", True),
    ],
)
def test_an_expression_gives_a_value(text, data, value):
    """Each way in which firmware says "over" can be written, and told apart from the others."""
    assert given_by(text, data) == Value(value)


@pytest.mark.parametrize(
    ("text", "data", "missing"),
    [
        ("data.state == 'closed'", {"door": "closed"}, "data.state"),
        ("data.state != 'open'", {}, "data.state"),  # JMESPath's own answer is true
        ("!(data.open)", {}, "data.open"),  # and here
        ("!(data.open)", "text", "data.open"),
        ("data.state != 'open'", {"state": None}, "data.state"),
        ("data.a.b.c", {"a": {}}, "data.a.b.c"),
        ("length(data.doors[?open]) == `0`", {"doors": [{"opened": True}]}, "open"),  # and here
        ("!(data.doors[?open])", {"doors": "none"}, ""),  # and here
        ("data[3] != 'open'", ["shut"], ""),  # and here
        ("!(data.level > `5`)", {"level": True}, "a number or a text to compare"),  # and here
        ("data.a == 'x' || data.b == 'x'", {"b": "x"}, "data.a"),
        ("not_null(data.a, data.b) != 'x'", {}, ""),
        ("not_null(data.a != 'x')", {}, "data.a"),
        ("not_null(data[?a != 'x'])", [{}], "a"),
        ("device != 'x'", None, "device"),
    ],
)
def test_an_expression_that_comes_upon_null_has_failed(text, data, missing):
    """A field that isn't there is no all-clear, whatever JMESPath makes of it; what isn't there is named."""
    assert given_by(text, data) == Value(None, Failure.MISSING, missing)


@pytest.mark.parametrize("blank", ["", "  \t", "\u00a0", "{{{open}}}", " {{open}} "])
@pytest.mark.parametrize(
    "text",
    [
        "!(data.open)",
        "length(data.open) == `0`",
        "data.open != 'yes'",
        "data.open == `false` || data.open != 'yes'",
        "!(not_null(data.open, data.isOpen))",
        "to_string(data.open) != 'true'",
        "!contains(data.open, 'yes')",
        "!(data.*.open)",
    ],
)
def test_a_blank_text_is_like_a_field_that_is_not_there(text, blank):
    """A template that rendered nothing says nothing: JMESPath takes it for false, and so for an all-clear."""
    found = given_by(text, {"open": blank, "door": {"open": blank}})
    assert (found.value, found.failure) == (None, Failure.MISSING)


@pytest.mark.parametrize("gap", [None, "", "{{open}}"])
@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("!contains(data.states, 'open')", "a value in data.states"),
        ("contains(values(data.doors), 'open') == `false`", "a value in a list or an object"),
        ("contains(data.doors.*, 'open') == `false`", ""),
        ('data.states != `["open"]`', "a value in data.states"),
        ('data.deep == `[{"open": false}]`', "a value in data.deep"),
        ("!contains(to_string(data.doors), 'open')", "a value in data.doors"),
        ("!contains(to_string(data.deep), 'open')", "a value in data.deep"),
        ("!contains(not_null(data.states, data.doors), 'open')", "a value in a list or an object"),
        ("length(data.states) == `1`", "a value in data.states"),
        ("length(data.doors) == `1`", "a value in data.doors"),
        ("length(data.states[?@ == 'open']) == `0`", ""),
        ("length(data.deep[?open]) == `0`", "open"),
        ("!(!(data.states))", "a value in data.states"),
        ("data.states && `true`", "a value in data.states"),
        ("data.none || `true`", "data.none"),
    ],
)
def test_a_gap_inside_of_what_decides_has_failed(text, missing, gap):
    """The door about which a list says nothing may be open."""
    data = {"states": [gap], "doors": {"front": gap}, "deep": [{"open": gap}]}
    assert given_by(text, data) == Value(None, Failure.MISSING, missing)


@pytest.mark.parametrize("gap", [None, "", "{{open}}"])
@pytest.mark.parametrize("text", ["sort(data)[-1] == 'shut'", "max(data) == 'shut'", "max_by(data, &@) == 'shut'"])
def test_a_list_with_a_gap_has_no_order(text, gap):
    """Whatever stands where the gap is might come first."""
    assert given_by(text, ["shut", gap]).value is None


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("length(data)", 5),
        ("data.level > `5`", {"level": "7"}),
        ("sort(data)", [1, "a"]),
        ("sum(data)", ["x"]),
        ("ceil(to_number(data))", "9" * 5000),
        ("avg(data)", [10**400]),
        ("data[::0]", [1]),
        ("to_string([data])", [10**5000]),
    ],
)
def test_an_expression_that_raises_has_failed(text, data):
    """Values of a wrong type, and those that Python itself refuses, never raise."""
    value = given_by(text, data)
    assert (value.value, value.failure, bool(value.detail)) == (None, Failure.ERROR, True)


@pytest.mark.parametrize(
    ("text", "doubt"),
    [
        ('data[?state == "closed"]', "compares with a field called closed: write a text in single quotes, 'closed'"),
        ('data[?"closed" != state]', "compares with a field called closed: write a text in single quotes, 'closed'"),
        ("data[?open == true]", "compares with a field called true: write the value in backticks, `true`"),
    ],
)
def test_a_doubtful_comparison_is_named(text, doubt):
    """Two fields can be compared, but a text or a constant was probably meant."""
    assert compile_expression(text).doubts == (doubt,)


@pytest.mark.parametrize(
    "text",
    ["data[?\"my-state\" == 'closed']", "data.\"my-state\" == 'closed'", "data[?a == b]", "data[?true_value == b]"],
)
def test_a_field_in_double_quotes_is_not_doubtful(text):
    """Names with a hyphen need the quotes."""
    assert compile_expression(text).doubts == ()


@for_any
@given(
    st.sampled_from(
        [
            "data",
            "!(data.a)",
            "data[0]",
            "data.a == data.b",
            "data[*].a",
            "data.*.a",
            "length(data)",
            "to_number(data)",
            "to_string(data)",
            "sort(data)",
            "max_by(data, &a)",
            "sum(values(data))",
            "data > `1`",
            "merge(data, fields)",
        ]
    ),
    json_values,
)
def test_no_data_makes_an_expression_raise(text, data):
    """Whatever a device sends, an expression gives a value or a failure, and both can be shown."""
    value = given_by(text, data)
    assert (value.value is None) is (value.failure is not None)
    assert len(shown(value.value)) <= 60


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@for_any
@given(st.text(max_size=60) | st.text("data.[]*@&|!='\"`(){}01, ?:", max_size=30))
def test_no_text_makes_the_loader_raise_anything_else(text):
    """Any text is an expression, or a ValueError with a sentence."""
    problem = ""
    try:
        expression = compile_expression(text)
    except ValueError as error:
        problem = str(error)
    assert problem or expression.text == text
