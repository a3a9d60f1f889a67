"""Silences, for people and programs that hold the API's token."""

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from alertgate.credential import Credential
from alertgate.errors import Conflict, Invalid, NotFound
from alertgate.group.silencing import Silenced, SilenceResult
from alertgate.store import silences
from alertgate.web.acts import log_silence, log_silence_end
from alertgate.web.answers import AsciiJson
from alertgate.web.cursor import seal, unseal
from alertgate.web.dependencies import CurrentGate, Gate
from alertgate.web.guards import ApiBody, api_guard
from alertgate.web.openapi import body_of
from alertgate.web.problem_answers import API_BODY, GUARDED, NOT_SILENCED, SILENCE_OVER, WRONG, WRONG_ID, missing
from alertgate.web.queries import LONGEST_NAME, Name
from alertgate.web.silence_views import (
    REMEDY,
    SilenceBegun,
    SilenceList,
    SilenceQuery,
    SilenceRequest,
    show_silence,
    show_silences,
)
from alertgate.web.views import SilenceView

LISTING = "silences"

router = APIRouter(prefix="/api/silences", tags=["api"], dependencies=[Depends(api_guard)], responses=GUARDED)

ByName = Annotated[Name, Query(min_length=1, max_length=LONGEST_NAME, description="A person's name")]


@router.get("", response_model=SilenceList, responses=WRONG)
async def list_silences(gate: CurrentGate, query: Annotated[SilenceQuery, Query()]) -> AsciiJson:
    """Return the silences that aren't over, also those that begin later, newest first; with `over`, all of them."""
    key, now, limit = gate.settings.secret_key, gate.clock.now(), query.limit
    before = unseal(LISTING, query.cursor, key) if query.cursor is not None else None
    since = None if query.over else now
    found = await gate.store.read(partial(silences.page, over_after=since, before=before, limit=limit + 1))
    page = found[:limit]
    return show_silences(page, seal(LISTING, page[-1].id, key) if len(found) > limit else None, now)


@router.post(
    "",
    status_code=201,
    response_model=SilenceBegun,
    responses={**API_BODY, **NOT_SILENCED},
    openapi_extra=body_of(SilenceRequest, "application/json"),
)
async def silence(body: ApiBody, gate: CurrentGate) -> AsciiJson:
    """Silence what matches until a time: what is to be said of it is held until then, and never cancelled."""
    wanted, now = SilenceRequest.read(body).wanted(Credential.API_TOKEN), gate.clock.now()
    done = await gate.store.write(partial(gate.silencer.begin, wanted=wanted, now=now))
    if done.silence is None:
        raise Invalid(f"The silence can't be; nothing was changed. {REMEDY}", done.errors)
    log_silence(done.silence)
    answer = show_silence(done.silence, now, open_incidents=done.open_incidents)
    answer.status_code = 201
    return answer


@router.get("/{silence_id}", response_model=SilenceView, responses={**missing("silence"), **WRONG_ID})
async def get_silence(silence_id: UUID, gate: CurrentGate) -> AsciiJson:
    """Return one silence."""
    found = await gate.store.read(partial(silences.get, silence_id=str(silence_id)))
    if found is None:
        raise _missing(silence_id)
    return show_silence(found, gate.clock.now())


@router.delete(
    "/{silence_id}", response_model=SilenceView, responses={**missing("silence"), **SILENCE_OVER, **WRONG_ID}
)
async def end_silence(silence_id: UUID, gate: CurrentGate, by: ByName = "api") -> AsciiJson:
    """End a silence now: what it held is released at once. If somebody ended it before, nothing changes."""
    now = gate.clock.now()
    ended = partial(
        gate.silencer.end, silence_id=str(silence_id), by=by.strip(), credential=Credential.API_TOKEN, now=now
    )
    done = await gate.store.write(ended)
    if done is None or done.silence is None:
        raise _missing(silence_id)
    if done.result is SilenceResult.OVER:
        raise Conflict(f"Silence {silence_id} came to its end at {done.silence.ends_at:%Y-%m-%d %H:%M:%S} UTC.")
    await _release(done, gate)
    return show_silence(done.silence, now)


async def _release(done: Silenced, gate: Gate) -> None:
    """Send what a silence held that somebody has ended now."""
    if done.result is SilenceResult.ENDED and done.silence:
        log_silence_end(done.silence)
        await gate.escalations.run()
        gate.deliverer.wake()


def _missing(silence_id: UUID) -> NotFound:
    return NotFound(f"There is no silence {silence_id}; it was never stored, or retention deleted it.")
