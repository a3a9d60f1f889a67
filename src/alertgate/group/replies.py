"""What a person does by replying to a text message: `ok` says *I'm on it* of what the number was told.

A reply names no message. So `ok` alone counts only where it is sure what it means (`notify.meant`); else the answer
lists what is open, each with a code. A code stands for the incident as it was listed: once that became worse, or open
again, the code means nothing any more.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from alertgate.answers import WORDS, Verdict
from alertgate.credential import Credential
from alertgate.group.answers import Answered, Answers
from alertgate.marks import digest, mark
from alertgate.model import ChannelName, Incident, Notification
from alertgate.notify.meant import LATELY, Told, by_incident, choose
from alertgate.notify.names import in_short
from alertgate.notify.render.text import gsm7
from alertgate.store import Connection, follow, incidents

MOST_LISTED = 6
LONGEST = 459
"""Septets of an answer: three segments."""
ALPHABET = "23456789bcdfghjkmnpqrtvwxz"
"""Of codes: what is hard to mistake, and makes no word."""
SHORTEST_CODE = 2

_OK = re.compile(r"(?:ok|okay|ack)(?: +([0-9a-z]{2,6}))?")
_NOISE = re.compile(r"[^0-9a-z]+")


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
        chosen = listed_as(told, code) if code else choose(told, now)
        if chosen is None:
            return Replied(self._ask(told, code))
        answered = self._answers.answer(connection, chosen.newest, Credential.TWILIO, now)
        # A reply answers the last text, also after a call.
        texts = (each for each in chosen.messages if each.channel is ChannelName.TWILIO)
        meant = next(texts, chosen.newest)
        follow.prove(connection, [meant], answered.proof, now, "a reply")
        about = answered.incident or chosen.incident
        said = f"{self._name(about)} - {WORDS[answered.verdict]}"
        if answered.verdict is Verdict.CHANGED:
            said += self._listed(told)
        return Replied(gsm7(said, LONGEST), chosen.newest, answered)

    def _how(self, told: Sequence[Told], now: datetime) -> str:
        """Say how to answer what is open: by OK alone, where that is enough."""
        only = choose(told, now)
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
        lines = [
            f"OK {code_of(each.incident)[:length]} = {self._name(each.incident)}" for each in going_on[:MOST_LISTED]
        ]
        more = len(going_on) - len(lines)
        return f" Reply: {'; '.join(lines)}" + (f"; and {more} more, by the links of their messages" if more else "")

    def _name(self, incident: Incident) -> str:
        return in_short(incident, self._device_name(incident.device))


def told_lately(connection: Connection, number: str, now: datetime) -> list[Told]:
    """Return what a number was told by text or by call, the newest first."""
    sent = [
        each
        for channel in (ChannelName.TWILIO, ChannelName.CALL)
        for each in follow.newest_to(connection, channel, number, now - LATELY)
    ]
    sent.sort(key=lambda each: (each.finished_at or each.created_at, each.id), reverse=True)
    return by_incident(sent, incidents.by_id(connection, {each.incident_id for each in sent}))


def understood(text: str) -> str | None:
    """Return the code of an `ok`, or an empty text without one; None if it is something else. Pure."""
    found = _OK.fullmatch(_NOISE.sub(" ", text[:100].lower()).strip())
    return (found[1] or "") if found else None


def code_of(incident: Incident) -> str:
    """Return the whole code of an incident as it stands; its beginning is enough if no other one has it. Pure."""
    number, letters = int(digest(f"reply {mark(incident)}"), 16), ""
    for _ in range(6):
        number, at = divmod(number, len(ALPHABET))
        letters += ALPHABET[at]
    return letters


def code_length(told: Sequence[Told]) -> int:
    """Return how much of the codes tells all of these apart, also those that are over by now. Pure."""
    codes = [code_of(each.incident) for each in told]
    for length in range(SHORTEST_CODE, 6):
        if len({code[:length] for code in codes}) == len(codes):
            return length
    return 6


def listed_as(told: Sequence[Told], code: str) -> Told | None:
    """Return what a code stands for, or None: the incident as it was listed, whatever its message showed. Pure."""
    found = [each for each in told if code_of(each.incident).startswith(code)]
    if len(found) != 1:
        return None
    newest, *older = found[0].messages
    return replace(found[0], messages=(replace(newest, shown=mark(found[0].incident)), *older))
