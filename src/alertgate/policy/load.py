"""Read alertgate.toml: TOML becomes a frozen Policy, or a list of problems, each with its key and a remedy."""

import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from alertgate.errors import PolicyInvalid
from alertgate.policy.bounds import did_you_mean
from alertgate.policy.events import EventRule

MOST_RULES = 500
LARGEST_FILE = 1_000_000
"""Bytes."""
DIGEST_SHOWN = 12
"""Characters."""


class Policy(BaseModel):
    """What alertgate.toml says."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    events: tuple[EventRule, ...] = Field((), max_length=MOST_RULES)


class FileState(StrEnum):
    """What is known about the policy's file."""

    READ = "read"
    MISSING = "missing"
    INVALID = "invalid"


class PolicyFile(NamedTuple):
    """The policy's file as it was found; `text` is None unless it was read, and `problems` says why it is invalid."""

    path: Path
    state: FileState
    text: str | None = None
    policy: Policy | None = None
    problems: tuple[str, ...] = ()


def read_file(path: Path) -> PolicyFile:
    """Read and check a file. Never raises."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return PolicyFile(path, FileState.MISSING)
    except OSError as error:
        remedy = "mount or name a file" if path.is_dir() else "let the service's user read it"
        return _invalid(path, f"{path} can't be read ({error.strerror}): {remedy}")
    if len(content) > LARGEST_FILE:
        return _invalid(path, f"{path} has {len(content):,} bytes; at most {LARGEST_FILE:,} are allowed")
    try:
        text = content.decode()
        return PolicyFile(path, FileState.READ, text, parse(text))
    except UnicodeDecodeError as error:
        return _invalid(path, f"{path} isn't UTF-8 (byte {error.start + 1}): save it as UTF-8")
    except PolicyInvalid as invalid:
        return PolicyFile(path, FileState.INVALID, problems=tuple(invalid.problems))


def _invalid(path: Path, problem: str) -> PolicyFile:
    return PolicyFile(path, FileState.INVALID, problems=(problem,))


def parse(text: str) -> Policy:
    """Return the policy that a text holds. Raises PolicyInvalid with every problem."""
    try:
        tables = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise PolicyInvalid([f'the file isn\'t TOML: {error}; texts need quotes, as in event = "door/*"']) from None
    try:
        return Policy.model_validate(tables)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        raise PolicyInvalid([f"{_key(detail['loc'])} {_problem(detail)}" for detail in details]) from None


def digest(text: str) -> str:
    """Return what names a policy in the log and in `/health`."""
    return hashlib.sha256(text.encode()).hexdigest()


def short(named: str) -> str:
    """Return a digest as logs and `/health` show it."""
    return named[:DIGEST_SHOWN]


def _key(location: Sequence[int | str]) -> str:
    """Return a key as the file has it; tables of a list are counted from 1."""
    key = ""
    for step in location:
        key += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if key else step
    return key


def _problem(detail: ErrorDetails) -> str:
    """Return what is wrong with a key, and what to do."""
    sentences = {
        "missing": "is missing: add it",
        "model_type": "must be a table: write [[events]], and its keys below it",
        "tuple_type": "must be tables: write [[events]] with two brackets",
        "too_long": f"has too many tables: at most {MOST_RULES} are allowed",
    }
    if detail["type"] == "extra_forbidden":
        known = _known_keys(detail["loc"])
        return f"is unknown{did_you_mean(str(detail['loc'][-1]), known)} (known here: {', '.join(known)})"
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"])
    return sentences.get(detail["type"], f"can't be used: {detail['msg']}")


def _known_keys(location: Sequence[int | str]) -> Mapping[str, Any]:
    return EventRule.model_fields if len(location) > 1 else Policy.model_fields
