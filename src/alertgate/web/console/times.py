"""Times as the console shows them: short, in the reader's zone, with the exact one beside them. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from markupsafe import Markup

from alertgate.notify.context import LocalTimes

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


def roughly(span: timedelta) -> str:
    """Return a length of time in its largest unit: `now`, `3 min`, `2 h`, `5 d`. `console.js` says it alike."""
    seconds = abs(span.total_seconds())
    return next((f"{seconds / unit:.0f} {name}" for unit, name in _UNITS if seconds >= unit), "now")


@dataclass(frozen=True, slots=True)
class Times(LocalTimes):
    """Writes times as HTML, at a moment and in a zone."""

    zone: ZoneInfo
    now: datetime

    def at(self, moment: datetime | None) -> str:
        """Return a time to the minute, with its date unless that is today."""
        return self._element(moment, self.day_minute(moment)) if moment else Markup("—")

    def ago(self, moment: datetime | None) -> str:
        """Return how long ago a time was, or how long it is until then; a page with scripts keeps that true."""
        if moment is None:
            return Markup("—")
        rough = roughly(self.now - moment)
        said = rough if rough == "now" else f"{rough} ago" if moment <= self.now else f"in {rough}"
        return self._element(moment, said, Markup(" data-ago"))

    def _element(self, moment: datetime, said: str, more: str = "") -> Markup:
        element = Markup('<time datetime="{}" title="{}"{}>{}</time>')
        return element.format(moment.isoformat(timespec="seconds"), self.time(moment), more, said)
