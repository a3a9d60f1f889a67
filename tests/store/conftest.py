"""The store's tests run a third time: through a real connection pooler."""

from collections.abc import Iterator
from typing import Any

import pytest
from torture.pgbouncer import PgBouncer, pgbouncer

from tests.conftest import count_run, needs_pgbouncer


@pytest.fixture(scope="session")
def pooler(postgres_url: str) -> Iterator[PgBouncer]:
    """A PgBouncer with few connections in transaction mode, for the whole run."""
    with pgbouncer(postgres_url, default_pool_size=3) as running:
        yield running


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.postgres),
        pytest.param("pgbouncer", marks=[pytest.mark.postgres, needs_pgbouncer]),
    ]
)
def database(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Settings for each of the two databases, and for PostgreSQL through a pooler."""
    count_run(request, request.param)
    if request.param == "sqlite":
        return {}
    direct = request.getfixturevalue("postgres_database")
    if request.param == "postgresql":
        return {"database_url": direct}
    return {"database_url": request.getfixturevalue("pooler").url(direct)}
