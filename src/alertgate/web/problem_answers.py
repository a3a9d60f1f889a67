"""The problems that each kind of path answers, as the OpenAPI document shows them: each with an example of its own.

An example is made of the exception that is raised, by the code that answers it.
"""

from typing import Any

from alertgate.errors import (
    BodyTooLarge,
    BodyTooSlow,
    Conflict,
    FieldError,
    Invalid,
    Malformed,
    NotFound,
    RateLimited,
    StoreError,
    SwitchedOff,
    Unauthenticated,
    WrongContentType,
)
from alertgate.web.problems import MEDIA_TYPE, described

Answers = dict[int | str, dict[str, Any]]
"""Answers by status, as FastAPI's `responses` takes them."""

_ID = "01a20961-af00-73c2-a8c1-d94c243485f2"
_OTHER_ID = "01a20961-b3e8-7d11-9d0c-6f0a4c1be2a7"
_BY = 'The body can\'t be used; nothing was changed. Leave it out, or send {"by": "Anna"}.'
_STORE = StoreError("")
_TOO_SLOW = BodyTooSlow("The body didn't arrive within 10 s (BODY_TIMEOUT); nothing was stored.")
_TOO_LARGE = BodyTooLarge("The body is larger than 131,072 bytes (MAX_BODY_BYTES); nothing was stored.")


def problem_answer(description: str, *examples: Exception, headers: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return an answer that is a problem, with what each of some errors is answered."""
    bodies = [described(example) for example in examples]
    content: dict[str, Any] = {"schema": {"$ref": "#/components/schemas/Problem"}}
    if len(bodies) == 1:
        content["example"] = bodies[0]
    else:
        content["examples"] = {
            str(number): {"summary": body["detail"].partition(". ")[0], "value": body}
            for number, body in enumerate(bodies, start=1)
        }
    return {
        "description": description,
        "content": {MEDIA_TYPE: content},
        "headers": {name: {"schema": {"type": "string"}} for name in headers},
    }


def _limited(description: str, detail: str) -> dict[str, Any]:
    return problem_answer(description, RateLimited(detail, retry_after=12), headers=("Retry-After",))


def guarded(setting: str) -> Answers:
    """Return what the guard of a bearer token answers."""
    missing = f"No credential was sent. Send Authorization: Bearer with {setting}."
    wrong = f"The credential is wrong. Send Authorization: Bearer with {setting}."
    off = SwitchedOff(f"This is switched off, because {setting} isn't set. Set it and restart alertgate.")
    return {
        401: problem_answer(
            "No or wrong token",
            Unauthenticated(missing, scheme="Bearer"),
            Unauthenticated(wrong, scheme="Bearer"),
            headers=("WWW-Authenticate",),
        ),
        429: _limited(
            "Wrong token, after too many failed requests from this address",
            "Too many failed requests from this address. The limit is 20 per 1 minute; try again in 12 s.",
        ),
        503: problem_answer(
            "The database can't be used now, or this is switched off", _STORE, off, headers=("Retry-After",)
        ),
    }


GUARDED = guarded("API_TOKEN")
_BODY: Answers = {
    408: problem_answer("The body took too long", _TOO_SLOW),
    413: problem_answer("The body is too large", _TOO_LARGE),
}
PARTICLE_PROBLEMS: Answers = {
    **guarded("PARTICLE_WEBHOOK_SECRET"),
    **_BODY,
    422: problem_answer(
        "Can't be read; stored nevertheless (with PARTICLE_STRICT)",
        Invalid(
            f"The body can't be read; it is kept as alert {_ID}. Fix the webhook's template.",
            (FieldError("", "Invalid JSON: expected `,` or `}` at line 1 column 36"),),
        ),
    ),
    429: _limited(
        "Over the rate limit", "Too many requests of this device. The limit is 600 per 1 minute; try again in 12 s."
    ),
}
GENERIC_PROBLEMS: Answers = {
    400: problem_answer(
        "Not valid JSON",
        Malformed(
            "The body is not valid JSON; nothing was stored. Send one JSON object in UTF-8.",
            (FieldError("", "Invalid JSON: EOF while parsing an object at line 1 column 15"),),
        ),
    ),
    401: problem_answer(
        "No or wrong credential",
        Unauthenticated(
            "The credential is wrong. Sign the raw body with WEBHOOK_SECRET, and send X-Hub-Signature-256 or the "
            "three Standard Webhooks headers.",
            scheme="Signature",
        ),
        Unauthenticated("The credential is wrong. Send Authorization: Bearer with WEBHOOK_TOKEN.", scheme="Bearer"),
        headers=("WWW-Authenticate",),
    ),
    **_BODY,
    415: problem_answer(
        "The body is compressed",
        WrongContentType("The body is compressed (gzip); send it as it is. Nothing was stored."),
    ),
    422: problem_answer(
        "Fields are missing or wrong",
        Invalid(
            "The body is JSON, but not a valid alert; nothing was stored. Fix the fields listed in `errors`.",
            (FieldError("message", "Field required"),),
        ),
    ),
    429: _limited(
        "Over the rate limit", "Too many requests from this address. The limit is 20 per 1 minute; try again in 12 s."
    ),
    503: problem_answer(
        "Can't be stored now, or this webhook is switched off",
        _STORE,
        SwitchedOff(
            "This is switched off, because WEBHOOK_SECRET isn't set, nor is WEBHOOK_TOKEN. Set one of them and restart "
            "alertgate."
        ),
        headers=("Retry-After",),
    ),
}

WRONG: Answers = {
    422: problem_answer(
        "Parameters are wrong",
        Invalid(
            "Parameters are missing or wrong. Fix the fields listed in `errors`.",
            (FieldError("limit", "Input should be less than or equal to 200"),),
        ),
    )
}
WRONG_ID: Answers = {
    422: problem_answer(
        "The id is none",
        Invalid(
            "Parameters are missing or wrong. Fix the fields listed in `errors`.",
            (FieldError("alert_id", "Input should be a valid UUID, invalid length: found 1"),),
        ),
    )
}
API_BODY: Answers = {
    **_BODY,
    400: problem_answer(
        "Not valid JSON",
        Malformed(
            'The body isn\'t JSON; nothing was changed. Leave it out, or send {"by": "Anna"}.',
            (FieldError("", "Invalid JSON: expected value at line 1 column 1"),),
        ),
    ),
    422: problem_answer(
        "The id is none, or fields are wrong",
        Invalid(_BY, (FieldError("by", "String should have at least 1 character"),)),
    ),
}


def missing(noun: str) -> Answers:
    """Return the answer for an alert, an incident or a notification that isn't stored."""
    detail = f"There is no {noun} {_ID}; it was never stored, or retention deleted it."
    return {404: problem_answer(f"There is no such {noun}", NotFound(detail))}


def _conflict(*details: str) -> Answers:
    return {409: problem_answer("Not possible in its present state", *map(Conflict, details))}


NOT_ACKNOWLEDGED = _conflict(f"Incident {_ID} stays as it was: it is resolved, and can no longer become acknowledged.")
NOT_HANDED_BACK = _conflict(f"Incident {_ID} stays as it was: it is resolved, and can no longer become open.")
NOT_RETRIED = _conflict(
    f"Notification {_ID} is sent; only a failed one can be retried.",
    f"Notification {_OTHER_ID} to the same address about the same incident is pending and will say it.",
)
NOT_DISMISSED = _conflict(f"Notification {_ID} is sent; only a failed one can be dismissed.")
NAME_TAKEN = _conflict(
    "Nothing was changed: 3f002b000000000000000000 is called Front door already. Choose another name."
)
NO_DEVICE: Answers = {
    404: problem_answer(
        "There is no such device",
        NotFound("There is no device 3f002b000000000000000000; nothing of it was ever received."),
    )
}
SILENCE_OVER = _conflict(f"Silence {_ID} came to its end at 2026-11-23 06:30:00 UTC.")
NOT_SILENCED: Answers = {
    422: problem_answer(
        "Fields are wrong, or the silence can't be",
        Invalid(
            "The body can't be used; nothing was changed. Fix the fields listed in `errors`.",
            (FieldError("for", "Field required"),),
        ),
    )
}
