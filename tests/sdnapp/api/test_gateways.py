"""Gateways of routers and floating IPs: what is taken, given back and refused."""

from typing import Any
from uuid import uuid4

import pytest

from tests.sdnapp.api.stand_ins import ADMIN, BLUE, RED, Answer, Api
from topology.values import Claim, Network, Port

FLAT = {"router:external": True, "provider:network_type": "flat"}


@pytest.fixture
def world(api: Api) -> str:
    """An external network with few addresses."""
    network = api.network(
        **{"router:external": True, "provider:network_type": "flat", "provider:physical_network": "p"}
    )
    api.subnet(network, "203.0.113.0/29", gateway_ip="203.0.113.1")
    return network


@pytest.fixture
def lan(api: Api) -> str:
    network = api.network(RED)
    api.subnet(network, "10.0.0.0/24", RED)
    return network


def joined(api: Api, world: str, lan: str) -> str:
    """A router between the two."""
    router = api.create("routers", RED, external_gateway_info={"network_id": world})["id"]
    (subnet,) = api.call("GET", f"/v2.0/networks/{lan}", None, RED).first["subnets"]
    path = f"/v2.0/routers/{router}/add_router_interface"
    assert api.call("PUT", path, {"subnet_id": subnet}, RED).status == 200
    return str(router)


def set_gateway(api: Api, router: str, info: Any, who: dict[str, str] = RED) -> Answer:
    return api.put("routers", router, who, external_gateway_info=info)


def gateway_port(api: Api, router: str) -> Port:
    (port,) = api.store.find(Port, "gateway_of", router)
    return port


def test_addresses_outside_may_come_from_a_subnet_pool(api: Api, lan: str) -> None:
    pool = api.create("subnetpools", name="outside", prefixes=["203.0.113.0/24"], default_prefixlen=28)["id"]
    worlds = [api.network(**FLAT, **{"provider:physical_network": name}) for name in "pq"]
    for world in worlds:
        api.create("subnets", network_id=world, ip_version=4, subnetpool_id=pool)
    routers = [
        joined(api, worlds[0], lan),
        api.create("routers", RED, external_gateway_info={"network_id": worlds[1]})["id"],
    ]
    addresses = {gateway_port(api, router).fixed_ips[0].ip_address.rpartition(".")[0] for router in routers}
    assert addresses == {"203.0.113"}
    subnets = {gateway_port(api, router).fixed_ips[0].subnet_id for router in routers}
    assert len(subnets) == 2, "each external network has a part of the pool"
    floating = api.create("floatingips", RED, floating_network_id=worlds[0])
    assert floating["floating_ip_address"].startswith("203.0.113.")
    assert api.call("DELETE", f"/v2.0/subnetpools/{pool}").error == (400, "SubnetPoolDeleteError")


def test_a_gateway_is_a_port_on_the_external_network(api: Api, world: str) -> None:
    router = api.create("routers", RED, external_gateway_info={"network_id": world})
    port = gateway_port(api, router["id"])
    (fixed,) = port.fixed_ips
    assert router["external_gateway_info"] == {
        "network_id": world,
        "enable_snat": True,
        "external_fixed_ips": [{"subnet_id": fixed.subnet_id, "ip_address": fixed.ip_address}],
    }
    assert api.call("GET", f"/v2.0/ports/{port.id}", None, RED).status == 404, "it is nobody's"
    assert api.call("DELETE", f"/v2.0/ports/{port.id}").error == (409, "ServicePortInUse")
    assert set_gateway(api, router["id"], {}).first["external_gateway_info"] is None
    assert api.store.get(Port, port.id) is None and not api.store.find_ids(Claim, "owner", port.id)


def test_the_network_gets_a_number_for_its_frames_between_chassis(api: Api, world: str) -> None:
    before = api.store.get(Network, world)
    for _ in range(2):
        api.create("routers", RED, external_gateway_info={"network_id": world})
    after = api.store.get(Network, world)
    assert before is not None and before.transit is None
    assert after is not None and after.transit is not None and after.transit.network_type == "geneve"
    other = api.store.get(Network, api.network())
    assert other is not None and other.segment.segmentation_id != after.transit.segmentation_id


def test_another_network_and_other_addresses(api: Api, world: str) -> None:
    router = api.create("routers", RED, external_gateway_info={"network_id": world})["id"]
    wanted = {"network_id": world, "external_fixed_ips": [{"ip_address": "203.0.113.5"}], "enable_snat": False}
    shown = set_gateway(api, router, wanted, ADMIN).first["external_gateway_info"]
    assert shown["external_fixed_ips"][0]["ip_address"] == "203.0.113.5" and shown["enable_snat"] is False
    other = api.network(**FLAT, **{"provider:physical_network": "q"})
    api.subnet(other, "198.51.100.0/24")
    assert set_gateway(api, router, {"network_id": other}).first["external_gateway_info"]["network_id"] == other
    assert gateway_port(api, router).network_id == other


@pytest.mark.parametrize(
    ("info", "error"),
    [
        ({"network_id": str(uuid4())}, (404, "NetworkNotFound")),
        ({}, None),
        ({"external_fixed_ips": []}, (400, "HTTPBadRequest")),
        ({"network_id": "no id"}, (400, "HTTPBadRequest")),
        (7, (400, "HTTPBadRequest")),
    ],
)
def test_what_is_no_gateway(api: Api, info: Any, error: tuple[int, str] | None) -> None:
    answer = api.post("routers", RED, external_gateway_info=info)
    assert answer.status == 201 if error is None else answer.error == error


def test_networks_that_lead_nowhere(api: Api, lan: str) -> None:
    inner = set_gateway(api, api.create("routers", RED)["id"], {"network_id": lan})
    assert inner.error == (400, "BadRequest") and "is not an external network" in inner.message
    overlay = api.network(**{"router:external": True})
    api.subnet(overlay, "203.0.113.0/24")
    answer = api.post("routers", RED, external_gateway_info={"network_id": overlay})
    assert answer.error == (400, "BadRequest") and "of type flat or vlan" in answer.message


def test_a_gateway_has_no_address_where_its_network_has_no_subnet(api: Api) -> None:
    empty = api.network(**FLAT, **{"provider:physical_network": "p"})
    router = api.create("routers", RED, external_gateway_info={"network_id": empty})
    assert router["external_gateway_info"]["external_fixed_ips"] == []
    refused = api.post("floatingips", RED, floating_network_id=empty)
    assert refused.error == (400, "BadRequest") and "does not contain any IPv4 subnet" in refused.message
    api.subnet(empty, "203.0.113.0/24")
    for info, count in ({"network_id": empty}, 0), ({}, None), ({"network_id": empty}, 1):
        shown = set_gateway(api, router["id"], info).first["external_gateway_info"]
        assert (len(shown["external_fixed_ips"]) if shown else None) == count


def test_members_leave_translation_and_addresses_to_administrators(api: Api, world: str) -> None:
    for more in ({"enable_snat": False}, {"external_fixed_ips": [{"ip_address": "203.0.113.5"}]}):
        answer = api.post("routers", RED, external_gateway_info={"network_id": world, **more})
        assert answer.error == (403, "PolicyNotAuthorized")


def test_addresses_that_a_gateway_cannot_have(api: Api, world: str, lan: str) -> None:
    taken = {"network_id": world, "external_fixed_ips": [{"ip_address": "203.0.113.1"}]}
    assert api.post("routers", ADMIN, external_gateway_info=taken).status in (400, 409)
    router = joined(api, world, lan)
    inside = api.network(RED)
    subnet = api.subnet(inside, "203.0.113.0/24", RED)
    path = f"/v2.0/routers/{router}/add_router_interface"
    answer = api.call("PUT", path, {"subnet_id": subnet}, RED)
    assert answer.error == (400, "BadRequest") and "overlaps" in answer.message


def test_addresses_run_out(api: Api, world: str) -> None:
    answers = [api.post("floatingips", RED, floating_network_id=world) for _ in range(6)]
    assert [each.status for each in answers] == [201] * 5 + [409]
    assert answers[-1].error == (409, "IpAddressGenerationFailure")
    assert len(api.store.find_ids(Port, "network", world)) == 5, "nothing is left of what failed"


def test_the_port_that_holds_a_floating_ip_has_no_status_of_its_own(api: Api, world: str) -> None:
    one = api.create("floatingips", RED, floating_network_id=world)["id"]
    (port,) = api.call("GET", f"/v2.0/ports?device_id={one}", None, ADMIN).body["ports"]
    assert port["device_owner"] == "network:floatingip" and port["status"] == "N/A"


def test_a_floating_ip_stands_for_an_address(api: Api, world: str, lan: str) -> None:
    router, port = joined(api, world, lan), api.port(lan, RED)
    one = api.create("floatingips", RED, floating_network_id=world, port_id=port)
    fixed = api.call("GET", f"/v2.0/ports/{port}", None, RED).first["fixed_ips"][0]["ip_address"]
    assert (one["router_id"], one["port_id"], one["fixed_ip_address"]) == (router, port, fixed)
    two = api.post("floatingips", RED, floating_network_id=world, port_id=port)
    assert two.error == (409, "FloatingIPPortAlreadyAssociated")
    assert set_gateway(api, router, {}).error == (409, "RouterExternalGatewayInUseByFloatingIp")
    free = api.put("floatingips", one["id"], RED, port_id=None).first
    assert (free["router_id"], free["port_id"], free["fixed_ip_address"]) == (None, None, None)
    assert set_gateway(api, router, {}).status == 200


def test_an_address_stays_while_a_floating_ip_stands_for_it(api: Api, world: str, lan: str) -> None:
    joined(api, world, lan)
    port = api.port(lan, RED)
    one = api.create("floatingips", RED, floating_network_id=world, port_id=port)["id"]
    here = api.get(f"floatingips/{one}", RED).first["fixed_ip_address"]
    refused = api.put("ports", port, RED, fixed_ips=[{"ip_address": "10.0.0.99"}])
    assert refused.error == (400, "BadRequest") and "has been associated to a floating ip" in refused.message
    both = [{"ip_address": here}, {"ip_address": "10.0.0.99"}]
    assert api.put("ports", port, RED, fixed_ips=both).status == 200
    assert api.put("floatingips", one, RED, port_id=port, fixed_ip_address="10.0.0.99").status == 200
    assert api.put("ports", port, RED, fixed_ips=both[1:]).status == 200
    assert api.put("floatingips", one, RED, port_id=None).status == 200
    assert api.put("ports", port, RED, fixed_ips=both[:1]).status == 200


def test_it_is_free_when_its_port_goes(api: Api, world: str, lan: str) -> None:
    joined(api, world, lan)
    port = api.port(lan, RED)
    one = api.create("floatingips", RED, floating_network_id=world, port_id=port)["id"]
    assert api.call("DELETE", f"/v2.0/ports/{port}", None, RED).status == 204
    shown = api.call("GET", f"/v2.0/floatingips/{one}", None, RED).first
    assert shown["port_id"] is None and shown["router_id"] is None and shown["port_details"] is None


def test_a_floating_ip_is_of_an_external_network_with_addresses(api: Api, lan: str) -> None:
    own = api.post("floatingips", RED, floating_network_id=lan)
    assert own.error == (400, "BadRequest") and "is not a valid external network" in own.message
    foreign = api.network(BLUE)
    assert api.post("floatingips", RED, floating_network_id=foreign).error == (404, "NetworkNotFound")
    bare = api.network(**FLAT, **{"provider:physical_network": "q"})
    empty = api.post("floatingips", RED, floating_network_id=bare)
    assert empty.error == (400, "BadRequest") and "does not contain any IPv4 subnet" in empty.message


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ({"fixed_ip_address": "10.0.0.5"}, (400, "BadRequest"), "without a port_id"),
        ({"port_id": str(uuid4())}, (404, "PortNotFound"), ""),
        ({"port_id": "PORT", "fixed_ip_address": "10.0.0.250"}, (400, "BadRequest"), "does not have fixed ip"),
        ({"port_id": "OF BLUE"}, (404, "PortNotFound"), ""),
        ({"port_id": "FAR"}, (404, "ExternalGatewayForFloatingIPNotFound"), "is not reachable"),
        ({"port_id": "BARE"}, (400, "BadRequest"), "no fixed IPv4 addresses"),
    ],
)
def test_what_a_floating_ip_cannot_stand_for(
    api: Api, world: str, lan: str, values: dict[str, str], error: tuple[int, str], words: str
) -> None:
    joined(api, world, lan)
    far = api.network(RED)
    api.subnet(far, "10.0.9.0/24", RED)
    of_blue = api.network(BLUE)
    ports = {"PORT": api.port(lan, RED), "FAR": api.port(far, RED), "OF BLUE": api.port(of_blue, BLUE)}
    ports["BARE"] = api.port(lan, RED, fixed_ips=[])
    given = {name: ports.get(value, value) for name, value in values.items()}
    answer = api.post("floatingips", RED, floating_network_id=world, **given)
    assert answer.error == error and words in answer.message
    assert not [each for each in api.store.find(Port, "network", world) if each.device_owner == "network:floatingip"]


def test_another_tenant_knows_nothing_of_it(api: Api, world: str) -> None:
    one = api.create("floatingips", RED, floating_network_id=world)["id"]
    assert api.call("GET", f"/v2.0/floatingips/{one}", None, BLUE).error == (404, "FloatingIPNotFound")
    assert api.call("GET", "/v2.0/floatingips", None, BLUE).body == {"floatingips": []}
    assert api.call("DELETE", f"/v2.0/floatingips/{one}", None, BLUE).error == (404, "FloatingIPNotFound")
    chosen = api.post("floatingips", BLUE, floating_network_id=world, floating_ip_address="203.0.113.6")
    assert chosen.error == (403, "PolicyNotAuthorized")
    port = api.store.find(Port, "network", world)[0].id
    assert api.call("DELETE", f"/v2.0/ports/{port}").error == (409, "ServicePortInUse")


def test_a_list_by_what_is_shown(api: Api, world: str, lan: str) -> None:
    router, port = joined(api, world, lan), api.port(lan, RED)
    one = api.create("floatingips", RED, floating_network_id=world, port_id=port)
    api.create("floatingips", RED, floating_network_id=world)
    for name in ("floating_ip_address", "port_id", "router_id", "fixed_ip_address"):
        found = api.call("GET", f"/v2.0/floatingips?{name}={one[name]}", None, RED).body["floatingips"]
        assert [each["id"] for each in found] == [one["id"]], name
    assert router == one["router_id"]
