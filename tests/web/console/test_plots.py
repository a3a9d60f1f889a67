"""The page of plots: what it says in words and numbers, by the reader's clock; and that it asks little."""

from zoneinfo import ZoneInfo

import pytest

from alertgate.prove.hourly import hour_id
from alertgate.store.hourly import HOUR, Hour
from alertgate.web.console.plot_views import Span, alerts, delays, deliveries, in_bars, span_ids
from alertgate.web.console.times import Times
from tests.conftest import serving
from tests.console import BESIDE, queries, seen, signed_in
from tests.fakes import START, FakeClock

BERLIN = Times(ZoneInfo("Europe/Berlin"), START)
EMPTY = {"alerts": {}, "deliveries": {}, "delays": {}}


def hour(back: int, **changes) -> Hour:
    """Return an hour so many hours ago."""
    return Hour(hour_id(START - HOUR * back), {**EMPTY, **changes}, START)


def shown(span: Span, *counted: Hour):
    """Return the bars of these hours."""
    return in_bars(span, {each.id: each for each in counted}, BERLIN)


@pytest.mark.parametrize(("span", "number"), [(Span.DAY, 24), (Span.WEEK, 29), (Span.MONTH, 31)])
def test_bars_are_hours_and_days_of_the_reader_s_clock(span, number):
    """The first and the last one may be shorter; none is twice there."""
    labels = [bar.label for bar in shown(span)]
    assert len(labels) == len(set(labels)) == number


def test_hours_are_added_up_to_days():
    """Two hours of one day are one bar, and a plot says their sum in words and in its table."""
    bars = shown(Span.MONTH, hour(0, alerts={"critical": 2}), hour(1, alerts={"critical": 1, "info": 4}))
    plot = alerts(Span.MONTH, bars)
    assert plot.said == "7 alerts in the last 30 days: 3 critical, 4 info."
    assert plot.rows == [("Mon 11-23", ["3", "0", "4"])]
    assert plot.top == "7"


def test_delays_of_hours_make_one_distribution():
    """Their percentiles are of all incidents together, not the mean of the hours' ones."""
    bars = shown(Span.DAY, hour(0, delays={"0": 1}), hour(1, delays={"0": 94, "30": 5}))
    plot = delays(Span.DAY, bars)
    assert plot.said == "First notifications of 100 incidents: half within 0.1 s, 95 % within 0.1 s."
    assert plot.rows[1][1] == ["0.1 s", "24 s", "99"]


def test_each_channel_has_a_plot():
    """With what became of its attempts."""
    counted = hour(0, deliveries={"email": {"sent": 3, "transient": 1}, "ntfy": {"permanent": 2}})
    email, ntfy = deliveries(Span.DAY, shown(Span.DAY, counted))
    assert email.said == "Attempts by email in the last 24 hours: 3 sent, 1 tried again later."
    assert ntfy.rows[0][1] == ["0", "0", "2"]


@pytest.mark.parametrize("span", Span)
def test_nothing_is_said_to_be_nothing(span):
    """No alert, no notification, no channel: the plots are empty and say so."""
    assert alerts(span, shown(span)).said == f"No alert came in the last {span.words}."
    assert "None was sent" in delays(span, shown(span)).said
    assert deliveries(span, shown(span)) == []
    assert span_ids(span, START)[-1] == hour_id(START)


async def test_the_page_shows_what_came(make_settings, database):
    """Counted within a minute, for a day, a week and a month; with as many questions for many hours as for few."""
    async with serving(make_settings(**database), clock=FakeClock()) as service, signed_in(service) as client:
        few = len(await queries(client, "/plots"))
        await service.particle(event="door", data={"severity": "critical"})
        await service.settled()
        await service.gate.hourly.run()
        page = await seen(client, "/plots")
        assert "1 alert in the last 24 hours: 1 critical." in page.text
        assert "First notifications of 1 incident: half within" in page.text
        assert "Deliveries by outbox" in page.text
        assert "Counted now" in page.text
        for span in Span:
            assert len(await queries(client, f"/plots?span={span}")) <= min(few + BESIDE, 20)
        await seen(client, "/plots?span=1y", 422)
