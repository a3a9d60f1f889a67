"""The client of one service over HTTP: its deadline, what of its answers is read, and what its failures mean."""

import asyncio
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from alertgate.config import Settings
from alertgate.errors import EnvironmentUnusable
from alertgate.model import Json
from alertgate.notify.channels.base import AttemptFailed, Reason, Transient
from alertgate.notify.channels.hidden import Hide, Secrets
from alertgate.notify.channels.pinned import PinnedTransport, Private
from alertgate.notify.channels.tls import tls_error
from alertgate.outbound import ask, is_local, open_client

MOST_BYTES = 65536
"""Of an answer."""
WITHIN = 20.0
"""Seconds for a whole answer, and never beyond the deadline."""
LONGEST_TEXT = 300
"""Characters that are shown of what a service says."""
UNANSWERED = (httpx.ReadError, httpx.RemoteProtocolError)
"""How a connection breaks after the request was sent."""
UNSENT = (httpx.ConnectTimeout, httpx.PoolTimeout)
"""How the time ends before that."""
ASKING = frozenset({"GET", "HEAD"})
"""What sends no message, so that a repeat can't be the second one."""
LONGEST_WAIT = timedelta(days=1)
"""What `Retry-After` may ask for."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A service's answer."""

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    hide: Hide = field(repr=False)

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return httpx.codes.is_success(self.status)

    @property
    def json(self) -> dict[str, Json]:
        """The JSON object in the body; empty if there is none."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def text(self) -> str:
        """The body as one printable line without secrets, cut."""
        return self._line(self.body.decode(errors="replace"))

    def said(self, words: object = None) -> str:
        """Return the status with the service's own words, or with these of it: `429 slow down`."""
        return f"{self.status} {self.text if words is None else self._line(str(words))}".rstrip()

    def _line(self, text: str) -> str:
        return as_line(text, self.hide)

    def retry_after(self, now: datetime) -> timedelta | None:
        """Return what `Retry-After` asks for (RFC 9110, 10.2.3), or None."""
        return read_retry_after(self.headers.get("retry-after"), now)


def as_line(text: str, hide: Hide) -> str:
    """Return what somebody else says as one printable line without secrets, cut."""
    hidden = hide(text[: 10 * LONGEST_TEXT])  # before it is cut: half of a secret isn't found
    printable = "".join(each if each.isprintable() else " " for each in hidden)
    return " ".join(printable.split())[:LONGEST_TEXT]


def read_retry_after(value: str | None, now: datetime) -> timedelta | None:
    """Return the time that a `Retry-After` asks to wait, up to LONGEST_WAIT; None if it says nothing."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            at = parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None
        seconds = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
    return timedelta(seconds=min(seconds, LONGEST_WAIT.total_seconds())) if seconds > 0 else None


class Service:
    """Talks to one service. `secrets` never show in what it says of answers and failures.

    The client is opened with the first request: a channel that nobody uses costs nothing.
    """

    def __init__(self, settings: Settings, name: str, secrets: Collection[str] = (), *, url: str = "") -> None:
        self._name = name
        self._proxied = settings.http_proxy_for_channels
        self._pinned = not (settings.channels_private or self._proxied)
        self._hidden = Secrets(secrets)
        self._url = url
        self._client: httpx.AsyncClient | None = None

    def hide(self, text: str) -> str:
        """Return a text without the service's secrets."""
        return self._hidden.hide(text)

    async def ask(
        self, method: str, path: str, deadline: float, *, secret: str = "", most: int = MOST_BYTES, **sent: Any
    ) -> Reply:
        """Send a request to a path of the service, or to a whole URL; return the answer.

        `secret` is hidden too, beside the service's own. Raises AttemptFailed, whose outcome is transient; nothing is
        sent after `deadline` (event loop time).
        """
        hidden = Secrets([secret]) if secret else None

        def hide(text: str) -> str:
            text = self.hide(text)
            return hidden.hide(text) if hidden else text

        url = path if "://" in path else f"{self._url}{path}"
        within = min(WITHIN, deadline - asyncio.get_running_loop().time())
        if within <= 0:
            raise AttemptFailed(Transient(Reason.TIMEOUT, f"{self._name}: there was no time left"))
        headers = {"Accept-Encoding": "identity", "User-Agent": "alertgate", **sent.pop("headers", {})}
        timeout = httpx.Timeout(within, connect=within / 2)  # before all of it ends: nothing was sent then, for sure
        sends = method not in ASKING
        try:
            answer = await ask(
                self._open(), method, url, within=within, most=most, headers=headers, timeout=timeout, **sent
            )
        except httpx.TimeoutException as error:
            is_unanswered = sends and not isinstance(error, UNSENT)
            words = f"{self._name}: no answer within {within:.0f} s"
            failed = Transient(Reason.TIMEOUT, words, is_unanswered=is_unanswered)
        except (Private, EnvironmentUnusable) as error:
            failed = Transient(Reason.CONNECTION, as_line(f"{self._name}: {error}", hide))
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError, OverflowError) as error:
            tls = tls_error(error)
            words = f"no secure connection: {tls}" if tls else f"can't be reached: {error or type(error).__name__}"
            is_unanswered = sends and isinstance(error, UNANSWERED)
            reason = Reason.TLS if tls else Reason.CONNECTION
            failed = Transient(reason, as_line(f"{self._name}: {words}", hide), is_unanswered=is_unanswered)
        else:
            return Reply(answer.status, answer.body, answer.headers, hide)
        raise AttemptFailed(failed)

    def _open(self) -> httpx.AsyncClient:
        if self._client is None:
            options: dict[str, Any] = {"follow_redirects": False, "timeout": WITHIN, "trust_env": False}
            if self._proxied:
                options["trust_env"] = True
            if self._pinned and not (self._url and is_local(self._url)):
                context = httpx.create_ssl_context()
                pinned = PinnedTransport(lambda: httpx.AsyncHTTPTransport(verify=context))
                self._client = httpx.AsyncClient(transport=pinned, **options)
            else:
                self._client = open_client(proxied=self._proxied, **options)
        return self._client

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None
