"""A `.env`, read strictly: what python-dotenv would skip or change without a word is a problem with its line. Pure."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from io import StringIO
from pathlib import Path
from types import MappingProxyType

from dotenv.parser import Binding, parse_stream
from dotenv.variables import Variable, parse_variables

SHARED_NAMES = frozenset(
    {
        *("ALERTGATE_BASE", "ALERTGATE_HOST", "ALERTGATE_IMAGE", "ALERTGATE_REPLICAS"),  # compose.yaml
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"),  # outbound.py
        *("PGID", "PUID", "PYTHONUNBUFFERED"),  # of containers, whose `env_file` this is
        *("FLASK_APP", "FLASK_DEBUG", "FLASK_ENV"),  # left from a Flask service whose .env was taken over
    }
)
CONTACT_PREFIX = "CONTACT_"
SHARED_PREFIXES = ("ACME_", "COMPOSE_", CONTACT_PREFIX, "DOCKER_", "EDGE_", "POSTGRES_", "TRAEFIK_")
"""What may stand in a `.env` beside settings: CONTACT_ is for the policy, the rest for Compose and what it runs."""

_PHONES = ("RECIPIENT_PHONE", "RECIPIENT_MOBILE", "RECIPIENT_NUMBER", "RECIPIENT_TEXT", "SMS_RECIPIENT")
OTHER_WORDS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys((*_PHONES, *(f"{name}S" for name in _PHONES), "PHONE_NUMBER", "SMS_TO"), "RECIPIENT_SMS"),
        **dict.fromkeys(("EMAIL_TO", "MAIL_TO", "EMAIL_RECIPIENT", "EMAIL_RECIPIENTS"), "RECIPIENT_EMAIL"),
        **dict.fromkeys(("SMTP_FROM", "SMTP_SENDER", "EMAIL_FROM", "MAIL_FROM"), "SMTP_EMAIL"),
        **dict.fromkeys(("SMTP_TLS", "SMTP_SSL", "SMTP_STARTTLS", "SMTP_ENCRYPTION"), "SMTP_SECURITY"),
        "SMTP_SERVER": "SMTP_HOST",
    }
)
"""Names that mean a setting by another word, of which similar letters show none or another one."""

_ASSIGNMENT = re.compile(r"\s*(?:export[^\S\r\n]+)?('[^']+'|[^=#\s]+)[^\S\r\n]*=[^\S\r\n]*(.*)", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_CONTROLS = frozenset("abfnrtv")
"""The letters that python-dotenv turns into control characters after a backslash, in double quotes."""


@dataclass(frozen=True, slots=True)
class Reader:
    """What decides whether a line is right: the settings' names, and which text each could have as its value."""

    settings: Collection[str]
    could_be: Callable[[str, str], bool]
    overridden: Collection[str] = ()
    """Names that have a value elsewhere, which counts instead of the one in the file."""


@dataclass(frozen=True, slots=True)
class _Line:
    """One assignment: where it stands, the text after `=`, and what python-dotenv makes of it."""

    place: str
    name: str
    written: str
    value: str

    @property
    def is_contact(self) -> bool:
        """Whether it is for the policy, which takes any text."""
        return self.name.startswith(CONTACT_PREFIX)

    def is_read(self, reader: Reader) -> bool:
        """Whether alertgate takes the value from this file."""
        return self.name not in reader.overridden and (self.is_contact or self.name in reader.settings)


def problems(text: str, path: Path, reader: Reader) -> Iterator[str]:
    """Yield what is wrong with a `.env`; names come first, and values are never shown."""
    if text.startswith("\ufeff"):
        yield (
            f"line 1 of {path} begins with a byte-order mark (U+FEFF), which other programs take as part of the first "
            "name: save the file as UTF-8 without one"
        )
    earlier: dict[str, _Line] = {}
    for number, binding in _numbered(text.removeprefix("\ufeff")):
        place = f"line {number} of {path}"
        found = _ASSIGNMENT.match(binding.original.string)
        if binding.error or (binding.key and not found):
            yield _unreadable(place, found, reader)
        elif binding.key and found:
            line = _Line(place, binding.key.upper(), found[2].rstrip(), binding.value or "")
            found_wrong = (
                _unknown(line, reader),
                _unclosed(line, reader),
                _changed(line, reader),
                _repeated(line, earlier.get(line.name), reader),
            )
            yield from filter(None, found_wrong)
            earlier[line.name] = line


def _numbered(text: str) -> Iterator[tuple[int, Binding]]:
    """Yield each assignment with the number of its line; python-dotenv's own count begins at the empty ones before."""
    read = 0
    for binding in parse_stream(StringIO(text)):
        part = binding.original.string
        before = text[: read + len(part) - len(part.lstrip())]
        yield len(re.findall(r"\r\n|\n|\r", before)) + 1, binding
        read += len(part)


def _unreadable(place: str, found: re.Match[str] | None, reader: Reader) -> str:
    if found and found[2][:1] in {"'", '"'}:
        name = found[1].upper() if found[1].upper() in reader.settings else "a name"
        return (
            f"{name} on {place} has a value that begins with a quote, but doesn't end with the same one: quote the "
            "whole value or nothing of it; a value that holds both kinds of quotes must not begin with one"
        )
    return f"{place} can't be read: write NAME=value, or begin the line with # to make it a comment"


def _unknown(line: _Line, reader: Reader) -> str | None:
    if line.name in reader.settings or line.name in SHARED_NAMES or line.name.startswith(SHARED_PREFIXES):
        return None
    similar = meant(line.name, reader.settings)
    is_name = similar or (_NAME.fullmatch(line.name) and line.value.strip("="))  # else it may be a secret in base64
    return (
        f"{line.name if is_name else 'a name'} on {line.place} isn't a setting of alertgate"
        + (f"; did you mean {similar}? Correct" if similar else ": correct")
        + " it or take it out; what other programs read belongs in a file of its own"
    )


def meant(name: str, settings: Collection[str], alike: float = 0.6) -> str | None:
    """Return the setting that a name most probably stands for, or None. `alike`: how similar their letters must be."""
    if name in OTHER_WORDS:
        return OTHER_WORDS[name]
    return next(iter(get_close_matches(name, sorted(settings), n=1, cutoff=alike)), None)


def _unclosed(line: _Line, reader: Reader) -> str | None:
    """Find a quote that is only closed on a later line, past other settings."""
    for later in line.written.splitlines()[1:]:
        found = _ASSIGNMENT.match(later.lstrip("# \t"))
        if found and found[1].upper() in reader.settings:
            return (
                f"{line.name} on {line.place} begins with a quote that is closed only after {found[1].upper()} on a "
                "later line, which therefore isn't set: close the quote"
            )
    return None


def _repeated(line: _Line, earlier: _Line | None, reader: Reader) -> str | None:
    """Find a name that is set twice: only its last value counts, even if that is empty."""
    if earlier is None or earlier.value == line.value or not line.is_read(reader):
        return None
    return f"{line.name} on {line.place} is set already on {earlier.place.partition(' of ')[0]}: take one of them out"


def _changed(line: _Line, reader: Reader) -> str | None:
    """Say if the value isn't what stands in the file."""
    if not line.is_read(reader):
        return None
    return _replaced(line) or _unescaped(line) or _cut(line, reader)


def _replaced(line: _Line) -> str | None:
    if not any(isinstance(part, Variable) for part in parse_variables(line.value)):
        return None
    return (
        f"{line.name} holds ${{...}} on {line.place}, which is replaced by another variable's value: write the value "
        "itself; if it really contains ${, set it in the environment or in a file in /run/secrets"
    )


def _unescaped(line: _Line) -> str | None:
    """Find backslashes that other readers of such files leave alone."""
    escaped = set(_ESCAPED.findall(line.written))
    if line.written.startswith('"') and (controls := escaped & _CONTROLS):
        return (
            f"{line.name} on {line.place} holds \\{min(controls)} in double quotes, which becomes an invisible "
            "character: put the value in single quotes"
        )
    if line.written.startswith("'") and "\\" in escaped:
        return (
            f"{line.name} on {line.place} holds \\\\ in single quotes, which becomes one backslash: write the value "
            "without quotes"
        )
    return None


def _cut(line: _Line, reader: Reader) -> str | None:
    """Find a comment that may be the rest of the value: a password may hold ` #`, a port may not."""
    if line.written[:1] in {"'", '"'} or line.written == line.value or line.written.startswith("# "):
        return None
    if not line.is_contact and not reader.could_be(line.name, line.written):
        return None
    cut = (
        "holds ` #`, from which on it is a comment"
        if line.value
        else "is empty, because a value that begins with # after a space is a comment"
    )
    remedy = "put the value in single quotes, or the comment on a line of its own"
    return f"{line.name} on {line.place} {cut}: {remedy}"
