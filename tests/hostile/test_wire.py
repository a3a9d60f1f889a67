"""Requests that are no requests, half requests, slow ones, and more connections than anybody needs."""

import asyncio
import resource
import time
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest

from alertgate.web.server import WAIT_TIMEOUT, WATCH_EVERY
from tests.conftest import Running, serving
from tests.hostile.wire import AUTHORIZATION, BODY, HEAD, statuses, talk

NEXT = b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
STRANGER = HEAD.replace(AUTHORIZATION, b"")
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n"
LENGTH = b"Content-Length: 13\r\n"

TWO_LENGTHS = {
    "length and chunked": HEAD + LENGTH + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + NEXT,
    "chunked and length": CHUNKED + b"Content-Length: 4\r\n\r\nd\r\n" + BODY + b"\r\n0\r\n\r\n" + NEXT,
    "a folded transfer coding": HEAD + b"Transfer-Encoding:\r\n chunked\r\n" + LENGTH + b"\r\n" + BODY,
    "a bodiless request": NEXT.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n" + LENGTH + b"\r\n0\r\n\r\n"),
}
"""Refused by alertgate, with a problem document."""

MALFORMED = {
    "two lengths": HEAD + LENGTH + b"Content-Length: 0\r\n\r\n" + BODY + NEXT,
    "a signed length": HEAD + b"Content-Length: +13\r\n\r\n" + BODY,
    "a negative length": HEAD + b"Content-Length: -13\r\n\r\n" + BODY,
    "a length over 64 bits": HEAD + b"Content-Length: 99999999999999999999999999\r\n\r\n" + BODY,
    "a hexadecimal length": HEAD + b"Content-Length: 0xd\r\n\r\n" + BODY,
    "a space before the colon": HEAD + b"Content-Length : 13\r\n\r\n" + BODY,
    "an unknown transfer coding": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n" + BODY,
    "chunked isn't last": HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "two transfer codings": CHUNKED + b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "a negative chunk": CHUNKED + b"\r\n-1\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a chunk over 80 bits": CHUNKED + b"\r\nfffffffffffffffffffff\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a chunk that is longer than it says": CHUNKED + b"\r\n5\r\n" + BODY + b"\r\n0\r\n\r\n" + NEXT,
    "chunks with line feeds alone": CHUNKED + b"\r\nd\n" + BODY + b"\n0\n\n" + NEXT,
    "a bare carriage return": HEAD + b"X: a\rY: b\r\n" + LENGTH + b"\r\n" + BODY,
    "a NUL in a header": HEAD + b"X: a\x00b\r\n" + LENGTH + b"\r\n" + BODY,
    "a header without a name": HEAD + b": a\r\n" + LENGTH + b"\r\n" + BODY,
    "no host": HEAD.replace(b"Host: x\r\n", b"") + LENGTH + b"\r\n" + BODY,
    "two hosts": HEAD + b"Host: y\r\n" + LENGTH + b"\r\n" + BODY,
    "an empty line before the first": b"\r\n" + NEXT,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    "a control character in the path": b"GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
    "raw UTF-8 in the path": b"GET /\xc3\xa4 HTTP/1.1\r\nHost: x\r\n\r\n",
    "headers without an end": b"GET /health HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 1_000_000,
    "a great many headers": b"GET /health HTTP/1.1\r\nHost: x\r\n" + b"X: a\r\n" * 100_000,
    "a first line without an end": b"GET /" + b"a" * 1_000_000,
    "trailers without an end": CHUNKED + b"\r\n1\r\n{\r\n0\r\nX: " + b"a" * 1_000_000,
    "a chunk extension without an end": CHUNKED + b"\r\n1;" + b"a" * 1_000_000,
    "a stranger's negative chunk": STRANGER + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n" + NEXT,
}
"""Refused by h11, in its own words."""

LENIENT = {
    "the same length twice": (HEAD + LENGTH + LENGTH + b"\r\n" + BODY, [202]),
    "a list of the same lengths": (HEAD + b"Content-Length: 13, 13\r\n\r\n" + BODY, [202]),
    "a folded header": (HEAD + b"X-A: b\r\n c\r\n" + LENGTH + b"\r\n" + BODY, [202]),
    "lines with line feeds alone": (HEAD.replace(b"\r\n", b"\n") + b"Content-Length: 13\n\n" + BODY, [202]),
    "a chunk over 64 bits": (CHUNKED + b"\r\nffffffffffffffffff\r\n" + BODY + b"\r\n0\r\n\r\n" + NEXT, [408]),
    "a nonsense method": (b"FOO /health HTTP/1.1\r\nHost: x\r\n\r\n", [405]),
    "a nonsense version": (b"GET /health HTTP/1.2\r\nHost: x\r\n\r\n", [200]),
    "HTTP/2 without asking": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [404, 400]),
    "a tunnel": (b"CONNECT a:1 HTTP/1.1\r\nHost: x\r\n\r\n" + NEXT, [404, 200]),
    "an address instead of a path": (b"GET http://x/health HTTP/1.1\r\nHost: x\r\n\r\n", [404]),
    "an address without a path": (b"GET http://x HTTP/1.1\r\nHost: x\r\n\r\n", [404]),
    "an address without a host": (b"GET http:// HTTP/1.1\r\nHost: x\r\n\r\n", [404]),
}
"""Not quite HTTP/1.1, but with one meaning only, which h11 takes."""


@pytest.mark.parametrize("request_", TWO_LENGTHS.values(), ids=TWO_LENGTHS)
async def test_a_request_with_two_lengths_is_refused(service: Running, request_):
    """A problem, then the end, also where the rest comes later: nothing behind it is taken for a request."""
    head, _, rest = request_.partition(b"\r\n\r\n")
    for pieces in ((request_,), (head + b"\r\n\r\n", rest)):
        answer = await talk(service.port, *pieces)
        assert statuses(answer) == [400]
        assert b"urn:alertgate:problem:ambiguous-length" in answer
        assert b"x-content-type-options: nosniff" in answer
    assert _stored(service) == 0


@pytest.mark.parametrize("request_", MALFORMED.values(), ids=MALFORMED)
async def test_what_is_no_request_gets_one_400_and_no_more(service: Running, request_):
    """Then the end: nothing behind it is taken for a request, and nothing is stored."""
    answer = await talk(service.port, request_)
    assert statuses(answer) == [400]
    assert b"connection: close" in answer.lower()
    assert b"Invalid HTTP request received." in answer
    assert _stored(service) == 0


async def test_what_has_one_meaning_is_answered(make_settings):
    """With the answer to that meaning, and no more answers than requests."""
    async with serving(make_settings(body_timeout=1)) as service:
        answers = await asyncio.gather(*(talk(service.port, request) for request, _ in LENIENT.values()))
        answered = dict(zip(LENIENT, map(statuses, answers), strict=True))
        assert answered == {name: expected for name, (_, expected) in LENIENT.items()}
        assert _stored(service) == list(answered.values()).count([202])


def _stored(service: Running) -> int:
    with service.gate.store.transaction() as connection:
        return connection.exec_driver_sql("SELECT count(*) FROM alerts").scalar_one()


async def test_headers_after_the_body_are_no_headers(service: Running):
    """A trailer can't bring the credential, take it away, forge an address or an id."""
    trailers = b"\r\nd\r\n" + BODY + b"\r\n0\r\n%s: %s\r\n\r\n" + NEXT
    without = b"POST /webhook/particle HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
    name, token = AUTHORIZATION.strip().split(b": ")
    assert statuses(await talk(service.port, without + trailers % (name, token))) == [401, 200]
    assert statuses(await talk(service.port, CHUNKED + trailers % (name, b"Bearer wrong"))) == [202, 200]
    assert b"forged" not in await talk(service.port, CHUNKED + trailers % (b"X-Request-ID", b"forged"))


async def test_a_request_before_garbage_gets_its_own_answer(service: Running):
    """The garbage gets one of its own, behind it: a proxy would give that answer to the wrong caller."""
    whole = HEAD + LENGTH + b"\r\n" + BODY
    assert statuses(await talk(service.port, whole + b"GARBAGE\r\n\r\n")) == [202, 400]
    assert statuses(await talk(service.port, whole + whole + b"\x00\r\n\r\n")) == [202, 202, 400]
    assert _stored(service) == 3


async def test_a_body_that_turns_out_malformed_gets_no_second_answer(service: Running):
    """Its request was answered 401 already, so the connection just closes, and nothing behind it is read."""
    async with _connected(service.port, STRANGER + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n") as (reader, writer):
        assert statuses(await reader.readuntil(b"\r\n\r\n")) == [401]
        writer.write(b"-1\r\n" + NEXT)
        assert statuses(await reader.read()) == []


async def test_more_bytes_behind_a_last_request_cost_no_alert(service: Running):
    """Uvicorn may answer 400 if they come while the request is in progress; what it answers 202 is stored."""
    last = HEAD + LENGTH + b"Connection: close\r\n\r\n" + BODY
    assert statuses(await talk(service.port, last + b"\r\n")) == [202]
    async with _connected(service.port, last) as (reader, writer):
        await asyncio.sleep(0.001)
        writer.write(b"\r\n")
        # If they come after the server has closed the connection, its system resets that, and the answer may be lost.
        answered = [202]
        with suppress(ConnectionResetError):
            answered = statuses(await reader.read())
    assert answered in ([202], [400])
    assert _stored(service) == 2 or answered == [400]


async def test_malformed_requests_are_one_line_each_in_the_log(make_settings, caplog):
    """However odd they are, and whatever was answered already."""
    with caplog.at_level("INFO"):
        async with serving(make_settings()) as service:
            for request in MALFORMED.values():
                await talk(service.port, request)
    records = [record.getMessage() for record in caplog.records if record.name.startswith(("uvicorn", "asyncio"))]
    assert records.count("Invalid HTTP request received.") == len(MALFORMED)
    assert not [record for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}]


@pytest.mark.parametrize("upgrade", [b"websocket", b"h2c", b"TLS/1.0", b"nonsense"])
async def test_no_upgrade_is_taken(service: Running, upgrade):
    """The request is answered like any other, and what follows it isn't read as requests."""
    asked = b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: upgrade, close\r\nUpgrade: %s\r\n\r\n" % upgrade
    assert statuses(await talk(service.port, asked + NEXT)) == [200]


@pytest.mark.parametrize("upgrade", [b"websocket", b"h2c"])
async def test_a_request_that_asks_for_an_upgrade_keeps_its_body(service: Running, upgrade):
    """The body is part of the alert, and neither lost nor the next request, whether it comes at once or later."""
    asking = HEAD + b"Connection: upgrade\r\nUpgrade: %s\r\n" % upgrade
    chunks = b"Transfer-Encoding: chunked\r\n\r\nd\r\n" + BODY + b"\r\n0\r\n\r\n"
    for rest in (LENGTH + b"\r\n" + BODY, chunks):
        answer = await talk(service.port, asking + rest + NEXT)
        assert statuses(answer) == [202, 200]
        assert b'"status":"accepted"' in answer
    hidden = NEXT.replace(b"Connection: close\r\n", b"")
    later = asking + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(hidden)
    async with _connected(service.port, later) as (reader, writer):
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(hidden + NEXT)
        assert statuses(await reader.read()) == [202, 200]


async def test_many_requests_that_ask_for_an_upgrade_are_answered_one_by_one(service: Running):
    """However many come at once."""
    asking = NEXT.replace(b"close", b"upgrade\r\nUpgrade: h2c")
    assert statuses(await talk(service.port, asking * 500 + NEXT)) == [200] * 501


async def test_repeated_headers_are_judged_by_all_of_them(service: Running):
    """Two credentials are none; a hundred harmless headers don't matter."""
    twice = HEAD + AUTHORIZATION + LENGTH + b"Connection: close\r\n\r\n" + BODY
    assert statuses(await talk(service.port, twice)) == [401]
    many = HEAD + b"X-A: b\r\n" * 100 + LENGTH + b"Connection: close\r\n\r\n" + BODY
    assert statuses(await talk(service.port, many)) == [202]


@asynccontextmanager
async def _connected(port: int, sent: bytes = b""):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    try:
        yield reader, writer
    finally:
        writer.close()


async def _trickle(port: int, start: bytes, drop: bytes) -> bytes:
    """Send a byte whenever the service hasn't ended the connection for a tenth of a second."""
    came = b""
    async with _connected(port, start) as (reader, writer):
        while True:
            try:
                async with asyncio.timeout(0.1):
                    piece = await reader.read(65536)
            except TimeoutError:
                writer.write(drop)
                continue
            except ConnectionError:
                return came
            if not piece:
                return came
            came += piece


async def test_slow_callers_are_cut_off_and_others_are_served(make_settings):
    """Slow headers, slow bodies, silence and empty lines all end in seconds; a good request is answered meanwhile."""
    live = b"GET /health/live HTTP/1.1\r\nHost: x\r\n"
    slow = {
        "headers": (live + b"X: ", b"a"),
        "a header a time": (live, b"X: a\r\n"),
        "the second request's headers": (live + b"\r\n" + live, b"X: a\r\n"),
        "silence": (b"", b""),
        "silence after an answer": (live + b"\r\n", b""),
        "empty lines": (live + b"\r\n", b"\r\n"),
        "a body": (HEAD + b"Content-Length: 1000\r\n\r\n", b" "),
        "a chunked body": (CHUNKED + b"\r\n", b"1\r\n \r\n"),
        "a body that was refused": (STRANGER + b"Content-Length: 100000\r\n\r\n", b"x"),
        "a body that nobody reads": (live + b"Content-Length: 100000\r\n\r\n", b"x"),
    }
    async with serving(make_settings(body_timeout=1, particle_rate_limit="100000/minute")) as service:
        async with asyncio.timeout(2 * WAIT_TIMEOUT):
            tasks = {name: asyncio.create_task(_trickle(service.port, *way)) for name, way in slow.items()}
            assert (await service.particle()).status_code == 202
            ended = dict(zip(tasks, await asyncio.gather(*tasks.values()), strict=True))
        assert (await service.particle()).status_code == 202
    assert {name: statuses(came) for name, came in ended.items()} == {
        "headers": [],
        "a header a time": [],
        "the second request's headers": [200],
        "silence": [],
        "silence after an answer": [200],
        "empty lines": [200, 400],
        "a body": [408],
        "a chunked body": [408],
        "a body that was refused": [401],
        "a body that nobody reads": [200],
    }


def _allow(files: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < files:
        pytest.skip(f"this machine allows {hard} open files")
    if soft != resource.RLIM_INFINITY and soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))


async def test_a_thousand_half_open_connections_keep_nobody_out(service: Running):
    """While a thousand callers have sent half a request and wait, a good one is answered."""
    _allow(5000)  # both ends are in this process
    async with AsyncExitStack() as stack:
        for half in (b"", b"GET /health HTTP/1.1\r\n", HEAD, HEAD + LENGTH + b"\r\n{") * 250:
            await stack.enter_async_context(_connected(service.port, half))
        start = time.perf_counter()
        answer = await service.particle()
        print(f"\nwith 1,000 half-open connections: {(time.perf_counter() - start) * 1000:.1f} ms")  # noqa: T201
        assert answer.status_code == 202


async def test_when_too_many_wait_the_one_that_waited_longest_goes(make_settings):
    """A new caller is always let in, and a request in work is never cut off for one."""
    async with serving(make_settings(), most_waiting=20) as service, AsyncExitStack() as stack:
        enter = stack.enter_async_context
        reader, writer = await enter(_connected(service.port, HEAD + LENGTH + b"Connection: close\r\n\r\n{"))
        waiting = [await enter(_connected(service.port, b"GET /"))]
        await asyncio.sleep(2 * WATCH_EVERY)
        waiting += [await enter(_connected(service.port, b"GET /")) for _ in range(20)]
        assert (await service.particle()).status_code == 202
        assert await waiting[0][0].read() == b""
        writer.write(BODY[1:])
        assert statuses(await reader.read()) == [202]
        late = waiting[-1]
        late[1].write(b"health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert statuses(await late[0].read()) == [200]
