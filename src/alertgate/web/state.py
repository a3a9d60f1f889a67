"""The state of a running gate as one line of the log, for whoever has a shell and no token."""

import structlog

from alertgate.errors import StoreError
from alertgate.store.counts import queues
from alertgate.web.dependencies import Gate
from alertgate.web.routes.ops import degraded

log = structlog.stdlib.get_logger("alertgate")


async def log_state(gate: Gate) -> None:
    """Log whether alerts can be stored, which channels work, what waits, and what is wrong."""
    waiting: object
    try:
        waiting = {str(name): queue.pending + queue.sending for name, queue in (await gate.store.read(queues)).items()}
    except StoreError as error:
        waiting = str(error)
    log.info(
        "service.state",
        checks=dict(await gate.health.ready()),
        channels={str(name): "up" if state.up else "paused" for name, state in gate.deliverer.states.items()},
        waiting=waiting,
        degraded=degraded(gate),
        policy=gate.policies.current.name,
        database=gate.store.name,
    )
