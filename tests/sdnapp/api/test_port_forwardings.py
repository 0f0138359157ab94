"""Port forwardings: ports of a floating IP that lead to instances."""

import logging
from collections.abc import Iterable
from typing import Any
from uuid import uuid4

import pytest

from sdnapp import turns
from sdnapp.api import port_forwardings
from sdnapp.api.resources.floatingips import AT_ONCE
from tests.sdnapp.api.stand_ins import ADMIN, BLUE, RED, Answer, Api
from tests.sdnapp.api.test_gateways import joined, lan, world
from topology.values import FloatingIP, Port, PortForwarding

__all__ = ("lan", "world")


class Behind:
    """A floating IP, and two ports behind the router that it is reached by."""

    def __init__(self, api: Api, world: str, lan: str) -> None:
        self.api, self.lan = api, lan
        self.router = joined(api, world, lan)
        self.ports = [api.port(lan, RED) for _ in range(2)]
        self.floatingip = str(api.create("floatingips", RED, floating_network_id=world)["id"])
        self.path = f"/v2.0/floatingips/{self.floatingip}/port_forwardings"

    def address(self, port: str) -> str:
        return str(self.api.call("GET", f"/v2.0/ports/{port}", None, RED).first["fixed_ips"][0]["ip_address"])

    def body(self, port: str, **values: Any) -> dict[str, Any]:
        inside = {"internal_port_id": port, "internal_ip_address": self.address(port), "protocol": "tcp"}
        return {"port_forwarding": {**inside, **values}}

    def forward(self, port: str, who: dict[str, str] = RED, **values: Any) -> Answer:
        return self.api.call("POST", self.path, self.body(port, **values), who)

    def shown(self) -> dict[str, Any]:
        return dict(self.api.call("GET", f"/v2.0/floatingips/{self.floatingip}", None, RED).first)


@pytest.fixture
def behind(api: Api, world: str, lan: str) -> Behind:
    return Behind(api, world, lan)


def test_ports_lead_to_several_instances(behind: Behind) -> None:
    one, two = behind.ports
    made = behind.forward(one, external_port=2222, internal_port=22, description="ssh")
    assert made.status == 201
    assert {name: value for name, value in made.first.items() if name != "id"} == {
        "protocol": "tcp",
        "description": "ssh",
        "internal_port_id": one,
        "internal_ip_address": behind.address(one),
        "internal_port": 22,
        "internal_port_range": "22:22",
        "external_port": 2222,
        "external_port_range": "2222:2222",
    }
    assert behind.forward(two, external_port_range="8000:8009", internal_port_range="80:89").status == 201
    assert behind.forward(two, external_port=2222, internal_port=22, protocol="udp").status == 201
    shown = behind.shown()
    assert shown["router_id"] == behind.router and shown["port_id"] is None
    ranges = [each.get("external_port_range") for each in shown["port_forwardings"]]
    assert ranges.count("8000:8009") == 1 and ranges.count(None) == len(ranges) - 1, "of one port, no range is shown"
    listed = behind.api.call("GET", f"{behind.path}?protocol=udp&fields=protocol", None, RED).body
    assert listed == {"port_forwardings": [{"protocol": "udp"}]}


def test_several_in_one_request_are_all_or_none(behind: Behind, world: str) -> None:
    one, two = behind.ports
    said = [
        behind.body(port, external_port=number, internal_port=22)["port_forwarding"]
        for number, port in enumerate((one, two), 2201)
    ]
    for wrong in ({"external_port": 2201}, {"internal_port_id": str(uuid4())}, {"protocol": "junk"}, {"nope": 1}):
        answer = behind.api.call("POST", behind.path, {"port_forwardings": [said[0], said[1] | wrong]}, RED)
        assert answer.status in (400, 404), answer.body
        assert (behind.shown()["port_forwardings"], behind.shown()["router_id"]) == ([], None)
    made = behind.api.call("POST", behind.path, {"port_forwardings": said}, RED)
    assert made.status == 201 and [each["external_port"] for each in made.first] == [2201, 2202]
    assert behind.shown()["router_id"] == behind.router
    assert behind.api.call("POST", behind.path, {"port_forwardings": []}, RED).error == (400, "HTTPBadRequest")
    for_two = behind.api.create("floatingips", RED, floating_network_id=world)["id"]
    path = f"/v2.0/floatingips/{for_two}/port_forwardings"
    assert behind.api.call("POST", path, None, RED).message == "Resource body required"


def test_they_are_listed_in_pages(behind: Behind) -> None:
    for number in range(5):
        behind.forward(behind.ports[0], external_port=2200 + number, internal_port=22 + number)
    path = f"{behind.path}?limit=2&sort_key=external_port&sort_dir=desc"
    found: list[int] = []
    while path:
        page = behind.api.call("GET", path, None, RED).body
        found += [each["external_port"] for each in page["port_forwardings"]]
        links = {each["rel"]: each["href"] for each in page["port_forwardings_links"]}
        path = links.get("next", "").removeprefix("http://localhost")
    assert found == [2204, 2203, 2202, 2201, 2200]
    assert behind.api.call("GET", f"{behind.path}?limit=x", None, RED).error == (400, "BadRequest")
    assert behind.api.call("GET", f"{behind.path}?limit=1&marker=x", None, RED).error == (404, "PortForwardingNotFound")
    several = behind.api.call("GET", f"{behind.path}?external_port=2201&external_port=2203", None, RED).first
    assert sorted(each["external_port"] for each in several) == [2201, 2203]


def test_a_change_and_the_end(behind: Behind) -> None:
    one, two = behind.ports
    path = f"{behind.path}/{behind.forward(one, external_port=2222, internal_port=22).first['id']}"
    changed = behind.api.call("PUT", path, behind.body(two, external_port=2223), RED).first
    assert (changed["external_port"], changed["internal_port"], changed["internal_port_id"]) == (2223, 22, two)
    assert behind.api.call("GET", path, None, RED).first == changed
    assert behind.api.call("GET", path, None, BLUE).error == (404, "FloatingIPNotFound")
    assert behind.api.call("DELETE", path, None, BLUE).error == (404, "FloatingIPNotFound")
    assert behind.api.call("DELETE", path, None, RED).status == 204
    assert behind.api.call("GET", path, None, RED).error == (404, "PortForwardingNotFound")
    assert behind.shown()["router_id"] is None


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"external_port": 2222}, "internal_port or internal_port_range is needed"),
        ({"external_port": 2222, "external_port_range": "1:2", "internal_port": 1}, "cannot be present simultaneously"),
        ({"external_port_range": "1:3", "internal_port_range": "1:2"}, "must be N-N or 1-N"),
        ({"external_port": 22, "internal_port": 22, "protocol": "icmp"}, "protocol"),
        ({"external_port": 0, "internal_port": 22}, "external_port"),
        (
            {"external_port": 22, "internal_port": 22, "internal_ip_address": "10.0.0.250"},
            "is not suitable for internal neutron port",
        ),
        ({"external_port_range": "9:1", "internal_port": 22}, "external_port"),
    ],
)
def test_what_cannot_be_forwarded(behind: Behind, values: dict[str, Any], words: str) -> None:
    answer = behind.forward(behind.ports[0], **values)
    assert answer.status == 400 and words in answer.message
    assert behind.shown()["router_id"] is None


def test_ports_are_forwarded_once(behind: Behind) -> None:
    one, two = behind.ports
    assert behind.forward(one, external_port_range="10:20", internal_port=1).status == 201
    collision = "There is a port collision with the external_port_range. The following ranges collide: 10:20 and "
    assert f"{collision}20:20" in behind.forward(two, external_port=20, internal_port=1).message
    other = behind.forward(two, external_port=21, internal_port=1).first["id"]
    body = {"port_forwarding": {"external_port": 15}}
    assert f"{collision}15:15" in behind.api.call("PUT", f"{behind.path}/{other}", body, RED).message


def test_an_address_is_forwarded_or_stands_for_another(behind: Behind, world: str) -> None:
    one, two = behind.ports
    assert behind.forward(one, external_port=22, internal_port=22).status == 201
    whole = behind.api.put("floatingips", behind.floatingip, RED, port_id=two)
    assert whole.error == (409, "FipInUseByPortForwarding")
    assert behind.api.put("floatingips", behind.floatingip, RED, description="mine").status == 200
    for_one = behind.api.create("floatingips", RED, floating_network_id=world, port_id=one)
    path = f"/v2.0/floatingips/{for_one['id']}/port_forwardings"
    assert behind.api.call("POST", path, behind.body(two, external_port=22, internal_port=22), RED).error == (
        409,
        "FloatingIPPortAlreadyAssociated",
    )
    both_at_once = "as that port already has a binding floating IP"
    for refused in (
        behind.api.call("POST", path, behind.body(one, external_port=22, internal_port=23), RED),
        behind.forward(one, external_port=23, internal_port=23),
    ):
        assert refused.error == (409, "PortHasBindingFloatingIP")
        assert f"to floating IP {for_one['floating_ip_address']} ({for_one['id']})" in refused.message
        assert both_at_once in refused.message
    (forwarding,) = behind.shown()["port_forwardings"]

    def change(**values: str) -> Answer:
        return behind.api.call("PUT", f"{behind.path}/{forwarding['id']}", {"port_forwarding": values}, RED)

    assert change(description="old").status == 200, "what was there before the floating IP stays"
    again = change(internal_port_id=one, internal_ip_address=behind.address(one))
    assert again.error == (409, "PortHasBindingFloatingIP")


def test_nor_is_another_address_of_a_port_that_one_stands_for(behind: Behind, world: str) -> None:
    one, _ = behind.ports
    network = behind.api.store.get(Port, one).network_id
    both = behind.api.port(network, RED, fixed_ips=[{"ip_address": "10.0.0.50"}, {"ip_address": "10.0.0.51"}])
    whole = {"floating_network_id": world, "port_id": both, "fixed_ip_address": "10.0.0.51"}
    behind.api.create("floatingips", RED, **whole)
    assert behind.forward(both, external_port=23, internal_port=22).error == (409, "PortHasBindingFloatingIP")


def test_they_hold_for_one_revision_of_their_floating_ip_and_the_audit_log_names_them(
    behind: Behind, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "sdnapp.audit")
    stale = {"If_Match": f"revision_number={behind.shown()['revision_number'] + 1}"}
    refused = (412, "RevisionNumberConstraintFailed")
    body = behind.body(behind.ports[0], external_port=22, internal_port=22)
    assert behind.api.call("POST", behind.path, body, RED, **stale).error == refused
    made = behind.api.call("POST", behind.path, body, RED).first["id"]
    assert caplog.messages[-1].endswith(f" created={made}")
    stale = {"If_Match": f"revision_number={behind.shown()['revision_number'] + 1}"}
    change = {"port_forwarding": {"description": "new"}}
    assert behind.api.call("PUT", f"{behind.path}/{made}", change, RED, **stale).error == refused
    assert behind.api.call("DELETE", f"{behind.path}/{made}", None, RED, **stale).error == refused


def test_who_may_not(behind: Behind, api: Api) -> None:
    assert behind.forward(behind.ports[0], BLUE, external_port=1, internal_port=1).error == (404, "FloatingIPNotFound")
    lost = {"internal_port_id": str(uuid4()), "external_port": 1, "internal_port": 1}
    assert behind.forward(behind.ports[0], **lost).error == (404, "PortNotFound")
    of_blue = api.port(behind.lan, project_id="blue")
    mixed = behind.forward(of_blue, ADMIN, external_port=1, internal_port=1)
    assert mixed.error == (400, "BadRequest") and "are of different projects" in mixed.message
    far = api.network(RED)
    api.subnet(far, "10.0.9.0/24", RED)
    outside = behind.forward(api.port(far, RED), external_port=1, internal_port=1)
    assert outside.error == (400, "BadRequest") and "is not reachable from subnet" in outside.message


def test_they_go_with_their_port_and_their_address(behind: Behind) -> None:
    one, two = behind.ports
    for number, port in enumerate((one, two), 22):
        assert behind.forward(port, external_port=number, internal_port=22).status == 201
    assert behind.api.call("DELETE", f"/v2.0/ports/{one}", None, RED).status == 204
    assert [each["internal_port_id"] for each in behind.shown()["port_forwardings"]] == [two]
    interface = {"port_id": next(iter(behind.api.store.find_ids(Port, "interface_of", behind.router)))}
    path = f"/v2.0/routers/{behind.router}/remove_router_interface"
    assert behind.api.call("PUT", path, interface, RED).error == (409, "RouterInterfaceInUseByFloatingIP")
    path = f"/v2.0/floatingips/{behind.floatingip}"
    assert behind.api.call("DELETE", path, None, RED).error == (409, "FipInUseByPortForwarding")
    assert behind.api.call("DELETE", f"/v2.0/ports/{two}", None, RED).status == 204
    assert behind.api.store.all(PortForwarding) == []
    assert behind.api.call("DELETE", path, None, RED).status == 204


def test_one_target_is_forwarded_to_once(behind: Behind, world: str) -> None:
    one, two = behind.ports
    assert behind.forward(one, external_port=2222, internal_port=22).status == 201
    again = behind.forward(one, external_port=2223, internal_port=22)
    assert again.status == 400 and "collision with the internal_port_range" in again.message
    other = behind.api.create("floatingips", RED, floating_network_id=world)["id"]
    path, body = f"/v2.0/floatingips/{other}/port_forwardings", behind.body(one, external_port=2222, internal_port=22)
    assert behind.api.call("POST", path, body, RED).status == 400, "by another address, neither"
    assert behind.forward(two, external_port=2223, internal_port=22).status == 201


def test_an_empty_change_disassociates(behind: Behind, world: str) -> None:
    """As clients did when there was nothing else to change."""
    row = behind.api.create("floatingips", RED, floating_network_id=world, port_id=behind.ports[0])["id"]
    answer = behind.api.call("PUT", f"/v2.0/floatingips/{row}", {"floatingip": {}}, RED)
    assert answer.status == 200 and answer.first["port_id"] is None


def test_unused_addresses_go_with_their_network(behind: Behind, world: str) -> None:
    empty = behind.api.network(ADMIN, **{"router:external": True})
    behind.api.subnet(empty, "192.0.2.0/24")
    row = behind.api.create("floatingips", ADMIN, floating_network_id=empty)["id"]
    assert behind.api.call("DELETE", f"/v2.0/networks/{empty}", None, ADMIN).status == 204
    assert behind.api.store.get(FloatingIP, row) is None
    assert behind.api.call("DELETE", f"/v2.0/networks/{world}", None, ADMIN).error == (409, "NetworkInUse")


def several(behind: Behind, ports: Iterable[int], **values: Any) -> Answer:
    (one, _) = behind.ports
    bodies = [behind.body(one, external_port=port, internal_port=port, **values)["port_forwarding"] for port in ports]
    return behind.api.call("POST", behind.path, {"port_forwardings": bodies}, RED)


def test_one_more_is_compared_with_those_only_whose_ports_are_near(
    behind: Behind, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared, check = list[int](), port_forwardings._check_ranges
    monkeypatch.setattr(port_forwardings, "_check_ranges", lambda *each: (compared.append(1), check(*each))[1])
    assert several(behind, range(300, 60_000, 300)).status == 201
    compared.clear()
    one, two = behind.ports
    assert behind.forward(one, external_port=30_001, internal_port=30_001).status == 201
    assert 1 <= len(compared) <= 4, "of 199"
    for ports in ({"external_port": 59_700}, {"external_port_range": "1:300"}, {"external_port_range": "1:65535"}):
        assert behind.forward(two, internal_port=7, **ports).status == 400
    assert behind.forward(two, external_port=59_700, internal_port=7, protocol="udp").status == 201
    assert behind.forward(two, external_port_range="1:299", internal_port=8).status == 201


def test_many_are_written_aside_and_others_have_their_turn(behind: Behind, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = list[int]()
    monkeypatch.setattr(turns, "SLICE", 0)
    store = behind.api.store
    monkeypatch.setattr(
        turns.hub,
        "sleep",
        lambda _: seen.append(store.count(PortForwarding, "every", True) + 1000 * store.is_being_written),
    )
    made = several(behind, range(1, 121))
    assert made.status == 201 and len(made.first) == 120 and seen.count(1000) > 120, "while they are written"
    assert {*seen} <= {0, 1000, 1120, 120}, "all or none"
    shown = behind.shown()["port_forwardings"]
    assert len(shown) == 120 > AT_ONCE and shown[0]["protocol"] == "tcp"
    (listed,) = behind.api.get("floatingips", RED).first
    assert listed["port_forwardings"] == shown
    assert several(behind, [500, 3]).status == 400
    assert len(behind.shown()["port_forwardings"]) == 120
