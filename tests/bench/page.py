"""Results for people: a table on the terminal, and docs/benchmarks.md from what docs/benchmarks holds as JSON."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.bench import catalogue, plots
from tests.bench.results import OURS, Figure, Result, growth

ROOT = Path(__file__).parents[2]
RESULTS, PAGE = ROOT / "docs" / "benchmarks", ROOT / "docs" / "benchmarks.md"

_HEAD = """\
# Benchmarks

<!-- Made by `./run bench NAME --page` from docs/benchmarks/*.json; a test keeps it current. -->

`./run bench` lists them, `sudo ./run bench NAME --peer ovn` runs one on your machine and installs what it needs
(`--json FILE` keeps the figures). Figures are medians; where *p99* is given, 99 of 100 samples were as good or better.
Where a peer is named it is the unmodified product; it ran on the same machine in the same run, and the subjects took
turns. *Times better* is the ratio of the medians; *CPU ms* is the server's processor time for one request. Only ratios
carry over to other machines. *Processors kept awake*: for the whole run, all subjects alike, they were not let sleep
between packets, as on servers that are set for latency (`tuned-adm profile latency-performance`). What
bounds the figures, and what was tried to better them, is in [performance.md](performance.md).
"""

_AWAKE = {True: ", processors kept awake", False: ", processors free to sleep", None: ""}


def render(results: Iterable[Result]) -> str:
    """Return docs/benchmarks.md."""
    return "\n".join([_HEAD, *(_section(result) for result in results)])


def stored() -> list[Result]:
    """Return the results that the repository holds, in the order of the catalogue."""
    paths = [RESULTS / f"{name}.json" for name in catalogue.titles()]
    return [Result.from_json(json.loads(path.read_text())) for path in paths if path.exists()]


def store(result: Result) -> None:
    """Put a result in the place of the last one of its benchmark, and make the page again."""
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(result.to_json(), indent=1) + "\n"
    (RESULTS / f"{result.benchmark}.json").write_text(text)
    renew()


def renew() -> None:
    """Make the page and its pictures again from the results that the repository holds."""
    for result in stored():
        (RESULTS / f"{result.benchmark}.svg").write_text(plots.picture(result.figures))
    PAGE.write_text(render(stored()))


def terminal_row(figure: Figure) -> str:
    """Return one line for the terminal."""
    each = [
        f"{name} {_number(value.median)}"
        + (f" (p99 {_number(value.p99)})" if value.p99 is not None else "")
        + (f" ({figure.held_by[name]})" if name in figure.held_by else "")
        for name, value in figure.values.items()
    ]
    each += [f"{_times_better(figure, peer)} times better than {peer}" for peer in figure.against]
    verdict = {None: "", True: f"  aim {_aim(figure)} met", False: f"  AIM {_aim(figure)} MISSED"}[figure.aim_is_met]
    return f"{figure.present:>7,} {figure.of}  {figure.what:<44} {figure.unit:>10}  {', '.join(each)}{verdict}"


def _section(result: Result) -> str:
    title, text = catalogue.titles()[result.benchmark], catalogue.text(result.benchmark)
    machine = result.machine
    peers = [name for name in result.versions if name != OURS]
    lines = [f"## {title}", "", *text.strip().splitlines()[2:], ""]
    lines += [f"- Command: `{result.command}`, {result.date}, {result.seconds / 60:.0f} minutes"]
    lines += [
        f"- Machine: {machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"Linux {machine['kernel']}, Python {machine['python']}{_AWAKE[machine.get('kept_awake')]}"
    ]
    lines += [f"- {name}: {version}" for name, version in result.versions.items()]
    noise = "**the figures are noisy**, run it again on a quiet machine" if result.is_noisy else "the machine was quiet"
    lines += [f"- Other processes kept {result.others_busy:.2f} cores busy meanwhile: {noise}", ""]
    lines += [f"![{title}](benchmarks/{result.benchmark}.svg)", "", *_rows(result, peers), ""]
    grown = [f"{what} {_number(times)} times" for what, times in growth(result.figures).items()]
    lines += ["Time with the most ports, against that with the fewest:", f"{', '.join(grown)}.", ""] if grown else []
    missed = [f"{_place(figure)} ({_aim(figure)})" for figure in result.figures if figure.aim_is_met is False]
    lines += [f"Aims missed: {'; '.join(missed)}." if missed else "Every aim is met."]
    open_ones = [f"{_place(figure)} (of {peer})" for figure in result.figures for peer in figure.undecided]
    lines += ["", f"Not decided, as the aim is within the range: {'; '.join(open_ones)}."] if open_ones else []
    return "\n".join(lines) + "\n"


def _rows(result: Result, peers: list[str]) -> Iterator[str]:
    own = catalogue.table_of(result.benchmark)
    return own(result.figures) if own is not None else _table(result.figures, peers)


def _table(figures: list[Figure], peers: list[str]) -> Iterator[str]:
    names = [OURS, *peers]
    values = [value for figure in figures for value in figure.values.values()]
    kinds = {"": "median"}
    kinds |= {"p99": "p99"} if any(value.p99 is not None for value in values) else {}
    kinds |= {"CPU ms": "cpu_ms"} if any(value.cpu_ms is not None for value in values) else {}
    heads = ["what", "ports", "unit", "aim"]
    heads += [f"{name} {kind}".strip() for name in names for kind in kinds]
    heads += [f"times better than {peer}" for peer in peers]
    yield f"| {' | '.join(heads)} |"
    yield f"|{'|'.join(['---'] + ['---:'] * (len(heads) - 1))}|"
    order = list(dict.fromkeys(figure.what for figure in figures))
    for figure in sorted(figures, key=lambda figure: order.index(figure.what)):
        cells = [figure.what, f"{figure.present:,}", figure.unit, _aim(figure)]
        shown = [figure.values.get(name) for name in names]
        cells += [_number(getattr(value, kind, None)) for value in shown for kind in kinds.values()]
        cells += [_times_better(figure, peer) for peer in peers]
        yield f"| {' | '.join(cells)} |"


def _times_better(figure: Figure, peer: str) -> str:
    if peer not in figure.against:
        return _number(figure.times_better(peer))
    ratio = figure.against[peer]
    return f"{ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"


def _place(figure: Figure) -> str:
    return f"{figure.what} with {figure.present:,} {figure.of}" if figure.present else figure.what


def _aim(figure: Figure) -> str:
    bound = "at least" if figure.more_is_better else "at most"
    aims = [] if figure.aim is None else [f"{bound} {_number(figure.aim)}"]
    aims += [f"{bound} {_number(ratio)} of {peer}" for peer, ratio in figure.ratios.items()]
    return ", ".join(aims)


def _number(value: float | None) -> str:
    """Three digits, or all before the point."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
