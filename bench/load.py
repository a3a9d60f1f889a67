"""wrk as the load generator of distinct alerts, and its summary."""

import asyncio
import json
import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from torture.books import Books
from torture.load import TOKEN

DEVICES = 200
ROUNDS = 5
SECONDS = 3.0
"""Of one side in one round."""

# wrk calls `request` for each request and `done` once at the end; latencies are in microseconds.
_SCRIPT = """
local number = 0
local thread = 0
function setup(t) t:set("id", thread); thread = thread + 1 end
function init(args) run = args[1] .. "-" .. id end
function request()
  number = number + 1
  local body = string.format(
    '{"event":"alarm/motion","data":"{\\\\"zone\\\\":\\\\"hall\\\\",\\\\"battery\\\\":%%d}","coreid":"%%024x",' ..
    '"published_at":"2026-11-25T08:30:12.345Z","event_id":"%%s-%%d"}',
    number %% 100, number %% %(devices)d, run, number)
  return wrk.format("POST", "/webhook/particle", headers, body)
end
headers = {["Authorization"] = "Bearer %(token)s", ["Content-Type"] = "application/json"}
function done(summary, latency, requests)
  io.write(string.format(
    '\\n{"requests":%%d,"microseconds":%%d,"refused":%%d,"broken":%%d,"p50":%%f,"p99":%%f}\\n',
    summary.requests, summary.duration, summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""


@dataclass(frozen=True)
class Measured:
    """What wrk measured."""

    rate: float
    """Answers a second."""
    requests: int
    refused: int
    """Answers of 400 and above."""
    broken: int
    p50: float
    """Milliseconds."""
    p99: float


async def alerts(
    port: int, *, connections: int, seconds: float = SECONDS, devices: int = DEVICES, token: str = TOKEN
) -> Measured:
    """Post as fast as the service answers. Raises RuntimeError if wrk fails or an alert isn't accepted."""
    script = _SCRIPT % {"devices": devices, "token": token}
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        arguments = ("-t", "1", "-c", str(connections), "-d", f"{seconds:g}s", "--timeout", "20s", "-s", file.name)
        url = f"http://127.0.0.1:{port}"
        child = await asyncio.create_subprocess_exec(
            *("wrk", *arguments, url, f"{random.getrandbits(48):012x}"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await child.communicate()
    if child.returncode:
        raise RuntimeError(f"wrk ended with {child.returncode}: {output.decode()}")
    found = measured(json.loads(output.decode().strip().splitlines()[-1]))
    if found.refused or found.broken:
        raise RuntimeError(f"{found.refused} requests were refused and {found.broken} broke: the figure is invalid")
    return found


async def warm(port: int, books: Books) -> None:
    """Reach the steady state: every device has an open incident whose first message was sent."""
    await alerts(port, connections=32, seconds=2)
    untold = "SELECT count(*) FROM notifications WHERE status IN ('pending', 'sending') AND kind = 'opening'"
    while books.ask(untold)[0][0]:
        await asyncio.sleep(0.1)


def measured(said: Mapping[str, float]) -> Measured:
    """Parse wrk's summary."""
    return Measured(
        rate=said["requests"] / said["microseconds"] * 1e6,
        requests=int(said["requests"]),
        refused=int(said["refused"]),
        broken=int(said["broken"]),
        p50=said["p50"] / 1000,
        p99=said["p99"] / 1000,
    )


def ratios(ours: Sequence[Measured], theirs: Sequence[Measured]) -> list[float]:
    """Return each round's rate divided by the other side's."""
    return [one.rate / other.rate for one, other in zip(ours, theirs, strict=True)]


def rates(*sides: Sequence[Measured]) -> str:
    """Return each side's median rate as text."""
    return f"{' and '.join(f'{median(each.rate for each in side):,.0f}' for side in sides)} requests/s"
