"""Two plots as SVG text, the same byte for byte for the same numbers: spreads over seeds, and critical differences.

Written by hand, so that the results of a campaign can be drawn wherever coterie runs.
"""

from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

from coterie.metrics.significance import Ranking

BLUE, GREY, PALE, TEXT = "#0072b2", "#8a8a8a", "#e6e6e6", "#24292f"
ROW, CHARACTER = 22, 6.6  # pixels: height of a row, width of a character of 11 pixels
WIDTH = 460  # of the axis


class Spread(NamedTuple):
    """A row of the plot: its name, the value of each run, and what others have published, if anything."""

    name: str
    values: tuple[float, ...]
    published: float | None = None


def spread_plot(title: str, axis: str, spreads: Sequence[Spread]) -> str:
    """A dot for each run, a line from the lowest to the highest, a stroke at the median; a ring where published.

    Raises ValueError without a row, or for a row without a value.
    """
    numbers = [value for spread in spreads for value in (*spread.values, *_known(spread))]
    if not spreads or not all(spread.values for spread in spreads):
        raise ValueError("a plot of spreads needs rows, and a value in each")
    left = _room(spread.name for spread in spreads)
    ticks = _ticks(min(numbers), max(numbers))
    at = _Scale(ticks[0], ticks[-1], left)
    top, bottom = 34, 34 + ROW * len(spreads)
    parts = [_words(left, 16, title, weight="bold")]
    for tick in ticks:
        parts.append(_line(at(tick), top, at(tick), bottom, PALE))
        parts.append(_words(at(tick), bottom + 15, _short(tick), anchor="middle"))
    parts.append(_words(left + WIDTH / 2, bottom + 32, axis, anchor="middle"))
    for i, spread in enumerate(spreads):
        parts += _spread(spread, at, top + ROW * (i + 0.5), left)
    return _svg(left + WIDTH + 20, bottom + 42, parts, title)


def difference_plot(title: str, ranking: Ranking) -> str:
    """Demsar's diagram: methods at their mean ranks, the best on the left; a bar joins those that do not differ."""
    names = list(ranking.mean_ranks)
    ranks = list(ranking.mean_ranks.values())
    left, k = _room(names), len(names)
    at = _Scale(1.0, float(k), left)
    groups = _alike(ranks, ranking.critical_difference)
    top = 74
    parts = [_words(left, 16, title, weight="bold")]
    parts += [_line(at(1), 36, at(1 + min(ranking.critical_difference, k - 1)), 36, TEXT, 2)]
    parts += [_words(at(1), 30, f"critical difference {ranking.critical_difference:.2f}")]
    parts += [_line(at(1), top, at(k), top, TEXT)]
    for x, number in ((at(i), str(i)) for i in range(1, k + 1)):
        parts += [_line(x, top - 5, x, top, TEXT), _words(x, top - 9, number, anchor="middle")]
    for i, (first, last) in enumerate(groups):
        bar = top + 8 + 7 * i
        parts.append(_line(at(ranks[first]) - 4, bar, at(ranks[last]) + 4, bar, BLUE, 4))
    below = top + 12 + 7 * len(groups)
    for i, name in enumerate(names):
        y = below + ROW * (i + 0.5)
        parts += [_line(at(ranks[i]), top, at(ranks[i]), y, GREY), _line(left - 6, y, at(ranks[i]), y, GREY)]
        parts.append(_words(left - 10, y + 4, f"{name} {ranks[i]:.2f}", anchor="end"))
    return _svg(left + WIDTH + 20, below + ROW * k + 10, parts, title)


def _alike(ranks: Sequence[float], difference: float) -> list[tuple[int, int]]:
    """(first, last) of each longest row of methods that lie within the critical difference, two at least."""
    found: list[tuple[int, int]] = []
    for first, rank in enumerate(ranks):
        last = max(i for i, other in enumerate(ranks) if other - rank <= difference)
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return found


def _spread(spread: Spread, at: "_Scale", y: float, left: float) -> list[str]:
    values = sorted(spread.values)
    middle = (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2
    parts = [_words(left - 10, y + 4, spread.name, anchor="end")]
    parts.append(_line(at(values[0]), y, at(values[-1]), y, GREY, 1.5))
    parts += [
        f'<circle cx="{_pixel(at(value))}" cy="{_pixel(y)}" r="3.2" fill="{BLUE}" fill-opacity=".55"/>'
        for value in values
    ]
    parts.append(_line(at(middle), y - 7, at(middle), y + 7, TEXT, 2))
    return parts + [
        f'<circle cx="{_pixel(at(value))}" cy="{_pixel(y)}" r="5" fill="none" stroke="{TEXT}"/>'
        for value in _known(spread)
    ]


def _known(spread: Spread) -> tuple[float, ...]:
    return () if spread.published is None else (spread.published,)


class _Scale(NamedTuple):
    """From values to pixels."""

    low: float
    high: float
    left: float

    def __call__(self, value: float) -> float:
        return self.left + WIDTH * (value - self.low) / (self.high - self.low)


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers around ``low`` and ``high``, four to ten of them, from at most the one to at least the other."""
    step = next(
        step for step in (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 10.0) if high - low <= 8 * step
    )
    first, last = int(low / step // 1), -int(-high / step // 1)
    last = max(last, first + 2)
    return [round(i * step, 6) for i in range(first, last + 1)]


def _room(names: Iterable[str]) -> float:
    """Pixels for the longest of ``names`` and a number behind it."""
    return 30 + CHARACTER * (5 + max(map(len, names)))


def _short(value: float) -> str:
    text = f"{value:.3f}".rstrip("0").rstrip(".")
    return text.replace("0.", ".", 1) if text not in ("0", "-0") else "0"


def _pixel(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1) -> str:
    ends = f'x1="{_pixel(x1)}" y1="{_pixel(y1)}" x2="{_pixel(x2)}" y2="{_pixel(y2)}"'
    return f'<line {ends} stroke="{colour}" stroke-width="{_pixel(width)}"/>'


def _words(x: float, y: float, text: str, anchor: str = "start", weight: str = "normal") -> str:
    where = f'x="{_pixel(x)}" y="{_pixel(y)}" text-anchor="{anchor}" font-weight="{weight}"'
    return f'<text {where} fill="{TEXT}">{escape(text)}</text>'


def _svg(width: float, height: float, parts: Sequence[str], title: str) -> str:
    w, h = _pixel(width), _pixel(height)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" viewBox="0 0 {w} {h}" role="img"'
    style = 'font-family="sans-serif" font-size="11"'
    background = '<rect width="100%" height="100%" fill="#ffffff"/>'
    return "\n".join([f"{head} {style}>", f"<title>{escape(title)}</title>", background, *parts, "</svg>"]) + "\n"
