"""What security groups cost: flows, and what a change of one rule or one member touches."""

from collections import Counter
from dataclasses import replace
from typing import Any

from flows.delta import Delta
from flows.engine import Engine
from topology.placement import Plugged, observe
from topology.store import Change, Store
from topology.values import AddressGroup, Chassis, FixedIP, Network, Port, SecurityGroup, SecurityGroupRule, Segment

MEMBERS, LOCAL = 5000, 50
SECURITY = {"port_filter", "security_groups", "permissions"}


class Tenant:
    """A group that names itself, and its chassis, ``LOCAL`` members on each; without a number, as many as it takes."""

    def __init__(self, members: int = 300, chassis: int | None = None) -> None:
        self.store = Store()
        with self.store.transaction() as tx:
            tx.put(Network("n", "t", 1, Segment("geneve", 100)))
            tx.put(SecurityGroup("default", "t", 1))
            tx.put(SecurityGroup("other", "t", 2))
            tx.put(AddressGroup("offices", "t", 3, addresses=("198.51.100.0/24",)))
            tx.put(SecurityGroupRule("out", "t", "default", "egress"))
            tx.put(SecurityGroupRule("in", "t", "default", "ingress", remote_group_id="default"))
            for number in range(members):
                tx.put(self.port(number))
        self.chassis = [f"c{number}" for number in range(chassis or members // LOCAL)]
        for number, name in enumerate(self.chassis):
            plugged = {f"p{n}": Plugged(n + 10, f"t{n}") for n in range(number * LOCAL, (number + 1) * LOCAL)}
            address = f"192.0.2.{number + 1}"
            row = Chassis(name, encap_ip=address, encap_types=("geneve",), tunnel_ports=(("geneve", 1),))
            observe(self.store, row, plugged)
        self.engine = Engine(self.store)
        self._changes: list[Change] = []
        self.store.watch(self._changes.append)

    @staticmethod
    def port(number: int, *groups: str) -> Port:
        address = f"10.{number >> 16}.{number >> 8 & 0xFF}.{number & 0xFF}"
        mac = f"fa:16:3e:{number >> 16:02x}:{number >> 8 & 0xFF:02x}:{number & 0xFF:02x}"
        return Port(f"p{number}", "t", "n", number + 1, mac, fixed_ips=(FixedIP("s", address),),
                    security_groups=groups or ("default",))  # fmt: skip

    def put(self, row: Any) -> tuple[dict[str, Delta], Counter[str]]:
        """Write a row; return what each chassis is sent, and what has run."""
        with self.store.transaction() as tx:
            tx.put(row)
        return self._follow()

    def delete(self, row: Any) -> tuple[dict[str, Delta], Counter[str]]:
        with self.store.transaction() as tx:
            tx.delete(type(row), row.id)
        return self._follow()

    def _follow(self) -> tuple[dict[str, Delta], Counter[str]]:
        before = self.engine.runs.copy()
        deltas = self.engine.update(self._changes)
        self._changes.clear()
        return deltas, self.engine.runs - before

    def security_flows(self, chassis: str) -> int:
        return sum(flow.feature in SECURITY for flow in self.engine.desired(chassis).values())


def test_a_group_of_5000_that_names_itself_costs_a_flow_a_member_and_a_few_for_each_local_one() -> None:
    # The others are plugged in nowhere: members count wherever they are.
    tenant = Tenant(MEMBERS, 1)
    flows = tenant.security_flows("c0")
    assert MEMBERS < flows <= 6000, flows

    stranger = tenant.port(MEMBERS, "other")
    tenant.put(stranger)
    deltas, _ = tenant.put(replace(stranger, security_groups=("default",)))
    assert deltas.keys() == {"c0"}
    assert 1 <= len(deltas["c0"].added) <= 3 and not deltas["c0"].removed


def test_a_new_member_is_one_flow_for_each_chassis_and_runs_nothing_of_other_ports() -> None:
    tenant = Tenant()
    guest = tenant.port(999, "other")
    tenant.put(guest)
    deltas, runs = tenant.put(replace(guest, security_groups=("default",)))
    assert {name: (len(d.added), len(d.removed)) for name, d in deltas.items()} == dict.fromkeys(tenant.chassis, (1, 0))
    assert runs["security_groups.member"] == 1
    assert all(count == 1 for count in runs.values()), runs
    deltas, _ = tenant.delete(guest)
    assert {name: (len(d.added), len(d.removed)) for name, d in deltas.items()} == dict.fromkeys(tenant.chassis, (0, 1))


def test_a_live_port_that_joins_or_leaves_touches_its_own_filter_and_one_member_elsewhere() -> None:
    tenant = Tenant()
    port = tenant.port(7, "other")
    deltas, runs = tenant.put(port)
    assert deltas.keys() == set(tenant.chassis)
    assert all((len(d.added), len(d.removed)) == (0, 1) for name, d in deltas.items() if name != "c0")
    assert {flow.owner for flow in deltas["c0"].removed + deltas["c0"].added} == {"port/p7"}
    assert runs["port_filter.asked"] == runs["security_groups.member"] == 1
    assert runs["security_groups.questions"] == runs["permissions.permitted"] == 0


def test_a_rule_runs_its_own_unit_and_its_groups_questions_and_nothing_of_ports() -> None:
    tenant = Tenant()
    rule = SecurityGroupRule("web", "t", "default", "ingress", protocol=6, port_range_min=80)
    deltas, runs = tenant.put(rule)
    # The permission, one for later fragments, and the group's questions anew.
    assert {name: (len(d.added), len(d.removed)) for name, d in deltas.items()} == dict.fromkeys(tenant.chassis, (3, 1))
    assert runs["permissions.permitted"] == runs["security_groups.questions"] == 1
    assert not any(name.startswith(("port_filter", "security_groups.member", "live_port")) for name in runs), runs
    deltas, runs = tenant.delete(rule)
    assert {name: (len(d.added), len(d.removed)) for name, d in deltas.items()} == dict.fromkeys(tenant.chassis, (1, 3))


def test_who_only_renames_a_group_sends_nothing() -> None:
    tenant = Tenant()
    group = tenant.store.get(SecurityGroup, "default")
    assert group is not None
    deltas, runs = tenant.put(replace(group, name="servers"))
    assert deltas == {} and set(runs) <= {"group", "remote_key"}


def test_an_address_group_goes_where_a_group_names_it() -> None:
    tenant = Tenant(100)
    with tenant.store.transaction() as tx:
        tx.put(tenant.port(0, "other"))
    tenant._follow()
    deltas, _ = tenant.put(SecurityGroupRule("offices", "t", "other", "ingress", remote_address_group_id="offices"))
    assert deltas.keys() == {"c0"}
    deltas, runs = tenant.put(AddressGroup("offices", "t", 3, addresses=("198.51.100.0/24", "203.0.113.0/24")))
    assert deltas.keys() == {"c0"} and len(deltas["c0"].added) == 1 and not deltas["c0"].removed
    assert runs["security_groups.listed"] == 1


def test_groups_that_are_not_on_a_chassis_cost_it_nothing() -> None:
    tenant = Tenant(100)
    tenant.put(SecurityGroupRule("r", "t", "other", "ingress", remote_group_id="default", protocol=6))
    assert not any("other" in flow.owner for flow in tenant.engine.desired("c1").values())
    assert not any(flow.owner.endswith("/r") for flow in tenant.engine.desired("c1").values())
