"""Routers: interfaces by subnet and by port, extra routes, conflicts, and who may do what."""

from ipaddress import IPv4Address
from typing import Any
from uuid import uuid4

import pytest

from sdnapp.api.resources import extra_routes
from sdnapp.api.services import Settings
from tests.sdnapp.api.stand_ins import ADMIN, BLUE, READER, RED, Answer, Api
from topology.values import Network, Router


def act(api: Api, router_id: str, action: str, who: dict[str, str] = RED, **body: Any) -> Answer:
    return api.call("PUT", f"/v2.0/routers/{router_id}/{action}", body, who)


def add(api: Api, router: str, who: dict[str, str] = RED, **body: Any) -> Answer:
    return act(api, router, "add_router_interface", who, **body)


def remove(api: Api, router: str, who: dict[str, str] = RED, **body: Any) -> Answer:
    return act(api, router, "remove_router_interface", who, **body)


def router(api: Api, who: dict[str, str] = RED, **attributes: Any) -> str:
    return str(api.create("routers", who, **attributes)["id"])


def lan(api: Api, cidr: str = "10.0.1.0/24", who: dict[str, str] = RED, **attributes: Any) -> tuple[str, str]:
    network = api.network(who)
    return network, api.subnet(network, cidr, who, **attributes)


def test_a_new_router(api: Api) -> None:
    made = api.create("routers", RED, name="r", description="d", availability_zone_hints=["nova"])
    assert made == {
        "id": made["id"],
        "name": "r",
        "description": "d",
        "tenant_id": "red",
        "project_id": "red",
        "admin_state_up": True,
        "status": "DOWN",
        "external_gateway_info": None,
        "routes": [],
        "availability_zones": ["nova"],
        "availability_zone_hints": ["nova"],
        "tags": [],
        "created_at": made["created_at"],
        "updated_at": made["created_at"],
        "revision_number": 1,
    }
    api.services.active.add(made["id"])
    assert api.get(f"routers/{made['id']}", READER).first["status"] == "ACTIVE"
    changed = api.put("routers", made["id"], RED, name="s", admin_state_up=False).first
    assert (changed["name"], changed["admin_state_up"], changed["revision_number"]) == ("s", False, 2)
    assert [each["name"] for each in api.get("routers", RED, name="s").first] == ["s"]
    assert api.delete("routers", made["id"], RED).status == 204
    answer = api.get(f"routers/{made['id']}", RED)
    assert (answer.error, answer.message) == (
        (404, "RouterNotFound"),
        f"Router {made['id']} could not be found",
    )


def test_keys_are_not_used_again(api: Api) -> None:
    first = router(api)
    key = api.store.get(Router, first).key
    api.delete("routers", first, RED)
    assert api.store.get(Router, router(api)).key > key


def test_who_may_do_what(api: Api) -> None:
    mine = router(api)
    _, subnet = lan(api)
    assert api.get("routers", BLUE).first == []
    assert api.get(f"routers/{mine}", BLUE).error == (404, "RouterNotFound")
    assert add(api, mine, BLUE, subnet_id=subnet).error == (404, "RouterNotFound")
    assert api.delete("routers", mine, BLUE).error == (404, "RouterNotFound")
    answer = add(api, mine, READER, subnet_id=subnet)
    assert (answer.error, answer.message) == (
        (403, "PolicyNotAuthorized"),
        "rule:add_router_interface is disallowed by policy",
    )
    assert act(api, mine, "add_extraroutes", READER, router={"routes": []}).error == (403, "PolicyNotAuthorized")
    assert api.post("routers", READER).error == (403, "PolicyNotAuthorized")
    assert api.put("routers", mine, READER, name="x").error == (403, "PolicyNotAuthorized")
    other = router(api, BLUE)
    assert add(api, other, BLUE, subnet_id=subnet).error == (404, "SubnetNotFound")
    port = api.port(api.network(RED), RED)
    assert add(api, other, BLUE, port_id=port).error == (404, "PortNotFound")


def test_an_interface_by_subnet(api: Api) -> None:
    mine, (network, subnet) = router(api), lan(api)
    answer = add(api, mine, subnet_id=subnet)
    port_id = answer.body["port_id"]
    assert (answer.status, answer.body) == (
        200,
        {
            "id": mine,
            "project_id": "red",
            "port_id": port_id,
            "network_id": network,
            "subnet_id": subnet,
            "subnet_ids": [subnet],
        },
    )
    port = api.get(f"ports/{port_id}", RED).first
    assert port["fixed_ips"] == [{"subnet_id": subnet, "ip_address": "10.0.1.1"}]
    assert (port["device_owner"], port["device_id"]) == ("network:router_interface", mine)
    assert (port["port_security_enabled"], port["tenant_id"]) == (False, "red")
    assert api.get(f"routers/{mine}", RED).first["revision_number"] == 2
    removed = remove(api, mine, subnet_id=subnet)
    assert (removed.status, removed.body) == (200, answer.body)
    assert api.get(f"ports/{port_id}", RED).error == (404, "PortNotFound")
    assert api.delete("routers", mine, RED).status == 204


def test_an_interface_by_port(api: Api) -> None:
    mine, (network, subnet) = router(api), lan(api)
    port = api.port(network, RED, fixed_ips=[{"ip_address": "10.0.1.77"}])
    assert add(api, mine, port_id=port).body["subnet_id"] == subnet
    shown = api.get(f"ports/{port}", RED).first
    assert (shown["device_owner"], shown["device_id"]) == ("network:router_interface", mine)
    answer = remove(api, mine, port_id=port, subnet_id=str(uuid4()))
    assert answer.error == (400, "SubnetMismatchForPort")
    assert remove(api, mine, port_id=port, subnet_id=subnet).status == 200
    assert api.get(f"ports/{port}", RED).error == (404, "PortNotFound")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "Either subnet_id or port_id must be specified"),
        ({"subnet_id": str(uuid4()), "port_id": str(uuid4())}, "Cannot specify both subnet-id and port-id"),
        ({"subnet_id": "x"}, "'x' is not a valid UUID"),
        ({"port_id": None}, "'None' is not a valid UUID"),
        ({"port_id": 5}, "'5' is not a valid UUID"),
        ({"network_id": str(uuid4())}, "Either subnet_id or port_id must be specified"),
    ],
)
def test_bodies_that_name_no_interface(api: Api, body: dict[str, Any], message: str) -> None:
    answer = add(api, router(api), **body)
    assert (answer.error, answer.message) == ((400, "BadRequest"), f"Bad router request: {message}.")


@pytest.mark.parametrize("body", [None, [], "x", 5, {"router": {}}, {"subnet_id": ["x"]}, {"port_id": {}}])
def test_odd_bodies(api: Api, body: object) -> None:
    mine = router(api)
    for action in ("add_router_interface", "remove_router_interface", "add_extraroutes", "remove_extraroutes"):
        assert api.call("PUT", f"/v2.0/routers/{mine}/{action}", body, RED).status == 400


def test_what_is_no_interface(api: Api) -> None:
    mine, (network, subnet) = router(api), lan(api)
    answer = remove(api, mine, subnet_id=subnet)
    assert answer.error == (404, "RouterInterfaceNotFoundForSubnet")
    port = api.port(network, RED)
    assert remove(api, mine, port_id=port).error == (404, "RouterInterfaceNotFound")
    assert add(api, mine, subnet_id=str(uuid4())).error == (404, "SubnetNotFound")
    assert add(api, mine, port_id=str(uuid4())).error == (404, "PortNotFound")
    used = api.port(network, RED, device_id="vm", device_owner="compute:nova")
    assert add(api, mine, port_id=used).error == (409, "PortInUse")
    free = api.port(network, RED)
    add(api, mine, port_id=free)
    assert api.get(f"ports/{free}", RED).first["security_groups"] == []
    assert api.put("ports", free, RED, name="renamed").status == 200
    remove(api, mine, port_id=free)
    bare = api.port(network, RED, fixed_ips=[])
    assert add(api, mine, port_id=bare).message == "Bad router request: Router port must have at least one fixed IP."
    _, closed = lan(api, "10.0.5.0/24", gateway_ip=None)
    assert "must have a gateway IP" in add(api, mine, subnet_id=closed).message
    api.subnet(network, "10.0.6.0/24", RED)
    both = api.port(network, RED, fixed_ips=[{"ip_address": "10.0.1.8"}, {"ip_address": "10.0.6.8"}])
    assert "multiple IPv4 subnets" in add(api, mine, port_id=both).message
    pairs = api.port(
        network, RED, fixed_ips=[{"ip_address": "10.0.1.9"}], allowed_address_pairs=[{"ip_address": "10.9.0.0/16"}]
    )
    assert "allowed address pairs" in add(api, mine, port_id=pairs).message


def test_no_prefix_twice_on_one_router(api: Api) -> None:
    mine, (_, subnet) = router(api), lan(api)
    assert add(api, mine, subnet_id=subnet).status == 200
    answer = add(api, mine, subnet_id=subnet)
    assert (answer.error, answer.message) == (
        (400, "BadRequest"),
        f"Bad router request: Router already has a port on subnet {subnet}.",
    )
    network, wider = lan(api, "10.0.0.0/16")
    answer = add(api, mine, subnet_id=wider)
    assert answer.error == (400, "BadRequest")
    assert answer.message == (
        f"Bad router request: Cidr 10.0.0.0/16 of subnet {wider} overlaps with cidr 10.0.1.0/24 of subnet {subnet}."
    )
    assert "overlaps" in add(api, mine, port_id=api.port(network, RED)).message
    other = router(api)
    assert add(api, other, subnet_id=wider).status == 200
    assert add(api, other, subnet_id=subnet).status == 400
    third = router(api)
    answer = add(api, third, subnet_id=subnet)
    assert (answer.error, answer.message) == (
        (409, "IpAddressAlreadyAllocated"),
        f"IP address 10.0.1.1 already allocated in subnet {subnet}",
    )


def test_provider_networks_are_routed_and_have_a_number_between_chassis(api: Api) -> None:
    network = api.network(
        ADMIN, provider__network_type="vlan", provider__physical_network="physnet1", provider__segmentation_id=7
    )
    assert add(api, router(api, ADMIN), ADMIN, subnet_id=api.subnet(network)).status == 200
    row = api.store.get(Network, network)
    assert row is not None and row.transit is not None and row.transit.is_overlay
    overlay = api.network(ADMIN)
    assert add(api, router(api, ADMIN), ADMIN, subnet_id=api.subnet(overlay)).status == 200
    row = api.store.get(Network, overlay)
    assert row is not None and row.transit is None


def test_a_shared_network_is_joined_by_a_port_of_ones_own(api: Api) -> None:
    network = api.network(ADMIN, shared=True)
    subnet = api.subnet(network, "10.7.0.0/24")
    mine = router(api, BLUE)
    answer = add(api, mine, BLUE, subnet_id=subnet)
    assert (answer.error, answer.message) == (
        (400, "BadRequest"),
        f"Bad router request: Cannot add interface to router because subnet {subnet} is not owned by project "
        "making the request.",
    )
    assert add(api, mine, BLUE, port_id=api.port(network, BLUE)).status == 200


def test_another_projects_port_on_ones_own_network_is_not_taken(api: Api) -> None:
    network, _ = lan(api)
    hub, foreign = router(api), api.port(network, project_id="blue")
    assert api.get(f"ports/{foreign}", RED).status == 200, "who has the network sees it"
    assert add(api, hub, port_id=foreign).error == (403, "PolicyNotAuthorized")


def test_nobody_parts_from_what_is_not_there(api: Api) -> None:
    hub, (_, own), (_, foreign) = router(api), lan(api), lan(api, "10.0.2.0/24", BLUE)
    for subnet in (str(uuid4()), foreign):
        assert remove(api, hub, subnet_id=subnet).error == (404, "SubnetNotFound")
    assert remove(api, hub, subnet_id=own).error == (404, "RouterInterfaceNotFoundForSubnet")


def test_what_a_router_uses_stays(api: Api) -> None:
    mine, (network, subnet) = router(api), lan(api)
    port = add(api, mine, subnet_id=subnet).body["port_id"]
    answer = api.delete("routers", mine, RED)
    assert (answer.error, answer.message) == ((409, "RouterInUse"), f"Router {mine} has ports still attached: {port}")
    answer = api.delete("ports", port, RED)
    assert answer.error == (409, "ServicePortInUse")
    assert "has device owner network:router_interface" in answer.message
    assert api.delete("subnets", subnet, RED).error == (409, "SubnetInUse")
    assert api.delete("networks", network, RED).error == (409, "NetworkInUse")
    assert api.put("subnets", subnet, RED, gateway_ip="10.0.1.9").error == (409, "GatewayIpInUse")
    for change in ({"device_id": ""}, {"device_owner": ""}, {"device_owner": "compute:nova"}, {"device_id": "x"}):
        assert api.put("ports", port, ADMIN, **change).error == (409, "PortInUse"), change
    for fixed in ([], [{"ip_address": "10.0.1.9"}], [{"subnet_id": subnet}, {"subnet_id": subnet}]):
        answer = api.put("ports", port, RED, fixed_ips=fixed)
        assert answer.error == (400, "BadRequest")
        assert answer.message == f"Bad ports request: IP updates for port {port} are not allowed."
    assert api.put("ports", port, RED, fixed_ips=[{"subnet_id": subnet}], name="gw").status == 200
    assert api.put("ports", port, ADMIN, mac_address="fa:16:3e:01:02:03").error == (409, "UnsupportedPortDeviceOwner")


def test_a_member_cannot_pass_off_a_port_as_a_routers(api: Api) -> None:
    mine, network = router(api), api.network(RED)
    body = {"network_id": network, "device_owner": "network:router_interface", "device_id": mine}
    assert api.post("ports", RED, **body).error == (409, "DeviceIDNotOwnedByTenant")


# Extra routes


def routes(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"destination": destination, "nexthop": nexthop} for destination, nexthop in pairs]


@pytest.fixture
def joined(api: Api) -> tuple[str, str]:
    mine, (_, subnet) = router(api), lan(api)
    add(api, mine, subnet_id=subnet)
    return mine, subnet


def test_next_hops_are_not_compared_with_each_interface(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = router(api)
    for number in range(20):
        add(api, mine, subnet_id=api.subnet(api.network(RED), f"10.1.{number}.0/24", RED))
    read: list[str] = []

    def counted(address: str) -> IPv4Address:
        read.append(address)
        return IPv4Address(address)

    monkeypatch.setattr(extra_routes, "IPv4Address", counted)
    wanted = routes(*((f"10.9.{number}.0/24", f"10.1.{number}.5") for number in range(20)))
    assert api.put("routers", mine, RED, routes=wanted).status == 200
    assert len(read) == 20
    stranger = routes(("10.9.0.0/24", "10.2.0.5"))
    assert api.put("routers", mine, RED, routes=stranger).error == (400, "InvalidRoutes")


def test_extra_routes(api: Api, joined: tuple[str, str]) -> None:
    mine, subnet = joined
    first, second = ("10.9.0.0/16", "10.0.1.5"), ("10.9.0.0/16", "10.0.1.6")
    assert api.put("routers", mine, RED, routes=routes(first)).first["routes"] == routes(first)
    answer = act(api, mine, "add_extraroutes", router={"routes": routes(second, first)})
    assert (answer.status, answer.first["routes"]) == (200, routes(first, second))
    answer = act(api, mine, "remove_extraroutes", router={"routes": routes(first, ("10.8.0.0/16", "10.0.1.5"))})
    assert (answer.status, answer.first["routes"]) == (200, routes(second))
    answer = remove(api, mine, subnet_id=subnet)
    assert answer.error == (409, "RouterInterfaceInUseByRoute")
    assert f"subnet {subnet} on router {mine} cannot be deleted, as it is required by one or more routes" in (
        answer.message
    )
    assert api.put("routers", mine, RED, routes=None).first["routes"] == []
    assert remove(api, mine, subnet_id=subnet).status == 200


@pytest.mark.parametrize(
    ("route", "reason"),
    [
        (("10.9.0.0/16", "10.0.2.5"), "the nexthop is not connected with router"),
        (("10.9.0.0/16", "10.0.1.1"), "the nexthop is used by router"),
        (("2001:db8::/64", "2001:db8::1"), "only routes of IPv4 are served so far"),
        (("2001:db8::/64", "10.0.1.5"), "only routes of IPv4 are served so far"),
    ],
)
def test_routes_that_lead_nowhere(api: Api, joined: tuple[str, str], route: tuple[str, str], reason: str) -> None:
    mine, _ = joined
    for answer in (
        api.put("routers", mine, RED, routes=routes(route)),
        act(api, mine, "add_extraroutes", router={"routes": routes(route)}),
    ):
        assert answer.error == (400, "InvalidRoutes") and reason in answer.message


@pytest.mark.parametrize(
    "given",
    ["x", [1], [{}], [{"destination": "10.0.0.0/8"}], routes(("10.0.0.0/33", "10.0.1.5")), routes(("10.9.0.0/16", "x")),
     {"destination": "10.0.0.0/8", "nexthop": "10.0.1.5"}, routes(("10.9.0.0/16", "10.0.1.5")) * 2],
)  # fmt: skip
def test_what_is_no_route(api: Api, joined: tuple[str, str], given: Any) -> None:
    mine, _ = joined
    assert api.put("routers", mine, RED, routes=given).status == 400
    assert act(api, mine, "add_extraroutes", router={"routes": given}).status == 400


def test_a_body_of_routes_names_nothing_else(api: Api, joined: tuple[str, str]) -> None:
    mine, _ = joined
    answer = act(api, mine, "add_extraroutes", router={"routes": [], "name": "x"})
    assert answer.error == (400, "BadRequest") and "the body must be" in answer.message


def test_too_many_routes() -> None:
    api = Api(Settings(max_routes=2))
    mine, (_, subnet) = router(api), lan(api)
    add(api, mine, subnet_id=subnet)
    many = routes(*((f"10.{n}.0.0/16", "10.0.1.5") for n in range(1, 4)))
    answer = api.put("routers", mine, RED, routes=many)
    assert answer.error == (400, "RoutesExhausted") and "exceeds the maximum 2" in answer.message
    assert act(api, mine, "add_extraroutes", router={"routes": many[:2]}).status == 200
    assert act(api, mine, "add_extraroutes", router={"routes": many[2:]}).error == (400, "RoutesExhausted")


def test_routes_cannot_be_given_at_creation(api: Api) -> None:
    assert api.post("routers", RED, routes=[]).error == (400, "HTTPBadRequest")


# What is not served, limits, tags


def test_an_unknown_zone(api: Api) -> None:
    answer = api.post("routers", RED, availability_zone_hints=["moon"])
    assert answer.error == (404, "AvailabilityZoneNotFound")


def test_routers_have_a_quota() -> None:
    api = Api(Settings(quotas={"router": 1, "port": 1}))
    mine, (network, subnet) = router(api), lan(api)
    assert api.post("routers", RED).error == (409, "OverQuota")
    assert add(api, mine, subnet_id=subnet).status == 200
    _, other = lan(api, "10.0.2.0/24")
    assert add(api, mine, subnet_id=other).error == (409, "OverQuota"), "an interface is a port"
    assert api.get("quotas/red/details", RED).first["router"] == {"limit": 1, "used": 1, "reserved": 0}
    assert network


def test_a_stale_revision_changes_no_routes(api: Api, joined: tuple[str, str]) -> None:
    mine, _ = joined
    body = {"router": {"routes": routes(("10.9.0.0/16", "10.0.1.5"))}}
    path = f"/v2.0/routers/{mine}/add_extraroutes"
    answer = api.call("PUT", path, body, RED, If_Match="revision_number=1")
    assert answer.error == (412, "RevisionNumberConstraintFailed")
    assert api.call("PUT", path, body, RED, If_Match="revision_number=2").status == 200


def test_every_router_is_distributed_and_highly_available(api: Api) -> None:
    made = api.create("routers", ADMIN, distributed=True, ha=True)
    assert (made["distributed"], made["ha"]) == (True, True)
    assert {"distributed", "ha"}.isdisjoint(api.create("routers", RED)), "Neutron shows it to administrators"
    for name in ("distributed", "ha"):
        for answer in (
            api.post("routers", ADMIN, **{name: False}),
            api.put("routers", made["id"], ADMIN, **{name: False}),
        ):
            assert answer.error == (400, "BadRequest")
            assert f"{name} must be true or left out" in answer.message
        assert api.put("routers", made["id"], ADMIN, **{name: True}).status == 200
        assert api.post("routers", RED, **{name: True}).error == (403, "PolicyNotAuthorized")
        assert api.put("routers", router(api), RED, **{name: True}).error == (403, "PolicyNotAuthorized")
        assert api.post("routers", ADMIN, **{name: "perhaps"}).error == (400, "InvalidInput")
