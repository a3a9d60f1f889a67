"""Text messages by Twilio: `sms:+491701111111`."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from alertgate.clock import Clock, SystemClock
from alertgate.config import Settings
from alertgate.model import ChannelName, Target
from alertgate.notify.channels import twilio_account
from alertgate.notify.channels.base import (
    AttemptFailed,
    Channel,
    Finding,
    Level,
    Message,
    Outcome,
    Sent,
)
from alertgate.notify.channels.twilio_account import (
    SMS_PATH,
    Account,
    Line,
    check_number,
    deadline_in,
    made_at,
    sent_as,
)
from alertgate.notify.channels.twilio_advice import advice
from alertgate.notify.channels.twilio_outcomes import FAILED, SID
from alertgate.notify.render.text import SEGMENT, gsm7, septets
from alertgate.policy.surroundings import AddressCheck

__all__ = ["ADDRESSES", "advice", "check", "findings", "from_settings", "missing"]

ADDRESSES: Mapping[ChannelName, AddressCheck] = MappingProxyType({ChannelName.TWILIO: check_number})
ANSWER = " Reply OK"
"""How to say *I'm on it*, where answers come back."""
VALID_FOR = timedelta(hours=1)
"""How long Twilio may keep a text before it is at the carrier; then it fails, and is sent anew as it is by then."""
CHECKED_WITHIN = 20.0
"""Seconds."""
SKEW = timedelta(minutes=1)
"""How far Twilio's clock may be behind ours."""

missing = twilio_account.missing


class Texts(Line):
    """Sends text messages, and asks what became of them."""

    name = ChannelName.TWILIO
    repeats_safely = True
    resource = "Messages"

    async def send(self, message: Message, deadline: float) -> Outcome:
        """Send a text, unless an attempt before has done it already."""
        body = text_of(message, answers=self._account.public_url is not None)
        if message.repeats_since:
            try:
                found = await self._sent_before(message, body, message.repeats_since, deadline)
            except AttemptFailed as failed:
                return failed.outcome
            if found:
                return sent_as(found, f"{found} was sent by an attempt before", called_back=False)
        sender = "MessagingServiceSid" if self._account.sender.startswith("MG") else "From"
        fields = {
            "To": message.to,
            sender: self._account.sender,
            "Body": body,
            "ValidityPeriod": f"{VALID_FOR.total_seconds():.0f}",
        }
        return await self._account.send(self.resource, fields, self._account.callback(), deadline)

    async def _sent_before(self, message: Message, body: str, since: datetime, deadline: float) -> str | None:
        """Return the text that an attempt before has sent, or None. Raises AttemptFailed."""
        # What waits at Twilio has no time of sending yet: so the latest are looked at too.
        day = {"DateSent>": f"{since - timedelta(days=1):%Y-%m-%d}"}
        by_day = await self._account.listed(self.resource, message.to, deadline, **day)
        queued = await self._account.listed(self.resource, message.to, deadline)
        link = message.brief.link if message.brief else None
        for each in (*by_day, *queued):
            sid, text = each.get("sid"), each.get("body")
            if not (isinstance(sid, str) and SID.fullmatch(sid) and isinstance(text, str)):
                continue
            is_ours = each.get("direction") != "inbound" and each.get("status") not in FAILED
            if is_ours and made_at(each) >= since - SKEW and is_same(text, body, link):
                return sid
        return None


def text_of(message: Message, *, answers: bool) -> str:
    """Return a text with a way to answer, in one segment: by its link, and by a reply where there is room for both.

    Where there is no link, the text is cut rather than the words that say how to answer.
    """
    text, brief = message.text, message.brief
    if not (answers and brief and brief.asks):
        return text
    if septets(text) + len(ANSWER) <= SEGMENT:
        return text + ANSWER
    has_link = brief.link is not None and text.endswith(brief.link)
    return text if has_link else gsm7(text, SEGMENT - len(ANSWER)) + ANSWER


def is_same(before: str, now: str, link: str | None) -> bool:
    """Tell whether two texts are attempts at one: the same, or with the same link, and apart in brackets alone.

    There stands how late it is, and how many alerts there were: that changes between two attempts.
    """
    if before == now:
        return True
    if link is None or link not in before or link not in now:
        return False
    return _head(before, link) == _head(now, link)


def _head(text: str, link: str) -> str:
    """Return what a text says apart from its link, the way to answer, and what stands in brackets."""
    return text.replace(link, "").removesuffix(ANSWER).strip().partition(" (")[0]


def from_settings(settings: Settings, clock: Clock) -> list[Channel]:
    """Return the channel, if the settings configure it."""
    return [] if missing(settings) else [Texts(Account(settings, clock))]


def findings(settings: Settings) -> list[Finding]:
    """Return what is doubtful by the settings alone."""
    if missing(settings) or settings.public_url:
        return []
    text = "isn't set: texts can't be answered, a call can't be taken by pressing 1, and Twilio is asked what arrived"
    return [Finding(Level.NOTE, "PUBLIC_URL", text)]


async def check(settings: Settings, told: Collection[Target]) -> list[Finding]:
    """Log in to the account, and look whether its number sends texts and passes on what people reply."""
    if missing(settings):
        return []
    account = Account(settings, SystemClock())
    try:
        outcome = await account.rehearse(deadline_in(CHECKED_WITHIN))
        if not isinstance(outcome, Sent):
            text = f"{outcome.reason}: {outcome.reply}; {advice(settings, outcome)}"
            return [Finding(Level.FAIL, "Twilio", text)]
        if "Trial" in outcome.reply:
            text = "this is a trial account, which reaches verified numbers alone: verify each, or upgrade it"
            return [Finding(Level.WARN, "Twilio", text)]
        found = [Finding(Level.OK, "Twilio", "the login works, and the account is active")]
        return [*found, *await _about_number(account, settings, told)]
    finally:
        await account.close()


async def _about_number(account: Account, settings: Settings, told: Collection[Target]) -> list[Finding]:
    """Return what is wrong with the number that messages come from, for those who are told."""
    channels = {channel for channel, _ in told}
    if account.sender.startswith("MG"):
        text = f"is a messaging service: see that it passes replies on to {settings.public_url}{SMS_PATH}"
        return [Finding(Level.NOTE, "TWILIO_FROM", text)] if settings.public_url else []
    try:
        number = await account.number(deadline_in(CHECKED_WITHIN))
    except AttemptFailed as failed:
        return [Finding(Level.WARN, "TWILIO_FROM", f"can't be looked up: {failed.outcome.reply}")]
    if number is None:
        return [Finding(Level.WARN, "TWILIO_FROM", "isn't a number of this account; messages from it may be refused")]
    can = number.get("capabilities")
    can = can if isinstance(can, dict) else {}
    found = [
        Finding(Level.FAIL, "TWILIO_FROM", f"this number can't {what}: get one at Twilio that can")
        for channel, key, what in ((ChannelName.TWILIO, "sms", "send texts"), (ChannelName.CALL, "voice", "call"))
        if channel in channels and can.get(key) is False
    ]
    wanted = f"{settings.public_url}{SMS_PATH}"
    if settings.public_url and ChannelName.TWILIO in channels and number.get("sms_url") != wanted:
        text = f"replies to texts don't reach alertgate: at Twilio, have this number's incoming messages go to {wanted}"
        found.append(Finding(Level.WARN, "TWILIO_FROM", text))
    return found
