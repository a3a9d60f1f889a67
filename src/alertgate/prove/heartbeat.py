"""Heartbeats to an external dead man's switch, such as healthchecks.io, which alerts when they stop.

A dead process can't report that it is dead, so a service elsewhere has to notice.
"""

import httpx
import structlog

from alertgate import outbound
from alertgate.errors import EnvironmentUnusable
from alertgate.prove.audit import Auditor

TIMEOUT = 10.0
"""Seconds for a heartbeat as a whole."""

log = structlog.stdlib.get_logger("alertgate.heartbeat")


def open_client(*urls: str) -> httpx.AsyncClient:
    """Return a client for heartbeats to these. A variable that can't be used is logged, and then none counts."""
    try:
        return outbound.open_client(proxied=not all(map(outbound.is_local, urls)), timeout=TIMEOUT)
    except EnvironmentUnusable as error:
        log.warning("heartbeat.direct", detail=f"{error} Until then heartbeats are sent without it.")
        return httpx.AsyncClient(trust_env=False, timeout=TIMEOUT)


class Heartbeat:
    """Requests `url` if the audit passes; else posts the findings to `fail_url`, by default `url`/fail."""

    def __init__(self, client: httpx.AsyncClient, auditor: Auditor, url: str, fail_url: str | None = None) -> None:
        self._url = httpx.URL(url)
        self._fail_url = (
            httpx.URL(fail_url) if fail_url else self._url.copy_with(path=self._url.path.rstrip("/") + "/fail")
        )
        self._auditor = auditor
        self._client = client
        self._reached = True

    async def beat(self) -> None:
        """Run the audit and report its result. A service that can't be reached is logged once, not at every beat."""
        audit = await self._auditor.run()
        url = self._url if audit.passed else self._fail_url
        try:
            # Only the status is read: whatever answers may send more than there is memory for.
            if audit.passed:
                answer = await outbound.ask(self._client, "GET", url, within=TIMEOUT)
            else:
                findings = "\n".join(audit.say())
                answer = await outbound.ask(self._client, "POST", url, within=TIMEOUT, content=findings)
            error = None if answer.is_success else f"answered {answer.status}"
        except httpx.HTTPError as failure:
            error = type(failure).__name__
        if error:
            if self._reached:  # the URL is a secret, so only its host is logged
                log.warning(
                    "heartbeat.unheard",
                    detail="HEARTBEAT_URL doesn't answer",
                    host=url.host,
                    error=error,
                    proxies=None if outbound.is_local(str(url)) else outbound.proxies_named(str(url)),
                )
            self._reached = False
        else:
            if not self._reached:
                log.info("heartbeat.heard", detail="HEARTBEAT_URL answers again", host=url.host)
            self._reached = True
