"""An ntfy server, as docs/publish.md and server/errors.go of binwiederhier/ntfy describe it."""

import json
import re
from email.header import decode_header, make_header
from typing import Any

from starlette.responses import JSONResponse, Response

from tests.services.server import Asked, FakeService

FIELDS = ("title", "message", "priority", "tags", "click", "actions", "filename", "sequence-id")


class NtfyServer(FakeService):
    """Takes messages, and remembers what its subscribers would see.

    `logins` are the `Authorization` headers that it knows, with the topic that each may write to (without any, all
    topics are public); `largest` the bytes of an attachment, 0 if they are off; one that doesn't know sequences is
    older than version 2.16.
    """

    def __init__(
        self, *, logins: dict[str, str] | None = None, largest: int = 2_000_000, knows_sequences: bool = True
    ) -> None:
        super().__init__(self.reply)
        self.logins = logins or {}
        self.largest = largest
        self.knows_sequences = knows_sequences
        self.messages: list[dict[str, Any]] = []
        self.cleared: list[tuple[str, str]] = []

    def reply(self, asked: Asked) -> Response:
        login = asked.headers.get("authorization")
        if login and login not in self.logins:
            return _error(401, 40101, "unauthorized")
        if asked.path.startswith("/v1/"):
            return JSONResponse({"healthy": True} if asked.path == "/v1/health" else {"username": "*"})
        if clear := re.fullmatch(r"/([-_\w]+)/([-_\w]+)/clear", asked.path):
            if asked.method != "PUT" or not self.knows_sequences:
                return _error(404, 40401, "page not found")
            self.cleared.append((clear[1], clear[2]))
            return JSONResponse({"id": "c1", "event": "message_clear", "sequence_id": clear[2]})
        return self._publish(asked.json, login) if asked.path == "/" else self._attach(asked, login)

    def _attach(self, asked: Asked, login: str | None) -> Response:
        if not self.largest:
            return _error(400, 40014, "invalid request: attachments not allowed")
        if len(asked.body) > self.largest:
            return _error(413, 41301, "attachment too large, or bandwidth limit reached")
        said: dict[str, Any] = {
            name: str(make_header(decode_header(asked.headers[f"x-{name}"])))
            for name in FIELDS
            if f"x-{name}" in asked.headers
        }
        said["sequence_id"] = said.pop("sequence-id", None)
        said["message"] = said["message"].replace("\\n", "\n")
        said["priority"] = int(said["priority"])
        said["tags"] = said.get("tags", "").split(",")
        said["actions"] = json.loads(said.get("actions", "[]"))
        return self._publish({**said, "topic": asked.path[1:], "attachment": asked.body}, login)

    def _publish(self, said: dict[str, Any], login: str | None) -> Response:
        if not re.fullmatch(r"[-_A-Za-z0-9]{1,64}", said["topic"]):
            return _error(400, 40009, "invalid request: topic invalid")
        if self.logins and self.logins.get(login or "") not in (said["topic"], "*"):
            return _error(403, 40301, "forbidden")
        if len(said.get("actions", [])) > 3 or not all(map(_is_action, said.get("actions", []))):
            return _error(400, 40018, "invalid request: actions invalid")
        if len(said["message"].encode()) > 4096 and not self.largest:
            return _error(400, 40014, "invalid request: attachments not allowed")
        self.messages.append(said)
        sequence = {"sequence_id": said.get("sequence_id")} if self.knows_sequences else {}
        return JSONResponse({"id": f"m{len(self.messages)}", "event": "message", "topic": said["topic"], **sequence})


def _is_action(action: dict[str, Any]) -> bool:
    return action.get("action") in {"view", "http"} and bool(action.get("label")) and bool(action.get("url"))


def _error(status: int, code: int, text: str) -> Response:
    return JSONResponse({"code": code, "http": status, "error": text}, status)
