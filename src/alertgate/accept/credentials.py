"""Check bearer tokens and signatures over raw bytes, in constant time.

Each check takes every valid secret (the current and the previous one), always compares with all of them, and returns a
named result.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

TOLERANCE = timedelta(minutes=5)
"""How old or how far ahead a Standard Webhooks timestamp may be."""
SECRET_PREFIX = "whsec_"  # noqa: S105  (not a secret)
"""The prefix of Standard Webhooks secrets; base64 follows."""
_STANDARD_ALPHABET = str.maketrans("-_", "+/")


class CredentialCheck(StrEnum):
    """The result of checking a credential."""

    OK = "ok"
    MISSING = "no credential was sent"
    MALFORMED = "the credential is not in the form that this path expects"
    MISMATCH = "the credential is wrong"
    EXPIRED = "the signature's timestamp is more than five minutes from now; check both clocks"
    SIGNATURES_OFF = "signatures are switched off here, because WEBHOOK_SECRET isn't set"
    TOKENS_OFF = "bearer tokens are switched off here, because WEBHOOK_TOKEN isn't set"


class Presented(StrEnum):
    """The credential by which a request to the generic webhook is judged, named by its header."""

    HUB = "x-hub-signature-256"
    STANDARD = "webhook-signature"
    SVIX = "svix-signature"
    BEARER = "authorization"


class StandardHeaders(NamedTuple):
    """The values of the three Standard Webhooks headers; empty where one isn't there."""

    message_id: str
    timestamp: str
    signatures: str


def presented_by(headers: Mapping[str, str]) -> Presented:
    """Return the credential to judge: a signature, right or wrong, takes precedence over a bearer token.

    `headers` must look up names in lower case.
    """
    signatures = (Presented.HUB, Presented.STANDARD, Presented.SVIX)
    return next((kind for kind in signatures if kind in headers), Presented.BEARER)


def standard_headers(headers: Mapping[str, str]) -> StandardHeaders:
    """Return the Standard Webhooks headers: `webhook-…`, or `svix-…` if the signature has only that older name.

    The two are never mixed, so that the id is the one that was signed. Source: Svix, "Verifying webhooks manually".
    """
    prefix = "svix" if presented_by(headers) is Presented.SVIX else "webhook"
    return StandardHeaders(*(headers.get(f"{prefix}-{name}", "") for name in ("id", "timestamp", "signature")))


def bearer(authorization: Sequence[str], secrets: Sequence[str]) -> CredentialCheck:
    """Check the Authorization headers of a request (RFC 6750, 2.1), of which there must be exactly one."""
    if not authorization:
        return CredentialCheck.MISSING
    scheme, _, token = authorization[0].partition(" ")
    if len(authorization) > 1 or scheme.lower() != "bearer" or not token.strip():
        return CredentialCheck.MALFORMED
    return _any_equal(token.strip().encode(errors="surrogatepass"), [secret.encode() for secret in secrets])


def hub_signature(headers: Sequence[str], body: bytes, secrets: Sequence[str]) -> CredentialCheck:
    """Check the X-Hub-Signature-256 headers: `sha256=` and the hex HMAC-SHA256 of the raw body.

    Source: GitHub's "Validating webhook deliveries".
    """
    if not headers:
        return CredentialCheck.MISSING
    name, _, digest = headers[0].strip().partition("=")
    if len(headers) > 1 or name != "sha256" or len(digest) != 64:
        return CredentialCheck.MALFORMED
    expected = [hmac.new(secret.encode(), body, hashlib.sha256).hexdigest().encode() for secret in secrets]
    return _any_equal(digest.lower().encode(errors="surrogatepass"), expected)


def standard_webhook(
    message_id: str, timestamp: str, signatures: str, body: bytes, secrets: Sequence[str], now: datetime
) -> CredentialCheck:
    """Check the three Standard Webhooks headers (standardwebhooks.com, "Signature scheme").

    `signatures` is a space-separated list of `v1,<base64>`; one match is enough.
    """
    if not (message_id and timestamp and signatures):
        return CredentialCheck.MALFORMED
    try:
        sent = datetime.fromtimestamp(int(timestamp), UTC)
    except (ValueError, OverflowError, OSError):
        return CredentialCheck.MALFORMED
    presented = [text for version, _, text in (part.partition(",") for part in signatures.split()) if version == "v1"]
    if not presented:
        return CredentialCheck.MALFORMED
    content = f"{message_id}.{timestamp}.".encode(errors="surrogatepass") + body
    expected = [
        base64.b64encode(hmac.new(key, content, hashlib.sha256).digest())
        for secret in secrets
        for key in _signing_keys(secret)
    ]
    results = [_any_equal(text.encode(errors="surrogatepass"), expected) for text in presented]
    if CredentialCheck.OK not in results:
        return CredentialCheck.MISMATCH
    return CredentialCheck.OK if abs(now - sent) <= TOLERANCE else CredentialCheck.EXPIRED


def twilio_signature(
    headers: Sequence[str], urls: Sequence[str], fields: Sequence[tuple[str, str]], tokens: Sequence[str]
) -> CredentialCheck:
    """Check the X-Twilio-Signature headers of a form: base64 HMAC-SHA1 of a URL and the fields, sorted by name.

    It may be that of any of the `urls`. Sources: Twilio's "Webhooks security"; twilio-python's `request_validator.py`.
    """
    if not headers:
        return CredentialCheck.MISSING
    if len(headers) > 1 or not headers[0].strip():
        return CredentialCheck.MALFORMED
    signed = "".join(name + value for name, value in sorted(set(fields)))
    contents = [f"{url}{signed}".encode(errors="surrogatepass") for url in urls]
    expected = [
        base64.b64encode(hmac.digest(token.encode(), content, hashlib.sha1)) for token in tokens for content in contents
    ]
    return _any_equal(headers[0].strip().encode(errors="surrogatepass"), expected)


def _signing_keys(secret: str) -> list[bytes]:
    """Return the keys that a secret may mean: the specification uses base64, but people also set plain text.

    The base64 may be standard or URL-safe, with or without its padding.
    """
    text = secret.removeprefix(SECRET_PREFIX).rstrip("=").translate(_STANDARD_ALPHABET)
    decoded = b""
    with suppress(ValueError):  # binascii.Error is one; text beyond ASCII raises the plain kind
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    return [key for key in (secret.encode(), decoded) if key]  # anybody could sign with an empty key


def fits_libraries(secret: str) -> bool:
    """Return whether the Standard Webhooks libraries for Python and JavaScript take this secret as it is.

    They expect standard base64, with or without `whsec_`; older releases reject it without its padding.
    """
    with suppress(ValueError):
        return bool(base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True))
    return False


def _any_equal(presented: bytes, expected: Sequence[bytes]) -> CredentialCheck:
    found = False
    for value in expected:
        found |= hmac.compare_digest(presented, value)
    return CredentialCheck.OK if found else CredentialCheck.MISMATCH
