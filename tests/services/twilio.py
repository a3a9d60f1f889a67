"""A fake of Twilio's REST API, 2010-04-01, from its documentation: texts, calls, their statuses, and signed callbacks.

Sources: twilio.com/docs/messaging/api/message-resource, /voice/api/call-resource, /usage/security.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import httpx
from starlette.responses import JSONResponse, Response

from tests.services.server import Asked, FakeService

SID = "AC" + "0" * 31 + "a"
TOKEN = "twilio-auth-token-0123456789abcdef"
NUMBER = "+15551230000"
PHONE = "+491701111111"
BASE = f"/2010-04-01/Accounts/{SID}"
SETTINGS = {
    "twilio_account_sid": SID,
    "twilio_auth_token": TOKEN,
    "twilio_from": NUMBER,
    "channels_private": True,
}


def signature(url: str, fields: dict[str, str], token: str = TOKEN) -> str:
    """Return the X-Twilio-Signature of a form."""
    signed = url + "".join(name + fields[name] for name in sorted(fields))
    return base64.b64encode(hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest()).decode()


def parsed(twiml: str) -> ET.Element:
    """Return the root of what Twilio is told to do; an error if that isn't XML."""
    return ET.fromstring(twiml)  # noqa: S314  (our own)


@dataclass
class Made:
    """A text or a call that the API was asked for."""

    sid: str
    fields: dict[str, str]
    made_at: datetime
    status: str = "queued"
    error_code: int | None = None
    answered_by: str | None = None

    @property
    def twiml(self) -> ET.Element:
        return parsed(self.fields["Twiml"])

    def resource(self) -> dict[str, object]:
        return {
            "sid": self.sid,
            "to": self.fields["To"],
            "from": self.fields.get("From"),
            "body": self.fields.get("Body"),
            "direction": "outbound-api",
            "status": self.status,
            "error_code": self.error_code,
            "answered_by": self.answered_by,
            "date_created": format_datetime(self.made_at),
            "date_sent": None,
        }


@dataclass
class Account:
    """What the account has and did. `now` is its clock."""

    now: object = lambda: datetime.now(UTC)
    status: str = "active"
    kind: str = "Full"
    number: dict[str, object] | None = field(
        default_factory=lambda: {"capabilities": {"sms": True, "voice": True}, "sms_url": ""}
    )
    texts: list[Made] = field(default_factory=list)
    calls: list[Made] = field(default_factory=list)
    fake: FakeService | None = None

    def handle(self, asked: Asked) -> Response:  # noqa: PLR0911  (one for each resource)
        if asked.headers.get("authorization") != f"Basic {base64.b64encode(f'{SID}:{TOKEN}'.encode()).decode()}":
            return problem(401, 20003, "Authenticate")
        match asked.path.removeprefix(BASE).removesuffix(".json").split("/"):
            case [""]:
                return JSONResponse({"sid": SID, "status": self.status, "type": self.kind})
            case ["", "IncomingPhoneNumbers"]:
                mine = [self.number] if self.number and asked.query.get("PhoneNumber") == NUMBER else []
                return JSONResponse({"incoming_phone_numbers": mine})
            case ["", "Messages" | "Calls" as kind] if asked.method == "POST":
                return self._make(kind, asked.form)
            case ["", "Messages" | "Calls" as kind]:
                found = [each for each in self._of(kind) if each.fields["To"] == asked.query.get("To")]
                if "DateSent>" in asked.query:
                    found = [each for each in found if f"{each.made_at:%Y-%m-%d}" >= asked.query["DateSent>"]]
                return JSONResponse({kind.lower(): [each.resource() for each in reversed(found)]})
            case ["", "Messages" | "Calls" as kind, sid]:
                one = next((each for each in self._of(kind) if each.sid == sid), None)
                return (
                    JSONResponse(one.resource()) if one else problem(404, 20404, "The requested resource was not found")
                )
        return problem(404, 20404, f"The requested resource {asked.path} was not found")

    def _of(self, kind: str) -> list[Made]:
        return self.texts if kind == "Messages" else self.calls

    def _make(self, kind: str, form: dict[str, str]) -> Response:
        if not form.get("To") or not (form.get("From") or form.get("MessagingServiceSid")):
            return problem(400, 21604, "A 'To' phone number is required.")
        if len(form.get("Body", "")) > 1600:
            return problem(400, 21617, "The concatenated message body exceeds the 1600 character limit")
        if not form.get("StatusCallback", "https://").startswith("https://"):
            return problem(400, 21609, "The 'StatusCallback' URL is not a valid URL.")
        made = self._of(kind)
        sid = f"{'SM' if kind == 'Messages' else 'CA'}{len(made) + 1:032x}"
        made.append(Made(sid, form, self.now()))
        return JSONResponse(made[-1].resource(), 201)


def problem(status: int, code: int, message: str) -> JSONResponse:
    """Return an error as the API answers it."""
    more = f"https://www.twilio.com/docs/errors/{code}"
    return JSONResponse({"code": code, "message": message, "more_info": more, "status": status}, status)


def service(account: Account) -> FakeService:
    """Return the account's API as a web server."""
    return FakeService(account.handle)


async def post(
    client: httpx.AsyncClient, public_url: str, path: str, fields: dict[str, str], *, token: str = TOKEN
) -> httpx.Response:
    """Send a form to a service as Twilio does, signed for the public URL."""
    headers = {
        "X-Twilio-Signature": signature(f"{public_url}{path}", fields, token),
        "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
        "User-Agent": "TwilioProxy/1.1",
    }
    return await client.post(path, content=urlencode(fields), headers=headers)
