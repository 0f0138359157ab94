"""All tests, in two lanes side by side: ``./run test`` as root.

Tests that need root or Open vSwitch mostly wait, for switches, controllers and packets. Those that need neither
compute, with what the first lane leaves of the processors, and in a network namespace of their own, where they take no
port that a test of the first lane is about to listen on.
"""

import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

WAITING, COMPUTING = "root or ovs", "not root and not ovs"
APART = ("unshare", "--net", "sh", "-c", 'ip link set lo up && exec nice -n 10 "$@"', "sh")
"""Before a command: others go before it at the processor, and it is alone on its loopback interface."""
OUTCOMES = {"failure": "failed", "error": "errors", "skipped": "skipped"}
"""What pytest says for the elements of its report; a test without any has passed."""


def main(arguments: Sequence[str]) -> int:
    """Run all tests, with more arguments for pytest; show the second lane's output after the first's."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryFile("w+") as output:
        reports = [Path(directory, name) for name in ("waiting.xml", "computing.xml")]
        waiting, computing = (
            (*_pytest(marks, report), *arguments) for marks, report in zip((WAITING, COMPUTING), reports, strict=True)
        )
        second = subprocess.Popen(
            # The first lane's failures are those that --last-failed means.
            (*APART, *computing, "-o", "cache_dir=.pytest_cache/computing"),
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
        try:
            print(
                f"==> Tests marked {WAITING}; meanwhile the others, whose output comes when both have ended", flush=True
            )
            codes = [subprocess.run(waiting, check=False).returncode]
        finally:
            codes.append(second.wait())
        output.seek(0)
        print(f"==> Tests marked {COMPUTING}", output.read(), sep="\n")
        for line in summary(reports, time.monotonic() - started):
            print(line)
    # 5: there was none to run, as can be in one of two lanes.
    return next((code for code in codes if code not in (0, 5)), min(codes))


def _pytest(marks: str, report: Path) -> tuple[str, ...]:
    return (sys.executable, "-m", "pytest", "-m", marks, f"--junitxml={report}", "-o", "junit_family=xunit1")


def summary(reports: Sequence[Path], seconds: float) -> Iterator[str]:
    """Yield the lines that end it all: each test that did not pass or was left out, by name, and the sum of all lanes.

    The sum is said as pytest says it. A lane that did not come to its end has no report.
    """
    counts: Counter[str] = Counter()
    for report in reports:
        if not report.exists():
            counts["errors"] += 1
            yield f"ERROR the lane of {report.stem} tests has not come to its end"
            continue
        for case in ET.parse(report).iter("testcase"):
            outcome = next((OUTCOMES[each.tag] for each in case if each.tag in OUTCOMES), "passed")
            counts[outcome] += 1
            if outcome in ("failed", "errors"):
                yield f"{outcome.removesuffix('s').upper()} {case.get('file')}::{case.get('name')}"
    said = [f"{counts[each]} {each}" for each in ("failed", "passed", "skipped", "errors") if counts[each]]
    yield f" {', '.join(said) or 'no tests ran'} in {seconds:.2f}s, in two lanes ".center(100, "=")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
