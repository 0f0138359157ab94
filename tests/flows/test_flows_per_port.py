"""How many flows a port costs: where it is, and on the other chassis of its network."""

from collections import Counter

from flows.pipeline import TABLES
from tests.clouds import CHASSIS, SimulatedCloud

HERE, ANYWHERE = 10, 3


def held(cloud: SimulatedCloud) -> dict[str, Counter[str]]:
    """How many flows each chassis holds in each table."""
    tables = TABLES.by_number
    return {name: Counter(tables[flow.table].name for flow in cloud.flows(name).values()) for name in CHASSIS}


def test_a_plain_port_costs_few_flows_where_it_is_and_fewer_elsewhere() -> None:
    """With DHCP, port security, a router, and one group that names itself, as most ports are."""
    cloud = SimulatedCloud()
    network = cloud.network("red")
    cloud.subnet(network, gateway_ip="10.0.0.1")
    hub = cloud.router("hub")
    cloud.interface(hub, network, "10.0.0.1")
    members = cloud.security_group("members")
    cloud.rule(members, "ingress", remote_group_id=members.id)
    for number, at in enumerate(CHASSIS, 11):
        cloud.port(f"red{number}", network, f"10.0.0.{number}", at, security_groups=(members.id,))
    before = held(cloud)
    cloud.port("one-more", network, "10.0.0.20", "hv1", security_groups=(members.id,))
    more = {name: found - before[name] for name, found in held(cloud).items()}
    assert more["hv1"].total() == HERE + ANYWHERE, more["hv1"]
    assert more["hv2"] == more["hv3"] and more["hv2"].total() == ANYWHERE, more["hv2"]
