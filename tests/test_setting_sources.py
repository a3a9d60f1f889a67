"""Doubts about where settings come from."""

from pathlib import Path

import pytest

from alertgate.setting_sources import Doubt, Sources, doubts
from alertgate.settings_load import ENV_NAMES
from alertgate.settings_load import doubts as doubts_of

TOKEN, OTHER = "a-good-secret-0123456789abcdef", "another-secret-0123456789abcdef"


def said(**sources: dict[str, str]) -> list[Doubt]:
    """What is doubtful about these sources."""
    return list(doubts(Sources(**{"environment": {}, "env_file": {}, "files": {}, **sources}), ENV_NAMES))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("RECIPENT_SMS", "RECIPIENT_SMS"),
        ("SMTP_USER", "SMTP_USERNAME"),
        ("SMTP_PASS", "SMTP_PASSWORD"),
        ("PARTICLE_WEBHOOK_SECERT", "PARTICLE_WEBHOOK_SECRET"),
        ("DATABASE_URI", "DATABASE_URL"),
        ("RECIPIENT_PHONE", "RECIPIENT_SMS"),
        ("RECIPIENT_MOBILES", "RECIPIENT_SMS"),
        ("SMTP_FROM", "SMTP_EMAIL"),
        ("SMTP_TLS", "SMTP_SECURITY"),
    ],
)
@pytest.mark.parametrize("source", ["environment", "files"])
def test_a_name_that_resembles_a_setting_is_named(source, name, meant):
    """As Compose hands a .env on, or as a secret's file is called."""
    [doubt] = said(**{source: {name: "x"}})
    assert (doubt.name, doubt.is_wrong) == (name, False)
    assert f"did you mean {meant}?" in doubt.text


@pytest.mark.parametrize(
    "name", ["PATH", "HOSTNAME", "HOME", "TERM", "HTTP_PROXY", "POSTGRES_PASSWORD", *sorted(ENV_NAMES)]
)
def test_other_programs_names_and_settings_are_no_doubt(name):
    """The environment is shared."""
    assert said(environment={name: "x"}) == []


@pytest.mark.parametrize("source", ["environment", "env_file"])
@pytest.mark.parametrize(("value", "is_wrong"), [(TOKEN, False), (OTHER, True)])
def test_a_secrets_file_that_is_hidden_is_named(source, value, is_wrong):
    """Rotated, it would have no effect; if the values differ already, what the file holds is refused now."""
    [doubt] = said(**{source: {"API_TOKEN": value}, "files": {"API_TOKEN": TOKEN}})
    assert (doubt.name, doubt.is_wrong) == ("API_TOKEN", is_wrong)
    assert "hides the file /run/secrets/api_token" in doubt.text
    assert "Remove API_TOKEN from" in doubt.text
    assert value not in doubt.text


def test_an_old_name_hides_a_file_too():
    """FLASK_SECRET_KEY is SECRET_KEY."""
    [doubt] = said(environment={"FLASK_SECRET_KEY": OTHER}, files={"SECRET_KEY": TOKEN})
    assert (doubt.name, doubt.is_wrong) == ("SECRET_KEY", True)


@pytest.mark.parametrize("nothing", [{"environment": {"API_TOKEN": ""}}, {"env_file": {"API_TOKEN": ""}}])
def test_an_empty_value_hides_nothing(nothing):
    """As the settings are read: empty is unset."""
    assert said(**nothing, files={"API_TOKEN": TOKEN}) == []


def test_the_sources_are_read_as_the_settings_are(tmp_path: Path):
    """Names in any case, a line break at a file's end, and what Kubernetes keeps beside the files."""
    (tmp_path / "api_token").write_text(f"{TOKEN}\n")
    (tmp_path / "smtp_pasword").write_text("x")
    (tmp_path / "..data").mkdir()
    env = tmp_path / "gate.env"
    env.write_text(f"Api_Token='{OTHER}'\n")
    env.chmod(0o600)
    found = doubts_of(env, environment={"API_TOKEN": TOKEN}, secrets_dir=tmp_path)
    assert [(doubt.name, doubt.is_wrong) for doubt in found] == [("SMTP_PASWORD", False), ("API_TOKEN", False)]
    found = doubts_of(env, environment={}, secrets_dir=tmp_path)
    assert [(doubt.name, doubt.is_wrong) for doubt in found] == [("SMTP_PASWORD", False), ("API_TOKEN", True)]
    assert doubts_of(None, environment={}, secrets_dir=tmp_path / "none") == []
