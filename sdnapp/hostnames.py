"""What chassis are called, for people."""

from collections import Counter
from collections.abc import Mapping


def names(hostnames: Mapping[str, str]) -> dict[str, str]:
    """Return what to show for ids of chassis: host names are shorter, but two machines may have one."""
    called = Counter(hostnames.values())
    return {chassis: name or chassis for chassis, name in hostnames.items() if called[name] == 1}
