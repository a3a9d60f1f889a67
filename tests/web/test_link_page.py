"""What the page of a link shows of a message's incidents. Pure."""

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from alertgate.credential import Credential
from alertgate.group.by_link import LinkAct, LinkActions
from alertgate.model import Incident, IncidentStatus, Severity
from alertgate.prove.linked import Linked, Story
from alertgate.silence import Silence
from alertgate.web.link_page import MOST_GROUPS, LinkPage
from alertgate.web.pages import page
from tests.builders import alert, incident, notification
from tests.fakes import START
from tests.group.test_by_link import Gathered
from tests.policy.test_silences import silence

OFFERED = LinkActions(None, dict.fromkeys(LinkAct, lambda *_: None), Gathered()).offered


def link_page(*about: Incident, silences: tuple[Silence, ...] = ()) -> LinkPage:
    """Return the page of a message about some incidents."""
    linked = Linked(notification(), about, silences, START)
    alerts = (alert(),) if len(about) == 1 else ()
    return LinkPage(Story(linked, alerts, (), silences), OFFERED, lambda _: None, ZoneInfo("UTC"), START)


def test_a_digest_of_many_events_shows_some_and_counts_the_rest():
    """Those that nobody has come first: whoever takes what is shown sees the next."""
    many = [incident(id=f"{number:03}", event=f"event-{number:03}") for number in range(MOST_GROUPS + 5)]
    taken = replace(many[0], status=IncidentStatus.ACKNOWLEDGED, acknowledged_at=START, acknowledged_by="Ann")
    view = link_page(*many).view()
    assert len(view["groups"]) == MOST_GROUPS
    assert view["more"] == "and 5 more events with 5 incidents: shown here once somebody has some of these."
    shown = [group.event for group in link_page(taken, *many[1:]).view()["groups"]]
    assert shown == [each.event for each in many[1 : MOST_GROUPS + 1]]
    html = bytes(page("link.html", {**view, "notice": "", "done": False}).body).decode()
    assert view["more"] in html
    assert link_page(*many[:MOST_GROUPS]).view()["more"] == ""


@pytest.mark.parametrize("unless", [None, Severity.CRITICAL])
def test_what_is_silenced_asks_for_nothing(unless):
    """Its page says first until when nothing is said, and no button is in the colour of an alarm."""
    begun = silence(event=None, device=incident().device, credential=Credential.LINK, unless=unless)
    view = link_page(incident(), silences=(begun,)).view()
    [group] = view["groups"]
    but = ", unless it is critical" if unless else ""
    assert group.state == (f"Silenced by Anna until 22:03: nothing is said of it before{but}.", "Nobody has it yet.")
    assert (group.tag, group.color) == ("SILENCED", "quiet")
    assert view["events"][-1] == ("14:03:00", "Anna silenced it until 22:03 with a message's link")
    html = bytes(page("link.html", {**view, "notice": "", "done": False}).body).decode()
    assert "go first" not in html
    assert "End the silence" in html


def test_a_group_of_which_one_isnt_silenced_is_not_silenced():
    """Its page says how it stands, and has the big button."""
    begun = silence(event=None, device=incident().device)
    view = link_page(incident(id="1"), incident(id="2", device="another"), silences=(begun,)).view()
    [group] = view["groups"]
    assert (group.tag, group.quiet) == ("WARNING", False)
    assert not any("Silenced" in said for said in group.state)


def test_ends_of_silences_are_in_what_happened():
    """By whom, and when; what was over before the incident, began after its end, or was ended before it began isn't."""
    over = replace(incident(), status=IncidentStatus.RESOLVED, resolved_at=START + timedelta(hours=1))
    ended = {"removed_at": START + timedelta(minutes=5), "removed_by": "Ben", "removed_with": Credential.LINK}
    called_off = silence(0.5, 3, event="*", **{**ended, "removed_by": "Cleo"})
    of_others = (silence(2, 3, event="*"), silence(event="other"), called_off)
    known = (silence(event=None, device=over.device, **ended), *of_others)
    said = [text for _, text in link_page(over, silences=known).view()["events"]]
    assert [each for each in said if "silence" in each] == [
        "Ben ended the silence with a message's link",
        "Anna silenced it until 22:03 with API_TOKEN",
    ]
