"""A backup has its name only once it was opened and counted, and a failed one leaves nothing."""

import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from alertgate.errors import StoreError, StoreMissing, StoreUnavailable
from alertgate.store.backup import _verify, back_up
from tests.conftest import copy_template


@pytest.fixture
def source(make_settings) -> Path:
    """The file of an empty service."""
    settings = make_settings()
    copy_template(settings)
    assert settings.sqlite_file
    return settings.sqlite_file


@pytest.fixture
def place(tmp_path) -> Path:
    """An empty directory for copies."""
    (tmp_path / "copies").mkdir()
    return tmp_path / "copies"


def names(place: Path) -> set[str]:
    """Return the names in a directory."""
    return {path.name for path in place.iterdir()}


def test_what_a_killed_backup_left_is_in_nobodys_way(source, place):
    """Containers give the same process ids again and again; neither does the next one take another's file away."""
    left = {f".copy.db.{number}.partial" for number in (1, 7, os.getpid())}
    for name in left:
        (place / name).touch()
    assert back_up(source, place / "copy.db")["alembic_version"] == 1
    assert names(place) == {*left, "copy.db"}


def test_backups_at_the_same_time_do_not_meet(source, place):
    """Each is whole, with whatever name."""
    targets = [place / f"{number}.db" for number in range(4)]
    with ThreadPoolExecutor() as threads:
        counts = list(threads.map(lambda target: back_up(source, target), targets))
    assert (len({str(count) for count in counts}), names(place)) == (1, {target.name for target in targets})


def test_a_failed_backup_leaves_nothing_and_another_file_alone(source, place):
    """Whatever was there before stays as it was."""
    (place / "copy.db").write_text("precious")
    (place / "no.db").write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError, match=r"already exists; nothing was written"):
        back_up(source, place / "copy.db")
    with pytest.raises(StoreUnavailable, match=r"file is not a database\. No copy was made"):
        back_up(place / "no.db", place / "other.db")
    with closing(sqlite3.connect(place / "empty.db")) as empty:
        empty.execute("CREATE TABLE notes (text)")
    with pytest.raises(StoreMissing, match="isn't a database of alertgate"):
        back_up(place / "empty.db", place / "other.db")
    assert names(place) == {"copy.db", "no.db", "empty.db"}
    assert (place / "copy.db").read_text() == "precious"


def test_a_copy_is_counted_against_the_original(source, place):
    """One row less in one table, and it is no backup."""
    rows = dict(back_up(source, place / "copy.db"))
    _verify(place / "copy.db", rows)
    with pytest.raises(StoreError, match=r"The copy lacks rows of alerts, so it was removed"):
        _verify(place / "copy.db", rows | {"alerts": rows["alerts"] + 1})
    with pytest.raises(StoreError, match="lacks rows of another"):
        _verify(place / "copy.db", rows | {"another": 0})


def test_a_copy_is_for_its_owner_alone(source, place):
    """It holds what people were told."""
    back_up(source, place / "copy.db")
    assert (place / "copy.db").stat().st_mode & 0o777 == 0o600
