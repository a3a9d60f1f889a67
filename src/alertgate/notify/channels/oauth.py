"""Access tokens for the mail server, fetched with a refresh token (RFC 6749, 6) and kept in memory only."""

import asyncio
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from alertgate.clock import Clock
from alertgate.config import Settings
from alertgate.notify.channels.base import AttemptFailed, Reason, Transient
from alertgate.notify.channels.hidden import Secrets
from alertgate.notify.channels.tls import explain, mail_context, tls_error
from alertgate.outbound import Answer, ask

MARGIN = 300.0
"""Seconds before a token's end from which on a new one is fetched."""
SHORT = 300.0
"""Seconds for which a token is used whose answer doesn't say when it ends."""
LONGEST = 86400.0
MOST_BYTES = 65536
"""Of an answer; real ones have 2 to 5 kB."""
MOST_KEPT = 6
"""Tokens that are remembered to be hidden: a mail server's refusal may repeat one that was replaced meanwhile."""
LONGEST_TEXT = 300
"""Characters that are shown of what the endpoint says about an error."""

_LATER = frozenset({"temporarily_unavailable", "server_error", "slow_down"})
"""Errors that pass (RFC 6749, 4.1.2.1; RFC 8628, 3.5)."""
_NEW_REFRESH_TOKEN = "the refresh token has ended or was revoked: set a new SMTP_OAUTH_REFRESH_TOKEN (docs/mail.md)"  # noqa: S105
_ADVICE = {
    "invalid_grant": _NEW_REFRESH_TOKEN,
    "interaction_required": _NEW_REFRESH_TOKEN,
    "invalid_client": "check SMTP_OAUTH_CLIENT_ID and SMTP_OAUTH_CLIENT_SECRET",
    "unauthorized_client": "check SMTP_OAUTH_CLIENT_ID, and what this client may do at the provider",
    "invalid_scope": "check SMTP_OAUTH_SCOPE",
}


@dataclass(frozen=True, slots=True)
class Granted:
    """What the token endpoint gave."""

    access_token: str = field(repr=False)
    seconds: float
    """How long the access token lasts."""
    refresh_token: str | None = field(repr=False)
    """The one to use from now on, if the endpoint replaces them."""


class AccessTokens:
    """The current access token, and a new one before it ends. Its user asks for one at a time."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        refresh_token = settings.smtp_oauth_refresh_token
        self._refresh_token = refresh_token.get_secret_value() if refresh_token else ""
        self._token = ""
        self._given: deque[str] = deque([self._refresh_token], maxlen=MOST_KEPT)
        self._secrets = self._all_secrets()
        self._renew_at = self._ends_at = 0.0

    async def current(self) -> str:
        """Return a token that is good for some minutes. Raises AttemptFailed."""
        if self.has_one():
            return self._token
        try:
            granted = await self._fetch()
        except AttemptFailed:
            if self._token and self._clock.monotonic() < self._ends_at:
                return self._token  # the margin is there for an endpoint that is away for some minutes
            raise
        now = self._clock.monotonic()
        self._token = granted.access_token
        self._ends_at = now + granted.seconds
        self._renew_at = self._ends_at - min(MARGIN, granted.seconds / 2)
        self._refresh_token = granted.refresh_token or self._refresh_token
        self._given += [self._refresh_token, self._token]
        self._secrets = self._all_secrets()
        return self._token

    def has_one(self) -> bool:
        """Return whether a token is kept that is good for some minutes."""
        return bool(self._token) and self._clock.monotonic() < self._renew_at

    def discard(self) -> None:
        """Forget the current token, because the mail server has refused it."""
        self._token = ""

    async def _fetch(self) -> Granted:
        limit = self._settings.smtp_timeout
        try:
            async with asyncio.timeout(limit):
                status, body, _ = await self._ask()
                answer = read(status, body, self.hide)
        except (TimeoutError, httpx.TimeoutException):
            raise self._failed(Reason.TIMEOUT, f"no answer within {limit:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            if tls := tls_error(error):
                raise self._failed(Reason.TLS, explain(tls)) from error
            raise self._failed(Reason.CONNECTION, f"can't be reached: {error}") from error
        if isinstance(answer, Transient):
            raise self._failed(answer.reason, answer.reply)
        return answer

    async def _ask(self) -> Answer:
        """Return the status and the body of the token endpoint's answer."""
        context = await asyncio.to_thread(mail_context, self._settings)
        limit, url = self._settings.smtp_timeout, str(self._settings.smtp_oauth_token_url)
        options: dict[str, Any] = {"trust_env": False, "follow_redirects": False, "timeout": limit}
        async with httpx.AsyncClient(verify=context, **options) as client:
            return await ask(client, "POST", url, within=limit, most=MOST_BYTES, data=self._form(), headers=_HEADERS)

    def _form(self) -> dict[str, str]:
        settings, secret = self._settings, self._settings.smtp_oauth_client_secret
        form = {
            "grant_type": "refresh_token",
            "refresh_token": self._refresh_token,
            "client_id": settings.smtp_oauth_client_id,
            "client_secret": secret.get_secret_value() if secret else None,
            "scope": settings.smtp_oauth_scope,
        }
        return {name: value for name, value in form.items() if value}

    def _failed(self, reason: Reason, text: str) -> AttemptFailed:
        """Return a failure whose text holds no secret, whatever the endpoint repeats of the request."""
        return AttemptFailed(Transient(reason, f"SMTP_OAUTH_TOKEN_URL: {self.hide(text)}"))

    def hide(self, text: str) -> str:
        """Return a text without the tokens of late and the client's secret."""
        return self._secrets.hide(text)

    def _all_secrets(self) -> Secrets:
        secret = self._settings.smtp_oauth_client_secret
        user = self._settings.mail_user
        logins = [f"user={user}\1auth=Bearer {token}\1\1" for token in self._given]
        return Secrets([*self._given, secret.get_secret_value() if secret else ""], said=logins)


_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}


def read(status: int, body: bytes, hide: Callable[[str], str] = str) -> Granted | Transient:
    """Return what an answer of a token endpoint means (RFC 6749, 5). `hide` takes secrets out of a text. Pure."""
    answer = _object(body)
    if status == 200 and "error" not in answer:
        token = answer.get("access_token")
        if isinstance(token, str) and token:
            new = answer.get("refresh_token")
            return Granted(token, _seconds(answer.get("expires_in")), new if isinstance(new, str) and new else None)
        return Transient(Reason.TRY_LATER, "it answered without a token: check that this is the token endpoint")
    error = str(answer.get("error") or "")
    if status in (408, 429) or status >= 500 or error in _LATER:
        return Transient(Reason.TRY_LATER, f"it answers {status} {_said(answer, hide)}".rstrip())
    advice = _ADVICE.get(error, "" if error else "check that this is the token endpoint")
    text = f"it refuses ({status} {_said(answer, hide)}".rstrip() + ")"
    return Transient(Reason.CREDENTIALS, f"{text}; {advice}" if advice else text)


def _object(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _said(answer: dict[str, Any], hide: Callable[[str], str]) -> str:
    """Return the error and its description as one printable line; a secret is hidden before a cut can halve it."""
    text = ": ".join(str(answer[name]) for name in ("error", "error_description") if answer.get(name))
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in hide(text)).split())
    return line[:LONGEST_TEXT]


def _seconds(expires_in: object) -> float:
    """Return how long a token lasts; Microsoft's older endpoint writes the number as text."""
    try:
        seconds = float(str(expires_in))
    except ValueError:
        return SHORT
    return min(seconds, LONGEST) if seconds > 0 else SHORT
