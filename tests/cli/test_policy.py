"""`alertgate check`, `explain --try` and `policy forget`, as processes; and the recipes of docs/events.md."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from alertgate.policy.expressions import compile_expression
from alertgate.policy.load import digest, parse
from tests.cli.test_cli import GOOD, alertgate, which
from tests.conftest import serving
from tests.fakes import until

PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text(encoding="utf-8")
RECIPE = re.compile(
    r"### ([^\n]+)\n.*?```toml\n(.*?)```.*?```(?:form|json)\n(.*?)```.*?```\n\$ alertgate (.*?)\n(.*?)```", re.DOTALL
)
RECIPES = {name: rest for name, *rest in RECIPE.findall(PAGE)}
TRAP = re.compile(r"^\| (`+)(.*?)\1 \| .*? \| .*? \| (\w*) ?\|$", re.MULTILINE)
RULES = """
[[events]]
event = "heartbeat"
ignore = true
[[events]]
event = "door/*"
resolved = "data.state == 'closed'"
severity = "critical"
[[events]]
event = "*"
"""


def written(directory: Path, text: str) -> str:
    """Write a policy where the commands look for it; return its text."""
    (directory / "alertgate.toml").write_text(text, encoding="utf-8")
    return text


def test_the_page_has_its_recipes():
    """None is lost by the pattern that finds them."""
    assert list(RECIPES) == re.findall(r"^### (.+)", PAGE, re.MULTILINE)
    assert len(RECIPES) == 7


@pytest.mark.parametrize("name", RECIPES)
async def test_a_recipe_means_what_the_page_shows(name, tmp_path):
    """Its rule, its body, and the output of `alertgate explain --try`, word for word."""
    rules, body, command, output = RECIPES[name]
    written(tmp_path, rules)
    (tmp_path / command.split()[-1]).write_text(body)
    done = await alertgate(*command.split(), cwd=tmp_path)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", output)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["alertgate.toml", command.split()[-1]])


def test_the_traps_are_as_the_page_says():
    """What `alertgate check` refuses is refused, and the rest is an expression."""
    traps = [(text.strip().replace(r"\|", "|"), refused) for _, text, refused in TRAP.findall(PAGE)]
    assert len(traps) == PAGE.split("## JMESPath traps")[1].split("## ")[0].count("\n| `")
    for text, refused in traps:
        if refused:
            with pytest.raises(ValueError):
                compile_expression(text)
        else:
            compile_expression(text)


def test_the_first_example_is_a_policy():
    """The one at the top of the page."""
    [first, *_] = re.findall(r"```\n(\[\[events\]\]\n.*?)```", PAGE, re.DOTALL)
    assert len(parse(first).events) == 1


async def test_a_body_is_explained_rule_by_rule(tmp_path):
    """From standard input: which rule decided, why one failed, and what the alert would be."""
    written(tmp_path, RULES)
    body = '{"event":"door/front","data":{"status":"ok"},"coreid":"3f"}'
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "alertgate", "explain", "--try", "-"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        input=body,
        capture_output=True,
        text=True,
        check=True,
    )
    failed = "`resolved` failed, because data.state is missing or blank; so it fires, whatever its own words say"
    assert done.stdout.splitlines() == [
        "door/front from 3f, by the particle webhook",
        "",
        "[[events]] 1 (heartbeat) doesn't match",
        "[[events]] 2 (door/*) decides:",
        f"  resolved  data.state == 'closed'  ->  {failed}",
        '  severity  "critical"',
        "[[events]] 3 (*) isn't reached",
        "",
        "status    accepted",
        "signal    firing (because `resolved` failed)",
        "severity  critical (by [[events]] 2)",
        'incident  particle:["3f","door/front"]',
        f"reason    [[events]] 2 (door/*) says: critical; [[events]] 2 (door/*): {failed}",
    ]


async def test_an_all_clear_without_its_key_is_explained(tmp_path):
    """It says that it ends nothing, rather than the key that nothing else has."""
    written(tmp_path, '[[events]]\nevent = "door"\nkey = "data.name"\nresolved = "data.state == \'closed\'"\n')
    (tmp_path / "body.json").write_text('{"event":"door","data":{"state":"closed"},"coreid":"3f"}')
    done = await alertgate("explain", "--try", "body.json", cwd=tmp_path)
    lines = done.stdout.splitlines()
    assert "signal    resolved (by [[events]] 1)" in lines
    assert "incident  none, because `key` failed: an all-clear ends nothing if nobody knows what is over" in lines


async def test_a_generic_body_is_explained(tmp_path):
    """With --generic; one that would be refused is an error."""
    (tmp_path / "body.json").write_text('{"event":"backup","message":"No backup","source":"nas","status":"ok"}')
    done = await alertgate("explain", "--generic", "--try", "body.json", cwd=tmp_path)
    assert done.stdout.splitlines()[:3] == [
        "backup from nas, by the generic webhook",
        "",
        "There are no [[events]] rules.",
    ]
    assert "signal    resolved (by its own words)" in done.stdout.splitlines()
    (tmp_path / "body.json").write_text('{"event":"backup"}')
    refused = await alertgate("explain", "--generic", "--try", "body.json", cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.splitlines()[-1] == "  - message: Field required"


async def test_an_unreadable_body_is_explained(tmp_path):
    """No rule decides about it, and a terminal obeys nothing in it."""
    (tmp_path / "body").write_bytes(b'{"event":"door/\x1b[31m"x"}')
    done = await alertgate("explain", "--try", "body", cwd=tmp_path)
    assert done.stdout.splitlines()[1].startswith("can't be read: Invalid JSON")
    assert "status    quarantined" in done.stdout.splitlines()
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("arguments", [(), ("01890000-0000-7000-8000-000000000000", "--try", "-")])
async def test_explain_requires_one_id_or_a_body(tmp_path, arguments):
    """Neither or both is a usage error."""
    done = await alertgate("explain", *arguments, cwd=tmp_path)
    assert (done.returncode, "--try" in done.stderr) == (2, True)


async def test_a_body_that_is_not_there_is_an_error(tmp_path):
    """The exit code is 1, and the error names the file."""
    done = await alertgate("explain", "--try", "none.json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        1,
        "none.json can't be read: No such file or directory. Name a file with a webhook's body.\n",
    )


async def test_check_names_a_good_policy(tmp_path):
    """With its rules and its name; and what in it is doubtful."""
    text = written(tmp_path, RULES + '[[events]]\nevent = "door/back"\n')
    env = {**GOOD, "SMTP_EMAIL": "gate@example.org", "RECIPIENT_EMAIL": "me@example.org"}
    done = await alertgate("check", "--offline", cwd=tmp_path, env=env)
    lines = done.stdout.splitlines()
    assert done.returncode == 0
    assert f"ok    policy: alertgate.toml has 4 [[events]] rules ({digest(text)[:12]})" in lines
    assert "warn  policy: events[4].event is never reached: rule 2 matches the same events, and comes first" in lines


async def test_check_says_if_there_is_no_policy(tmp_path):
    """The default file may be missing; one that the settings name may not."""
    done = await alertgate("check", "--offline", cwd=tmp_path, env=GOOD)
    assert "ok    policy: there is no alertgate.toml: events mean what their own words say" in done.stdout.splitlines()
    named = await alertgate("check", "--offline", cwd=tmp_path, env={**GOOD, "POLICY_FILE": "mine.toml"})
    assert named.returncode == 2
    missing = "fail  policy: mine.toml is missing: restore it, or name another file in POLICY_FILE"
    assert missing in named.stdout.splitlines()


@pytest.mark.parametrize("command", ["check", "serve", "explain"])
async def test_a_bad_policy_is_named_with_every_problem(tmp_path, command):
    """By each command that needs it, with exit code 2, before anything starts."""
    written(tmp_path, '[[events]]\nevent = "x"\nkey = "data door"\nresloved = true\n"\u202e\u009bevil" = 1\n')
    more = {"check": ["--offline"], "explain": ["--try", "-"]}
    done = await alertgate(command, *more.get(command, []), cwd=tmp_path, env=GOOD)
    assert done.returncode == 2
    output = done.stdout + done.stderr
    assert "events[1].key can't be read at character 6 of 9 (door)" in output
    assert "events[1].resloved is unknown; did you mean resolved?" in output
    assert r'events[1]."\u202e\x9bevil" is unknown' in output  # escaped: a terminal would obey
    assert "Traceback" not in output
    assert ("Fix them in alertgate.toml; `alertgate check` reads it again." in output) is (command != "check")


async def test_a_contact_that_cannot_be_used_is_the_only_problem_of_its_file(tmp_path):
    """Nothing is said of recipients or a mail server that the people in it don't need."""
    written(tmp_path, '[people.anna]\ncontacts = ["ntfy:alarm-x7Kq", "call:+491701111111"]\n')
    done = await alertgate("check", "--offline", cwd=tmp_path, env=GOOD)
    failed = [line for line in done.stdout.splitlines() if line.startswith("fail")]
    assert (done.returncode, len(failed)) == (2, 1), done.stdout
    assert "people.anna.contacts" in failed[0]
    assert "TWILIO_ACCOUNT_SID" in failed[0]


async def test_forget_ends_the_stored_policy_of_a_running_service(make_settings, database, tmp_path):
    """The service drops it, and a start without the file is clean."""
    text = written(tmp_path, RULES)
    settings = make_settings(**database, policy_file=tmp_path / "alertgate.toml")
    env = {
        **GOOD,
        "DATA_DIR": str(tmp_path / "data"),
        **{name.upper(): value for name, value in database.items()},
    }
    async with serving(settings) as service:
        assert (await service.client.get("/health")).json()["policy"] == digest(text)[:12]
        done = await alertgate("policy", "forget", cwd=tmp_path, env=env)
        assert (done.returncode, done.stderr) == (0, f"Database: {which(env)}\n")
        assert done.stdout.splitlines() == [
            f"Policy {digest(text)[:12]} is forgotten; running services drop it within 5 seconds.",
            "alertgate.toml is still there: the next start or SIGHUP puts it in force again.",
        ]

        async def dropped() -> bool:
            await service.gate.policies.follow()
            return "policy" not in (await service.client.get("/health")).json()

        await until(dropped)
        again = await alertgate("policy", "forget", cwd=tmp_path, env=env)
        assert again.stdout == "No policy is stored; nothing was changed.\n"


async def test_a_file_that_is_not_in_force_is_told_apart(make_settings, tmp_path):
    """A forgotten reload, and a file that has vanished: `check` says what services go by, and `who` goes by it."""
    text = written(tmp_path, '[people.anna]\ncontacts = ["email:anna@example.org"]\n')
    env = {**GOOD, "DATA_DIR": str(tmp_path / "data"), "PUBLIC_URL": "", "RECIPIENT_EMAIL": ""}
    name = digest(text)[:12]
    async with serving(make_settings(policy_file=tmp_path / "alertgate.toml")):
        written(tmp_path, '[people.ben]\ncontacts = ["email:ben@example.org"]\n')
        checked = await alertgate("check", "--offline", cwd=tmp_path, env=env)
        later = f"alertgate.toml isn't in force yet: a running service goes by policy {name}; run `alertgate reload`"
        assert f"warn  policy: {later}, or restart it" in checked.stdout.splitlines()
        asked = await alertgate("who", "--event", "x", cwd=tmp_path, env=env)
        assert "ben, by email" in asked.stdout
        assert asked.stderr == "alertgate.toml isn't in force yet: run `alertgate reload`.\n"
        (tmp_path / "alertgate.toml").unlink()
        checked = await alertgate("check", "--offline", cwd=tmp_path, env=env)
        [line] = [line for line in checked.stdout.splitlines() if " policy: " in line]
        kept = f"there is no alertgate.toml, but policy {name} is kept in the database, and is in force"
        assert line == f"fail  policy: {kept}: restore the file, or run `alertgate policy forget`"
        asked = await alertgate("who", "--event", "x", cwd=tmp_path, env=env)
        assert "anna, by email" in asked.stdout
        assert asked.stderr.startswith(
            f"There is no alertgate.toml: policy {name}, which is kept in the database, is in"
        )
        assert "ok    PUBLIC_URL: isn't set: messages have no link" in checked.stdout


async def test_who_says_where_nothing_was_read(tmp_path):
    """In a wrong directory the answer isn't taken for that of the service."""
    asked = await alertgate("who", "--event", "x", cwd=tmp_path)
    assert asked.stderr == f"There is no alertgate.toml, and there is no {tmp_path / '.env'} either.\n"
