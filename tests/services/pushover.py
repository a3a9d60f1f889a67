"""Pushover, as https://pushover.net/api and https://pushover.net/api/receipts describe it."""

import re
from dataclasses import dataclass, field
from email import message_from_bytes
from typing import Any

from starlette.responses import JSONResponse, Response

from tests.services.server import Asked, FakeService

TOKEN, OWNER, GROUP = (
    "azGDORePK8gMaC0QOYAMyEEuzJnyUi",
    "uQiRzpo4DXghDmr9QzzfQu27cmVRsG",
    "gznej3rKEVAvPUxu9vvNnqpmZpokzF",
)


@dataclass
class Emergency:
    """A message that rings until somebody acknowledges."""

    said: dict[str, Any]
    state: dict[str, Any] = field(default_factory=lambda: {"acknowledged": 0, "expired": 0, "last_delivered_at": 0})
    is_cancelled: bool = False

    @property
    def rings(self) -> bool:
        return not (self.is_cancelled or self.state["acknowledged"] or self.state["expired"])


class PushoverServer(FakeService):
    """Takes messages for the keys that it knows, and counts them."""

    def __init__(self, keys: tuple[str, ...] = (OWNER, GROUP)) -> None:
        super().__init__(self.reply)
        self.keys = keys
        self.remaining = 9000
        self.largest = 5_242_880
        self.messages: list[dict[str, Any]] = []
        self.emergencies: dict[str, Emergency] = {}

    def acknowledge(self, receipt: str, by: str = OWNER, device: str = "iphone", at: int = 1764082999) -> None:
        """Press the button on a phone."""
        who = {"acknowledged_by": by, "acknowledged_by_device": device, "acknowledged_at": at}
        self.emergencies[receipt].state |= {"acknowledged": 1, **who}

    def reply(self, asked: Asked) -> Response:
        given = _fields(asked)
        if {**asked.query, **given}.get("token") != TOKEN:
            return _refuse({"token": "invalid"}, "application token is invalid, see https://pushover.net/api")
        if asked.path == "/1/messages.json":
            return self._take(given)
        if asked.path == "/1/apps/limits.json":
            return _done(limit=10_000, remaining=self.remaining, reset=1764547200)
        if asked.path == "/1/users/validate.json":
            return _done(devices=["iphone"]) if given["user"] in self.keys else _unknown()
        return self._about_receipt(asked)

    def _take(self, said: dict[str, Any]) -> Response:
        if said["user"] not in self.keys:
            return _unknown()
        if len(said.get("attachment", b"")) > self.largest:
            return _refuse({}, "attachment is too large", 413)
        if not said.get("message") or len(said["message"]) > 1024 or len(said.get("title", "")) > 250:
            return _refuse({"message": "invalid"}, "message is too long")
        if not self.remaining:
            return _refuse({}, "application has exceeded its monthly limit", 429, self._headers())
        self.remaining -= 1
        self.messages.append(said)
        return JSONResponse({"status": 1, "request": "r1", **self._receipt(said)}, headers=self._headers())

    def _receipt(self, said: dict[str, Any]) -> dict[str, str]:
        if said["priority"] != "2":
            return {}
        retry, expire = int(said["retry"]), int(said["expire"])
        assert retry >= 30
        assert retry <= expire <= 10_800
        receipt = f"r{len(self.emergencies):029}"
        self.emergencies[receipt] = Emergency(said)
        return {"receipt": receipt}

    def _headers(self) -> dict[str, str]:
        left = {"X-Limit-App-Limit": "10000", "X-Limit-App-Remaining": str(self.remaining)}
        return {**left, "X-Limit-App-Reset": "1764547200"}

    def _about_receipt(self, asked: Asked) -> Response:
        if by_tag := re.fullmatch(r"/1/receipts/cancel_by_tag/([-\w]+)\.json", asked.path):
            found = [each for each in self.emergencies.values() if by_tag[1] in each.said["tags"].split(",")]
        else:
            receipt = asked.path.split("/")[3].removesuffix(".json")
            found = [self.emergencies[receipt]] if receipt in self.emergencies else []
            if not found:
                return _refuse({"receipt": "not found"}, "receipt not found; may be invalid or expired", 404)
        if asked.method == "GET":
            return _done(**found[0].state)
        for each in found:
            each.is_cancelled = True
        return _done(canceled=len(found))


def _fields(asked: Asked) -> dict[str, Any]:
    kind = asked.headers.get("content-type", "")
    if not kind.startswith("multipart/"):
        return asked.form
    whole = message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + asked.body)
    found: dict[str, Any] = {}
    for part in whole.get_payload():
        name, content = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
        found[name] = content if part.get_filename() else content.decode()
        if part.get_filename():
            found["attachment_type"] = part.get_content_type()
    return found


def _done(**more: Any) -> Response:
    return JSONResponse({"status": 1, "request": "r1", **more})


def _unknown() -> Response:
    return _refuse({"user": "invalid"}, "user identifier is not a valid user, group, or subscribed user key")


def _refuse(what: dict[str, str], error: str, status: int = 400, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({**what, "errors": [error], "status": 0, "request": "r1"}, status, headers)
