"""Parsing of times, finite JSON values, and field errors."""

import json
import math
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from alertgate.accept.fields import field_errors, finite
from alertgate.accept.times import read_time
from alertgate.errors import FieldError
from tests.builders import for_any

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@pytest.mark.parametrize(
    ("value", "time"),
    [
        ("2017-02-01T21:08:05.763Z", datetime(2017, 2, 1, 21, 8, 5, 763000, UTC)),
        ("2017-02-01T22:08:05+01:00", datetime(2017, 2, 1, 21, 8, 5, 0, UTC)),
        ("2017-02-01T21:08:05", datetime(2017, 2, 1, 21, 8, 5, 0, UTC)),
        ("2017-02-01 21:08:05", datetime(2017, 2, 1, 21, 8, 5, 0, UTC)),
        ("2017-02-01", datetime(2017, 2, 1, 0, 0, 0, 0, UTC)),
        (1485983285, datetime(2017, 2, 1, 21, 8, 5, 0, UTC)),
        (1485983285.75, datetime(2017, 2, 1, 21, 8, 5, 750000, UTC)),
        ("1485983285", datetime(2017, 2, 1, 21, 8, 5, 0, UTC)),
        (1485983285_000, datetime(2017, 2, 1, 21, 8, 5, 0, UTC)),
        (1485983285_000_000, datetime(2017, 2, 1, 21, 8, 5, 0, UTC)),
        (1485983285_000_000_000, datetime(2017, 2, 1, 21, 8, 5, 0, UTC)),
        ("1485983285000000000", datetime(2017, 2, 1, 21, 8, 5, 0, UTC)),
        ("20170201T210805Z", datetime(2017, 2, 1, 21, 8, 5, 0, UTC)),
        ("20170201T220805.5+0100", datetime(2017, 2, 1, 21, 8, 5, 500000, UTC)),
        (" 2017-02-01T21:08:05Z ", datetime(2017, 2, 1, 21, 8, 5, 0, UTC)),
        ("2017-02-01 22:08:05 +01:00", datetime(2017, 2, 1, 21, 8, 5, 0, UTC)),
        ("2017-02-01 22:08:05 +0100", datetime(2017, 2, 1, 21, 8, 5, 0, UTC)),
        ("2017-02-01 21:08:05 UTC", datetime(2017, 2, 1, 21, 8, 5, 0, UTC)),
        ("2017-02-01 21:08:05.763421987 +0000 UTC", datetime(2017, 2, 1, 21, 8, 5, 763421, UTC)),
        ("Wed, 01 Feb 2017 21:08:05 GMT", datetime(2017, 2, 1, 21, 8, 5, 0, UTC)),
        ("1 Feb 2017 22:08 +0100", datetime(2017, 2, 1, 21, 8, 0, 0, UTC)),
        ("Wed, 01 Feb 2017 21:08:05 -0000", datetime(2017, 2, 1, 21, 8, 5, 0, UTC)),
        (0, datetime(1970, 1, 1, 0, 0, 0, 0, UTC)),
    ],
)
def test_times_are_read(value, time):
    """ISO 8601, with or without a zone, dates as mails have them, and Unix times become times in UTC."""
    assert read_time(value) == time


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        "",
        "now",
        "12:00",
        "{{PARTICLE_PUBLISHED_AT}}",
        "2017-02-30T00:00:00Z",
        "20170230T000000Z",
        "Wed, 30 Feb 2017 00:00:00 GMT",
        "Wed, 01 Feb 2017 21:08:05 CET",
        "2017-02-01 21:08:05 CET",
        "01.02.2017 21:08",
        "Feb  1 21:08:05",
        "2017-W05-3",
        "9" * 100_000,
        -1,
        2**63,
        "\udcff",
        1e300,
        10**400,
        math.nan,
        math.inf,
        [],
        {},
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_any_other_value_is_no_time(value):
    """A value that can't be read as a time gives None, never an error."""
    assert read_time(value) is None


@pytest.mark.parametrize("value", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-01:00"])
def test_times_at_the_ends_of_the_calendar_are_ignored(value):
    """Go's zero time, and times that can't be converted to every time zone, count as missing."""
    assert read_time(value) is None


@for_any
@given(st.datetimes(timezones=st.timezones()).map(datetime.isoformat) | json_values)
def test_every_parsed_time_converts_to_every_zone(value):
    """A parsed time can be converted to any time zone."""
    time = read_time(value)
    if time is not None:
        assert time.astimezone(ZoneInfo("Pacific/Kiritimati")) == time
        assert time.astimezone(ZoneInfo("Pacific/Pago_Pago")) == time


def test_infinities_become_text():
    """JSON can't represent NaN and the infinities, so they become text."""
    value = {"a": math.nan, "b": [math.inf, {"c": -math.inf}], "d": 1.5, "e": None}
    assert finite(value) == {"a": "nan", "b": ["inf", {"c": "-inf"}], "d": 1.5, "e": None}


@for_any
@given(json_values)
def test_every_finite_value_is_json(value):
    """A finite value survives strict JSON unchanged."""
    kept = finite(value)
    assert json.loads(json.dumps(kept, allow_nan=False)) == kept


class _Thing(BaseModel):
    name: str
    sizes: list[int]


def test_field_errors_name_the_field_and_not_the_input():
    """Each problem has its dotted path, and the input isn't repeated."""
    with pytest.raises(ValidationError) as caught:
        _Thing.model_validate({"sizes": [1, "hunter2"]})
    assert field_errors(caught.value) == (
        FieldError("name", "Field required"),
        FieldError("sizes.1", "Input should be a valid integer, unable to parse string as an integer"),
    )


def test_at_most_ten_field_errors_are_returned():
    """A body with many errors doesn't give an endless list."""
    with pytest.raises(ValidationError) as caught:
        _Thing.model_validate({"name": "x", "sizes": ["?"] * 1000})
    assert len(field_errors(caught.value)) == 10
