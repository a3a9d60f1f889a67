"""The version of the database's schema, and its migration to the newest one."""

from sqlalchemy import Connection, Engine, inspect, text

from alertgate.errors import StoreTooNew
from alertgate.store.errors import translated

VERSIONS = ("0001", "0002", "0003", "0004", "0005", "0006")
"""Every version of the schema, as the migrations name them; the newest last."""
MIGRATE_LOCK = 0x616C657275
"""The advisory lock that lets one process at a time migrate on PostgreSQL."""
WRITE_LOCK = 0x616C657274
"""The advisory lock that gives PostgreSQL one writer at a time, as SQLite has."""


def migrate(engine: Engine) -> None:
    """Bring the schema to the newest version, one process at a time. Raises StoreTooNew, StoreUnavailable."""
    with translated(), engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATE_LOCK})
        if not is_newest(connection):
            if engine.dialect.name == "postgresql":  # other replicas may still write: wait for them, not in a deadlock
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": WRITE_LOCK})
                connection.execute(text("SET LOCAL statement_timeout = 0"))  # an index of a large table takes minutes
            _upgrade(connection)


def is_newest(connection: Connection) -> bool:
    """Tell whether the schema has the newest version. Raises StoreTooNew."""
    return _revision(connection) == VERSIONS[-1]


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
