"""Names that are resolved once: which of their addresses are tried, and that no name's connection serves another."""

from ipaddress import ip_address

import httpx
import pytest

from alertgate.notify.channels.pinned import PinnedTransport, Private, in_turn

V4, V4_TOO, V6, V6_TOO = map(ip_address, ["93.184.215.14", "93.184.215.15", "2606:2800:220:1::1", "2606:2800:220:1::2"])


class Inner(httpx.AsyncBaseTransport):
    """Connects to some addresses, and notes where it was sent."""

    def __init__(self, away=()):
        self.away = {str(each) for each in away}
        self.asked = []

    async def handle_async_request(self, request):
        self.asked.append(request)
        if request.url.host in self.away:
            raise httpx.ConnectTimeout("no answer")
        body = [some async for some in request.stream]
        return httpx.Response(200, content=b"".join(body))


def client(addresses, opened, away=()):
    """Return a client for which every host has these addresses; it notes the transports that it opens."""

    async def resolve(_host, _port):
        return addresses

    def open_transport():
        opened.append(Inner(away))
        return opened[-1]

    return httpx.AsyncClient(transport=PinnedTransport(open_transport, resolve))


@pytest.mark.parametrize(
    ("found", "tried"),
    [
        ([V4], [V4]),
        ([V4, V4], [V4]),
        ([V6, V6_TOO, V4, V4_TOO], [V6, V4, V6_TOO]),
        ([V4, V4_TOO, V6], [V4, V6, V4_TOO]),
    ],
)
def test_an_address_of_each_version_is_tried_first(found, tried):
    """At many homes one of them goes nowhere."""
    assert in_turn(found) == tried


async def test_an_address_that_does_not_answer_is_passed_over():
    """The message arrives by the next one, whole."""
    opened = []
    async with client([V6, V4], opened, away=[V6]) as http:
        answer = await http.post("https://hooks.example.org/x", content=b"leak")
    [inner] = opened
    assert [each.url.host for each in inner.asked] == [str(V6), str(V4)]
    assert answer.text == "leak"
    assert inner.asked[0].extensions["timeout"]["connect"] <= 5
    assert {each.headers["host"] for each in inner.asked} == {"hooks.example.org"}
    assert {each.extensions["sni_hostname"] for each in inner.asked} == {"hooks.example.org"}


async def test_if_none_answers_the_first_failure_is_said():
    """Nothing was sent."""
    async with client([V6, V4], [], away=[V6, V4]) as http:
        with pytest.raises(httpx.ConnectTimeout):
            await http.post("https://hooks.example.org/x")


async def test_names_at_one_address_share_no_connection():
    """A connection whose certificate is another name's would hand a message, and its secret address, to that one."""
    opened = []
    async with client([V4], opened) as http:
        for host in ("a.example.org", "b.example.org", "a.example.org"):
            await http.post(f"https://{host}/secret")
    assert [[each.headers["host"] for each in inner.asked] for inner in opened] == [
        ["a.example.org", "a.example.org"],
        ["b.example.org"],
    ]


async def test_one_private_address_is_enough_to_send_nothing():
    """Else a name could lead there by chance."""
    opened = []
    async with client([V4, ip_address("10.0.0.1")], opened) as http:
        with pytest.raises(Private):
            await http.post("https://hooks.example.org/x")
    assert opened == []


async def test_a_name_is_resolved_as_it_is_asked_for():
    """IDNA 2003, which resolvers speak, and 2008, which URLs speak, may mean different hosts by the same letters."""
    asked = []

    async def resolve(host, port):
        asked.append((host, port))
        return [V4]

    async with httpx.AsyncClient(transport=PinnedTransport(Inner, resolve)) as http:
        await http.get("https://fa\u00df.example:8443/")
    assert asked == [("xn--fa-hia.example", 8443)]
