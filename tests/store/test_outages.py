"""What is said when PostgreSQL, or a pooler before it, refuses: real servers, with the mistakes that operators make."""

import itertools
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import psycopg
import pytest
import trustme
from tools.settings_table import ROOT
from torture.gate import free_port
from torture.pgbouncer import ESCAPED, PASSWORD, pgbouncer

from alertgate.errors import StoreUnavailable
from alertgate.store.engine import Store
from alertgate.store.outages import REMEDIES, Outage, recognise
from tests.conftest import needs_pgbouncer

WRONG = "Qx7@Zk9/vB3"
"""A wrong password, of which no piece may be shown."""
_numbers = itertools.count()


@pytest.fixture
def admin(postgres_database: str) -> Iterator[psycopg.Connection]:
    """The superuser's session in the test's database."""
    with psycopg.connect(postgres_database.replace("+psycopg", ""), autocommit=True) as connection:
        yield connection


@contextmanager
def role(admin: psycopg.Connection, options: str) -> Iterator[str]:
    """Make a role that can log in; yield its name."""
    name = f"role_{os.getpid()}_{next(_numbers)}"
    admin.execute(f"CREATE ROLE {name} LOGIN {options}".encode())
    yield name
    admin.execute(f"DROP OWNED BY {name}".encode())
    admin.execute(f"DROP ROLE {name}".encode())


@contextmanager
def login_rule(admin: psycopg.Connection, rule: str) -> Iterator[None]:
    """Put a rule before all others in pg_hba.conf."""
    row = admin.execute("SHOW hba_file").fetchone()
    assert row
    file = Path(row[0])
    before = file.read_text()
    file.write_text(f"{rule}\n{before}")
    admin.execute("SELECT pg_reload_conf()")
    while (line := admin.execute("SELECT user_name[1] FROM pg_hba_file_rules LIMIT 1").fetchone()) != (
        rule.split()[2],
    ):
        assert line
    try:
        yield
    finally:
        file.write_text(before)
        admin.execute("SELECT pg_reload_conf()")


def as_user(url: str, user: str, password: str = "") -> str:
    """Return an address of the same database for another user."""
    return url.replace("postgres:@", f"{user}:{quote(password, safe='')}@", 1)


def trouble(make_settings, url: str) -> tuple[Outage, str]:
    """Return why a database can't be used, by the store's error, which shows no password and says what to do."""
    with pytest.raises(StoreUnavailable) as caught:
        Store(make_settings(database_url=url)).look()
    said = str(caught.value)
    assert isinstance(caught.value.cause, Outage), said
    assert REMEDIES[caught.value.cause] in said
    for password in (WRONG, PASSWORD):
        assert not [piece for piece in re.findall(r"[A-Za-z0-9]{3}", password) if piece in said], said
    return caught.value.cause, said


@pytest.mark.postgres
def test_a_wrong_password(make_settings, postgres_database, admin):
    """PostgreSQL refuses it."""
    with role(admin, "PASSWORD 'right'") as name, login_rule(admin, f"local all {name} scram-sha-256"):
        cause, said = trouble(make_settings, as_user(postgres_database, name, WRONG))
        assert Outage.LOGIN is cause
        assert "password authentication failed for user" in said
        assert Outage.LOGIN is trouble(make_settings, as_user(postgres_database, name))[0]
        assert Store(make_settings(database_url=as_user(postgres_database, "postgres"))).look()


@pytest.mark.postgres
def test_a_user_that_is_not_there_or_not_let_in(make_settings, postgres_database, admin):
    """A role that doesn't exist, and a rule in pg_hba.conf that refuses one."""
    assert trouble(make_settings, as_user(postgres_database, "nobody_here"))[0] is Outage.LOGIN
    with role(admin, "") as name, login_rule(admin, f"local all {name} reject"):
        assert trouble(make_settings, as_user(postgres_database, name))[0] is Outage.ACCESS


@pytest.mark.postgres
def test_an_unknown_database(make_settings, postgres_url):
    """Its name is shown."""
    cause, said = trouble(make_settings, postgres_url.replace("/postgres?", "/not_made_yet?"))
    assert cause is Outage.NO_DATABASE
    assert '"not_made_yet" does not exist' in said


@pytest.mark.postgres
def test_a_user_without_rights(make_settings, postgres_database, admin):
    """Since PostgreSQL 15 only the owner may make tables in a database."""
    with role(admin, "") as name:
        assert trouble(make_settings, as_user(postgres_database, name))[0] is Outage.RIGHTS


@pytest.mark.postgres
def test_a_server_that_takes_no_writes(make_settings, postgres_database, admin):
    """As a standby, or a provider whose disk is full."""
    admin.execute(
        f"ALTER DATABASE {urlsplit(postgres_database).path[1:]} SET default_transaction_read_only = on".encode()
    )
    assert trouble(make_settings, postgres_database)[0] is Outage.STANDBY


@pytest.mark.postgres
def test_too_many_connections(make_settings, postgres_database, admin):
    """More than the user may have."""
    with (
        role(admin, "CONNECTION LIMIT 1") as name,
        psycopg.connect(as_user(postgres_database, name).replace("+psycopg", "")),
    ):
        assert trouble(make_settings, as_user(postgres_database, name))[0] is Outage.TOO_MANY


def test_nothing_listens(make_settings, tmp_path):
    """At a port, and at a socket."""
    closed = f"postgresql://user:{quote(WRONG, safe='')}@127.0.0.1:{free_port()}/alertgate"
    assert trouble(make_settings, closed)[0] is Outage.CLOSED
    assert trouble(make_settings, f"postgresql://user:{ESCAPED}@/alertgate?host={tmp_path}")[0] is Outage.CLOSED


def test_a_host_that_is_not_known_or_does_not_answer(make_settings):
    """A name that nobody has, and a server that accepts and says nothing."""
    assert trouble(make_settings, f"postgresql://user:{ESCAPED}@db.invalid/alertgate")[0] is Outage.NO_HOST
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://user:{ESCAPED}@127.0.0.1:{silent.getsockname()[1]}/alertgate?connect_timeout=2"
        assert trouble(make_settings, url)[0] is Outage.SILENT


pooled = pytest.mark.parametrize(
    ("outage", "settings", "url"),
    [
        (Outage.LOGIN, {}, lambda pooler, direct: pooler.url(direct, password=quote(WRONG, safe=""))),
        (Outage.LOGIN, {}, lambda pooler, direct: pooler.url(direct, user="nobody_here")),
        (Outage.NO_DATABASE, {}, lambda pooler, _: pooler.url("/not_made_yet")),
        (Outage.STARTUP, {}, lambda pooler, direct: pooler.url(direct) + "?options=-csearch_path%3Dalerts"),
        (Outage.POOL_MODE, {"pool_mode": "statement"}, lambda pooler, direct: pooler.url(direct)),
        (Outage.NO_TLS, {}, lambda pooler, direct: pooler.url(direct) + "?sslmode=require"),
    ],
    ids=["password", "user", "database", "options", "statement", "tls"],
)


@pytest.mark.postgres
@needs_pgbouncer
@pooled
def test_what_a_pooler_refuses(make_settings, postgres_url, postgres_database, outage, settings, url):
    """Each mistake is recognised by PgBouncer's words."""
    with pgbouncer(postgres_url, **settings) as pooler:
        causes = [trouble(make_settings, url(pooler, postgres_database))[0] for _ in range(2)]
    assert causes == [outage] * 2


@pytest.mark.postgres
@needs_pgbouncer
def test_a_pooler_that_does_not_reach_the_server(make_settings, postgres_url, postgres_database):
    """It says so, or lets its clients wait."""
    with pgbouncer(postgres_url, target="host=/nowhere") as pooler:
        cause, said = trouble(make_settings, pooler.url(postgres_database) + "?connect_timeout=2")
    assert cause in (Outage.POOLER, Outage.SILENT)
    assert "PostgreSQL" in said


@pytest.mark.postgres
@needs_pgbouncer
@pytest.mark.parametrize(
    "settings", [{"max_client_conn": 1}, {"default_pool_size": 1, "query_wait_timeout": 1}], ids=["clients", "sessions"]
)
def test_a_pooler_that_is_full(make_settings, postgres_url, postgres_database, settings):
    """It takes no more clients, or all of its sessions are in use."""
    with pgbouncer(postgres_url, **settings) as pooler, psycopg.connect(pooler.url(postgres_database)) as other:
        other.execute("SELECT 1")
        assert trouble(make_settings, pooler.url(postgres_database))[0] is Outage.POOL_FULL


@pytest.mark.postgres
@needs_pgbouncer
def test_a_certificate_is_verified_as_the_address_says(make_settings, postgres_url, postgres_database, tmp_path):
    """Its authority and its name count with `verify-full`; a pooler that wants TLS says so to who doesn't offer it."""
    authority, other = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    other.cert_pem.write_to_path(str(tmp_path / "other.pem"))
    with pgbouncer(postgres_url, certificate=authority.issue_cert("localhost")) as pooler:
        url = pooler.url(postgres_database)
        named = url.replace("127.0.0.1", "localhost") + "?sslmode=verify-full&sslrootcert="
        assert "through a connection pooler" in Store(make_settings(database_url=f"{named}{tmp_path}/ca.pem")).look()
        for wrong in (
            f"{named}{tmp_path}/other.pem",
            f"{named}{tmp_path}/missing.pem",
            f"{url}?sslmode=verify-full&sslrootcert={tmp_path}/ca.pem",
        ):
            assert trouble(make_settings, wrong)[0] is Outage.CERTIFICATE
        assert trouble(make_settings, f"{url}?sslmode=disable")[0] is Outage.ACCESS


@pytest.mark.postgres
def test_several_hosts_are_tried_in_turn(make_settings, postgres_database):
    """The first one that answers is used."""
    [directory] = parse_qs(urlsplit(postgres_database).query)["host"]
    name = urlsplit(postgres_database).path[1:]
    hosts = f"127.0.0.1:{free_port()},{quote(directory, safe='')}:5432"
    assert Store(make_settings(database_url=f"postgresql://postgres@{hosts}/{name}")).look().endswith("is writable")


@pytest.mark.parametrize(
    ("words", "state", "outage"),
    [
        ("canceling statement due to lock timeout", "55P03", Outage.LOCKED),
        ("canceling statement due to statement timeout", "57014", Outage.SLOW),
        ("could not extend file: No space left on device", "53100", Outage.FULL),
        ("terminating connection due to administrator command", "57P01", Outage.STARTING),
        ("connection failed: FATAL:  the database system is starting up", None, Outage.STARTING),
        ("terminating connection due to idle-in-transaction timeout", "25P03", Outage.LOST),
        ("consuming input failed: server closed the connection unexpectedly", None, Outage.LOST),
        ('prepared statement "_pg3_0" already exists', "42P05", Outage.PREPARED),
        ("FATAL:  sorry, too many clients already", None, Outage.TOO_MANY),
        (
            "FATAL:  MaxClientsInSessionMode: max clients reached - in Session mode max clients are limited",
            None,
            Outage.POOL_FULL,
        ),
        ("FATAL:  Tenant or user not found", None, Outage.LOGIN),
        (
            'FATAL:  no pg_hba.conf entry for host "10.0.0.9", user "u", database "n", no encryption',
            None,
            Outage.ACCESS,
        ),
        ("server login has been failing, try again later (server_login_retry)", "08P01", Outage.POOLER),
        ("etwas, das niemand kennt", None, None),
    ],
)
def test_other_servers_words_are_recognised(words, state, outage):
    """Those that no test can bring about in a moment."""
    assert recognise(words, state) is outage


def test_every_outage_has_a_remedy_and_is_documented():
    """docs/operations.md lists each as /health says it."""
    chapter = (
        (ROOT / "docs" / "operations.md").read_text(encoding="utf-8").split("### When PostgreSQL can't be used")[1]
    )
    documented = re.findall(r"^\| `([^`]+)` \|", chapter.split("\n## ")[0], re.MULTILINE)
    assert set(REMEDIES) == set(Outage)
    assert documented[1:] == list(Outage)


@pytest.mark.postgres
@pytest.mark.parametrize("command", ["check", "serve"])
def test_a_command_says_it_in_one_sentence(postgres_database, admin, tmp_path, command):
    """At start and in `check`: what is wrong, what to do, no traceback, and no piece of the password."""
    with role(admin, "PASSWORD 'right'") as name, login_rule(admin, f"local all {name} scram-sha-256"):
        url = as_user(postgres_database, name, WRONG)
        done = subprocess.run(
            [sys.executable, "-m", "alertgate", command],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "DATABASE_URL": url, "PORT": "0", "LOG_LEVEL": "debug"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert "password authentication failed" in said
    assert REMEDIES[Outage.LOGIN] in said
    assert "Traceback" not in said
    assert not [piece for piece in re.findall(r"[A-Za-z0-9]{3}", WRONG) if piece in said]
