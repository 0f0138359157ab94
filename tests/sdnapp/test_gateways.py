"""What operators are told of gateways."""

from sdnapp.gateways import told
from tests.clouds import BLOCK, ENCAP_IPS, NOW, SimulatedCloud
from tests.gateway_stories import OUTSIDE, block_of, floating, outward
from topology.gateway_values import Outage


def test_who_serves_and_who_translates() -> None:
    cloud = SimulatedCloud()
    net = outward(cloud, ("hv2", "hv3"), ("hv2", "hv3"))
    floating(cloud, net, 20, net.one)
    (row,) = told(cloud.store, cloud.engine.view)
    assert (row["router_name"], row["network_id"], row["addresses"]) == ("", "world", [OUTSIDE])
    assert sorted(each["state"] for each in row["chassis"]) == ["active", "standby"] and row["floating_ips"] == 1
    assert {each["chassis"]: each["first_port"] for each in row["blocks"]} == {
        name: block_of(cloud, net.hub, name) for name in ("hv1", "hv2")
    }
    assert all(each["last_port"] == each["first_port"] + BLOCK - 1 and each["in_use"] for each in row["blocks"])
    first = row["chassis"][0]["id"]
    cloud.put(Outage(first))
    (row,) = told(cloud.store, cloud.engine.view)
    assert [each["state"] for each in row["chassis"]] == ["out", "active"]
    cloud.unbind(net.one, "hv1")
    (row,) = told(cloud.store, cloud.engine.view)
    assert {each["chassis"]: each["in_use"] for each in row["blocks"]} == {"hv1": False, "hv2": True}
    cloud.delete(net.out)
    assert told(cloud.store, cloud.engine.view) == []


def test_since_when_and_who_hears_it() -> None:
    cloud = SimulatedCloud()
    outward(cloud, ("hv2", "hv3"), ("hv2", "hv3"))
    bfd = {"hv1": {ENCAP_IPS["hv3"]: "up", ENCAP_IPS["hv2"]: "down"}, "hv2": {ENCAP_IPS["hv3"]: "init"}}
    (row,) = told(cloud.store, cloud.engine.view, bfd=bfd)
    assert row["since"] == NOW
    assert {each["id"]: each["bfd"] for each in row["chassis"]} == {
        "hv2": {"hv1": "down"},
        "hv3": {"hv1": "up", "hv2": "init"},
    }
