"""The results of a run, as a table."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

HEAD = (
    f"{'fault':26} {'rounds':>6} {'accepted':>8} {'lost':>5} {'sent twice':>10} {'recovered in (s)':>18}  what it said"
)


@dataclass
class Row:
    """One fault's result. `recovered` has one entry for each round; `said` is how the gate reported the fault."""

    fault: str
    rounds: int = 0
    accepted: int = 0
    lost: list[str] = field(default_factory=list)
    twice: int = 0
    recovered: list[float] = field(default_factory=list)
    said: str = ""
    skipped: str = ""

    @property
    def good(self) -> bool:
        """Whether nothing was lost and nothing was sent twice."""
        return not self.lost and not self.twice

    def line(self) -> str:
        """Return the row as a line of the table."""
        if self.skipped:
            return f"{self.fault:26} skipped: {self.skipped}"
        return (
            f"{self.fault:26} {self.rounds:6} {self.accepted:8} {len(self.lost):5} {self.twice:10}"
            f" {_spread(self.recovered):>18}  {self.said}"
        )


def _spread(seconds: Sequence[float]) -> str:
    if not seconds:
        return "-"
    if len(seconds) == 1:
        return f"{seconds[0]:.2f}"
    return f"{median(seconds):.2f}, at most {max(seconds):.2f}"
