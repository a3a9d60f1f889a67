"""A sign of life to an outside dead-man service, which shouts when the signs stop.

Nothing that watches itself can say that it is dead: so healthchecks.io and its like expect a request now and then.
"""

import httpx
import structlog

from alertgate.prove.audit import Auditor

TIMEOUT = 10.0

log = structlog.stdlib.get_logger("alertgate.heartbeat")


class Heartbeat:
    """Fetches `url` when the audit passes, and `url`/fail with the findings when it doesn't."""

    def __init__(self, url: str, auditor: Auditor, client: httpx.AsyncClient) -> None:
        self._url = httpx.URL(url)
        self._auditor = auditor
        self._client = client
        self._reached = True

    async def beat(self) -> None:
        """Audit, and tell the outside how that went. An outside that can't be reached is said once in the log."""
        audit = await self._auditor.run()
        try:
            if audit.passed:
                answer = await self._client.get(self._url)
            else:
                failing = self._url.copy_with(path=self._url.path.rstrip("/") + "/fail")
                answer = await self._client.post(failing, content="\n".join(audit.say()))
            answer.raise_for_status()
        except httpx.HTTPError as error:
            if self._reached:  # the address is a secret of its own, so it isn't repeated
                log.warning(
                    "heartbeat.unheard",
                    detail="HEARTBEAT_URL doesn't answer",
                    host=self._url.host,
                    error=type(error).__name__,
                )
            self._reached = False
        else:
            if not self._reached:
                log.info("heartbeat.heard", detail="HEARTBEAT_URL answers again", host=self._url.host)
            self._reached = True
