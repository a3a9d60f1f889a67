"""What to do about each failure of a text or a call by Twilio. Pure."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from alertgate.config import Settings
from alertgate.notify.channels.base import Outcome, Reason, Sent

_CODE = re.compile(r"\b(\d{5})\b")
_STOPPED = "whoever has this number has replied STOP: have them send START to TWILIO_FROM, or change the contact"
_NO_PHONE = "this number takes no texts: correct the contact, or tell it by `call:`, which reaches landlines too"
_FILTERED = (
    "the carrier filtered the text as spam: register TWILIO_FROM at Twilio (A2P 10DLC, toll-free verification), or "
    "another sender"
)
_REGION = "Twilio's geo permissions don't allow this number's country: allow it in Twilio's console"
_TRIAL = "a Twilio trial account reaches verified numbers alone: verify this number at Twilio, or upgrade the account"
_UNREGISTERED = "carriers in the US and Canada refuse TWILIO_FROM until it is registered or verified at Twilio"
_SENDER = "TWILIO_FROM can't send this: set it to a number of the account that can send texts, and call"

CODES: Mapping[int, str] = MappingProxyType(
    {
        21610: _STOPPED,
        21614: _NO_PHONE,
        21635: _NO_PHONE,
        30006: _NO_PHONE,
        30004: "the phone or its carrier blocks TWILIO_FROM: have its owner allow it, or use another sender",
        30007: _FILTERED,
        21408: _REGION,
        21215: _REGION,
        13227: _REGION,
        21216: "Twilio doesn't call this number: correct the contact, or ask Twilio",
        21612: "Twilio has no route from TWILIO_FROM to this number: use another sender, or ask Twilio",
        21608: _TRIAL,
        21219: _TRIAL,
        30032: _UNREGISTERED,
        30034: _UNREGISTERED,
        30002: "the Twilio account is suspended: look at its console and its balance",
        20005: "the Twilio account isn't active: look at its console and its balance",
        30036: "the text wasn't at the carrier within an hour; look at TWILIO_FROM's rate and at Twilio's status page",
    }
)
REASONS: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.CREDENTIALS: "Twilio refuses the login: check TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN",
        Reason.TRY_LATER: "Twilio asks to try again later, or has a fault; if it lasts, see status.twilio.com",
        Reason.SENDER_REFUSED: _SENDER,
        Reason.RELAY_REFUSED: "the Twilio account may not send: look at its console and its balance",
        Reason.UNCLEAR: "Twilio refuses for a reason that isn't known here: look at its words, and check TWILIO_URL",
        Reason.NO_SUCH_RECIPIENT: "there is no such phone: correct the contact's number",
        Reason.REFUSED: "Twilio or the carrier refuses this number: look its code up at twilio.com/docs/api/errors",
        Reason.POLICY: _FILTERED,
        Reason.TOO_LARGE: "the text is longer than Twilio takes; this is a defect in alertgate, please report it",
        Reason.UNREACHABLE: "the phone is off, busy or without a network, or nobody took the call: give its owner a "
        "second contact",
        Reason.RECIPIENT_BUSY: "a call to this number is going on: it is tried again",
        Reason.CONNECTION: "Twilio can't be reached: check this machine's network, its DNS and TWILIO_URL",
        Reason.TLS: "there is no verified TLS with Twilio: check this machine's clock, and what stands in between",
        Reason.TIMEOUT: "Twilio doesn't answer in time: see what slows the network down",
        Reason.INTERNAL: "this is a defect in alertgate: its log has a traceback, please report it",
    }
)


def advice(settings: Settings, outcome: Outcome) -> str | None:  # noqa: ARG001  (a Provider's function)
    """Return what went wrong and what to change, as one sentence; None if nothing went wrong."""
    if isinstance(outcome, Sent):
        return None
    codes = [int(found) for found in _CODE.findall(outcome.reply)]
    by_code = next((CODES[code] for code in codes if code in CODES), None)
    return by_code or REASONS.get(outcome.reason, REASONS[Reason.UNCLEAR])
