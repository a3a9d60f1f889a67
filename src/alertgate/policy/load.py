"""Read alertgate.toml: TOML becomes a frozen Policy, or a list of problems, each with its key and a remedy."""

import hashlib
import tomllib
from collections.abc import Iterable
from enum import StrEnum
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from alertgate.errors import PolicyInvalid
from alertgate.policy.build import build
from alertgate.policy.document import Document
from alertgate.policy.policy import Policy
from alertgate.policy.problem_words import is_echo, key, problem
from alertgate.policy.references import problems
from alertgate.policy.surroundings import Surroundings

LARGEST_FILE = 1_000_000
"""Bytes."""
DIGEST_SHOWN = 12
"""Characters."""
MOST_PROBLEMS = 50
"""Problems that are shown; nobody reads ten thousand."""
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
    """Return the policy that a text holds. Raises PolicyInvalid with every problem."""
    try:
        found = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise PolicyInvalid([f"the file isn't TOML: {error}; {_remedy(str(error))}"]) from None
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


def _remedy(error: str) -> str:
    if any(word in error for word in ("overwrite", "twice", "mutate", "Duplicate")):
        return "a key or a table stands there twice: remove one of the two"
    return 'texts need quotes, as in event = "door/*"'


def _shown(found: Iterable[str]) -> list[str]:
    """Return the first problems, and whether there are more."""
    first = list(islice(found, MOST_PROBLEMS + 1))
    return [*first[:MOST_PROBLEMS], "(and more problems)"] if len(first) > MOST_PROBLEMS else first


def digest(text: str) -> str:
    """Return what names a policy in the log and in `/health`."""
    return hashlib.sha256(text.encode()).hexdigest()


def short(named: str) -> str:
    """Return a digest as logs and `/health` show it."""
    return named[:DIGEST_SHOWN]
