"""What traces have in common: the cloud that a packet walks through, and what is told of what became of it."""

from collections.abc import Iterator
from functools import cached_property
from ipaddress import IPv4Address
from typing import Any, NamedTuple

from flows.drops import BY_NUMBER, REASONS
from flows.engine import Engine
from flows.flow import Flow, show_action, show_term
from flows.pipeline import CONNECTIONS, DROPS, TABLES, UPSTREAM
from flows.simulator import Arrived, Fabric, Step, Walk
from sdnapp.hostnames import names
from sdnapp.router_icmp import words_about
from sdnapp.status import NO_GATEWAY
from sdnapp.turns import Turns
from sdnapp.whereabouts import Whereabouts
from topology import facts
from topology.doors import gateway_chassis
from topology.store import Store
from topology.values import Chassis, Port, PortBinding

_OVERHEARD = frozenset(REASONS[name].number for name in ("unknown_origin", "unknown_destination", "not_here"))
"""Why a chassis drops what a physical network brings it that is for others: a switch there may send it to all."""


class Traced(NamedTuple):
    """A packet's walk, and what is told of it as a JSON value."""

    walk: Walk
    document: dict[str, Any]


class Teller:
    """Tells of packets in the cloud of a store, through the flows that an engine says the chassis should hold.

    The cloud remembers the connections that they have begun.
    """

    def __init__(self, store: Store, engine: Engine) -> None:
        self.store, self.engine = store, engine
        self.whereabouts = Whereabouts(store, engine)
        self._hostnames = {row.id: row.hostname for row in store.all(Chassis)}
        self._shown = names(self._hostnames)

    @cached_property
    def fabric(self) -> Fabric:
        """The cloud: all chassis with their flows, and ports where they are. Others have their turn meanwhile."""
        turns = Turns()
        at = {}
        for port_id in turns.between({binding.port_id for binding in self.store.all(PortBinding)}):
            live = self.engine.ask(facts.live_port, port_id)
            if live is not None:
                # Another may have come to the same place since.
                at[live.chassis_id, live.ofport] = port_id
        chassis = self.store.all(Chassis)
        flows = {row.id: self.engine.desired(row.id).values() for row in chassis}
        placements = {port_id: place for place, port_id in turns.between(at.items()) if place[0] in flows}
        return Fabric(chassis, flows, placements, where=self.whereabouts.of_mac, give_way=turns.give_way)

    def told(self, walk: Walk, verdict: str, explanation: str) -> dict[str, Any]:
        """Return what every trace says of a packet's walk, as a JSON value."""
        return {
            "steps": [_step_row(step) for step in _steps(walk)],
            "verdict": verdict,
            "delivered_to": [
                {
                    "port_id": each.port_id,
                    "chassis": self._chassis_of(each.port_id),
                    "packet": repr(each.packet.headers),
                }
                for each in walk.deliveries
            ],
            "left_by": [
                {
                    "chassis": each.chassis_id,
                    "physical_network": each.physical_network,
                    "packet": repr(each.packet.headers),
                }
                for each in walk.on_physical
            ],
            "explanation": explanation,
            "hostnames": self._hostnames,
        }

    def chassis(self, chassis_id: str | None) -> str:
        """Call a chassis by its host name, or by its id where another has that."""
        return self._shown.get(chassis_id or "", chassis_id) or "nowhere"

    def port(self, port_id: str) -> str:
        """Call a port by name and id, and say where it is."""
        row = self.store.get(Port, port_id)
        name = f"{row.name} ({port_id})" if row is not None and row.name else port_id
        return f"{name} on {self.chassis(self._chassis_of(port_id))}"

    def delivered(self, walk: Walk) -> str:
        """Say to whom a packet was delivered."""
        beside = f", and put on the physical network {walk.on_physical[0].physical_network}" if walk.on_physical else ""
        return f"delivered to {', '.join(self.port(each.port_id) for each in walk.deliveries)}{beside}"

    def left(self, walk: Walk) -> str:
        """Say where and as whose a packet left for a physical network."""
        frame = walk.on_physical[0]
        sender = f", as {IPv4Address(frame.packet['ipv4_src'])}" if "ipv4_src" in frame.packet else ""
        return f"it leaves {self.chassis(frame.chassis_id)} for the physical network {frame.physical_network}{sender}"

    def handed_up(self, walk: Walk) -> str:
        """Say what the controller does with a packet that came to it."""
        asking = [each.flow for each in walk.to_controller if each.flow.table == UPSTREAM.number]
        if any(not self.engine.ask(gateway_chassis, flow.owner.partition("/")[2]) for flow in asking):
            return f"nobody can ask for the next hop outside: {NO_GATEWAY}"
        if asking:
            return "the controller asks by ARP for the next hop outside, which nobody has answered for yet"
        sent = walk.to_controller[0]
        if sent.flow.feature == "upstream":
            return "the controller asks by ARP for the address, which nobody on its network has answered for yet"
        about = words_about(sent.flow, sent.packet.get("ip_proto", 0)) if sent.flow.feature == "icmp" else None
        return f"the controller answers{f' by ICMP: {about}' if about is not None else ''}"

    def dropped(self, walk: Walk) -> str:
        """Say where and why a packet ended that came to nothing."""
        last = _steps(walk)[-1]
        where = self.chassis(last.chassis_id)
        if last.flow is not None and (reason := BY_NUMBER.get(last.packet.get("drop_reason", 0))) is not None:
            return f"dropped on {where}, counted as {reason.name}{self._whose(last.flow)}. {reason.doc}"
        why = TABLES[last.table].doc.split(". ")[-1]
        by = f"by {last.flow.owner}" if last.flow is not None else "as nothing there matches it"
        return f"dropped in table {last.table} on {where} {by}. {why}"

    def _whose(self, flow: Flow) -> str:
        """Say of which port a drop is counted, if it is any's."""
        kind, _, port_id = flow.owner.partition("/")
        row = self.store.get(Port, port_id) if kind == "port" else None
        return f" of {row.name} ({port_id})" if row is not None and row.name else f" of {port_id}" if row else ""

    def _chassis_of(self, port_id: str) -> str | None:
        live = self.engine.ask(facts.live_port, port_id)
        return live.chassis_id if live is not None else None


def flow_row(flow: Flow) -> dict[str, Any]:
    """Return a flow as a JSON value, with fields, registers and tables by name."""
    return {
        "owner": flow.owner,
        "feature": flow.feature,
        "priority": flow.priority,
        "cookie": f"{flow.cookie:#018x}",
        "match": ",".join(map(show_term, flow.match)),
        "actions": ",".join(map(show_action, flow.actions)) or "drop",
    }


def is_dropped_beyond_a_wire(walk: Walk) -> bool:
    """Return whether a chassis drops what a physical network brings it, and not because it is for others."""
    return any(_ends_on_a_wire(arrived) and not _is_overheard(arrived) for arrived in walk.arrivals)


def _steps(walk: Walk) -> list[Step]:
    concerned = [arrived for arrived in walk.arrivals if not _is_overheard(arrived)] or walk.arrivals
    return [step for arrived in concerned for step in _of_the_packet(arrived)]


def _of_the_packet(arrived: Arrived) -> Iterator[Step]:
    # A copy only counts a connection; the packet is elsewhere.
    return (step for step in arrived.steps if step.table != CONNECTIONS.name)


def _is_overheard(arrived: Arrived) -> bool:
    """Return whether a chassis just hears on a physical network what is for others."""
    return _ends_on_a_wire(arrived) and arrived.steps[-1].packet.get("drop_reason", 0) in _OVERHEARD


def _ends_on_a_wire(arrived: Arrived) -> bool:
    return arrived.by == "patch" and not arrived.goes_on and arrived.steps[-1].table == DROPS.name


def _step_row(step: Step) -> dict[str, Any]:
    found = {"owner": None, "feature": "miss", "match": "", "actions": "drop"}
    return {
        "chassis": step.chassis_id,
        "table": step.table,
        **(flow_row(step.flow) if step.flow else found),
        "packet": repr(step.packet.headers),
    }
