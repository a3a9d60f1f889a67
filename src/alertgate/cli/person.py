"""Who gives a command: recorded with what it does."""

import getpass
import os
from typing import Annotated

import typer

from alertgate.characters import is_shown
from alertgate.web.queries import LONGEST_NAME

UNKNOWN = "somebody"


def me() -> str:
    """Return the name of whoever is logged in; that they used the command line is recorded beside it."""
    try:
        name = os.environ.get("SUDO_USER") or getpass.getuser()
    except (OSError, KeyError):  # a container's user needn't have a name
        return UNKNOWN
    return name if is_shown(name) and len(name) <= LONGEST_NAME else UNKNOWN


By = Annotated[
    str,
    typer.Option(default_factory=me, show_default="your login name", help="Who says so; it is recorded."),
]


def checked(by: str) -> str:
    """Return a name without blanks around it. Raises BadParameter with the right form."""
    if not is_shown(by) or not 0 < len(by.strip()) <= LONGEST_NAME:
        raise typer.BadParameter(f"--by is 1 to {LONGEST_NAME} characters, without line breaks")
    return by.strip()
