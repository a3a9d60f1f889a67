"""DATABASE_URL: what is taken, what is refused, and that no piece of a password is shown or taken for a host."""

import os
import re
import subprocess
import sys
from urllib.parse import quote, unquote

import psycopg.pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertgate.database_url import PARAMETERS, parse, place
from tests.builders import for_any

WHOLE = {"user": "u", "password": "pw", "host": "db.example.org", "dbname": "n"}


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("postgres://u:pw@db.example.org/n", WHOLE),
        ("postgresql://u:pw@db.example.org/n", WHOLE),
        ("postgresql+psycopg://u:pw@db.example.org/n", WHOLE),
        ("PostgreSQL://u:pw@db.example.org/n", WHOLE),
        ("postgresql://u:pw@db.example.org:6543/n", {**WHOLE, "port": "6543"}),
        ("postgresql://u:p%40s%2Fs%3Fw%23%25%20%3A@db.example.org/n", {**WHOLE, "password": "p@s/s?w#% :"}),
        (
            "postgresql://u:p:w+&=;!$'()*,~[]{}|^`<\"\\é@db.example.org/n",
            {**WHOLE, "password": "p:w+&=;!$'()*,~[]{}|^`<\"\\é"},
        ),
        ("postgresql://me%40server:pw@db.example.org/n", {**WHOLE, "user": "me@server"}),
        ("postgresql://u@db.example.org/n", {"user": "u", "host": "db.example.org", "dbname": "n"}),
        ("postgresql://db.example.org/n", {"host": "db.example.org", "dbname": "n"}),
        ("postgresql://u:pw@db.example.org/a%2Fb", {**WHOLE, "dbname": "a/b"}),
        ("postgresql://u:pw@[2001:db8::1]:5433/n", {**WHOLE, "host": "2001:db8::1", "port": "5433"}),
        ("postgresql://u:pw@one,two/n", {**WHOLE, "host": "one,two"}),
        ("postgresql://u:pw@one:5433,two,[::1]/n", {**WHOLE, "host": "one,two,::1", "port": "5433,5432,5432"}),
        ("postgresql://u:pw@/n?host=/run/postgresql", {**WHOLE, "host": "/run/postgresql"}),
        ("postgresql://u:pw@%2Frun%2Fpostgresql/n", {**WHOLE, "host": "/run/postgresql"}),
        ("postgresql:///n?host=/run/postgresql", {"host": "/run/postgresql", "dbname": "n"}),
        ("postgresql:///?host=db.example.org&user=u&password=p%40w&dbname=n", {**WHOLE, "password": "p@w"}),
        ("postgresql://u:pw@db.example.org/n?sslmode=", WHOLE),
        ("postgresql://u:pw@db.example.org/n?ssl=true", {**WHOLE, "sslmode": "require"}),
        (
            "postgresql://u:pw@db.example.org/n?sslmode=verify-full&sslrootcert=/etc/ca.pem&connect_timeout=9",
            {**WHOLE, "sslmode": "verify-full", "sslrootcert": "/etc/ca.pem", "connect_timeout": "9"},
        ),
        *(
            (f"postgresql://u:pw@db.example.org/n?{name}={value}", {**WHOLE, name: value})
            for name, value in [("client_encoding", "utf8"), ("client_encoding", "UTF8"), ("client_encoding", "UTF-8")]
        ),
        ("postgresql://u:pw@db.example.org/n?connect_timeout=0", {**WHOLE, "connect_timeout": "0"}),
        ("postgresql://?service=gate", {"service": "gate"}),
        (
            "postgresql://u:pw@db.example.org/n?target_session_attrs=read-write&channel_binding=require",
            {**WHOLE, "target_session_attrs": "read-write", "channel_binding": "require"},
        ),
        (
            "postgresql://u:pw@db.example.org/n?options=endpoint%3Dep-1&application_name=a+b",
            {**WHOLE, "options": "endpoint=ep-1", "application_name": "a+b"},
        ),
    ],
)
def test_an_address_is_read_as_libpq_reads_it(url, meant):
    """Providers' addresses work as they are; a `+` stays one."""
    assert parse(url) == meant


WRONG = [
    ("postgresql://u:p@w@h/n", "holds a second '@'"),
    ("postgresql://u:p/w@h/n", "holds '/' before the '@'"),
    ("postgresql://u:p?w@h/n", "holds '?' before the '@'"),
    ("postgresql://u:p#w@h/n", "holds '#' before the '@'"),
    ("postgresql://u:p%w@h/n", "holds '%' without two hexadecimal digits after it"),
    ("postgresql://u:p%2@h/n", "holds '%' without two hexadecimal digits after it"),
    ("postgresql://u:p w@h/n", "holds a blank or an invisible character"),
    ("postgresql://u:p\tw@h/n", "holds a blank or an invisible character"),
    ("postgresql://u:p%FFw@h/n", "holds percent-encoded bytes that aren't UTF-8"),
    ("postgresql://u:p%00w@h/n", "holds %00"),
    ("postgresql://u:pw@h/n#top", "holds '#' after the host"),
    ("postgresql://u:pw@h/n/m", "holds '/' in the database's name"),
    ("postgresql://u:pw/n", "has something that isn't a port's number"),
    ("postgresql://u:1234/n", "names no user"),
    ("postgresql://:pw@h/n", "names no user"),
    ("postgresql://u:pw@h:0/n", "has something that isn't a port's number"),
    ("postgresql://u:pw@h:65536/n", "has something that isn't a port's number"),
    ("postgresql://u:pw@h:٥٤/n", "has something that isn't a port's number"),
    ("postgresql://u:pw@h!/n", "names a host with a character"),
    ("postgresql://u:pw@bücher.example/n", "names a host with a character"),
    ("postgresql://u:pw@::1/n", "names a host with more than one ':'"),
    ("postgresql://u:pw@[h]/n", "has a host that isn't a name"),
    ("postgresql://u:pw@/n?host=h!", "names a host with a character"),
    ("postgresql://u:pw@h/n?host=/run/postgresql", "names `host` twice"),
    ("postgresql://u:pw@/n?host=a:1&host=b:2", "names `host` twice"),
    ("postgresql://u:pw@h/n?sslmod=require", "did you mean `sslmode`?"),
    ("postgresql://u:pw@h/n?pgbouncer=true", "has the parameter `pgbouncer`, which is another library's"),
    ("postgresql://u:pw@h/n?ssl=false", "has something after the '?'"),
    ("postgresql://u:pw@h/n?pw", "has something after the '?'"),
    ("postgresql://u:pw@h/n?client_encoding=latin1", "has a `client_encoding`"),
    ("postgresql://u:pw@h/n?sslmode=on", "has a `sslmode` that alertgate can't use"),
    ("postgresql://u:pw@h/n?target_session_attrs=standby", "has a `target_session_attrs` that alertgate can't use"),
    ("postgresql://u:pw@h/n?connect_timeout=100", "has a `connect_timeout`"),
    ("postgresql://u:pw@h/n?client_encoding=sql_ascii", "has a `client_encoding` that alertgate can't use"),
    ("postgresql://u:pw@h/n?connect_timeout=-1", "has a `connect_timeout`"),
    ("postgresql://u:pw@h/n?connect_timeout=soon", "has a `connect_timeout`"),
    ("postgresql://u:[YOUR-PASSWORD]@h/n", "has the placeholder of a template"),
    ("postgresql+asyncpg://u:pw@h/n", "names the driver asyncpg, but alertgate uses psycopg"),
    ("postgresql+hunter2://u:pw@h/n", "must look like postgresql://user:password@host:5432/name"),
    ("mysql://u:pw@h/n", "begins with mysql://, but alertgate stores in PostgreSQL"),
    ("mysql+pymysql://u:pw@h/n", "begins with mysql://, but alertgate stores in PostgreSQL"),
    ("sqlite:///data/alertgate.db", "names SQLite, which needs no address"),
    ("jdbc:postgresql://h/n?user=u&password=pw", "begins with jdbc:postgresql://"),
    ("psql 'postgresql://u:pw@h/n'", "must look like postgresql://user:password@host:5432/name"),
    ("host=h user=u password=pw", "must look like postgresql://user:password@host:5432/name"),
]


@pytest.mark.parametrize(("url", "problem"), WRONG)
def test_what_is_doubtful_is_refused_with_the_right_form(url, problem):
    """Each problem says what is wrong and how to write it."""
    with pytest.raises(ValueError, match=re.escape(problem)):
        parse(url)


def test_every_parameter_is_one_of_the_installed_libpq():
    """An address that is taken doesn't fail at its first use because of a parameter's name."""
    known = {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()}
    assert known >= PARAMETERS


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("postgresql://u:hunter2@h1:5433,h2/n", "n at h1:5433, h2:5432"),
        ("postgresql://u:hunter2@h/n", "n at h"),
        ("postgresql:///n?host=/run/postgresql", "n at /run/postgresql"),
        ("postgresql://u:hunter2@/", "u at this machine"),
        ("postgresql://?service=gate", "the service gate of libpq"),
    ],
)
def test_a_database_is_named_without_its_credentials(url, named):
    """`check` says which database it looks at."""
    assert place(parse(url)) == named


TOKENS = ["Qx7Zk9", "vB3qWj", "X4kk8Q", "9zQ8wJ"]
"""Pieces of passwords; none of their three-letter pieces is in a message of alertgate or of PostgreSQL."""
HOSTILE = [*"@/?#%: &=+[]\\'\"$,;!*(){}<>|^~`\u00e9", "%4", "%zz", "://", "@h:5432/", "?host=", "%40", "%2F"]
passwords = st.lists(st.sampled_from(TOKENS + HOSTILE), min_size=1, max_size=7).map("".join)


def pieces(password: str) -> set[str]:
    """Return every run of three letters or digits of a password."""
    return {word[at : at + 3] for word in re.findall(r"[A-Za-z0-9]{3,}", password) for at in range(len(word) - 2)}


def read(url: str) -> tuple[dict[str, str], str]:
    """Return what an address means, or what is wrong with it."""
    try:
        return parse(url), ""
    except ValueError as error:
        return {}, str(error)


@given(password=passwords)
@for_any
def test_no_password_is_taken_for_anything_else_or_shown(password):
    """As it is, it is the password or the address is refused, without a piece of it; percent-encoded it is taken."""
    whole = {"user": "u", "password": password, "host": "db.example.org", "dbname": "n"}
    found, problem = read(f"postgresql://u:{password}@db.example.org/n")
    if problem:
        assert not {piece for piece in pieces("".join(TOKENS)) if piece in problem}
    else:
        assert found == whole or (found == {**whole, "password": unquote(password)} and "%" in password)
    assert parse(f"postgresql://u:{quote(password, safe='')}@db.example.org/n") == whole


WATCHED = """
import sys
def watch(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        print("ASKED", arguments[0], file=sys.stderr)
sys.addaudithook(watch)
from alertgate.cli import main
main()
"""
"""Runs a command, and shows what it asks of a resolver."""


def run(command: str, directory, **environment: str) -> str:
    """Return all that a command says, and asks."""
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, command],
        cwd=directory,
        env={"PATH": os.environ["PATH"], "LOG_LEVEL": "debug", **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode != 0
    return done.stdout + done.stderr


RAW = [
    "Qx7@Zk9vB",
    "Qx7/Zk9vB",
    "Qx7?Zk9vB",
    "Qx7#Zk9vB",
    "Qx7%Zk9vB",
    "Qx7 Zk9vB",
    "Qx7:Zk9vB",
    "Qx7@Zk9:5432/vB3",
    "@Qx7",
]


@pytest.mark.parametrize(
    ("command", "password"), [*(("check", password) for password in RAW), ("serve", RAW[0]), ("migrate", RAW[1])]
)
def test_no_command_shows_a_piece_of_a_password_or_asks_a_resolver_for_it(tmp_path, command, password):
    """Neither as it is, which may be refused, nor percent-encoded, which fails to connect; not at `debug` either."""
    for written in (password, quote(password, safe="")):
        url = f"postgresql://user:{written}@db.invalid:5432/alertgate?connect_timeout=2"
        said = run(command, tmp_path, DATABASE_URL=url, PORT="0", PARTICLE_WEBHOOK_SECRET="q" * 8 + "0123456789abcdef")
        assert not {piece for piece in pieces(password) if piece in said}
        assert {line for line in said.splitlines() if line.startswith("ASKED")} <= {
            "ASKED db.invalid",
            "ASKED 127.0.0.1",
        }
        assert "DATABASE_URL" in said


def test_a_missing_driver_is_named(tmp_path):
    """An installation without the extra `postgres` says what to install, and no traceback."""
    program = "import sys; sys.modules['psycopg'] = None\n" + WATCHED
    done = subprocess.run(
        [sys.executable, "-c", program, "migrate"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "DATABASE_URL": "postgresql://user:Qx7Zk9@db.invalid/alertgate"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 2
    assert "its driver psycopg isn't installed: run `.venv/bin/pip install --require-hashes" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Qx7" not in done.stderr
