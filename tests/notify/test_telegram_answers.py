"""Which message somebody means in a chat, and what they hear where that isn't clear."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from alertgate.answers import WORDS, Verdict
from alertgate.model import ChannelName, Incident, IncidentStatus, Kind, NotificationStatus, Severity
from alertgate.notify import telegram_answers as words
from alertgate.notify.meant import MOMENT
from alertgate.notify.telegram_answers import TelegramAnswers
from alertgate.notify.telegram_updates import Press, Said
from alertgate.proof import Proof
from alertgate.store import incidents, notifications
from alertgate.store.engine import Store
from tests.builders import new_incident, new_notification
from tests.fakes import START


@dataclass
class Chats:
    """What two chats were told, and what was done by answers."""

    store: Store
    answers: TelegramAnswers = field(init=False)
    done: list[tuple[str, str | None, str]] = field(default_factory=list)
    verdict: Verdict = Verdict.DONE

    def __post_init__(self) -> None:
        self.answers = TelegramAnswers(self.act, lambda target: target[1] in ("42", "-7"), lambda _: None)

    def act(self, _, told, by, act, now):  # noqa: ARG002  (the Act's signature)
        self.done.append((told.id, by, act))
        return self.verdict, lambda: None

    def tell(
        self,
        receipt: str,
        about: Incident,
        shown: str | None = "0123456789",
        address: str = "42",
        sent_at: datetime = START,
        **changes: object,
    ) -> str:
        """Store a message that was sent; return its notification's id."""
        sent = new_notification(
            about,
            channel=ChannelName.TELEGRAM,
            address=address,
            status=NotificationStatus.SENT,
            finished_at=sent_at,
            receipt=receipt,
            shown=shown,
            **{"person": "anna", **changes},
        )
        with self.store.transaction() as connection:
            if incidents.get(connection, about.id) is None:
                incidents.add(connection, [about])
            notifications.add(connection, [sent])
        return sent.id

    def say(
        self,
        text: str,
        number: int = 100,
        chat: str = "42",
        reply_to: int | None = None,
        written_at: datetime = START,
        heard_at: datetime | None = None,
    ) -> str | None:
        """Write something; return what is answered once it is heard, at once or later."""
        said = Said(chat, not chat.startswith("-"), "Anna", number, text, reply_to, written_at)
        with self.store.transaction() as connection:
            heard = self.answers.said(connection, said, heard_at or written_at)
        return heard.words if heard else None


@pytest.fixture
def chats(store: Store) -> Iterator[Chats]:
    """Chats on each database."""
    return Chats(store)


def test_a_bare_ok_means_what_its_writer_has_seen(chats: Chats):
    """Not what came after it; and not an older message about the same."""
    about = new_incident()
    chats.tell("42:10", about)
    seen = chats.tell("42:11", about)
    chats.tell("42:90", about)
    chats.tell("421:12", new_incident(key="another chat's"), address="421")
    chats.say("ok", number=50)
    assert chats.done == [(seen, None, "acknowledge")]
    with chats.store.transaction() as connection:
        told = notifications.get(connection, seen)
    assert told is not None
    assert (told.proof, told.proved_by) == (Proof.ACKNOWLEDGED, "Anna")


def test_a_bare_ok_is_not_guessed(chats: Chats):
    """Two things are open."""
    for number in (10, 11):
        chats.tell(f"42:{number}", new_incident(key=f"k{number}"))
    assert chats.say("ok") == words.WHICH.format("WARNING d: e; WARNING d: e", "", words.REPLY)
    assert chats.done == []


def test_what_is_over_does_not_count(chats: Chats):
    """Only what is open is meant."""
    over = new_incident(key="over", status=IncidentStatus.RESOLVED, resolved_at=START - MOMENT)
    chats.tell("42:12", over)
    meant = chats.tell("42:11", new_incident())
    chats.say("snooze")
    assert chats.done == [(meant, None, "snooze")]


TAKEN = {"status": IncidentStatus.ACKNOWLEDGED, "acknowledged_by": "ben"}
OVER = {"status": IncidentStatus.RESOLVED}


@pytest.mark.parametrize("ended", [{**TAKEN, "acknowledged_at": START}, {**OVER, "resolved_at": START}])
@pytest.mark.parametrize("written_at", [START - timedelta(seconds=5), START + timedelta(seconds=5)])
@pytest.mark.parametrize("heard_at", [START + timedelta(seconds=6), START + timedelta(hours=2)])
def test_a_bare_ok_takes_nothing_that_its_writer_may_not_mean(chats: Chats, ended, written_at, heard_at):
    """The door was taken, or shut, about when the answer was written: the leak, told before, stays open.

    Also where the answer is heard late, as after a restart.
    """
    chats.tell("42:11", new_incident(key="leak", event="leak", severity=Severity.CRITICAL))
    chats.tell("42:12", new_incident(key="door", event="door", **ended))
    asked = words.WHICH.format("CRITICAL d: leak", words.NO_LONGER.format("WARNING d: door"), words.REPLY)
    assert chats.say("ok", written_at=written_at, heard_at=heard_at) == asked
    assert chats.say("snooze", written_at=written_at, heard_at=heard_at) == asked
    assert chats.done == []
    said = chats.say("ok", written_at=START + MOMENT)
    assert said == f"CRITICAL d: leak - {WORDS[Verdict.DONE]}", "by then its writer has seen that"


def test_a_bare_ok_that_crosses_a_rise_is_not_guessed(chats: Chats):
    """It may answer the warning; once the newer message has been there for a while, it means that, reminders or not."""
    leak = new_incident(key="leak", event="leak", severity=Severity.CRITICAL)
    rose_at = START + timedelta(minutes=2)
    chats.tell("42:11", leak, shown="a warning")
    chats.tell("42:12", leak, sent_at=rose_at)
    asked = words.WHICH.format("CRITICAL d: leak", "", words.REPLY)
    assert chats.say("ok", written_at=rose_at + timedelta(seconds=1)) == asked
    assert chats.done == []
    reminder = chats.tell("42:13", leak, sent_at=rose_at + MOMENT)
    chats.say("ok", written_at=rose_at + MOMENT + timedelta(seconds=1))
    assert [told for told, *_ in chats.done] == [reminder]


@pytest.mark.parametrize(("by", "person", "chat"), [("anna", "anna", "42"), ("Anna", "42", "42"), ("Anna", "-7", "-7")])
def test_what_its_writer_took_is_not_meant_again(chats: Chats, by, person, chat):
    """They pressed the button of one a moment ago, and now say ok to the other: by the policy's name, or their own."""
    taken = {**TAKEN, "acknowledged_by": by, "acknowledged_at": START}
    chats.tell(f"{chat}:12", new_incident(key="door", **taken), address=chat, person=person)
    leak = chats.tell(f"{chat}:11", new_incident(key="leak"), address=chat, person=person)
    chats.say("ok", chat=chat)
    assert [told for told, *_ in chats.done] == [leak]


def test_a_bare_ok_means_nothing_that_was_said_days_ago(chats: Chats):
    """Its writer hears how to answer that; what somebody else has done isn't meant either."""
    leak = new_incident(key="leak")
    chats.tell("42:11", leak)
    chats.tell("42:12", leak, sent_at=START + timedelta(days=1), kind=Kind.ACKNOWLEDGEMENT)
    assert chats.say("ok", written_at=START + timedelta(days=1, seconds=1)) == words.NOTHING
    assert chats.done == []


def test_a_chat_that_is_told_no_more_hears_no_names(chats: Chats):
    """Not even where it would be asked which of several it means."""
    for number in (10, 11):
        chats.tell(f"666:{number}", new_incident(key=f"k{number}"), address="666")
    assert chats.say("ok", chat="666") == words.STRANGER
    assert chats.done == []


def test_a_digest_is_not_answered(chats: Chats):
    """Somebody would answer for what it doesn't name."""
    for number in range(2):
        chats.tell("42:10", new_incident(key=f"k{number}"), shown=None)
    assert chats.say("ok", reply_to=10) == words.MANY_IN_ONE
    chats.tell("42:20", new_incident(key="k"), shown=None)
    assert chats.say("ok", reply_to=20) == words.MANY_IN_ONE
    assert chats.done == []


@pytest.mark.parametrize(("has_own", "how"), [(False, words.TOGETHER), (True, f"{words.REPLY} {words.TOGETHER}")])
def test_who_answers_a_digest_hears_of_its_link(chats: Chats, has_own, how):
    """There is no message of each that it tells of, to which one could reply."""
    for number in range(2):
        chats.tell("42:10", new_incident(key=f"k{number}"), shown=None)
    if has_own:
        chats.tell("42:9", new_incident(key="own"))
    listed = "; ".join(["WARNING d: e"] * (3 if has_own else 2))
    assert chats.say("ok") == words.WHICH.format(listed, "", how)
    assert all("link" in said for said in (how, words.MANY_IN_ONE))
    assert chats.done == []


def test_a_reply_to_something_else_is_not_guessed(chats: Chats):
    """In a person's chat they hear it; in a group people say ok to each other."""
    chats.tell("42:10", new_incident())
    assert chats.say("ok", reply_to=9) == words.UNKNOWN
    assert chats.say("ok", chat="-7", reply_to=9) is None
    assert chats.say("ok", chat="-7") is None
    assert chats.say("what is that?", chat="-7") is None
    assert chats.say("what is that?") == words.HINT
    assert chats.done == []


def test_a_group_that_moved_is_known_by_its_messages(chats: Chats):
    """The policy has its old number, and who presses there is named."""
    told = chats.tell("-1007:10", new_incident(), address="-7")
    chats.say("ok", chat="-1007", reply_to=10)
    assert chats.done == [(told, "Anna", "acknowledge")]


def test_a_button_means_what_its_own_copy_showed(chats: Chats):
    """A message that was sent twice may have shown another state before."""
    chats.verdict = Verdict.CHANGED
    told = chats.tell("42:10", new_incident())
    with chats.store.transaction() as connection:
        heard = chats.answers.pressed(connection, Press("q", "42", True, "Anna", f"a:{told}:aaaaaaaaaa"), START)
        after = notifications.get(connection, told)
    assert not heard.is_done
    assert after is not None
    assert (after.proof, after.shown) == (Proof.SEEN, "0123456789")


def test_no_other_channels_message_is_answered(chats: Chats):
    """Whoever knows the id of a mail's notification can't answer it here."""
    about = new_incident()
    mail = new_notification(about, address="42")
    with chats.store.transaction() as connection:
        incidents.add(connection, [about])
        notifications.add(connection, [mail])
        heard = chats.answers.pressed(connection, Press("q", "42", True, "Anna", f"a:{mail.id}:aaaaaaaaaa"), START)
    assert heard.words == words.UNKNOWN
    assert chats.done == []
