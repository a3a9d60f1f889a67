"""Values in a `.env` that python-dotenv replaces silently."""

import os
import re
from collections.abc import Collection
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values


def replaced_values(path: Path, settings: Collection[str]) -> list[str]:
    """Return a problem for each of `settings` whose value holds `${name}`.

    python-dotenv replaces it by the value of that variable, or by nothing. pydantic-settings has no option to switch
    that off. A setting that the environment overrides is no problem. Raises OSError, UnicodeDecodeError.
    """
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if "${" not in text:
        return []
    written = dotenv_values(stream=StringIO(text), interpolate=False)
    replaced = dotenv_values(stream=StringIO(text))
    overridden = {name.upper() for name, value in os.environ.items() if value}
    watched = {*settings} - overridden
    return [
        f"{name.upper()} holds ${{...}} on line {_line(name, text)} of {path}, which is replaced by another "
        "variable's value: write the value itself; if it really contains ${, set it in the environment or in a file in "
        "/run/secrets"
        for name in written
        if written[name] != replaced[name] and name.upper() in watched
    ]


def _line(name: str, text: str) -> int:
    """Return the number of the last line that sets a variable, which is the one in effect."""
    setting = re.compile(rf"\s*(?:export\s+)?'?{re.escape(name)}'?\s*=")
    return max((number for number, line in enumerate(text.splitlines(), 1) if setting.match(line)), default=1)
