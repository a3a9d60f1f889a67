"""What a person does by replying to a text message: `ok` says *I'm on it* of what the number was told.

A reply names no message. So `ok` alone counts only where one open incident was told to the number, by a message of its
own; else the answer lists what is open, each with a code. A code stands for the incident as it was listed: once that
became worse, or open again, the code means nothing any more.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alertgate.answers import WORDS, Verdict
from alertgate.credential import Credential
from alertgate.group.answers import Answered, Answers
from alertgate.marks import digest, mark
from alertgate.model import ABOUT_OTHERS, ChannelName, Incident, IncidentStatus, Notification
from alertgate.notify.names import event_name, where
from alertgate.notify.news import holder
from alertgate.notify.render.text import gsm7, short_ids, shorten
from alertgate.store import Connection, follow, incidents

LATELY = timedelta(days=1)
"""How old the message may be that a reply means."""
MOMENT = timedelta(minutes=2)
"""How long it takes to write a reply, and the carriers to bring it."""
MOST_LISTED = 6
LONGEST = 459
"""Septets of an answer: three segments."""
ALPHABET = "23456789bcdfghjkmnpqrtvwxz"
"""Of codes: what is hard to mistake, and makes no word."""
SHORTEST_CODE = 2

_OK = re.compile(r"(?:ok|okay|ack)(?: +([0-9a-z]{2,6}))?")
_NOISE = re.compile(r"[^0-9a-z]+")


@dataclass(frozen=True, slots=True)
class Told:
    """The last message to a number about an incident, and the incident as it is now."""

    notification: Notification
    incident: Incident
    text: Notification | None = None
    """The last one by text: that is what a reply answers, also after a call."""

    @property
    def is_open(self) -> bool:
        """Whether nobody has it, and it isn't over."""
        return self.incident.status is IncidentStatus.OPEN

    def ended_since(self, at: datetime) -> bool:
        """Return whether it ended, or somebody else took it, after a time."""
        one = self.incident
        if one.status is IncidentStatus.ACKNOWLEDGED and one.acknowledged_by == holder(self.notification):
            return False
        ended_at = one.resolved_at or one.acknowledged_at
        return not self.is_open and ended_at is not None and ended_at > at

    @property
    def code(self) -> str:
        """The whole code of the incident as it stands now; its beginning is enough if no other one has it."""
        number, letters = int(digest(f"reply {mark(self.incident)}"), 16), ""
        for _ in range(6):
            number, at = divmod(number, len(ALPHABET))
            letters += ALPHABET[at]
        return letters


@dataclass(frozen=True, slots=True)
class Replied:
    """What became of a reply."""

    text: str = ""
    """What to answer; empty if the number was told nothing lately."""
    told: Notification | None = None
    """The message that it was taken to mean."""
    answered: Answered | None = None


class Replies:
    """Understands replies. `device_name` returns the name of a device's id, if it has one."""

    def __init__(self, answers: Answers, device_name: Callable[[str | None], str | None]) -> None:
        self._answers = answers
        self._device_name = device_name

    def reply(self, connection: Connection, number: str, text: str, now: datetime) -> Replied:
        """Do what a reply says, and return what to answer."""
        told = told_lately(connection, number, now)
        if not told:
            return Replied()
        code = understood(text)
        if code is None:
            return Replied(self._how(told, now))
        chosen = choose(told, code, now)
        if chosen is None:
            return Replied(self._ask(told, code))
        answered = self._answers.answer(connection, chosen.notification, Credential.TWILIO, now)
        meant = chosen.text or chosen.notification
        follow.prove(connection, [meant], answered.proof, now, "a reply")
        about = answered.incident or chosen.incident
        said = f"{self._name(about)} - {WORDS[answered.verdict]}"
        if answered.verdict is Verdict.CHANGED:
            said += self._listed(told)
        return Replied(gsm7(said, LONGEST), chosen.notification, answered)

    def _how(self, told: Sequence[Told], now: datetime) -> str:
        """Say how to answer what is open: by OK alone, where that is enough."""
        only = choose(told, "", now)
        if only and only.is_open:
            return gsm7(f"Nothing was done. Reply OK to say that you are on it: {self._name(only.incident)}", LONGEST)
        return gsm7(f"Nothing was done.{self._listed(told)}", LONGEST)

    def _ask(self, told: Sequence[Told], code: str) -> str:
        if code:
            return gsm7(f"Nothing was done: nothing open has the code {code} now.{self._listed(told)}", LONGEST)
        return gsm7(f"Nothing was done yet.{self._listed(told)}", LONGEST)

    def _listed(self, told: Sequence[Told]) -> str:
        """Return what is open, with codes, as more sentences; the worst first."""
        going_on = sorted((each for each in told if each.is_open), key=lambda each: -each.incident.severity.rank)
        if not going_on:
            return " Nothing that this number was told of is open."
        length = code_length(told)
        lines = [f"OK {each.code[:length]} = {self._name(each.incident)}" for each in going_on[:MOST_LISTED]]
        more = len(going_on) - len(lines)
        return f" Reply: {'; '.join(lines)}" + (f"; and {more} more, by the links of their messages" if more else "")

    def _name(self, incident: Incident) -> str:
        place = shorten(short_ids(where(incident, self._device_name(incident.device))), 24)
        return f"{incident.severity.upper()} {place}: {shorten(event_name(incident), 30)}"


def told_lately(connection: Connection, number: str, now: datetime) -> list[Told]:
    """Return what a number was told by text or by call, the newest first, each incident once."""
    sent = [
        each
        for channel in (ChannelName.TWILIO, ChannelName.CALL)
        for each in follow.newest_to(connection, channel, number, now - LATELY)
        if each.kind not in ABOUT_OTHERS
    ]
    sent.sort(key=lambda each: (each.finished_at or each.created_at, each.id), reverse=True)
    newest: dict[str, Notification] = {}
    texts: dict[str, Notification] = {}
    for each in sent:
        newest.setdefault(each.incident_id, each)
        if each.channel is ChannelName.TWILIO:
            texts.setdefault(each.incident_id, each)
    about = incidents.by_id(connection, newest)
    return [Told(each, about[key], texts.get(key)) for key, each in newest.items()]


def understood(text: str) -> str | None:
    """Return the code of an `ok`, or an empty text without one; None if it is something else. Pure."""
    found = _OK.fullmatch(_NOISE.sub(" ", text[:100].lower()).strip())
    return (found[1] or "") if found else None


def code_length(told: Sequence[Told]) -> int:
    """Return how much of the codes tells all of these apart, also those that are over by now. Pure."""
    codes = [each.code for each in told]
    for length in range(SHORTEST_CODE, 6):
        if len({code[:length] for code in codes}) == len(codes):
            return length
    return 6


def choose(told: Sequence[Told], code: str, now: datetime) -> Told | None:
    """Return what a reply means, or None if that isn't sure. Pure.

    With a code it is the incident as it was listed, whatever its message showed. Without one, the only open one that
    has a message of its own, unless another one ended a moment ago, which the reply may have meant; if none is open,
    the last one, to say how that stands.
    """
    if code:
        found = [each for each in told if each.code.startswith(code)]
        return _as_listed(found[0]) if len(found) == 1 else None
    going_on = [each for each in told if each.is_open]
    if not going_on:
        return told[0]
    if len(going_on) > 1 or going_on[0].notification.digest_id or any(each.ended_since(now - MOMENT) for each in told):
        return None
    return going_on[0]


def _as_listed(one: Told) -> Told:
    return replace(one, notification=replace(one.notification, shown=mark(one.incident)))
