"""Requests to one Twilio account, and what its texts and its calls have in common."""

import asyncio
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar

from alertgate.addresses import mask
from alertgate.clock import Clock
from alertgate.config import Settings
from alertgate.model import Json
from alertgate.notify.channels.base import (
    AttemptFailed,
    Followed,
    Learned,
    Message,
    Outcome,
    Permanent,
    Reason,
    Sent,
    Transient,
)
from alertgate.notify.channels.service import Reply, Service
from alertgate.notify.channels.twilio_outcomes import (
    CALLBACK_REFUSED,
    SID,
    Became,
    ask_in,
    code_of,
    learned,
    outcome,
    refusal,
)

NUMBER = re.compile(r"\+[1-9]\d{6,14}")
"""E.164."""
STATUS_PATH = "/twilio/status"
SMS_PATH = "/twilio/sms"
CALL_PATH = "/twilio/call"
CAPACITY = 4
SUSPENDED = "the account is {status}"


def check_number(address: str) -> None:
    """Raise ValueError unless an address is a phone number as Twilio takes it."""
    if not NUMBER.fullmatch(address):
        raise ValueError(
            f"{mask(address)} isn't a phone number: write + with the country's code and the number, in digits alone, "
            "such as +491701111111"
        )


def missing(settings: Settings) -> str | None:
    """Return what to set before Twilio can be used."""
    named = {
        "TWILIO_ACCOUNT_SID": settings.twilio_account_sid,
        "TWILIO_AUTH_TOKEN": settings.twilio_auth_token,
        "TWILIO_FROM": settings.twilio_from,
    }
    lacking = [name for name, value in named.items() if not value]
    return f"set {', '.join(lacking)}" if lacking else None


class Account:
    """The account that the settings name; `missing` must be None."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        token = settings.twilio_auth_token.get_secret_value() if settings.twilio_auth_token else ""
        self._service = Service(settings, "Twilio", [token], url=settings.twilio_url)
        self._auth = (settings.twilio_account_sid or "", token)
        self._clock = clock
        self.path = f"/2010-04-01/Accounts/{settings.twilio_account_sid}"
        self.sender = settings.twilio_from or ""
        self.public_url = settings.public_url

    async def send(self, kind: str, fields: Mapping[str, str], callback: Mapping[str, str], deadline: float) -> Outcome:
        """Send a message, or make a call. A callback that Twilio refuses is left out: then the status is asked for."""
        try:
            reply = await self._post(kind, {**fields, **callback}, deadline)
            if callback and code_of(reply.json.get("code")) == CALLBACK_REFUSED:
                reply = await self._post(kind, fields, deadline)
        except AttemptFailed as failed:
            return failed.outcome
        found = outcome(reply, self._clock.now())
        return sent_as(found.receipt, found.reply, called_back=bool(callback)) if isinstance(found, Sent) else found

    async def _post(self, kind: str, fields: Mapping[str, str], deadline: float) -> Reply:
        return await self._ask("POST", f"/{kind}.json", deadline, fields["To"], data=dict(fields))

    async def get(self, path: str, deadline: float, *, to: str = "", **params: str) -> Reply:
        """Ask for a resource of the account. Raises AttemptFailed."""
        return await self._ask("GET", path, deadline, to, params=params)

    async def _ask(self, method: str, path: str, deadline: float, to: str, **sent: Any) -> Reply:
        return await self._service.ask(method, self.path + path, deadline, secret=to, auth=self._auth, **sent)

    async def listed(self, kind: str, to: str, deadline: float, **params: str) -> list[Mapping[str, Json]]:
        """Return the latest messages or calls to a number. Raises AttemptFailed, also if Twilio refuses to say."""
        params = {"To": to, "PageSize": "50", **params}
        reply = await self._service.ask(
            "GET", f"{self.path}/{kind}.json", deadline, secret=to, most=4 * 65536, auth=self._auth, params=params
        )
        found = reply.json.get(kind.lower())
        if not reply.is_success or not isinstance(found, list):
            refused = refusal(reply, self._clock.now())
            reason = Reason.TRY_LATER if isinstance(refused, Permanent) else refused.reason
            raise AttemptFailed(Transient(reason, f"what was sent before can't be asked for: {refused.reply}"))
        return [each for each in found if isinstance(each, dict)]

    async def rehearse(self, deadline: float) -> Outcome:
        """Log in, and look whether the account may send."""
        try:
            reply = await self._service.ask("GET", f"{self.path}.json", deadline, auth=self._auth)
        except AttemptFailed as failed:
            return failed.outcome
        status = reply.json.get("status")
        if not reply.is_success or not isinstance(status, str):
            return refusal(reply, self._clock.now())
        if status != "active":
            return Transient(Reason.RELAY_REFUSED, reply.said(SUSPENDED.format(status=status)))
        kind = ", of the type Trial" if reply.json.get("type") == "Trial" else ""
        return Sent(reply.said(f"the account is active{kind}"))

    async def ask(self, kind: str, sent: Followed, deadline: float) -> Learned:
        """Ask what became of a message or a call."""
        age = self._clock.now() - sent.sent_at
        later = Learned(again_in=ask_in(age, called_back=self.public_url is not None))
        if not SID.fullmatch(sent.receipt):
            return Learned()
        try:
            reply = await self.get(f"/{kind}/{sent.receipt}.json", deadline, to=sent.to)
        except AttemptFailed:
            return later
        if reply.status == 404:  # deleted at Twilio
            return Learned()
        return (learned(Became.of_resource(reply.json), sent.proof) if reply.is_success else None) or later

    async def number(self, deadline: float) -> Mapping[str, Json] | None:
        """Return what the account says of the number that messages come from; None if it doesn't have it.

        Raises AttemptFailed.
        """
        reply = await self.get("/IncomingPhoneNumbers.json", deadline, PhoneNumber=self.sender)
        found = reply.json.get("incoming_phone_numbers")
        return next((each for each in found if isinstance(each, dict)), None) if isinstance(found, list) else None

    def callback(self) -> dict[str, str]:
        """Return where Twilio is to tell what becomes of a message; nothing without PUBLIC_URL."""
        return {"StatusCallback": f"{self.public_url}{STATUS_PATH}"} if self.public_url else {}

    async def close(self) -> None:
        """Close the connections."""
        await self._service.close()


def sent_as(sid: str | None, reply: str, *, called_back: bool) -> Sent:
    """Return the outcome of a message that Twilio has."""
    return Sent(reply, receipt=sid, follow_in=ask_in(timedelta(0), called_back=called_back))


def made_at(resource: Mapping[str, Json]) -> datetime:
    """Return when a text or a call was made at Twilio; long ago if it doesn't say."""
    try:
        at = parsedate_to_datetime(str(resource.get("date_created")))
    except (ValueError, OverflowError):
        return datetime.min.replace(tzinfo=UTC) + timedelta(days=1)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def deadline_in(seconds: float) -> float:
    """Return the event loop's time in so many seconds."""
    return asyncio.get_running_loop().time() + seconds


class Line:
    """One of the two things that an account does: texts, or calls. What was sent can't be taken back."""

    resource: ClassVar[str]
    """What Twilio's API calls it."""
    capacity = CAPACITY
    settles = False

    def __init__(self, account: Account) -> None:
        self._account = account

    async def rehearse(self, to: str | None, deadline: float) -> Outcome:  # noqa: ARG002  (Twilio says nothing of it)
        """Log in, and send nothing."""
        return await self._account.rehearse(deadline)

    async def ask(self, sent: Followed, deadline: float) -> Learned:
        """Ask what became of a text or a call."""
        return await self._account.ask(self.resource, sent, deadline)

    async def settle(self, sent: Followed, message: Message, deadline: float) -> Outcome:  # noqa: ARG002
        """Do nothing: it can't be taken back."""
        return Sent("it can't be taken back")

    async def close(self) -> None:
        """Close the connections."""
        await self._account.close()
