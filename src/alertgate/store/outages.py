"""Why PostgreSQL can't be used, recognised by its words or those of a connection pooler, and what to do about it. Pure.

An error of a login that fails has no SQLSTATE in psycopg, so those are recognised by their (English) words.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Outage(StrEnum):
    """Why PostgreSQL can't be used, as /health says it to anyone: without a name or an address."""

    POOLER = "the connection pooler can't reach it"
    """The pooler answers, but its own connections to the server fail; its log says why."""
    POOL_FULL = "the connection pooler has no free connection"
    STARTUP = "the connection pooler refuses a parameter"
    POOL_MODE = "the connection pooler allows no transactions"
    PREPARED = "the connection pooler lost a prepared statement"
    ACCESS = "it takes no logins from here"
    LOGIN = "it refuses the login"
    NO_DATABASE = "there is no such database"
    TOO_MANY = "it has no free connection"
    NO_TLS = "it offers no TLS"
    CERTIFICATE = "its certificate isn't trusted"
    NO_HOST = "its host's name can't be resolved"
    CLOSED = "nothing listens at its address"
    SILENT = "its host doesn't answer"
    STARTING = "it is starting or stopping"
    STANDBY = "it takes no writes"
    FULL = "its disk is full"
    RIGHTS = "its user lacks a right"
    LOCKED = "another session holds a lock"
    SLOW = "a statement took too long"
    LOST = "the connection was lost"


REMEDIES: Mapping[Outage, str] = MappingProxyType(
    {
        Outage.POOLER: "Its log says why it can't log in to PostgreSQL; alertgate tries again by itself.",
        Outage.POOL_FULL: "Each alertgate uses up to five connections: raise the pooler's limits (max_client_conn, "
        "default_pool_size), or end other clients.",
        Outage.STARTUP: "Remove `options` and the like from DATABASE_URL and PGOPTIONS; alertgate needs none.",
        Outage.POOL_MODE: "Set pool_mode to transaction or session.",
        Outage.PREPARED: "Set pool_mode to session, and report this: alertgate didn't notice the pooler.",
        Outage.ACCESS: "Add this host to pg_hba.conf; if the server wants TLS, add ?sslmode=require to DATABASE_URL.",
        Outage.LOGIN: "Correct the user and the password in DATABASE_URL; the password's special characters are "
        "percent-encoded there.",
        Outage.NO_DATABASE: "Create it, or correct the name in DATABASE_URL.",
        Outage.TOO_MANY: "Each alertgate uses up to five connections: raise max_connections or the user's limit, end "
        "other clients, or put a pooler in between.",
        Outage.NO_TLS: "Switch TLS on at the server or the pooler; only in a network that nobody else can reach, set "
        "sslmode=disable in DATABASE_URL.",
        Outage.CERTIFICATE: "Name the file of its authority by sslrootcert in DATABASE_URL, and the host as its "
        "certificate does.",
        Outage.NO_HOST: "Correct the host in DATABASE_URL, or this machine's DNS.",
        Outage.CLOSED: "Start PostgreSQL or the pooler, or correct the host and the port in DATABASE_URL.",
        Outage.SILENT: "Check the host in DATABASE_URL, the network and its firewalls; behind a pooler, whether "
        "that reaches PostgreSQL.",
        Outage.STARTING: "alertgate tries again by itself.",
        Outage.STANDBY: "It is a standby, or its provider made it read-only: name the primary in DATABASE_URL, or add "
        "?target_session_attrs=read-write.",
        Outage.FULL: "Free or add space there.",
        Outage.RIGHTS: "Make the user of DATABASE_URL the owner of its database.",
        Outage.LOCKED: "It may be a migration, a backup or a session that hangs; alertgate tries again by itself.",
        Outage.SLOW: "The server is overloaded, or waits for its disk; alertgate tries again by itself.",
        Outage.LOST: "alertgate connects again by itself.",
    }
)

_WORDS: tuple[tuple[Outage, str], ...] = (
    (
        Outage.POOLER,
        (
            "server login has been failing|cannot connect to server|server conn crashed|server_login_retry"
            "|server_connect_timeout|bouncer config error|bouncer is shutting down|database removed"
            "|database does not allow connections"
        ),
    ),
    (Outage.POOL_FULL, "no more connections allowed|query_wait_timeout|max clients|max client connections"),
    (Outage.STARTUP, "unsupported startup parameter"),
    (Outage.POOL_MODE, "transaction blocks not allowed in statement pooling mode|long transactions not allowed"),
    (Outage.TOO_MANY, "too many connections|too many clients|remaining connection slots"),
    (Outage.ACCESS, "no pg_hba.conf entry|pg_hba.conf rejects|(?:SSL|TLS)(?: connection)?(?: is)? required$"),
    (
        Outage.LOGIN,
        (
            "authentication failed|auth failed|no password supplied|no such user|wrong password|not permitted to log in"
            r"|role \S* does not exist|tenant or user not found|password is required"
        ),
    ),
    (Outage.NO_DATABASE, r"database \S* does not exist|no such database"),
    (Outage.NO_TLS, "does not support SSL|does not support TLS"),
    (Outage.CERTIFICATE, "certificate|SSL error"),
    (Outage.NO_HOST, "failed to resolve host|could not translate host name"),
    (Outage.CLOSED, "connection refused|no such file or directory"),
    (Outage.SILENT, "timeout expired|no route to host|network is unreachable|connection timed out"),
    (Outage.STARTING, "is starting up|is shutting down|in recovery mode|not yet accepting"),
    (Outage.STANDBY, "read-only transaction|session is read-only|in hot standby"),
    (Outage.LOST, "closed the connection|connection is lost|connection is closed|connection reset|broken pipe"),
)
"""How errors without a SQLSTATE are recognised, and those whose SQLSTATE says little: a pooler's are all 08P01.

The first that matches counts. Sources: messages of libpq 18, PostgreSQL 18, PgBouncer 1.24 and Supavisor.
"""
_PATTERNS = tuple((outage, re.compile(words, re.IGNORECASE)) for outage, words in _WORDS)
_STATES: Mapping[str, Outage] = MappingProxyType(
    {
        "26000": Outage.PREPARED,
        "42P05": Outage.PREPARED,
        "53300": Outage.TOO_MANY,
        "28P01": Outage.LOGIN,
        "28000": Outage.LOGIN,
        "3D000": Outage.NO_DATABASE,
        "57P01": Outage.STARTING,
        "57P02": Outage.STARTING,
        "57P03": Outage.STARTING,
        "25006": Outage.STANDBY,
        "53100": Outage.FULL,
        "42501": Outage.RIGHTS,
        "55P03": Outage.LOCKED,
        "57014": Outage.SLOW,
        "25P03": Outage.LOST,
        "57P05": Outage.LOST,
    }
)
"""Source: PostgreSQL's manual, appendix A."""


def recognise(words: str, state: str | None) -> Outage | None:
    """Return what an error with these words and this SQLSTATE is about, or None if that isn't known."""
    for outage, pattern in _PATTERNS:
        if pattern.search(words):
            return outage
    return _STATES.get(state or "")
