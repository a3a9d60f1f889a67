"""Why a notification failed for good, and what to do about it, as lines."""

from collections.abc import Iterator

from alertgate.config import Settings
from alertgate.notify.batch import UNKNOWN
from alertgate.notify.channels.base import Reason, Transient
from alertgate.notify.channels.registry import advice
from alertgate.policy.people import Contact
from alertgate.states import waits_for_another
from alertgate.store.failures import Failure


def why(failure: Failure, settings: Settings) -> Iterator[str]:
    """Yield the server's own words, what to do, and whether it is sent by itself. Texts are as servers wrote them."""
    notification, attempt = failure.notification, failure.attempt
    reply = " ".join(attempt.reply.split()) if attempt else ""
    never = "it was never attempted"
    if Contact(notification.channel, notification.address).secret:
        never = f"{never}: {UNKNOWN}; set it, run `alertgate reload`, and retry it"
    yield f"{attempt.reason}: {reply}" if attempt else never
    known = Reason(attempt.reason) if attempt and attempt.reason in set(Reason) else None
    if known and (remedy := advice(settings, notification.channel, Transient(known, reply))):
        yield f"What to do: {remedy}"
    if waits_for_another(notification):
        yield "It is sent by itself once another message to its contact has arrived."
    elif notification.missed_since:
        yield "It is sent by itself once its channel works."
