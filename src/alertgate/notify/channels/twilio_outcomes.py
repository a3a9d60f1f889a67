"""What Twilio's answers, error codes and statuses mean. Pure.

Sources: twilio.com/docs/api/errors, and the resources `Message` and `Call` of its REST API, 2010-04-01.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

from alertgate.model import Json
from alertgate.notify.channels.base import Learned, Outcome, Permanent, Reason, Sent, Transient
from alertgate.notify.channels.service import Reply
from alertgate.proof import Proof

SID = re.compile(r"(?:SM|MM|CA)[0-9a-fA-F]{32}")
CALLBACK_REFUSED = 21609
NEVER = MappingProxyType(
    {
        21211: Reason.NO_SUCH_RECIPIENT,
        21614: Reason.NO_SUCH_RECIPIENT,
        21635: Reason.NO_SUCH_RECIPIENT,
        30005: Reason.NO_SUCH_RECIPIENT,
        30006: Reason.NO_SUCH_RECIPIENT,
        21214: Reason.NO_SUCH_RECIPIENT,
        21217: Reason.NO_SUCH_RECIPIENT,
        13224: Reason.NO_SUCH_RECIPIENT,
        21610: Reason.REFUSED,
        30004: Reason.REFUSED,
        21408: Reason.REFUSED,
        21612: Reason.REFUSED,
        21215: Reason.REFUSED,
        21216: Reason.REFUSED,
        13227: Reason.REFUSED,
        30007: Reason.POLICY,
        21617: Reason.TOO_LARGE,
    }
)
"""Codes after which the same message to the same number fails again."""
LATER = MappingProxyType(
    {
        30003: Reason.UNREACHABLE,
        30008: Reason.UNREACHABLE,
        30036: Reason.UNREACHABLE,
        20003: Reason.CREDENTIALS,
        20404: Reason.CREDENTIALS,
        20005: Reason.RELAY_REFUSED,
        20429: Reason.TRY_LATER,
        30001: Reason.TRY_LATER,
        21606: Reason.SENDER_REFUSED,
        21603: Reason.SENDER_REFUSED,
        21210: Reason.SENDER_REFUSED,
        21212: Reason.SENDER_REFUSED,
        21660: Reason.SENDER_REFUSED,
        30032: Reason.SENDER_REFUSED,
        30034: Reason.SENDER_REFUSED,
        30002: Reason.RELAY_REFUSED,
        21608: Reason.RELAY_REFUSED,
        21219: Reason.RELAY_REFUSED,
    }
)
"""Codes of what may end: most are about the account, and so about all messages."""
UNVERIFIED = frozenset({21608, 21219})
"""A trial account reaches verified numbers alone: it is about us unless others are accepted."""
PASSES = frozenset({Reason.UNREACHABLE, Reason.TRY_LATER})
"""Why a message that was taken may arrive if it is sent once more."""
BY_STATUS = MappingProxyType({401: Reason.CREDENTIALS, 403: Reason.CREDENTIALS, 429: Reason.TRY_LATER})


def outcome(reply: Reply, now: datetime) -> Outcome:
    """Return the outcome of a request that sends a message, or makes a call."""
    said, sid = reply.json, reply.json.get("sid")
    if reply.is_success and isinstance(sid, str) and SID.fullmatch(sid):
        return Sent(reply.said(f"{said.get('status', 'taken')} {sid}"), receipt=sid)
    return refusal(reply, now)


def refusal(reply: Reply, now: datetime) -> Transient | Permanent:
    """Return what an answer means that isn't what was asked for."""
    code, wait = code_of(reply.json.get("code")), reply.retry_after(now)
    words = reply.said(f"{code} {reply.json.get('message', '')}") if code else reply.said()
    if reply.is_success:
        return Transient(Reason.UNCLEAR, f"{words}: what answers isn't Twilio's API")
    if (known := _judged(code, words, wait)) is not None:
        return known
    if reply.status >= 500 or reply.status in BY_STATUS:
        return Transient(BY_STATUS.get(reply.status, Reason.TRY_LATER), words, retry_in=wait)
    return Transient(Reason.UNCLEAR, words, Permanent(Reason.REFUSED, words), retry_in=wait)


def _judged(code: int | None, words: str, wait: timedelta | None = None) -> Transient | Permanent | None:
    """Return what a code means; None if it isn't known."""
    if code is not None and code in NEVER:
        return Permanent(NEVER[code], words, of_content=NEVER[code] is Reason.TOO_LARGE)
    if code is not None and code in LATER:
        alone = Permanent(Reason.REFUSED, words) if code in UNVERIFIED else None
        return Transient(LATER[code], words, alone, retry_in=wait)
    return None


def code_of(value: Json) -> int | None:
    """Return an error code, as a number or as text; None if there is none."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) == 5 else None


class Became(NamedTuple):
    """What Twilio says became of a message or a call."""

    status: str
    code: int | None = None
    answered_by: str = ""
    """Of a call: `human`, `machine_start`, `fax` or `unknown`."""

    @classmethod
    def of_resource(cls, said: Mapping[str, Json]) -> "Became":
        """Read a resource that was asked for."""
        return cls(_word(said.get("status")), code_of(said.get("error_code")), _word(said.get("answered_by")))

    @classmethod
    def of_fields(cls, fields: Mapping[str, str]) -> "Became":
        """Read the fields of a callback."""
        status = fields.get("MessageStatus") or fields.get("CallStatus") or ""
        return cls(_word(status), code_of(fields.get("ErrorCode")), _word(fields.get("AnsweredBy")))


def _word(value: Json) -> str:
    return value if isinstance(value, str) and re.fullmatch(r"[a-z_-]{1,30}", value) else ""


ARRIVED = MappingProxyType({"delivered": Proof.DELIVERED, "read": Proof.SEEN})
FAILED = frozenset({"undelivered", "failed", "canceled", "busy", "no-answer"})
"""How a message or a call ends that didn't arrive."""
OVER = FAILED | {"completed", *ARRIVED}


def learned(became: Became, proof: Proof | None) -> Learned | None:
    """Return what a status says beyond `proof`, what is known already; None while it isn't the last one."""
    status, by = became.status, became.answered_by
    if status in ARRIVED:
        return Learned(ARRIVED[status], "the carrier's receipt")
    if status == "completed" and by == "human":
        return Learned(Proof.DELIVERED, "somebody who took the call")
    is_machine = status == "completed" and (by.startswith("machine") or by == "fax")
    if status in FAILED or is_machine:
        arrived = proof is not None and proof.rank >= Proof.DELIVERED.rank
        return Learned() if arrived else Learned(failure=_failure(became, is_machine=is_machine))
    return Learned() if status == "completed" else None


def _failure(became: Became, *, is_machine: bool) -> Transient | Permanent:
    """Return why a message didn't arrive that was taken. What only the operator can mend fails at once, to be seen."""
    if is_machine:
        return Transient(Reason.UNREACHABLE, f"completed: answered by {became.answered_by}, and not by a person")
    words = f"{became.status} {became.code}" if became.code else became.status
    found = _judged(became.code, words) or Transient(Reason.UNREACHABLE, words)
    if isinstance(found, Permanent) or found.reason in PASSES:
        return found
    return Permanent(found.reason, words)


ASKED_UNTIL = timedelta(days=1)
CALLED_BACK = timedelta(minutes=1)
"""How soon to ask at the earliest where Twilio itself tells what became of a message: such a word can get lost."""
_INTERVALS = (
    (timedelta(minutes=1), timedelta(seconds=5)),
    (timedelta(minutes=10), timedelta(seconds=30)),
    (timedelta(hours=1), timedelta(minutes=5)),
)


def ask_in(age: timedelta, *, called_back: bool) -> timedelta | None:
    """Return after what time to ask about a message that was sent so long ago; None: never."""
    if age >= ASKED_UNTIL:
        return None
    wait = next((each for until, each in _INTERVALS if age < until), timedelta(minutes=15))
    return max(wait, CALLED_BACK) if called_back else wait
