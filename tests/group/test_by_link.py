"""What is done by a link, and when its page asks again. Pure."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from alertgate.credential import Credential
from alertgate.group.actions import Action, Applied
from alertgate.group.by_link import (
    SNOOZE,
    LinkAct,
    LinkActions,
    LinkGroup,
    Pressed,
    Verdict,
    affected,
    groups,
    holder,
    judge,
    mark,
)
from alertgate.group.portions import PORTION, finish
from alertgate.group.transitions import Transition, TransitionResult
from alertgate.model import ChannelName, IncidentStatus, Severity, Source
from alertgate.prove.linked import KEPT, Linked, is_long_over
from tests.builders import incident, notification
from tests.fakes import START
from tests.policy.test_silences import silence

OPEN, TAKEN, OVER = IncidentStatus.OPEN, IncidentStatus.ACKNOWLEDGED, IncidentStatus.RESOLVED
ACKNOWLEDGE, SNOOZED, RESOLVE, SILENCE, UNSILENCE, HAND_BACK = LinkAct
ACTS = {*LinkAct} - {UNSILENCE, HAND_BACK}
FIRST, SECOND = incident(id="1"), incident(id="2", device="another")
WORSE = replace(FIRST, severity=Severity.CRITICAL)
REOPENED = replace(FIRST, changes=3)


def _now(first, *others, act=ACKNOWLEDGE, shown=(FIRST,)) -> Verdict:
    """Return what becomes of an act on incidents as they are now, by a page that showed others."""
    return judge(LinkGroup("g", "e", (first, *others)), Pressed(act, "g", {mark(each) for each in shown}))


@pytest.mark.parametrize(
    ("now", "acts", "verdict"),
    [
        (FIRST, ACTS, Verdict.DONE),
        (replace(FIRST, alert_count=99, last_alert_id="x"), ACTS, Verdict.DONE),
        (WORSE, ACTS, Verdict.CHANGED),
        (REOPENED, ACTS, Verdict.CHANGED),
        (replace(FIRST, status=TAKEN), {ACKNOWLEDGE, SNOOZED}, Verdict.ALREADY),
        (replace(FIRST, status=TAKEN, snoozed_until=START), {ACKNOWLEDGE, RESOLVE, SILENCE}, Verdict.DONE),
        (replace(WORSE, status=TAKEN, snoozed_until=START), {ACKNOWLEDGE}, Verdict.CHANGED),
        (replace(FIRST, status=TAKEN, snoozed_until=START), {SNOOZED}, Verdict.ALREADY),
        (replace(FIRST, status=TAKEN), {RESOLVE, SILENCE}, Verdict.DONE),
        (replace(WORSE, status=TAKEN), {RESOLVE, SILENCE}, Verdict.CHANGED),
        (FIRST, {HAND_BACK}, Verdict.ALREADY),
        (replace(FIRST, acknowledged_at=START), {HAND_BACK}, Verdict.ALREADY),
        (replace(FIRST, status=OVER), {HAND_BACK}, Verdict.OVER),
        (replace(FIRST, acknowledged_at=START), ACTS, Verdict.CHANGED),
        (replace(FIRST, status=OVER), ACTS, Verdict.OVER),
        (replace(REOPENED, status=OVER), ACTS, Verdict.OVER),
    ],
)
def test_an_act_is_done_only_to_what_its_page_showed(now, acts, verdict):
    """After a rise or a reopening the page asks again; what was done or is over needs nothing."""
    assert {_now(now, act=act) for act in acts} == {verdict}


def test_what_is_open_again_is_not_what_somebody_had():
    """A page that showed who has it, or when it was open before, doesn't act on what is open again since."""
    taken, again = replace(FIRST, status=TAKEN, acknowledged_at=START), replace(FIRST, acknowledged_at=START)
    later = replace(FIRST, acknowledged_at=START + SNOOZE)
    snoozed = replace(later, status=TAKEN, snoozed_until=START + 2 * SNOOZE)
    for shown, now, verdict in (
        (taken, taken, Verdict.DONE),
        (taken, again, Verdict.CHANGED),
        (again, again, Verdict.DONE),
        (again, later, Verdict.CHANGED),
        (again, snoozed, Verdict.DONE),
    ):
        pressed = Pressed(RESOLVE, "g", LinkGroup("g", "e", (shown,)).marks)
        assert judge(LinkGroup("g", "e", (now,)), pressed) is verdict


MINE = replace(FIRST, status=TAKEN, acknowledged_at=START)
THEIRS = replace(MINE, acknowledged_at=START + SNOOZE)
MY_SNOOZE = replace(MINE, snoozed_until=START + 2 * SNOOZE)


@pytest.mark.parametrize(
    ("shown", "now", "verdict"),
    [
        (MINE, MINE, Verdict.DONE),
        (MINE, replace(MINE, alert_count=9), Verdict.DONE),
        (MY_SNOOZE, MY_SNOOZE, Verdict.DONE),
        (MINE, MY_SNOOZE, Verdict.CHANGED),
        (MINE, THEIRS, Verdict.CHANGED),
        (FIRST, MINE, Verdict.CHANGED),
        (MINE, replace(MINE, severity=Severity.CRITICAL), Verdict.CHANGED),
        (MINE, replace(MINE, status=OPEN), Verdict.ALREADY),
        (MINE, replace(MINE, status=OVER), Verdict.ALREADY),
    ],
)
def test_only_what_its_page_showed_in_somebodys_hands_is_handed_back(shown, now, verdict):
    """What another one has by now stays theirs, and what nobody has needs nothing."""
    pressed = Pressed(HAND_BACK, "g", LinkGroup("g", "e", (shown, SECOND)).marks)
    assert judge(LinkGroup("g", "e", (now, SECOND)), pressed) is verdict


def test_only_those_of_a_group_are_handed_back_that_somebody_has():
    """A digest has some that nobody has, and some that are over."""
    over = replace(FIRST, id="3", status=OVER)
    assert affected(LinkGroup("g", "e", (MINE, SECOND, over)), HAND_BACK) == [MINE]


def test_events_that_differ_only_far_behind_are_two_groups():
    """A page cuts long names, and a button is for one event alone."""
    long = [incident(id=str(n), event=f"sensor/{'a' * 90}/{end}") for n, end in enumerate(("battery", "gas-leak"))]
    found = groups(Linked(notification(), tuple(long)))
    assert [len(group.incidents) for group in found] == [1, 1]
    assert found[0].id != found[1].id


@pytest.mark.parametrize("device", ["a\u202eb", "x" * 201, "[" * 100, " "])
def test_a_device_that_cant_be_silenced_has_no_such_button(device):
    """Its name has what can't be shown, or is too long."""
    assert affected(LinkGroup("g", "e", (replace(FIRST, source=Source.GENERIC, device=device),)), SILENCE) == []


def test_a_silence_by_link_has_a_button_that_ends_it():
    """While it lasts, also when the incident is over; what was shown before doesn't matter."""
    begun = silence(event=None, credential=Credential.LINK, device=FIRST.device, source="particle")
    for status, at, offered in ((OPEN, START, True), (OVER, START, True), (OPEN, begun.ends_at, False)):
        linked = Linked(notification(), (replace(FIRST, status=status),), (begun,), at)
        [group] = groups(linked)
        assert (UNSILENCE in _doing(*LinkAct)[0].offered(group)) is offered
        assert (judge(group, Pressed(UNSILENCE, group.id, ())) is Verdict.DONE) is offered
    [other] = groups(Linked(notification(), (SECOND,), (begun,), START))
    assert (other.silence, other.silence_mark) == (None, "")


def test_a_large_group_is_changed_in_portions():
    """Others write in between; what was done by somebody else meanwhile needs nothing, and what rose is asked."""
    actions, asked = _doing(*LinkAct)
    many = tuple(incident(id=f"{number:04}") for number in range(2 * PORTION + 1))
    linked = Linked(notification(), many)
    [group] = groups(linked)
    pressed = Pressed(ACKNOWLEDGE, group.id, group.marks)
    first = actions.press(None, linked, pressed, START)
    assert (first.verdict, len(first.done), first.beyond) == (Verdict.DONE, PORTION, many[PORTION - 1].id)
    second = actions.press(None, linked, pressed, START, first.beyond)
    last = actions.press(None, linked, pressed, START, second.beyond)
    assert (len(second.done), len(last.done), last.beyond) == (PORTION, 1, None)
    assert [action.incident_id for _, action in asked] == [each.id for each in many]
    both = first.followed_by(second).followed_by(last)
    assert (both.verdict, len(both.done), both.beyond) == (Verdict.DONE, len(many), None)
    for now, verdict in ((replace(many[-1], status=TAKEN), Verdict.DONE), (replace(WORSE, id="9"), Verdict.CHANGED)):
        rest = actions.press(None, Linked(notification(), (*many[:-1], now)), pressed, START, second.beyond)
        assert (first.followed_by(rest).verdict, rest.beyond) == (verdict, None)


def test_what_is_said_of_an_act_holds_as_long_as_it_stands_so():
    """A page that is loaded again an hour later doesn't say that a snooze goes on."""
    shown = {
        LinkGroup("g", "e", (each,)).standing(said)
        for each in (FIRST, WORSE, REOPENED, replace(FIRST, status=TAKEN), replace(FIRST, acknowledged_at=START))
        for said in ("snooze done", "silence done")
    }
    assert len(shown) == 10
    more = replace(FIRST, alert_count=9)
    assert LinkGroup("g", "e", (more,)).standing("x") == LinkGroup("g", "e", (FIRST,)).standing("x")


def test_a_page_without_marks_does_nothing():
    """Whoever presses a button without having seen the page is asked."""
    assert _now(FIRST, shown=()) is Verdict.CHANGED


def test_one_of_many_that_became_worse_makes_the_page_ask_for_all():
    """Nothing is done to half of a group."""
    assert _now(FIRST, SECOND, shown=(FIRST, SECOND)) is Verdict.DONE
    assert _now(FIRST, SECOND, shown=(FIRST,)) is Verdict.CHANGED
    assert _now(WORSE, SECOND, shown=(FIRST, SECOND)) is Verdict.CHANGED
    assert _now(replace(WORSE, status=OVER), SECOND, shown=(FIRST, SECOND)) is Verdict.DONE


def test_only_one_device_can_be_silenced_at_once():
    """A group of several has no such button, nor has what has no device."""
    same_device = replace(FIRST, id="2")
    assert _now(FIRST, same_device, act=SILENCE, shown=(FIRST, same_device)) is Verdict.DONE
    assert affected(LinkGroup("g", "e", (FIRST, same_device)), SILENCE) == [FIRST]
    assert affected(LinkGroup("g", "e", (replace(FIRST, source=Source.ALERTGATE),)), SILENCE) == []
    assert _now(FIRST, SECOND, act=SILENCE, shown=(FIRST, SECOND)) is Verdict.ALREADY
    assert _now(replace(FIRST, device=None), act=SILENCE) is Verdict.ALREADY


def test_the_groups_of_a_message_are_its_events_the_worst_first():
    """What is over comes last, and a group keeps its id whatever becomes of it."""
    door, leak, power = (incident(id=event, event=event) for event in ("door", "leak", "power"))
    worst = replace(leak, severity=Severity.CRITICAL)
    about = (replace(door, status=OVER, severity=Severity.CRITICAL), power, worst, replace(leak, id="2"))
    found = groups(Linked(notification(), about))
    assert [(group.event, len(group.incidents)) for group in found] == [("leak", 2), ("power", 1), ("door", 1)]
    assert {group.id for group in found} == {group.id for group in groups(Linked(notification(), (door, leak, power)))}


@dataclass
class Gathered:
    """Notes how many incidents' news waits for the rest, and how many's goes together."""

    told: list[tuple[str, int]] = field(default_factory=list)

    def wait_for_rest(self, _: object, incident_ids: Collection[str], now: datetime) -> None:
        assert now == START
        self.told.append(("waits", len(incident_ids)))

    def go_together(self, _: object, incident_ids: Collection[str], now: datetime) -> None:
        assert now == START
        self.told.append(("goes", len(incident_ids)))


def test_what_all_portions_tell_goes_together():
    """That of one portion at once; that of several waits for the last one, also where that changes nothing."""
    many = tuple(incident(id=f"{number:04}") for number in range(PORTION + 1))
    done = Applied(Transition(TransitionResult.CHANGED, FIRST, "asked"))
    for about, rest, told in (
        (many[:1], many[:1], []),
        (many[:3], many[:3], [("goes", 3)]),
        (many, many, [("waits", PORTION), ("waits", 1), ("goes", PORTION + 1)]),
        (many, (*many[:-1], replace(many[-1], status=OVER)), [("waits", PORTION), ("goes", PORTION)]),
    ):
        gathered = Gathered()
        actions = LinkActions(None, {ACKNOWLEDGE: lambda *_: done}, gathered)
        [group] = groups(Linked(notification(), about))
        pressed = Pressed(ACKNOWLEDGE, group.id, group.marks)
        whole = actions.press(None, Linked(notification(), about), pressed, START)
        if whole.beyond:
            whole = whole.followed_by(actions.press(None, Linked(notification(), rest), pressed, START, whole.beyond))
            finish(None, whole.done, gathered)
        assert gathered.told == told


def _doing(*acts: LinkAct) -> tuple[LinkActions, list[tuple[LinkAct, Action]]]:
    """Return actions that only note what they are asked for, and those notes."""
    asked: list[tuple[LinkAct, Action]] = []

    def doer(act: LinkAct):
        def do(_, action: Action) -> Applied:
            asked.append((act, action))
            return Applied(Transition(TransitionResult.CHANGED, FIRST, "asked"))

        return do

    return LinkActions(None, {act: doer(act) for act in acts}, Gathered()), asked


def test_only_acts_that_there_are_have_a_button():
    """A page offers what somebody does, and what would change something."""
    group = LinkGroup("g", "e", (FIRST,))
    assert _doing(ACKNOWLEDGE, RESOLVE)[0].offered(group) == [ACKNOWLEDGE, RESOLVE]
    assert _doing(*LinkAct)[0].offered(group) == [ACKNOWLEDGE, SNOOZED, RESOLVE, SILENCE]
    assert _doing(*LinkAct)[0].offered(LinkGroup("g", "e", (MINE,))) == [RESOLVE, SILENCE, HAND_BACK]
    assert _doing(*LinkAct)[0].offered(LinkGroup("g", "e", (replace(FIRST, status=OVER),))) == []


@pytest.mark.parametrize(("act", "lasting"), [(SNOOZED, SNOOZE), (SILENCE, timedelta(hours=8)), (RESOLVE, None)])
def test_an_act_says_who_did_it_with_what_and_for_how_long(act, lasting):
    """Once for each incident that it changes; of the recipient only the masked address is told."""
    actions, asked = _doing(*LinkAct)
    linked = Linked(notification(address="owner@example.com"), (FIRST, replace(FIRST, id="2", status=OVER)))
    [group] = groups(linked)
    outcome = actions.press(None, linked, Pressed(act, group.id, group.marks, lasting), START)
    wanted = Action(
        FIRST.id, "o***@example.com", Credential.LINK, START, lasting, (ChannelName.EMAIL, "owner@example.com")
    )
    assert (outcome.verdict, asked) == (Verdict.DONE, [(act, wanted)])
    assert [action for action, _ in outcome.done] == [wanted]


@pytest.mark.parametrize(
    ("person", "told"),
    [(None, "o***@example.com"), ("owner@example.com", "o***@example.com"), ("owner", "owner")],
)
def test_people_are_called_by_the_name_that_the_policy_has(person, told):
    """Recipients of the settings have none."""
    assert holder(notification(address="owner@example.com", person=person)) == told


def test_what_is_refused_is_not_called_done():
    """There may be too many silences: the page says so."""
    refused = Applied(Transition(TransitionResult.REFUSED, FIRST, "there are too many"))
    actions, linked = LinkActions(None, {SILENCE: lambda *_: refused}, Gathered()), Linked(notification(), (FIRST,))
    [group] = groups(linked)
    outcome = actions.press(None, linked, Pressed(SILENCE, group.id, group.marks, SNOOZE), START)
    assert (outcome.verdict, outcome.done[0][1]) == (Verdict.REFUSED, refused)


def test_a_group_that_the_message_doesnt_have_is_asked_about_again():
    """A digest that was split after its page was loaded has other groups."""
    actions, asked = _doing(*LinkAct)
    linked = Linked(notification(), (FIRST,))
    outcome = actions.press(None, linked, Pressed(ACKNOWLEDGE, "other", {mark(FIRST)}), START)
    assert (outcome.verdict, asked) == (Verdict.CHANGED, [])


@pytest.mark.parametrize(
    ("ended", "over"), [([None], False), ([KEPT], False), ([KEPT * 2], True), ([KEPT * 2, None], False)]
)
def test_a_link_lives_until_all_of_its_incidents_are_long_over(ended, over):
    """What is open has no age."""
    about = [
        incident(status=OVER, resolved_at=START - ago) if ago else incident(opened_at=START - KEPT * 9) for ago in ended
    ]
    assert is_long_over(about, START) is over
