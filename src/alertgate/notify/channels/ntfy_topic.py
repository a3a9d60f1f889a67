"""The addresses of ntfy's contacts: a topic on NTFY_URL, or the whole address of one on another server. Pure."""

import re
from base64 import b64encode
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

_TOPIC = re.compile(r"[-_A-Za-z0-9]{1,64}")
LONGEST = 2048
"""Characters of an address."""
_PORTS = {"http": 80, "https": 443}
WRITE = "write ntfy:TOPIC, or ntfy:https://HOST/TOPIC with a login, if it needs one, as https://:TOKEN@HOST/TOPIC"


@dataclass(frozen=True, slots=True)
class Topic:
    """Where a contact's messages are published."""

    name: str = field(repr=False)
    server: str = ""
    """Such as `https://ntfy.example.org`."""
    is_own: bool = True
    """Whether it is on NTFY_URL, whose login then is sent."""
    authorization: str | None = field(default=None, repr=False)
    """The header that the address itself asks for."""
    secrets: tuple[str, ...] = field(default=(), repr=False)


def check_topic(address: str) -> None:
    """Raise ValueError unless an address is a topic, alone or of a server."""
    topic_of(address, "")


def topic_of(address: str, own_url: str) -> Topic:
    """Return the topic of an address; one without a server is on `own_url`. Raises ValueError."""
    if "://" not in address:
        if not _TOPIC.fullmatch(address):
            raise ValueError(f"isn't a topic of ntfy, up to 64 of A-Z, a-z, 0-9, - and _: {WRITE}")
        return Topic(address, own_url)
    url = _split(address)
    name, host = url.path.removeprefix("/"), url.netloc.rpartition("@")[2].lower()
    if not _TOPIC.fullmatch(name):
        raise ValueError(f"doesn't end with a topic of ntfy: {WRITE}")
    is_own = own_url != "" and _origin(url) == _origin(urlsplit(own_url)) and not urlsplit(own_url).path
    user, password = unquote(url.username or ""), unquote(url.password or "")
    login = f"{user}:{password}" if user else password
    if not user and not (login.isascii() and login.isprintable()):
        raise ValueError(f"has a token that no header can hold: {WRITE}")
    return Topic(name, f"{url.scheme}://{host}", is_own, authorization(login), secrets_of(login))


def authorization(login: str) -> str | None:
    """Return the header for an access token, `tk_…`, or for `user:password`; None for none."""
    if ":" in login:
        return f"Basic {b64encode(login.encode()).decode()}"
    return f"Bearer {login}" if login else None


def secrets_of(login: str) -> tuple[str, ...]:
    """Return what of a login must never be shown."""
    return (login, login.partition(":")[2]) if ":" in login else (login,) if login else ()


def _split(address: str) -> SplitResult:
    try:
        url = urlsplit(address)
        host, _ = url.hostname, url.port
    except ValueError:
        host = None
    right = host and len(address) <= LONGEST and url.scheme in _PORTS and not (url.query or url.fragment)
    if not right or not address.isascii() or not address.isprintable() or " " in address:
        raise ValueError(f"isn't the address of a topic: {WRITE}")
    if url.username is not None and not url.password:
        raise ValueError(f"has a user without a password: {WRITE}")
    return url


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    return url.scheme, url.hostname, url.port or _PORTS.get(url.scheme)
