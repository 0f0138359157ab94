"""The emulated fabric by itself, with flows put in by hand: when a scenario fails, it is not for want of a cable."""

from collections.abc import Iterator
from typing import Any

import pytest

pytestmark = pytest.mark.root

RED1, RED2 = ("fa:16:3e:00:00:01", "10.0.0.1"), ("fa:16:3e:00:00:02", "10.0.0.2")
KEY = 77
VLAN = 100


@pytest.fixture(scope="module")
def fabric() -> Iterator[Any]:
    from fabric import Fabric

    with Fabric(hypervisors=2) as fabric:
        for hypervisor in fabric.hypervisors.values():
            hypervisor.vsctl(
                "add-br br-int -- set Bridge br-int datapath_type=netdev fail_mode=secure",
                "add-port br-int tunnel",
                "set Interface tunnel type=geneve options:remote_ip=flow options:key=flow ofport_request=100",
                "add-port br-int to-lan",
                "set Interface to-lan type=patch options:peer=from-int ofport_request=101",
                "add-port br-ex from-int",
                "set Interface from-int type=patch options:peer=to-lan",
            )
            hypervisor.meet_gateway()
        yield fabric


@pytest.fixture(scope="module")
def instances(fabric: Any) -> tuple[Any, Any]:
    from stations import Instance

    made = []
    for name, (mac, address), hypervisor in zip(
        ("red1", "red2"), (RED1, RED2), fabric.hypervisors.values(), strict=True
    ):
        instance = fabric.add(name, Instance)
        port = {"id": f"port-of-{name}", "mac_address": mac, "fixed_ips": [{"ip_address": address}]}
        fabric.plug(instance, port, hypervisor)
        instance.ip("link set eth0 mtu 1450", f"addr add {address}/24 dev eth0")
        made.append(instance)
    return made[0], made[1]


def set_flows(hypervisor: Any, *flows: str) -> None:
    hypervisor.run("ovs-ofctl", "del-flows", "br-int")
    hypervisor.run("ovs-ofctl", "-O", "OpenFlow15", "add-flows", "br-int", "-", stdin="\n".join(flows) + "\n")
    hypervisor.run("ovs-appctl", "revalidator/wait")  # the datapath forgets what it learned from the old flows


def by_tunnel(fabric: Any) -> None:
    """Each hypervisor has one instance: what comes from it goes to the other hypervisor, and the reverse."""
    one, other = fabric.hypervisors.values()
    for here, there, interface in ((one, other, "red1"), (other, one, "red2")):
        encapsulate = f"set_field:{there.underlay.address}->tun_dst,set_field:{KEY}->tun_id,output:tunnel"
        set_flows(here, f"in_port={interface},actions={encapsulate}", f"in_port=tunnel,actions=output:{interface}")


def test_two_instances_talk_through_a_tunnel_over_two_routers(fabric: Any, instances: tuple[Any, Any]) -> None:
    from captures import Capture
    from pings import ping

    by_tunnel(fabric)
    with Capture(fabric.cores[0], "core2") as core, Capture(instances[1], "eth0") as guest:
        assert ping(instances[0], RED2[1]).all
        requests = core.count(lambda frame: frame.inner and frame.inner.is_arp_request)
        assert requests == guest.count(lambda frame: frame.is_arp_request) > 0
        assert {frame.tunnel_key for frame in core.read() if frame.inner} == {KEY}
        assert {frame.inner.source for frame in core.read() if frame.inner} == {RED1[0], RED2[0]}


def test_a_leak_between_tenants_is_seen(fabric: Any, instances: tuple[Any, Any]) -> None:
    import reachability
    from checks import Checks

    by_tunnel(fabric)
    leaking, apart = Checks(), Checks()
    reachability.measure({"red": [instances[0]], "blue": [instances[1]]}).check(leaking)
    assert not leaking.hold
    for hypervisor in fabric.hypervisors.values():
        set_flows(hypervisor, "actions=drop")
    reachability.measure({"red": [instances[0]], "blue": [instances[1]]}).check(apart)
    assert apart.hold


def test_tcp_does_not_stall(fabric: Any, instances: tuple[Any, Any]) -> None:
    """Also the proof that checksums are right when packets reach the userspace datapath."""
    by_tunnel(fabric)
    megabyte = 1 << 20
    receiver = instances[1].start("socat", "-u", "TCP-LISTEN:9000", f"SYSTEM:wc -c > {instances[1].directory}/received")
    sender = instances[0].start(
        "socat", "-u", f"SYSTEM:head -c {megabyte} /dev/zero", f"TCP:{RED2[1]}:9000,retry=50,interval=0.1"
    )
    assert sender.wait(timeout=30) == 0
    assert receiver.wait(timeout=30) == 0
    assert int((instances[1].directory / "received").read_text()) == megabyte


def test_two_instances_talk_over_a_vlan_of_the_physical_network(fabric: Any, instances: tuple[Any, Any]) -> None:
    from captures import Capture
    from pings import ping

    for hypervisor, interface in zip(fabric.hypervisors.values(), ("red1", "red2"), strict=True):
        set_flows(
            hypervisor,
            f"in_port={interface},actions=push_vlan:0x8100,set_field:{0x1000 | VLAN}->vlan_vid,output:to-lan",
            f"in_port=to-lan,dl_vlan={VLAN},actions=strip_vlan,output:{interface}",
        )
    with Capture(fabric.lans[0], "lan2") as lan:
        assert ping(instances[0], RED2[1]).all
        assert lan.count(lambda frame: frame.vlan == VLAN and frame.source == RED1[0])
        assert not lan.count(lambda frame: frame.vlan is None and frame.source in (RED1[0], RED2[0]))


def test_a_switch_that_dies_takes_its_flows_with_it_and_carries_tunnels_again(
    fabric: Any, instances: tuple[Any, Any]
) -> None:
    from pings import ping

    by_tunnel(fabric)
    assert ping(instances[0], RED2[1]).all
    hypervisor = fabric.hypervisors["h2"]
    hypervisor.kill_switch()
    assert ping(instances[0], RED2[1]).none
    hypervisor.start_switch()
    hypervisor.meet_gateway()
    assert hypervisor.flows() == set()
    by_tunnel(fabric)
    assert ping(instances[0], RED2[1]).all


def test_an_instance_moves_with_its_address_and_neighbours(fabric: Any, instances: tuple[Any, Any]) -> None:
    from pings import ping

    by_tunnel(fabric)
    assert ping(instances[0], RED2[1]).all
    fabric.migrate(instances[1], fabric.hypervisors["h1"])
    assert "red2" in fabric.hypervisors["h1"].vsctl("list-ports br-int").split()
    assert "red2" not in fabric.hypervisors["h2"].vsctl("list-ports br-int").split()
    set_flows(fabric.hypervisors["h1"], "in_port=red1,actions=output:red2", "in_port=red2,actions=output:red1")
    assert ping(instances[0], RED2[1]).all
