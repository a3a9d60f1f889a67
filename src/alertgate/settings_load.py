"""Load the settings from the environment, `.env` and /run/secrets; every problem is one readable line."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsError

from alertgate.config import Settings
from alertgate.env_file import replaced_values
from alertgate.errors import ConfigError
from alertgate.setting_types import invisible

SECRETS_DIR = Path("/run/secrets")
DEFAULT_ENV_FILE = Path(".env")

ENV_NAMES = frozenset({*map(str.upper, Settings.model_fields), "FLASK_SECRET_KEY"})
"""The names of the settings as environment variables."""


def load(env_file: Path | None = DEFAULT_ENV_FILE, **overrides: Any) -> Settings:
    """Read the settings. Raises ConfigError with one readable line for each problem.

    `overrides` are settings by their Python names; they take precedence.
    """
    secrets = SECRETS_DIR if SECRETS_DIR.is_dir() else None
    replaced: list[str] = []
    if env_file not in (None, DEFAULT_ENV_FILE) and not env_file.is_file():
        raise ConfigError([f"{env_file} does not exist; name an existing file, or leave out --env-file"])
    try:
        replaced = replaced_values(env_file, ENV_NAMES) if env_file else []
        settings = Settings(_env_file=env_file, _secrets_dir=secrets, **overrides)
    except ValidationError as error:
        lines = [_line(problem) for problem in error.errors(include_url=False, include_input=False)]
        named = {line.partition(" ")[0].removeprefix("FLASK_") for line in replaced}
        raise ConfigError([*replaced, *(line for line in lines if line.partition(" ")[0] not in named)]) from None
    except SettingsError as error:
        raise ConfigError([f"a file in {SECRETS_DIR} can't be read: {error}"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{env_file} can't be read: {error}"]) from None
    if problems := replaced or _inconsistent(settings):
        raise ConfigError(problems)
    return settings


def _line(problem: Any) -> str:
    name = str(problem["loc"][0]).upper() if problem["loc"] else "settings"
    return f"{name} {problem['msg'].removeprefix('Value error, ')}"


def _inconsistent(settings: Settings) -> list[str]:
    """Return the problems of settings that don't fit together."""
    problems = []
    if settings.mail_host and not settings.smtp_email:
        problems.append("SMTP_EMAIL is not set, but SMTP_HOST is: set the sender address of mails")
    if settings.mail_host and not (settings.recipient_email or settings.recipient_sms):
        problems.append("RECIPIENT_EMAIL and RECIPIENT_SMS are both empty: nobody would be notified; set at least one")
    if settings.smtp_ca_file and not settings.smtp_ca_file.is_file():
        problems.append(f"SMTP_CA_FILE {settings.smtp_ca_file} is not a file")
    if settings.mail_host and (name := invisible(settings.mail_password or "")):
        problems.append(f"SMTP_PASSWORD holds an invisible character ({name}): type it by hand, or paste it as text")
    return problems
