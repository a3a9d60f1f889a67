"""What stands in a form of the console: the texts that somebody has typed, and what is wrong with each. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar
from zoneinfo import ZoneInfo

from alertgate.characters import is_shown
from alertgate.errors import FieldError
from alertgate.policy.written import read_duration, read_moment

Choice = TypeVar("Choice", bound=StrEnum)


class Fields:
    """Reads the fields of a form; `wrong` says of each what can't be used. Nothing of what was typed is lost."""

    def __init__(self, names: Iterable[str], given: Mapping[str, str]) -> None:
        self.values = {name: given.get(name, "").strip() for name in names}
        self.wrong: dict[str, str] = {}

    def text(self, name: str, longest: int) -> str | None:
        """Return a text in one line; None if nothing was typed."""
        value = self.values[name]
        if len(value) > longest:
            self.wrong[name] = f"has more than {longest} characters"
        elif value and not is_shown(value):
            self.wrong[name] = "holds a character that can't be shown, such as a line break"
        return value or None

    def choice(self, name: str, choices: type[Choice]) -> Choice | None:
        """Return what was chosen; None if nothing was."""
        value = self.values[name]
        if value and value not in set(choices):
            self.wrong[name] = f"is none of {', '.join(choices)}"
            return None
        return choices(value) if value else None

    def duration(self, name: str) -> timedelta | None:
        """Return a length of time such as `2h`; None if nothing was typed."""
        try:
            return read_duration(self.values[name]) if self.values[name] else None
        except ValueError as error:
            self.wrong[name] = str(error)
            return None

    def moment(self, name: str, now: datetime, zone: ZoneInfo) -> datetime | None:
        """Return a time such as `Sat 08:00`, the next one from now on; None if nothing was typed."""
        try:
            return read_moment(self.values[name], now, zone) if self.values[name] else None
        except ValueError as error:
            self.wrong[name] = str(error)
            return None

    def refuse(self, problems: Iterable[FieldError], form: Mapping[str, str] | None = None) -> None:
        """Note what else is wrong; `form` has the form's names for those of the problems."""
        for each in problems:
            self.wrong.setdefault((form or {}).get(each.field, each.field), each.message)
