"""A controller between a store and switches that do what they are told, when the test says so."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from flows.drops import REASONS
from flows.flow import Flow
from flows.pipeline import DROPS
from sdnapp.controller import Controller
from sdnapp.dhcp.service import DhcpSettings
from sdnapp.openflow.counts import Counts
from sdnapp.punts import Punts
from sdnapp.responders import Responders
from topology.placement import Plugged
from topology.security import DIRECTIONS
from topology.store import Store
from topology.values import Chassis, FixedIP, Network, Port, SecurityGroup, SecurityGroupRule, Segment, Subnet


class FakeSwitches:
    """Holds what it was sent; confirms when asked to."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[Any, Flow]] = {}
        self.revisions: dict[str, int] = {}
        self.assignments = 0
        self.failing: set[str] = set()
        """Names of methods that fail."""
        self.waiting: set[str] = set()
        """Datapath ids of those whose latest difference may wait."""
        self.refused: dict[str, str] = {}
        self.counted: dict[str, Counts | None] = {}

    def assign(self, datapath_id: str, flows: Iterable[Flow], revision: int) -> None:
        if "assign" in self.failing:
            raise RuntimeError("assign")
        self.assignments += 1
        self.tables[datapath_id] = {flow.key: flow for flow in flows}
        self.revisions[datapath_id] = revision

    def update(
        self,
        datapath_id: str,
        added: Iterable[Flow],
        removed: Iterable[Flow],
        revision: int,
        *,
        may_wait: bool = False,
    ) -> None:
        if "update" in self.failing:
            raise RuntimeError("update")
        (self.waiting.add if may_wait else self.waiting.discard)(datapath_id)
        for flow in removed:
            del self.tables[datapath_id][flow.key]
        self.tables[datapath_id] |= {flow.key: flow for flow in added}
        self.revisions[datapath_id] = revision

    def counts(self) -> dict[str, Counts | None]:
        return self.counted

    def drop(self, datapath_id: str, owner: str, reason: str, packets: int, together: int = 1) -> None:
        """Count packets as dropped on a switch; so many of a port's come ``together`` and make its counter."""
        flows = [flow for flow in self.tables[datapath_id].values() if flow.table == DROPS.number]
        (flow,) = (
            flow
            for flow in flows
            if flow.owner == owner and (flow.learner or flow.match[0].value == REASONS[reason].number)
        )
        known = self.counted.get(datapath_id) or Counts({}, {})
        counted, learnt = dict(known.flows), {cookie: dict(found) for cookie, found in known.learnt.items()}
        if flow.learner is not None:
            learnt.setdefault(flow.learner.cookie, {})[REASONS[reason].number] = packets - together
            packets = together
        counted[flow.cookie] = counted.get(flow.cookie, 0) + packets
        self.counted[datapath_id] = Counts(counted, known.meters, learnt)

    def refuse(self, datapath_id: str, reason: str) -> None:
        self.refused[datapath_id] = reason


class EmptyWorld:
    """A store, a controller, and chassis a and b."""

    def __init__(self, *, certified: bool = False) -> None:
        self.store = Store()
        self.switches = FakeSwitches()
        responders = Responders(self.store, DhcpSettings())
        self.controller = Controller(self.store, self.switches, responders, certified=certified)
        self.sent_out: list[tuple[str, int, bytes]] = []
        self.punts = Punts(self.controller.responders, lambda *answer: self.sent_out.append(answer))

    def chassis(self, name: str, **values: Any) -> Chassis:
        return Chassis(
            name,
            datapath_id=name * 16,
            encap_ip=f"192.0.2.{ord(name)}",
            encap_types=("geneve",),
            tunnel_ports=(("geneve", 1),),
            **values,
        )

    def report(self, name: str, *ports: str) -> None:
        self.controller.observed(
            self.chassis(name), {port: Plugged(10 + int(port[1:]), f"tap{port}") for port in ports}
        )

    def connect(self, name: str) -> None:
        self.controller.switch_connected(name * 16)

    def confirm(self, *names: str) -> None:
        self.controller.catch_up()
        for name in names:
            self.controller.confirmed(name * 16, self.switches.revisions[name * 16])

    def change(self, kind: type, row_id: str, **values: Any) -> None:
        with self.store.transaction() as tx:
            tx.put(replace(tx.get(kind, row_id), **values))

    def status(self, port_id: str) -> str:
        return self.controller.port_status(port_id)


class World(EmptyWorld):
    """An empty world, but for two ports on one network."""

    def __init__(self, *, certified: bool = False) -> None:
        super().__init__(certified=certified)
        with self.store.transaction() as tx:
            tx.put(Network("n", "red", 1, Segment("geneve", 100)))
            tx.put(Subnet("s", "red", "n", "10.0.0.0/24", gateway_ip="10.0.0.1"))
            for number in (1, 2):
                address = (FixedIP("s", f"10.0.0.{number + 4}"),)
                mac = f"fa:16:3e:00:00:0{number}"
                tx.put(Port(f"p{number}", "red", "n", number, mac, fixed_ips=address, security_groups=("open",)))
            tx.put(SecurityGroup("open", "red", 1))
            for direction in DIRECTIONS:
                tx.put(SecurityGroupRule(direction, "red", "open", direction))
