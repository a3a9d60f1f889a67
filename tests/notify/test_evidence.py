"""What a doubtful refusal is about, told as stories of what a server says to each recipient."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertgate.notify.channels.base import CHANNEL_WIDE, Outcome, Permanent, Reason, Sent, Transient
from alertgate.notify.channels.hook import alone
from alertgate.notify.channels.replies import Stage, classify
from alertgate.notify.evidence import REMEMBERED, SHORTLY, TRIES, Evidence, Subject, Tried, Weighed, weigh, words_of
from tests.builders import for_any
from tests.fakes import START

GOOD, BAD = Tried("good@example.com", "1"), Tried("bad@example.org", "2")
ELSEWHERE = Tried("third@example.net", "3")
UNCLEAR = classify(Stage.RECIPIENT, 550, "5.7.1 No thanks")
NOT_VERIFIED = classify(Stage.CONTENT, 554, "Message rejected: Email address is not verified")
OK = Sent("250 OK")


class Server:
    """What a server says to whom, one thing after the other."""

    def __init__(self) -> None:
        self.evidence = Evidence()
        self.now = START

    def says(self, tried: Tried, outcome: Outcome, after: timedelta = timedelta(seconds=5)) -> Weighed:
        self.now += after
        weighed = weigh(self.evidence, tried, outcome, self.now)
        self.evidence = weighed.evidence
        return weighed


def test_the_only_recipient_is_refused_about_us():
    """Nothing else is known: it stays transient, however often it is said, and the recipient is in doubt."""
    server = Server()
    for _ in range(3 * TRIES):
        said = server.says(BAD, UNCLEAR)
        assert (said.outcome, said.subject) == (UNCLEAR, Subject.IN_DOUBT)
    assert server.evidence.in_doubt == {BAD.address}


def test_one_bad_address_in_a_household_fails_visibly_while_the_other_is_told():
    """As another one is accepted in between, the refusal is about that address alone, and then final."""
    server = Server()
    assert server.says(BAD, NOT_VERIFIED).subject is Subject.IN_DOUBT
    server.says(GOOD, OK)
    assert server.evidence.in_doubt == frozenset()
    tries = [server.says(BAD, NOT_VERIFIED) for _ in range(TRIES)]
    assert {said.subject for said in tries} == {Subject.ALONE}
    assert {(said.outcome.word, said.outcome.reason) for said in tries[:-1]} == {("transient", Reason.REFUSED)}
    assert tries[-1].outcome == Permanent(Reason.REFUSED, NOT_VERIFIED.reply, of_content=True)


def test_who_was_accepted_a_moment_ago_speaks_for_us_but_condemns_nobody():
    """The refusal doesn't pause the channel at first; if it goes on, nothing shows that it is the recipient's."""
    server = Server()
    server.says(GOOD, OK)
    tries = [server.says(BAD, UNCLEAR) for _ in range(TRIES + 1)]
    assert [said.subject for said in tries[: TRIES - 1]] == [Subject.ALONE] * (TRIES - 1)
    assert tries[TRIES - 1].subject is Subject.IN_DOUBT
    assert {said.outcome.word for said in tries} == {"transient"}


def test_who_was_accepted_long_ago_says_nothing_about_now():
    """A relay may have been closed since."""
    server = Server()
    server.says(GOOD, OK)
    assert server.says(BAD, UNCLEAR, SHORTLY + timedelta(seconds=1)).subject is Subject.IN_DOUBT


def test_another_domain_refused_in_the_same_words_shows_that_it_is_about_us():
    """Addresses and numbers in the reply don't count."""
    server = Server()
    server.says(BAD, classify(Stage.RECIPIENT, 554, f"5.7.1 <{BAD.address}>: Access denied (a71)"))
    said = server.says(GOOD, classify(Stage.RECIPIENT, 554, f"5.7.1 <{GOOD.address}>: Access denied (b72)"))
    assert said.subject is Subject.US


@pytest.mark.parametrize(
    ("other", "outcome"),
    [
        (Tried("bad2@example.org", "4"), UNCLEAR),  # the same domain may have a rule of its own
        (ELSEWHERE, classify(Stage.RECIPIENT, 550, "5.7.1 Something else")),
    ],
)
def test_the_same_domain_or_other_words_leave_it_in_doubt(other, outcome):
    """Both recipients wait, and all others are still tried."""
    server = Server()
    server.says(BAD, UNCLEAR)
    assert server.says(other, outcome).subject is Subject.IN_DOUBT
    assert server.evidence.in_doubt == {BAD.address, other.address}


def test_a_relay_that_closes_is_about_us_although_all_were_accepted_before():
    """Each recipient's acceptance ends with its own refusal, so that they don't speak for each other for ever."""
    server = Server()
    server.says(GOOD, OK)
    server.says(BAD, OK)
    assert server.says(GOOD, UNCLEAR).subject is Subject.ALONE  # the other was accepted seconds ago
    assert server.says(BAD, UNCLEAR).subject is not Subject.ALONE
    assert server.says(GOOD, UNCLEAR).subject is Subject.US
    said = [server.says(who, UNCLEAR) for _ in range(2 * TRIES) for who in (GOOD, BAD)]
    assert {each.outcome.word for each in said} == {"transient"}


def test_a_message_that_alone_is_refused_fails_for_good():
    """The only recipient's other messages are accepted: it is about this one."""
    server = Server()
    poison, other = Tried(GOOD.address, "poison"), Tried(GOOD.address, "other")
    assert server.says(poison, UNCLEAR).subject is Subject.IN_DOUBT
    server.says(other, OK)
    outcomes = [server.says(poison, UNCLEAR).outcome for _ in range(TRIES)]
    assert outcomes[-1] == Permanent(Reason.REFUSED, UNCLEAR.reply)


def test_a_relay_that_closes_again_condemns_nothing_that_waited_through_the_first_time():
    """After others are refused in doubt, an acceptance before that doesn't count any more."""
    server = Server()
    for _ in range(TRIES):
        server.says(BAD, UNCLEAR)
    server.says(GOOD, OK)
    server.says(ELSEWHERE, UNCLEAR, SHORTLY + timedelta(seconds=1))
    assert {server.says(BAD, UNCLEAR).outcome.word for _ in range(2 * TRIES)} == {"transient"}


def test_doubts_are_forgotten():
    """A refusal of yesterday isn't the beginning of today's."""
    server = Server()
    server.says(BAD, UNCLEAR)
    server.says(GOOD, OK)
    assert server.says(BAD, UNCLEAR, REMEMBERED + timedelta(seconds=1)).subject is Subject.IN_DOUBT
    assert len(server.evidence.doubts) == 1


def test_an_accepted_message_is_no_doubt_any_more():
    """Its earlier refusal is forgotten with it."""
    server = Server()
    server.says(BAD, UNCLEAR)
    server.says(BAD, OK)
    assert (server.evidence.doubts, server.evidence.in_doubt) == ((), frozenset())


def test_a_temporary_refusal_of_one_recipient_never_becomes_final():
    """A 4xx that turns out to be about one recipient alone is retried for all of GIVE_UP_AFTER."""
    server = Server()
    greylisted = classify(Stage.RECIPIENT, 450, "4.7.1 Client host rejected: cannot find your reverse hostname")
    server.says(BAD, greylisted)
    server.says(GOOD, OK)
    outcomes = [server.says(BAD, greylisted).outcome for _ in range(2 * TRIES)]
    assert {(each.word, each.reason) for each in outcomes} == {("transient", Reason.RECIPIENT_BUSY)}


@pytest.mark.parametrize(
    ("second", "subject"),
    [
        ("https://nas.example/two", Subject.IN_DOUBT),
        ("https://token@NAS.example/two", Subject.IN_DOUBT),
        ("https://hooks.example/two", Subject.US),
    ],
)
def test_two_addresses_at_one_dead_host_say_nothing_about_us(second, subject):
    """A third one elsewhere must not wait because of them."""
    server, away = Server(), alone(Transient(Reason.CONNECTION, "webhook: can't be reached"))
    server.says(Tried("https://nas.example/one", "1"), away)
    assert server.says(Tried(second, "2"), away).subject is subject


def test_what_was_not_answered_may_have_arrived_whatever_it_is_about():
    """Also once it is known that its receiver alone is away, so that the trail says that it may have come twice."""
    server = Server()
    silent = alone(Transient(Reason.TIMEOUT, "slack: no answer within 20 s", is_unanswered=True))
    server.says(GOOD, OK)
    tries = [server.says(BAD, silent).outcome]
    server.says(ELSEWHERE, OK)
    tries += [server.says(BAD, silent).outcome for _ in range(TRIES)]
    assert [(each.reason, each.is_unanswered) for each in tries] == [(Reason.UNREACHABLE, True)] * (TRIES + 1)
    gone = alone(Transient(Reason.CONNECTION, "slack: can't be reached"))
    assert server.says(BAD, gone).outcome == Transient(Reason.UNREACHABLE, gone.reply)


def test_a_receiver_that_asks_to_wait_is_waited_for():
    """Also once it is known that it alone is away."""
    server, hour = Server(), timedelta(hours=1)
    away = alone(Transient(Reason.TRY_LATER, "503 later", retry_in=hour))
    server.says(BAD, away)
    server.says(GOOD, OK)
    said = [server.says(BAD, away) for _ in range(2 * TRIES)]
    assert {each.subject for each in said} == {Subject.ALONE}
    assert {(each.outcome.word, each.outcome.reason, each.outcome.retry_in) for each in said} == {
        ("transient", Reason.UNREACHABLE, hour)
    }


@pytest.mark.parametrize(
    "outcome",
    [
        classify(Stage.RECIPIENT, 550, "5.1.1 user unknown"),
        classify(Stage.LOGIN, 535, "5.7.8 no"),
        classify(Stage.SENDER, 550, "5.7.1 no"),
        Transient(Reason.CONNECTION, "gone"),
    ],
)
def test_what_is_clear_stays_as_it_is(outcome):
    """Others' outcomes say nothing about a refused login, a lost connection or an unknown user."""
    server = Server()
    server.says(GOOD, OK)
    assert server.says(BAD, outcome).outcome == outcome
    assert server.evidence.doubts == ()


def test_words_of_a_reply_are_without_what_differs_between_recipients():
    """Codes, addresses, numbers and ids are left out."""
    assert words_of("554 5.7.1 <Me@example.com>: Relay access DENIED (id a1b2)") == "relay access denied id"


_outcomes = st.sampled_from([OK, UNCLEAR, NOT_VERIFIED, classify(Stage.RECIPIENT, 450, "4.7.1 helo rejected")])
_tried = st.builds(Tried, st.sampled_from(["a@x.net", "b@x.net", "c@y.net"]), st.sampled_from("12"))


@for_any
@given(st.lists(st.tuples(_tried, _outcomes, st.integers(0, 4000)), max_size=40))
def test_nothing_fails_for_good_unless_another_message_was_accepted(said):
    """Whatever a server says in any order: a final failure is never channel-wide, and needs an acceptance before it."""
    server, accepted = Server(), set()
    for tried, outcome, seconds in said:
        weighed = server.says(tried, outcome, timedelta(seconds=seconds))
        if isinstance(weighed.outcome, Permanent):
            assert accepted - {tried}
            assert weighed.outcome.reason not in CHANNEL_WIDE
        if isinstance(weighed.outcome, Sent):
            accepted.add(tried)
        assert (weighed.subject is Subject.ALONE) == (weighed.outcome != outcome)
