"""Regression tests for what `make torture` found; docs/reliability.md says how."""

import asyncio
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from alertgate.config import Settings
from alertgate.errors import StoreUnavailable
from alertgate.ids import Ids
from alertgate.model import ChannelName
from alertgate.notify.channels.base import Permanent, Reason, Sent
from alertgate.notify.lane import DeliveryTimes
from alertgate.store.engine import Store
from tests.conftest import serving
from tests.fakes import START, FakeClock, mail_sink, until
from tests.flow.test_failing_servers import attempted
from tests.flow.test_nothing_is_lost import mail_settings, raise_alert


@dataclass
class WrongClock(FakeClock):
    """A clock that is an hour ahead until `ahead` is reset; its monotonic time isn't affected."""

    ahead: timedelta = timedelta(hours=1)

    def now(self) -> datetime:
        return self.time + self.ahead


async def test_an_update_doesnt_wait_for_a_clock_that_was_wrong(make_settings):
    """After the clock was set back by an hour, the next update comes after GROUP_INTERVAL, not after an hour."""
    clock = WrongClock()
    async with mail_sink() as sink, serving(make_settings(**mail_settings(sink.port)), clock=clock) as service:
        await attempted(service, await raise_alert(service.client))
        clock.ahead = timedelta()
        await raise_alert(service.client, data="after the jump")

        async def updated():
            clock.move(minutes=1)
            service.gate.deliverer.wake()
            await asyncio.sleep(0.02)
            return len(sink.messages) == 2

        await until(updated)
        assert clock.now() < START + timedelta(minutes=45)
    assert "after the jump" in sink.messages[1].text


async def test_what_came_last_sorts_last_after_the_clock_was_set_back(make_settings):
    """A mail selects its alerts by id: those after the jump are the newest, even after a restart."""
    clock = FakeClock(START + timedelta(hours=1))
    ids = []
    for hours in (0, -1, 0):
        clock.move(hours=hours)
        async with serving(make_settings(), clock=clock) as service:
            ids += [await raise_alert(service.client) for _ in range(3)]
    assert sorted(ids) == ids


def test_ids_go_up():
    """Ids sort in the order they were made, even for the same or an earlier time."""
    ids = Ids(None)
    made = [ids(START), ids(START), ids(START - timedelta(hours=1)), ids(START + timedelta(seconds=1))]
    assert sorted(made) == made


class BreakingStore(Store):
    """A store whose connection breaks once, after a commit, when `when` says so."""

    def __init__(self, settings: Settings, when: Callable[[], bool]) -> None:
        super().__init__(settings)
        self.broken = False
        self._when = when

    @contextmanager
    def transaction(self):
        with super().transaction() as connection:
            yield connection
        if self._when() and not self.broken:
            self.broken = True
            raise StoreUnavailable("the connection broke after the commit")


async def test_a_send_is_recorded_once_if_the_connection_breaks_after_the_commit(make_settings):
    """The store retries, but the attempt is recorded once and the message isn't sent again."""
    async with mail_sink() as sink:
        settings = make_settings(**mail_settings(sink.port))
        store = BreakingStore(settings, lambda: bool(sink.messages))
        async with serving(settings, store=store) as service:
            notification = await attempted(service, await raise_alert(service.client))
            await until(lambda: asyncio.sleep(0, not service.gate.deliverer.here))
    assert store.broken
    assert (notification["status"], len(notification["attempts"]), len(sink.messages)) == ("sent", 1, 1)


class SlowChannel:
    """A channel that takes 0.6 s for each attempt and rejects a mail with a picture as too large."""

    name = ChannelName.EMAIL
    capacity = 1
    repeats_safely = True

    def __init__(self) -> None:
        self.attempts = 0

    async def send(self, message, _deadline):
        self.attempts += 1
        await asyncio.sleep(0.6)
        return Permanent(Reason.TOO_LARGE, "552 5.3.4 too large") if message.picture else Sent("250 OK")

    async def rehearse(self, _to, _deadline):
        raise NotImplementedError

    async def close(self) -> None:
        """Do nothing."""


@pytest.mark.alone
async def test_all_attempts_under_one_lease_end_before_it(make_settings):
    """`send_within` counts from before the claim, and covers both attempts of a mail with a picture."""
    channel = SlowChannel()
    settings = make_settings(**mail_settings(1))
    async with serving(settings, channels=[channel], times=DeliveryTimes(send_within=1.0)) as service:
        alert_id = await raise_alert(service.client, data="data:image/png;base64,iVBORw0KGgo=")
        notification = await attempted(service, alert_id, 2)
    reasons = [attempt["reason"] for attempt in notification["attempts"]]
    assert (channel.attempts, reasons) == (2, ["too_large", "timeout"])
