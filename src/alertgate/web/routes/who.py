"""Who would be told of an incident, when and why: for people and programs that hold the token."""

import asyncio
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from alertgate.errors import FieldError, Invalid
from alertgate.model import Severity, Source
from alertgate.notify.forecast import Forecast, forecast
from alertgate.notify.forecast_words import line
from alertgate.policy.matchers import Subject
from alertgate.policy.routes import sentence
from alertgate.policy.written import read_moment
from alertgate.web.answers import AsciiJson
from alertgate.web.dependencies import CurrentGate
from alertgate.web.guards import api_guard
from alertgate.web.problem_answers import GUARDED, WRONG
from alertgate.web.queries import LONGEST_NAME

LONGEST_EVENT = 256

router = APIRouter(prefix="/api", tags=["api"], dependencies=[Depends(api_guard)], responses=GUARDED)


class WhoQuery(BaseModel):
    """The incident that is asked about."""

    model_config = ConfigDict(extra="forbid")

    event: str = Field(min_length=1, max_length=LONGEST_EVENT)
    device: str | None = Field(None, max_length=LONGEST_NAME, description="The device's id or name")
    severity: Severity = Severity.WARNING
    source: Source = Source.PARTICLE
    at: str = Field("now", max_length=40, description="When it opens: `now`, `Sat 03:00` or `2026-12-24 08:00`")


class ForeseenView(BaseModel):
    """One message."""

    at: str
    person: str = Field(description="The name; of a recipient of the settings, the masked address")
    via: str = Field(description="The name in the step that led to the person: theirs, or a schedule's with its `@`")
    contact: str = Field(description="The channel and the masked address")
    reason: str = Field(description="What is told, such as `first_step`, `next_step`, `all_quiet` or `reminder`")
    number: int | None = Field(description="Of the step or reminder")
    hold: str = Field(description="`at_once`, `delayed`, `quiet_hours` or `outside_hours`")
    text: str = Field(description="The same as a sentence")


class WhoView(BaseModel):
    """Who would be told if the incident stayed open and nobody answered."""

    policy: str | None = Field(description="Names the policy in force; null when there is none")
    at: str
    escalation: str
    route: str = Field(description="Where the incident goes and why")
    told: list[ForeseenView] = Field(description="In the order of time; of the reminders the first")


@router.get("/who", response_model=WhoView, responses=WRONG)
async def who(gate: CurrentGate, query: Annotated[WhoQuery, Query()]) -> AsciiJson:
    """Return who would be told of an incident, when and why, by the policy in force."""
    policy = gate.policies.current.policy
    try:
        opens_at = read_moment(query.at, gate.clock.now(), policy.zone)
    except ValueError as error:
        raise Invalid("The time can't be read.", (FieldError("at", str(error)),)) from None
    subject = Subject(query.event, query.severity, query.source, *gate.device_names.find(query.device))
    found = await asyncio.to_thread(forecast, policy, subject, opens_at)  # seconds, if a step names a hundred schedules
    return AsciiJson(_shown(found, gate.policies.current.name))


def _shown(found: Forecast, policy: str | None) -> dict[str, Any]:
    return {
        "policy": policy,
        "at": found.opens_at,
        "escalation": found.routed.escalation,
        "route": sentence(found.routed),
        "told": [{**asdict(each), "text": line(each)} for each in found.told],
    }
