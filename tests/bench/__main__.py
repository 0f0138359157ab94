"""``./run bench [NAME]``: runs a benchmark, shows its figures as they come, and keeps them where it is told to."""

import argparse
import json
import os
import shlex
import shutil
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import catalogue, page
from tests.bench.catalogue import API, Options
from tests.bench.machine import Others, ProcessTree, awake, describe
from tests.bench.results import Result

ALL = "all"
PROGRAMS = {"ovn": ("ovn-northd", "ovn-controller", "ovn-nbctl", "ovn-sbctl")}
"""What the peers need on the PATH; `run` installs it."""


def main() -> int:
    """Run the command; return its exit status: 1 if an aim was missed."""
    parser = argparse.ArgumentParser(prog="run bench", description="Measure, on this machine.")
    names = [*catalogue.titles(), ALL]
    parser.add_argument("names", nargs="*", metavar="NAME", help="without one, list the benchmarks; all is all but api")
    parser.add_argument("--peer", action="append", default=[], metavar="PEER", help="measure it, too; repeatable")
    parser.add_argument("--sizes", type=_sizes, metavar="N[,N...]", help="with so many ports, not as is usual")
    parser.add_argument("--rounds", type=int, metavar="N", help="let each subject have so many turns")
    parser.add_argument("--quick", action="store_true", help="one turn, and small sizes: to see that it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--page", action="store_true", help="put them into docs/benchmarks.md; by itself, renew that")
    options = parser.parse_args()
    if not options.names and options.page:
        page.renew()
        return 0
    if not options.names:
        for name, title in catalogue.titles().items():
            print(f"{name:<14} {title}  (peers: {', '.join(catalogue.peers_of(name)) or 'none'})")
        return 0
    if strange := sorted(set(options.names) - set(names)):
        parser.error(f"there is no benchmark {strange[0]}; there are {', '.join(names)}")
    chosen = [name for name in names if name not in (API, ALL)] if ALL in options.names else options.names
    known = {peer for name in chosen for peer in catalogue.peers_of(name)}
    if strange := sorted(set(options.peer) - known):
        parser.error(f"--peer {strange[0]}: here are only {', '.join(sorted(known)) or 'no peers'}")
    missing = [each for peer in options.peer for each in PROGRAMS.get(peer, ()) if shutil.which(each) is None]
    if missing:
        parser.error(f"{', '.join(missing)} not found: `sudo ./run bench` installs what peers need")
    results = []
    for name in chosen:
        peers = tuple(peer for peer in options.peer if peer in catalogue.peers_of(name))
        results.append(run(name, Options(peers, options.sizes, options.rounds, options.quick)))
        if options.page:
            page.store(results[-1])
    if options.json:
        found = [result.to_json() for result in results]
        options.json.write_text(json.dumps(found[0] if len(found) == 1 else found, indent=1) + "\n")
    return 1 if any(figure.aim_is_met is False for result in results for figure in result.figures) else 0


def run(name: str, options: Options) -> Result:
    """Run a benchmark, show its figures as they come, and return what was found."""
    started, figures, versions = time.monotonic(), [], {}
    print(f"{name}: {catalogue.titles()[name]}", flush=True)
    others = Others(ProcessTree(os.getpid()))
    with awake() as kept_awake:
        for figure in catalogue.measure(name, options, versions):
            print(page.terminal_row(figure), flush=True)
            figures.append(figure)
    result = Result(
        benchmark=name,
        command=f"{'' if name == API else 'sudo '}./run bench {shlex.join(sys.argv[1:])}",
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        machine={**describe(), "kept_awake": kept_awake},
        others_busy=round(others.cores_busy(), 2),
        seconds=round(time.monotonic() - started),
        versions=versions,
        figures=figures,
    )
    if result.is_noisy:
        print(f"Other processes kept {result.others_busy:.2f} cores busy: the figures are noisy.")
    return result


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(sorted(int(each) for each in text.split(",")))


if __name__ == "__main__":
    # Mininet's scenarios are no package. Behind everything else, so that they hide nothing.
    sys.path.append(str(page.ROOT / "mininet"))
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # What was built is taken down.
    raise SystemExit(main())
