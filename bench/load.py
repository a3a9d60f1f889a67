"""wrk as the load generator: distinct alerts of 200 devices, or bad requests."""

import asyncio
import json
import random
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass

from torture.load import TOKEN

DEVICES = 200

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
    """What wrk saw."""

    rate: float
    """Answers a second."""
    requests: int
    refused: int
    """Answers that weren't 2xx or 3xx."""
    broken: int
    p50: float
    """Milliseconds."""
    p99: float


async def alerts(port: int, *, connections: int, seconds: float, token: str = TOKEN) -> Measured:
    """Post as fast as the service answers. Raises RuntimeError where wrk can't run."""
    script = _SCRIPT % {"devices": DEVICES, "token": token}
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
    return measured(json.loads(output.decode().strip().splitlines()[-1]))


def measured(said: Mapping[str, float]) -> Measured:
    """Return what wrk's own summary says."""
    return Measured(
        rate=said["requests"] / said["microseconds"] * 1e6,
        requests=int(said["requests"]),
        refused=int(said["refused"]),
        broken=int(said["broken"]),
        p50=said["p50"] / 1000,
        p99=said["p99"] / 1000,
    )
