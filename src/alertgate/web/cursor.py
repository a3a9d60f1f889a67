"""Cursors: opaque tokens that say where the next page of a list begins.

A cursor is the base64url of the last id, with a MAC by SECRET_KEY. Without SECRET_KEY it is unsigned, which is safe: a
forged one only chooses where a list begins, for somebody who may read all of it.
"""

import hashlib
import hmac
from base64 import b64decode, urlsafe_b64encode
from uuid import UUID

from pydantic import SecretStr

from alertgate.errors import FieldError, Invalid

ID_BYTES = 16
MAC_BYTES = 16


def seal(listing: str, last_id: str, key: SecretStr | None) -> str:
    """Return the cursor that continues `listing` after the row with `last_id`."""
    identity = UUID(last_id).bytes
    return urlsafe_b64encode(identity + _mac(listing, identity, key)).rstrip(b"=").decode()


def unseal(listing: str, cursor: str, key: SecretStr | None) -> str:
    """Return the id after which `listing` continues. Raises Invalid for a cursor that `seal` didn't make for it."""
    try:
        raw = b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        identity = UUID(bytes=raw[:ID_BYTES])
    except ValueError:
        raise _bad() from None
    if not hmac.compare_digest(raw[ID_BYTES:], _mac(listing, identity.bytes, key)):
        raise _bad()
    return str(identity)


def seal_text(listing: str, last: str, key: SecretStr | None) -> str:
    """Return the cursor that continues `listing` after a row whose id is any text."""
    identity = last.encode(errors="surrogatepass")
    return urlsafe_b64encode(_mac(listing, identity, key) + identity).rstrip(b"=").decode()


def unseal_text(listing: str, cursor: str, key: SecretStr | None) -> str:
    """Return the id after which `listing` continues. Raises Invalid for a cursor that `seal_text` didn't make."""
    length = len(_mac(listing, b"", key))
    try:
        raw = b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        last = raw[length:].decode(errors="surrogatepass")
    except ValueError:
        raise _bad() from None
    if not hmac.compare_digest(raw[:length], _mac(listing, raw[length:], key)):
        raise _bad()
    return last


def _mac(listing: str, identity: bytes, key: SecretStr | None) -> bytes:
    if key is None:
        return b""
    secret = key.get_secret_value().encode()
    return hmac.digest(secret, b"cursor:" + listing.encode() + b":" + identity, hashlib.sha256)[:MAC_BYTES]


def _bad() -> Invalid:
    return Invalid(
        "The cursor is invalid. Leave it out to begin with the newest.",
        (FieldError("cursor", "isn't the `next` of an earlier page of this list, or SECRET_KEY has changed since"),),
    )
