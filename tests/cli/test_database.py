"""Which database a command looks at, and that none is made or changed by looking."""

import asyncio
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing

import alembic.command
import pytest
from sqlalchemy import create_engine, make_url, text

from tests.cli.test_cli import GOOD, alertgate, which
from tests.conftest import copy_template, serving
from tests.flow.process import process
from tests.store.test_migrations import connected, migrate

NOWHERE = "01890000-0000-7000-8000-000000000000"
OPENING = {
    "explain": ["explain", NOWHERE],
    "retry": ["retry", NOWHERE],
    "retry --all": ["retry", "--all"],
    "backup": ["backup", "copy.db"],
    "policy forget": ["policy", "forget"],
    "send-test": ["send-test"],
}


@pytest.mark.parametrize("command", OPENING.values(), ids=OPENING)
async def test_a_command_in_another_directory_makes_nothing_and_says_where_it_looked(tmp_path, command):
    """As a cron job runs it, without the service's .env: the exit code is 1."""
    done = await alertgate(*command, cwd=tmp_path, env=GOOD)
    assert (done.returncode, done.stdout) == (1, "")
    missing = f"at {tmp_path}/data" if command == ["send-test"] else f"at {tmp_path}/data/alertgate.db"
    assert f"{missing}, and none was made. There is no {tmp_path}/.env. Run this in the directory of" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["explain", "retry --all", "backup", "policy forget", "send-test"])
async def test_a_command_finds_the_services_database_from_anywhere(tmp_path, make_settings, command):
    """By --env-file: what stands in it is relative to it, and so are the defaults."""
    home, elsewhere = tmp_path, tmp_path / "elsewhere"
    elsewhere.mkdir()
    (home / "gate.env").write_text("TIMEZONE=UTC\n")
    async with serving(make_settings()) as service:
        alert_id = (await service.particle()).json()["id"]
        arguments = [alert_id if part == NOWHERE else part for part in OPENING[command]]
        done = await alertgate(*arguments, "--env-file", str(home / "gate.env"), cwd=elsewhere)
    assert done.returncode == 0, done.stderr
    if command != "send-test":
        assert done.stderr == f"Database: {home}/data/alertgate.db\n"
    assert {path.name for path in elsewhere.iterdir()} <= {"copy.db"}


async def test_check_makes_nothing(tmp_path):
    """Before the first start it says where the database will be."""
    done = await alertgate("check", "--offline", cwd=tmp_path, env=GOOD)
    assert f"ok    store: {tmp_path}/data/alertgate.db doesn't exist yet" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [OPENING["explain"], OPENING["retry --all"]], ids=["explain", "retry --all"])
async def test_a_database_without_alerts_gives_no_all_clear(tmp_path, make_settings, database, command):
    """It is a fresh one or the wrong one: "never stored" and "nothing has failed" would be true of neither."""
    settings = make_settings(**database)
    copy_template(settings)
    env = {**GOOD, "DATA_DIR": str(settings.data_dir), **{name.upper(): url for name, url in database.items()}}
    done = await alertgate(*command, cwd=tmp_path, env=env)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"Database: {which(env)}\n" in done.stderr
    assert "this database holds no alerts at all. Is it the service's?" in done.stderr
    assert "never" not in done.stderr


@pytest.mark.postgres
@pytest.mark.parametrize("command", [["explain", NOWHERE], ["retry", "--all"], ["policy", "forget"]], ids=" ".join)
async def test_an_empty_postgresql_database_stays_empty(tmp_path, postgres_database, command):
    """The command names it without its user and password, and makes no tables there."""
    engine = create_engine(postgres_database)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    url = make_url(postgres_database).set(password="hunter2").render_as_string(hide_password=False)
    done = await alertgate(*command, cwd=tmp_path, env={**GOOD, "DATABASE_URL": url})
    name = which({"DATABASE_URL": url})
    assert done.returncode == 1
    assert f"Database: {name}\n{name} holds no tables of alertgate, and none were made." in done.stderr
    assert "hunter2" not in done.stderr
    with engine.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")).scalar() == 0
    engine.dispose()


async def test_a_file_of_another_program_is_left_alone(tmp_path):
    """An SQLite database without alertgate's tables, and a file that is none."""
    (tmp_path / "data").mkdir()
    file = tmp_path / "data" / "alertgate.db"
    with closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE notes (text)")
    for arguments in (OPENING["explain"], OPENING["retry --all"], OPENING["policy forget"], OPENING["backup"]):
        done = await alertgate(*arguments, cwd=tmp_path, env=GOOD)
        assert (done.returncode, done.stdout) == (1, "")
        assert "holds no tables of alertgate" in done.stderr or "isn't a database of alertgate" in done.stderr
    with closing(sqlite3.connect(file)) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("notes",)]
    file.write_bytes(b"not a database" * 1000)
    done = await alertgate("backup", "copy.db", cwd=tmp_path, env=GOOD)
    assert (done.returncode, "file is not a database" in done.stderr) == (1, True)
    assert {path.name for path in tmp_path.iterdir()} == {"data"}


async def test_an_older_schema_is_migrated_by_serve_and_migrate_alone(tmp_path, make_settings):
    """The others say so, and a backup copies it as it is."""
    settings = make_settings()
    copy_template(settings)
    with connected(settings, {}) as connection:
        migrate(connection, alembic.command.downgrade, "0004")
    for arguments in (OPENING["explain"], OPENING["retry --all"], OPENING["policy forget"]):
        done = await alertgate(*arguments, cwd=tmp_path, env=GOOD)
        assert done.returncode == 1
        assert "has the schema 0004, and this alertgate needs " in done.stderr
    done = await alertgate("backup", "copy.db", cwd=tmp_path, env=GOOD)
    assert done.returncode == 0, done.stderr
    for file in (settings.sqlite_file, tmp_path / "copy.db"):
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("0004",)]
    assert (await alertgate("migrate", cwd=tmp_path, env=GOOD)).returncode == 0
    assert (await alertgate("policy", "forget", cwd=tmp_path, env=GOOD)).returncode == 0


async def test_a_backup_of_a_busy_service_has_all_that_was_answered(tmp_path):
    """Alerts come in while it is written; its rows are counted, and it has at least those that came before."""
    async with process(tmp_path) as running:
        bearer = {"Authorization": f"Bearer {GOOD['PARTICLE_WEBHOOK_SECRET']}"}

        async def send(number: int) -> None:
            body = {"event": "e", "data": str(number), "coreid": "d"}
            assert (await running.client.post("/webhook/particle", json=body, headers=bearer)).status_code == 202

        for number in range(50):
            await send(number)

        async def go_on() -> None:
            for number in range(50, 100_000):
                await send(number)

        busy = asyncio.create_task(go_on())
        done = await alertgate("backup", "copy.db", cwd=tmp_path, env=GOOD)
        busy.cancel()
    assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        alerts = copy.execute("SELECT count(*) FROM alerts").fetchone()[0]
    assert alerts >= 50
    assert f", and checked it: alerts {alerts:,}, incidents 1, notifications " in done.stdout
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"copy.db", "data"}


async def test_a_damaged_database_makes_no_backup(tmp_path, make_settings):
    """An index that lacks rows is found in the copy, which then goes."""
    settings = make_settings()
    async with serving(settings) as service:
        for number in range(5):
            await service.particle(data=str(number))
    with closing(sqlite3.connect(settings.sqlite_file)) as connection:
        connection.execute("PRAGMA writable_schema=ON")
        [name] = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'alerts' AND sql IS NOT NULL"
        ).fetchone()
        connection.execute("DELETE FROM sqlite_master WHERE name = ?", (name,))
        connection.commit()
    done = await alertgate("backup", "copy.db", cwd=tmp_path, env=GOOD)
    assert done.returncode == 1
    assert re.search(r"The copy isn't sound \(.*never used.*\), so it was removed", done.stderr)
    assert {path.name for path in tmp_path.iterdir()} == {"data"}


async def test_a_backup_that_finds_no_room_leaves_no_file(tmp_path, make_settings):
    """The disk's end is played by a limit of the size of files; a directory that can't be written is named too."""
    copy_template(make_settings())
    command = f"ulimit -f 16; exec {sys.executable} -m alertgate backup copy.db"
    done = await asyncio.to_thread(
        subprocess.run,
        ["sh", "-c", command],
        cwd=tmp_path,
        env=GOOD,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1
    assert "copy.db can't be written" in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"data"}
    for place in ("no/such/copy.db", "data/alertgate.db/copy.db"):
        done = await alertgate("backup", place, cwd=tmp_path, env=GOOD)
        assert (done.returncode, f"{place} can't be written" in done.stderr) == (1, True)
        assert "Traceback" not in done.stderr


async def test_a_restored_backup_serves(tmp_path, make_settings):
    """The copy is one file, and a service starts with it."""
    async with serving(make_settings()) as service:
        alert_id = (await service.particle()).json()["id"]
    assert (await alertgate("backup", "copy.db", cwd=tmp_path, env=GOOD)).returncode == 0
    shutil.rmtree(tmp_path / "data")
    (tmp_path / "data").mkdir()
    (tmp_path / "copy.db").rename(tmp_path / "data" / "alertgate.db")
    async with process(tmp_path):
        done = await alertgate("explain", alert_id, cwd=tmp_path, env=GOOD)
    assert (done.returncode, alert_id in done.stdout) == (0, True)
