"""Doubts about where settings come from: misspelt names, and values that hide what a secret's file holds. Pure.

`.env` itself is read strictly (`env_file.py`). The environment and /run/secrets hold names of other programs too, so
there only what resembles a setting is doubtful.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from alertgate.env_file import SHARED_NAMES, SHARED_PREFIXES, meant

ALIKE = 0.8
"""How similar a name must be to a setting's: SMTP_USER to SMTP_USERNAME, but not HOSTNAME to HOST."""
OLD_NAMES = {"FLASK_SECRET_KEY": "SECRET_KEY"}


@dataclass(frozen=True, slots=True)
class Sources:
    """What each source holds, by names in upper case. Empty values count as unset."""

    environment: Mapping[str, str]
    env_file: Mapping[str, str]
    files: Mapping[str, str]
    """The files in /run/secrets."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """What is doubtful about a setting, and what to do. `is_wrong` if it certainly isn't what was meant."""

    name: str
    text: str
    is_wrong: bool


def doubts(sources: Sources, settings: Collection[str]) -> Iterator[Doubt]:
    """Yield what is doubtful; `settings` are the names of all settings."""
    for place, names in (("in the environment", sources.environment), ("in /run/secrets", sources.files)):
        for name in sorted(names):
            if similar := _similar(name, settings):
                text = f"{place} isn't a setting of alertgate: did you mean {similar}? Correct it, or ignore this"
                yield Doubt(name, text, is_wrong=False)
    yield from _hidden(sources)


def _similar(name: str, settings: Collection[str]) -> str | None:
    if name in settings or name in SHARED_NAMES or name.startswith(SHARED_PREFIXES):
        return None
    return meant(name, settings, ALIKE)


def _hidden(sources: Sources) -> Iterator[Doubt]:
    """Find secrets' files that aren't read, because a source that comes first has the same setting."""
    for name, value in sorted(sources.files.items()):
        setting = OLD_NAMES.get(name, name)
        names = {name, setting, *(old for old, new in OLD_NAMES.items() if new == setting)}
        for place, given in (("the environment", sources.environment), (".env", sources.env_file)):
            found = [given[each] for each in names if given.get(each)]
            if value and found:
                text = (
                    f"is set in {place} too, which hides the file /run/secrets/{name.lower()}: what is changed there, "
                    f"as when it is rotated, has no effect. Remove {setting} from {place} (Compose hands .env on as "
                    "the environment) and restart"
                )
                yield Doubt(setting, text, is_wrong=found[0] != value)
                break
