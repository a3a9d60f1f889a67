"""Whether messages carry links, by the settings. Pure."""

from collections.abc import Collection

from alertgate.config import Settings
from alertgate.links import TOKEN_LENGTH, Links, link
from alertgate.model import Target
from alertgate.notify.channels.base import Finding, Level
from alertgate.notify.gateways import is_text_message
from alertgate.notify.render.text import SEGMENT, septets

FAIR_ROOM = 90
"""Characters beside a link in which most alerts can be told."""


def links_of(settings: Settings) -> Links | None:
    """Return what makes links, or None without PUBLIC_URL or SECRET_KEY."""
    if not (settings.public_url and settings.secret_key):
        return None
    keys = (settings.secret_key, settings.secret_key_previous)
    return Links(settings.public_url, [key.get_secret_value() for key in keys if key])


def findings(settings: Settings, told: Collection[Target]) -> list[Finding]:
    """Return what is to say about PUBLIC_URL to those who are `told`."""
    if not settings.public_url:
        return []
    if not settings.secret_key:
        text = "is set, but SECRET_KEY isn't: messages have no links; set SECRET_KEY to 32 random characters"
        return [Finding(Level.WARN, "PUBLIC_URL", text)]
    room = SEGMENT - septets(f" {link(settings.public_url, 'x' * TOKEN_LENGTH)}")
    if any(is_text_message(*target) for target in told) and room < FAIR_ROOM:
        text = f"leaves {room} characters of a text message, so most have no link; a shorter host name would help"
        return [Finding(Level.WARN, "PUBLIC_URL", text)]
    return [Finding(Level.OK, "PUBLIC_URL", f"is set: each message has a link to {settings.public_url}/a/…")]
