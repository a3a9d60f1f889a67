"""The engines of PostgreSQL, direct or through a connection pooler such as PgBouncer.

In a pooler's transaction mode each transaction may run in another of the server's sessions. So nothing is set or
prepared for a session: startup `options` are refused by PgBouncer, a `SET` would reach other clients, and a prepared
statement may be missing from the next session. Each transaction sets what it needs by `SET LOCAL`, in the message that
begins it (docs/adr/0017).
"""

from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import NoSuchModuleError

from alertgate import database_url
from alertgate.errors import ConfigError

_SETTINGS = (
    "synchronous_commit = on",  # a commit is on disk when it returns
    "lock_timeout = '8s'",
    "statement_timeout = '30s'",
)
_WRITING = (
    "BEGIN ISOLATION LEVEL READ COMMITTED",
    *(f"SET LOCAL {setting}" for setting in _SETTINGS),
    # A replica that freezes inside a transaction holds the write lock. The server ends its session before the
    # lock_timeout of the others.
    "SET LOCAL idle_in_transaction_session_timeout = '5s'",
    # A plan that was prepared while a table was empty scans it, and still does when it has grown.
    "SET LOCAL enable_seqscan = off",
)
_READING = (
    "BEGIN ISOLATION LEVEL REPEATABLE READ",  # one snapshot for a whole read
    *(f"SET LOCAL {setting}" for setting in _SETTINGS),
    # A reader holds up nobody; but its snapshot keeps the server from tidying up.
    "SET LOCAL idle_in_transaction_session_timeout = '30s'",
)
_CONNECTION = {
    "connect_timeout": "5",
    "application_name": "alertgate",
    # Notices in seconds, not hours, that the server has vanished.
    "tcp_user_timeout": "10000",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
}
_NO_DRIVER = (
    "DATABASE_URL names PostgreSQL, but its driver psycopg isn't installed: run `.venv/bin/pip install "
    "--require-hashes -r requirements/postgres.txt`, or unset DATABASE_URL to use SQLite"
)


def postgresql_engine(url: str, *, writing: bool, connections: int = 1) -> Engine:
    """Return an engine for the writer or for readers; it connects when first used. Raises ConfigError."""
    try:
        engine = create_engine(
            "postgresql+psycopg://",  # the address isn't in it, so that nothing that shows an engine shows a password
            pool_size=connections,
            max_overflow=0,
            hide_parameters=True,  # errors would show the content of alerts
            isolation_level="AUTOCOMMIT",  # `_begin` begins transactions itself, with their settings
            pool_pre_ping=True,
            use_native_hstore=False,
            connect_args=_CONNECTION | database_url.parse(url),
        )
    except (ImportError, NoSuchModuleError):
        raise ConfigError([_NO_DRIVER]) from None
    begin = "; ".join(_WRITING if writing else _READING)

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _: Any) -> None:
        if is_pooled(connection):
            connection.prepare_threshold = None

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def is_pooled(connection: Any) -> bool:
    """Tell whether a pooler stands between a psycopg connection and the server.

    At login the server tells its process's id. A pooler logs in by itself, and tells its clients other numbers.
    """
    (server_process,) = connection.execute("SELECT pg_backend_pid()").fetchone()
    return bool(connection.info.backend_pid != server_process)


def through_pooler(connection: Connection) -> str:
    """Return words to follow the name of a database: an open connection leads through a pooler, or nothing."""
    return " through a connection pooler" if is_pooled(connection.connection.driver_connection) else ""
