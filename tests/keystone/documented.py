"""What docs/security.md tells an operator to do: the commands of his cloud, and the controller's configuration."""

import re
from collections.abc import Iterator
from pathlib import Path

KEYSTONE, NETWORK = "https://keystone.example.org:5000", "https://network.example.org:9696"
_PAGE = Path(__file__).parents[2] / "docs" / "security.md"


def commands() -> Iterator[str]:
    """Yield what the cloud's administrator runs to make the controller known, one ``openstack`` command each."""
    section = _section()
    first = re.search(r"```console\n(.*?)```", section, re.DOTALL)
    assert first is not None
    yield from re.findall(r"^\$ (openstack .*)$", first[1], re.MULTILINE)


def configuration() -> str:
    """Return the controller's file."""
    found = re.search(r"```ini\n(.*?)```", _section(), re.DOTALL)
    assert found is not None
    return found[1]


def _section() -> str:
    return _PAGE.read_text().partition("## The API: tokens of Keystone")[2].partition("\n## ")[0]
