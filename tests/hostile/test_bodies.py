"""Bodies that break parsers: Particle's are kept and answered 202, the others refused, and nothing falls over."""

import gzip
import json

import pytest

from tests.conftest import API_BEARER, BEARER, Running, serving, sign
from tests.hostile.wire import AUTHORIZATION, statuses, talk

JSON = {"Content-Type": "application/json"}
DEEP = 100_000


def _event(data: str) -> bytes:
    return b'{"event":"e","message":"m","data":%s,"details":{"a":%s}}' % (data.encode(), data.encode())


UNREADABLE = {
    "nested 100,000 deep": b'{"event":"e","data":' + b"[" * DEEP,
    "nested 60,000 deep and closed": b'{"event":"e","message":"m","data":' + b"[" * 60_000 + b"]" * 60_000 + b"}",
    "objects 20,000 deep": b'{"event":"e","data":' + b'{"a":' * 20_000 + b"1" + b"}" * 20_001,
    "invalid UTF-8": b'{"event":"\xff\xfe","message":"m"}',
    "overlong UTF-8": b'{"event":"\xc0\xaf","message":"m"}',
    "a raw NUL": b'{"event":"a\x00b","message":"m"}',
    "only NULs": bytes(1000),
    "minus": b'{"event":"e","message":"m","data":-}',
    "two documents": b'{"event":"e","message":"m"}{"event":"f","message":"m"}',
    "a comment": b'{"event":"e","message":"m"/* */}',
    "gzip": gzip.compress(b'{"event":"e","message":"m"}'),
}
ODD = {
    "a lone surrogate as the event": b'{"event":"\\ud800","message":"m"}',
    "a lone surrogate in the data": b'{"event":"e","message":"m","data":"\\udfff","details":{"a":"\\ud800"}}',
    "UTF-16": json.dumps({"event": "e", "message": "m"}).encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"event":"e","message":"m"}',
    "an endless number": b'{"event":"e","message":"m","data":' + b"9" * 100_000 + b"}",
}
"""JSON that pydantic's parser refuses, and Python's takes."""
READABLE = {
    "a huge exponent": _event("1e400"),
    "a huge negative exponent": _event("-1e400"),
    "a tiny number": _event("1e-400"),
    "4,000 digits": _event("9" * 4000),
    "a 64-bit overflow": _event(str(2**64)),
    "NaN": _event("NaN"),
    "Infinity": _event("[Infinity, -Infinity]"),
    "duplicate keys": b'{"event":"a","event":"e","message":"x","message":"m","data":{"k":1,"k":2}}',
    "an escaped NUL": b'{"event":"a\\u0000b","message":"a\\u0000b","data":"\\u0000","coreid":"\\u0000"}',
    "bidirectional characters": '{"event":"a\u202eb","message":"\u2066m\u2069","data":"\u202e"}'.encode(),
    "zero-width characters": '{"event":"a\u200bb","message":"\u200d\ufeff","data":"\u2060"}'.encode(),
    "line breaks": b'{"event":"a\\r\\nBcc: x","message":"m\\r\\n.\\r\\n","data":"\\r\\n","coreid":"\\r\\n"}',
    "8,000 keys": json.dumps({"event": "e", "message": "m", **{f"k{n}": n for n in range(8000)}}).encode(),
    "a key of 100,000 characters": json.dumps({"event": "e", "message": "m", "k" * 100_000: 1}).encode(),
    "private and unassigned characters": '{"event":"\ue000\U0010ffff","message":"\U000e0001"}'.encode(),
}


async def _particle(service: Running, body: bytes, **headers: str):
    return await service.client.post("/webhook/particle", content=body, headers={**BEARER, **JSON, **headers})


async def _generic(service: Running, body: bytes, **headers: str):
    signed = {"X-Hub-Signature-256": sign(body), **JSON, **headers}
    return await service.client.post("/webhook/generic", content=body, headers=signed)


async def test_what_nobody_can_read_is_kept_for_particle_and_refused_for_others(service: Running):
    """202 with the raw body kept whole; a problem with 400 or 422."""
    for name, body in UNREADABLE.items():
        answer = await _particle(service, body)
        assert (answer.status_code, answer.json()["status"]) == (202, "quarantined"), name
        kept = (await service.trail(answer.json()["id"]))["alert"]
        assert kept["raw"] == body.decode(errors="backslashreplace")
        refused = await _generic(service, body)
        assert refused.status_code in {400, 422}, name
        assert refused.headers["content-type"] == "application/problem+json"


async def test_odd_json_is_kept_whole_for_particle_and_read_for_others(service: Running):
    """Particle's is quarantined, which tells it; a signed alert isn't refused for a character or a number."""
    for name, body in ODD.items():
        answer = await _particle(service, body)
        assert (answer.status_code, answer.json()["status"]) == (202, "quarantined"), name
        answer = await _generic(service, body)
        assert answer.json()["status"] == "accepted", (name, answer.text)
        await service.trail(answer.json()["id"])
    assert (await service.client.get("/api/alerts", headers=API_BEARER)).status_code == 200


async def test_what_is_odd_but_readable_is_an_alert(service: Running):
    """202 for both, and the trail and the lists can be made of it."""
    for name, body in READABLE.items():
        for answer in (await _particle(service, body), await _generic(service, body)):
            assert answer.json()["status"] == "accepted", (name, answer.text)
            await service.trail(answer.json()["id"])
    for path in ("/api/alerts", "/api/incidents"):
        assert (await service.client.get(path, headers=API_BEARER)).status_code == 200


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "text/plain", "\xff/\x80", "multipart/form-data"]
)
async def test_no_content_type_makes_particle_fail(service: Running, kind):
    """Whatever a body is called, it is stored."""
    for name, body in {**UNREADABLE, **ODD, **READABLE}.items():
        answer = await _particle(service, body, **{"Content-Type": kind.encode("latin-1")})
        assert answer.status_code == 202, name


async def test_odd_alerts_are_stored_on_both_databases(make_settings, database):
    """PostgreSQL holds no NUL and no surrogate, and counts in 64 bits."""
    async with serving(make_settings(**database)) as service:
        for body in READABLE.values():
            assert (await _particle(service, body)).json()["status"] == "accepted"
            assert (await _generic(service, body)).json()["status"] == "accepted"
        for body in ODD.values():
            assert (await _generic(service, body)).json()["status"] == "accepted"
        for body in [*UNREADABLE.values(), *ODD.values()]:
            assert (await _particle(service, body)).json()["status"] == "quarantined"
        for text in ("%00", "%ff", "%ED%A0%80", "%1a0000", "'%20OR%201=1--"):
            answer = await service.client.get(f"/api/alerts?device={text}&event={text}", headers=API_BEARER)
            assert (answer.status_code, answer.json()["items"]) == (200, [])
        for text in ("0001-01-01T00:00:00%2B23:59", "9999-12-31T23:59:59-23:59", "1e308", "-1", "nan", "inf", "١"):
            answer = await service.client.get(f"/api/alerts?since={text}&until={text}", headers=API_BEARER)
            assert answer.status_code in {200, 422}


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "zstd", "gzip, identity", "x" * 1000])
async def test_a_compressed_body_is_not_unpacked(service: Running, coding):
    """415 for the generic webhook; Particle's is kept as it came, so a small body can't become a large one."""
    bomb = gzip.compress(bytes(10_000_000))
    refused = await _generic(service, bomb, **{"Content-Encoding": coding})
    assert (refused.status_code, refused.headers["content-type"]) == (415, "application/problem+json")
    assert "compressed" in refused.json()["detail"]
    answer = await _particle(service, bomb, **{"Content-Encoding": coding})
    assert (answer.status_code, answer.json()["status"]) == (202, "quarantined")


@pytest.mark.parametrize("path", ["/webhook/particle", "/webhook/generic", "/api/incidents/{id}/resolve"])
async def test_ten_megabytes_are_refused_with_and_without_a_length(service: Running, path):
    """413 from the length alone, and 413 from a stream that says none."""
    incident = (await service.particle()).json()["incident"]
    path, body = path.replace("{id}", incident), b"x" * 10_000_000
    headers = {"particle": BEARER, "generic": {"X-Hub-Signature-256": sign(body)}}.get(path[9:], API_BEARER)

    async def stream():
        for start in range(0, len(body), 65536):
            yield body[start : start + 65536]

    for content in (body, stream()):
        answer = await service.client.post(path, content=content, headers={**headers, **JSON})
        assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")


@pytest.mark.parametrize("length", ["9" * 18, "00000000000010000000"])
async def test_a_length_is_judged_before_the_body_comes(service: Running, length):
    """A caller that announces an exabyte is answered at once."""
    head = f"POST /webhook/particle HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n".encode()
    assert statuses(await talk(service.port, head + AUTHORIZATION + b"\r\n{", leave=True)) == [413]
