"""Commands that messages tell people to run: typed as printed, each is one."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from tools.settings_table import ROOT
from typer.core import TyperGroup

from alertgate.cli.main import app

UsageError = typer.BadParameter.__mro__[1]
"""What typer raises for arguments that it doesn't take; it has no public name there."""
COMMAND = re.compile(r"`alertgate ([^`]+)`")
NEEDS_ID = frozenset({"retry", "dismiss", "explain"})
"""Commands that are refused without an id, or an option in its place, although the parser takes them."""

NAMES_WHAT_LACKS = "particle-template"
"""It takes an address and an event that only its reader knows, and the messages that name it are short ones."""


def texts(file: Path) -> Iterator[str]:
    """Yield a module's texts with ID in place of what is filled in, without its docstrings."""
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    statements = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "ID" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in statements:
            yield node.value


def printed() -> list[str]:
    """Return the arguments of each command that a message of any module names."""
    files = sorted((ROOT / "src" / "alertgate").rglob("*.py"))
    return sorted(
        {each for file in files for text in texts(file) for each in COMMAND.findall(text)} - {NAMES_WHAT_LACKS}
    )


def refusal(arguments: str) -> str | None:
    """Return why a command isn't taken as it is written, or None. It isn't run."""
    command, words = typer.main.get_command(app), arguments.split()
    try:
        while isinstance(command, TyperGroup):
            context = command.make_context(command.name, words[:1], resilient_parsing=True)
            _, found, words = command.resolve_command(context, words)
            if found is None:
                return "there is no such command"
            command = found
        context = command.make_context(command.name, list(words))
    except UsageError as error:
        return error.format_message()
    return "give an ID, or an option in its place" if command.name in NEEDS_ID and not words else None


def test_commands_are_found():
    """The texts are read: also one whose id is filled in, and one that spans two lines."""
    assert {"check", "retry --all", "retry ID", "dismiss ID"} <= set(printed())


@pytest.mark.parametrize("arguments", printed())
def test_a_printed_command_is_taken_as_it_is_written(arguments):
    """Nobody should have to read the help in order to follow a message."""
    assert refusal(arguments) is None


@pytest.mark.parametrize("arguments", ["retry", "dismiss", "explain", "ack", "retry --al", "mend", "policy forgets"])
def test_a_wrong_command_would_be_found(arguments):
    """Such as one without the id that it needs."""
    assert refusal(arguments) is not None
