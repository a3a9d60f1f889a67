"""Where the time of one alert goes: processor time of each stage, in one process and one thread, without HTTP."""

import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog
from torture.gate import SETTINGS
from torture.load import TOKEN

from alertgate.accept import particle, record
from alertgate.accept.credentials import bearer
from alertgate.accept.intake import IntakeContext
from alertgate.accept.rulings import Understood
from alertgate.ids import Ids
from alertgate.metric_labels import LabelValues
from alertgate.metrics import Metrics
from alertgate.model import ChannelName
from alertgate.notify.channels.mail import compose
from alertgate.notify.channels.registry import targets
from alertgate.notify.context import MessageContext
from alertgate.notify.directory import Directory
from alertgate.notify.render.message import render
from alertgate.settings_load import load
from alertgate.store import alerts, incidents, notifications
from alertgate.store.engine import Store

TIMES = 2000
BATCHES = {1: 400, 16: 150}
"""How many batches of each size are recorded."""
DEVICES = 200


class Stages:
    """Measures on its own database in `directory`."""

    def __init__(self, directory: Path) -> None:
        self._settings = load(None, **{**SETTINGS, "data_dir": directory, "recipient_sms": ""})
        self._store = Store(self._settings)
        self._store.open(exclusive=True)
        self._ids = Ids(None)
        self._recorder = record.Recorder(self._settings.grouping, Directory.of(targets(self._settings)), self._ids)
        self._number = 0

    def close(self) -> None:
        """Close the database."""
        self._store.close()

    def rows(self) -> list[tuple[str, float]]:
        """Return each stage with its microseconds of processor time for one alert, or one message."""
        found = [*self._request()]
        self._record(DEVICES)
        for size, times in BATCHES.items():
            found += [(f"store, batch of {size}: {name}", took) for name, took in self._batches(size, times)]
        return [*found, *self._message()]

    def _body(self) -> bytes:
        self._number += 1
        device = f"{self._number % DEVICES:024x}"
        return (
            f'{{"event":"alarm/motion","data":"{{\\"zone\\":\\"hall\\",\\"battery\\":87}}","coreid":"{device}",'
            f'"published_at":"2026-11-25T08:30:12.345Z","event_id":"stage-{self._number}"}}'
        ).encode()

    def _read(self, body: bytes) -> Understood:
        now = datetime.now(UTC)
        return particle.understand(body, "application/json", IntakeContext("", now, self._settings.severities, "stage"))

    def _alerts(self, count: int) -> list[Understood]:
        found = []
        for _ in range(count):
            now = datetime.now(UTC)
            receipt = IntakeContext(self._ids(now), now, self._settings.severities, "stage")
            found.append(particle.understand(self._body(), "application/json", receipt))
        return found

    def _request(self) -> Iterable[tuple[str, float]]:
        body, secrets, sent = self._body(), [TOKEN], [f"Bearer {TOKEN}"]
        words = LabelValues([ChannelName.EMAIL], record.Result, (), (), (), ())
        metrics = Metrics("bench", _NoClock(), words)
        log = _log()
        yield "request: bearer", _each(lambda: bearer(sent, secrets))
        yield "request: an id", _each(lambda: self._ids(datetime.now(UTC)))
        yield "request: body to alert", _each(lambda: self._read(body))
        yield "request: metrics", _each(lambda: metrics.alert_recorded("particle", "accepted", 0.001))
        facts = {"path": "/webhook/particle", "status": 202, "ms": 1.2, "alert_id": "0" * 36, "reason": "joined" * 10}
        yield "request: log line", _each(lambda: log.info("request", **facts))

    def _record(self, count: int) -> None:
        with self._store.transaction() as connection:
            self._recorder.record(connection, self._alerts(count))

    def _batches(self, size: int, times: int) -> list[tuple[str, float]]:
        took = dict.fromkeys(("begin", "read", "decide", "write", "devices", "commit"), 0.0)
        for _ in range(times):
            batch = self._alerts(size)
            marks = [time.process_time()]
            with self._store.transaction() as connection:
                marks.append(time.process_time())
                planned = self._recorder.read(connection, batch)
                marks.append(time.process_time())
                for alert in batch:
                    self._recorder.add(planned, alert)
                marks.append(time.process_time())
                planned.write(connection)
                marks.append(time.process_time())
                self._recorder.devices.record(connection, [each.sign for each in batch if each.sign])
                marks.append(time.process_time())
            marks.append(time.process_time())
            for name, start, end in zip(took, marks, marks[1:], strict=False):
                took[name] += end - start
        return [(name, seconds / times / size * 1e6) for name, seconds in took.items()]

    def _message(self) -> Iterable[tuple[str, float]]:
        with self._store.transaction() as connection:
            key = self._alerts(1)[0].alert.incident_key
            incident = incidents.last(connection, [key])[key]
            [notification, *_] = notifications.of_incident(connection, incident.id)
        latest = tuple(self._store.read_now(lambda connection: alerts.latest(connection, incident.id, 11)))
        context = MessageContext(
            notification, incident, latest, "Front door", ZoneInfo("UTC"), datetime.now(UTC), "example.net"
        )
        message = render(context)

        def reading() -> None:
            self._store.read_now(lambda connection: alerts.latest(connection, incident.id, 11))

        yield "message: read its incident's latest alerts", _each(reading, 200)
        yield "message: render", _each(lambda: render(context), 200)
        yield "message: compose the mail", _each(lambda: compose(message, "alerts@example.net"), 200)


class _NoClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


def _log() -> structlog.typing.FilteringBoundLogger:
    """Return the logger that requests use, writing to memory."""
    from alertgate.telemetry import configure_logging  # noqa: PLC0415  (it changes the whole process)

    configure_logging("info", "json")
    structlog.configure(logger_factory=structlog.BytesLoggerFactory(BytesIO()))
    logging.disable()
    log: structlog.typing.FilteringBoundLogger = structlog.stdlib.get_logger("bench")
    return log


def _each(act: Callable[[], object], times: int = TIMES) -> float:
    """Return the microseconds of processor time that one call takes."""
    act()
    start = time.process_time()
    for _ in range(times):
        act()
    return (time.process_time() - start) / times * 1e6


def table() -> str:
    """Measure; return the stages as a table."""
    with suppress(AttributeError, OSError):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory(prefix="stages-") as directory:
        stages = Stages(Path(directory))
        try:
            rows = [f"| {name} | {took:.0f} |" for name, took in stages.rows()]
        finally:
            stages.close()
    return "\n".join(["| stage | µs |", "| --- | ---: |", *rows])


if __name__ == "__main__":
    print(table())
