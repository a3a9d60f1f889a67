"""What an incident must be like to match: globs over its event, device and source, and a least severity. Pure.

Routes and silences match alike.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from alertgate.model import Incident, Severity, Source


@dataclass(frozen=True, slots=True)
class Subject:
    """What matchers look at."""

    event: str
    severity: Severity
    source: Source
    device: str | None = None
    """Particle's device id; of a generic alert, what its sender calls itself."""
    device_name: str | None = None

    @classmethod
    def of(cls, incident: Incident, device_name: str | None) -> "Subject":
        """Return it for an incident as it is now."""
        return cls(incident.event, incident.severity, incident.source, incident.device, device_name)


@dataclass(frozen=True, slots=True)
class Matcher:
    """What must hold; None matches everything. Case matters in events, not in devices and sources."""

    event: str | None = None
    device: str | None = None
    """A glob over the device's id or name."""
    source: str | None = None
    """A glob over `particle` or `generic`, or over what a generic sender calls itself."""
    min_severity: Severity | None = None

    @property
    def looks_at_severity_alone(self) -> bool:
        """Whether every incident of its severity matches; those without a device don't match any glob over it."""
        return is_any(self.event) and self.device is None and is_any(self.source)

    def matches(self, subject: Subject) -> bool:
        """Return whether an incident is like this."""
        sender = subject.device if subject.source is Source.GENERIC else None
        return (
            (self.event is None or fnmatchcase(subject.event, self.event))
            and (self.device is None or _any_matches(self.device, subject.device, subject.device_name))
            and (self.source is None or _any_matches(self.source, subject.source, sender))
            and (self.min_severity is None or subject.severity.rank >= self.min_severity.rank)
        )


def _any_matches(glob: str, *names: str | None) -> bool:
    return any(fnmatchcase(name.casefold(), glob.casefold()) for name in names if name)


def is_any(glob: str | None) -> bool:
    """Return whether a glob matches every name."""
    return glob is None or not glob.strip("*")
