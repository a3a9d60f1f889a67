"""alertgate.toml as pydantic reads it: one model for each table. `references.py` looks up the names. Pure."""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from functools import cache
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    ValidationInfo,
    model_validator,
)

from alertgate.addresses import mask
from alertgate.characters import is_shown
from alertgate.model import ChannelName, Severity
from alertgate.policy.bounds import did_you_mean
from alertgate.policy.escalations import RESERVED, SCHEDULE_MARK
from alertgate.policy.events import EventName, EventRule
from alertgate.policy.people import SECRET_PREFIX, Contact, QuietHours
from alertgate.policy.references import LONGEST_NAME
from alertgate.policy.surroundings import Surroundings
from alertgate.policy.wall_clock import DAY, Hours
from alertgate.policy.written import read_clock, read_days, read_duration, read_hours, read_quiet_hours
from alertgate.words import read_severity

MOST_RULES = 500
"""Tables of `[[events]]` and of `[[routes]]`."""
MOST_DEVICES = 5000
SHORTEST_EXPECTED = timedelta(minutes=1)
"""The watch looks every few seconds, and devices that storm are noted once a minute."""
MOST_PEOPLE = 1000
MOST_ESCALATIONS = 100
"""And schedules."""
MOST_IN_A_LIST = 100
AFTER = " after "


def _text(value: Any, example: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be text in quotes, as in {example}")  # noqa: TRY004  (pydantic wants it)
    return value


def _name(value: str) -> str:
    if not 0 < len(value) <= LONGEST_NAME:
        raise ValueError(f"must be a name of at most {LONGEST_NAME} characters")
    if not is_shown(value) or value != value.strip():
        raise ValueError("isn't a name that can be seen as it is: leave out invisible characters and spaces around it")
    if value.startswith(SCHEDULE_MARK):
        raise ValueError(f"begins with {SCHEDULE_MARK}, which only marks schedules in `notify`: leave it out")
    return value


def _escalation_name(value: str) -> str:
    if value in RESERVED:
        raise ValueError("is a name that alertgate itself uses: choose another one")
    return _name(value)


def _mention(value: Any) -> str:
    return _text(value, '"owner"')


def _mentions(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _contact(value: Any, info: ValidationInfo) -> Contact:
    text = _text(value, '"email:me@example.org"')
    channel, colon, rest = text.partition(":")
    address, _, after = (part.strip() for part in rest.partition(AFTER))
    known: Surroundings = info.context or Surroundings()
    if not colon or not address:
        raise ValueError('is no contact: write a channel and an address, as in "email:me@example.org"')
    names = [name for name in known.channels if name is not ChannelName.TWILIO]  # that is sms:+15551234567
    if channel not in names:
        said = ", ".join(names)
        raise ValueError(f"names a channel that isn't there{did_you_mean(channel, names)} (there are: {said})")
    delay = read_duration(after) if after else timedelta(0)
    if AFTER in rest and not after:
        raise ValueError('says no time after `after`: write one, as in "after 3m"')
    if address.startswith("$"):
        _check_secret(address)
    else:
        try:
            known.check(ChannelName(channel), address)
        except ValueError as error:
            raise ValueError(str(error).replace(address, mask(address))) from None
    return Contact(ChannelName(channel), address, delay)


def _check_secret(address: str) -> None:
    name = address.removeprefix(SECRET_PREFIX)
    if name == address or not name.replace("_", "").isalnum() or not name.isascii() or name != name.upper():
        raise ValueError(f"names a secret that can't be one: only {SECRET_PREFIX}NAME is looked up, in capitals")


def _zone(value: Any) -> ZoneInfo:
    text = _text(value, '"Europe/Berlin"')
    if text not in _zones():
        hint = did_you_mean(text, _zones()) if len(text) <= LONGEST_NAME else ""
        raise ValueError(f"isn't a time zone{hint or ': write one like Europe/Berlin'}")
    return ZoneInfo(text)


@cache
def _zones() -> frozenset[str]:
    """Return the names of all time zones, which are looked for in folders."""
    return frozenset(available_timezones())


def _clock(value: Any) -> Any:
    if isinstance(value, time):
        return value
    since = read_clock(_text(value, '"08:00"'))
    if since == DAY:
        raise ValueError("is 24:00: write 00:00")
    return time(since.seconds // 3600, since.seconds // 60 % 60)


def _moment(value: Any) -> datetime:
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(_text(value, '"2026-12-24 08:00"'))
    except ValueError:
        raise ValueError('is no date and time: write them as in "2026-12-24 08:00"') from None
    if found.tzinfo:
        raise ValueError("has an offset: write the local time alone, of the schedule's zone")
    return found


def _severity(value: Any) -> Severity:
    found = read_severity(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("is no severity: write info, warning or critical")
    return found


def _some_time(value: timedelta) -> timedelta:
    if not value:
        raise ValueError("is no time at all: write at least a second")
    return value


Name = Annotated[str, AfterValidator(_name)]
EscalationName = Annotated[str, AfterValidator(_escalation_name)]
Names = Annotated[
    tuple[Annotated[str, BeforeValidator(_mention)], ...],
    BeforeValidator(_mentions),
    Field(min_length=1, max_length=MOST_IN_A_LIST),
]
ContactText = Annotated[InstanceOf[Contact], BeforeValidator(_contact)]
Zone = Annotated[InstanceOf[ZoneInfo], BeforeValidator(_zone)]
Clock = Annotated[time, BeforeValidator(_clock)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
Span = Annotated[timedelta, BeforeValidator(lambda value: read_duration(_text(value, '"10m"')))]
Period = Annotated[Span, AfterValidator(_some_time)]
Days = Annotated[frozenset[int], BeforeValidator(lambda value: read_days(_text(value, '"mon-fri"')))]
HoursText = Annotated[
    InstanceOf[Hours], BeforeValidator(lambda value: read_hours(_text(value, '"mon-fri 08:00-21:00"')))
]
Quiet = Annotated[
    InstanceOf[QuietHours],
    BeforeValidator(lambda value: read_quiet_hours(_text(value, '"22:30-06:30 except critical"'))),
]
Least = Annotated[Severity, BeforeValidator(_severity)]


class Table(BaseModel):
    """A table of the file: an unknown key in it is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class PersonTable(Table):
    """`[people.NAME]`."""

    contacts: tuple[ContactText, ...] = Field(min_length=1, max_length=MOST_IN_A_LIST)
    quiet_hours: Quiet | None = None
    timezone: Zone | None = None


class TurnTable(Table):
    """One of `week`: from handover to handover on `days`, or within `hours`."""

    who: Names
    days: Days | None = None
    hours: HoursText | None = None

    @model_validator(mode="after")
    def _has_a_time(self) -> Self:
        if self.days is None and self.hours is None:
            raise ValueError("says no time: add days or hours")
        if self.days is not None and self.hours and not self.hours.on(self.days).spans:
            raise ValueError("has hours on none of its days: name the days in one of the two alone")
        return self


class OverrideTable(Table):
    """One of `overrides`."""

    who: Names
    start: Moment = Field(alias="from")
    until: Moment

    @model_validator(mode="after")
    def _has_a_duration(self) -> Self:
        if self.until <= self.start:
            raise ValueError("ends before it begins: `until` must be later than `from`")
        return self


class ScheduleTable(Table):
    """`[schedules.NAME]`."""

    week: tuple[TurnTable, ...] = Field(min_length=1, max_length=MOST_IN_A_LIST)
    handover: Clock = time(0)
    otherwise: Names | None = None
    overrides: tuple[OverrideTable, ...] = Field((), max_length=MOST_RULES)
    timezone: Zone | None = None


class StepTable(Table):
    """One of `steps`."""

    notify: Names
    after: Span = timedelta(0)
    min_severity: Least | None = None


class EscalationTable(Table):
    """`[escalations.NAME]`; what isn't given has the default of `escalations.Escalation`."""

    steps: tuple[StepTable, ...] = Field(min_length=1, max_length=MOST_IN_A_LIST)
    repeat_every: Period | None = None
    stop_after: Period | None = None
    again_after_ack: Period | None = None
    hours: HoursText | None = None
    timezone: Zone | None = None


class RouteTable(Table):
    """One `[[routes]]` table."""

    escalation: Annotated[str, BeforeValidator(_mention)]
    event: EventName | None = None
    device: EventName | None = None
    source: EventName | None = None
    min_severity: Least | None = None
    wait: Span = timedelta(0)


def _expectable(value: timedelta) -> timedelta:
    if value < SHORTEST_EXPECTED:
        raise ValueError('is shorter than a minute, and the watch is no finer: write "1m" or more')
    return value


def _number(value: Any, least: int, most: int, example: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(f"must be a whole number from {least} to {most}, as in {example}")
    return value


Percent = Annotated[int, BeforeValidator(lambda value: _number(value, 1, 90, "battery = 20"))]
Outages = Annotated[int, BeforeValidator(lambda value: _number(value, 1, 1000, "flaps = 6"))]


class DeviceTable(Table):
    """`[devices."ID or glob of names"]`."""

    name: Name | None = None
    expect_every: Annotated[Span, AfterValidator(_expectable)] | None = None
    grace: Period | None = None
    battery: Percent | None = None
    flaps: Outages | None = None


class Document(Table):
    """The whole file."""

    timezone: Zone | None = None
    operator: Names | None = None
    people: Mapping[Name, PersonTable] = Field(default_factory=dict, max_length=MOST_PEOPLE)
    schedules: Mapping[Name, ScheduleTable] = Field(default_factory=dict, max_length=MOST_ESCALATIONS)
    escalations: Mapping[EscalationName, EscalationTable] = Field(default_factory=dict, max_length=MOST_ESCALATIONS)
    routes: tuple[RouteTable, ...] = Field((), max_length=MOST_RULES)
    events: tuple[EventRule, ...] = Field((), max_length=MOST_RULES)
    devices: Mapping[EventName, DeviceTable] = Field(default_factory=dict, max_length=MOST_DEVICES)
