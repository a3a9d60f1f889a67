"""What becomes of what people do in Telegram's chats, and what they hear of it."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from alertgate.answers import WORDS, Verdict
from alertgate.model import ChannelName, IncidentStatus, Notification, Target
from alertgate.notify.channels.telegram_text import unpack
from alertgate.notify.telegram_updates import Press, Said
from alertgate.proof import Proof
from alertgate.store import Connection, follow, incidents, notifications

SNOOZED = "Snoozed for an hour. Then it starts anew."
UNKNOWN = "Nothing was done: alertgate doesn't know this message any more."
STRANGER = "Nothing was done: this chat isn't told by alertgate any more."
MANY_IN_ONE = "Nothing was done: that message tells of several things. Answer the message of each, or use the link."
WHICH = "Nothing was done: {} things are open here. Reply to the message that you mean, or press its button."
NOTHING = "Nothing was done: nothing that was said here is open."
HINT = "To answer a message press its button, or reply to it with ok or snooze."
START = (
    "This chat's number is {chat}. To be told here, make telegram:{chat} a contact of a person in alertgate.toml, or "
    "set RECIPIENT_PUSH=telegram:{chat} in .env."
)
KNOWN = "alertgate tells this chat already, as telegram:{chat}."


def _nothing() -> None:
    """There is nothing to do once it is committed."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What somebody hears of what they did; `then` is to be called once it is committed."""

    words: str
    is_done: bool = False
    then: Callable[[], None] = _nothing


Act = Callable[[Connection, Notification, str | None, str, datetime], tuple[Verdict, Callable[[], None]]]
"""Does an act to the incident of a message, as the message showed it: who answered, and `acknowledge` or `snooze`.

Returns what became of it, and what to call once it is committed.
"""


class TelegramAnswers:
    """Judges and does what people answer. `is_told` says whether a target is somebody's contact."""

    def __init__(self, act: Act, is_told: Callable[[Target], bool]) -> None:
        self._act = act
        self._is_told = is_told

    def is_known(self, chat: str) -> bool:
        """Tell whether a chat is somebody's contact."""
        return self._is_told((ChannelName.TELEGRAM, chat))

    def pressed(self, connection: Connection, press: Press, now: datetime) -> Heard:
        """Do what a button says. It must be of a message to this chat: anybody can send what a button hands back."""
        found = unpack(press.data)
        told = notifications.get(connection, found.notification_id) if found else None
        if found is None or told is None or press.chat not in _chats(told):
            return Heard(UNKNOWN)
        if told.shown is None:
            return Heard(MANY_IN_ONE)
        return self._answer(connection, replace(told, shown=found.shown), found.act, press, now)

    def said(self, connection: Connection, said: Said, now: datetime) -> Heard | None:
        """Do what a message asks; None if it isn't meant for us."""
        if said.act is None:
            return self._advised(said)
        if said.reply_to is not None:
            found = follow.by_receipt(connection, ChannelName.TELEGRAM, f"{said.chat}:{said.reply_to}")
        else:
            found = self._newest(connection, said)
            if len(found) > 1:
                return Heard(WHICH.format(len(found)))
        if not found:
            return self._lost(said)
        if len(found) > 1 or found[0].shown is None:
            return Heard(MANY_IN_ONE)
        return self._answer(connection, found[0], said.act, said, now)

    def _advised(self, said: Said) -> Heard | None:
        """Say how to go on. In a group only to who asks: others talk there."""
        if not (said.asks or said.is_private):
            return None
        if self.is_known(said.chat):
            return Heard(f"{KNOWN.format(chat=said.chat)} {HINT}" if said.asks else HINT)
        return Heard(START.format(chat=said.chat))

    def _lost(self, said: Said) -> Heard | None:
        if not said.is_private:
            return None  # `ok` to somebody else
        if not self.is_known(said.chat):
            return Heard(START.format(chat=said.chat))
        return Heard(NOTHING if said.reply_to is None else UNKNOWN)

    def _newest(self, connection: Connection, said: Said) -> list[Notification]:
        """Return the newest message of each open incident that this chat was told of before; else the newest of all."""
        sent = follow.newest_in(connection, ChannelName.TELEGRAM, f"{said.chat}:")
        before = [each for each in sent if _number(each) < said.number]
        by_incident: dict[str, list[Notification]] = defaultdict(list)
        for each in sorted(before, key=_number, reverse=True):
            by_incident[each.incident_id].append(each)
        opened = [members[0] for key, members in by_incident.items() if _is_open(connection, key)]
        return opened or [members[0] for members in by_incident.values()][:1]

    def _answer(self, connection: Connection, told: Notification, act: str, done: Press | Said, now: datetime) -> Heard:
        if not self._is_told((told.channel, told.address)):
            return Heard(STRANGER)
        named = told.person is not None and told.person != told.address
        by = None if done.is_private and named else done.who  # one person's chat: the policy knows their name
        verdict, then = self._act(connection, told, by, act, now)
        is_done = verdict is Verdict.DONE
        follow.prove(connection, [told], Proof.ACKNOWLEDGED if is_done else Proof.SEEN, now, done.who)
        return Heard(SNOOZED if is_done and act == "snooze" else WORDS[verdict], is_done, then)


def _chats(told: Notification) -> set[str]:
    """Return the numbers of a message's chat: its contact's, and that to which its group had moved."""
    if told.channel is not ChannelName.TELEGRAM:
        return set()
    return {told.address, (told.receipt or told.address).partition(":")[0]}


def _number(told: Notification) -> int:
    number = (told.receipt or "").partition(":")[2]
    return int(number) if number.isdecimal() else 0


def _is_open(connection: Connection, incident_id: str) -> bool:
    incident = incidents.get(connection, incident_id)
    return incident is not None and incident.status is IncidentStatus.OPEN
