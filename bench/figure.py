"""A figure: one line of the table in docs/benchmarks.md."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

HEAD = (
    "| figure | against | goal | median (least to most) | reached | in numbers |\n| --- | --- | --- | --- | --- | --- |"
)


@dataclass(frozen=True)
class Figure:
    """One value for each round; `goal` is compared with their median."""

    name: str
    against: str
    """What a ratio is relative to; empty for other values."""
    goal: str
    """`≥ 0.9` or `≤ 0.6`; empty where the figure is only reported."""
    values: Sequence[float]
    said: str = ""
    unit: str = ""
    """Empty for a ratio."""

    @property
    def middle(self) -> float:
        """The median."""
        return median(self.values)

    @property
    def reached(self) -> str:
        """Whether the median meets the goal; empty without a goal."""
        if not self.goal:
            return ""
        sign, bound = self.goal.split()
        return "yes" if (self.middle >= float(bound) if sign == "≥" else self.middle <= float(bound)) else "**no**"

    @property
    def score(self) -> float:
        """How many times as good as its goal the median is; only for figures with a goal."""
        sign, bound = self.goal.split()
        return self.middle / float(bound) if sign == "≥" else float(bound) / self.middle

    @property
    def label(self) -> str:
        """The label of its bar in the plot."""
        against = f"against {self.against}: " if self.against else ""
        return f"{self.name}\n{against}{self._with_unit(f'{self.middle:.2f}')} (goal {self._with_unit(self.goal)})"

    def line(self) -> str:
        """Return the figure as a line of the table."""
        goal = self._with_unit(self.goal) if self.goal else "reported"
        values = f"{self._with_unit(f'{self.middle:.2f}')} ({min(self.values):.2f} to {max(self.values):.2f})"
        return f"| {self.name} | {self.against} | {goal} | {values} | {self.reached} | {self.said} |"

    def _with_unit(self, value: str) -> str:
        return f"{value} {self.unit}".rstrip()
