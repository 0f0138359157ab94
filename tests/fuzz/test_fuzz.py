"""Each parser withstands a short run of the fuzzer and every input that it ever failed on."""

import importlib.util
from pathlib import Path

import pytest

from tests.fuzz.__main__ import fuzz
from tests.fuzz.targets import CRASHES, SEEDS, TARGETS

SHORT = 1
"""Seconds for each target."""

INPUTS = [path for root in (SEEDS, CRASHES) for path in sorted(root.glob("*/*")) if path.name != "README.md"]


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.parent.name}-{path.parent.name}-{path.name}")
def test_what_was_ever_noteworthy(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


def test_each_target_has_seeds() -> None:
    assert {path.name for path in SEEDS.iterdir()} == set(TARGETS)
    assert {path.parent.name for path in INPUTS} == set(TARGETS)


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris has no package for this Python")
@pytest.mark.parametrize("name", sorted(TARGETS))
def test_a_short_run(name: str, tmp_path: Path) -> None:
    assert fuzz(name, SHORT, tmp_path, tmp_path / "crashes"), list((tmp_path / "crashes" / name).iterdir())
