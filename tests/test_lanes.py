"""The end of ``./run test`` counts the tests of both lanes and names those that failed; its status says so, too."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.lanes import summary

HEAD = "import pytest\n\n"
PASSES, FAILS = "def test_{}() -> None: pass\n", "def test_{}() -> None: raise ValueError\n"
BREAKS = "@pytest.fixture\ndef broken() -> None: raise ValueError\n\ndef test_broken(broken: None) -> None: pass\n"
SKIPS = '@pytest.mark.skip(reason="why not")\ndef test_{}() -> None: pass\n'
MARKED = "@pytest.mark.root\n"


def lanes(directory: Path, *tests: str) -> tuple[int, str]:
    """Run tests in lanes; return the exit status and the output."""
    file = directory / "test_few.py"
    file.write_text(HEAD + "\n\n".join(tests))
    arguments = (str(file), "-p", "no:cacheprovider", "-c", "/dev/null", "-W", "ignore", f"--rootdir={directory}")
    done = subprocess.run(
        [sys.executable, "-m", "tests.lanes", *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.root
def test_a_failure_in_either_lane_is_named_and_counted(tmp_path: Path) -> None:
    status, said = lanes(
        tmp_path,
        PASSES.format("one"),
        MARKED + FAILS.format("two"),
        BREAKS,
        SKIPS.format("four"),
        MARKED + PASSES.format("five"),
    )
    *_, second, first, last = said.splitlines()
    assert status == 1, said
    assert " 1 failed, 2 passed, 1 skipped, 1 errors in " in last
    assert {second, first} == {"FAILED test_few.py::test_two", "ERROR test_few.py::test_broken"}
    assert said.count("raise ValueError") >= 2, "both lanes show why"


@pytest.mark.root
def test_all_is_well_where_one_lane_has_nothing_to_do(tmp_path: Path) -> None:
    status, said = lanes(tmp_path, PASSES.format("one"), PASSES.format("two"))
    assert status == 0 and " 2 passed in " in said.splitlines()[-1], said


def test_a_lane_without_a_report_is_an_error(tmp_path: Path) -> None:
    error, total = summary([tmp_path / "waiting.xml"], 1.0)
    assert "waiting" in error and " 1 errors in 1.00s" in total
