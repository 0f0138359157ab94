"""Several objects in one request: all or nothing."""

from sdnapp.api.services import Settings
from tests.sdnapp.api.stand_ins import RED, Api
from topology.values import Network, Port


def test_objects_come_back_in_order(api: Api) -> None:
    answer = api.call("POST", "/v2.0/networks", {"networks": [{"name": "a"}, {"network": {"name": "b"}}]}, RED)
    assert answer.status == 201
    assert [network["name"] for network in answer.body["networks"]] == ["a", "b"]


def test_one_bad_attribute_refuses_all(api: Api) -> None:
    answer = api.call("POST", "/v2.0/networks", {"networks": [{"name": "a"}, {"mtu": -1}]})
    assert answer.error == (400, "HTTPBadRequest")
    assert api.store.all(Network) == []


def test_one_broken_rule_undoes_all(api: Api) -> None:
    network = api.network()
    api.subnet(network, "10.0.0.0/29")
    answer = api.call("POST", "/v2.0/ports", {"ports": [{"network_id": network}] * 6})
    assert answer.error == (409, "IpAddressGenerationFailure")
    assert api.store.all(Port) == []
    assert api.call("POST", "/v2.0/ports", {"ports": [{"network_id": network}] * 5}).status == 201


def test_one_forbidden_object_undoes_all(api: Api) -> None:
    answer = api.call("POST", "/v2.0/networks", {"networks": [{"name": "a"}, {"shared": True}]}, RED)
    assert answer.error == (403, "PolicyNotAuthorized")
    assert api.store.all(Network) == []


def test_objects_of_one_request_see_each_other(api: Api) -> None:
    network = api.network()
    same = {"network_id": network, "ip_version": 4, "cidr": "10.0.0.0/24"}
    assert api.call("POST", "/v2.0/subnets", {"subnets": [same, same]}).error == (400, "InvalidInput")


def test_a_request_is_one_revision(api: Api) -> None:
    network = api.network()
    before = api.store.revision
    api.call("POST", "/v2.0/ports", {"ports": [{"network_id": network}] * 20})
    assert api.store.revision == before + 1


def test_a_thousand_ports_fit() -> None:
    api = Api(Settings(quotas={"port": -1}))
    network = api.network()
    api.subnet(network, "10.0.0.0/16")
    body = {"ports": [{"network_id": network, "name": f"port-{n}", "description": "x" * 200} for n in range(1000)]}
    answer = api.call("POST", "/v2.0/ports", body)
    assert answer.status == 201
    assert len({port["fixed_ips"][0]["ip_address"] for port in answer.body["ports"]}) == 1000
