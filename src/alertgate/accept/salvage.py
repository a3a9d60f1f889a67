"""Extract the event and the device from an unreadable body, so that its notifications can name them. Pure."""

import hashlib
import json
import re
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote_to_bytes

from alertgate.accept.fields import LONGEST_NAME, unescape
from alertgate.accept.spellings import respell
from alertgate.characters import is_shown
from alertgate.model import Json
from alertgate.words import is_absent

MOST_BYTES = 65_536
"""How much of a body is searched."""


class Salvage(NamedTuple):
    """What is known of an unreadable body."""

    event: str | None
    device: str | None
    sender: str
    """What distinguishes its sender: the device, else a digest of the body and the query string; empty without both."""


class _Names(NamedTuple):
    """The names in a text: its event, and its device ids, the likeliest last."""

    event: str | None = None
    devices: tuple[str, ...] = ()


# A key with or without quotes, and a short value without escapes. White space is bounded, so that a hostile body can't
# make the search slow.
_PAIR = re.compile(
    r"""(?:^|["'{,;&\n])\s{0,9}(?P<name>event|name|core[_\s-]?id|device[_\s-]?id)\s{0,9}["']?\s{0,9}:\s{0,9}
    (?:"(?P<double>[^"\\\x00-\x1f]{1,128})"|'(?P<single>[^'\\\x00-\x1f]{1,128})'|(?P<bare>[\w./-]{1,128}))""",
    re.IGNORECASE | re.VERBOSE,
)
_DEVICE_ID = re.compile(r"(?<![0-9a-z])[0-9a-f]{24}(?![0-9a-z])", re.IGNORECASE)
_NO_DEVICE = re.compile(
    r"""(?:account|event|message|owner|product|user)[_\s-]?id["']?\s{0,9}[:=]\s{0,9}["']?[0-9a-f]{24}""", re.IGNORECASE
)
_CHANGING = re.compile(
    rb"\d{4}-\d\d-\d\d[T ]?[\d:.]*Z?"  # a time
    rb"|(?<![\d.])(?P<seconds>[12]\d{9})(?:\d{3})?(?![\d.])"  # Unix seconds or milliseconds
    rb"|(?<![\d.])-?\d+\.\d+(?![\d.])"  # a reading
)
_UNIX = range(1_420_070_400, 2_208_988_800)
"""Unix seconds from 2015 to 2040. Other numbers of ten digits may be a serial or a telephone number."""

_NO_NAMES = frozenset({"true", "false", "null", "undefined"})


def salvage(body: bytes, asked: dict[str, Json], query: bytes = b"") -> Salvage:
    """Return what can be extracted from an unreadable body; the fields that its query string `asked` count first."""
    text = body[:MOST_BYTES].decode(errors="replace")
    found = (_known(asked), _pairs(text), _form(text), _pairs(unescape(text)))
    event = next((names.event for names in found if names.event), None)
    devices = next((names.devices for names in found if names.devices), ())
    lone = _lone_device_id(text) if len(devices) != 1 else None
    likely = [device for device in devices if _DEVICE_ID.fullmatch(device)] or ([lone] if lone else devices)
    if not likely:
        return Salvage(event, None, _digest(body, query))
    if len(set(likely)) == 1:
        return Salvage(event, likely[0], likely[0])
    return Salvage(event, likely[-1], _digest(json.dumps(sorted(set(likely))).encode(), b""))


def _pairs(text: str) -> _Names:
    """Find the names in broken JSON.

    Particle sends event, data, coreid in this order. The data probably broke the body and may contain the same names,
    so the first event and the last device are the likeliest.
    """
    found: dict[str, list[str]] = {"event": [], "name": [], "deviceid": [], "coreid": []}
    for match in _PAIR.finditer(text):
        value = (match["double"] or match["single"] or match["bare"]).strip()
        if not is_absent(value) and value.lower() not in _NO_NAMES:
            found[re.sub(r"[_\s-]", "", match["name"].lower())].append(value)
    event = next(iter(found["event"] + found["name"]), None)
    return _Names(event, tuple(found["deviceid"] + found["coreid"]))


def _form(text: str) -> _Names:
    """Find the names in a form that isn't declared as one."""
    head, equals, _ = text.partition("=")
    if not equals or not head.strip().replace("_", "").isalnum():
        return _Names()
    return _known(dict(parse_qsl(text)))


def _known(fields: dict[str, Json]) -> _Names:
    """Return the event and the device of readable fields."""
    named = respell(fields).fields
    event, device = (_name(named.get(name)) for name in ("event", "coreid"))
    return _Names(event, (device,) if device else ())


def _name(value: Json) -> str | None:
    if not isinstance(value, str) or is_absent(value) or len(value) > LONGEST_NAME or not is_shown(value):
        return None
    return value.strip() if value.strip().lower() not in _NO_NAMES else None


def _lone_device_id(text: str) -> str | None:
    """Return the device id in a body, 24 hexadecimal digits, or None unless there is exactly one."""
    ids = {found.lower() for found in _DEVICE_ID.findall(_NO_DEVICE.sub("", text))}
    return ids.pop() if len(ids) == 1 else None


def _digest(body: bytes, query: bytes) -> str:
    """Return a digest without times and decimals, which differ from alert to alert of one sender."""
    said = _CHANGING.sub(_kept, body)
    if query:
        said += b"\0?" + _CHANGING.sub(_kept, unquote_to_bytes(query))
    return hashlib.sha256(said).hexdigest()[:32] if body or query else ""


def _kept(match: re.Match[bytes]) -> bytes:
    """Return what remains of something that changes: nothing, or all of a number that is no time."""
    seconds = match["seconds"]
    return match[0] if seconds and int(seconds) not in _UNIX else b""
