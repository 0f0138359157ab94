"""The role ``service``: what Neutron lets other services do, such as Nova, which plugs in the ports of all projects."""

import pytest

from sdnapp.api.identity import Identity
from sdnapp.api.policy import Policy
from sdnapp.api.wsgi import declared_rules
from tests.sdnapp.api.stand_ins import RED, Api
from topology.values import Chassis

NOVA = {"X-Project-Id": "services", "X-User-Id": "nova", "X-Roles": "service"}
FORBIDDEN = (403, "PolicyNotAuthorized")


@pytest.fixture
def network(api: Api) -> str:
    with api.store.transaction() as tx:
        for number in (1, 2):
            tx.put(Chassis(f"c{number}", hostname=f"node{number}", encap_ip=f"192.0.2.{number}"))
    return api.network(RED)


def test_it_sees_the_networks_subnets_and_ports_of_all_and_nothing_else(api: Api, network: str) -> None:
    subnet, port = api.subnet(network, who=RED), api.port(network, RED)
    for collection, row_id in (("networks", network), ("subnets", subnet), ("ports", port)):
        assert [each["id"] for each in api.get(collection, NOVA).first] == [row_id]
        assert api.get(f"{collection}/{row_id}", NOVA).status == 200
    assert api.get("network-ip-availabilities", NOVA).first[0]["network_id"] == network
    router = api.create("routers", RED)["id"]
    assert api.get("routers", NOVA).first == []
    assert api.get(f"routers/{router}", NOVA).status == 404
    assert not [name for name in api.get(f"networks/{network}", NOVA).first if name.startswith("provider:")]
    for attempt in (api.put("networks", network, NOVA, name="x"), api.put("subnets", subnet, NOVA, name="x")):
        assert attempt.error == FORBIDDEN
    assert api.delete("networks", network, NOVA).error == FORBIDDEN
    assert api.post("networks", NOVA).error == FORBIDDEN
    assert api.call("GET", "/sdnapp/status", who=NOVA).error == FORBIDDEN
    assert api.call("GET", "/v2.0/quotas", who=NOVA).error == FORBIDDEN


def test_it_plugs_in_ports_for_others_and_takes_them_out(api: Api, network: str) -> None:
    port = api.create(
        "ports",
        NOVA,
        network_id=network,
        project_id="red",
        device_id="vm",
        device_owner="compute:nova",
        binding__host_id="node1",
        binding__profile={"key": "value"},
    )
    assert (port["project_id"], port["binding:host_id"]) == ("red", "node1")
    assert {"binding:vif_type", "binding:vif_details", "binding:profile"} <= port.keys()
    assert "sdnapp:realization" not in port
    [group] = port["security_groups"]
    assert api.get(f"security-groups/{group}", RED).first["name"] == "default"
    [listed] = api.get("ports", NOVA, **{"binding:host_id": "node1"}).first
    assert listed["binding:host_id"] == "node1"
    assert api.put("ports", port["id"], NOVA, binding__host_id="node2").status == 200
    assert api.delete("ports", port["id"], RED).error == FORBIDDEN, "it is in use"
    assert api.delete("ports", port["id"], NOVA).status == 204


def test_it_moves_a_port_by_a_second_binding(api: Api, network: str) -> None:
    port = api.port(network, RED | {"X-Roles": "admin"}, device_owner="compute:nova", binding__host_id="node1")
    path = f"/v2.0/ports/{port}/bindings"
    assert api.call("POST", path, {"binding": {"host": "node2"}}, NOVA).status == 201
    assert api.call("PUT", f"{path}/node2/activate", {}, NOVA).status == 200
    assert {each["host"]: each["status"] for each in api.call("GET", path, who=NOVA).first} == {
        "node1": "INACTIVE",
        "node2": "ACTIVE",
    }
    assert api.call("DELETE", f"{path}/node1", who=NOVA).status == 204


def test_a_member_deletes_a_port_in_use_where_a_service_asks_for_him(api: Api, network: str) -> None:
    port = api.port(network, RED, device_owner="compute:nova")
    assert api.delete("ports", port, RED).error == FORBIDDEN
    assert api.delete("ports", port, RED | {"X-Service-Roles": "reader"}).error == FORBIDDEN
    stranger = {"X-Project-Id": "blue", "X-Roles": "member", "X-Service-Roles": "service"}
    assert api.delete("ports", port, stranger).status == 404
    assert api.delete("ports", port, RED | {"X-Service-Roles": "service"}).status == 204


@pytest.mark.parametrize(("rule", "role", "serves"), [("role:nova", "nova", True), ("!", "service", False)])
def test_an_operator_says_who_is_a_service(rule: str, role: str, serves: bool) -> None:
    who = Policy(declared_rules(), {"service_api": rule}).recognised(Identity("p", "u", frozenset({role})))
    assert who.serves_all is serves
    assert not who.is_admin
