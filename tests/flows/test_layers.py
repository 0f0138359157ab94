"""The packages depend on one another in one direction only, and the pure ones do not reach for the world."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAY_IMPORT = {
    "topology": {"topology"},
    "flows": {"topology", "flows"},
    "sdnapp": {"topology", "flows", "sdnapp"},
}
OURS = {*MAY_IMPORT, "tests", "mininet"}
WORLD = {"socket", "time", "datetime", "eventlet", "os_ken", "random", "asyncio", "select", "subprocess", "ovs"}
PURE = ("topology", "flows")
BANNED_NAMES = {"utils", "util", "common", "manager", "helpers", "helper", "misc"}


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(source: str) -> Iterator[str]:
    """Yield the dotted name of every module that some code imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def roots(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imported(path.read_text())}


def cases(*packages: str) -> list:
    return [pytest.param(p, path, id=str(path.relative_to(ROOT))) for p in packages for path in modules(p)]


def test_every_package_is_there():
    assert all(modules(package) for package in MAY_IMPORT)


def test_imports_are_found_wherever_they_stand():
    source = "import a.b, c\nfrom d.e import f\ndef g():\n    from h import i\n    if g: import j as k\nfrom . import l"
    assert set(imported(source)) == {"a.b", "c", "d.e", "h", "j", "."}


@pytest.mark.parametrize(("package", "path"), cases(*MAY_IMPORT))
def test_packages_import_only_what_is_below_them(package, path):
    assert not roots(path) & OURS - MAY_IMPORT[package]


@pytest.mark.parametrize(("package", "path"), cases(*PURE))
def test_the_core_has_no_clock_no_sockets_and_no_chance(package, path):
    assert not roots(path) & WORLD


@pytest.mark.parametrize(("package", "path"), cases(*MAY_IMPORT))
def test_modules_say_what_they_hold(package, path):
    assert path.stem not in BANNED_NAMES
    assert "" not in roots(path), "a relative import: write the whole name"


def test_mininet_is_no_package():
    # With an __init__.py it would hide the real Mininet from whoever runs in this directory.
    assert not (ROOT / "mininet" / "__init__.py").exists()
