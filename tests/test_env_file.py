"""`.env` is read strictly: no line is skipped and no value changed without a word."""

import logging
import re
from pathlib import Path

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from tools.settings_table import ROOT

from alertgate.env_file import Reader, problems
from alertgate.errors import ConfigError
from alertgate.settings_load import ENV_NAMES, load
from tests.builders import for_any

SECRET = "hunter2-hunter2-hunter2"


@pytest.fixture
def problems_of(tmp_path):
    """Write a .env and return the problems that loading it has, without the file's name."""
    file = tmp_path / ".env"

    def found(text: str) -> list[str]:
        file.write_text(text, encoding="utf-8")
        try:
            load(file)
        except ConfigError as error:
            return [problem.replace(f" of {file}", "") for problem in error.problems]
        return []

    return found


@pytest.mark.parametrize(
    "line",
    [
        "PORT",
        "PORT 8001",
        "PORT: 8001",
        "set PORT=8001",
        "API TOKEN=x",
        "= x",
        "export PORT",
        "<<<<<<< HEAD",
        "{",
        f"{SECRET}",
        f"'{SECRET}",
    ],
)
def test_a_line_that_is_no_assignment_is_named_by_its_number(problems_of, line):
    """It isn't shown, because it may be a secret that lost its name."""
    [problem, later] = problems_of(f"# settings\r\n\r\n\nTIMEZONE=UTC\r\n\r\n{line}\r\nFLOD_LIMIT=3\r\n")
    assert later.startswith("FLOD_LIMIT on line 7 ")
    assert problem == "line 6 can't be read: write NAME=value, or begin the line with # to make it a comment"


@pytest.mark.parametrize("value", [f"'{SECRET}", f'"{SECRET}', f"'{SECRET}\"", f'"{SECRET}"x', f"'hunter2'{SECRET}'"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_quotes_that_do_not_match_are_named(problems_of, value, ending):
    """An apostrophe at the start of a password is enough; the value isn't shown."""
    [problem] = problems_of(ending.join(["# a", "", f"export API_TOKEN={value}", "PORT=8001", ""]))
    assert problem.startswith("API_TOKEN on line 3 has a value that begins with a quote, but doesn't end with the same")
    assert "hunter2" not in problem


def test_a_quote_that_swallows_other_settings_is_named(problems_of):
    """Closed by a quote further down, it is a value of several lines; a list of devices may be one."""
    [problem] = problems_of(f"SMTP_PASSWORD='{SECRET}\n#API_TOKEN=x\nTIMEZONE=UTC\nSMTP_USERNAME=o'\n")
    assert problem.startswith("SMTP_PASSWORD on line 1 begins with a quote that is closed only after API_TOKEN")
    assert problems_of('DEVICES="d1=Front door,\nd2=Cellar"\n') == []


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("RECIPENT_SMS", "RECIPIENT_SMS"),
        ("recipient_mail", "RECIPIENT_EMAIL"),
        ("SMTP_PASSWD", "SMTP_PASSWORD"),
        ("API-TOKEN", "API_TOKEN"),
        ("ALERTGATE_API_TOKEN", "API_TOKEN"),
        ("\u200bTIMEZONE", "TIMEZONE"),
        ('"PORT"', "PORT"),
    ],
)
def test_an_unknown_name_is_named_with_the_one_that_was_meant(problems_of, name, meant):
    """A mistyped name set nothing before, and nobody was told."""
    [problem] = problems_of(f"PORT=8001\n{name}=x\n")
    assert problem.startswith(
        f"{name.upper()} on line 2 isn't a setting of alertgate; did you mean {meant}? Correct it"
    )


@pytest.mark.parametrize("line", ["whsec_C2FVsBQIhrscChlQIMVhunter2=", "hunter2hunter2hunter2==", "hunter2+/hunter2=x"])
def test_a_secret_that_lost_its_name_is_not_shown(problems_of, line):
    """Padded base64 looks like a name with an empty value."""
    [problem] = problems_of(line)
    assert problem.startswith("a name on line 1 isn't a setting of alertgate: correct it or take it out")


def test_names_of_the_policy_and_of_compose_may_stand_beside_settings(problems_of):
    """Everything that compose.yaml asks for or its template of a .env holds, and the contacts of the policy."""
    asked = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "compose.yaml").read_text()))
    template = (ROOT / "deploy" / "compose.env.example").read_text()
    lines = [f"{name}=x" for name in sorted(asked - ENV_NAMES)] + re.findall(
        r"^#?([A-Z_]+=.*)$", template, re.MULTILINE
    )
    assert {"ALERTGATE_HOST=x", "ACME_EMAIL=you@example.org"} < set(lines)
    proxies = [
        "HTTP_PROXY=http://proxy.lan:3128",
        "https_proxy=x",
        "ALL_PROXY=socks5://proxy.lan:1080",
        "NO_PROXY=.lan",
    ]
    assert problems_of("\n".join(proxies)) == []
    contacts = ["CONTACT_PARTNER=u7x", "COMPOSE_PROJECT_NAME=gate", "DOCKER_HOST=x", "TZ=UTC", "FLASK_ENV=production"]
    assert problems_of("\n".join([*lines, *contacts])) == []


@pytest.mark.parametrize(
    "line",
    [
        "SMTP_PASSWORD=hunter2 #hunter2",
        "SMTP_PASSWORD=hunter2\t# of the mail account",
        "SMTP_USERNAME=hunter2 #2",
        "DEVICES=d1=Front door #hunter2",
        "CONTACT_HOME=hunter2 #x",
        "SMTP_PASSWORD= #hunter2",
    ],
)
def test_a_value_that_a_comment_may_have_cut_is_named(problems_of, line):
    """Where the rest of the line could belong to the value, nobody can know."""
    [problem] = problems_of(line)
    name = line.partition("=")[0]
    if line.endswith("= #hunter2"):
        assert problem.startswith(f"{name} on line 1 is empty, because")
    else:
        assert problem.startswith(
            f"{name} on line 1 holds ` #`, from which on it is a comment: put the value in single"
        )
    assert "hunter2" not in problem


def test_a_comment_that_cannot_be_part_of_the_value_is_one(problems_of):
    """After a number, a secret or a quote; and in single quotes ` #` is part of the value."""
    lines = ["PORT=8001 # behind Caddy", f"API_TOKEN={SECRET} # rotated in May", "SMTP_PASSWORD='a #b'  # quoted"]
    assert problems_of("\n".join([*lines, "SMTP_USERNAME=a#b", "RECIPIENT_SMS=  # nobody yet", "HOST="])) == []


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (r'"hunter2\new"', r"holds \n in double quotes, which becomes an invisible character"),
        (r'"C:\\tmp\tmp"', r"holds \t in double quotes, which becomes an invisible character"),
        (r"'hunter2\\x'", r"holds \\ in single quotes, which becomes one backslash"),
    ],
)
def test_a_backslash_that_would_vanish_is_named(problems_of, value, said):
    """python-dotenv reads escapes in quotes, in single ones too."""
    [problem] = problems_of(f"SMTP_PASSWORD={value}")
    assert problem.startswith(f"SMTP_PASSWORD on line 1 {said}")


@pytest.mark.parametrize(
    ("value", "password"),
    [
        (r'"a\"b\\n"', r'a"b\n'),
        (r"'it\'s \n'", r"it's \n"),
        (r"a\\b\n", r"a\\b\n"),
    ],
)
def test_escapes_of_quotes_and_plain_backslashes_are_taken(tmp_path, value, password):
    """Shells and Compose read them the same way."""
    (tmp_path / ".env").write_text(f"SMTP_PASSWORD={value}\n")
    assert load(tmp_path / ".env").mail_password == password


def test_the_readers_own_line_is_not_beside_the_problem(tmp_path, capfd, caplog):
    """python-dotenv warns too, without a file or a remedy, on a terminal that may have no log yet."""
    (tmp_path / ".env").write_text("PORT 8001\n")
    with pytest.raises(ConfigError, match=r"line 1 of .* can't be read"):
        load(tmp_path / ".env")
    assert (caplog.records, capfd.readouterr()) == ([], ("", ""))
    logging.getLogger("dotenv.main").warning("others may use it afterwards")
    assert len(caplog.records) == 1


def test_a_byte_order_mark_is_named(problems_of):
    """Windows' editors write one; Docker and systemd take it as part of the first name."""
    [problem, other] = problems_of("\ufeffPORT=8001\r\n\r\nPRT=1\r\n")
    assert problem.startswith("line 1 begins with a byte-order mark (U+FEFF)")
    assert other.startswith("PRT on line 3 ")


@pytest.mark.parametrize("again", ["RECIPIENT_EMAIL=you@example.org", "RECIPIENT_EMAIL=", "export recipient_email=''"])
def test_a_name_that_is_set_twice_is_named(problems_of, again):
    """Only the last value would count, and an empty one would take the recipient away."""
    assert problems_of(f"RECIPIENT_EMAIL=me@example.org\n\n{again}\n") == [
        "RECIPIENT_EMAIL on line 3 is set already on line 1: take one of them out"
    ]


def test_the_same_value_twice_does_no_harm(problems_of):
    """Nor does a name of another program."""
    assert problems_of("PORT=8001\nPORT='8001'\nDOCKER_HOST=a\nDOCKER_HOST=b\n") == []


def test_every_problem_is_named_at_once(problems_of):
    """Those of the file beside those of the values."""
    found = problems_of("TIMEZONE=Mars\nPORT=x\nSMTP_PASSWORD='x\nPRT=1\n")
    assert [problem.split(" ")[0] for problem in found] == ["SMTP_PASSWORD", "PRT", "TIMEZONE", "PORT"]


@for_any
@given(st.text())
def test_no_text_breaks_the_reader(text):
    """Whatever stands in the file, each problem names a line that it has."""
    found = list(problems(text, Path(".env"), Reader(ENV_NAMES, lambda _, __: True)))
    numbers = [int(re.search(r"line (\d+) of .env", problem)[1]) for problem in found]
    lines = len(re.findall(r"\r\n|\n|\r", text)) + 1
    assert all(1 <= number <= lines for number in numbers)


@for_any
@given(st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="${"), min_size=1))
def test_a_password_without_problems_is_read_as_it_was_written(tmp_path_factory, password):
    """Unquoted, without spaces: either the value is the text, or the line is a problem."""
    file = tmp_path_factory.mktemp("env") / ".env"
    file.write_text(f"SMTP_PASSWORD={password}\n", encoding="utf-8")
    try:
        read = load(file).smtp_password.get_secret_value()
    except ConfigError as error:
        [problem] = error.problems
        event(problem.partition(" on line")[0])
        read = password if problem.startswith("SMTP_PASSWORD ") else None
    assert read == password
