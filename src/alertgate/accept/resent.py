"""What an all-clear of the generic webhook can't do when somebody who has seen it sends it again. Pure.

A hub signature signs no time and a token signs nothing, so the `timestamp` in the body is all that tells a replayed
all-clear from a new one. `group.decide` looks at when it is; here it counts that there is one.
"""

from dataclasses import replace

from alertgate.accept.keys import incident_key
from alertgate.accept.repeats import repeat_key
from alertgate.accept.rulings import Understood
from alertgate.accept.times import says_time
from alertgate.id_kind import IdKind
from alertgate.model import Alert, Json, Signal

UNREAD = "resolves nothing: its timestamp can't be read"


def guarded(understood: Understood, timestamp: Json) -> Understood:
    """Return a generic alert so that it ends an incident once at most, if it is an all-clear with a `timestamp`."""
    alert = understood.alert
    if alert.signal is not Signal.RESOLVED or understood.is_aside:
        return understood
    if alert.published_at is not None:
        return understood._replace(alert=_once(alert))
    return _for_nothing(understood) if says_time(timestamp) else understood


def _once(alert: Alert) -> Alert:
    """Return an all-clear that is known again by what is signed of it; an `Idempotency-Key` isn't."""
    if alert.id_kind is IdKind.WEBHOOK_ID or alert.content is None or alert.published_at is None:
        return alert
    key = repeat_key(IdKind.OWN_TIME, alert.device, f"{alert.content} {alert.published_at.isoformat()}")
    return replace(alert, repeat_key=key, id_kind=IdKind.OWN_TIME)


def _for_nothing(understood: Understood) -> Understood:
    """Return an all-clear with a key of its own: it may be of any age, and so it ends nothing, now or later."""
    alert = understood.alert
    reason = "; ".join(filter(None, (alert.reason, UNREAD)))
    alone = replace(alert, incident_key=incident_key("unclear", alert.id), reason=reason)
    return Understood(alone, understood.ruling)
