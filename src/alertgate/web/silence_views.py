"""How silences are asked for, and look, in the API."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from alertgate.credential import Credential
from alertgate.group.silencing import LONGEST_GLOB, LONGEST_NOTE, Wanted
from alertgate.model import Severity
from alertgate.policy.written import LONGEST_TEXT, read_duration
from alertgate.silence import Silence
from alertgate.web.answers import AsciiJson, silence_view
from alertgate.web.queries import LONGEST_NAME, MOST, USUAL, Name, Time, read_body
from alertgate.web.views import SilenceView

REMEDY = 'Send what to silence, and for how long: {"event": "door/*", "for": "2h", "by": "Anna"}.'


def _checked(text: str) -> str:
    read_duration(text)
    return text


Glob = Annotated[str, Field(min_length=1, max_length=LONGEST_GLOB)]
Duration = Annotated[
    str,
    Field(max_length=LONGEST_TEXT),
    AfterValidator(_checked),
    WithJsonSchema({"type": "string", "pattern": "^[1-9][0-9]{0,2}[smh]$", "examples": ["2h"]}),
]


class SilenceRequest(BaseModel):
    """What to silence, and until when. At least one of event, device and source; `for` or `ends_at`."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    event: Glob | None = Field(None, description="A glob over the event's name", examples=["door/*"])
    device: Glob | None = Field(None, description="A glob over the device's id or name, in any case")
    source: Glob | None = Field(
        None, description="A glob over `particle`, `generic`, or what a generic sender calls itself"
    )
    min_severity: Severity | None = Field(None, description="Only what is at least as severe")
    unless: Severity | None = Field(None, description="What is at least as severe is told all the same")
    begins_at: Time | None = Field(None, description="ISO 8601 or Unix seconds; without it, now")
    ends_at: Time | None = Field(None, description="At most 90 days after the beginning")
    lasting: Duration | None = Field(None, alias="for", description="Instead of `ends_at`: 90m, 2h, 1d12h")
    note: str | None = Field(None, description="Why", min_length=1, max_length=LONGEST_NOTE, examples=["carpenter"])
    by: Name = Field("api", min_length=1, max_length=LONGEST_NAME, description="A person's name", examples=["Anna"])

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        if (self.ends_at is None) is (self.lasting is None):
            raise ValueError("it needs an end: either `for` or `ends_at`")
        return self

    @classmethod
    def read(cls, body: bytes) -> Self:
        """Read a body. Raises Malformed, Invalid."""
        return read_body(cls, body, REMEDY)

    def wanted(self, credential: Credential) -> Wanted:
        """Return it as the gate takes it."""
        said: dict[str, Any] = self.model_dump(exclude={"lasting"})
        lasting: timedelta | None = read_duration(self.lasting) if self.lasting else None
        return Wanted(**said, lasting=lasting, credential=credential)


class SilenceQuery(BaseModel):
    """The pages of the list of silences."""

    model_config = ConfigDict(extra="forbid")

    over: bool = Field(default=False, description="Also those that are over")
    limit: int = Field(USUAL, ge=1, le=MOST, description="At most this many")
    cursor: str | None = Field(None, max_length=100, description="`next` of the page before")


class SilenceBegun(SilenceView):
    """A new silence."""

    open_incidents: int = Field(description="How many incidents that aren't over it matches now")


class SilenceList(BaseModel):
    """One page of silences, newest first."""

    items: list[SilenceView]
    next: str | None = Field(description="The `cursor` of the next page; null on the last one")


def show_silence(silence: Silence, now: datetime, **more: Any) -> AsciiJson:
    """Return a silence as the API's answer."""
    return AsciiJson({**silence_view(silence, now), **more})


def show_silences(page: Iterable[Silence], next_cursor: str | None, now: datetime) -> AsciiJson:
    """Return a page of silences as the API's answer."""
    return AsciiJson({"items": [silence_view(each, now) for each in page], "next": next_cursor})
