"""Which message somebody means in a chat, and what they hear where that isn't clear."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from alertgate.answers import Verdict
from alertgate.model import ChannelName, Incident, IncidentStatus, NotificationStatus
from alertgate.notify import telegram_answers as words
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
        self.answers = TelegramAnswers(self.act, lambda target: target[1] in ("42", "-7"))

    def act(self, _, told, by, act, now):  # noqa: ARG002  (the Act's signature)
        self.done.append((told.id, by, act))
        return self.verdict, lambda: None

    def tell(self, receipt: str, about: Incident, shown: str | None = "0123456789", address: str = "42") -> str:
        """Store a message that was sent; return its notification's id."""
        sent = new_notification(
            about,
            channel=ChannelName.TELEGRAM,
            address=address,
            status=NotificationStatus.SENT,
            finished_at=START,
            receipt=receipt,
            shown=shown,
            person="anna",
        )
        with self.store.transaction() as connection:
            if incidents.get(connection, about.id) is None:
                incidents.add(connection, [about])
            notifications.add(connection, [sent])
        return sent.id

    def say(self, text: str, number: int = 100, chat: str = "42", reply_to: int | None = None) -> str | None:
        """Write something; return what is answered."""
        said = Said(chat, not chat.startswith("-"), "Anna", number, text, reply_to)
        with self.store.transaction() as connection:
            heard = self.answers.said(connection, said, START)
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
    assert chats.say("ok") == words.WHICH.format(2)
    assert chats.done == []


def test_what_is_over_does_not_count(chats: Chats):
    """Only what is open is meant."""
    over = new_incident(key="over", status=IncidentStatus.RESOLVED, resolved_at=START)
    chats.tell("42:12", over)
    meant = chats.tell("42:11", new_incident())
    chats.say("snooze")
    assert chats.done == [(meant, None, "snooze")]


def test_a_digest_is_not_answered(chats: Chats):
    """Somebody would answer for what it doesn't name."""
    for number in range(2):
        chats.tell("42:10", new_incident(key=f"k{number}"), shown=None)
    assert chats.say("ok", reply_to=10) == words.MANY_IN_ONE
    chats.tell("42:20", new_incident(key="k"), shown=None)
    assert chats.say("ok", reply_to=20) == words.MANY_IN_ONE
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
