"""The table of start-up errors in docs/operations.md: each message in it is produced here, and says what to do.

The table is read, not copied: what stands here are only the mistakes.
"""

import ast
import re
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
from tools.settings_table import ROOT

from alertgate import addresses, database_url, durations, mail_host, setting_lists, setting_types
from alertgate.cli import database
from alertgate.cli.init import write_env
from alertgate.errors import AlertgateError, ConfigError
from alertgate.settings_load import _SENTENCES, ENV_NAMES, load
from alertgate.store.engine import Store
from alertgate.store.schema import VERSIONS
from alertgate.web.server import listen
from tests.builders import DOOR
from tests.conftest import PARTICLE
from tests.test_config import PROBLEMS
from tests.test_database_url import WRONG as WRONG_URLS

SECRET = "a-good-secret-0123456789"
MAIL = {"SMTP_HOST": "mail.example.org", "SMTP_EMAIL": "a@example.org", "RECIPIENT_EMAIL": "b@example.org"}
OAUTH = {
    "SMTP_OAUTH_CLIENT_ID": "gate",
    "SMTP_OAUTH_REFRESH_TOKEN": "1//token",
    "SMTP_OAUTH_TOKEN_URL": "https://login.example.org/token",
}
WRONG_SETTINGS: list[dict[str, str]] = [
    {"API_TOKEN": "CHANGE-ME"},
    {"API_TOKEN": "hunter2"},
    {"API_TOKEN": "0123456789 abcdef"},
    {"API_TOKEN": f'"{SECRET}"'},
    {"API_TOKEN": f"{SECRET}\u200b"},
    {"SMTP_HOST": "smtp.example.org:587"},
    {"SMTP_HOST": "https://smtp.example.org"},
    {"SMTP_HOST": "smtp example org"},
    {"SMTP_FROM_NAME": "one\ntwo"},
    {"SMTP_HOST": "mail.example.org"},
    {"RECIPIENT_EMAIL": "me"},
    {"RECIPIENT_EMAIL": "a@example.org; b@example.org"},
    {"RECIPIENT_SMS": "a@example.org b@example.org"},
    {"RECIPIENT_SMS": "+49 151 1234567"},
    {**MAIL, "SMTP_CA_FILE": "/no/such/file.pem"},
    {**MAIL, "SMTP_CA_FILE": "/dev/null"},
    {**MAIL, "SMTP_CA_FILE": "/proc/self/mem"},
    {"SMTP_HELO_NAME": "gate"},
    {"SMTP_OAUTH_CLIENT_ID": "gate"},
    {**OAUTH, "SMTP_PASSWORD": "word"},
    {"SMTP_SECURITY": "ssl"},
    {"TIMEZONE": "Berlin"},
    {"HEARTBEAT_FAIL_URL": "https://hc-ping.com/x"},
    {"RATE_LIMIT": "lots"},
    {"DEVICES": "Front door"},
    {"DEVICES": f"Front door={DOOR}"},
    {"DEVICES": f"{DOOR}=Door; {DOOR[:-1]}1=Cellar"},
    {"SEVERITY_RULES": "leak=high"},
    {"GROUP_INTERVAL": "five minutes"},
    {"TRUSTED_PROXIES": "*"},
    {"DATABASE_URL": "mysql://user:word@host/name"},
    {"DATABASE_URL": "hunter2"},
    {"DATABASE_URL": "postgresql+asyncpg://user:word@host/name"},
    {"DATABASE_URL": "sqlite:///alertgate.db"},
    {"DATABASE_URL": "postgresql://user:wo@rd@host/name"},
    {"DATABASE_URL": "postgresql://user:word@host/name?schema=x"},
    {"DATABASE_URL": "postgresql://user:word@host/name?conect_timeout=15"},
    *({name: value} for name, value, _ in PROBLEMS),
    *({"DATABASE_URL": url} for url, _ in WRONG_URLS),
    {"DATABASE_URL": "postgresql://user:CHANGE-ME@host/name"},
    {"RECIPIENT_EMAIL": f"{'a' * 250}@example.org"},
    {"RECIPIENT_EMAIL": "a\\b@example.org"},
]
WRONG_FILES = [
    "API_TOKEN=0123456789${HOME}abcdef",
    "RECIPENT_SMS=x",
    "API_TOKEN",
    f"API_TOKEN='{SECRET}",
    f"SMTP_PASSWORD='{SECRET}\nTIMEZONE=UTC\nSMTP_USERNAME=o'",
    "SMTP_PASSWORD=one #two",
    'SMTP_PASSWORD="one\\ntwo"',
    "SMTP_PASSWORD='one\\\\two'",
    "\ufeffTIMEZONE=UTC",
    "TIMEZONE=UTC\nTIMEZONE=Europe/Berlin",
]


def _no_store(directory: Path) -> Store:
    return Store(load(None, particle_webhook_secret=PARTICLE, data_dir=directory))


def _two_services(directory: Path) -> None:
    first = _no_store(directory)
    first.open(exclusive=True)
    try:
        _no_store(directory).open(exclusive=True)
    finally:
        first.close()


def _no_database(directory: Path) -> None:
    with database.explained(directory / ".env"):
        _no_store(directory).open_existing()


def _anothers_database(directory: Path) -> None:
    with closing(sqlite3.connect(directory / "alertgate.db")) as connection:
        connection.execute("CREATE TABLE notes (id INTEGER)")
        connection.commit()
    with database.explained(directory / ".env"):
        _no_store(directory).open_existing()


def _with_schema(directory: Path, version: str) -> Store:
    with closing(sqlite3.connect(directory / "alertgate.db")) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES (?)", (version,))
        connection.commit()
    return _no_store(directory)


def _no_directory(directory: Path) -> None:
    (directory / "data").touch()
    _no_store(directory / "data" / "below").open(exclusive=True)


def _corrupt(directory: Path) -> None:
    (directory / "alertgate.db").write_bytes(b"no database at all" * 100)
    _no_store(directory).open(exclusive=True)


def _no_postgresql(directory: Path) -> None:
    url = f"postgresql://user:word@/name?host={directory}"
    Store(load(None, particle_webhook_secret=PARTICLE, database_url=url)).open(exclusive=True)


def _no_file(directory: Path) -> None:
    load(directory / "other.env")


def _directory_for_file(directory: Path) -> None:
    (directory / "env").mkdir()
    load(directory / "env")


def _written_twice(directory: Path) -> None:
    write_env(directory / ".env")
    write_env(directory / ".env")


def _taken_address(_: Path) -> None:
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        listen("127.0.0.1", other.getsockname()[1])


def _foreign_address(_: Path) -> None:
    listen("192.0.2.1", 0)


MISTAKES: list[Callable[[Path], object]] = [
    _no_file,
    _directory_for_file,
    _written_twice,
    _two_services,
    _no_database,
    _anothers_database,
    lambda directory: _with_schema(directory, VERSIONS[0]).open_existing(),
    lambda directory: _with_schema(directory, "9999").open(exclusive=True),
    _no_directory,
    _corrupt,
    _no_postgresql,
    _taken_address,
    _foreign_address,
]


class Row(NamedTuple):
    """One row of the table."""

    messages: list[str]
    remedy: str


def rows() -> list[Row]:
    """Return the table's rows."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    lines = page.split("## Start-up errors")[1].split("\n## ")[0].splitlines()
    cells = [line.strip("| ").split(" | ") for line in lines if line.startswith("| `")]
    return [Row([text.strip() for _, text in re.findall(r"(`+)(.+?)\1", cell[0])], cell[-1]) for cell in cells]


def pattern(message: str) -> re.Pattern[str]:
    """Return what a message of the table looks like: `…` stands for anything."""
    return re.compile(".*".join(re.escape(part.strip()) for part in message.split("…")), re.DOTALL)


def problems(act: Callable[[], object]) -> list[str]:
    """Do what must fail; return the messages."""
    try:
        act()
    except ConfigError as error:
        return list(error.problems)
    except AlertgateError as error:
        return [str(error)]
    raise AssertionError(f"{act} didn't fail")


@pytest.fixture
def produced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make every mistake; return the messages, with the paths as the table has them."""

    def all_of_them() -> Iterator[str]:
        for settings in WRONG_SETTINGS:
            with monkeypatch.context() as environment:
                for name, value in settings.items():
                    environment.setenv(name, value)
                yield from problems(partial(load, None))
        file = tmp_path / ".env"
        for text in WRONG_FILES:
            file.write_text(text, encoding="utf-8")
            yield from problems(partial(load, file))
        file.unlink()
        for number, mistake in enumerate(MISTAKES):
            (directory := tmp_path / str(number)).mkdir()
            yield from problems(partial(mistake, directory))

    return [message.replace(f"{tmp_path}/", "") for message in all_of_them()]


ELSEWHERE = {
    "DATABASE_URL names PostgreSQL, but its driver psycopg isn't installed",
    "RECIPIENT_EMAIL, RECIPIENT_SMS and RECIPIENT_PUSH are all empty",
    "RECIPIENT_PUSH: … isn't CHANNEL:ADDRESS",
}
"""The first needs a Python without the driver, which tests/test_database_url.py has; the second is said once the policy
is read, so that tests/cli/test_reload.py starts the service for it; the third is in tests/notify/test_registry.py."""
VERBS = (
    "add|change|check|choose|close|copy|correct|free|give|have|leave|let|make|move|name|percent-encode|put|quote|remove|"
    "replace|restart|restore|run|save|see|set|shorten|start|stop|take|type|unset|use|write"
)
REMEDY = re.compile(
    rf"[:;?.] (?:[^:;?]*[,.] )?(?:(?:so|then|or|else) )?(?:{VERBS})\b"
    r"|`alertgate \w+"
    rf"|\b(?:{'|'.join(sorted(ENV_NAMES))})=\S"
    r"|^[A-Z_]+ must be (?:more than|less than|at least|at most|a whole number, such as|(?:\w+(?:, \w+)* or \w+$)) ?",
    re.IGNORECASE,
)
"""What tells somebody to do something, a command, a setting with a value, or the bounds or the words of a value."""


def test_each_message_of_the_table_is_produced(produced):
    """Word for word, but for what `…` stands for; a message that was reworded must be reworded in the table."""
    wanted = [message for row in rows() for message in row.messages]
    assert len(wanted) > 50, "the table was read"
    missing = [message for message in wanted if not any(pattern(message).search(text) for text in produced)]
    assert set(missing) == ELSEWHERE


def test_each_message_that_is_produced_is_in_the_table(produced):
    """Whoever searches the page for what they see finds it."""
    known = [pattern(message) for row in rows() for message in row.messages]
    unknown = [text for text in produced if not any(each.search(text) for each in known)]
    assert not unknown, "\n".join(unknown)


SOURCES = (addresses, database_url, durations, mail_host, setting_lists, setting_types)


def raised() -> list[str]:
    """Return each sentence with which these modules refuse a value, with `…` for what is filled in."""
    found = []
    for module in SOURCES:
        for node in ast.walk(ast.parse(Path(module.__file__).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
                text = node.exc.args[0]
                parts = text.values if isinstance(text, ast.JoinedStr) else [text]
                found.append("".join(str(each.value) if isinstance(each, ast.Constant) else "…" for each in parts))
    return [text for text in found if text.strip("…")]


def test_each_way_to_refuse_a_setting_is_tried_here(produced):
    """Or a new sentence could be missing in the table, and nobody would find it there."""
    bounds = [re.sub(r"\{.*?\}", "…", sentence) for sentence in _SENTENCES.values()]
    untried = [text for text in (*raised(), *bounds) if not any(pattern(text).search(each) for each in produced)]
    assert len(raised()) > 40, "the modules were read"
    assert not untried, "\n".join(untried)


@pytest.mark.parametrize(
    "message",
    [
        "PORT is wrong",
        "PORT must be another one",
        "SMTP_HOST has a name that can't be used",
        "RECIPIENT_EMAIL is of a type that isn't known",
        "DATA_DIR can't be used: the check of its name failed",
        "API_TOKEN must be printable ASCII without spaces, so that it fits into an HTTP header",
    ],
)
def test_a_message_without_a_remedy_would_be_found(message):
    """A word such as `name` or `must` alone tells nobody what to do."""
    assert not REMEDY.search(message)


def test_each_message_names_a_remedy(produced):
    """So does each row: nobody should have to look up what to do."""
    helpless = [text for text in produced if not REMEDY.search(text)]
    assert not helpless, "\n".join(helpless)
    assert [row for row in rows() if not row.remedy] == []
