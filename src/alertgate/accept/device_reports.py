"""Record what the watch has to say of devices, as alerts of its own, in the transaction that stores how they stand."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from alertgate.accept import device_words
from alertgate.accept.device_health import FORTNIGHT, HealthReason, forecast
from alertgate.accept.device_silence import SilenceReason
from alertgate.accept.device_watch import BEGINNINGS, EVENTS, SEVERITIES, Looked, Wanted
from alertgate.accept.device_wide import Wide
from alertgate.accept.device_words import About, Rest
from alertgate.accept.keys import incident_key
from alertgate.accept.record import Recorded, Recorder
from alertgate.accept.rulings import Understood
from alertgate.accept.severity import decide_severity
from alertgate.device import Device, DeviceState
from alertgate.model import Alert, AlertStatus, IncidentStatus, Severity, Signal, Source
from alertgate.notify.directory import Directory
from alertgate.notify.render.text import one_line
from alertgate.own_events import AWAY_EVENT, WatchEvent
from alertgate.policy.matchers import Subject
from alertgate.policy.routes import first
from alertgate.rules import SeverityRules
from alertgate.store import Connection
from alertgate.store import alerts as alert_rows
from alertgate.store import device_watch as rows
from alertgate.store import incidents as incident_rows

LONGEST = 80
"""Characters of a device's name, or id, in a sentence."""
MOST_TIMES = 1000
"""How many times away are summed up."""


class DeviceReporter:
    """Makes and records the alerts. `configured` returns the name of a device's id, unless the API alone gave it one.

    That one is the device's own: what is remembered of it may be a minute old, and the watch looks again but once.
    """

    def __init__(
        self,
        recorder: Recorder,
        directory: Directory,
        new_id: Callable[[datetime], str],
        severities: SeverityRules,
        configured: Callable[[str | None], str | None],
    ) -> None:
        self._recorder = recorder
        self._directory = directory
        self._new_id = new_id
        self._severities = severities
        self._configured = configured

    def name(self, device: Device) -> str | None:
        """Return the name of a device, if it has one."""
        return self._configured(device.id) or device.name

    @property
    def _zone(self) -> ZoneInfo:
        return self._directory.policy.readers_zone

    def _called(self, device: Device) -> str:
        """Return what people read of a device, in one line, whatever its sender calls itself."""
        return one_line(self.name(device) or device.id, LONGEST)

    def _about(self, device: Device, before: Device, wanted: Wanted, now: datetime) -> About:
        return About(device, before, wanted.expected, self._called(device), now, self._zone)

    def changes(self, connection: Connection, looked: Looked, now: datetime) -> list[Alert]:
        """Return what is said of a device that was looked at: a silence that is over, its battery, and so on."""
        device = looked.device
        about = self._about(device, looked.before, looked.wanted, now)
        found = [self._health(connection, about, reason) for reason in looked.health]
        if looked.over:
            said = device_words.silence_over(about, looked.over)
            found.append(self._alert(WatchEvent.SILENT, device.id, said, looked.over, now, over=True))
        return found

    def _health(self, connection: Connection, about: About, reason: HealthReason) -> Alert:
        now, device = about.now, about.device
        lasts = None
        if reason is HealthReason.BATTERY_LOW:
            lasts = forecast(rows.vitals_since(connection, device.id, now - FORTNIGHT), now)
        said = device_words.health(about, reason, lasts)
        return self._alert(EVENTS[reason], device.id, said, reason, now, over=reason not in BEGINNINGS)

    def silence(self, device: Device, wanted: Wanted, now: datetime) -> Alert:
        """Return that one device is silent."""
        said = device_words.silent(self._about(device, device, wanted, now))
        return self._alert(WatchEvent.SILENT, device.id, said, SilenceReason.SILENT, now, over=False)

    def wide(
        self, wide: Wide, devices: Sequence[Device], to: Sequence[Device], watched: int, now: datetime, *, again: bool
    ) -> dict[str, Alert]:
        """Return that many are silent: one alert for each escalation to which the silence of any of `to` would go.

        These are named first, the silent before the late.
        `again`: an incident of the same escalation may be open, about others; this one is told as one of its own.
        """
        since = f" {now.isoformat()}" if again else ""
        ids = {each.id for each in to}
        order = ((each.id not in ids, each.state is not DeviceState.SILENT, self._called(each)) for each in devices)
        names = [name for *_, name in sorted(order)]
        told = sum(each.is_told for each in devices)
        said = device_words.wide(wide, names, watched, told, now, self._zone)
        return {
            escalation: self._alert(
                WatchEvent.NO_WEBHOOKS, stands_for, said, "wide", now, over=False, key=escalation + since
            )
            for escalation, stands_for in self._escalations(to).items()
        }

    def wide_over(self, connection: Connection, wide: Wide, rest: Rest, now: datetime) -> list[Alert]:
        """Return that the wide silence is over, to whom it was told."""
        said = device_words.wide_over(wide, rest, now, self._zone)
        return [
            self._alert(WatchEvent.NO_WEBHOOKS, each.device, said, "wide_over", now, over=True, whole_key=each.key)
            for each in rows.open_wide(connection)
        ]

    def away(self, connection: Connection, began_at: datetime, ended_at: datetime, now: datetime) -> Alert:
        """Return that alertgate couldn't accept anything from then to then. It is over by now: nobody says so.

        Times that are one incident are summed up in its message, as somebody may not have heard of those before. Who
        has acknowledged those knows nothing of this one, so it and those that follow are another incident.
        """
        key = incident_key(Source.ALERTGATE, AWAY_EVENT)
        while (last := incident_rows.last(connection, [key]).get(key)) and last.status is IncidentStatus.ACKNOWLEDGED:
            key = incident_key(Source.ALERTGATE, AWAY_EVENT, last.id)
        times = [(began_at, ended_at)]
        if last and last.status is IncidentStatus.OPEN:
            times += _times(alert_rows.latest(connection, last.id, MOST_TIMES))
        return Alert(
            id=self._new_id(now),
            received_at=now,
            source=Source.ALERTGATE,
            status=AlertStatus.ACCEPTED,
            signal=Signal.FIRING,
            event=AWAY_EVENT,
            severity=Severity.INFO,
            incident_key=key,
            message=device_words.away(times, now, self._zone),
            data={"since": began_at.isoformat(), "until": ended_at.isoformat()},
        )

    def escalation(self, device: Device | None) -> str:
        """Return the escalation to which a wide silence would go if it were about this device alone, or about none."""
        event = WatchEvent.NO_WEBHOOKS
        name = self.name(device) if device else None
        subject = Subject(event, self._severity(event), Source.WATCH, device.id if device else None, name)
        return first(self._directory.policy.routes, subject).escalation

    def _escalations(self, devices: Sequence[Device]) -> dict[str, str | None]:
        """Return the escalations to which the silences would go, each with a device whose routes lead there.

        It needs none where an incident without a device goes there, too.
        """
        found: dict[str, str | None] = {}
        for each in devices:
            found.setdefault(self.escalation(each), each.id)
        if (for_all := self.escalation(None)) in found:
            found[for_all] = None
        return found

    def _severity(self, event: WatchEvent) -> Severity:
        default = SEVERITIES.get(event)
        if default is None:
            default = self._severity(WatchEvent.SILENT)
        return decide_severity((), event, SeverityRules(self._severities.rules, default)).severity

    def _alert(
        self,
        event: WatchEvent,
        device: str | None,
        message: str,
        reason: str,
        now: datetime,
        *,
        over: bool,
        key: str | None = None,
        whole_key: str | None = None,
    ) -> Alert:
        return Alert(
            id=self._new_id(now),
            received_at=now,
            source=Source.WATCH,
            status=AlertStatus.ACCEPTED,
            signal=Signal.RESOLVED if over else Signal.FIRING,
            event=event,
            severity=self._severity(event),
            incident_key=whole_key or incident_key(Source.WATCH, event, key or device or ""),
            device=device,
            message=message,
            data={"reason": str(reason)},
        )

    def record(self, connection: Connection, alerts: Sequence[Alert]) -> list[Recorded]:
        """Store alerts, and plan who is told."""
        return self._recorder.record(connection, [Understood(each) for each in alerts]) if alerts else []


def _times(said: Iterable[Alert]) -> list[tuple[datetime, datetime]]:
    """Return which times alerts of AWAY_EVENT are about."""
    kept = (each.data for each in said if isinstance(each.data, dict))
    return [(datetime.fromisoformat(str(each["since"])), datetime.fromisoformat(str(each["until"]))) for each in kept]
