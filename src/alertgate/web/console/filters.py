"""The filters of the console's lists, as a form and an address say them. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlencode
from uuid import UUID

from alertgate.errors import FieldError
from alertgate.model import AlertStatus, IncidentStatus, Severity
from alertgate.notify.render.text import one_line
from alertgate.policy.device_names import DeviceNames
from alertgate.store.pages import Between
from alertgate.store.search import Sought
from alertgate.web.console.times import Times

FIELDS = ("status", "severity", "device", "event", "text", "since", "until")
BESIDE = frozenset({"before", "said"})
"""What an address may say too: where a page begins, and what was done before."""
LONGEST = 200
LONGEST_TEXT = 100
_ID = re.compile("[0-9A-Fa-f]{24}")
FIRST_YEAR, LAST_YEAR = 1970, 9998

Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Filters:
    """What is looked for, as it was given and as it is meant."""

    given: Mapping[str, str]
    """Each filter that says something, as it was written."""
    sought: Sought
    before: str | None
    problems: tuple[FieldError, ...]
    """What can't be used: then nothing is looked for."""

    @property
    def wrong(self) -> frozenset[str]:
        """The names of the filters that can't be used."""
        return frozenset(each.field for each in self.problems)

    def first(self, path: str) -> str:
        """Return the address of the first page."""
        return f"{path}?{urlencode(self.given)}" if self.given else path

    def older(self, path: str, before: str) -> str:
        """Return the address of the next page."""
        return f"{path}?{urlencode({**self.given, 'before': before})}"


class FilterReader:
    """Reads filters; times without a zone are the viewer's."""

    def __init__(self, pairs: Iterable[tuple[str, str]], times: Times, names: DeviceNames) -> None:
        """`pairs` are the names and values of a query."""
        self._given = {name: value.strip() for name, value in pairs if value.strip()}
        self._times = times
        self._names = names
        self._problems: list[FieldError] = []

    def read(self, statuses: type[AlertStatus | IncidentStatus], *more: str) -> Filters:
        """Return the filters of a list whose rows have these statuses; `more` are fields of this list alone."""
        known = {*FIELDS, *more}
        for name in self._given.keys() - known - BESIDE:
            self._wrong(one_line(name, 40), f"is no filter of this page; it has {', '.join([*FIELDS, *more])}")
        between = self.times()
        sought = Sought(
            status=self._one_of(statuses, "status"),
            severity=self._one_of(Severity, "severity"),
            device=self._device(),
            event=self._text("event", LONGEST),
            text=self._text("text", LONGEST_TEXT),
            since=between.since,
            until=between.until,
        )
        if "incident" in more:
            sought = replace(sought, incident=self._id("incident"))
        given = {name: value for name, value in self._given.items() if name in known}
        before = self._id("before")
        return Filters(given, sought, before, tuple(self._problems))

    def times(self) -> Between:
        """Return the range of time."""
        since, until = self._time("since", fold=0), self._time("until", fold=1)
        if since and until and since >= until:
            self._wrong("until", "isn't later than the beginning: nothing lies between them")
        return Between(since=since, until=until)

    @property
    def problems(self) -> tuple[FieldError, ...]:
        """What can't be used, of what was read so far."""
        return tuple(self._problems)

    def _wrong(self, name: str, why: str) -> None:
        self._problems.append(FieldError(name, why))

    def _text(self, name: str, longest: int) -> str | None:
        value = self._given.get(name)
        if value and len(value) > longest:
            self._wrong(name, f"is longer than {longest} characters: give a part of it")
            return None
        return value

    def _device(self) -> str | None:
        """Return the id of a device, given by its id, its name or a part of it; or what a sender calls itself."""
        given = self._text("device", LONGEST)
        found, name = self._names.find(given)
        if given and found == name and len(alike := self._names.containing(given)) == 1:
            [found] = alike
        return found.lower() if found and _ID.fullmatch(found) else found

    def _one_of(self, kind: type[Choice], name: str) -> Choice | None:
        value = self._given.get(name)
        if value is None:
            return None
        try:
            return kind(value.lower())
        except ValueError:
            self._wrong(name, f"{one_line(value, 40)!r} is none of {', '.join(kind)}")
            return None

    def _id(self, name: str) -> str | None:
        value = self._given.get(name)
        if value is None:
            return None
        try:
            return str(UUID(value))
        except ValueError:
            self._wrong(name, "isn't an id: follow the page's own links")
            return None

    def _time(self, name: str, fold: int) -> datetime | None:
        """Return a time; of the hour that a clock change repeats, its first or its second one."""
        value = self._given.get(name)
        if value is None:
            return None
        try:
            time = datetime.fromisoformat(value)
        except ValueError:
            self._wrong(name, f"{one_line(value, 40)!r} is no time: write it like 2026-11-26 19:30")
            return None
        if not FIRST_YEAR < time.year < LAST_YEAR:
            self._wrong(name, f"its year isn't one from {FIRST_YEAR + 1} to {LAST_YEAR - 1}")
            return None
        local = time.astimezone(self._times.zone) if time.tzinfo else time.replace(tzinfo=self._times.zone, fold=fold)
        self._given[name] = f"{local:%Y-%m-%dT%H:%M:%S}".removesuffix(":00")  # as a browser's field has it
        return local.astimezone(UTC)
