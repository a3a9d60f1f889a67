"""The links of messages: whoever holds one may see the incidents of its message, and answer. Pure.

A token is an HMAC of the notification's id. The store keeps only its SHA-256, to find the notification; the token is
computed again to be believed, so that a key that is taken out of the settings ends all links that it made.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Sequence

PREFIX = b"link:v1:"
TOKEN_BYTES = 12
TOKEN_LENGTH = 16
"""Characters; base64 fills them without padding."""


def link(public_url: str, token: str) -> str:
    """Return the address of a token's page."""
    return f"{public_url}/a/{token}"


def fingerprint(token: str) -> str:
    """Return what the store keeps of a token, or of any text that somebody presents as one."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


_TOKEN = re.compile(rf"[A-Za-z0-9_-]{{{TOKEN_LENGTH}}}")


def is_like_a_token(text: str) -> bool:
    """Return whether a text has the form of a token; what hasn't needn't be looked up."""
    return _TOKEN.fullmatch(text) is not None


class Links:
    """Makes links with the first of `keys`, and believes those of every one."""

    def __init__(self, public_url: str, keys: Sequence[str]) -> None:
        self._public_url = public_url
        self._keys = [key.encode() for key in keys]

    def token(self, notification_id: str) -> str:
        """Return the token of a notification."""
        return _token(self._keys[0], notification_id)

    def url(self, notification_id: str) -> str:
        """Return the link of a notification."""
        return link(self._public_url, self.token(notification_id))

    def believes(self, token: str, notification_id: str) -> bool:
        """Tell whether a token is a notification's, in a time that doesn't depend on the token."""
        found = False
        for key in self._keys:
            expected = _token(key, notification_id).encode()
            found |= hmac.compare_digest(token.encode(errors="surrogatepass"), expected)
        return found


def _token(key: bytes, notification_id: str) -> str:
    made = hmac.digest(key, PREFIX + notification_id.encode(), hashlib.sha256)[:TOKEN_BYTES]
    return urlsafe_b64encode(made).decode()
