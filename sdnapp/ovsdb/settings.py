"""What an operator says about a chassis, in ``external_ids`` of its ``Open_vSwitch`` row. Pure.

A malformed setting counts as one that is not there, and is told as a problem: a line that names the key and the fix.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address
from typing import NamedTuple

from sdnapp.ovsdb.naming import ENCAPSULATIONS, is_device_name

SYSTEM_ID = "system-id"
HOSTNAME = "hostname"
ENCAP_IP = "sdnapp-encap-ip"
ENCAP_TYPE = "sdnapp-encap-type"
BRIDGE = "sdnapp-bridge"
BRIDGE_MAPPINGS = "sdnapp-bridge-mappings"
GATEWAY = "sdnapp-gateway"
DATAPATH_TYPE = "sdnapp-datapath-type"

DEFAULT_BRIDGE = "br-int"
DEFAULT_ENCAPSULATION = "geneve"
CONNECTIONS_PER_PORT = 131_072
"""That a chassis remembers, unless the controller's operator or the chassis's says otherwise."""

_NO_TUNNELS = "no tunnels until it is"

# Ids are parts of keys ("<port>@<chassis>", "<kind>/<id>") and columns of tables for people.
_ID = re.compile(r"[^\s/@\x00-\x20\x7f]{1,255}")
_PHYSICAL_NETWORK = re.compile(r"[^\s:,/\x00-\x20\x7f]{1,64}")


@dataclass(frozen=True)
class Settings:
    """The settings of one chassis. None and empty: not set, or malformed."""

    system_id: str | None = None
    hostname: str = ""
    bridge: str | None = DEFAULT_BRIDGE
    encap_ip: str | None = None
    encap_types: tuple[str, ...] = ()
    bridge_mappings: tuple[tuple[str, str], ...] = ()
    gateway: bool = False
    datapath_type: str | None = None


class Problem(NamedTuple):
    """What is wrong with the setting of this key, what that means, and what may be written instead."""

    key: str
    fault: str
    effect: str
    example: str

    def __str__(self) -> str:
        fix = f"ovs-vsctl set Open_vSwitch . external_ids:{self.key}={self.example}"
        return f"{self.key} {self.fault}; {self.effect}: {fix}"


def is_id(text: str) -> bool:
    """Return whether this may be the id of a chassis or a port."""
    return bool(_ID.fullmatch(text))


def read_settings(external_ids: Mapping[str, str]) -> tuple[Settings, tuple[Problem, ...]]:
    """Return the settings, and the problems found in them."""
    problems: list[Problem] = []
    system_id = external_ids.get(SYSTEM_ID, "").strip() or None
    if system_id is None:
        problems.append(Problem(SYSTEM_ID, "is not set", "nothing is done here until it is", "ID"))
    elif not is_id(system_id):
        fault = f"{_short(system_id)} has spaces, '/' or '@', or is longer than 255 characters"
        problems.append(Problem(SYSTEM_ID, fault, "nothing is done here until that is changed", "ID"))
        system_id = None

    bridge: str | None = external_ids.get(BRIDGE, "").strip() or DEFAULT_BRIDGE
    if bridge is not None and not is_device_name(bridge):
        fault = f"{_short(bridge)} is no name of a bridge (15 characters at most)"
        problems.append(Problem(BRIDGE, fault, "no bridge is set up until it is", DEFAULT_BRIDGE))
        bridge = None

    encap_ip = _encap_ip(external_ids, problems)
    encap_types = _encap_types(external_ids, problems)
    return (
        Settings(
            system_id=system_id,
            hostname=external_ids.get(HOSTNAME, "").strip() or system_id or "",
            bridge=bridge,
            encap_ip=encap_ip,
            encap_types=encap_types if encap_ip else (),
            bridge_mappings=_bridge_mappings(external_ids, bridge, problems),
            gateway=_gateway(external_ids, problems),
            datapath_type=external_ids.get(DATAPATH_TYPE, "").strip() or None,
        ),
        tuple(problems),
    )


def _encap_ip(external_ids: Mapping[str, str], problems: list[Problem]) -> str | None:
    text = external_ids.get(ENCAP_IP, "").strip()
    if not text:
        return None
    try:
        address = IPv4Address(text)
    except AddressValueError:
        problems.append(Problem(ENCAP_IP, f"{_short(text)} is not an IPv4 address", _NO_TUNNELS, "ADDRESS"))
        return None
    if address.is_unspecified or address.is_multicast or address.is_reserved:
        problems.append(Problem(ENCAP_IP, f"{text} is no address of a host", _NO_TUNNELS, "ADDRESS"))
        return None
    return str(address)


def _encap_types(external_ids: Mapping[str, str], problems: list[Problem]) -> tuple[str, ...]:
    text = external_ids.get(ENCAP_TYPE, "").strip() or DEFAULT_ENCAPSULATION
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names or not set(names) <= set(ENCAPSULATIONS):
        choice = " or ".join(ENCAPSULATIONS)
        fault = f"{_short(text)} is not {choice}, nor both with a comma"
        problems.append(Problem(ENCAP_TYPE, fault, _NO_TUNNELS, DEFAULT_ENCAPSULATION))
        return ()
    return tuple(dict.fromkeys(names))


def _bridge_mappings(
    external_ids: Mapping[str, str], integration_bridge: str | None, problems: list[Problem]
) -> tuple[tuple[str, str], ...]:
    mappings: dict[str, str] = {}
    for item in filter(None, map(str.strip, external_ids.get(BRIDGE_MAPPINGS, "").split(","))):
        network, colon, bridge = (part.strip() for part in item.partition(":"))
        if not colon or not _PHYSICAL_NETWORK.fullmatch(network) or not is_device_name(bridge):
            fault = f"{_short(item)} is not PHYSICAL_NETWORK:BRIDGE"
        elif network in mappings:
            fault = f"names {network} twice"
        elif bridge == integration_bridge:
            fault = f"maps {network} to the integration bridge {bridge} itself"
        elif bridge in mappings.values():
            # Two patch pairs between the same two bridges are a loop.
            fault = f"maps {network} to {bridge}, as another physical network"
        else:
            mappings[network] = bridge
            continue
        problems.append(Problem(BRIDGE_MAPPINGS, fault, "this one is left out", "physnet1:br-ex,..."))
    return tuple(mappings.items())


def _gateway(external_ids: Mapping[str, str], problems: list[Problem]) -> bool:
    text = external_ids.get(GATEWAY, "").strip().lower()
    if text not in ("", "true", "false"):
        problems.append(Problem(GATEWAY, f"{_short(text)} is neither true nor false", "it counts as false", "true"))
    return text == "true"


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
