"""Results for people: a table on the terminal, and docs/benchmarks.md from what docs/benchmarks holds as JSON."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.bench import api
from tests.bench.results import OURS, Figure, Result, Value, growth

ROOT = Path(__file__).parents[2]
RESULTS, PAGE = ROOT / "docs" / "benchmarks", ROOT / "docs" / "benchmarks.md"
DESCRIPTIONS = {"api": (api.TITLE, api.__doc__ or "")}

_HEAD = """\
# Benchmarks

<!-- Made by `./run bench NAME --page` from docs/benchmarks/*.json; a test keeps it current. -->

`./run bench` lists them, `./run bench NAME` runs one on your machine (`--json FILE` keeps the figures). What is timed
is the whole request at the client: connected, over loopback, until the last byte is there. *p99*: 99 of 100 requests
were as fast or faster. *CPU*: processor time of the server for one request, the figure that other work on the machine
blurs least. Where a peer is named it is the unmodified product; it ran on the same machine in the same run, and the
subjects took turns. *Times better* is the ratio of the medians.
"""


def render(results: Iterable[Result]) -> str:
    """Return docs/benchmarks.md."""
    return "\n".join([_HEAD, *(_section(result) for result in results)])


def stored() -> list[Result]:
    """Return the results that the repository holds, by name."""
    return [Result.from_json(json.loads(path.read_text())) for path in sorted(RESULTS.glob("*.json"))]


def store(result: Result) -> None:
    """Put a result in the place of the last one of its benchmark, and make the page again."""
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(result.to_json(), indent=1) + "\n"
    (RESULTS / f"{result.benchmark}.json").write_text(text)
    PAGE.write_text(render(stored()))


def terminal_row(figure: Figure) -> str:
    """Return one line for the terminal."""
    each = [
        f"{name} {_number(value.median)}" + (f" (p99 {_number(value.p99)})" if value.p99 is not None else "")
        for name, value in figure.values.items()
    ]
    verdict = {None: "", True: f"  aim {_aim(figure)} met", False: f"  AIM {_aim(figure)} MISSED"}[figure.aim_is_met]
    return f"{figure.present:>7,} ports  {figure.what:<30} {figure.unit:>10}  {', '.join(each)}{verdict}"


def _section(result: Result) -> str:
    title, text = DESCRIPTIONS[result.benchmark]
    machine = result.machine
    peers = [name for name in result.versions if name != OURS]
    lines = [f"## {title}", "", *text.strip().splitlines()[2:], ""]
    lines += [f"- Command: `{result.command}`, {result.date}, {result.seconds / 60:.0f} minutes"]
    lines += [
        f"- Machine: {machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"Linux {machine['kernel']}, Python {machine['python']}"
    ]
    lines += [f"- {name}: {version}" for name, version in result.versions.items()]
    noise = "**the figures are noisy**, run it again on a quiet machine" if result.is_noisy else "the machine was quiet"
    lines += [f"- Other processes kept {result.others_busy:.2f} cores busy meanwhile: {noise}", ""]
    lines += [*_table(result.figures, peers), ""]
    grown = [f"{what} {_number(times)} times" for what, times in growth(result.figures).items()]
    lines += ["Time with the most ports, against that with the fewest:", f"{', '.join(grown)}.", ""] if grown else []
    missed = [f"{figure.what} with {figure.present:,} ports" for figure in result.figures if figure.aim_is_met is False]
    lines += [f"Aims missed: {'; '.join(missed)}." if missed else "Every aim is met."]
    return "\n".join(lines) + "\n"


def _table(figures: Iterable[Figure], peers: list[str]) -> Iterator[str]:
    names = [OURS, *peers]
    heads = ["what", "ports there", "unit", "aim"]
    heads += [f"{name} {kind}".strip() for name in names for kind in ("median", "p99", "CPU ms")]
    heads += [f"times better than {peer}" for peer in peers]
    yield f"| {' | '.join(heads)} |"
    yield f"|{'|'.join(['---'] + ['---:'] * (len(heads) - 1))}|"
    for figure in sorted(figures, key=lambda figure: figure.what):
        cells = [figure.what, f"{figure.present:,}", figure.unit, _aim(figure)]
        cells += [cell for name in names for cell in _cells(figure.values.get(name))]
        cells += [_number(figure.times_better(peer)) for peer in peers]
        yield f"| {' | '.join(cells)} |"


def _cells(value: Value | None) -> tuple[str, str, str]:
    if value is None:
        return "", "", ""
    return _number(value.median), _number(value.p99), _number(value.cpu_ms)


def _aim(figure: Figure) -> str:
    if figure.aim is None:
        return ""
    return f"{'>' if figure.more_is_better else '<'} {_number(figure.aim)}"


def _number(value: float | None) -> str:
    """Three digits, or all before the point."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
