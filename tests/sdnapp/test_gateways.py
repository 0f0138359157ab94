"""What operators are told of gateways."""

from sdnapp.gateways import hear_one_another, told
from tests.clouds import BLOCK, ENCAP_IPS, NOW, SimulatedCloud
from tests.gateway_stories import OUTSIDE, block_of, floating, outward
from tests.handover_stories import replaced
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


def test_who_hands_over() -> None:
    cloud = SimulatedCloud()
    outward(cloud, ("hv2", "hv3"), ("hv2", "hv3"))
    former, successor = replaced(cloud)
    (row,) = told(cloud.store, cloud.engine.view)
    assert {each["id"]: each["state"] for each in row["chassis"]} == {former: "handing over", successor: "active"}


def test_two_hear_one_another_where_all_that_is_told_of_that_says_so() -> None:
    store = SimulatedCloud().store
    up, down, silent = ({ENCAP_IPS[other]: state} for other, state in (("hv3", "up"), ("hv3", "down"), ("hv1", "up")))
    back = {ENCAP_IPS["hv2"]: "up"}
    for bfd, expected in (
        ({"hv2": up, "hv3": back}, True),
        ({"hv2": up}, True),
        ({"hv3": back, "hv1": down}, True),
        ({"hv2": down, "hv3": back}, False),
        ({"hv2": silent, "hv3": back}, False),
        ({"hv1": up}, False),
        ({}, False),
    ):
        assert hear_one_another(store, bfd, "hv2", "hv3") is expected, bfd
