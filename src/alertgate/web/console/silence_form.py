"""The form that begins a silence: what is typed, read as a person writes times. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from alertgate.credential import Credential
from alertgate.errors import FieldError
from alertgate.group.silencing import GLOBS, LONGEST_GLOB, LONGEST_NOTE, Wanted
from alertgate.model import Severity
from alertgate.web.console.fields import Fields

NAMES = ("event", "device", "source", "min_severity", "unless", "begin", "lasting", "until", "note")
_FORM = {"begins_at": "begin", "for": "lasting", "ends_at": "until"}
"""The form's names for those that `problems` gives."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A silence that somebody asks for, by whom, and when."""

    by: str
    credential: Credential
    zone: ZoneInfo
    now: datetime


def read(given: Mapping[str, str], asked: Asked) -> tuple[Fields, Wanted]:
    """Return what was typed with what is wrong with it, and the silence; of what is wrong it has nothing."""
    fields, now, zone = Fields(NAMES, given), asked.now, asked.zone
    begins_at = fields.moment("begin", now, zone)
    wanted = Wanted(
        by=asked.by,
        credential=asked.credential,
        event=fields.text("event", LONGEST_GLOB),
        device=fields.text("device", LONGEST_GLOB),
        source=fields.text("source", LONGEST_GLOB),
        min_severity=fields.choice("min_severity", Severity),
        unless=fields.choice("unless", Severity),
        note=fields.text("note", LONGEST_NOTE),
        begins_at=begins_at,
        lasting=fields.duration("lasting"),
        ends_at=fields.moment("until", (begins_at or now) + timedelta.resolution, zone),
    )
    if not any(fields.values[name] for name in GLOBS):
        fields.wrong.setdefault("event", "is missing, and so are device and source; * is everything")
    _check_end(fields)
    return fields, wanted


def date(fields: Fields, wanted: Wanted, zone: ZoneInfo) -> None:
    """Write the times with their dates: `08:00`, confirmed after eight, would mean the next day's.

    So a length from a beginning on is written as its end; one that counts from now counts from the confirmation.
    """
    ends_at = wanted.ends_at
    if wanted.begins_at and wanted.lasting:
        ends_at, fields.values["lasting"] = wanted.begins_at + wanted.lasting, ""
    for name, at in (("begin", wanted.begins_at), ("until", ends_at)):
        if at:
            fields.values[name] = at.astimezone(zone).isoformat(" ", "seconds")


def refuse(fields: Fields, problems: Iterable[FieldError]) -> None:
    """Note what the gate says is wrong with the silence, at the form's own fields."""
    fields.refuse(problems, _FORM)


def _check_end(fields: Fields) -> None:
    has_length, has_end = bool(fields.values["lasting"]), bool(fields.values["until"])
    if has_length and has_end:
        fields.wrong.setdefault("until", "and a length of time are both given: leave one of them out")
    elif not (has_length or has_end):
        fields.wrong.setdefault("lasting", "is missing: say how long, as in 2h, or until when")
