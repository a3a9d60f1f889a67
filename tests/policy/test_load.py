"""alertgate.toml: what is refused, with every problem, its key and a remedy."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertgate.errors import PolicyInvalid
from alertgate.model import Severity, Source
from alertgate.policy.expressions import compile_expression
from alertgate.policy.load import LARGEST_FILE, FileState, parse, read_file
from alertgate.policy.policy import Policy
from tests.builders import for_any

TABLES = "(known here: timezone, operator, people, schedules, escalations, routes, events, devices)"
KNOWN = "(known here: event, source, about, key, resolved, severity, ignore, vitals, alarm)"


def problems(text: str) -> list[str]:
    """Return the problems of a file."""
    with pytest.raises(PolicyInvalid) as refused:
        parse(text)
    return refused.value.problems


def test_every_key_is_read():
    """A full rule, and the defaults of an empty one."""
    full, empty = parse("""
[[events]]
event    = "door/*"
source   = "particle"
about    = "door"
key      = "data.door"
resolved = "data.state == 'closed'"
severity = "Crit"
ignore   = false
vitals   = true
alarm    = "data.hot"
[[events]]
event = "leak"
""").events
    assert dict(full) == {
        "event": "door/*",
        "source": Source.PARTICLE,
        "about": "door",
        "key": compile_expression("data.door"),
        "resolved": compile_expression("data.state == 'closed'"),
        "severity": Severity.CRITICAL,
        "ignore": False,
        "vitals": True,
        "alarm": compile_expression("data.hot"),
    }
    unsaid = dict.fromkeys(("source", "about", "key", "resolved", "severity", "alarm"))
    assert dict(empty) == {"event": "leak", **unsaid, "ignore": False, "vitals": False}


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "events = []"])
def test_an_empty_file_is_a_policy(text):
    """One without rules."""
    assert parse(text) == Policy()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[events]\n", "the file isn't TOML: "),
        ("event = door", "the file isn't TOML: "),
        ("events = 3", "events must be tables: write [[events]] with two brackets"),
        ('[events]\nevent = "x"', "events must be tables: write [[events]] with two brackets"),
        ('events = ["x"]', "events[1] must be a table: write [[events]], and its keys below it"),
        (
            "evnts = 3",
            f"evnts is unknown; did you mean events? {TABLES}",
        ),
        ("[[events]]", "events[1].event is missing: add it"),
        ('[[events]]\nevent = "x"\nresloved = true', f"events[1].resloved is unknown; did you mean resolved? {KNOWN}"),
        ('[[events]]\nevent = "x"\nq = true', f"events[1].q is unknown {KNOWN}"),
        ("[[events]]\nevent = 3", "events[1].event can't be used: Input should be a valid string"),
        ('[[events]]\nevent = ""', "events[1].event can't be used: String should have at least 1 character"),
        ('[[events]]\nevent = "door\u00a0"', "events[1].event holds an invisible character (U+00A0 NO-BREAK SPACE)"),
        *(
            (f'[[events]]\nevent = "x"\nsource = {source}', "events[1].source must be particle or generic, the webhook")
            for source in ('"mqtt"', '"alertgate"', "1", "[]")
        ),
        ('[[events]]\nevent = "x"\nresolved = 1', "events[1].resolved must be true, false, or an expression in quotes"),
        ('[[events]]\nevent = "x"\nvitals = "yes"', "events[1].vitals can't be used: Input should be a valid boolean"),
        ('[[events]]\nevent = "x"\nalarm = 1', "events[1].alarm must be true, false, or an expression in quotes"),
        ('[[events]]\nevent = "x"\nkey = true', "events[1].key must be an expression in quotes"),
        ('[[events]]\nevent = "x"\nkey = "data door"', "events[1].key can't be read at character 6 of 9 (door)"),
        ('[[events]]\nevent = "x"\nkey = ""', "events[1].key is empty: leave the key out, or write an expression"),
        ('[[events]]\nevent = "x"\nseverity = 3', "events[1].severity must be a severity such as"),
        (
            '[[events]]\nevent = "x"\nseverity = "criticl"',
            "events[1].severity is criticl, which is no severity; did you",
        ),
        ('[[events]]\nevent = "x"\nseverity = "zzz"', "events[1].severity is zzz, which is no severity: write info,"),
        ('[[events]]\nevent = "x"\nignore = "yes"', "events[1].ignore looks for yes, but an event has only"),
    ],
)
def test_a_problem_names_its_key_and_a_remedy(text, problem):
    """Tables are counted from 1."""
    [found] = problems(text)
    assert found.startswith(problem)


def test_every_problem_is_named_at_once():
    """Nobody has to start the check again for the next one."""
    text = '[[events]]\nevent = "a"\nkey = "data ="\nfoo = 1\n[[events]]\nresolved = "x"\n'
    assert [problem.split(" ")[0] for problem in problems(text)] == [
        "events[1].key",
        "events[1].foo",
        "events[2].event",
        "events[2].resolved",
    ]


def test_a_file_has_a_bounded_number_of_rules():
    """Each alert looks for the first rule that matches."""
    assert problems('[[events]]\nevent = "x"\n' * 501) == ["events has too many entries: at most 500 are allowed"]


def test_a_policy_does_not_change():
    """Many requests share it."""
    policy = parse('[[events]]\nevent = "x"')
    with pytest.raises(ValueError, match="frozen"):
        policy.events[0].event = "y"


def test_a_file_is_read(tmp_path: Path):
    """With its text, which the store keeps."""
    (tmp_path / "a.toml").write_text('[[events]]\nevent = "tür/*"', encoding="utf-8")
    file = read_file(tmp_path / "a.toml")
    assert (file.state, file.text, file.problems) == (FileState.READ, '[[events]]\nevent = "tür/*"', ())
    assert file.policy == parse('[[events]]\nevent = "tür/*"')


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'event = "t\xfcr"', "isn't UTF-8 (byte 11): save it as UTF-8"),
        (b"#" * (LARGEST_FILE + 1), "has more than the 1,000,000 bytes that are allowed"),
    ],
)
def test_a_file_that_holds_no_text_is_invalid(tmp_path: Path, content, problem):
    """The problem names the file."""
    path = tmp_path / "a.toml"
    path.write_bytes(content)
    file = read_file(path)
    assert (file.state, file.policy, file.problems) == (FileState.INVALID, None, (f"{path} {problem}",))


def test_a_missing_file_and_a_directory_are_told_apart(tmp_path: Path):
    """Docker makes a directory of a file that isn't there to be mounted."""
    assert read_file(tmp_path / "none.toml").state is FileState.MISSING
    [problem] = read_file(tmp_path).problems
    assert problem == f"{tmp_path} can't be read (Is a directory): mount or name a file"


@for_any
@given(st.text(max_size=80) | st.text('[]events="\n #', max_size=40))
def test_any_text_is_a_policy_or_has_problems(text):
    """The loader raises nothing else."""
    found: list[str] = []
    try:
        policy = parse(text)
    except PolicyInvalid as invalid:
        found = invalid.problems
    assert all(found) if found else isinstance(policy, Policy)
