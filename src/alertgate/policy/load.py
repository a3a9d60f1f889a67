"""Read alertgate.toml: TOML becomes a frozen Policy, or a list of problems, each with its key and a remedy."""

import hashlib
from collections.abc import Iterable
from enum import StrEnum
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from alertgate.errors import PolicyInvalid
from alertgate.policy.build import build
from alertgate.policy.document import Document
from alertgate.policy.policy import Policy
from alertgate.policy.problem_words import is_echo, key, problem, shortened
from alertgate.policy.references import problems
from alertgate.policy.surroundings import Surroundings
from alertgate.policy.toml_text import read_toml

LARGEST_FILE = 1_000_000
"""Bytes."""
DIGEST_SHOWN = 12
"""Characters."""
MOST_PROBLEMS = 50
"""Problems that are shown; nobody reads ten thousand."""
LONGEST_PROBLEM = 500
"""Characters."""
UNKNOWN = Surroundings()
"""Surroundings without recipients or secrets."""


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


def read_file(path: Path, surroundings: Surroundings = UNKNOWN) -> PolicyFile:
    """Read and check a file. Never raises."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        return PolicyFile(path, FileState.MISSING)
    except OSError as error:
        remedy = "mount or name a file" if path.is_dir() else "let the service's user read it"
        return _invalid(path, f"{path} can't be read ({error.strerror}): {remedy}")
    if len(content) > LARGEST_FILE:
        return _invalid(path, f"{path} has more than the {LARGEST_FILE:,} bytes that are allowed")
    try:
        text = content.decode()
        return PolicyFile(path, FileState.READ, text, parse(text, surroundings))
    except UnicodeDecodeError as error:
        return _invalid(path, f"{path} isn't UTF-8 (byte {error.start + 1}): save it as UTF-8")
    except PolicyInvalid as invalid:
        return PolicyFile(path, FileState.INVALID, problems=tuple(invalid.problems))


def _invalid(path: Path, problem: str) -> PolicyFile:
    return PolicyFile(path, FileState.INVALID, problems=(problem,))


def parse(text: str, surroundings: Surroundings = UNKNOWN) -> Policy:
    """Return the policy that a text holds. Raises PolicyInvalid with every problem, and nothing else."""
    try:
        return _policy(read_toml(text), surroundings)
    except PolicyInvalid:
        raise
    except Exception as error:  # a strange file mustn't keep the service from starting with the last good policy
        raise PolicyInvalid([_FAILED.format(type(error).__name__)]) from error


_FAILED = (
    "the file can't be read, because alertgate fails at it ({}): undo what was changed last, and please report this"
)


def _policy(found: dict[str, Any], surroundings: Surroundings) -> Policy:
    fitting = (f"{key(each.location)} {each.text}" for each in problems(found))
    try:
        document = Document.model_validate(found, context=surroundings)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        unread = (f"{key(detail['loc'])} {problem(detail)}" for detail in details if not is_echo(detail, details))
        raise PolicyInvalid(_shown(chain(unread, fitting))) from None
    if wrong := _shown(fitting):
        raise PolicyInvalid(wrong)
    return build(document, surroundings)


def _shown(found: Iterable[str]) -> list[str]:
    """Return the first problems, none of them endless, and whether there are more."""
    first = [shortened(each, LONGEST_PROBLEM) for each in islice(found, MOST_PROBLEMS + 1)]
    return [*first[:MOST_PROBLEMS], "(and more problems)"] if len(first) > MOST_PROBLEMS else first


def digest(text: str) -> str:
    """Return what names a policy in the log and in `/health`."""
    return hashlib.sha256(text.encode()).hexdigest()


def short(named: str) -> str:
    """Return a digest as logs and `/health` show it."""
    return named[:DIGEST_SHOWN]
