"""All figures, by the names that `python -m bench` takes, in the order of the table."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from bench.accept import accept, beside_bad_requests, devices, grown
from bench.burst import burst
from bench.console import console
from bench.escalations import escalations
from bench.figure import Figure
from bench.messages import drain, latency
from bench.postgres import fresh, on_postgres, pooled, replicas
from bench.start import start
from bench.viewers import viewers
from bench.watch import watch

FIGURES: dict[str, Callable[[Path], Awaitable[list[Figure]]]] = {
    "accept": accept,
    "start": start,
    "latency": latency,
    "burst": burst,
    "drain": drain,
    "grown": grown,
    "devices": devices,
    "escalations": escalations,
    "bad": beside_bad_requests,
    "postgres": on_postgres,
    "pooled": pooled,
    "replicas": replicas,
    "fresh": fresh,
    "watch": watch,
    "viewers": viewers,
    "console": console,
}
"""Each measures in its own directory."""
