"""What becomes of what people do in Telegram's chats, and what they hear of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from alertgate.answers import WORDS, Verdict
from alertgate.model import ChannelName, Incident, Notification, Target
from alertgate.notify.channels.telegram_text import unpack
from alertgate.notify.meant import LATELY, MOMENT, Told, by_incident, choose
from alertgate.notify.names import in_short
from alertgate.notify.telegram_updates import Press, Said
from alertgate.proof import Proof
from alertgate.store import Connection, follow, incidents, notifications

SNOOZED = "Snoozed for an hour. Then it starts anew."
UNKNOWN = "Nothing was done: alertgate doesn't know this message any more."
STRANGER = "Nothing was done: this chat isn't told by alertgate any more."
MANY_IN_ONE = "Nothing was done: that message tells of several things. Answer them by its link, or in the console."
WHICH = "Nothing was done, because it isn't sure what you mean. Open here: {}.{} {}"
REPLY = "Reply to the message that you mean, or press its button."
TOGETHER = "What was told in one message with others is answered by its link, or in the console."
NO_LONGER = " No longer: {}."
"""What ended, or was taken, a moment ago."""
MOST_LISTED = 6
NOTHING = (
    "Nothing was done: of what was said here within a day nothing is open. To answer older messages reply to them."
)
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
    """Judges and does what people answer.

    `is_told` says whether a target is somebody's contact. `device_name` returns the name of a device's id, if any.
    """

    def __init__(
        self, act: Act, is_told: Callable[[Target], bool], device_name: Callable[[str | None], str | None]
    ) -> None:
        self._act = act
        self._is_told = is_told
        self._device_name = device_name

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
        if said.reply_to is None:
            return self._said_alone(connection, said, said.act, now)
        found = follow.by_receipt(connection, ChannelName.TELEGRAM, f"{said.chat}:{said.reply_to}")
        if not found:
            return self._lost(said, UNKNOWN)
        if len(found) > 1 or found[0].shown is None:
            return Heard(MANY_IN_ONE)
        return self._answer(connection, found[0], said.act, said, now)

    def _said_alone(self, connection: Connection, said: Said, act: str, now: datetime) -> Heard | None:
        """Do what a message asks that is no reply, if it is sure what it means."""
        written_at = min(said.written_at or now, now)  # while no process runs, Telegram keeps it for a day
        told = _told_before(connection, said, written_at)
        if not told:
            return self._lost(said, NOTHING)
        if not self._is_told((ChannelName.TELEGRAM, told[0].newest.address)):
            return Heard(STRANGER)
        chosen = choose(told, written_at, said.who)
        if chosen is None:
            return self._asked(told, written_at, said.who)
        return self._answer(connection, chosen.newest, act, said, now)

    def _asked(self, told: Sequence[Told], written_at: datetime, who: str) -> Heard:
        meant = [each for each in told if each.is_open]
        how = [REPLY] if any(each.is_alone for each in meant) else []
        how += [] if all(each.is_alone for each in meant) else [TOGETHER]
        going_on = [self._name(each.incident) for each in meant]
        listed, more = "; ".join(going_on[:MOST_LISTED]), len(going_on) - MOST_LISTED
        ended = [self._name(each.incident) for each in told if each.ended_since(written_at - MOMENT, who)]
        no_longer = NO_LONGER.format("; ".join(ended[:MOST_LISTED])) if ended else ""
        return Heard(WHICH.format(f"{listed}; and {more} more" if more > 0 else listed, no_longer, " ".join(how)))

    def _name(self, incident: Incident) -> str:
        return in_short(incident, self._device_name(incident.device))

    def _advised(self, said: Said) -> Heard | None:
        """Say how to go on. In a group only to who asks: others talk there."""
        if not (said.asks or said.is_private):
            return None
        if self.is_known(said.chat):
            return Heard(f"{KNOWN.format(chat=said.chat)} {HINT}" if said.asks else HINT)
        return Heard(START.format(chat=said.chat))

    def _lost(self, said: Said, words: str) -> Heard | None:
        if not said.is_private:
            return None  # `ok` to somebody else
        if not self.is_known(said.chat):
            return Heard(START.format(chat=said.chat))
        return Heard(words)

    def _answer(self, connection: Connection, told: Notification, act: str, done: Press | Said, now: datetime) -> Heard:
        if not self._is_told((told.channel, told.address)):
            return Heard(STRANGER)
        named = told.person is not None and told.person != told.address
        by = None if done.is_private and named else done.who  # one person's chat: the policy knows their name
        verdict, then = self._act(connection, told, by, act, now)
        is_done = verdict is Verdict.DONE
        follow.prove(connection, [told], Proof.ACKNOWLEDGED if is_done else Proof.SEEN, now, done.who)
        words = SNOOZED if is_done and act == "snooze" else WORDS[verdict]
        about = incidents.get(connection, told.incident_id)
        return Heard(f"{self._name(about)} - {words}" if about else words, is_done, then)


def _told_before(connection: Connection, said: Said, written_at: datetime) -> list[Told]:
    """Return what a chat was lately told above a message in it, the newest first."""
    sent = follow.newest_in(connection, ChannelName.TELEGRAM, f"{said.chat}:", written_at - LATELY)
    above = sorted((each for each in sent if _number(each) < said.number), key=_number, reverse=True)
    return by_incident(above, incidents.by_id(connection, {each.incident_id for each in above}))


def _chats(told: Notification) -> set[str]:
    """Return the numbers of a message's chat: its contact's, and that to which its group had moved."""
    if told.channel is not ChannelName.TELEGRAM:
        return set()
    return {told.address, (told.receipt or told.address).partition(":")[0]}


def _number(told: Notification) -> int:
    number = (told.receipt or "").partition(":")[2]
    return int(number) if number.isdecimal() else 0
