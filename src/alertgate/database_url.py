"""DATABASE_URL: an address of PostgreSQL, read strictly and never shown. Pure.

A special character that a password holds as it is, and not percent-encoded, would end the password early: a resolver
would be asked for the rest, and error messages would have it as the host. Such an address is refused. No message
repeats a part of the address, except single characters and words that this module knows.

Source of the form: PostgreSQL's manual, "Connection URIs"; unlike it, `/`, `?` and `#` are refused in a password too.
"""

import difflib
import re
from collections.abc import Iterator
from ipaddress import IPv6Address
from types import MappingProxyType
from urllib.parse import unquote

FORM = "postgresql://user:password@host:5432/name"
SCHEMES = frozenset({"postgres", "postgresql", "postgresql+psycopg"})
ESCAPES = MappingProxyType({"@": "%40", "/": "%2F", "?": "%3F", "#": "%23", "%": "%25"})
"""How characters are written in a user name, a password or a database's name, where they would mean something else."""

_OTHER_DRIVERS = frozenset({"asyncpg", "psycopg2", "psycopg2cffi", "psycopg_async", "pg8000", "pygresql"})
_OTHER_DATABASES = frozenset(
    {"mysql", "mariadb", "mssql", "oracle", "mongodb", "redis", "cockroachdb", "cockroach", "jdbc:postgresql"}
)
_OTHER_LIBRARIES = frozenset(
    {
        *("pgbouncer", "schema", "connection_limit", "pool_timeout", "socket_timeout", "sslaccept", "uselibpqcompat"),
        *("statement_cache_size", "prepared_statement_cache_size", "prepare_threshold", "prepareThreshold", "supa"),
        *("search_path", "currentSchema", "pool_size", "max_overflow", "encoding", "charset", "timezone"),
    }
)
"""Parameters of other libraries that hosting providers' addresses have. They may be named in a message."""
PARAMETERS = frozenset(
    {
        *("host", "hostaddr", "port", "dbname", "user", "password", "passfile", "require_auth", "channel_binding"),
        *(
            "client_encoding",
            "service",
            "connect_timeout",
            "options",
            "application_name",
            "fallback_application_name",
            "gssencmode",
            "krbsrvname",
        ),
        *("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"),
        *("sslmode", "sslnegotiation", "sslcert", "sslkey", "sslpassword", "sslcertmode", "sslrootcert", "sslcrl"),
        *("sslcrldir", "sslsni", "sslcompression", "ssl_min_protocol_version", "ssl_max_protocol_version"),
        *("requirepeer", "gsslib", "gssdelegation", "target_session_attrs", "load_balance_hosts"),
    }
)
"""The parameters of libpq that may follow the `?`. Source: PostgreSQL's manual, "Parameter Key Words"."""
_WORDS = MappingProxyType(
    {
        "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
        "channel_binding": ("disable", "prefer", "require"),
        "client_encoding": ("utf8", "UTF8", "UTF-8"),
        "target_session_attrs": ("any", "read-write", "primary"),
    }
)
"""The values of parameters that have few. A standby takes no writes, so no server is chosen for being one."""

_HOST_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?")
_PLACE = re.compile(r"(?:\[(?P<ipv6>[^\[\]]*)\]|(?P<name>[^:\[\]]*))(?::(?P<port>[^:]*))?")
_SECONDS = re.compile(r"[0-9]{1,2}")
_PLACEHOLDER = re.compile(r"\[.*pass.*\]|<.*>|your[-_a-z]*pass(word)?|change.?me", re.IGNORECASE)


def parse(url: str) -> dict[str, str]:
    """Return the parameters of libpq that an address stands for, such as `host`, `user` and `password`.

    Raises ValueError: what is wrong and how to write it.
    """
    scheme, separator, rest = url.partition("://")
    _check_scheme(scheme.lower() if separator else "")
    _check_characters(rest)
    credentials, at, place = rest.rpartition("@")
    hosts, path, query = _split(place)
    given = dict(_credentials(credentials)) if at else {}
    given |= _hosts(hosts) | _database(path)
    for name, value in _parameters(query):
        if name in given:
            raise ValueError(f"names `{name}` twice: write several hosts as host1:5432,host2:5432 before the name")
        given[name] = value
    _check(given)
    return given


def _check_scheme(scheme: str) -> None:
    if scheme in SCHEMES:
        return
    database, _, driver = scheme.partition("+")
    if database == "sqlite":
        raise ValueError("names SQLite, which needs no address: unset it; the database's file is in DATA_DIR")
    if database in ("postgres", "postgresql") and driver in _OTHER_DRIVERS:
        raise ValueError(f"names the driver {driver}, but alertgate uses psycopg: write {FORM}")
    if database in _OTHER_DATABASES:
        raise ValueError(f"begins with {database}://, but alertgate stores in PostgreSQL: write {FORM}")
    raise ValueError(f"must look like {FORM}; unset it to use SQLite")


def _check_characters(rest: str) -> None:
    """Refuse characters that make it doubtful where the password ends."""
    before, _, _ = rest.rpartition("@")
    if "@" in before:
        raise _unescaped("a second '@'")
    for character in "/?#":
        if character in before:
            raise _unescaped(f"{character!r} before the '@'")
    for character in rest:
        if character.isspace() or not character.isprintable():
            raise _unescaped("a blank or an invisible character")
    if re.search(r"%(?![0-9A-Fa-f]{2})", rest):
        raise _unescaped("'%' without two hexadecimal digits after it")


def _unescaped(what: str) -> ValueError:
    escapes = ", ".join(f"{character} as {escape}" for character, escape in ESCAPES.items())
    return ValueError(
        f"holds {what}: in a user name, a password or a database's name such characters are percent-encoded; write "
        f"{escapes}, and a space as %20"
    )


def _split(place: str) -> tuple[str, str, str]:
    """Return what stands for the hosts, for the database and for the parameters."""
    if "#" in place:
        raise _unescaped("'#' after the host")
    address, _, query = place.partition("?")
    hosts, _, path = address.partition("/")
    if "/" in path:
        raise _unescaped("'/' in the database's name")
    return hosts, path, query


def _credentials(text: str) -> Iterator[tuple[str, str]]:
    user, _, password = text.partition(":")
    if user:
        yield "user", _plain(user)
    if password:
        yield "password", _plain(password)


def _plain(text: str) -> str:
    """Return a text without its percent-encoding."""
    try:
        plain = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ValueError(
            "holds percent-encoded bytes that aren't UTF-8: write the characters as UTF-8, then percent-encode them"
        ) from None
    if "\0" in plain:
        raise ValueError("holds %00, which no part of it can have: remove it")
    return plain


def _hosts(text: str) -> dict[str, str]:
    """Read `host`, `host:port`, `[IPv6]:port`, or several of them, separated by commas."""
    if not text:
        return {}
    hosts, ports = zip(*(_host_and_port(place) for place in text.split(",")), strict=True)
    found = {"host": ",".join(hosts)} if any(hosts) else {}
    return found | ({"port": ",".join(port or "5432" for port in ports)} if any(ports) else {})


def _host_and_port(place: str) -> tuple[str, str]:
    match = _PLACE.fullmatch(place)
    if not match:
        raise ValueError(f"names a host with more than one ':': an IPv6 address is written [::1]; write {FORM}")
    if match["ipv6"] is not None:
        _check_ipv6(host := _plain(match["ipv6"]))
    else:
        host = _plain(match["name"])
    return host, match["port"] or ""


def _check_host(host: str) -> None:
    """Take a name, an IP address, or the directory of a socket."""
    if ":" in host:
        _check_ipv6(host)
    elif host and not host.startswith("/") and not _HOST_NAME.fullmatch(host):
        raise ValueError(f"names a host with a character that a host's name can't have: write {FORM}")


def _check_ipv6(host: str) -> None:
    try:
        IPv6Address(host)
    except ValueError:
        raise ValueError("has a host that isn't a name and no IPv6 address either: write a name, or [::1]") from None


def _check_port(text: str) -> None:
    if not (text.isascii() and text.isdigit() and 0 < int(text[:6]) < 65536):
        raise ValueError(
            f"has something that isn't a port's number after the host's ':': write {FORM}; if that is the password, "
            "the '@' and the host after it are missing"
        )


def _database(path: str) -> dict[str, str]:
    return {"dbname": _plain(path)} if path else {}


def _parameters(query: str) -> Iterator[tuple[str, str]]:
    for number, part in enumerate(query.split("&") if query else [], 1):
        name, separator, value = part.partition("=")
        if name == "ssl" and value == "true":  # as libpq and JDBC have it
            yield "sslmode", "require"
        elif not separator or name not in PARAMETERS:
            raise ValueError(_unknown(name, number))
        elif value:
            yield name, _plain(value)


def _unknown(name: str, number: int) -> str:
    if name in _OTHER_LIBRARIES:
        return (
            f"has the parameter `{name}`, which is another library's: remove it; alertgate needs nothing in its place"
        )
    guesses = difflib.get_close_matches(name, PARAMETERS, n=1)
    meant = f"did you mean `{guesses[0]}`? " if guesses else ""
    return (
        f"has something after the '?' that isn't a parameter of libpq (number {number}): {meant}Write it as "
        "?name=value&name=value, such as ?sslmode=require"
    )


def _check(given: dict[str, str]) -> None:
    """Check the parameters, wherever in the address each of them stands."""
    for host in [*given.get("host", "").split(","), *given.get("hostaddr", "").split(",")]:
        _check_host(host)
    for port in filter(None, given.get("port", "").split(",")):
        _check_port(port)
    for name, words in _WORDS.items():
        if given.get(name, words[0]) not in words:
            raise ValueError(f"has a `{name}` that alertgate can't use: write one of {', '.join(words)}")
    if not _SECONDS.fullmatch(given.get("connect_timeout", "5")):
        raise ValueError("has a `connect_timeout` that isn't a number of seconds: write one from 0 to 99")
    if given.keys() & {"port", "password"} and "user" not in given:
        raise ValueError(
            f"names no user, but a port or a password: write {FORM}; if what stands before the '/' are a user and a "
            "password, the '@' and the host are missing"
        )
    if _PLACEHOLDER.fullmatch(given.get("password", "")):
        raise ValueError("has the placeholder of a template as its password: put the real one there")


def place(given: dict[str, str]) -> str:
    """Return which database an address names, without user and password."""
    if "service" in given and not given.keys() & {"host", "dbname"}:
        return f"the service {given['service']} of libpq"
    hosts, ports = (given.get(name, "").split(",") for name in ("host", "port"))
    ports = ports * len(hosts) if len(ports) == 1 else ports
    named = [f"{host}:{port}" if port else host for host, port in zip(hosts, ports, strict=False)]
    return f"{given.get('dbname', given.get('user', ''))} at {', '.join(named) or 'this machine'}"
