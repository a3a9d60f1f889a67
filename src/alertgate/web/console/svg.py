"""Plots as SVG: geometry that stays within its box, whatever the numbers are. Pure.

Colours are classes of the style sheet, and all text but the alternative stands beside the picture as HTML, so that a
picture may be stretched to any width.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH = 600
HEIGHT = 120
GAP = 0.15
"""Of the place of a bar, what is left free beside it."""
THINNEST = 1.5
"""Of what isn't nothing, at least this height: one alert beside a thousand is still seen."""

Value = float | None


@dataclass(frozen=True, slots=True)
class Series:
    """Values that are drawn alike, from the left to the right; None is where nothing is known."""

    name: str
    css: str
    """A class of the style sheet, which gives the colour."""
    values: Sequence[Value]


def known(value: Value) -> bool:
    """Return whether a value can be drawn: it is there, and a finite number."""
    return value is not None and math.isfinite(value)


def amount(value: Value) -> float:
    """Return how much a bar shows: nothing for what isn't known, or is less than nothing."""
    return max(float(value), 0.0) if value is not None and math.isfinite(value) else 0.0


def highest(series: Sequence[Series]) -> float:
    """Return the height of the highest stack."""
    return min(max((sum(map(amount, stack)) for stack in _stacks(series)), default=0.0), 1e300)


def bars(series: Sequence[Series], title: str, described: str, *, height: int = HEIGHT) -> Markup:
    """Return stacked bars, the first series at the bottom, of which the highest is as high as the picture."""
    top, stacks = highest(series), _stacks(series)
    step = WIDTH / max(len(stacks), 1)
    rects = Markup().join(
        Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>').format(
            css, _number(index * step + step * GAP / 2), _number(y), _number(step * (1 - GAP)), _number(tall)
        )
        for index, stack in enumerate(stacks)
        for css, y, tall in _pile(stack, [each.css for each in series], top, height)
    )
    return _picture(rects, title, described, height, "bars")


def _stacks(series: Sequence[Series]) -> list[tuple[Value, ...]]:
    return list(zip(*(each.values for each in series), strict=True))


def _pile(stack: Sequence[Value], css: Sequence[str], top: float, height: float) -> Iterator[tuple[str, float, float]]:
    """Yield class, upper edge and height of the parts of a bar, from the bottom."""
    if not top:
        return
    tall = [max(amount(value) / top * height, THINNEST) if amount(value) else 0.0 for value in stack]
    squeezed = min(1.0, height / sum(tall)) if sum(tall) else 1.0
    floor = float(height)
    for name, part in zip(css, tall, strict=True):
        if part:
            floor = max(floor - part * squeezed, 0.0)
            yield name, floor, part * squeezed


def lines(series: Sequence[Series], title: str, described: str, *, top: float, height: int = HEIGHT) -> Markup:
    """Return lines between nothing at the bottom and `top`; a line has a gap where nothing is known."""
    drawn = Markup().join(_line(each, top, height) for each in series)
    return _picture(drawn, title, described, height, "graph")


def sparkline(values: Sequence[Value], css: str, title: str, *, top: float = 100.0, height: int = 24) -> Markup:
    """Return one small line between nothing and `top`, for a cell of a table."""
    return _picture(_line(Series("", css, values), top, height, width=120), title, "", height, "spark", width=120)


def _line(series: Series, top: float, height: int, width: int = WIDTH) -> Markup:
    """Return the stretches of a line; a value that stands alone is a short dash, as a point has no ink."""
    step = width / max(len(series.values), 1)
    drawn: list[Markup] = []
    for first, stretch in _stretches(series.values):
        at = [(first + index + 0.5) * step for index in range(len(stretch))]
        places = list(zip(at, (_height(value, top, height) for value in stretch), strict=True))
        if len(places) == 1:
            [(x, y)] = places
            places = [(x - step * 0.4, y), (x + step * 0.4, y)]
        points = " ".join(f"{_number(x)},{_number(y)}" for x, y in places)
        drawn.append(Markup('<polyline class="{}" points="{}"/>').format(series.css, points))
    return Markup().join(drawn)


def _stretches(values: Sequence[Value]) -> Iterator[tuple[int, list[float]]]:
    """Yield the values that follow each other without a gap, with the place of the first."""
    stretch: list[float] = []
    for index, value in enumerate(values):
        if value is not None and math.isfinite(value):
            stretch.append(float(value))
        elif stretch:
            yield index - len(stretch), stretch
            stretch = []
    if stretch:
        yield len(values) - len(stretch), stretch


def _height(value: float, top: float, height: int) -> float:
    """Return how far below the upper edge a value is; half a pen's width is left free at both."""
    share = min(max(value / top, 0.0), 1.0) if top > 0 and math.isfinite(top) else 0.0
    return 1 + (height - 2) * (1 - share)


def _picture(drawn: Markup, title: str, described: str, height: int, css: str, width: int = WIDTH) -> Markup:
    shape = Markup('<svg class="{}" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img">{}{}</svg>')
    more = Markup("<desc>{}</desc>").format(described) if described else Markup()
    return shape.format(css, width, height, Markup("<title>{}</title>").format(title) + more, drawn)


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
