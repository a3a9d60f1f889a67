"""The version of the database's schema, and its migration to the newest one."""

from sqlalchemy import Connection, Engine, inspect, text

from alertgate.errors import StoreMissing, StoreOutdated, StoreTooNew
from alertgate.store.errors import translated

VERSIONS = (
    "0001",
    "0002",
    "0003",
    "0004",
    "0005",
    "0006",
    "0007",
    "0008",
    "0009",
    "0010",
    "0011",
    "0012",
    "0013",
    "0014",
    "0015",
    "0016",
)
"""Every version of the schema, as the migrations name them; the newest last."""
MIGRATE_LOCK = 0x616C657275
"""The advisory lock that lets one process at a time migrate on PostgreSQL."""
WRITE_LOCK = 0x616C657274
"""The advisory lock that gives PostgreSQL one writer at a time, as SQLite has."""


def migrate(engine: Engine) -> None:
    """Bring the schema to the newest version, one process at a time. Raises StoreTooNew, StoreUnavailable."""
    with translated(), engine.begin() as connection:
        is_postgresql = engine.dialect.name == "postgresql"
        if is_postgresql:
            _wait_for_others(connection)
        if not is_newest(connection):
            if is_postgresql:  # other replicas may still write: wait for them, not in a deadlock
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": WRITE_LOCK})
            _upgrade(connection)


def _wait_for_others(connection: Connection) -> None:
    """Wait for another replica's migration, and let ours take its time: an index of a large table takes minutes.

    Between two statements too: rows are turned into others here, and a small machine loads alembic for seconds.
    """
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = '10min'"))
    limit = connection.execute(text("SHOW lock_timeout")).scalar_one()
    connection.execute(text("SET LOCAL lock_timeout = 0"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATE_LOCK})
    connection.execute(text("SELECT set_config('lock_timeout', :limit, true)"), {"limit": limit})


def is_newest(connection: Connection) -> bool:
    """Tell whether the schema has the newest version. Raises StoreTooNew."""
    return _revision(connection) == VERSIONS[-1]


def require_newest(connection: Connection, name: str) -> None:
    """Raise StoreMissing if a database isn't alertgate's, StoreOutdated if its schema is older, else StoreTooNew."""
    present = _revision(connection)
    if present is None:
        raise StoreMissing(f"{name} holds no tables of alertgate, and none were made.")
    if present != VERSIONS[-1]:
        raise StoreOutdated(
            f"{name} has the schema {present}, and this alertgate needs {VERSIONS[-1]}: start the service with this "
            "version, or run `alertgate migrate`; make a backup first."
        )


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415  (a start without a migration is faster)
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", "alertgate:store/migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    """Return the schema's version, or None for an empty database. Raises StoreTooNew for an unknown version."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    present: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if present and present not in VERSIONS:
        raise StoreTooNew(
            f"The database's schema is {present}, which this alertgate doesn't know: a newer one wrote it. "
            "Start that version again, or restore a backup made before the update."
        )
    return present
