"""What Pushover is sent: a message's fields, and how an emergency rings (https://pushover.net/api). Pure."""

from datetime import timedelta
from math import ceil

from alertgate.characters import cut
from alertgate.model import Severity
from alertgate.notify.channels.base import Brief, Message

LONGEST_MESSAGE = 1024
"""Characters."""
LONGEST_TITLE = 250
LONGEST_URL = 512
SHORTEST_RETRY = 30
"""Seconds."""
LONGEST_EXPIRE = 10_800
MOST_REPEATS = 50
USUAL_RETRY = timedelta(minutes=1)
USUAL_EXPIRE = timedelta(hours=1)


def fully(message: Message) -> dict[str, str]:
    """Return the fields of a message, but for token and user."""
    said = _essential(message, fit(message.text, LONGEST_MESSAGE))
    said["timestamp"] = str(int(message.date.timestamp()))
    link = message.brief.link if message.brief else None
    if link and len(link) <= LONGEST_URL:
        said |= {"url": link, "url_title": "I'm on it, snooze, details" if is_emergency(message) else "Open"}
    return said


def plainly(message: Message) -> dict[str, str]:
    """Return the least of these, with the link in the text."""
    link = f"\n{message.brief.link}" if message.brief and message.brief.link else ""
    return _essential(message, fit(message.text, LONGEST_MESSAGE - len(link)) + link)


def _essential(message: Message, text: str) -> dict[str, str]:
    said = {"message": text, "title": fit(message.subject or "", LONGEST_TITLE), "priority": str(priority(message))}
    if message.brief and is_emergency(message):
        retry, expire = rings(message.brief)
        said |= {"retry": str(retry), "expire": str(expire), "tags": message.brief.notification_id}
    return {name: value for name, value in said.items() if value}


def is_emergency(message: Message) -> bool:
    """Return whether it rings until somebody acknowledges: one critical incident that is open."""
    return message.brief is not None and message.brief.asks and message.brief.severity is Severity.CRITICAL


def priority(message: Message) -> int:
    """Return 2 for an emergency, 1 for what passes Pushover's quiet hours, and -1 for what makes no sound."""
    brief = message.brief
    if is_emergency(message):
        return 2
    if message.urgent:
        return 1
    return -1 if brief is not None and brief.is_quiet else 0


def rings(brief: Brief) -> tuple[int, int]:
    """Return after how many seconds an emergency rings again, and after how many no more.

    It rings 50 times at most: where that wouldn't last, it rings less often, so that it doesn't end early.
    """
    wanted = ceil((brief.repeat_every or USUAL_RETRY).total_seconds())
    lasts = ceil((USUAL_EXPIRE if brief.repeat_for is None else brief.repeat_for).total_seconds())
    expire = max(SHORTEST_RETRY, min(lasts, LONGEST_EXPIRE))
    retry = max(SHORTEST_RETRY, wanted, ceil(expire / MOST_REPEATS))
    return min(retry, expire), expire


def attached(message: Message) -> tuple[str, bytes, str] | None:
    """Return the picture as a file's name, content and type."""
    picture = message.picture
    return (f"picture.{picture.subtype}", picture.content, f"image/{picture.subtype}") if picture else None


def fit(text: str, longest: int) -> str:
    """Return text of at most so many characters, cut between those that readers see."""
    text = text.encode(errors="replace").decode()
    return text if len(text) <= longest else cut(text, longest - 1) + "…"
