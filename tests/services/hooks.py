"""Receivers of webhooks as fakes, written from the services' documentation, and the messages that they get."""

from datetime import UTC, datetime
from typing import Any

from starlette.responses import JSONResponse, PlainTextResponse, Response

from alertgate.model import Severity
from alertgate.notify.channels.base import Brief, Message, Picture
from tests.services.server import Asked, FakeService

NOW = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
LINK = "https://alerts.example.org/a/AbCdEfGhIjKlMnOp"
HOSTILE = "<!channel> @everyone <@123> <http://evil.example|click> [x](http://evil.example) **bold** `code` & @room"


def incident(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Return an incident as messages for programs have it."""
    return {
        "id": f"i{number}",
        "status": "open",
        "severity": "critical",
        "source": "particle",
        "event": "leak",
        "device": f"d{number}",
        "device_name": "Boiler room",
        "alerts": number,
        **changes,
    }


def message(to: str, text: str = "Water on the floor.\nSince 03:00.", **changes: Any) -> Message:
    """Return a message about one incident; `facts` replaces what programs read."""
    facts = changes.pop("facts", {"version": 1, "id": "n1", "kind": "opening", "incidents": [incident()], "link": LINK})
    picture = changes.pop("picture", None)
    values = {"tag": "CRITICAL", "severity": Severity.CRITICAL, "asks": True, "link": LINK, **changes}
    return Message(
        to=to,
        text=text,
        subject=values.pop("subject", "[CRITICAL] Boiler room: leak"),
        message_id=values.pop("message_id", "n1@alertgate.local"),
        thread_id="incident.i1@alertgate.local",
        date=NOW,
        picture=Picture("jpeg", picture) if picture else None,
        brief=Brief(notification_id="n1", facts=facts, **values),
    )


def receiver() -> FakeService:
    """Any program that takes webhooks."""
    return FakeService(lambda _: Response(status_code=204))


def slack() -> FakeService:
    """https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks."""

    def answer(asked: Asked) -> Response:
        if asked.method == "HEAD":
            return Response(status_code=302)
        return PlainTextResponse("ok" if asked.json.get("text") else "no_text", 200 if asked.json.get("text") else 400)

    return FakeService(answer)


def discord() -> FakeService:
    """https://docs.discord.com/developers/resources/webhook."""

    def answer(asked: Asked) -> Response:
        if asked.method == "GET":
            return JSONResponse({"id": "42", "type": 1, "token": "secret-of-hook", "name": "alarms"})
        if asked.headers["content-type"] == "application/json" and len(asked.json["content"]) > 2000:
            return JSONResponse({"code": 50035, "message": "Invalid Form Body"}, 400)
        return JSONResponse({"id": "7001"}) if asked.query.get("wait") == "true" else Response(status_code=204)

    return FakeService(answer)


def teams() -> FakeService:
    """https://learn.microsoft.com/power-automate: a flow that a webhook starts."""
    return FakeService(lambda _: Response(status_code=202))


def matrix(token: str = "syt_secret_token") -> FakeService:
    """https://spec.matrix.org/latest/client-server-api: a homeserver with one account, which is in the room `!r:hs`."""
    seen: dict[str, str] = {}

    def answer(asked: Asked) -> Response:
        if asked.headers.get("authorization") != f"Bearer {token}":
            return JSONResponse({"errcode": "M_UNKNOWN_TOKEN", "error": f"Unknown {asked.headers}"}, 401)
        if asked.path.endswith("/account/whoami"):
            return JSONResponse({"user_id": "@gate:hs", "device_id": "D"})
        if "/rooms/!r:hs/" not in asked.path:
            return JSONResponse({"errcode": "M_FORBIDDEN", "error": "User @gate:hs not in room"}, 403)
        if asked.method == "GET":
            return JSONResponse({"membership": "join"})
        event = seen.setdefault(asked.path, f"$event{len(seen)}")
        return JSONResponse({"event_id": event})

    return FakeService(answer)
