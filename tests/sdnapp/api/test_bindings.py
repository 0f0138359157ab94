"""``/ports/{id}/bindings``: a port moves to another host; and MAC addresses that belong to physical devices."""

from typing import Any

import pytest

from tests.sdnapp.api.stand_ins import READER, RED, Answer, Api
from topology.facts import binding_in_force
from topology.placement import Plugged, observe
from topology.values import Chassis

DEVICE = {"device_mac_address": "02:00:00:00:00:77"}
OTHER_DEVICE = {"device_mac_address": "02:00:00:00:00:78"}
NOT_FOUND = (404, "PortBindingNotFound")


@pytest.fixture
def api() -> Api:
    api = Api()
    for name in ("node1", "node2", "node3"):
        observe(api.store, Chassis(f"id-{name}", hostname=name, bridge="br-x"), {})
    return api


@pytest.fixture
def port(api: Api) -> str:
    return api.port(api.network(RED), RED | {"X-Roles": "admin"}, device_owner="compute:nova", binding__host_id="node1")


def path(port: str, *rest: str) -> str:
    return "/".join((f"/v2.0/ports/{port}/bindings", *rest))


def bind(api: Api, port: str, **given: Any) -> Answer:
    return api.call("POST", path(port), {"binding": given})


def hosts(api: Api, port: str) -> dict[str, str]:
    return {each["host"]: each["status"] for each in api.call("GET", path(port)).first}


def served_at(api: Api, port: str) -> str | None:
    binding = binding_in_force(api.store, port)  # type: ignore[arg-type]
    return binding.chassis_id if binding is not None else None


def test_a_binding_for_another_host(api: Api, port: str) -> None:
    made = bind(api, port, host="node2", profile={"a": 1})
    expected = {
        "host": "node2",
        "vif_type": "ovs",
        "vnic_type": "normal",
        "status": "INACTIVE",
        "profile": {"a": 1},
        "vif_details": {"port_filter": True, "connectivity": "l2", "bridge_name": "br-x"},
    }
    assert (made.status, made.body) == (201, {"binding": expected})
    active = expected | {"host": "node1", "status": "ACTIVE", "profile": {}}
    assert api.call("GET", path(port)).body == {"bindings": [active, expected]}
    assert api.call("GET", path(port, "node2")).body == {"binding": expected}
    assert api.call("GET", path(port) + "?status=ACTIVE&fields=host").first == [{"host": "node1"}]
    assert api.call("GET", path(port) + "?host=node2&fields=status").first == [{"status": "INACTIVE"}]
    assert api.call("GET", path(port) + "?x=y").error == (400, "HTTPBadRequest")
    assert api.get(f"ports/{port}").first["binding:host_id"] == "node1"


def test_a_live_migration(api: Api, port: str) -> None:
    observe(api.store, Chassis("id-node1", hostname="node1"), {port: Plugged(5, "tap5")})
    bind(api, port, host="node2", profile={"a": 1})
    observe(api.store, Chassis("id-node2", hostname="node2"), {port: Plugged(6, "tap6")})
    assert served_at(api, port) == "id-node1"
    revision = api.get(f"ports/{port}").first["revision_number"]
    activated = api.call("PUT", path(port, "node2", "activate"))
    assert (activated.status, activated.first["host"], activated.first["status"]) == (200, "node2", "ACTIVE")
    assert served_at(api, port) == "id-node2"
    assert hosts(api, port) == {"node2": "ACTIVE", "node1": "INACTIVE"}
    shown = api.get(f"ports/{port}").first
    assert (shown["binding:host_id"], shown["binding:profile"]) == ("node2", {"a": 1})
    assert shown["revision_number"] > revision
    assert api.call("DELETE", path(port, "node1")).status == 204
    assert hosts(api, port) == {"node2": "ACTIVE"}


def test_a_port_serves_nowhere_before_its_only_plugged_binding_is_active(api: Api, port: str) -> None:
    bind(api, port, host="node2")
    observe(api.store, Chassis("id-node2", hostname="node2"), {port: Plugged(6, "tap6")})
    assert served_at(api, port) is None
    api.call("PUT", path(port, "node2", "activate"))
    assert served_at(api, port) == "id-node2"


def test_bindings_change(api: Api, port: str) -> None:
    bind(api, port, host="node2")
    assert api.call("PUT", path(port, "node2"), {"binding": {"profile": {"b": 2}}}).first["profile"] == {"b": 2}
    assert api.call("PUT", path(port, "node2"), {"binding": {"host": "node3"}}).first["host"] == "node3"
    assert api.call("PUT", path(port, "node1"), {"binding": {"profile": {"c": 3}}}).first["status"] == "ACTIVE"
    assert api.get(f"ports/{port}").first["binding:profile"] == {"c": 3}
    assert hosts(api, port) == {"node1": "ACTIVE", "node3": "INACTIVE"}
    clash = api.call("PUT", path(port, "node3"), {"binding": {"host": "node1"}})
    assert clash.error == (409, "PortBindingAlreadyExists")
    assert api.call("PUT", path(port, "node3"), {"binding": {"host": "mars"}}).error == (409, "PortBindingError")


def test_without_its_active_binding_a_port_is_unbound(api: Api, port: str) -> None:
    assert api.call("DELETE", path(port, "node1")).status == 204
    shown = api.get(f"ports/{port}").first
    assert (shown["binding:host_id"], shown["binding:vif_type"]) == ("", "unbound")
    bind(api, port, host="node2")
    assert api.call("PUT", path(port, "node2", "activate")).status == 200
    assert hosts(api, port) == {"node2": "ACTIVE"}


def test_a_port_meant_for_the_host_of_an_inactive_binding_has_one_there(api: Api, port: str) -> None:
    bind(api, port, host="node2")
    api.put("ports", port, binding__host_id="node2")
    assert hosts(api, port) == {"node2": "ACTIVE"}


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        ({"binding": {"host": "node1"}}, (409, "PortBindingAlreadyExists"), "on host node1 already exists."),
        ({"binding": {"host": "mars"}}, (409, "PortBindingError"), "on host mars could not be created or updated."),
        ({"binding": {"host": "node2", "vnic_type": "direct"}}, (409, "PortBindingError"), "on host node2"),
        ({"binding": {}}, (400, "HTTPBadRequest"), "Required attribute 'host' not specified"),
        ({"binding": {"host": ""}}, (400, "HTTPBadRequest"), "Invalid input for host"),
        ({"binding": {"host": 7}}, (400, "HTTPBadRequest"), "Invalid input for host"),
        ({"binding": {"host": None}}, (400, "HTTPBadRequest"), "Invalid input for host"),
        ({"binding": {"host": "h" * 300}}, (400, "HTTPBadRequest"), "Invalid input for host"),
        ({"binding": {"host": "node2", "x": 1}}, (400, "HTTPBadRequest"), "Unrecognized attribute(s) 'x'"),
        ({"binding": {"host": "node2", "vnic_type": "x"}}, (400, "HTTPBadRequest"), "x is not in valid_values"),
        ({"binding": {"host": "node2", "profile": "x"}}, (400, "HTTPBadRequest"), "'x' is not a dictionary"),
        ({"binding": {"host": "node2", "status": "ACTIVE"}}, (400, "HTTPBadRequest"), "'status' not allowed in POST"),
        ({"binding": []}, (400, "HTTPBadRequest"), "Object 'binding' contains invalid data"),
        ({"bindings": [{"host": "node2"}]}, (400, "HTTPBadRequest"), "Bulk operation not supported"),
        ([1], (400, "HTTPBadRequest"), "Body contains invalid data"),
    ],
)
def test_bad_bindings(api: Api, port: str, body: object, error: tuple[int, str], message: str) -> None:
    answer = api.call("POST", path(port), body)
    assert answer.error == error
    assert message in answer.message


def test_what_is_not_there(api: Api, port: str) -> None:
    assert api.call("GET", path(port, "node2")).error == NOT_FOUND
    assert api.call("PUT", path(port, "node2"), {"binding": {"profile": {}}}).error == NOT_FOUND
    assert api.call("DELETE", path(port, "node2")).error == NOT_FOUND
    assert api.call("PUT", path(port, "node2", "activate")).error == NOT_FOUND
    assert api.call("PUT", path(port, "node1", "activate")).error == (409, "PortBindingAlreadyActive")
    assert api.call("GET", path("x")).error == (404, "PortNotFound")
    assert api.call("DELETE", path("x", "node1")).error == (404, "PortNotFound")


def test_ports_of_instances_only(api: Api) -> None:
    plain = api.port(api.network())
    for answer in (api.call("GET", path(plain)), bind(api, plain, host="node2")):
        assert answer.error == (400, "BadRequest")
        assert "Operation only valid on compute and shared filesystem ports" in answer.message


@pytest.mark.parametrize("who", [RED, READER])
def test_administrators_only(api: Api, port: str, who: dict[str, str]) -> None:
    bind(api, port, host="node2")
    assert api.call("GET", path(port), who=who).first == []
    assert api.call("GET", path(port, "node1"), who=who).error == (404, "HTTPNotFound")
    refused = api.call("POST", path(port), {"binding": {"host": "node3"}}, who)
    assert (refused.error, refused.message) == (
        (403, "PolicyNotAuthorized"),
        "rule:create_port_binding is disallowed by policy",
    )
    for method, rest in (("PUT", ("node2", "activate")), ("DELETE", ("node2",))):
        assert api.call(method, path(port, *rest), who=who).error == (404, "HTTPNotFound")
    assert api.call("PUT", path(port, "node2"), {"binding": {"profile": {}}}, who).error == (404, "HTTPNotFound")


def physical(api: Api, **given: Any) -> dict[str, Any]:
    return api.create("ports", network_id=api.network(), device_owner="compute:nova", device_id="vm", **given)


def test_a_port_has_the_mac_address_of_its_device(api: Api) -> None:
    port = physical(api, binding__vnic_type="direct-physical", binding__host_id="node1", binding__profile=DEVICE)
    assert (port["mac_address"], port["binding:vif_type"]) == ("02:00:00:00:00:77", "binding_failed")
    changed = api.put("ports", port["id"], binding__profile=OTHER_DEVICE).first
    assert changed["mac_address"] == "02:00:00:00:00:78"
    left = api.put("ports", port["id"], binding__host_id="").first
    assert left["mac_address"].startswith("fa:16:3e:")
    assert api.create("ports", network_id=port["network_id"], mac_address="02:00:00:00:00:78")


def test_a_port_without_its_device_draws_another_address(api: Api) -> None:
    port = physical(api, binding__vnic_type="direct-physical")
    bound = api.put("ports", port["id"], binding__host_id="node1", binding__profile=DEVICE).first
    assert bound["mac_address"] == "02:00:00:00:00:77"
    unplugged = api.put("ports", port["id"], binding__profile={}).first["mac_address"]
    assert unplugged.startswith("fa:16:3e:")
    released = api.put("ports", port["id"], device_id="", device_owner="").first["mac_address"]
    assert released.startswith("fa:16:3e:")
    assert released != unplugged


@pytest.mark.parametrize(
    "given",
    [
        {"binding__vnic_type": "direct-physical", "binding__profile": DEVICE},
        {"binding__vnic_type": "normal", "binding__profile": DEVICE, "binding__host_id": "node1"},
    ],
)
def test_other_ports_keep_their_own(api: Api, given: dict[str, Any]) -> None:
    port = physical(api, **given)
    assert port["mac_address"].startswith("fa:16:3e:")
    assert api.put("ports", port["id"], name="x").first["mac_address"] == port["mac_address"]


@pytest.mark.parametrize(
    ("mac", "error", "message"),
    [
        ("junk", (400, "InvalidInput"), "device_mac_address 'junk' is not a valid MAC address"),
        (7, (400, "InvalidInput"), "device_mac_address '7' is not a valid MAC address"),
        ("03:00:00:00:00:01", (400, "InvalidInput"), "is a multicast address"),
        ("02:00:00:00:00:01", (409, "MacAddressInUse"), "02:00:00:00:00:01"),
    ],
)
def test_bad_device_addresses(api: Api, mac: object, error: tuple[int, str], message: str) -> None:
    port = physical(api, binding__vnic_type="direct-physical", binding__host_id="node1")
    api.create("ports", network_id=port["network_id"], mac_address="02:00:00:00:00:01")
    answer = api.put("ports", port["id"], binding__profile={"device_mac_address": mac})
    assert answer.error == error
    assert message in answer.message


def test_an_interface_that_needs_a_network_cards_help_is_not_bound(api: Api) -> None:
    port = physical(api, binding__vnic_type="direct", binding__host_id="node1")
    assert port["binding:vif_type"] == "binding_failed"
