"""What alertgate says of itself because of an alert that it may misunderstand, once for each event and device. Pure.

A hint is an alert of the source `alertgate`, stored together with the alert that caused it. Unlike a trouble, nobody
says that it is over: its incident ends in silence.
"""

import json
from dataclasses import dataclass
from datetime import datetime

from alertgate.accept.fields import distinct
from alertgate.accept.keys import incident_key, parts_prefix
from alertgate.accept.parts import MOST_PARTS, PartReason
from alertgate.accept.rulings import Said, Understood
from alertgate.group.decide import Known
from alertgate.model import Alert, AlertStatus, Severity, Signal, Source
from alertgate.notify.render.text import one_line
from alertgate.own_events import Hint
from alertgate.policy.suggest import rule_text
from alertgate.prove import hint_words

LONGEST_EVENT = 256
"""Characters of an event in a hint's key, and in what it is about."""
LONGEST_SHOWN = 60
"""Characters of what an alert says, in a hint's sentences."""
SEVERITIES = {Hint.ALL_CLEAR: Severity.INFO, Hint.PARTS: Severity.WARNING}
"""Parts that share an incident are alarms that nothing ends; a word is a question."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """An alert that alertgate may misunderstand."""

    hint: Hint
    understood: Understood
    said: Said

    @property
    def key(self) -> str:
        """The incident key of the hint: one for each event of each device, whatever the part."""
        what = self.understood.whole if self.hint is Hint.PARTS else None
        event = distinct(self.said.event, LONGEST_EVENT)
        return incident_key(Source.ALERTGATE, self.hint, what or incident_key(self.said.source, self._device, event))

    @property
    def _device(self) -> str:
        return self.understood.alert.device or ""

    def alert(self, alert_id: str, now: datetime, name: str | None) -> Alert:
        """Return the hint as an alert. `name` is the device's, or None."""
        event = one_line(self.said.event, LONGEST_EVENT)
        return Alert(
            id=alert_id,
            received_at=now,
            source=Source.ALERTGATE,
            status=AlertStatus.ACCEPTED,
            signal=Signal.FIRING,
            event=self.hint,
            severity=SEVERITIES[self.hint],
            incident_key=self.key,
            device=hint_words.about(event, self._device, name),
            message=self._message(),
            data={"event": event, "device": self.understood.alert.device, "alert": self.understood.alert.id},
        )

    def _message(self) -> str:
        ruling, base = self.understood.ruling, self.understood.ruling.rule if self.understood.ruling else None
        if self.hint is Hint.ALL_CLEAR:
            over = "false  # or what says that it is over, as in \"status == 'open'\""
            rule = rule_text(self.said.event, self.said.source, base, resolved=over)
            return hint_words.all_clear_message(one_line(self.understood.doubtful_word or "", LONGEST_SHOWN), rule)
        part = _part(self.understood)
        if ruling and ruling.part:
            return hint_words.parts_message(MOST_PARTS, part, None, one_line(ruling.name, LONGEST_SHOWN))
        single = '"\'all\'"  # or what names a part, as in "data.zone"'
        rule = rule_text(self.said.event, self.said.source, base, key=single)
        return hint_words.parts_message(MOST_PARTS, part, rule, None)


def _part(understood: Understood) -> str:
    """Return an alert's part as its key has it, such as `zone hall`."""
    key, prefix = understood.alert.incident_key, parts_prefix(understood.whole or "")
    if not key.startswith(prefix):
        return one_line(key, LONGEST_SHOWN)  # the key was too long, so a digest stands for the part
    return one_line(" ".join(json.loads(f"[{key.removeprefix(prefix)}")), LONGEST_SHOWN)


def doubtful_all_clear(understood: Understood, known: Known) -> Occasion | None:
    """Return the occasion for a hint about an all-clear by a doubtful word, if nothing was ever open for its key."""
    if known.last or known.shared or not understood.said or not understood.doubtful_word:
        return None
    return Occasion(Hint.ALL_CLEAR, understood, understood.said)


def shared_part(understood: Understood, reason: PartReason) -> Occasion | None:
    """Return the occasion for a hint about a part that shares an incident."""
    if reason is not PartReason.SHARED or not understood.said:
        return None
    return Occasion(Hint.PARTS, understood, understood.said)
