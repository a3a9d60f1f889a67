"""Settings that are lists: recipients, device names, severities by event, and networks. Pure.

Each form that people write by mistake is answered with the right one. Addresses are shown masked.
"""

import json
import re
from ipaddress import ip_network

from alertgate.addresses import check_address
from alertgate.model import Severity

DEVICE_ID = re.compile(r"[0-9a-f]{24}", re.IGNORECASE)
_PHONE = re.compile(r"\+?[\d\s()./-]{6,}", re.ASCII)
_SEVERITIES = frozenset(Severity.__members__.values())
OTHER_IDS = frozenset({12, 16, 24, 32, 40})
"""Hexadecimal digits of ids that are whole: of network cards, sensors, Particle's devices, and of UUIDs and hashes."""
SHORTEST_NEAR = 6
"""Hexadecimal digits that may be the beginning of an id; fewer are somebody's own name for a device."""
TWO_ADDRESSES = "write them comma-separated, as one@example.org,two@example.org"


def split(value: object) -> object:
    """Return the parts of a comma-separated text."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def checked_addresses(value: tuple[str, ...]) -> tuple[str, ...]:
    """Return addresses without repeats. Raises ValueError."""
    for number, address in enumerate(value, 1):
        _check_form(address, f" in entry {number}" if len(value) > 1 else "")
        check_address(address)
    return tuple(dict.fromkeys(value))


def _check_form(address: str, where: str) -> None:
    """Raise ValueError for several addresses that no comma separates, and for a phone number, of which two digits show.

    `where` says which entry of the list it is.
    """
    if ";" in address:
        raise ValueError(f"has ';' between addresses{where}: {TWO_ADDRESSES}")
    words = address.split()
    if len(words) > 1 and "<" not in address and all("@" in word for word in words):
        raise ValueError(f"has a blank between addresses{where}: {TWO_ADDRESSES}")
    if _PHONE.fullmatch(address):
        raise ValueError(
            f"has a phone number without a gateway{where} (***{address.rstrip(' ()./-')[-2:]}): write "
            "number@gateway, because text messages go by mail, by the gateway of the phone's provider or of an SMS "
            "service (docs/text-messages.md)"
        )


def device_names(value: object) -> object:
    """Read `id=name,id=name` or a JSON object. Raises ValueError."""
    if not isinstance(value, str):
        return value
    names = dict(_pairs(value, "id=name, such as 3f002b000000000000000000=Front door"))
    for device, name in names.items():
        if DEVICE_ID.fullmatch(name) and not DEVICE_ID.fullmatch(device):
            raise ValueError(f"has {device!r} the wrong way round: the id comes first: write {name}={device}")
        if not device or not name:
            raise ValueError(f"has '{device}={name}', where one side is missing: write id=name")
    return {device.lower(): name for device, name in names.items()}


def is_nearly_an_id(device: str) -> bool:
    """Return whether a name, in lower case, is meant to be the id of a Particle device and isn't.

    Other senders name their devices as they like, also by the hexadecimal numbers of network cards and UUIDs.
    """
    bare = re.sub(r"[\s:._-]", "", device)
    digits = sum(character in "0123456789abcdef" for character in bare)
    if bare != device:
        return DEVICE_ID.fullmatch(bare) is not None
    if digits == len(bare):
        return len(bare) >= SHORTEST_NEAR and len(bare) not in OTHER_IDS and not bare.isalpha()
    return bare.isalnum() and abs(len(bare) - 24) <= 2 and digits >= 20


def doubtful_device(device: str) -> str | None:
    """Return why a device's name may never be shown, if its id is nearly one of Particle's; else None."""
    if not is_nearly_an_id(device):
        return None
    return (
        f"has {device!r}, which isn't the id of a Particle device: that is 24 of the characters 0-9 and a-f, and this "
        f"is {len(device)} characters. Messages show no name for a device whose id differs: copy it from Particle's "
        "console"
    )


def severities(value: object) -> object:
    """Read `event=severity,event=severity` or a JSON object. Raises ValueError."""
    if not isinstance(value, str):
        return value
    return tuple(_rule(event, word) for event, word in _pairs(value, "event=severity, such as alarm/*=critical"))


def _rule(event: str, word: str) -> tuple[str, Severity]:
    if word.lower() in _SEVERITIES:
        return event, Severity(word.lower())
    if event.lower() in _SEVERITIES:
        raise ValueError(
            f"has '{event}={word}' the wrong way round: the event comes first: write {word}={event.lower()}"
        )
    forms = [f"{event}={severity}" for severity in Severity]
    raise ValueError(f"has {word!r}, which is no severity: write {', '.join(forms[:-1])} or {forms[-1]}")


def _pairs(text: str, form: str) -> list[tuple[str, str]]:
    """Read `name=value,name=value`, or a JSON object. `form` is what a pair looks like. Raises ValueError."""
    if text.lstrip().startswith("{"):
        try:
            parsed = json.loads(text)
        except ValueError as error:
            raise ValueError(f"is not a JSON object ({error}): write {form}, comma-separated") from None
        return [(str(name).strip(), str(value).strip()) for name, value in parsed.items()]
    parts = [part.strip() for part in text.split(",") if part.strip()]
    for part in parts:
        if "=" not in part:
            raise ValueError(f"{part!r} has no '=': write {form}, comma-separated")
        if re.search(r";[^;=]*=", part):
            raise ValueError(f"has ';' between pairs: write {form}, comma-separated")
    return [(name.strip(), value.strip()) for name, _, value in (part.partition("=") for part in parts)]


def checked_networks(value: tuple[str, ...]) -> tuple[str, ...]:
    """Return addresses and networks. Raises ValueError."""
    for network in value:
        if network == "*":
            raise ValueError("'*' would let any caller forge its address; name the proxy's address or network")
        try:
            ip_network(network, strict=False)
        except ValueError:
            raise ValueError(
                f"{network!r} is not an address or a network; write some like 127.0.0.1,172.30.80.0/24"
            ) from None
    return value
