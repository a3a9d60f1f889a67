"""Load the settings from the environment, `.env` and /run/secrets; every problem is one readable line."""

import logging
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from io import StringIO
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import ValidationError
from pydantic_settings import SettingsError

from alertgate import env_file as dotenv
from alertgate.config import Settings
from alertgate.errors import ConfigError
from alertgate.setting_sources import Doubt, Sources
from alertgate.setting_sources import doubts as doubts_about
from alertgate.setting_types import invisible

SECRETS_DIR = Path("/run/secrets")
DEFAULT_ENV_FILE = Path(".env")

ENV_NAMES = frozenset({*map(str.upper, Settings.model_fields), "FLASK_SECRET_KEY"})
"""The names of the settings as environment variables."""


def load(env_file: Path | None = DEFAULT_ENV_FILE, **overrides: Any) -> Settings:
    """Read the settings. Raises ConfigError with one readable line for each problem.

    `overrides` are settings by their Python names; they take precedence. Relative paths in `.env`, and those of
    defaults, are relative to the `.env` that was read; others to the working directory.
    """
    secrets = SECRETS_DIR if SECRETS_DIR.is_dir() else None
    text = _read(env_file)
    reader = dotenv.Reader(ENV_NAMES, _could_be, {name.upper() for name, value in os.environ.items() if value})
    found = list(dotenv.problems(text, env_file, reader)) if env_file and text else []
    try:
        with _quiet_reader():
            settings = Settings(_env_file=env_file, _secrets_dir=secrets, **overrides)
    except ValidationError as error:
        lines = [_line(problem) for problem in error.errors(include_url=False, include_input=False)]
        named = {line.partition(" ")[0].removeprefix("FLASK_") for line in found}
        raise ConfigError([*found, *(line for line in lines if line.partition(" ")[0] not in named)]) from None
    except SettingsError as error:
        raise ConfigError([f"a file in {SECRETS_DIR} can't be read: {error}"]) from None
    except OSError as error:
        raise ConfigError([f"{error.filename or SECRETS_DIR} can't be read: {error.strerror}"]) from None
    if env_file and text is not None:
        settings = _located(settings, env_file.parent, overrides)
    if problems := found or _inconsistent(settings):
        raise ConfigError(problems)
    return settings


def contact_secrets(env_file: Path | None = DEFAULT_ENV_FILE, *, secrets: Path = SECRETS_DIR) -> Mapping[str, str]:
    """Return the addresses that the policy's `$CONTACT_…` stand for, by name, from where settings are read."""
    files = [file for file in secrets.iterdir() if _is_contact(file.name)] if secrets.is_dir() else []
    written = dotenv_values(env_file) if env_file and env_file.is_file() else {}
    found: dict[str, str] = {}
    for name, value in [*((file.name, _secret(file)) for file in files), *written.items(), *os.environ.items()]:
        if _is_contact(name) and value and value.strip():
            found[name.upper()] = value.strip()
    return found


def _is_contact(name: str) -> bool:
    return name.upper().startswith(dotenv.CONTACT_PREFIX)


def _secret(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            [f"{file} can't be read: {error}; it must be a text file that user {os.getuid()} can read"]
        ) from None


@contextmanager
def _quiet_reader() -> Iterator[None]:
    """Keep python-dotenv from writing a line of its own about what is reported as a problem, with its remedy."""
    reader = logging.getLogger("dotenv.main")
    before, reader.disabled = reader.disabled, True
    try:
        yield
    finally:
        reader.disabled = before


def doubts(
    env_file: Path | None = DEFAULT_ENV_FILE,
    *,
    environment: Mapping[str, str] = os.environ,
    secrets_dir: Path = SECRETS_DIR,
) -> list[Doubt]:
    """Return what is doubtful about the names of settings, and where they are set. Call it after `load`."""
    in_file = dotenv_values(stream=StringIO(_read(env_file) or ""), interpolate=False)
    found = Sources(
        {name.upper(): value for name, value in environment.items()},
        {name.upper(): value or "" for name, value in in_file.items()},
        {file.name.upper(): _content(file) for file in secrets_dir.glob("[!.]*") if file.is_file()},
    )
    return [*doubts_about(found, ENV_NAMES), *_open_to_others(env_file)]


def _open_to_others(env_file: Path | None) -> Iterator[Doubt]:
    """Say that every user of the machine can read the secrets; a group may be the service's own."""
    with suppress(OSError):
        if env_file and env_file.stat().st_mode & stat.S_IROTH:
            text = "can be read by every user of this machine, with the secrets in it: `chmod o-rwx` it"
            yield Doubt(str(env_file), text, is_wrong=False)


def _content(file: Path) -> str:
    """Return a secret as pydantic-settings reads it, or nothing: `load` says if it can't be read."""
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _read(env_file: Path | None) -> str | None:
    """Return the text of a `.env`, or None if there is none; only the default one may be missing."""
    if env_file is None:
        return None
    try:
        return env_file.read_text(encoding="utf-8")
    except FileNotFoundError:
        if env_file == DEFAULT_ENV_FILE:
            return None
        problem = f"{env_file} does not exist; name an existing file, or leave out --env-file"
    except UnicodeDecodeError as error:
        problem = f"{env_file} can't be read: byte {error.start + 1} isn't UTF-8; save it as UTF-8"
    except OSError as error:  # also a directory, which Docker makes where it is to mount a missing file
        problem = f"{env_file} can't be read: {error.strerror}; make it a file that user {os.getuid()} can read"
    raise ConfigError([problem])


def _could_be(name: str, text: str) -> bool:
    """Tell whether a setting accepts a text as its value."""
    field = name.removeprefix("FLASK_").lower()
    given: dict[str, Any] = {field: text}
    try:
        Settings(_env_file=None, **given)
    except ValidationError as error:
        return all(problem["loc"][:1] != (field,) for problem in error.errors())
    return True


def _located(settings: Settings, home: Path, overrides: dict[str, Any]) -> Settings:
    """Return the settings with paths relative to `home`, but for those of `overrides` and of the environment."""
    elsewhere = {*overrides, *(name.lower() for name, value in os.environ.items() if value)}
    paths = {name: home / value for name, value in settings if isinstance(value, Path) and name not in elsewhere}
    # Unlike model_copy, this doesn't make a default that was moved a setting that was given.
    return Settings.model_construct(_fields_set=settings.model_fields_set, **{**dict(settings), **paths})


_SENTENCES = {
    "int_parsing": "must be a whole number, such as {default}",
    "bool_parsing": "must be true or false",
    "greater_than": "must be more than {gt:.15g}",
    "greater_than_equal": "must be at least {ge:.15g}",
    "less_than": "must be less than {lt:.15g}",
    "less_than_equal": "must be at most {le:.15g}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
}
"""What pydantic says of a single value, in the words of who edits a .env; by its type."""


def _line(problem: Any) -> str:
    name = str(problem["loc"][0]) if problem["loc"] else "settings"
    sentence = _SENTENCES.get(problem["type"])
    if sentence is None:
        return f"{name.upper()} {problem['msg'].removeprefix('Value error, ')}"
    facts = {"default": _example(name), **problem.get("ctx", {})}
    facts["expected"] = str(facts.get("expected", "")).replace("'", "")
    return f"{name.upper()} {sentence.format(**facts)}"


def _example(name: str) -> object:
    """Return a value of a setting: its default, or the usual port of a mail server."""
    field = Settings.model_fields.get(name)
    return (field.default if field else None) or 587


def _inconsistent(settings: Settings) -> list[str]:
    """Return the problems of settings that don't fit together."""
    problems = []
    if settings.mail_host and not settings.smtp_email:
        problems.append("SMTP_EMAIL is not set, but SMTP_HOST is: set the sender address of mails")
    if authority := settings.authority_problem():
        problems.append(authority)
    problems += settings.login_problems()
    if settings.mail_host and (name := invisible(settings.mail_password or "")):
        problems.append(f"SMTP_PASSWORD holds an invisible character ({name}): type it by hand, or paste it as text")
    if settings.heartbeat_fail_url and not settings.heartbeat_url:
        problems.append("HEARTBEAT_FAIL_URL is set, but HEARTBEAT_URL is not: set both")
    return problems
