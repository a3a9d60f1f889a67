"""The filters of the API's lists, and the body that says who does something."""

import re
from datetime import UTC, datetime
from typing import Annotated, ClassVar, Self, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from alertgate.accept.times import LATEST, TIME_SCHEMA
from alertgate.characters import is_shown
from alertgate.errors import FieldError, Invalid, Malformed
from alertgate.model import AlertStatus, ChannelName, IncidentStatus, NotificationStatus, Severity, Source
from alertgate.store.pages import Wanted, WantedNotifications

MOST = 200
USUAL = 50
LONGEST_NAME = 128
LONGEST_SNOOZE = 7 * 24 * 60
"""Minutes."""

Body = TypeVar("Body", bound=BaseModel)
_LOST_PLUS = re.compile(r"(:\d\d(?:\.\d+)?) (\d\d:?\d\d)$")


def _with_plus(value: object) -> object:
    """Give `+00:00` back its plus, which a query string reads as a space; take Unix seconds as nothing else."""
    if not isinstance(value, str):
        return value
    try:
        seconds = float(value)
    except ValueError:
        return _LOST_PLUS.sub(r"\1+\2", value)
    if not 0 <= seconds <= LATEST:
        raise ValueError("a number is Unix seconds, from 0 on")
    return value


def _aware(value: datetime) -> datetime:
    return value if value.tzinfo else value.replace(tzinfo=UTC)


Time = Annotated[
    datetime,
    BeforeValidator(_with_plus),
    AfterValidator(_aware),
    WithJsonSchema(TIME_SCHEMA),
]


class PageQuery(BaseModel):
    """The filters of every list, and its pages."""

    model_config = ConfigDict(extra="forbid")  # a misspelt filter would match more than was meant

    severity: Severity | None = None
    since: Time | None = Field(
        None, description="From this time on: ISO 8601 (UTC if it names no zone) or Unix seconds"
    )
    until: Time | None = Field(None, description="Before this time")
    limit: int = Field(USUAL, ge=1, le=MOST, description="At most this many")
    cursor: str | None = Field(None, max_length=100, description="`next` of the page before")


class ListQuery(PageQuery):
    """The filters of the lists of alerts and incidents."""

    device: str | None = Field(None, description="The device's id")
    event: str | None = Field(None, description="The event's whole name")
    source: Source | None = None


class AlertQuery(ListQuery):
    """The filters of the list of alerts; its times are about `received_at`."""

    status: AlertStatus | None = None

    def wanted(self) -> Wanted:
        """Return it as the store takes it."""
        return Wanted(**self.model_dump(exclude={"limit", "cursor"}))


class IncidentQuery(ListQuery):
    """The filters of the list of incidents; its times are about `opened_at`."""

    status: IncidentStatus | None = None

    def wanted(self) -> Wanted:
        """Return it as the store takes it."""
        return Wanted(**self.model_dump(exclude={"limit", "cursor"}))


class NotificationQuery(PageQuery):
    """The filters of the list of notifications; its times are about `created_at`."""

    status: NotificationStatus | None = None
    channel: ChannelName | None = None
    incident_id: UUID | None = None
    outstanding: bool = Field(default=False, description="Only failed ones with which nobody has dealt")

    def wanted(self) -> WantedNotifications:
        """Return it as the store takes it, but for `outstanding`."""
        named = self.model_dump(exclude={"limit", "cursor", "outstanding", "incident_id"})
        return WantedNotifications(**named, incident_id=str(self.incident_id) if self.incident_id else None)


def _shown(value: str) -> str:
    if not is_shown(value):
        raise ValueError("holds a character that can't be shown, such as a line break")
    return value


Name = Annotated[str, AfterValidator(_shown)]


class By(BaseModel):
    """Who acknowledges, resolves or dismisses."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)
    _remedy: ClassVar[str] = 'Leave it out, or send {"by": "Anna"}.'

    by: Name = Field("api", min_length=1, max_length=LONGEST_NAME, description="A person's name", examples=["Anna"])

    @classmethod
    def read(cls, body: bytes) -> Self:
        """Read a body, which may be empty. Raises Malformed, Invalid."""
        return read_body(cls, body, cls._remedy) if body.strip() else cls()


def read_body(model: type[Body], body: bytes, remedy: str) -> Body:
    """Read a body in JSON. Raises Malformed, Invalid, which say what to do."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
    problems = tuple(FieldError(".".join(map(str, e["loc"])), e["msg"].removeprefix("Value error, ")) for e in found)
    if found[0]["type"] == "json_invalid":
        raise Malformed(f"The body isn't JSON; nothing was changed. {remedy}", problems)
    raise Invalid(f"The body can't be used; nothing was changed. {remedy}", problems)


class Snooze(By):
    """Who snoozes, and for how long."""

    _remedy: ClassVar[str] = 'Leave it out, or send {"by": "Anna", "minutes": 60}.'

    minutes: int = Field(60, ge=1, le=LONGEST_SNOOZE, description="After which its escalation starts anew")
