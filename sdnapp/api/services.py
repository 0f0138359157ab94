"""What the API needs from the rest of the application, as protocols: tests pass stand-ins, the application itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from sdnapp.probes import Probe

Ranges = Sequence[tuple[int, int]]
"""Numbers to allocate from: pairs of first and last, inclusive, in order of preference."""

MAX_VNI = (1 << 24) - 1


@dataclass(frozen=True)
class Settings:
    """What an operator chooses. Sizes are octets.

    ``vlan_ranges`` maps a physical network to the VLAN ids that may be given out on it; networks that name their VLAN
    id need no entry. ``default_project`` owns what is created where a request names no project at all. ``quotas`` are
    how many objects of a kind a project may have unless limits were set for it; -1, or no entry, is no limit.
    ``rate_limit`` is how many requests a second each project may make; 0 is no limit.
    """

    default_network_type: str = "geneve"
    external_network_type: str = "geneve"
    vni_ranges: Ranges = ((1, MAX_VNI),)
    vlan_ranges: Mapping[str, Ranges] = field(default_factory=dict)
    underlay_mtu: int = 1500
    base_mac: str = "fa:16:3e:00:00:00"
    default_project: str = "default"
    max_body: int = 8 << 20
    quotas: Mapping[str, int] = field(
        default_factory=lambda: {
            "network": 100,
            "subnet": 100,
            "port": 500,
            "router": 10,
            "floatingip": 50,
            "security_group": 10,
            "security_group_rule": 100,
            "rbac_policy": 10,
        }
    )
    max_dns_nameservers: int = 5
    max_host_routes: int = 20
    max_address_pairs: int = 10
    max_routes: int = 30
    rate_limit: int = 0


class Operator(Protocol):
    """What operators see. Dictionaries and lists hold JSON values; the API hands them out as they are."""

    def chassis(self) -> list[dict[str, Any]]:
        """Return a summary of each chassis."""
        ...

    def chassis_details(self, chassis_id: str) -> dict[str, Any] | None:
        """Return all about one chassis, or None if there is no such chassis."""
        ...

    def status(self) -> dict[str, Any]:
        """Return chassis, sessions, networks, and the ports that are not realised with the reason."""
        ...

    def flows(self, chassis_id: str, owner: str | None, table: str | None) -> dict[str, Any] | None:
        """Return the desired flows of a chassis, of one owner and table if named; None if there is no such chassis."""
        ...

    def gateways(self) -> dict[str, Any]:
        """Return, for each router with a gateway, the chassis that serve it and those that translate."""
        ...

    def restarts(self) -> list[dict[str, Any]]:
        """Return what it took to bring chassis in sync, the last few times."""
        ...

    def holds(self) -> list[dict[str, Any]]:
        """Return the longest holds of the event loop in the last minute."""
        ...

    def drops(self, port: str | None, chassis_id: str | None) -> dict[str, Any] | None:
        """Return what was dropped, of a port and on a chassis if named; None if there is no such chassis.

        Raises ValueError that says what is wrong with the port's id or name. Asks the switches, and blocks this green
        thread only.
        """
        ...

    def trace(self, port: str, to: str, probe: Probe, *, answer: bool) -> dict[str, Any]:
        """Return the road of a packet from a port, by id or name, to an address; of its answer, too, if asked for.

        Raises ValueError: what is wrong.
        """
        ...

    def trace_from_outside(
        self, network: str, source: str | None, via: str | None, to: str, probe: Probe, *, answer: bool
    ) -> dict[str, Any]:
        """Return the road of a packet of a host on a physical network, by id or name, to an address; likewise.

        ``source`` is the host's address, ``via`` its next hop; None where that is clear. Raises ValueError that says
        what is wrong.
        """
        ...

    def wait_realized(self, revision: int | None, seconds: float) -> bool:
        """Return whether every live chassis confirmed the revision (None: now's) within the seconds.

        Blocks this green thread only.
        """
        ...

    def metrics(self) -> str:
        """Return the metrics in Prometheus's text format."""
        ...


class Services(Protocol):
    """Clock, settings, and what only the running application knows about a port."""

    @property
    def settings(self) -> Settings:
        """What the operator chose."""
        ...

    @property
    def operator(self) -> Operator:
        """The operator's views."""
        ...

    def now(self) -> datetime:
        """Return the time, with its zone."""
        ...

    def port_status(self, port_id: str) -> str:
        """Return ``ACTIVE`` once every chassis that must hold the port's flows has confirmed them, else ``DOWN``."""
        ...

    def router_status(self, router_id: str) -> str:
        """Return ``ACTIVE`` once every chassis that must hold the router's flows has confirmed them, else ``DOWN``."""
        ...

    def floatingip_status(self, floatingip_id: str) -> str:
        """Return ``ACTIVE`` once the chassis concerned translate for the floating IP, else ``DOWN``."""
        ...

    def realization(self, port_id: str) -> Mapping[str, str]:
        """Return, for each chassis that must hold the port's flows, where it stands, in words."""
        ...
