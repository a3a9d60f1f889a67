"""A page is out of date as soon as somebody has changed what it shows, in whichever process."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from alertgate.model import Severity
from alertgate.store import changes, sessions
from alertgate.store.device_tables import watch
from alertgate.store.engine import Store
from alertgate.store.session_tables import sessions as table
from alertgate.store.tables import metadata, silences, write_probe
from alertgate.topic import Topic
from tests.conftest import copy_template
from tests.fakes import START
from tests.web.console.test_hub import session

NEW_SILENCE = {
    "id": "silence",
    "begins_at": START,
    "ends_at": START + timedelta(hours=1),
    "author": "Ada",
    "credential": "api",
    "created_at": START,
    "min_severity": Severity.INFO,
}


@pytest.fixture
def other(make_settings, database, store: Store):
    """The same database in another process; `store` is the service's."""
    del store
    settings = make_settings(**database)
    copy_template(settings)
    opened = Store(settings)
    opened.open_existing()
    yield opened
    opened.close()


async def changed(store: Store, act) -> list[str]:
    """Return the topics that an act changed, as `store` sees it."""
    before = await store.marks()
    await act()
    after = await store.marks()
    assert set(after) == set(Topic)
    return sorted(topic for topic in Topic if before[topic] != after[topic])


def silence(connection):
    """Add a silence."""
    connection.execute(silences.insert(), NEW_SILENCE)


async def test_what_is_written_changes_the_topics_of_its_table(store: Store):
    """A silence holds incidents back, so these change too."""
    assert await changed(store, lambda: store.write(silence)) == ["incidents", "silences"]
    add = lambda connection: sessions.add(connection, session())  # noqa: E731
    assert await changed(store, lambda: store.write(add)) == ["sessions"]


async def test_what_changes_nothing_that_is_shown_changes_no_topic(store: Store):
    """An update of no row, a probe, a lease, and what is rolled back."""

    async def everything():
        await store.write(lambda connection: connection.execute(update(table).values(name="x")).rowcount)
        await store.write(
            lambda connection: connection.execute(update(silences).values(note="x").returning(silences.c.id)).all()
        )
        await store.write(lambda connection: connection.execute(write_probe.insert(), {"id": 77, "at": START}).rowcount)
        await store.write(lambda connection: connection.execute(watch.insert(), {"id": "x"}).rowcount)

        def failing(connection):
            silence(connection)
            raise LookupError

        with pytest.raises(LookupError):
            await store.write(failing)

    assert await changed(store, everything) == []


async def test_what_another_process_writes_is_seen(store: Store, other: Store):
    """A command that adds a silence while the service runs; and the other way round."""

    async def command():
        await other.write(silence)

    seen = await changed(store, command)
    assert {"silences", "incidents"} <= set(seen)
    assert seen == (["incidents", "silences"] if store.dialect == "postgresql" else sorted(Topic))
    remove = update(silences).values(removed_at=START)
    assert "silences" in await changed(
        other, lambda: store.write(lambda connection: connection.execute(remove).rowcount)
    )


def test_every_table_that_is_shown_has_topics():
    """A new table is either about something, or is named here as one that nobody sees."""
    unseen = {"polls", "write_probe", "watch", "changes"}
    assert set(changes.TOPICS) | unseen == set(metadata.tables)
    assert set(changes.TOPICS) & unseen == set()
