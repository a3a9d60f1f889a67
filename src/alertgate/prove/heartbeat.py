"""Heartbeats to an external dead man's switch, such as healthchecks.io, which alerts when they stop.

A dead process can't report that it is dead, so a service elsewhere has to notice.
"""

import httpx
import structlog

from alertgate.prove.audit import Auditor

TIMEOUT = 10.0

log = structlog.stdlib.get_logger("alertgate.heartbeat")


class Heartbeat:
    """Requests `url` if the audit passes; else posts the findings to `url`/fail."""

    def __init__(self, url: str, auditor: Auditor, client: httpx.AsyncClient) -> None:
        self._url = httpx.URL(url)
        self._auditor = auditor
        self._client = client
        self._reached = True

    async def beat(self) -> None:
        """Run the audit and report its result. A service that can't be reached is logged once, not at every beat."""
        audit = await self._auditor.run()
        try:
            if audit.passed:
                answer = await self._client.get(self._url)
            else:
                failing = self._url.copy_with(path=self._url.path.rstrip("/") + "/fail")
                answer = await self._client.post(failing, content="\n".join(audit.say()))
            answer.raise_for_status()
        except httpx.HTTPError as error:
            if self._reached:  # the URL is a secret, so only its host is logged
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
