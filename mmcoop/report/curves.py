"""Curves as SVG, whose colours are those of the page around them."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from markupsafe import Markup, escape

# In the SVG's own units, which are about pixels on a phone
WIDTH, HEIGHT = 360, 236
LEFT, RIGHT, TOP, BOTTOM = 54, 12, 12, 42
# More would be finer than a screen shows, and make the page large
MAX_POINTS = 240


class Line(NamedTuple):
    """One line of a chart."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    # Classes that the page's style sheet colours: 'learned', 'written', …
    style: str = 'learned'


def draw(title: str, lines: Sequence[Line], x_name: str) -> Markup | None:
    """Draw lines over a common axis.

    Args:
        title (str): What a screen reader says first.
        lines (Sequence[Line]): What to draw. Values that are no finite
            numbers, as of a run that diverged, are left out.
        x_name (str): Below the axis, which begins at 0.

    Returns:
        Markup: An ``<svg>`` element; None if there is nothing to draw.
    """
    lines = [_thin(_finite(line)) for line in lines]
    lines = [line for line in lines if len(line.x)]
    if not lines:
        return None
    last = max(float(max(line.x)) for line in lines) or 1.0
    # Epochs and iterations are counted
    x_ticks = [tick for tick in _ticks(0, last, finest=1) if tick <= last]
    y_ticks = _ticks(*_bounds([line.y for line in lines]))
    across = _Scale(0, last, LEFT, WIDTH - RIGHT)
    upwards = _Scale(y_ticks[0], y_ticks[-1], HEIGHT - BOTTOM, TOP)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(_describe(title, lines))}">'
    ]
    for tick in y_ticks:
        y = upwards(tick)
        parts += [
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" '
            f'y1="{y:.1f}" y2="{y:.1f}"/>',
            f'<text x="{LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">'
            f'{_number(tick)}</text>',
        ]
    for tick in x_ticks:
        parts.append(
            f'<text x="{across(tick):.1f}" y="{HEIGHT - BOTTOM + 17}" '
            f'text-anchor="middle">{_number(tick)}</text>'
        )
    parts.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}" '
        f'text-anchor="middle">{escape(x_name)}</text>'
    )
    parts += [_path(line, across, upwards) for line in lines]
    return Markup('\n'.join([*parts, '</svg>']))


class _Scale:
    """From values to places.

    Args:
        low (float): The lowest value.
        high (float): The highest.
        start (float): Where the lowest one is.
        stop (float): Where the highest one is.
    """

    def __init__(
        self, low: float, high: float, start: float, stop: float
    ) -> None:
        self.low, self.start = low, start
        self.factor = (stop - start) / (high - low)

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) * self.factor


def _path(line: Line, across: _Scale, upwards: _Scale) -> str:
    places = [
        f'{across(x):.1f},{upwards(y):.1f}'
        for x, y in zip(line.x, line.y, strict=True)
    ]
    style = escape(line.style)
    if len(places) == 1:
        x, y = places[0].split(',')
        return f'<circle class="{style}" cx="{x}" cy="{y}" r="4.5"/>'
    return f'<polyline class="{style}" points="{" ".join(places)}"/>'


def _finite(line: Line) -> Line:
    x, y = np.asarray(line.x, float), np.asarray(line.y, float)
    kept = np.isfinite(y)
    return line._replace(x=x[kept], y=y[kept])


def _thin(line: Line) -> Line:
    """Draw means of neighbours where there are too many points."""
    size = math.ceil(len(line.x) / MAX_POINTS)
    if size <= 1:
        return line
    starts = np.arange(0, len(line.x), size)
    counts = np.diff(np.append(starts, len(line.x)))
    return line._replace(
        x=np.add.reduceat(line.x, starts) / counts,
        y=np.add.reduceat(line.y, starts) / counts,
    )


def _bounds(rows: Sequence[np.ndarray]) -> tuple[float, float]:
    low = min(float(min(row)) for row in rows)
    high = max(float(max(row)) for row in rows)
    if low == high:
        room = abs(low) / 10 or 1.0
        return low - room, high + room
    return low, high


def _ticks(low: float, high: float, finest: float = 0) -> list[float]:
    """Choose about five round numbers around an interval."""
    rough = (high - low) / 4
    power = 10 ** math.floor(math.log10(rough))
    step = next(n * power for n in (1, 2, 2.5, 5, 10) if n * power >= rough)
    step = max(step, finest)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [index * step for index in range(first, last + 1)]


def _number(value: float) -> str:
    return f'{value:.4g}'.replace('-', '−')


def _describe(title: str, lines: Sequence[Line]) -> str:
    said = [line for line in lines if line.style != 'thin'] or lines
    ends = [
        f'{line.name} from {_number(line.y[0])} to {_number(line.y[-1])}'
        if len(line.y) > 1
        else f'{line.name} {_number(line.y[0])}'
        for line in said
    ]
    return f'{title}: {", ".join(ends)}'
