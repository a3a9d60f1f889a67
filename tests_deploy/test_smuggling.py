"""Bytes that one reader takes for one request and another for two: sent to the edge, judged by what alertgate then saw.

Traefik puts each request together anew. So either it refuses a shape, or alertgate sees just what the edge saw. Behind
each shape there is a request for /metrics, which the edge never passes on: alertgate sees it only if it was smuggled.
"""

import itertools
import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests_deploy.stack import CALLERS, HOST, Answer, Stack, both, podman, wait_for
from tests_deploy.wire import answers, over_http2, speak

ADDRESSES = itertools.cycle(CALLERS[-8:])
"""Each test takes the next one, so that none comes near a limit."""

# What stands in <> is filled in when it is sent.
HOSTED = b"Host: %s\r\n" % HOST.encode()
NAMED = HOSTED + b"X-Request-ID: <id>\r\n<close>"
NEXT = b"GET /metrics HTTP/1.1\r\n" + HOSTED + b"X-Request-ID: hidden\r\nConnection: close\r\n\r\n"
STRANGER = b"POST /webhook/particle HTTP/1.1\r\n" + NAMED + b"Content-Type: application/json\r\n"
HEAD = STRANGER + b"Authorization: Bearer <token>\r\n"
BODY = b'{"event":"e"}'
LENGTH = b"Content-Length: 13\r\n"
CHUNK = b"d\r\n" + BODY + b"\r\n"
CHUNKS = CHUNK + b"0\r\n\r\n"
FORGED = b"X-Forwarded-For: 203.0.113.9\r\n"


@pytest.fixture(scope="module")
def stack(stacks: Callable[..., Stack]) -> Stack:
    """A stack whose edge passes on the ids of requests, by which these tests tell them apart."""
    return stacks(profiles="traefik", names_requests=True)


@dataclass(frozen=True)
class Outcome:
    """What came of a shape that was sent twice: with `Connection: close`, and on a connection that may go on."""

    address: str
    closed: list[Answer]
    kept: list[Answer]
    requests: list[tuple[str, str, int]]
    """What alertgate logged, beside the good requests: method, path, status."""
    clients: set[str]
    """Whose requests it took them for."""
    ids: list[str]
    """Their ids; of ours, which of the two it was."""
    alerts: list[str]
    """The alerts that it stored: the log's event and the alert's."""

    @property
    def statuses(self) -> list[list[int]]:
        return [[answer.status for answer in came] for came in (self.closed, self.kept)]


def attack(stack: Stack, shape: bytes) -> Outcome:
    """Send a shape twice, with good requests before, between and after, each of which must get its own answer.

    The edge keeps its connection to alertgate: what a shape left there would meet the next good request.
    """
    address, tag = next(ADDRESSES), uuid.uuid4().hex[:24]
    token = stack.secret("particle_webhook_secret").encode()
    shape = shape.replace(b"<token>", token)
    closed = shape.replace(b"<id>", f"{tag}-closed".encode()).replace(b"<close>", b"Connection: close\r\n")
    kept = shape.replace(b"<id>", f"{tag}-kept".encode()).replace(b"<close>", b"")
    first, second, third = (f"{tag}.{number}" for number in range(3))
    good = {name: _good(stack, name) for name in (first, second, third)}
    came = speak(address, good[first], closed, good[second], kept, good[third])
    text = wait_for(lambda: _logged(stack, f'"{first}-alert"', f'"{third}-live"'), pause=0.02)
    assert "Traceback" not in text
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line for line in lines if line["level"] in {"error", "critical"}] == []
    assert [line for line in lines if line["event"] == "request.malformed"] == []
    for name, answer in zip(good, came[::2], strict=True):
        _check_good(name, answers(answer), [line for line in lines if line.get("request_id", "").startswith(name)])
        assert {line["client"] for line in lines if line.get("request_id") == f"{name}-live"} == {address}
    others = [line for line in lines if not line.get("request_id", "").startswith(f"{tag}.")]
    requests = [line for line in others if line["event"] == "request.answered" and line["client"] != "127.0.0.1"]
    return Outcome(
        address=address,
        closed=[] if closed.startswith(b"PRI") else answers(came[1]),
        kept=[] if kept.startswith(b"PRI") else answers(came[3]),
        requests=[(line["method"], line["path"], line["status"]) for line in requests],
        clients={line["client"] for line in requests},
        ids=[line["request_id"].removeprefix(f"{tag}-") for line in requests],
        alerts=[f"{line['event']} {line['event_name']}" for line in others if line["event"].startswith("alert.")],
    )


def _good(stack: Stack, name: str) -> bytes:
    """Three good requests on one connection; the last one's line in the log says that all are there."""
    body = json.dumps({"event": f"good/{name}", "coreid": name.partition(".")[0]}).encode()  # each device has a budget
    post = HEAD.replace(b"<token>", stack.secret("particle_webhook_secret").encode())
    alert = post + b"Content-Length: %d\r\n\r\n" % len(body) + body
    bearer = f"Authorization: Bearer {stack.secret('api_token')}\r\n\r\n".encode()
    listing = b"GET /api/alerts?limit=1 HTTP/1.1\r\n" + NAMED + bearer
    live = b"GET /health/live HTTP/1.1\r\n" + NAMED + b"Connection: close\r\n\r\n"
    three = (("alert", alert), ("list", listing), ("live", live))
    return b"".join(what.replace(b"<close>", b"").replace(b"<id>", f"{name}-{kind}".encode()) for kind, what in three)


def _check_good(name: str, came: list[Answer], lines: list[dict]) -> None:
    """Each was answered with its own id and with what it asked for, and alertgate saw each once."""
    ids = [f"{name}-{kind}" for kind in ("alert", "list", "live")]
    assert [answer.all("x-request-id") for answer in came] == [[one] for one in ids]
    assert [answer.status for answer in came] == [202, 200, 200]
    alert, listing, live = (json.loads(answer.body) for answer in came)
    assert [one["id"] for one in listing["items"]] == [alert["id"]]
    assert live == {"status": "live"}
    assert [line["request_id"] for line in lines if line["event"] == "request.answered"] == ids
    [stored] = [line for line in lines if line["event"].startswith("alert.")]
    assert (stored["alert_id"], stored["event_name"]) == (alert["id"], f"good/{name}")


def _logged(stack: Stack, first: str, last: str) -> str | None:
    """The lines that alertgate logged, from one that holds `first`; none, as long as none holds `last`."""
    text = both(stack.containers()[0])
    return text[text.rindex("\n", 0, text.index(first)) + 1 :] if last in text else None


def _post(headers: bytes, body: bytes = BODY, head: bytes = HEAD) -> bytes:
    """An alert's request with more headers, and what is hidden behind it."""
    return head + headers + b"\r\n\r\n" + body + NEXT


def _get(target: bytes, version: bytes = b"HTTP/1.1", named: bytes = NAMED) -> bytes:
    """A request for a page, and what is hidden behind it."""
    return b"GET " + target + b" " + version + b"\r\n" + named + b"\r\n" + NEXT


def _trailed(trailers: bytes) -> bytes:
    """A body in a chunk, with trailers."""
    return CHUNK + b"0\r\n" + trailers + b"\r\n"


REFUSED = {
    "two lengths": _post(b"Content-Length: 13\r\nContent-Length: 0"),
    "a list of lengths": _post(b"Content-Length: 13, 13"),
    "a list of short lengths": _post(b"Content-Length: 5, 5", b'{"a":'),
    "a positive length": _post(b"Content-Length: +13"),
    "a negative length": _post(b"Content-Length: -13"),
    "a length with a space in it": _post(b"Content-Length: 1 3"),
    "a length with a vertical tab": _post(b"Content-Length: \x0b13"),
    "a length with an underscore": _post(b"Content-Length: 1_3"),
    "an empty length": _post(b"Content-Length: "),
    "a hexadecimal length": _post(b"Content-Length: 0xd"),
    "a length over 64 bits": _post(b"Content-Length: 18446744073709551629"),
    "a space before a length's colon": _post(b"Content-Length : 13"),
    "xchunked": _post(b"Transfer-Encoding: xchunked", CHUNKS),
    "xchunked and a length": _post(b"Content-Length: 13\r\nTransfer-Encoding: xchunked", CHUNKS),
    "chunked, identity": _post(b"Transfer-Encoding: chunked, identity", CHUNKS),
    "identity, chunked": _post(b"Transfer-Encoding: identity, chunked", CHUNKS),
    "chunked, chunked": _post(b"Transfer-Encoding: chunked, chunked", CHUNKS),
    "chunked twice": _post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", CHUNKS),
    "chunked, then identity": _post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", CHUNKS),
    "gzip, then chunked": _post(b"Transfer-Encoding: gzip, chunked", CHUNKS),
    "chunked with a parameter": _post(b"Transfer-Encoding: chunked;a=b", CHUNKS),
    "chunked in quotes": _post(b'Transfer-Encoding: "chunked"', CHUNKS),
    "a vertical tab before chunked": _post(b"Transfer-Encoding: \x0bchunked", CHUNKS),
    "a NUL after chunked": _post(b"Transfer-Encoding: chunked\0", CHUNKS),
    "an empty transfer coding": _post(b"Content-Length: 13\r\nTransfer-Encoding: "),
    "a space before the coding's colon": _post(b"Content-Length: 13\r\nTransfer-Encoding : chunked", CHUNKS),
    "a tab before the coding's colon": _post(b"Content-Length: 13\r\nTransfer-Encoding\t: chunked", CHUNKS),
    "a coding behind a bare carriage return": _post(LENGTH + b"X: a\rTransfer-Encoding: chunked", CHUNKS),
    "a bare carriage return in a header": _post(LENGTH + b"X: a\rY: b"),
    "headers that end with bare carriage returns": HEAD + b"Content-Length: 13\r\r" + BODY + NEXT,
    "a NUL in a header": _post(LENGTH + b"X: a\0b"),
    "a NUL in a header's name": _post(LENGTH + b"X\0: ab"),
    "a header without a name": _post(LENGTH + b": a"),
    "a header without a colon": _post(LENGTH + b"Transfer-Encoding"),
    "a folded first header": _post(b"Content-Length: 13", head=HEAD.replace(b"Host", b" Host")),
    "two hosts": _post(LENGTH + b"Host: other.test"),
    "the same host twice": _post(LENGTH + HOSTED.rstrip()),
    "no host": _get(b"/health/live", named=b"<close>"),
    "a list of hosts": _get(b"/health/live", named=b"Host: alerts.test, other.test\r\n<close>"),
    "a host with a path": _get(b"/health/live", named=b"Host: alerts.test/metrics?\r\n<close>"),
    "HTTP/0.9 without a version": b"GET /health/live\r\n\r\n" + NEXT,
    "HTTP/0.9 with its version": _get(b"/health/live", version=b"HTTP/0.9"),
    "two versions": _get(b"/health/live HTTP/1.1"),
    "tabs in the first line": b"GET\t/health/live\tHTTP/1.1\r\n" + NAMED + b"\r\n" + NEXT,
    "an empty line before the first": b"\r\n" + _get(b"/health/live"),
}


@pytest.mark.parametrize("shape", REFUSED.values(), ids=REFUSED)
def test_the_edge_refuses_what_can_be_read_in_two_ways(stack: Stack, shape: bytes):
    """One refusal, then the end: alertgate sees neither the request nor what is behind it."""
    outcome = attack(stack, shape)
    assert [len(came) for came in (outcome.closed, outcome.kept)] == [1, 1]
    assert {answer.status for answer in outcome.closed + outcome.kept} <= {400, 501, 505}
    assert (outcome.requests, outcome.alerts) == ([], [])


BROKEN = {
    "a negative chunk": b"-d\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a positive chunk": b"+d\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a chunk with 0x": b"0xd\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a chunk over 64 bits": b"1000000000000000d\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a chunk without a size": b"\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a space before the size": b" d\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a chunk that is longer than it says": b"5\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a chunk with another end": b"d\r\n" + BODY + b"xx0\r\n\r\n",
    "a chunk's size ends with a line feed": b"d\n" + BODY + b"\r\n0\r\n\r\n",
    "a chunk ends with a line feed": b"d\r\n" + BODY + b"\n0\r\n\r\n",
    "the last chunk ends with line feeds": CHUNK + b"0\n\n",
    "all chunks end with line feeds": CHUNKS.replace(b"\r\n", b"\n"),
    "all chunks end with carriage returns": CHUNKS.replace(b"\r\n", b"\r"),
    "a line feed in an extension": b"d;\n" + BODY + b"\r\n0\r\n\r\n",
    "a carriage return in an extension": b"d;a\rb\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a long extension": b"d;" + b"a" * 20_000 + b"\r\n" + BODY + b"\r\n0\r\n\r\n",
    "many extensions": b"1;" + b"1;".join(b"a" * 2_000 + b"\r\n%c\r\n" % one for one in BODY) + b"0\r\n\r\n",
    "a trailer that is none": CHUNK + b"0\r\nnonsense\r\n\r\n",
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_a_body_in_broken_chunks_stays_at_the_edge(stack: Stack, body: bytes):
    """Traefik's buffer says 500 where it means 400; alertgate sees neither half a body nor what follows."""
    outcome = attack(stack, _post(b"Transfer-Encoding: chunked", body))
    assert outcome.statuses == [[500], [500]]
    assert {answer.body for answer in outcome.closed + outcome.kept} == {"Internal Server Error"}
    assert (outcome.requests, outcome.alerts) == ([], [])


LONG = b"Content-Length: %d\r\n" % len(CHUNKS + NEXT)
"""A length that takes in what is hidden."""
ONE = {
    "a length over all, and chunks": _post(LONG + b"Transfer-Encoding: chunked", CHUNKS),
    "no length, and chunks": _post(b"Content-Length: 0\r\nTransfer-Encoding: chunked", CHUNKS),
    "chunks, and a length within them": _post(b"Transfer-Encoding: chunked\r\nContent-Length: 3", CHUNKS),
    "the same length twice": _post(b"Content-Length: 13\r\nContent-Length: 13"),
    "a length in white space": _post(b"Content-Length: \t 13 \t"),
    "a length with a zero in front": _post(b"Content-Length: 013"),
    "a tab before chunked": _post(LONG + b"Transfer-Encoding:\tchunked", CHUNKS),
    "CHUNKED": _post(LONG + b"tRANSFER-eNCODING: CHUNKED", CHUNKS),
    "a folded chunked": _post(LONG + b"Transfer-Encoding:\r\n chunked", CHUNKS),
    "a folded length": _post(b"Content-Length:\r\n 13"),
    "chunked folded into another header": _post(LENGTH + b"X: a\r\n Transfer-Encoding: chunked"),
    "chunked behind a bare line feed": _post(LONG + b"X: a\nTransfer-Encoding: chunked", CHUNKS),
    "headers that end with line feeds": HEAD.replace(b"\r\n", b"\n") + b"Content-Length: 13\n\n" + BODY + NEXT,
    "chunked with an underscore": _post(LENGTH + b"Transfer_Encoding: chunked"),
    "extensions": _post(b"Transfer-Encoding: chunked", b'd;a=b;c="d"\r\n' + BODY + b"\r\n0;e\r\n\r\n"),
    "a space behind the size": _post(b"Transfer-Encoding: chunked", b"d \r\n" + BODY + b"\r\n0\r\n\r\n"),
    "trailers": _post(b"Transfer-Encoding: chunked", _trailed(FORGED + b"X-Request-ID: hidden\r\n")),
    "announced trailers": _post(
        b"Transfer-Encoding: chunked\r\nTrailer: X-Forwarded-For, X-Request-ID",
        _trailed(FORGED + b"X-Request-ID: hidden\r\n"),
    ),
    "a wrong credential as trailer": _post(
        b"Transfer-Encoding: chunked\r\nTrailer: Authorization", _trailed(b"Authorization: Bearer wrong\r\n")
    ),
    "a length and a coding as trailers": _post(
        b"Transfer-Encoding: chunked", _trailed(LONG + b"Transfer-Encoding: chunked\r\n")
    ),
    "the length is for the connection": _post(LENGTH + b"Connection: Content-Length"),
    "the coding is for the connection": _post(b"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked", CHUNKS),
    "the host is for the connection": _post(LENGTH + b"Connection: Host"),
    "another host is for the connection": _post(
        LENGTH + b"X-Forwarded-Host: other.test\r\nConnection: X-Forwarded-Host"
    ),
    "a forged address": _post(LENGTH + FORGED + b"X-Real-Ip: 203.0.113.9"),
    "a list of forged addresses": _post(LENGTH + FORGED + b"X-Forwarded-For: 203.0.113.9, 172.30.91.1"),
    "a forged address with underscores": _post(LENGTH + b"X_Forwarded_For: 203.0.113.9"),
    "the address is for the connection": _post(LENGTH + b"Connection: X-Forwarded-For"),
    "a forged address is for the connection": _post(LENGTH + FORGED + b"Connection: x-forwarded-for, X-Real-Ip"),
    "Expect": _post(LENGTH + b"Expect: 100-continue"),
    "Expect, and chunks": _post(LONG + b"Expect: 100-continue\r\nTransfer-Encoding: chunked", CHUNKS),
    "an upgrade to h2c": _post(
        LENGTH + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk"
    ),
    "an upgrade to WebSocket": _post(
        LENGTH + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
    ),
    "HTTP/1.2": _post(b"Content-Length: 13", head=HEAD.replace(b"/1.1", b"/1.2")),
}


@pytest.mark.parametrize("shape", ONE.values(), ids=ONE)
def test_alertgate_sees_what_the_edge_saw(stack: Stack, shape: bytes):
    """One alert of one request, by its true address and id; what is behind it is refused by the edge, or not read."""
    outcome = attack(stack, shape)
    assert outcome.statuses == [[202], [202, 404]]
    assert outcome.kept[1].body == "404 page not found\n"
    assert outcome.requests == [("POST", "/webhook/particle", 202)] * 2
    assert (outcome.clients, outcome.ids, outcome.alerts) == (
        {outcome.address},
        ["closed", "kept"],
        ["alert.accepted e"] * 2,
    )


CREDENTIAL = b"Authorization: Bearer <token>\r\n"
STRANGERS = {
    "a trailer": _post(b"Transfer-Encoding: chunked", _trailed(CREDENTIAL), STRANGER),
    "an announced trailer": _post(
        b"Transfer-Encoding: chunked\r\nTrailer: Authorization", _trailed(CREDENTIAL), STRANGER
    ),
    "for the connection": _post(LENGTH + b"Connection: Authorization"),
    "an extension of a chunk": _post(
        b"Transfer-Encoding: chunked", CHUNKS.replace(b"d\r\n", b"d;" + CREDENTIAL, 1), STRANGER
    ),
    "folded into another header": _post(LENGTH + b"X: a\r\n " + CREDENTIAL.rstrip(), head=STRANGER),
}


@pytest.mark.parametrize("shape", STRANGERS.values(), ids=STRANGERS)
def test_a_credential_that_is_no_header_of_the_request_is_none(stack: Stack, shape: bytes):
    """401, and no alert; the failure counts against the true address."""
    outcome = attack(stack, shape)
    assert outcome.statuses == [[401], [401, 404]]
    assert outcome.requests == [("POST", "/webhook/particle", 401)] * 2
    assert (outcome.clients, outcome.ids, outcome.alerts) == ({outcome.address}, ["closed", "kept"], [])


HIDDEN = b"".join(
    line + b"\r\n" + HOSTED + b"X-Request-ID: hidden\r\n" + rest
    for line, rest in (
        (b"GET /metrics HTTP/1.1", b"\r\n"),
        (b"GET /api/alerts HTTP/1.1", b"\r\n"),
        (b"POST /webhook/particle HTTP/1.1", LENGTH + b"\r\n" + BODY),
    )
)
"""Three requests, none of them with a credential."""
CHUNK_OF_HIDDEN = b"%x\r\n" % len(HIDDEN) + HIDDEN + b"\r\n0\r\n\r\n"
PADDED = b"\r\n" * 60_000 + HIDDEN
"""The same behind empty lines, which may stand before a request: it doesn't matter where the edge cuts it in pieces."""
ASKING = b"Content-Length: %d\r\nConnection: Upgrade\r\nUpgrade: " % len(PADDED)
SIZED = b"Content-Length: %d" % len(HIDDEN)
EXPECTANT = SIZED + b"\r\nExpect: 100-continue"
GET = b"GET /health/live HTTP/1.1\r\n" + NAMED
BODIES = {
    "of a stranger": (_post(SIZED, HIDDEN, STRANGER), 401, "/webhook/particle"),
    "of a stranger, in a chunk": (
        _post(b"Transfer-Encoding: chunked", CHUNK_OF_HIDDEN, STRANGER),
        401,
        "/webhook/particle",
    ),
    "of a stranger who expects": (_post(EXPECTANT, HIDDEN, STRANGER), 401, "/webhook/particle"),
    "of one who may": (_post(SIZED, HIDDEN), 202, "/webhook/particle"),
    "of one who may, in a chunk": (_post(b"Transfer-Encoding: chunked", CHUNK_OF_HIDDEN), 202, "/webhook/particle"),
    "of a GET": (_post(SIZED, HIDDEN, GET), 200, "/health/live"),
    "of a GET, in a chunk": (_post(b"Transfer-Encoding: chunked", CHUNK_OF_HIDDEN, GET), 200, "/health/live"),
    "of a GET that expects": (_post(EXPECTANT, HIDDEN, GET), 200, "/health/live"),
    "of an OPTIONS": (_post(SIZED, HIDDEN, GET.replace(b"GET", b"OPTIONS")), 405, "/health/live"),
    "for nothing": (_post(SIZED, HIDDEN, GET.replace(b"live", b"nothing")), 404, "/health/nothing"),
    "of one who asks for WebSocket": (_post(ASKING + b"websocket", PADDED), 202, "/webhook/particle"),
    "of one who asks for nonsense": (_post(ASKING + b"nonsense", PADDED), 202, "/webhook/particle"),
    "of a stranger who asks for nonsense": (_post(ASKING + b"nonsense", PADDED, STRANGER), 401, "/webhook/particle"),
    "of a GET that asks for nonsense": (_post(ASKING + b"nonsense", PADDED, GET), 200, "/health/live"),
}


@pytest.mark.parametrize(("shape", "status", "path"), BODIES.values(), ids=BODIES)
def test_requests_in_a_body_are_a_body(stack: Stack, shape: bytes, status: int, path: str):
    """None of three is ever seen, also where alertgate answers without reading them."""
    outcome = attack(stack, shape)
    assert outcome.statuses == [[status], [status, 404]]
    method = shape.partition(b" ")[0].decode()
    assert outcome.requests == [(method, path, status)] * 2
    assert (outcome.clients, outcome.ids) == ({outcome.address}, ["closed", "kept"])
    assert [alert.split()[0] for alert in outcome.alerts] == ["alert.quarantined"] * (2 if status == 202 else 0)


def test_requests_in_a_body_that_is_too_large_are_read_by_nobody(stack: Stack):
    """The edge answers 413 and reads to the end; what it closes at once can't be tried, as we may still be sending."""
    large = HIDDEN * (131_072 // len(HIDDEN) + 1)
    outcome = attack(stack, _post(b"Content-Length: %d" % len(large), large, HEAD.replace(b"<close>", b"")))
    assert outcome.statuses == [[413, 404]] * 2
    assert (outcome.requests, outcome.alerts) == ([], [])


def test_old_http_has_no_chunks(stack: Stack):
    """An HTTP/1.0 request's length holds, not its coding: the edge and alertgate agree where it ends."""
    outcome = attack(stack, _post(LENGTH + b"Transfer-Encoding: chunked", CHUNKS, HEAD.replace(b"/1.1", b"/1.0")))
    assert outcome.statuses == [[202], [202]]
    assert outcome.requests == [("POST", "/webhook/particle", 202)] * 2
    assert outcome.alerts == ["alert.quarantined unreadable"] * 2


def test_garbage_behind_a_request_is_refused_by_itself(stack: Stack):
    """The request gets its answer, the garbage its own, from the edge."""
    outcome = attack(stack, HEAD + LENGTH + b"\r\n" + BODY + b"GARBAGE\r\n\r\n")
    assert outcome.statuses == [[202], [202, 400]]
    assert outcome.requests == [("POST", "/webhook/particle", 202)] * 2


TARGETS = {
    "another host than Host": ("http://other.test/health/live", HOST, 404, None),
    "ours, and Host is another": (f"http://{HOST}/health/live", "other.test", 200, "/health/live"),
    "ours, and Host is another's address": (f"https://{HOST}/health/live", "127.0.0.1:8000", 200, "/health/live"),
    "what is for inside": (f"http://{HOST}/metrics", HOST, 404, None),
    "what is for inside, by another Host": (f"http://{HOST}/metrics", "127.0.0.1:8000", 404, None),
    "what is for inside, with more slashes": (f"http://{HOST}//metrics/", HOST, 404, None),
    "what is for inside, by dots": ("/webhook/..//metrics/", HOST, 404, None),
    "more slashes": ("//webhook//generic/", HOST, 405, "/webhook/generic"),
    "alertgate's own port": (f"http://{HOST}:8000/metrics", HOST, 404, None),
    "our host as a user's name": (f"http://{HOST}@other.test/health/live", HOST, 404, None),
    "a file": ("file:///metrics", HOST, 404, None),
    "a second request in the path": (
        f"/health/live%20HTTP/1.1%0d%0aHost:%20{HOST}%0d%0a%0d%0aGET%20/metrics",
        HOST,
        404,
        f"/health/live HTTP/1.1\r\nHost: {HOST}\r\n\r\nGET /metrics",
    ),
}


@pytest.mark.parametrize(("target", "host", "status", "path"), TARGETS.values(), ids=TARGETS)
def test_the_target_decides_and_not_the_host(stack: Stack, target: str, host: str, status: int, path: str | None):
    """What the edge lets through by a target is what alertgate is asked for; a Host opens no way to anything else."""
    outcome = attack(stack, _get(target.encode(), named=NAMED.replace(HOST.encode(), host.encode())))
    assert outcome.statuses == [[status], [status, 404]]
    assert outcome.requests == [("GET", path, status)] * (2 if path else 0)
    assert outcome.clients <= {outcome.address}


PSEUDO = {b":method": b"POST", b":scheme": b"https", b":authority": HOST.encode(), b":path": b"/webhook/particle"}


def _http2(*more: tuple[bytes, bytes], body: bytes | None = BODY, **pseudo: bytes) -> bytes:
    """An HTTP/2 request. Its parts have their lengths in front, so nothing of it is filled in."""
    own = {**PSEUDO, **{f":{name}".encode(): value for name, value in pseudo.items()}}
    return over_http2([*own.items(), (b"x-request-id", b"over-http2"), *more], body)


CLOSING = b"0\r\n\r\n" + NEXT
REFUSED_HTTP2 = {
    "no length, and a body": _http2((b"content-length", b"0"), body=NEXT),
    "a length that is too short": _http2((b"content-length", b"13"), body=BODY + NEXT),
    "a length that is too long": _http2((b"content-length", b"130")),
    "a positive length": _http2((b"content-length", b"+13")),
    "chunked": _http2((b"transfer-encoding", b"chunked"), body=CLOSING),
    "chunked in capitals": _http2((b"Transfer-Encoding", b"chunked"), body=CLOSING),
    "chunked in a value": _http2((b"x", b"a\r\ntransfer-encoding: chunked"), body=CLOSING),
    "chunked in a value, behind a line feed": _http2((b"x", b"a\ntransfer-encoding: chunked"), body=CLOSING),
    "chunked in a name": _http2((b"transfer-encoding: chunked\r\nx", b"a"), body=CLOSING),
    "a NUL in a value": _http2((b"x", b"a\0b")),
    "a request in the path": _http2(method=b"GET", path=b"/health/live HTTP/1.1\r\n\r\n" + NEXT, body=None),
    "a request in the method": _http2(method=NEXT + b"GET", path=b"/health/live", body=None),
    "a request in the authority": _http2(authority=HOST.encode() + b"\r\n\r\n" + NEXT),
    "a request in the scheme": _http2(scheme=b"https://x/metrics?"),
    "a header for the connection": _http2((b"connection", b"x-forwarded-for")),
    "what is for inside": _http2(method=b"GET", path=b"/metrics", body=None),
    "another authority than the path's": _http2(
        method=b"GET", authority=b"other.test", path=b"https://%s/health/live" % PSEUDO[b":authority"], body=None
    ),
}


@pytest.mark.parametrize("shape", REFUSED_HTTP2.values(), ids=REFUSED_HTTP2)
def test_the_edge_lets_nothing_pass_that_http2_could_hide(stack: Stack, shape: bytes):
    """Lengths, codings and line ends that mean nothing in HTTP/2 don't become part of a request in HTTP/1.1."""
    outcome = attack(stack, shape)
    assert (outcome.requests, outcome.alerts) == ([], [])


ONE_HTTP2 = {
    "requests in a body": (_http2(body=HIDDEN), 401),
    "requests in a GET's body": (_http2(method=b"GET", path=b"/health/live", body=HIDDEN), 200),
    "two lengths": (_http2((b"content-length", b"13"), (b"content-length", b"0")), 401),
    "a forged address": (_http2((b"x-forwarded-for", b"203.0.113.9")), 401),
    "another host": (_http2((b"host", b"other.test"), method=b"GET", path=b"/health/live", body=None), 200),
    "another host in the path": (_http2(method=b"GET", path=b"https://other.test/health/live", body=None), 200),
    "a version in the path": (_http2(method=b"GET", path=b"/health/live HTTP/1.1", body=None), 404),
}


@pytest.mark.parametrize(("shape", "status"), ONE_HTTP2.values(), ids=ONE_HTTP2)
def test_a_request_over_http2_stays_one(stack: Stack, shape: bytes, status: int):
    """Each is seen once, by its true address, and nothing of its body is a request."""
    outcome = attack(stack, shape)
    assert [one[2] for one in outcome.requests] == [status] * 2
    assert (outcome.clients, outcome.ids, outcome.alerts) == ({outcome.address}, ["over-http2"] * 2, [])


def test_the_good_share_connections_with_the_hostile(stack: Stack):
    """Some eighty requests take hardly a new connection to alertgate; else these tests could find no poisoned one."""
    pid = podman("inspect", "--format", "{{.State.Pid}}", stack.containers()[0]).strip()

    def callers() -> set[str]:
        table = Path(f"/proc/{pid}/net/tcp").read_text()
        return set(re.findall(r":1F40 (?!0100007F)(\S+) 01 ", table))

    attack(stack, REFUSED["xchunked"])
    known = callers()
    assert known
    shapes = [ONE[name] for name in ("a length over all, and chunks", "trailers", "Expect", "an upgrade to h2c")]
    shapes += [BODIES[name][0] for name in ("of a stranger", "of a stranger who expects", "of a GET, in a chunk")]
    new: set[str] = set()
    for shape in shapes:
        attack(stack, shape)
        assert callers()
        new |= callers() - known
    assert len(new) < len(shapes), "the edge opens one when the last answer's is not yet free; not one for each shape"
