"""Who sees and does what: projects, roles, shared networks."""

from typing import Any

import pytest

from tests.sdnapp.api.stand_ins import BLUE, READER, RED, Api

MANAGER = {"X-Project-Id": "red", "X-Roles": "manager"}
NOBODY = {"X-Project-Id": "red", "X-Roles": ""}
FORBIDDEN = (403, "PolicyNotAuthorized")


def test_projects_do_not_see_each_other(api: Api) -> None:
    network = api.network(RED)
    subnet, port = api.subnet(network, who=RED), api.port(network, RED)
    for collection, row_id, kind in (
        ("networks", network, "NetworkNotFound"),
        ("subnets", subnet, "SubnetNotFound"),
        ("ports", port, "PortNotFound"),
    ):
        assert api.get(collection, BLUE).first == []
        assert api.get(collection, BLUE, id=row_id).first == []
        assert [each["id"] for each in api.get(collection, RED).first] == [row_id]
        for answer in (
            api.get(f"{collection}/{row_id}", BLUE),
            api.put(collection, row_id, BLUE, name="mine"),
            api.delete(collection, row_id, BLUE),
        ):
            assert answer.error == (404, kind)


def test_nobody_builds_on_a_network_that_he_does_not_see(api: Api) -> None:
    network = api.network(RED)
    assert api.post("ports", BLUE, network_id=network).error == (404, "NetworkNotFound")
    answer = api.post("subnets", BLUE, network_id=network, ip_version=4, cidr="10.0.0.0/24")
    assert answer.error == (404, "NetworkNotFound")


def test_both_projects_use_the_same_addresses(api: Api) -> None:
    for who in (RED, BLUE):
        network = api.network(who)
        api.subnet(network, "10.0.0.0/24", who)
        assert api.create("ports", who, network_id=network)["fixed_ips"][0]["ip_address"] == "10.0.0.2"


def test_a_shared_network_is_for_all_to_use_but_not_to_change(api: Api) -> None:
    network = api.network(shared=True)
    subnet = api.subnet(network)
    foreign = api.port(network)
    assert [each["id"] for each in api.get("networks", RED).first] == [network]
    assert [each["id"] for each in api.get("subnets", RED).first] == [subnet]
    assert api.get("ports", RED).first == []
    assert api.put("networks", network, RED, name="x").error == FORBIDDEN
    assert api.delete("networks", network, RED).error == FORBIDDEN
    assert api.put("subnets", subnet, RED, name="x").error == FORBIDDEN
    assert api.post("subnets", RED, network_id=network, ip_version=4, cidr="10.0.1.0/24").error == FORBIDDEN
    port = api.create("ports", RED, network_id=network, fixed_ips=[{"subnet_id": subnet}])
    assert port["project_id"] == "red"
    assert api.get(f"ports/{foreign}", RED).error == (404, "PortNotFound")
    assert api.get(f"ports/{port['id']}", BLUE).error == (404, "PortNotFound")


ON_SHARED: list[tuple[dict[str, Any], str]] = [
    ({"mac_address": "02:00:00:00:00:01"}, "(rule:create_port and rule:create_port:mac_address)"),
    (
        {"fixed_ips": [{"ip_address": "10.0.0.9"}]},
        "(rule:create_port and (rule:create_port:fixed_ips and (rule:create_port:fixed_ips:ip_address)))",
    ),
    ({"port_security_enabled": False}, "(rule:create_port and rule:create_port:port_security_enabled)"),
    ({"device_owner": "network:dhcp"}, "(rule:create_port and rule:create_port:device_owner)"),
    (
        {"allowed_address_pairs": [{"ip_address": "10.0.0.9"}]},
        "(rule:create_port and (rule:create_port:allowed_address_pairs and "
        "(rule:create_port:allowed_address_pairs:ip_address)))",
    ),
]


@pytest.mark.parametrize(("attributes", "rule"), ON_SHARED)
def test_what_only_a_networks_owner_may_say_of_ports(api: Api, attributes: dict[str, Any], rule: str) -> None:
    network = api.network(shared=True)
    api.subnet(network)
    answer = api.post("ports", RED, network_id=network, **attributes)
    assert answer.error == FORBIDDEN
    assert answer.message == f"{rule} is disallowed by policy"
    own = api.network(RED)
    api.subnet(own, who=RED)
    assert api.post("ports", RED, network_id=own, **attributes).status == 201


def test_a_networks_owner_sees_and_deletes_the_ports_on_it(api: Api) -> None:
    network = api.network(tenant_id="red", shared=True)
    port = api.port(network, BLUE)
    assert [each["id"] for each in api.get("ports", RED).first] == [port]
    assert api.put("ports", port, RED, name="x").error == FORBIDDEN
    assert api.delete("ports", port, RED).status == 204


ADMINS_ONLY: list[tuple[str, dict[str, Any], str]] = [
    ("networks", {"shared": True}, "(rule:create_network and rule:create_network:shared)"),
    (
        "networks",
        {"provider__network_type": "geneve", "provider__segmentation_id": 5},
        "((rule:create_network and rule:create_network:provider:network_type) "
        "and rule:create_network:provider:segmentation_id)",
    ),
    ("ports", {"binding__host_id": "h"}, "(rule:create_port and rule:create_port:binding:host_id)"),
    ("ports", {"binding__profile": {}}, "(rule:create_port and rule:create_port:binding:profile)"),
]


@pytest.mark.parametrize(("collection", "attributes", "rule"), ADMINS_ONLY)
def test_what_only_administrators_may_say(api: Api, collection: str, attributes: dict[str, Any], rule: str) -> None:
    needed = {"network_id": api.network(RED)} if collection == "ports" else {}
    answer = api.post(collection, RED, **needed, **attributes)
    assert answer.error == FORBIDDEN
    assert answer.message == f"{rule} is disallowed by policy"
    row_id = api.create(collection, RED, **needed)["id"]
    answer = api.put(collection, row_id, RED, **attributes)
    assert answer.error == FORBIDDEN
    assert answer.message == f"{rule.replace('create', 'update')} is disallowed by policy"


def test_saying_the_default_needs_no_rule(api: Api) -> None:
    assert api.post("networks", RED, shared=False).status == 201


def test_members_do_not_see_what_is_for_administrators(api: Api) -> None:
    network = api.network(RED)
    port = api.port(network, RED)
    for path in (f"networks/{network}", f"ports/{port}", "networks", "ports"):
        shown = api.get(path, RED).first
        for each in shown if isinstance(shown, list) else [shown]:
            hidden = [name for name in each if name.startswith(("provider:", "binding:", "sdnapp:"))]
            assert hidden in ([], ["binding:vnic_type"])


def test_readers_read(api: Api) -> None:
    network = api.network(RED)
    port = api.port(network, RED)
    assert api.get(f"networks/{network}", READER).status == 200
    assert len(api.get("ports", READER).first) == 1
    assert api.post("networks", READER).error == FORBIDDEN
    assert api.put("networks", network, READER, name="x").error == FORBIDDEN
    assert api.delete("ports", port, READER).error == FORBIDDEN


def test_who_has_no_role_sees_nothing(api: Api) -> None:
    network = api.network(RED)
    assert api.get("networks", NOBODY).first == []
    assert api.get(f"networks/{network}", NOBODY).error == (404, "NetworkNotFound")
    assert api.post("networks", NOBODY).error == FORBIDDEN


def test_managers_change_mac_addresses(api: Api) -> None:
    port = api.port(api.network(RED), RED)
    assert api.put("ports", port, RED, mac_address="02:00:00:00:00:01").error == FORBIDDEN
    assert api.put("ports", port, MANAGER, mac_address="02:00:00:00:00:01").status == 200


def test_managers_choose_floating_addresses_of_their_project(api: Api) -> None:
    world = api.network(**{"router:external": True, "provider:network_type": "flat", "provider:physical_network": "p"})
    api.subnet(world, "203.0.113.0/24")
    chosen = {"floating_network_id": world, "floating_ip_address": "203.0.113.6"}
    assert api.post("floatingips", RED, **chosen).error == FORBIDDEN
    assert api.post("floatingips", MANAGER, **chosen, project_id="blue").error == (400, "HTTPBadRequest")
    assert api.post("floatingips", MANAGER, **chosen).first["floating_ip_address"] == "203.0.113.6"


def test_members_leave_ports_of_instances_alone(api: Api) -> None:
    network = api.network(RED)
    port = api.port(network, RED, device_owner="compute:nova", device_id="vm")
    assert api.delete("ports", port, RED).error == FORBIDDEN
    assert api.delete("ports", port).status == 204


def test_members_own_what_they_make(api: Api) -> None:
    answer = api.post("networks", RED, tenant_id="blue")
    assert answer.error == (400, "HTTPBadRequest")
    assert answer.message == (
        "Specifying 'project_id' other than the authenticated project in request is not allowed for the current user."
    )
    assert api.post("networks", RED, project_id="red").status == 201


def test_who_has_no_project_owns_nothing(api: Api) -> None:
    answer = api.post("networks", {"X-Roles": "member"})
    assert answer.error == (400, "HTTPBadRequest")
    assert answer.message == "Running without keystone AuthN requires that project_id is specified"


def test_administrators_act_in_their_project_or_any(api: Api) -> None:
    admin = {"X-Project-Id": "red"}
    assert api.create("networks", admin)["project_id"] == "red"
    assert api.create("networks", admin, tenant_id="blue")["project_id"] == "blue"
    assert len(api.get("networks", admin).first) == 2
