"""Check mail addresses, and mask them for logs. Pure."""

import re
from email.utils import parseaddr

_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_ADDRESS = re.compile(r"[^\s@<>()\[\]:;,\"']+@[\w.-]+")
_WEB = re.compile(r"https?://(?=[^/?#@\s]+(?:[/?#]|$))[^/?#\s]+", re.IGNORECASE)
"""A web address up to its host, unless that has a login before it."""


LONGEST_ADDRESS = 254
"""RFC 5321, 4.5.3.1.3, without the angle brackets."""
LONGEST_NAME = 253
"""RFC 1035, 2.3.4, as text."""


def check_address(address: str) -> None:
    """Raise ValueError unless `address` is one bare address that SMTP can carry (RFC 5321, 4.1.2)."""
    name, bare = parseaddr(address)
    local, _, domain = bare.rpartition("@")
    if name or bare != address or not local or not domain or not address.isascii() or not address.isprintable():
        raise ValueError(f"{mask(address)!r} is not an email address; write name@example.org, without a display name")
    if len(address) > LONGEST_ADDRESS:
        raise ValueError(
            f"{mask(address)[:40]!r} has more than the {LONGEST_ADDRESS} characters that SMTP can carry: use another"
        )
    if any(c in address for c in ' <>,;"\\'):
        raise ValueError(f"{mask(address)!r} contains a character that an address can't have: write name@example.org")


def is_full_name(name: str) -> bool:
    """Return whether `name` is a host name with a dot, as mail servers want to hear it (RFC 5321, 2.3.5)."""
    labels = name.split(".")
    return (
        len(labels) > 1
        and len(name) <= LONGEST_NAME
        and all(_LABEL.fullmatch(label) for label in labels)
        and not labels[-1].isdigit()
    )


def mask(address: str) -> str:
    """Mask an address for logs: keep its first character and its domain; of a web address its host.

    Of any other URL nothing may be shown but the first character: a token may stand anywhere in it.
    """
    if url := _WEB.match(address):
        return f"{url[0]}/***"
    if "://" in address:
        return f"{address[:1]}***"
    local, at, domain = address.rpartition("@")
    return f"{local[:1]}***{at}{domain}" if at else f"{address[:1]}***"


def mask_all(text: str) -> str:
    """Mask every address in a text, such as a mail server's reply."""
    return _ADDRESS.sub(lambda match: mask(match[0]), text)
