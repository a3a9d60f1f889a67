"""docs/people.md: its three files are loaded and asked, and its reference has every key."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from alertgate.model import Severity, Source
from alertgate.notify.escalate import StepReason
from alertgate.notify.forecast import Foreseen, forecast
from alertgate.policy.document import (
    Document,
    EscalationTable,
    PersonTable,
    RouteTable,
    ScheduleTable,
    StepTable,
    TurnTable,
)
from alertgate.policy.load import parse
from alertgate.policy.matchers import Subject
from alertgate.policy.wall_clock import time_of_week
from alertgate.policy.written import read_hours
from tests.cli.test_cli import alertgate
from tests.policies import BERLIN, MONDAY

PAGE = (Path(__file__).parents[2] / "docs" / "people.md").read_text(encoding="utf-8")
CHAPTERS = {text.partition("\n")[0]: text for text in PAGE.split("\n## ")[1:]}
FILES = {
    name: found[1] for name, text in CHAPTERS.items() if (found := re.search(r"```toml\n(.*?)```", text, re.DOTALL))
}
ASKED = [
    (name, command, output)
    for name, text in CHAPTERS.items()
    for command, output in re.findall(r"```\n\$ alertgate (.*?)\n(.*?)```", text, re.DOTALL)
]


def test_the_page_has_its_three_files():
    """Each of them is asked, and none is lost by the patterns that find them."""
    assert list(FILES) == ["One person", "A home", "A company with shifts"]
    assert {name for name, _, _ in ASKED} == set(FILES)
    assert len(ASKED) == PAGE.count("$ alertgate who")


@pytest.mark.parametrize("name", FILES)
async def test_a_file_of_the_page_has_nothing_to_complain_about(tmp_path, name):
    """Neither problems nor doubts."""
    (tmp_path / "alertgate.toml").write_text(FILES[name], encoding="utf-8")
    env = {"CONTACT_PARTNER": "partner@example.org", "TIMEZONE": "Europe/Berlin"}
    done = await alertgate("check", "--offline", cwd=tmp_path, env=env)
    [line] = [line for line in done.stdout.splitlines() if " policy: " in line]
    assert line.startswith("ok    policy: alertgate.toml has ")


@pytest.mark.parametrize(("name", "command", "output"), ASKED, ids=[command for _, command, _ in ASKED])
async def test_who_answers_as_the_page_shows(tmp_path, name, command, output):
    """Word for word."""
    (tmp_path / "alertgate.toml").write_text(FILES[name], encoding="utf-8")
    words = [quoted or word for quoted, word in re.findall(r'"([^"]*)"|(\S+)', command)]
    done = await alertgate(*words, cwd=tmp_path)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", output)


@pytest.mark.parametrize(
    ("table", "chapter"),
    [
        (PersonTable, "People"),
        (ScheduleTable, "Schedules"),
        (TurnTable, "Schedules"),
        (EscalationTable, "Escalations"),
        (StepTable, "Escalations"),
        (RouteTable, "Routes"),
    ],
)
def test_every_key_is_in_the_reference(table, chapter):
    """In the table of its chapter."""
    text = CHAPTERS["Reference"].split(f"### {chapter}\n")[1].split("\n### ")[0]
    for name in table.model_fields:
        assert re.search(rf"`{name}`|\b{name} = ", text), name
    top = CHAPTERS["Reference"].split("\n### ")[0] + PAGE
    assert all(name in top for name in Document.model_fields)


def test_the_files_are_policies():
    """With what their chapters promise."""
    assert [len(parse(text).people) for text in FILES.values()] == [1, 3, 6]


def of_a_week(name: str, severity: Severity, device: str | None = None) -> Iterator[Foreseen]:
    """Yield what would be told by a file of the page of incidents that open in a week, one in three hours."""
    policy = parse(FILES[name])
    for hour in range(0, 7 * 24, 3):
        subject = Subject("battery", severity, Source.PARTICLE, device, device)
        yield from forecast(policy, subject, MONDAY + timedelta(hours=hour, minutes=30)).told


def test_at_home_only_what_is_critical_is_repeated():
    """And only that reaches the neighbour."""
    for severity in Severity:
        told = list(of_a_week("A home", severity))
        is_critical = severity is Severity.CRITICAL
        assert any(each.reason is StepReason.REMINDER for each in told) is is_critical
        assert any(each.person == "neighbour" for each in told) is is_critical


@pytest.mark.parametrize("severity", [Severity.INFO, Severity.WARNING])
@pytest.mark.parametrize("device", [None, "NY freezer"])
def test_the_company_wakes_nobody_for_a_warning(severity, device):
    """It tells who is on call from eight to six, and New York while it is day there."""
    told = list(of_a_week("A company with shifts", severity, device))
    assert {each.person for each in told} == ({"dave"} if device else {"ines", "jonas", "head"})
    day = read_hours("mon-sun 12:00-04:00" if device else "mon-fri 08:00-18:00")
    assert all(day.covers(time_of_week(each.at, BERLIN)) for each in told)
