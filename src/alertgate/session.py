"""A session of the console: who has signed in, and until when. Pure."""

from collections.abc import Container
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from alertgate.credential import Credential

LASTS = timedelta(days=30)


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
    zone: str | None
    """The browser's time zone; None if it didn't say."""
    agent: str
    """What the browser called itself, cut."""
    created_at: datetime
    ends_at: datetime
    seen_at: datetime
    """When it was last used, to the hour."""

    def is_known(self, people: Container[str]) -> bool:
        """Tell whether its person is still one of the policy's; the bearer of API_TOKEN needn't be."""
        return self.person is None or self.person in people
