"""Which texts are readings of a sensor."""

import pytest

from alertgate.accept.readings import is_measured, is_reading

MEASURED = [
    *(
        "21.5 °c",
        "21.5c",
        "21,5",
        "45%",
        "45 %",
        ".5",
        "5.",
        "1e+22",
        "1e-05",
        "1e3",
        "-3",
        "+3.5",
        "\u22124 °c",
        "0",
        "255",
    ),
    *(
        "12v",
        "3c",
        "5 m",
        "20 lux",
        "1013 hpa",
        "3 bar",
        "21 degrees",
        "230 v",
        "1.5 kwh",
        "60 %rh",
        "12 µg/m³",
        "-70 dbm",
    ),
]
READINGS = [
    *("inf", "-inf", "nan", "2026-11-26t01:00:00z", "2026-11-26 01:00", "2026-11-26", "20261126t010000z", "12:30"),
    *("12:30:05.25z", "12:30 pm", "< 5", ">100", "±2", "~21", "21.5 somethings", "0.5/1", "-3 dbfs"),
]
NO_READINGS = [
    *(
        "",
        "hall",
        "3a",
        "12 monkeys",
        "2nd floor",
        "2. floor",
        "1.2.3",
        "10.0.0.5",
        "192.168.1.5:80",
        "0x1f",
        "1e3a",
        "v1.2",
    ),
    *("12-34", "1/2", "00:1a:2b", "12:34:56:78:9a:bc", "1:15", "-front", "c", "%", "°c", "e5", ".", "infinite", "nano"),
]


@pytest.mark.parametrize("text", MEASURED)
def test_a_number_with_or_without_a_unit_is_measured(text):
    """In the notations of firmware, of Python and of people."""
    assert is_measured(text)
    assert is_reading(text)


@pytest.mark.parametrize("text", READINGS)
def test_what_begins_like_a_reading_is_one(text):
    """A sign or a fraction is enough, whatever follows; so are times, and numbers that are none."""
    assert not is_measured(text)
    assert is_reading(text)


@pytest.mark.parametrize("text", NO_READINGS)
def test_names_with_digits_are_no_readings(text):
    """Rooms, floors, versions and addresses."""
    assert not is_measured(text)
    assert not is_reading(text)
