"""What operators see: chassis and their sessions, what is not realised and why, flows, traces, metrics.

Dictionaries of JSON values, served by the API; docs/operator-api.md says what is in them.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from flows.flow import Flow
from flows.pipeline import TABLES
from sdnapp import gateways
from sdnapp.answers import answer_to
from sdnapp.controller import Controller
from sdnapp.drops import Ask, Drops
from sdnapp.holds import Holds
from sdnapp.probes import Probe
from sdnapp.punts import Punts
from sdnapp.realization import DEAD, SILENT
from sdnapp.restarts import Restarts
from sdnapp.roads import Teller, Traced, flow_row
from sdnapp.source_ports import SourcePorts
from sdnapp.tracing import trace
from sdnapp.tracing_outside import Outside, trace_from_outside
from sdnapp.turns import Turns
from topology import facts
from topology.store import Store
from topology.values import FLOATING_IP, Chassis, FloatingIP, Network, Port, PortBinding

_FEW = 5
"""Of those that have one name, so many are told."""

Named = TypeVar("Named", Port, Network)

Report = Callable[[], list[dict[str, Any]]]


class Operations:
    """The operator's views of a running controller; ``switches`` and ``databases`` report the sessions of each side.

    ``counts`` asks the switches what they have counted in a table.
    """

    def __init__(
        self,
        controller: Controller,
        punts: Punts,
        switches: Report,
        databases: Report,
        counts: Ask = dict,
        *,
        restarts: Restarts | None = None,
        source_ports: SourcePorts | None = None,
        holds: Holds | None = None,
        awaited: Callable[[str], list[str]] = lambda chassis_id: [],
    ) -> None:
        """``awaited`` is as of ``gateways.told``."""
        self._awaited = awaited
        self._holds = holds or Holds()
        self._controller = controller
        self._restarts = restarts or Restarts(controller.store)
        self._punts = punts
        self._switches = switches
        self._databases = databases
        self._source_ports = source_ports or SourcePorts(controller, lambda datapaths, table, feature: {})
        self._drops = Drops(controller, punts, counts)

    @property
    def _store(self) -> Store:
        return self._controller.store

    def chassis(self) -> list[dict[str, Any]]:
        """Return every chassis by host name, with its two sessions and the ports on it."""
        turns = Turns()
        return [self._chassis_row(row, *sessions) | self._ports_of(row, turns) for row, *sessions in self._sessions()]

    def chassis_details(self, name: str) -> dict[str, Any] | None:
        """Return the chassis with this id or host name, or None."""
        chassis_id = self._id_of(name)
        return next((each for each in self.chassis() if each["id"] == chassis_id), None)

    def status(self) -> dict[str, Any]:
        """Return counts, a line for each chassis, what is not realised and why, and what switches rejected."""
        controller = self._controller
        # The port of a floating IP holds an address, and is plugged in nowhere.
        ports = [port for port in self._store.all(Port) if port.device_owner != FLOATING_IP]
        # As each is when its turn comes: others have theirs in between.
        judged = ((port, controller.why_down(port)) for port in Turns().between(ports))
        reasons = [(port, reason) for port, reason in judged if reason is not None]
        names = {network.id: network.name for network in self._store.all(Network)}
        short = ("id", "hostname", "alive", "state", "confirmed_revision")
        return {
            "revision": self._store.revision,
            "chassis": [{key: each[key] for key in short} | {"ports": len(each["ports"])} for each in self.chassis()],
            "networks": len(names),
            "ports": {"total": len(ports), "active": len(ports) - len(reasons)},
            "unrealized": [
                {
                    "port_id": port.id,
                    "name": port.name,
                    "network": names.get(port.network_id) or port.network_id,
                    "host": binding.chassis_id if binding is not None else None,
                    "reason": reason,
                }
                for port, reason in Turns().between(reasons)
                for binding in [controller.engine.ask(facts.binding_in_force, port.id)]
            ],
            "floating_ips": [
                {
                    "floatingip_id": row.id,
                    "address": row.address,
                    "port_id": row.port_id,
                    "router_id": row.router_id,
                    "reason": reason,
                }
                for row in Turns().between(self._store.all(FloatingIP))
                if (reason := controller.why_floatingip_down(row)) is not None
            ],
            "strangers": [
                {"chassis": binding.chassis_id, "interface": binding.interface, "port_id": binding.port_id}
                for binding in self._store.all(PortBinding)
                if self._store.get(Port, binding.port_id) is None
                and controller.realization.progress(binding.chassis_id).state != DEAD
            ],
            "rejected": [
                {"chassis": chassis_id, "owner": owner, "feature": reason.partition(": ")[0], "reason": reason}
                for chassis_id, owner, reason in controller.realization.rejections()
            ],
            "failed": [
                {"unit": failure.unit, "of": list(failure.args), "error": failure.error}
                for failure in controller.engine.failures.values()
            ],
        }

    def flows(self, name: str, owner: str | None = None, table: str | None = None) -> dict[str, Any] | None:
        """Return what a chassis should hold, by table and falling priority; None for an unknown id or host name.

        ``owner`` (whole, as ``port/<id>``, or the id alone) and ``table`` (by name) narrow it.
        """
        chassis_id = self._id_of(name)
        if chassis_id is None:
            return None
        self._controller.catch_up()
        turns = Turns()
        found: dict[int, list[Flow]] = {each.number: [] for each in TABLES if table is None or each.name == table}
        for flow in turns.between(list(self._controller.engine.desired(chassis_id).values())):
            if flow.table in found and (owner is None or owner in (flow.owner, flow.owner.partition("/")[2])):
                found[flow.table].append(flow)
        return {
            "chassis": chassis_id,
            "tables": [
                {
                    "name": each.name,
                    "number": each.number,
                    "flows": [
                        flow_row(flow)
                        for flow in turns.between(
                            sorted(found[each.number], key=lambda flow: (-flow.priority, flow.cookie))
                        )
                    ],
                }
                for each in TABLES
                if each.number in found
            ],
        }

    def trace(self, port: str, to: str, probe: Probe, *, answer: bool = False) -> dict[str, Any]:
        """Return the road of a packet from a port, by id or name, to an address; of its answer, too, if asked for.

        Raises ValueError: what is wrong.
        """
        self._controller.catch_up()
        sender, teller = self._port_called(port), Teller(self._store, self._controller.engine)
        return self._told(teller, trace(teller, sender, to, self._controller.why_down, probe=probe), answer)

    def trace_from_outside(
        self, network: str, source: str | None, via: str | None, to: str, probe: Probe, *, answer: bool = False
    ) -> dict[str, Any]:
        """Return the road of a packet of a host on a physical network, by id or name, to an address; likewise.

        ``source`` and ``via`` are as of ``Outside``. Raises ValueError: what is wrong.
        """
        self._controller.catch_up()
        sender, teller = (
            Outside(self._network_called(network), source, via),
            Teller(self._store, self._controller.engine),
        )
        return self._told(teller, trace_from_outside(teller, sender, to, self._controller, probe=probe), answer)

    def _told(self, teller: Teller, traced: Traced, answer: bool) -> dict[str, Any]:
        back = {"answer": answer_to(teller, traced, self._controller)} if answer else {}
        return traced.document | back

    def gateways(self) -> dict[str, Any]:
        """Return who serves the gateways of routers, and what the chassis are called."""
        self._controller.catch_up()
        bfd = {each["chassis"]: each["bfd"] for each in self._databases() if each["chassis"] is not None}
        size = self._controller.snat_block_size
        told = gateways.told(
            *(self._store, self._controller.engine.view, self._source_ports.is_short, bfd, size), awaited=self._awaited
        )
        return {"gateways": told, "hostnames": self._hostnames()}

    def restarts(self) -> list[dict[str, Any]]:
        """Return the receipts of the last times that chassis were brought in sync, newest first."""
        return self._restarts.told()

    def drops(self, port: str | None = None, name: str | None = None) -> dict[str, Any] | None:
        """Return what was dropped, of a port if one is given, on a chassis likewise; None for an unknown chassis.

        Raises ValueError that says what is wrong with the port's id or name.
        """
        port_id = self._port_called(port).id if port is not None else None
        chassis_id = self._id_of(name) if name is not None else None
        if name is not None and chassis_id is None:
            return None
        rows, silent = self._drops.told()
        return {
            "drops": [
                row
                for row in rows
                if port_id in (None, row["port_id"]) and (chassis_id is None or row["chassis"] == chassis_id)
            ],
            "silent": [each for each in silent if chassis_id in (None, each)],
            "hostnames": self._hostnames(),
        }

    def wait_realized(self, revision: int | None, seconds: float) -> bool:
        """Wait until every chassis that counts has confirmed a revision (None: now's), at most so many seconds."""
        return self._controller.wait_realized(revision, seconds)

    def holds(self) -> list[dict[str, Any]]:
        """Return the longest holds of the event loop in the last minute, and whose they were."""
        return self._holds.report()

    def metrics(self) -> str:
        """Return the metrics in Prometheus's text format."""
        store, controller = self._store, self._controller
        lines = [
            f"sdnapp_store_revision {store.revision}",
            f"sdnapp_networks {len(store.ids(Network))}",
            f"sdnapp_ports {len(store.ids(Port))}",
        ]
        for each in (self._chassis_row(row, *sessions) for row, *sessions in self._sessions()):
            label = f'{{chassis="{each["id"]}"}}'
            lines.append(f"sdnapp_chassis_alive{label} {int(each['alive'])}")
            lines.append(f"sdnapp_chassis_confirmed_revision{label} {each['confirmed_revision']}")
            if each["openflow"]["connected"]:
                lines.append(f"sdnapp_chassis_flows{label} {each['openflow']['flows']}")
                lines.append(f"sdnapp_flow_mods_sent_total{label} {each['openflow']['flow_mods_sent']}")
                lines.append(f"sdnapp_meter_mods_sent_total{label} {each['openflow']['meter_mods_sent']}")
                lines.append(f"sdnapp_flows_rejected_total{label} {each['openflow']['rejected']}")
                lines.append(f"sdnapp_packet_outs_dropped_total{label} {each['openflow']['packets_dropped']}")
        lines += [*self._holds.metrics(), *self._restarts.metrics()]
        for (feature, outcome), count in sorted(controller.responders.counts.items()):
            lines.append(f'sdnapp_packet_ins_total{{feature="{feature}",outcome="{outcome}"}} {count}')
        lines.append(f"sdnapp_packet_ins_waiting {self._punts.waiting}")
        for reason, count in sorted(self._punts.refused.items()):
            lines.append(f'sdnapp_packet_ins_refused_total{{reason="{reason}"}} {count}')
        for row in self._drops.told()[0]:
            labels = f'chassis="{row["chassis"] or ""}",port="{row["port_id"] or ""}",reason="{row["reason"]}"'
            lines.append(f"sdnapp_drops_total{{{labels}}} {row['packets']}")
        lines += self._source_ports.metrics()
        for name, count in sorted(controller.engine.runs.items()):
            lines.append(f'sdnapp_engine_runs_total{{function="{name}"}} {count}')
        return "\n".join(lines) + "\n"

    def _id_of(self, name: str) -> str | None:
        """Return the id of the chassis that has this id, or alone has this host name, or alone among the live ones."""
        if self._store.get(Chassis, name) is not None:
            return name
        named = self._store.find_ids(Chassis, "hostname", name)
        live = [each for each in named if self._controller.realization.progress(each).state != DEAD]
        return next((found[0] for found in (named, live) if len(found) == 1), None)

    def _hostnames(self) -> dict[str, str]:
        return {row.id: row.hostname for row in self._store.all(Chassis)}

    def _port_called(self, text: str) -> Port:
        """Return the port that has this id, or alone has this name. Raises ValueError."""
        return self._called("port", Port, "port", text)

    def _network_called(self, text: str) -> Network:
        """Return the network likewise."""
        return self._called("from_outside", Network, "network", text)

    def _called(self, field: str, kind: type[Named], what: str, text: str) -> Named:
        row = self._store.get(kind, text)
        if row is not None:
            return row
        named = [each for each in Turns().between(self._store.all(kind)) if text and each.name == text]
        if len(named) == 1:
            return named[0]
        if named:
            told = ", ".join(sorted(each.id for each in named)[:_FEW])
            raise ValueError(
                f"{field}: {len(named)} {what}s are called {text}: say which one by its id, such as {told}"
            )
        raise ValueError(f"{field}: no {what} has the id or the name {text!r}: `openstack {what} list` shows them")

    def _sessions(self) -> list[tuple[Chassis, dict[str, Any], dict[str, Any]]]:
        """Return every chassis by host name, with what its two sessions report: nothing where there is none."""
        switches = {each["datapath_id"]: each for each in self._switches()}
        databases = {each["chassis"]: each for each in self._databases()}
        rows = sorted(self._store.all(Chassis), key=lambda row: (row.hostname, row.id))
        return [(row, switches.get(row.datapath_id, {}), databases.get(row.id, {})) for row in rows]

    def _ports_of(self, row: Chassis, turns: Turns) -> dict[str, list[str]]:
        bound = self._controller.bindings_at(row.id, turns.give_way)
        return {"ports": [port_id for port_id in bound if self._store.get(Port, port_id) is not None]}

    def _chassis_row(self, row: Chassis, switch: dict[str, Any], database: dict[str, Any]) -> dict[str, Any]:
        progress = self._controller.realization.progress(row.id)
        return {
            "id": row.id,
            "hostname": row.hostname,
            "datapath_id": row.datapath_id,
            "bridge": row.bridge,
            "encap_ip": row.encap_ip,
            "encap_types": list(row.encap_types),
            "bridge_mappings": dict(row.bridge_mappings),
            "gateway": row.gateway,
            "alive": progress.state not in (DEAD, SILENT),
            "state": progress.state,
            "confirmed_revision": progress.confirmed,
            "openflow": {"connected": bool(switch), **switch},
            "ovsdb": {"connected": bool(database), **database},
        }
