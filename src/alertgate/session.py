"""A session of the console: who has signed in, with what, and until when. Pure."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache

from alertgate.credential import Credential

LASTS = timedelta(days=30)
SEEN_EVERY = timedelta(hours=1)
"""How often it is noted that a session is used, at most."""
LINK_LASTS = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that somebody has signed in with."""

    id: str
    hash: str = field(repr=False)
    """The SHA-256 of what the browser's cookie holds."""
    person: str | None
    """The policy's name of who signed in by a link to their own contact; None of who had API_TOKEN."""
    name: str
    """Whom what is done is recorded of: the person, or what the bearer of API_TOKEN called themselves."""
    credential: Credential
    token_mark: str | None = field(repr=False)
    """The mark of the API_TOKEN that began it; None of a person's."""
    zone: str | None
    """The browser's time zone; None if it didn't say."""
    agent: str
    """What the browser called itself, cut."""
    created_at: datetime
    ends_at: datetime
    seen_at: datetime
    """When it was last used, to the hour."""

    def counts(self, people: Collection[str], token_marks: Collection[str]) -> bool:
        """Tell whether what began it still counts: the policy has the person, or the settings have that API_TOKEN."""
        return self.token_mark in token_marks if self.person is None else self.person in people

    def is_to_be_seen(self, now: datetime) -> bool:
        """Tell whether it is time to note that it is used."""
        return now - self.seen_at >= SEEN_EVERY


@dataclass(frozen=True, slots=True)
class SignIn:
    """A link by which a person can begin a session, once."""

    id: str
    hash: str = field(repr=False)
    """The SHA-256 of its token."""
    person: str
    created_at: datetime
    ends_at: datetime


def fingerprint(secret: str) -> str:
    """Return what the store keeps of the random secret of a cookie or a link."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


@lru_cache(maxsize=8)
def token_mark(token: str) -> str:
    """Return what a session keeps of API_TOKEN, so that a changed one ends it.

    By scrypt (RFC 7914), as people may choose that token: who reads the database mustn't find it by trying words. That
    takes a tenth of a second, so it is remembered.
    """
    return hashlib.scrypt(token.encode(), salt=b"alertgate:console:v1", n=2**14, r=8, p=1, dklen=16).hex()
