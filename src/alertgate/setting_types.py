"""The types of settings: how each is parsed from the environment and checked. Pure."""

import re
import unicodedata
from collections.abc import Mapping
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from limits import parse_many
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from alertgate import database_url, durations, setting_lists
from alertgate.addresses import check_address, is_full_name
from alertgate.characters import JOINERS, is_shown
from alertgate.mail_host import check_mail_host
from alertgate.model import Severity

SHORTEST_SECRET = 16
PLACEHOLDER = re.compile(r"change.?me|replace.?(me|this)|your[-_ ]|example|<.*>|^x+$", re.IGNORECASE)
"""Matches values that were copied from a template."""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
PASSWORD_PLACEHOLDER = re.compile(r"change.?me|your[-_ a-z]*password|x+", re.IGNORECASE)


QUOTES = frozenset(
    ['""', "''", "``", "“”", "„“", "„”", "””", "‘’", "‚‘", "‚’", "’’", "«»", "»«", "‹›", "›‹"]  # noqa: RUF001
)
"""Pairs of an opening and a closing quote, also the typographic ones."""


def refuse_quotes(value: str) -> None:
    """Raise ValueError if a value is wrapped in quotes.

    python-dotenv, Compose and shells remove them; `docker run --env-file` and files in /run/secrets keep them.
    """
    text = value.strip()
    if len(text) > 1 and text[0] + text[-1] in QUOTES:
        raise ValueError(
            "is wrapped in quotes, which would be part of the value: remove them "
            "(`docker run --env-file` and files in /run/secrets keep quotes as they are)"
        )


def invisible(text: str, *, harmless: str = "") -> str | None:
    """Return the name of the first invisible character, such as a no-break space, or None."""
    for character in text:
        if not character.isprintable() and character not in harmless:
            return f"U+{ord(character):04X} {unicodedata.name(character, '')}".rstrip()
    return None


def refuse_invisible(value: str, *, joiners: bool) -> None:
    """Raise ValueError if a value holds an invisible character, except line breaks and tabs, which lists may hold.

    With `joiners`, those are allowed too: emoji and the scripts of Persian and Hindi need them.
    """
    if name := invisible(value, harmless="\t\r\n" + (JOINERS if joiners else "")):
        raise ValueError(f"holds an invisible character ({name}): type the value by hand, or paste it as plain text")


def without_blanks(text: str) -> str:
    """Return the text without spaces and invisible characters."""
    return "".join(character for character in text if character.isprintable() and not character.isspace())


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _seconds(value: object) -> object:
    return durations.seconds(value) if isinstance(value, str) else value


def _days(value: object) -> object:
    return durations.days(value) if isinstance(value, str) else value


LONGEST_NAME = 64
"""Characters of the sender's name: more than mail programs show."""


def _checked_name(value: str) -> str:
    if len(value) > LONGEST_NAME:
        raise ValueError(f"has more than {LONGEST_NAME} characters: shorten it")
    if not is_shown(value) or value != value.strip():
        raise ValueError("must be one line of text: write it without line breaks, and without spaces around it")
    return value


def _checked_address(value: str) -> str:
    check_address(value)
    return value


def _checked_timezone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError(f"{value!r} is not a time zone; write one like Europe/Berlin or America/New_York")
    return value


def zone_of_tz(value: str) -> ZoneInfo | None:
    """Return the zone that a TZ variable names, or None: POSIX also allows its rules there, as in `CET-1CEST`."""
    name = value.strip().removeprefix(":").removeprefix("/usr/share/zoneinfo/")
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a directory, such as Europe
        return None


def _checked_rate(value: str) -> str:
    try:
        amounts = [item.amount for item in parse_many(value)]
    except ValueError:
        amounts = [0]
    if min(amounts) < 1:
        raise ValueError(f"{value!r} is not a rate limit; write one like 20/minute;100/10 minutes")
    return value


def _checked_secret(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if PLACEHOLDER.search(text):
        raise ValueError("is still the placeholder of a template; `alertgate init` writes a .env with fresh secrets")
    if len(text) < SHORTEST_SECRET:
        raise ValueError(f"is shorter than {SHORTEST_SECRET} characters; `alertgate init` writes fresh secrets")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(
            "must be printable ASCII without spaces, so that it fits into an HTTP header: copy it again, or use one "
            "that `alertgate init` writes"
        )
    return value


def _checked_password(value: SecretStr) -> SecretStr:
    # The whole value must match: a real password may contain these words.
    if PASSWORD_PLACEHOLDER.fullmatch(value.get_secret_value()):
        raise ValueError('is still the placeholder of a template; see "Real mail" in README.md')
    return value


def _checked_credential(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if PASSWORD_PLACEHOLDER.fullmatch(text):
        raise ValueError(
            "is still the placeholder of a template: set the real one; docs/mail.md or docs/phones.md has it"
        )
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("must be printable ASCII without spaces: copy it again, whole and alone")
    return value


def _checked_token_url(value: str) -> str:
    try:
        url = urlsplit(value)
        host, _ = url.hostname, url.port
    except ValueError:
        host = None
    if not host or not value.isascii() or " " in value or url.username is not None or url.fragment:
        raise ValueError("is not a token endpoint; write one like https://oauth2.googleapis.com/token")
    if url.scheme != "https" and not (url.scheme == "http" and host in LOOPBACK):
        raise ValueError("must begin with https://, because secrets are sent to it: use the provider's address")
    return value


def _checked_helo_name(value: str) -> str:
    if is_full_name(value) or _is_literal(value):
        return value
    raise ValueError(
        f"{value!r} is not a name that EHLO may say: write a host name with a dot, such as gate.example.org, or an "
        "address as [192.0.2.1] or [IPv6:2001:db8::1]"
    )


def _is_literal(value: str) -> bool:
    """Return whether a value is an address literal (RFC 5321, 4.1.3)."""
    if not (value.startswith("[") and value.endswith("]")):
        return False
    inner = value[1:-1]
    try:
        if inner[:5].lower() == "ipv6:":
            return IPv6Address(inner[5:]).scope_id is None
        IPv4Address(inner)
    except AddressValueError:
        return False
    return True


def _checked_web_address(value: SecretStr) -> SecretStr:
    try:
        parts = urlsplit(text := value.get_secret_value())
        right = parts.scheme in {"http", "https"} and (parts.hostname or "").encode("idna") and parts.port != 0
    except ValueError:  # also UnicodeError, for labels that are empty or too long
        right = False
    if not right or re.search(r"\s", text):
        raise ValueError("is not a web address; write one like https://hc-ping.com/…")
    return value


def _checked_service_url(value: str) -> str:
    try:
        url = urlsplit(value)
        host, _ = url.hostname, url.port
    except ValueError:
        host = None
    right = host and url.scheme in {"http", "https"} and url.username is None and not (url.query or url.fragment)
    if not right or not value.isascii() or " " in value:
        raise ValueError("is not the address of a service; write one like https://ntfy.example.org")
    return value.rstrip("/")


LONGEST_PUBLIC_URL = 80
"""Characters: half of a text message."""
LARGEST_PORT = 65535
_PUBLIC_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9](?:[a-z0-9.-]{0,250}[a-z0-9])?|\[::1\])(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?:/[a-z0-9._-]+)*/?",
    re.IGNORECASE | re.ASCII,  # else the long s and the Kelvin sign are letters too
)
"""Characters that need no escape in HTML, in a mail or in a text message; the last part is a path of the proxy's."""


def _checked_public_url(value: str) -> str:
    match = _PUBLIC_URL.fullmatch(value)
    if not match or ".." in value or int(match["port"] or 0) > LARGEST_PORT:
        raise ValueError(
            "is not the address of this service; write one like https://alerts.example.org, in ASCII, without a user, "
            "a query or a fragment"
        )
    if match["scheme"].lower() != "https" and match["host"].lower().strip("[]") not in LOOPBACK:
        raise ValueError(
            "must begin with https://, because whoever reads a link on its way can answer by it: use https"
        )
    if len(value.rstrip("/")) > LONGEST_PUBLIC_URL:
        raise ValueError(f"has more than {LONGEST_PUBLIC_URL} characters, and each message carries it: shorten it")
    return value.rstrip("/")


def _checked_database(value: SecretStr) -> SecretStr:
    database_url.parse(value.get_secret_value())
    return value


# Neither infinity nor centuries can be added to a time.
Seconds = Annotated[float, BeforeValidator(_seconds), Field(gt=0, lt=1_000_000_000)]
Days = Annotated[int, BeforeValidator(_days), Field(ge=0, le=36500)]
Secret = Annotated[SecretStr, AfterValidator(_checked_secret)]
Password = Annotated[SecretStr, AfterValidator(_checked_password)]
Credential = Annotated[SecretStr, AfterValidator(_checked_credential)]
TokenUrl = Annotated[str, AfterValidator(_checked_token_url)]
HeloName = Annotated[str, AfterValidator(_checked_helo_name)]
WebAddress = Annotated[SecretStr, AfterValidator(_checked_web_address)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(_checked_database)]
PublicUrl = Annotated[str, AfterValidator(_checked_public_url)]
Address = Annotated[str, AfterValidator(_checked_address)]
ServiceUrl = Annotated[str, AfterValidator(_checked_service_url)]
MailHost = Annotated[str, AfterValidator(check_mail_host)]
SenderName = Annotated[str, AfterValidator(_checked_name)]
Addresses = Annotated[
    tuple[str, ...], NoDecode, BeforeValidator(setting_lists.split), AfterValidator(setting_lists.checked_addresses)
]
Texts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(setting_lists.split)]
Networks = Annotated[
    tuple[str, ...], NoDecode, BeforeValidator(setting_lists.split), AfterValidator(setting_lists.checked_networks)
]
RateLimit = Annotated[str, AfterValidator(_checked_rate)]
TimeZone = Annotated[str, AfterValidator(_checked_timezone)]
AnyCase = BeforeValidator(_lower)
"""Makes the choices of a setting case-insensitive."""
DeviceNames = Annotated[Mapping[str, str], NoDecode, BeforeValidator(setting_lists.device_names)]
SeverityByEvent = Annotated[tuple[tuple[str, Severity], ...], NoDecode, BeforeValidator(setting_lists.severities)]
