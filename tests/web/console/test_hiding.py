"""Whose addresses a person sees who has signed in without API_TOKEN."""

import pytest

from alertgate.model import ChannelName
from alertgate.web.console.hiding import hider
from tests.builders import notification
from tests.console import signed_in, signed_in_by_link
from tests.fakes import FakeClock
from tests.web.console.test_people import house

MAIL = notification(channel=ChannelName.EMAIL, address="ada@example.org")
LONGER = notification(channel=ChannelName.EMAIL, address="b.ada@example.org")
CALL = notification(channel=ChannelName.CALL, address="+4917012345678")
TOPIC = notification(channel=ChannelName.NTFY, address="alarm")
SECRET = notification(channel=ChannelName.DISCORD, address="$CONTACT_ROOM")


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("email to ada@example.org: 250", "email to a***@example.org: 250"),
        ("b.ada@example.org, ada@example.org", "b***@example.org, a***@example.org"),
        ("call to +4917012345678 failed", "call to +*** failed"),
        ("550 <ADA@Example.org> unknown", "550 <A***@Example.org> unknown"),
        ("alarm/motion", "alarm/motion"),
        ("discord to $CONTACT_ROOM", "discord to $CONTACT_ROOM"),
    ],
)
def test_a_person_reads_no_address(text, hidden):
    """Of a contact or in a server's answer; what is masked already, or names a secret, stays as it is."""
    told = [MAIL, LONGER, CALL, TOPIC, SECRET]
    assert hider(told, is_operator=False)(text) == hidden
    assert hider(told, is_operator=True)(text) == text


async def test_addresses_are_whole_for_who_has_the_token_alone(make_settings, tmp_path):
    """On the page of an incident and of an alert, of what was sent and of what failed, and in the export."""
    clock = FakeClock()
    async with house(make_settings, tmp_path, clock) as (service, _, sink):
        sink.refused["bea@example.com"] = "550 5.1.1 <bea@example.com> is unknown; ask bea@example.net"
        answer = (await service.particle(event="leak", data={"status": "firing"})).json()
        await service.settled()
        clock.move(minutes=1)
        paths = (f"/incidents/{answer['incident']}", f"/alerts/{answer['id']}", "/incidents.csv")
        async with signed_in(service) as operator, signed_in_by_link(service, "anna") as anna:
            for path in paths:
                whole, masked = (await operator.get(path)).text, (await anna.get(path)).text
                assert "bea@example.com" in whole
                assert "b***@example.com" in masked
                assert "b***@example.net" in masked
                assert "bea@" not in masked
