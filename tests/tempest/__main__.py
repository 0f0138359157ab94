"""``./run tempest [REGEX]``: runs Tempest's network tests on sdnapp; without REGEX all, and makes docs/tempest.md."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.foreign_python import python_with
from tests.tempest import report

ROOT = Path(__file__).parents[2]
PACKAGES = ("tempest==47.*", "neutron-tempest-plugin==3.3.*", "setuptools")
_ALL = rf"^({'|'.join(package.replace('.', chr(92) + '.') for package in report.SUITES.values())})\."
_LONGEST = 900
_END = "# end\n"
_STESTR = "[DEFAULT]\ntest_path={package}/test_discover\ntop_dir={package}\ngroup_regex=([^\\.]*\\.)*\n"


def main(arguments: list[str]) -> int:
    """Run the command; return its exit status: 1 if a test failed for a reason that is not known, or none passed."""
    python = python_with("tempest", PACKAGES)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tempest-") as place, running_cloud() as configuration:
        tests = run(python, Path(place), configuration, arguments[0] if arguments else _ALL)
    found = report.outcomes(tests)
    print(report.counts(found))
    for each in report.unexplained(found):
        print("failed:", each.module, each.name)
    if not arguments:
        report.PAGE.write_text(report.render(found, versions(python), time.monotonic() - started))
    return 1 if report.unexplained(found) or not any(each.status == "success" for each in found) else 0


@contextmanager
def running_cloud() -> Iterator[str]:
    """Serve the cloud that is tested; yield Tempest's configuration for it."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.tempest.cloud"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as cloud:
        assert cloud.stdin is not None and cloud.stdout is not None
        lines: list[str] = []
        while (line := cloud.stdout.readline()) != _END:
            if not line:
                raise RuntimeError("the cloud does not start; what it said is above")
            lines.append(line)
        yield "".join(lines)
        cloud.stdin.close()


def run(python: Path, place: Path, configuration: str, regex: str) -> list[dict[str, str]]:
    """Run the tests that a regular expression finds, two at a time, within 15 minutes; return what they came to."""
    (place / "tempest.conf").write_text(configuration)
    package = subprocess.run(
        [python, "-c", "import tempest; print(tempest.__path__[0])"], capture_output=True, text=True, check=True
    ).stdout.strip()
    (place / ".stestr.conf").write_text(_STESTR.format(package=package))
    stestr = python.with_name("stestr")
    path = f"{python.parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "TEMPEST_CONFIG_DIR": str(place), "TEMPEST_CONFIG": "tempest.conf"}
    command = [stestr, "run", "--concurrency", "2", regex]
    with subprocess.Popen(command, cwd=place, env=environment, start_new_session=True) as running:
        try:
            running.wait(_LONGEST)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
            raise
    last = subprocess.run([stestr, "last", "--subunit"], cwd=place, env=environment, stdout=subprocess.PIPE)
    read = subprocess.run(
        [python, Path(__file__).with_name("outcomes.py")], input=last.stdout, stdout=subprocess.PIPE, check=True
    )
    found: list[dict[str, str]] = json.loads(read.stdout)
    return found


def versions(python: Path) -> dict[str, str]:
    """Return the versions of the suites."""
    program = "import sys; from importlib.metadata import version as v; print(*(v(name) for name in sys.argv[1:]))"
    shown = subprocess.run([python, "-c", program, *report.SUITES], capture_output=True, text=True, check=True).stdout
    return dict(zip(report.SUITES, shown.split(), strict=True))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
