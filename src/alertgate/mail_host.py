"""The name of the mail server: a host and nothing else. What is pasted with it is named with its right place. Pure."""

import re
from ipaddress import IPv6Address, ip_address

_SCHEME = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<rest>.*)", re.IGNORECASE)
_WITH_PORT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^:\[\]]+):(?P<port>\d{1,5})")
_LABEL = re.compile(r"[^\W_](?:[\w-]{0,61}\w)?")
"""A part of a name. Containers have names with underscores."""
LONGEST = 253
"""Characters of a name (RFC 1035, 2.3.4, as text)."""


def check_mail_host(value: str) -> str:
    """Return a host name or address, without blanks around it, brackets, or the final dot of a full name.

    Raises ValueError, which says what to write instead.
    """
    host = value.strip()
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host.removesuffix(".")
    if is_host(host):
        return host
    raise ValueError(f"{_wrong(value)}: {_instead(value)}")


def is_host(value: str) -> bool:
    """Return whether a value is the name or the address of a host."""
    labels = value.split(".")
    is_name = len(value) <= LONGEST and all(map(_LABEL.fullmatch, labels)) and not labels[-1].isdigit()
    return is_name or _is_address(value)


def _is_address(value: str) -> bool:
    try:
        ip_address(value)
    except ValueError:
        return False
    return True


def _wrong(value: str) -> str:
    if _SCHEME.fullmatch(value):
        return "holds a web address, and not the name of a host"
    if "@" in value:
        return "holds a mail address, and not the name of a host"
    if _WITH_PORT.fullmatch(value.strip("/")):
        return "holds a port"
    return "is not the name of a host"


def _instead(value: str) -> str:
    """Return the settings that say the same, or an example if the host can't be made out."""
    scheme = _SCHEME.fullmatch(value)
    kind = scheme["scheme"].lower() if scheme else ""
    bare = (scheme["rest"] if scheme else value).partition("/")[0].rpartition("@")[2]
    with_port = _WITH_PORT.fullmatch(bare)
    host = (with_port["host"] if with_port else bare).strip("[]").rstrip(".")
    if not is_host(host) or ("@" in value and not scheme):
        return "write one like SMTP_HOST=smtp.example.org"
    port = f", SMTP_PORT={with_port['port']}" if with_port and not kind.startswith("http") else ""
    security = ", SMTP_SECURITY=tls" if kind in {"smtps", "ssl", "tls"} else ""
    return f"write SMTP_HOST={_plain(host)}{port}{security}"


def _plain(host: str) -> str:
    """Return a host, an IPv6 address in its usual form."""
    try:
        return str(IPv6Address(host))
    except ValueError:
        return host
