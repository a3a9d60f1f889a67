"""What Pushover's answers mean (https://pushover.net/api, https://pushover.net/api/receipts). Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from alertgate.model import Json
from alertgate.notify.channels.base import Followed, Learned, Outcome, Permanent, Reason, Sent, Transient
from alertgate.notify.channels.service import LONGEST_WAIT, Reply
from alertgate.proof import Proof

ASK_AGAIN = timedelta(seconds=10)
"""A receipt may be asked for every 5 seconds."""
ASK_LATER = timedelta(seconds=30)
SOON = timedelta(minutes=10)
"""For so long after an emergency began it is asked for more often."""
REFUSED_AGAIN = timedelta(minutes=5)
MOST_ASKED = timedelta(hours=4)
"""An emergency ends after three hours at most."""
AFTER_ERROR = timedelta(seconds=5)
LOW = 0.1
"""Of the month's messages."""
_KEY = re.compile(r"[A-Za-z0-9]{30}")
_DEVICE = re.compile(r"[\w-]{1,25}", re.ASCII)


def check_key(address: str) -> None:
    """Raise ValueError unless an address has the form of a user or group key."""
    if not _KEY.fullmatch(address):
        raise ValueError("isn't a user or group key of Pushover, 30 letters and digits: copy it from pushover.net")


@dataclass(frozen=True, slots=True)
class Quota:
    """How many messages the application may send until the month's end."""

    limit: int
    remaining: int
    reset: int
    """Seconds since 1970."""

    @classmethod
    def in_headers(cls, headers: Mapping[str, str]) -> Self | None:
        """Return what an answer's headers say."""
        return cls._read([headers.get(f"x-limit-app-{name}") for name in ("limit", "remaining", "reset")])

    @classmethod
    def in_answer(cls, body: Mapping[str, Json]) -> Self | None:
        """Return what the answer to a question about limits says."""
        return cls._read([body.get(name) for name in ("limit", "remaining", "reset")])

    @classmethod
    def _read(cls, given: list[Json]) -> Self | None:
        words = [str(each) for each in given]
        return cls(*map(int, words)) if all(re.fullmatch(r"[0-9]{1,12}", word) for word in words) else None

    @property
    def is_low(self) -> bool:
        """Whether few are left."""
        return self.remaining <= self.limit * LOW

    def wait(self, now: datetime) -> timedelta | None:
        """Return how long it takes until there are more; at most a day, as somebody may buy some."""
        wait = timedelta(seconds=self.reset) - (now - datetime(1970, 1, 1, tzinfo=UTC))
        return min(wait, LONGEST_WAIT) if wait > timedelta(0) else None

    def __str__(self) -> str:
        """Return it as a part of a sentence."""
        return f"{self.remaining} of {self.limit} messages are left this month"


def is_done(reply: Reply) -> bool:
    """Return whether Pushover did what was asked."""
    return reply.is_success and reply.json.get("status") == 1


def outcome(reply: Reply, now: datetime) -> Outcome:
    """Return what an answer means."""
    body, status, said = reply.json, reply.status, reply.said(_words(reply.json))
    if is_done(reply):
        return Sent(reply.said(f"accepted as {body.get('request')}"))
    if status == 401 or (status == 400 and body.get("token") == "invalid"):
        return Transient(Reason.CREDENTIALS, said)
    if status == 413 or (status == 400 and "attachment" in (_words(body) or "")):
        return Permanent(Reason.TOO_LARGE, said, of_content=True)
    if status == 400:
        is_user = body.get("user") == "invalid"
        return Permanent(Reason.NO_SUCH_RECIPIENT if is_user else Reason.FORMAT, said)
    return _not_now(reply, said, now)


def _not_now(reply: Reply, said: str, now: datetime) -> Transient:
    asked, quota = reply.retry_after(now), Quota.in_headers(reply.headers)
    if reply.status == 429 and not asked and (quota is None or not quota.remaining):
        return Transient(Reason.DAILY_LIMIT, said, retry_in=quota.wait(now) if quota else None)
    if reply.status in (408, 429) or reply.status >= 500:
        # Of a 5xx nobody knows whether Pushover took the message before something on the way back failed.
        return Transient(Reason.TRY_LATER, said, retry_in=asked or AFTER_ERROR, is_unanswered=reply.status >= 500)
    return Transient(Reason.HOST_REFUSED if reply.status == 403 else Reason.UNCLEAR, said, retry_in=asked)


def _words(body: Mapping[str, Json]) -> str | None:
    errors = body.get("errors")
    return "; ".join(map(str, errors)) if isinstance(errors, list) else None


def receipt_in(reply: Reply) -> str | None:
    """Return what an emergency is asked for by."""
    receipt = reply.json.get("receipt")
    return receipt if isinstance(receipt, str) and _KEY.fullmatch(receipt) else None


def learned(reply: Reply, sent: Followed, now: datetime) -> Learned:
    """Return what a receipt says of an emergency."""
    if not is_done(reply):
        return Learned(again_in=_again(reply))
    body = reply.json
    if body.get("acknowledged") == 1:
        return Learned(Proof.ACKNOWLEDGED, _who(body, sent), _time(body.get("acknowledged_at"), now))
    # `last_delivered_at` is when Pushover last pushed it, which doesn't prove that a phone has it.
    again_in = ASK_AGAIN if now - sent.sent_at < SOON else ASK_LATER
    return Learned(again_in=None if body.get("expired") == 1 else again_in)


def _again(reply: Reply) -> timedelta | None:
    """Return after what time to ask again that wasn't answered; never about a receipt that isn't known."""
    if reply.status == 401 or reply.json.get("token") == "invalid":
        return REFUSED_AGAIN
    if 400 <= reply.status < 500 and reply.status not in (408, 429):
        return None
    return timedelta(minutes=1)


def _who(body: Mapping[str, Json], sent: Followed) -> str | None:
    """Return who of a group acknowledged: by the device, as keys are secret. None for the contact's own key."""
    device = body.get("acknowledged_by_device")
    is_other = body.get("acknowledged_by") != sent.to
    is_name = isinstance(device, str) and _DEVICE.fullmatch(device)
    return f"the device {device}" if is_other and is_name else None


def _time(value: Json, now: datetime) -> datetime | None:
    """Return a time in seconds since 1970; None for 0 and for what is no time. It is never after now."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 10**11:
        return None
    try:
        return min(datetime.fromtimestamp(value, UTC), now)
    except (ValueError, OverflowError, OSError):
        return None
