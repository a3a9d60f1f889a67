"""A freezer that is too warm all night: how often its owner hears of it, and what stands on the phone."""

import pytest

from tests.fakes import START
from tests.flow.test_stories import house

EVENT = "temperature/high"
FREEZER = "3f002b000000000000000001"
NIGHT = {"devices": f"{FREEZER}=Freezer", "resolve_after": 86_400}


def _celsius(minute: int) -> float:
    """Return what the device measures: it gets warmer by a tenth of a degree in five minutes."""
    return round(-14.2 + minute / 50, 1)


@pytest.mark.parametrize(
    ("severity", "told"),
    [("warning", [0, 5, 15, 35, 75, 135, 195, 255, 315]), ("critical", [0, 5, *range(15, 360, 15)])],
)
async def test_a_freezer_that_is_too_warm_all_night_is_told_less_and_less_often(make_settings, severity, told):
    """It reports every five minutes; only the count changes, so its updates grow apart, and the end is told at once."""
    async with house(make_settings, default_severity=severity, **NIGHT) as home:
        heard: dict[int, str] = {}
        for minute in range(0, 360, 5):
            await home.says({"celsius": _celsius(minute), "limit": -15}, EVENT, FREEZER)
            if len(await home.mails()) > len(heard):
                heard[minute] = home.sink.messages[-1].mail["Subject"]
            home.clock.move(minutes=5)
        await home.says({"celsius": -15.6, "limit": -15, "status": "resolved"}, EVENT, FREEZER)
        tag = severity.upper()
        title = "Freezer: temperature/high −14.2 °C"
        assert list(heard) == told
        first, *updates = list(heard.values())[:3]
        assert first == f"[{tag}] {title}"
        # What is due when the next value comes goes with it or just before it: its value is one of two.
        for subject, values in zip(updates, ({"−14.2", "−14.1"}, {"−14", "−13.9"}), strict=True):
            assert subject in {f"[{tag}, now {value} °C] {title}" for value in values}
        assert {subject.split("] ")[1] for subject in heard.values()} == {title}
        assert home.sink.messages[-1].mail["Subject"] == f"[RESOLVED, now −15.6 °C] {title}"


async def test_what_changes_is_told_as_often_as_it_was(make_settings):
    """Once it gets critical the updates begin anew, five minutes apart."""
    async with house(make_settings, **NIGHT) as home:
        at = []
        for minute in range(0, 130, 5):
            level = "critical" if minute >= 100 else "warning"
            await home.says({"celsius": _celsius(minute), "severity": level}, EVENT, FREEZER)
            if len(await home.mails()) > len(at):
                at.append(minute)
            home.clock.move(minutes=5)
        assert at == [0, 5, 15, 35, 75, 100, 105, 115]


async def test_the_first_value_stays_in_the_subject_of_a_long_incident(make_settings):
    """An incident of more alerts than a mail lists keeps its conversation."""
    async with house(make_settings, **NIGHT) as home:
        for number in range(15):
            await home.says({"celsius": -9 + number, "limit": -15}, EVENT, FREEZER)
        home.clock.move(minutes=5)
        await home.mails()
        subjects = [message.mail["Subject"] for message in home.sink.messages]
        assert subjects == [
            "[WARNING] Freezer: temperature/high −9 °C",
            "[WARNING, now 5 °C] Freezer: temperature/high −9 °C",
        ]
        assert len({message.mail["References"] for message in home.sink.messages}) == 1


async def test_a_text_has_the_value_and_the_time_and_no_id(make_settings):
    """A device without a name is known by the end of its id; 24 digits would be a fifth of the text."""
    async with house(make_settings, recipient_sms="5551234567@vtext.com") as home:
        await home.says("-4.2 °C", "temperature", FREEZER)
        [text] = [each for each in home.sink.messages if each.mail["To"] == "5551234567@vtext.com"]
        assert text.text.strip() == f"WARNING device 000001: temperature -4.2 C at {START:%H:%M}"
