"""Names and marks of what the controller makes on a switch."""

import re
from collections.abc import Mapping
from hashlib import sha256
from ipaddress import IPv4Address

OWNED = {"sdnapp-owned": "true"}
"""``external_ids`` of every bridge, port, interface and manager that the controller made, and may change or remove."""

PREFIX = "sdn-"
"""How the names of all ports begin that the controller makes."""

ENCAPSULATIONS = ("geneve", "vxlan")

_DEVICE_LENGTH = 15
"""Longest name of a network device, in characters. Patch ports are none, and their names may be longer."""
_NETWORK_LENGTH = 16
"""Longest name of a physical network that is part of its patch ports' names as it is."""

_PLAIN = re.compile(r"[A-Za-z0-9_.-]+")


def is_owned(external_ids: Mapping[str, str]) -> bool:
    """Return whether the controller made the row that has these."""
    # Asked for each of thousands of ports after each change.
    return external_ids.get("sdnapp-owned") == "true"


def is_device_name(name: str) -> bool:
    """Return whether a bridge may have this name."""
    return bool(_PLAIN.fullmatch(name)) and len(name) <= _DEVICE_LENGTH and name not in (".", "..")


def tunnel_port(encapsulation: str) -> str:
    """Return the name of the integration bridge's tunnel port."""
    return f"{PREFIX}{encapsulation}"


_WATCH = re.compile(rf"{PREFIX}w([0-9a-f]{{8}})")


def watch_port(address: str) -> str:
    """Return the name of the port that watches a chassis, by its tunnel address."""
    return f"{PREFIX}w{int(IPv4Address(address)):08x}"


def watched_address(name: str) -> str | None:
    """Return the tunnel address of the chassis that a port of this name watches; None for any other port."""
    found = _WATCH.fullmatch(name)
    return str(IPv4Address(int(found[1], 16))) if found else None


def patch_ports(physical_network: str) -> tuple[str, str]:
    """Return the names of a patch port pair: on the integration bridge, and on the mapped bridge.

    A physical network whose name is too long for that, or no plain name, gives it by digest.
    """
    name = physical_network
    if len(name) > _NETWORK_LENGTH or not _PLAIN.fullmatch(name):
        name = sha256(physical_network.encode()).hexdigest()[:_NETWORK_LENGTH]
    return f"{PREFIX}{name}-int", f"{PREFIX}{name}-ext"
