"""The documentation says what the code does: what can be compared is compared."""

import ast
import pkgutil
import re
import subprocess
from pathlib import Path

import pytest
from tools.settings_table import ENV_EXAMPLE, README, REFERENCE, ROOT, defaults, env_example, with_table
from tools.settings_table import PAGES as TABLES

from alertgate.accept.keys import LARGEST_NUMBER, PART_FIELDS
from alertgate.accept.repeats import ID_ALONE, WITH_TIME, WITHOUT_ID
from alertgate.cli.main import app
from alertgate.config import Settings
from alertgate.errors import ConfigError
from alertgate.id_kind import IdKind
from alertgate.model import Kind
from alertgate.notify.channels.base import CHANNEL_WIDE, Reason
from alertgate.own_events import AWAY_EVENT, Hint
from alertgate.prove.troubles import Trouble
from alertgate.settings_load import load
from alertgate.telemetry import MALFORMED_REQUEST
from tests.conftest import Running

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
CHANGELOG = ROOT / "CHANGELOG.md"
API = ROOT / "docs" / "api.md"
MEANING = ROOT / "docs" / "how-it-works.md"
NAMES = re.compile(r"`([^`]+)`")
METHOD_AND_PATH = re.compile(r"`(GET|POST|PUT|PATCH|DELETE) (/[^`\s]*)`")


def _text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def _placeholders() -> list[str]:
    """The lines of .env.example that hold a placeholder, uncommented."""
    lines = (line.removeprefix("#") for line in _text(ENV_EXAMPLE).splitlines())
    return [line for line in lines if re.fullmatch(r"[A-Z_]+=CHANGE-ME", line)]


def _commands() -> list[str]:
    commands = [
        command.name or command.callback.__name__.replace("_", "-")
        for command in app.registered_commands
        if command.callback
    ]
    return [*commands, *(str(group.name) for group in app.registered_groups)]


@pytest.mark.parametrize("page", TABLES)
def test_the_settings_tables_are_made_from_the_settings(page: Path):
    """Those of README and of docs/settings.md are what `python -m tools.settings_table` writes now."""
    assert with_table(_text(page), TABLES[page]) == _text(page), "run: python -m tools.settings_table"


def test_env_example_is_made_from_the_settings():
    """.env.example is what `python -m tools.settings_table` writes now."""
    assert env_example() == _text(ENV_EXAMPLE), "run: python -m tools.settings_table"


def test_the_reference_names_exactly_the_settings_with_their_defaults():
    """docs/settings.md has one row for each setting and no other, with the default that the code has."""
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.*?) \|", _text(REFERENCE), re.MULTILINE)
    wanted = [(name.upper(), f"`{default}`" if default else "unset") for name, default in defaults().items()]
    assert wanted == rows


def test_every_default_reads_back_as_the_default(tmp_path: Path):
    """A .env that spells out every default means the same as an empty one."""
    env = tmp_path / ".env"
    env.write_text("".join(f"{name.upper()}={default}\n" for name, default in defaults().items()), encoding="utf-8")
    defaults_alone = tmp_path / "empty.env"
    defaults_alone.touch()
    assert load(defaults_alone) == load(env)


def test_every_setting_has_a_help():
    """No setting stands in the table without its meaning."""
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_env_example_names_exactly_the_settings():
    """.env.example has one line for each setting, in the code's order, and no other."""
    names = re.findall(r"^#?([A-Z_]+)=", _text(ENV_EXAMPLE), re.MULTILINE)
    assert [name.upper() for name in Settings.model_fields] == names


def test_env_example_is_refused_until_its_placeholders_are_replaced():
    """A copy of .env.example that nobody filled in doesn't start, and each secret in it is named."""
    with pytest.raises(ConfigError) as refused:
        load(ENV_EXAMPLE)
    names = ["SECRET_KEY", "PARTICLE_WEBHOOK_SECRET", "WEBHOOK_SECRET", "API_TOKEN"]
    assert names == [problem.split()[0] for problem in refused.value.problems]
    assert all("placeholder" in problem for problem in refused.value.problems)


@pytest.mark.parametrize("line", _placeholders())
def test_each_placeholder_is_refused_by_itself(line: str, tmp_path: Path):
    """Each placeholder in .env.example, those in comments too, is refused when it is used as it stands."""
    env = tmp_path / ".env"
    env.write_text(line, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load(env)
    [problem] = refused.value.problems
    assert problem.startswith(f"{line.split('=', maxsplit=1)[0]} is still the placeholder")


@pytest.mark.parametrize("command", _commands())
def test_every_command_is_documented(command: str):
    """Each subcommand appears in README or in docs/."""
    assert any(re.search(rf"alertgate {command}\b", _text(page)) for page in [README, *ROOT.glob("docs/*.md")])


def test_no_command_is_documented_that_does_not_exist():
    """Each `alertgate something` in code style on a page is a command."""
    named = {name for page in PAGES for name in re.findall(r"`alertgate ([a-z][a-z-]*)", _text(page))}
    assert set() == named - set(_commands())


async def test_api_reference_and_openapi_name_the_same_paths(service: Running):
    """Each method and path of the OpenAPI document has its heading in docs/api.md, and the other way round."""
    document = (await service.client.get("/openapi.json")).json()
    served = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    headings = [line for line in _text(API).splitlines() if line.startswith("#")]
    assert served == {found for line in headings for found in METHOD_AND_PATH.findall(line)}


async def test_pages_name_no_path_that_is_not_served(service: Running):
    """A method and path that any page names in code style is in the OpenAPI document."""
    document = (await service.client.get("/openapi.json")).json()
    named = {found for page in PAGES for found in METHOD_AND_PATH.findall(_text(page))}
    assert [
        (method, path) for method, path in sorted(named) if method.lower() not in document["paths"].get(path, {})
    ] == []


def test_the_fields_that_name_a_part_are_documented():
    """docs/how-it-works.md lists them in the order in which they stand in an incident key."""
    [row] = re.findall(r"^\| (`zone`.*?) \| .*? from 0 to (\d+):", _text(MEANING), re.MULTILINE)
    assert (tuple(NAMES.findall(row[0])), int(row[1])) == (PART_FIELDS, LARGEST_NUMBER)


def test_how_long_a_repeat_counts_is_documented():
    """docs/how-it-works.md says of each kind of repeat how many minutes it counts."""
    chapter = _text(MEANING).split("## Repeats")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (.*?) \| .*? \| (\d+) (minutes?|hours?) \|$", chapter, re.MULTILINE)
    documented = [(what, int(number) * (60 if unit.startswith("hour") else 1)) for what, number, unit in rows]
    in_order = [
        ("`event_id`, `Idempotency-Key` or `webhook-id`", WITH_TIME),
        ("`webhook-id`", ID_ALONE[IdKind.WEBHOOK_ID]),
        ("`Idempotency-Key`", ID_ALONE[IdKind.IDEMPOTENCY_KEY]),
        ("all-clear of the generic webhook", ID_ALONE[IdKind.OWN_TIME]),
        ("`event_id`", ID_ALONE[IdKind.EVENT_ID]),
        ("time of publication", WITHOUT_ID),
    ]
    assert [(what, age.total_seconds() / 60) for what, age in in_order] == documented


def test_every_kind_of_notification_is_documented():
    """docs/api.md explains each `kind`."""
    [explained] = re.findall(r"A notification's `kind` is (.*?)\. Its", _text(API), re.DOTALL)
    assert set(NAMES.findall(explained)) == {str(kind) for kind in Kind}


def _log_events() -> set[str]:
    """The names that the code gives to lines of the log: first arguments of calls, and the values of EVENTS tables."""
    found = {MALFORMED_REQUEST}
    for file in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(_text(file))):
            match node:
                case ast.Call(ast.Attribute(ast.Name("log"), _), [ast.Constant(str() as name), *_]):
                    found.add(name)
                case ast.Assign([ast.Name("EVENTS")], ast.Dict(_, values)):
                    found |= {value.value for value in values if isinstance(value, ast.Constant)}
    return found


def test_every_log_event_is_documented():
    """docs/operations.md lists just the events that the code logs, each by its stable dotted name."""
    table = _text(ROOT / "docs" / "operations.md").split("## Logs")[1].split("## Metrics")[0]
    documented = {
        name for line in table.splitlines() if line.startswith("| `") for name in NAMES.findall(line.split("|")[1])
    }
    assert documented == _log_events()
    assert {name for name in documented if not re.fullmatch(r"[a-z]+\.[a-z_]+", name)} == set()


def test_every_reason_of_a_failure_is_documented():
    """docs/operations.md says of each reason, and of no other, what its answer looks like and what to do."""
    chapter = _text(ROOT / "docs" / "operations.md").split("## What each failure looks like and what to do")[1]
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.+?) \| (.+?) \|$", chapter.split("\n## ")[0], re.MULTILINE)
    assert [name for name, *_ in rows] == [str(reason) for reason in Reason]
    about_us = {name for name, about, *_ in rows if about.startswith("us")}
    assert about_us == {str(reason) for reason in CHANNEL_WIDE}
    assert [name for name, _, answer, advice in rows if "`" not in answer or not advice] == []


def test_every_own_incident_is_documented():
    """docs/operations.md has one row for each trouble, each hint, and the time away, and no other."""
    page = _text(ROOT / "docs" / "operations.md")
    rows = re.findall(r"^\| `(alertgate/[a-z-]+)` \|", page, re.MULTILINE)
    assert sorted(rows) == sorted([*Trouble, *Hint, AWAY_EVENT])


def test_changelog_has_an_unreleased_section():
    """There is always a place for the next change, above every release."""
    [first, *_] = re.findall(r"^## .*", _text(CHANGELOG), re.MULTILINE)
    assert first == "## [Unreleased]"


def test_every_relative_link_leads_to_a_file():
    """No page links to a file that isn't there."""
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", _text(page))
        if not (page.parent / target).exists()
    ]
    assert broken == []


def test_the_newcomers_walk_names_functions_that_exist():
    """Each step of the walk in CONTRIBUTING is a function or class of its stage, and none is visited twice."""
    walks = _text(ROOT / "CONTRIBUTING.md").split("## A newcomer's walk")[1].split("## Tests")[0].split("**One ack")
    steps = [re.findall(r"^\| (\w+) \| `([\w.]+)` \|", walk, re.MULTILINE) for walk in walks]
    assert [len(walk) == len(set(walk)) > 5 for walk in steps] == [True, True]
    for stage, path in {step for walk in steps for step in walk}:
        assert pkgutil.resolve_name(f"alertgate.{stage}.{path}") is not None


def test_every_make_target_that_pages_name_exists():
    """Each `make target` in README and CONTRIBUTING is in the Makefile."""
    targets = set(re.findall(r"^([a-z0-9-]+):", _text(ROOT / "Makefile"), re.MULTILINE))
    named = {
        name
        for page in (README, ROOT / "CONTRIBUTING.md")
        for name in re.findall(r"(?:`|^)make ([a-z0-9-]+)", _text(page), re.MULTILINE)
    }
    assert set() == named - targets


def test_decision_records_are_numbered_without_gaps():
    """Each page in docs/adr/ has the next number, the same in its name and its heading."""
    pages = sorted((ROOT / "docs" / "adr").glob("*.md"))
    assert list(range(1, len(pages) + 1)) == [int(page.name[:4]) for page in pages]
    assert [int(page.name[:4]) for page in pages] == [
        int(_text(page).removeprefix("# ").split(".")[0]) for page in pages
    ]


def test_the_edge_logs_no_link_whatever_router_there_is():
    """Traefik logs what no router is for, as while a container is made anew: unless its entry points log nothing."""
    text = _text(ROOT / "compose.yaml")
    routers = set(re.findall(r"traefik\.http\.routers\.([a-z-]+)\.rule", text))
    logged = dict(re.findall(r'routers\.([a-z-]+)\.observability\.accesslogs: "(true|false)"', text))
    assert logged == {**dict.fromkeys(routers, "true"), "alertgate-links": "false", "alertgate-console": "false"}
    entry_points = set(re.findall(r"- --entrypoints\.([a-z]+)\.address", text))
    silent = set(re.findall(r"- --entrypoints\.([a-z]+)\.observability\.accesslogs=false", text))
    assert silent == entry_points == {"web", "websecure"}


@pytest.mark.parametrize("page", ["docs/deploy.md", "compose.yaml"])
@pytest.mark.parametrize("there", [None, "API_TOKEN=a-secret"])
def test_copying_the_environment_file_asks_nothing_and_keeps_what_is_there(
    tmp_path: Path, page: str, there: str | None
):
    """The command that the page shows copies the example where there is no `.env`, and leaves one alone."""
    [command] = re.findall(r"\[ -e \.env \] \|\| cp .*? \.env", _text(ROOT / page))
    example = ROOT / "deploy" / "compose.env.example"
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / example.name).write_text(_text(example))
    if there:
        (tmp_path / ".env").write_text(there)
    done = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, check=True
    )
    assert (done.stdout, done.stderr) == (b"", b"")
    assert (tmp_path / ".env").read_text() == (there or _text(example))
