"""``./run bench [NAME]``: runs a benchmark, shows its figures as they come, and keeps them where it is told to."""

import argparse
import json
import os
import shlex
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import api, page, subjects
from tests.bench.machine import Others, ProcessTree, describe
from tests.bench.results import Result
from tests.bench.subjects import PEERS


def main() -> int:
    """Run the command; return its exit status: 1 if an aim was missed."""
    parser = argparse.ArgumentParser(prog="run bench", description="Measure, on this machine. Benchmarks: api.")
    parser.add_argument("name", nargs="?", choices=sorted(page.DESCRIPTIONS), help="without it, list the benchmarks")
    parser.add_argument("--peer", choices=sorted(PEERS), help="measure this one beside it, taking turns")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--page", action="store_true", help="put them into docs/benchmarks.md")
    options = parser.parse_args()
    if options.name is None:
        for name, (title, _) in sorted(page.DESCRIPTIONS.items()):
            print(f"{name:<20} {title}")
        return 0
    result = run(options.name, options.peer, api.Plan())
    if options.json:
        options.json.write_text(json.dumps(result.to_json(), indent=1) + "\n")
    if options.page:
        page.store(result)
    if result.is_noisy:
        print(f"Other processes kept {result.others_busy:.2f} cores busy: the figures are noisy.")
    return 1 if any(figure.aim_is_met is False for figure in result.figures) else 0


def run(name: str, peer: str | None, plan: api.Plan) -> Result:
    """Start the subjects, measure them, and return what was found."""
    started, figures = time.monotonic(), []
    with ExitStack() as stack:
        found = [stack.enter_context(start()) for start in (subjects.sdnapp, *([PEERS[peer]] if peer else []))]
        others = Others(ProcessTree(os.getpid()))
        for figure in api.measure(found, plan):
            print(page.terminal_row(figure), flush=True)
            figures.append(figure)
        return Result(
            benchmark=name,
            command=f"./run bench {shlex.join(sys.argv[1:])}",
            date=f"{datetime.now(UTC):%Y-%m-%d}",
            machine=describe(),
            others_busy=round(others.cores_busy(), 2),
            seconds=round(time.monotonic() - started),
            versions={subject.name: subject.version for subject in found},
            figures=figures,
        )


if __name__ == "__main__":
    raise SystemExit(main())
