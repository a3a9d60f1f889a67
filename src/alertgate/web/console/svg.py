"""Plots as SVG: their shapes and their texts, for `svg_macros.html` to lay out. Pure.

Nothing is said by colour alone: each bar has its numbers as a title, and each plot says in words what it shows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

HEIGHT = 100
"""Of a plot, in its own units."""
STEP = 10
"""From the beginning of one bar to that of the next."""
WIDE = 8
"""A bar."""
LEAST = 3
"""The height of a part that isn't empty: one alert beside a thousand is still seen."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a bar: a class of the style sheet, what it is, and how many."""

    color: str
    name: str
    number: int


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar, what it is about, and its parts, the lowest first."""

    label: str
    parts: tuple[Part, ...]

    @property
    def number(self) -> int:
        """How many it is in all."""
        return sum(part.number for part in self.parts)

    @property
    def title(self) -> str:
        """What it says when somebody points at it."""
        said = ", ".join(f"{part.number:,} {part.name}" for part in self.parts if part.number)
        return f"{self.label}: {said or 'none'}"


@dataclass(frozen=True, slots=True)
class Shape:
    """A rectangle."""

    color: str
    x: int
    y: float
    width: int
    height: float


@dataclass(frozen=True, slots=True)
class Drawn:
    """A bar as it is drawn."""

    title: str
    shapes: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class Plot:
    """Bars as they are drawn."""

    title: str
    text: str
    """What it shows, in words."""
    width: int
    height: int
    bars: tuple[Drawn, ...]


def stacked_bars(bars: Sequence[Bar], title: str, text: str) -> Plot:
    """Return a plot of bars side by side; the highest one fills it."""
    highest = max((bar.number for bar in bars), default=0)
    drawn = tuple(_drawn(number, bar, highest) for number, bar in enumerate(bars))
    return Plot(title, text, max(len(bars), 1) * STEP, HEIGHT, drawn)


def _drawn(number: int, bar: Bar, highest: int) -> Drawn:
    shapes, top = [], float(HEIGHT)
    filled = [part for part in bar.parts if part.number]
    room = HEIGHT - LEAST * len(filled)
    for part in filled:
        height = round(LEAST + room * part.number / highest, 2)
        top = round(top - height, 2)
        shapes.append(Shape(part.color, number * STEP, top, WIDE, height))
    return Drawn(bar.title, tuple(shapes))
