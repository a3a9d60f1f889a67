"""What the OpenAPI document says of bodies and answers that FastAPI can't see in an endpoint's signature.

The webhooks' bodies are read raw, after their guards; they are documented by the pydantic models that parse them.
"""

from typing import Any, Literal

from pydantic import BaseModel

from alertgate.accept.generic import GenericAlert
from alertgate.accept.particle import FORM, ParticleEvent
from alertgate.web.problems import MEDIA_TYPE, Problem
from alertgate.web.queries import By, Snooze

Answers = dict[int | str, dict[str, Any]]
"""Answers by status, as FastAPI's `responses` takes them."""


class Accepted(BaseModel):
    """The alert is on disk."""

    status: Literal["accepted"]
    id: str
    incident: str | None


class Ignored(BaseModel):
    """The alert is on disk; a rule of the policy ignores it, so nobody is told."""

    status: Literal["ignored"]
    id: str


class Duplicate(BaseModel):
    """The same event came before; nothing new was stored."""

    status: Literal["duplicate"]
    id: str


class Quarantined(BaseModel):
    """The body can't be read; it was kept whole, and its recipients are told."""

    status: Literal["quarantined"]
    id: str
    errors: list[str]


def problem_answer(description: str, *headers: str) -> dict[str, Any]:
    """Return an answer that is a problem."""
    return {
        "description": description,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        "headers": {name: {"schema": {"type": "string"}} for name in headers},
    }


def body_of(model: type[BaseModel], *media_types: str, required: bool = True) -> dict[str, Any]:
    """Return a request body that `model` parses, in each of the media types."""
    schema = _inlined(model.model_json_schema())
    content = {media_type: {"schema": schema} for media_type in media_types}
    return {"requestBody": {"required": required, "content": content}}


def query_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the query parameters that `model` parses."""
    schema = _inlined(model.model_json_schema())
    required = schema.get("required", ())
    return {
        "parameters": [
            {"name": name, "in": "query", "required": name in required, "schema": _as_text(field)}
            for name, field in schema["properties"].items()
        ]
    }


def _as_text(field: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a field as a query can say it: any text, of a bounded length where the field's is."""
    limits = {name: value for part in (field, *field.get("anyOf", ())) for name, value in part.items()}
    named = ("minLength", "maxLength", "description")
    return {"type": "string", **{name: limits[name] for name in named if name in limits}}


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """Replace references to the schema's own `$defs`, which can't be resolved in a larger document."""
    definitions = schema.pop("$defs", {})

    def resolved(node: Any) -> Any:
        if isinstance(node, list):
            return [resolved(item) for item in node]
        if not isinstance(node, dict):
            return node
        if reference := node.get("$ref"):
            rest = {name: value for name, value in node.items() if name != "$ref"}
            return resolved({**definitions[reference.rpartition("/")[2]], **rest})
        return {name: resolved(value) for name, value in node.items()}

    inlined: dict[str, Any] = resolved(schema)
    return inlined


def _header(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "schema": {"type": "string"}, "description": description}


GUARDED: Answers = {
    401: problem_answer("No or wrong token", "WWW-Authenticate"),
    429: problem_answer("Too many failed requests from this address", "Retry-After"),
    503: problem_answer("The database can't be used now, or this is switched off", "Retry-After"),
}
"""What a bearer guard answers."""

_WEBHOOK: Answers = {
    401: problem_answer("No or wrong credential", "WWW-Authenticate"),
    408: problem_answer("The body took too long"),
    413: problem_answer("The body is too large"),
    429: problem_answer("Over the rate limit", "Retry-After"),
    503: problem_answer("Can't be stored now, or this webhook is switched off", "Retry-After"),
}
PARTICLE_ANSWERS: Answers = {
    **_WEBHOOK,
    200: {"model": Duplicate, "description": "Seen before"},
    202: {"model": Accepted | Quarantined | Ignored, "description": "On disk"},
    422: problem_answer("Can't be read; stored nevertheless (with PARTICLE_STRICT)"),
}
PARTICLE_BODY = body_of(ParticleEvent, "application/json", FORM)
PARTICLE_QUERY = query_of(ParticleEvent)

GENERIC_ANSWERS: Answers = {
    **_WEBHOOK,
    200: {"model": Duplicate, "description": "Seen before"},
    202: {"model": Accepted | Ignored, "description": "On disk"},
    400: {**problem_answer("Not valid JSON"), "model": Problem},
    415: problem_answer("The body is compressed"),
    422: problem_answer("Fields are missing or wrong"),
}
GENERIC_BODY = {
    **body_of(GenericAlert, "application/json"),
    "parameters": [
        _header("Idempotency-Key", "The same alert with the same key again is answered 200 duplicate."),
        _header(
            "webhook-id",
            "Standard Webhooks: the message's id (or `svix-id`); the same alert with it again is a duplicate.",
        ),
        _header("webhook-timestamp", "Standard Webhooks: Unix seconds, at most five minutes from now."),
    ],
}

WRONG: Answers = {422: problem_answer("Parameters or fields are missing or wrong")}
MISSING: Answers = {404: problem_answer("There is no such thing")}
CONFLICT: Answers = {409: problem_answer("Not possible in its present state")}
API_BODY: Answers = {
    400: problem_answer("Not valid JSON"),
    408: problem_answer("The body took too long"),
    413: problem_answer("The body is too large"),
}
BY = body_of(By, "application/json", required=False)
SNOOZE = body_of(Snooze, "application/json", required=False)
