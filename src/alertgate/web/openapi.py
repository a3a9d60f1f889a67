"""What the OpenAPI document says of bodies and answers that FastAPI can't see in an endpoint's signature.

The webhooks' bodies are read raw, after their guards; they are documented by the pydantic models that parse them.
"""

from typing import Any, Literal

from pydantic import BaseModel

from alertgate.accept.generic import GenericAlert
from alertgate.accept.particle import FORM, ParticleEvent
from alertgate.web.problem_answers import GENERIC_PROBLEMS, PARTICLE_PROBLEMS, Answers
from alertgate.web.problems import Problem
from alertgate.web.queries import By, Snooze


class Accepted(BaseModel):
    """The alert is on disk."""

    status: Literal["accepted"]
    id: str
    incident: str | None


class Ignored(BaseModel):
    """The alert is on disk; a rule of the policy ignores it, so nobody is told."""

    status: Literal["ignored"]
    id: str


class Vitals(BaseModel):
    """The event is on disk: what a device says of itself is kept with the device, and nobody is told."""

    status: Literal["vitals"]
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


_ID = "01a20961-af00-73c2-a8c1-d94c243485f2"
_INCIDENT_ID = "01a20961-af00-73c2-9f16-018d62e30918"


def stored(model: Any, description: str, **examples: dict[str, Any]) -> dict[str, Any]:
    """Return an answer that says what was stored, with an example of each kind."""
    shown = {name: {"value": {"status": name, "id": _ID, **more}} for name, more in examples.items()}
    return {"model": model, "description": description, "content": {"application/json": {"examples": shown}}}


def body_of(model: type[BaseModel], *media_types: str, required: bool = True) -> dict[str, Any]:
    """Return a request body that `model` parses, in each of the media types; a page shows the first one first."""
    schema = _inlined(model.model_json_schema())
    content = {each: {"schema": _as_form(schema) if each == FORM else schema} for each in media_types}
    return {"requestBody": {"required": required, "content": content}}


def _as_form(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema whose fields are empty if they have no example: a page would make up a value, such as an id."""
    return {**schema, "properties": {name: {"examples": [""], **each} for name, each in schema["properties"].items()}}


def query_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the query parameters that `model` parses."""
    schema = _inlined(model.model_json_schema())
    required = schema.get("required", ())
    return {
        "parameters": [
            {"name": name, "in": "query", "required": name in required, "schema": _as_text(field), **_example(field)}
            for name, field in schema["properties"].items()
        ]
    }


def _example(field: dict[str, Any]) -> dict[str, Any]:
    return {"example": field["examples"][0]} if "examples" in field else {}


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


DUPLICATE = stored(Duplicate, "Seen before", duplicate={})
PARTICLE_ANSWERS: Answers = {
    **PARTICLE_PROBLEMS,
    200: DUPLICATE,
    202: stored(
        Accepted | Quarantined | Ignored | Vitals,
        "On disk",
        accepted={"incident": _INCIDENT_ID},
        quarantined={"errors": ["Invalid JSON: expected `,` or `}` at line 1 column 36"]},
        ignored={},
        vitals={},
    ),
}
# A form is what Particle sends by default.
PARTICLE_BODY = body_of(ParticleEvent, FORM, "application/json")
PARTICLE_QUERY = query_of(ParticleEvent)

GENERIC_ANSWERS: Answers = {
    **GENERIC_PROBLEMS,
    200: DUPLICATE,
    202: stored(Accepted | Ignored, "On disk", accepted={"incident": _INCIDENT_ID}, ignored={}),
    400: {**GENERIC_PROBLEMS[400], "model": Problem},
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
ADDRESS = "http://127.0.0.1:8000"
"""Where `make run` serves; a page that shows the document puts its own address in place of it."""
GENERIC_HOW = f"""Take an alert from any other system, signed or with a bearer token.

**This page can't sign.** Its *Execute* works with `WEBHOOK_TOKEN`, if you set one: paste it at *Authorize*,
*WebhookToken*. To send a signed alert, paste this into a shell, in the directory of `.env`:

```bash
WEBHOOK_SECRET=$(sed -n 's/^WEBHOOK_SECRET=//p' .env)
BODY='{{"event":"backup/failed","message":"No backup for 26 hours","source":"nas","severity":"critical"}}'
SIGNATURE=$(printf '%s' "$BODY" | openssl dgst -sha256 -hmac "$WEBHOOK_SECRET" -r | cut -d' ' -f1)
curl -i {ADDRESS}/webhook/generic -H "Content-Type: application/json" \\
  -H "X-Hub-Signature-256: sha256=$SIGNATURE" -d "$BODY"
```
"""

BY = body_of(By, "application/json", required=False)
SNOOZE = body_of(Snooze, "application/json", required=False)
