"""Regenerate the tables of settings and `.env.example` from `config.Settings`: `python -m tools.settings_table`.

docs/settings.md has every setting, README the ones that people set.
"""

import re
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, get_args

from alertgate.config import Settings
from alertgate.setting_types import Credential, Password, Secret

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
REFERENCE = ROOT / "docs" / "settings.md"
ENV_EXAMPLE = ROOT / ".env.example"

START, END = "<!-- settings -->", "<!-- /settings -->"
PLACEHOLDER = "CHANGE-ME"
WANTED = frozenset({"secret_key", "particle_webhook_secret", "webhook_secret", "api_token"})
"""The secrets that are uncommented in .env.example, so that a copy that wasn't filled in is rejected."""
OFTEN_SET = (
    *(
        "recipient_email",
        "recipient_sms",
        "recipient_push",
        "smtp_host",
        "smtp_email",
        "smtp_password",
        "devices",
        "severity_rules",
    ),
    *("group_interval", "timezone", "trusted_proxies", "heartbeat_url", "webhook_token"),
)
"""The settings that README's table has."""
PAGES: Mapping[Path, Sequence[str]] = {README: OFTEN_SET, REFERENCE: tuple(Settings.model_fields)}
CHAPTERS = {
    "secret_key": "Secrets",
    "recipient_email": "Recipients",
    "smtp_host": "Mail",
    "ntfy_url": "Phones, chats and programs",
    "devices": "Alerts",
    "host": "Service",
}
"""The heading in .env.example above each of these settings."""
HEAD = """\
# alertgate's settings, each with its default. `alertgate init` writes a .env with fresh secrets: start with that.
# To start from this file instead, copy it to .env and replace every CHANGE-ME; alertgate refuses to start with one.
# Durations may be written as `30s`, `5m`, `24h` or `7d` too.
# Made from src/alertgate/config.py by `python -m tools.settings_table`; don't edit it by hand.
"""


def defaults() -> dict[str, str]:
    """Return each setting's default as written in a .env; empty if it is unset."""
    return {name: _text(field.get_default(call_default_factory=True)) for name, field in Settings.model_fields.items()}


def table(names: Sequence[str]) -> str:
    """Return settings as a Markdown table."""
    lines = ["| setting | default | meaning |", "| --- | --- | --- |"]
    known = defaults()
    for name in names:
        default = known[name]
        shown = f"`{default}`" if default else "unset"
        lines.append(f"| `{name.upper()}` | {shown} | {Settings.model_fields[name].description} |")
    return "\n".join(lines)


def with_table(text: str, names: Sequence[str]) -> str:
    """Return a page's text with the table between its markers regenerated."""
    between = re.compile(f"{re.escape(START)}.*{re.escape(END)}", re.DOTALL)
    return between.sub(lambda _: f"{START}\n{table(names)}\n{END}", text)


def env_example() -> str:
    """Return the text of `.env.example`."""
    lines = [HEAD]
    for name, default in defaults().items():
        if name in CHAPTERS:
            lines.append(f"# --- {CHAPTERS[name]} ---\n")
        value = PLACEHOLDER if _is_secret(name) else default
        comment = "" if name in WANTED else "#"
        lines.append(f"# {Settings.model_fields[name].description}\n{comment}{name.upper()}={value}\n")
    return "\n".join(lines)


def _is_secret(name: str) -> bool:
    kinds = get_args(Settings.model_fields[name].annotation)
    return not {Credential, Password, Secret}.isdisjoint(kinds)


def _text(value: Any) -> str:
    if value is None or value in ((), {}):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.15g}"
    return str(value.value if isinstance(value, Enum) else value)


if __name__ == "__main__":
    for page, names in PAGES.items():
        page.write_text(with_table(page.read_text(encoding="utf-8"), names), encoding="utf-8")
    ENV_EXAMPLE.write_text(env_example(), encoding="utf-8")
