"""A benchmark's figures as one SVG picture: a panel for each measure, lines over the number of ports, or bars."""

import math
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from tests.bench.results import OURS, Figure

_SUBJECTS = {OURS: "#1f6fb4", "ovn": "#d9730d", "plain": "#6b7280", "neutron": "#8a4fbf"}
COLOURS = _SUBJECTS | {"clock": "#6b7280", "processor": "#1f6fb4"}
"""Each subject has its colour on every picture, and each measure of holds."""
_INK, _FAINT, _PAPER = "#24292f", "#d0d7de", "#ffffff"
_COLUMNS = 2
_LETTERS = 58
"""So many have their place above a panel."""
_WIDTH, _HEIGHT, _BAR, _GAP, _TOP = 400, 230, 17, 18, 34
_LEFT, _RIGHT, _HEAD, _FOOT = 66, 62, 30, 34


def picture(figures: Sequence[Figure]) -> str:
    """Return the picture of all figures, measures in their order."""
    measures: dict[str, list[Figure]] = {}
    for figure in figures:
        measures.setdefault(figure.what, []).append(figure)
    panels = [(_lines(each), _HEIGHT) if len(each) > 1 else _bars(each[0]) for each in measures.values()]
    names = [name for name in COLOURS if any(name in figure.values for figure in figures)]
    parts, y = list(_legend(names)), float(_TOP)
    for start in range(0, len(panels), _COLUMNS):
        row = panels[start : start + _COLUMNS]
        for column, (content, _) in enumerate(row):
            parts.append(f'<g transform="translate({column * (_WIDTH + _GAP)},{y:g})">{content}</g>')
        y += max(height for _, height in row) + _GAP
    width = _COLUMNS * (_WIDTH + _GAP) - _GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y:g}" width="{width}" '
        f'font-family="sans-serif" font-size="11" fill="{_INK}">\n'
        f'<rect width="100%" height="100%" fill="{_PAPER}"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _legend(names: Iterable[str]) -> Iterator[str]:
    for place, name in enumerate(names):
        x = 8 + place * 90
        yield f'<rect x="{x}" y="9" width="12" height="12" rx="2" fill="{COLOURS[name]}"/>'
        yield f'<text x="{x + 18}" y="19">{escape(name)}</text>'


def _title(figure: Figure) -> str:
    aside = f"{figure.unit}, {'more' if figure.more_is_better else 'less'} is better".removeprefix(", ")
    if len(figure.what) + len(aside) > _LETTERS:
        aside = figure.unit
    title = f'<text x="8" y="16" font-weight="bold">{escape(figure.what)}</text>'
    return f'{title}<text x="{_WIDTH - 8}" y="16" text-anchor="end" fill="#57606a">{escape(aside)}</text>'


def _lines(figures: Sequence[Figure]) -> str:
    """Both axes are logarithmic: what grows as the number of ports does is a straight line that rises by one to one."""
    sizes = [figure.present for figure in figures]
    values = [value.median for figure in figures for value in figure.values.values()]
    low, high = _decades(values)
    first, last = math.log10(max(1, min(sizes))), math.log10(max(1, max(sizes)))

    def x(size: int) -> float:
        share = (math.log10(max(1, size)) - first) / ((last - first) or 1)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        share = (math.log10(max(value, 10.0**low)) - low) / (high - low)
        return _HEIGHT - _FOOT - share * (_HEIGHT - _HEAD - _FOOT)

    parts = [_title(figures[0])]
    for power in range(low, high + 1):
        at = y(10.0**power)
        parts.append(f'<path d="M{_LEFT} {at:.1f}H{_WIDTH - _RIGHT}" stroke="{_FAINT}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{_short(10.0**power)}</text>')
    for size in sizes:
        parts.append(f'<text x="{x(size):.1f}" y="{_HEIGHT - 18}" text-anchor="middle">{size:,}</text>')
    middle, of = (_LEFT + _WIDTH - _RIGHT) / 2, escape(figures[0].of)
    parts.append(f'<text x="{middle}" y="{_HEIGHT - 4}" text-anchor="middle">{of}</text>')
    for name, colour in COLOURS.items():
        points = [(x(f.present), y(f.values[name].median), f.values[name].median) for f in figures if name in f.values]
        if points:
            path = " ".join(f"{px:.1f},{py:.1f}" for px, py, _ in points)
            parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
            parts += [f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3" fill="{colour}"/>' for px, py, _ in points]
            px, py, value = points[-1]
            parts.append(f'<text x="{px + 7:.1f}" y="{py + 4:.1f}" fill="{colour}">{_short(value)}</text>')
    return "".join(parts)


def _bars(figure: Figure) -> tuple[str, int]:
    names = [name for name in COLOURS if name in figure.values]
    longest = max(0.0, *(figure.values[name].median for name in names)) or 1.0
    parts = [_title(figure)]
    for place, name in enumerate(names):
        value, top = figure.values[name].median, 26 + place * (_BAR + 4)
        width = max(0.0, value) / longest * (_WIDTH - 62 - _RIGHT)
        parts.append(f'<text x="56" y="{top + 13}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<rect x="62" y="{top}" width="{width:.1f}" height="{_BAR}" fill="{COLOURS[name]}"/>')
        parts.append(f'<text x="{62 + width + 6:.1f}" y="{top + 13}">{_short(value)}</text>')
    return "".join(parts), 26 + len(names) * (_BAR + 4)


def _decades(values: Iterable[float]) -> tuple[int, int]:
    """Return the powers of ten that hold all values between them."""
    present = [value for value in values if value > 0] or [1.0]
    low, high = math.floor(math.log10(min(present))), math.ceil(math.log10(max(present)))
    return low, max(high, low + 1)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
