"""The rows of an export: an incident and one of its notifications in each, as CSV that spreadsheets take. Pure.

RFC 4180, with a byte order mark, without which Excel takes UTF-8 for the machine's own code page. What a spreadsheet
would compute gets an apostrophe before it, also behind a semicolon, where in many countries a cell begins.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from alertgate.credential import in_words
from alertgate.model import Attempt, Incident, Notification
from alertgate.notify.render.text import one_line
from alertgate.policy.people import shown_address
from alertgate.web.console.hiding import hider

MARK = "\ufeff"
LONGEST = 1000
"""Characters of a cell."""
_COMPUTED = re.compile(r"(^|[;\t])([\s\"]*)([=+\-@\uff1d\uff0b\uff0d\uff20])")

_INCIDENT = (
    *("incident", "severity", "event", "source", "device", "device_name", "alerts", "status"),
    *("opened", "opened_utc", "last_alert", "last_alert_utc"),
    *("acknowledged", "acknowledged_utc", "acknowledged_by", "acknowledged_how"),
    *("handed_back", "handed_back_utc", "handed_back_by", "handed_back_how"),
    *("resolved", "resolved_utc", "resolved_by", "resolved_how"),
)
_NOTIFICATION = (
    *("notification", "kind", "person", "channel", "address", "why"),
    *("planned", "planned_utc", "state", "finished", "finished_utc", "attempts", "last_answer"),
    *("proof", "proved", "proved_utc", "proved_by", "dismissed_by"),
)
HEADER = (*_INCIDENT, *_NOTIFICATION)

_PLAIN = re.compile(r"[0-9A-Za-z][ -:<-~]{0,998}")
"""What needs no cleaning, as most cells."""

Cell = str | int | None


@dataclass(frozen=True, slots=True)
class Rows:
    """Writes rows, with times in a zone and in UTC."""

    zone: ZoneInfo
    device_name: Callable[[str | None], str | None]
    is_operator: bool
    """Whether addresses are written whole."""

    def write(
        self, about: Sequence[Incident], sent: Iterable[Notification], last: Mapping[str, Attempt], begun: str | None
    ) -> str:
        """Return the rows of some incidents; `begun` is the id of one whose first rows were written before."""
        by_incident: dict[str, list[Notification]] = {}
        for each in sent:
            by_incident.setdefault(each.incident_id, []).append(each)
        return written(
            row
            for incident in about
            for row in self._of(incident, by_incident.get(incident.id, []), last, is_begun=incident.id == begun)
        )

    def _of(
        self, incident: Incident, sent: Sequence[Notification], last: Mapping[str, Attempt], *, is_begun: bool
    ) -> Iterator[list[Cell]]:
        facts = self._incident(incident)
        for each in sent:
            yield [*facts, *self._notification(each, last.get(each.id))]
        if not sent and not is_begun:
            yield [*facts, *([None] * len(_NOTIFICATION))]

    def _incident(self, incident: Incident) -> list[Cell]:
        name = self.device_name(incident.device)
        return [
            *(incident.id, incident.severity, incident.event, incident.source, incident.device, name),
            *(incident.alert_count, incident.status),
            *self._times(incident.opened_at, incident.last_alert_at, incident.acknowledged_at),
            *(incident.acknowledged_by, in_words(incident.acknowledged_with)),
            *self._times(incident.handed_back_at),
            *(incident.handed_back_by, in_words(incident.handed_back_with)),
            *self._times(incident.resolved_at),
            incident.resolved_by,
            f"{incident.resolution or ''}{in_words(incident.resolved_with)}",
        ]

    def _notification(self, each: Notification, last: Attempt | None) -> list[Cell]:
        hide = hider([each], is_operator=self.is_operator)
        address = hide(shown_address(each.channel, each.address))
        person = address if each.person == each.address else each.person
        return [
            *(each.id, each.kind, person, each.channel, address, hide(each.reason)),
            *self._times(each.created_at),
            each.status,
            *self._times(each.finished_at),
            each.attempts,
            hide(f"{last.reason}: {last.reply}") if last else None,
            each.proof,
            *self._times(each.proved_at),
            *(hide(each.proved_by or ""), each.dismissed_by),
        ]

    def _times(self, *times: datetime | None) -> Iterator[Cell]:
        """Yield each time in the zone and in UTC, in ISO 8601."""
        for time in times:
            yield time.astimezone(self.zone).isoformat(timespec="seconds") if time else None
            yield f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if time else None


def written(rows: Iterable[Iterable[Cell]]) -> str:
    """Return rows as lines."""
    made = io.StringIO(newline="")
    csv.writer(made, lineterminator="\r\n").writerows([_cell(each) for each in row] for row in rows)
    return made.getvalue()


def _cell(value: Cell) -> str | int:
    """Return a cell that no spreadsheet computes, without what could deceive a reader."""
    if value is None or isinstance(value, int):
        return "" if value is None else value
    if _PLAIN.fullmatch(value):
        return value
    return _COMPUTED.sub(r"\1\2'\3", one_line(value, LONGEST))
