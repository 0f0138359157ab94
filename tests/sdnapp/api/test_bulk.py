"""Several objects in one request: all or nothing."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from webob import Request

from sdnapp.api.services import Settings
from tests.sdnapp.api.stand_ins import RED, Api, unclaimed
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


@pytest.mark.parametrize("fits", [True, False])
def test_nobody_sees_half_of_a_request(fits: bool) -> None:
    """Readers go on meanwhile, in other threads, and whoever writes comes before all of it or after."""
    api = Api(Settings(quotas={"port": -1}))
    network = api.network()
    api.subnet(network, "10.0.0.0/23" if fits else "10.0.0.0/24")
    seen: set[tuple[int, int]] = set()
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            ports = api.store.find_ids(Port, "network", network)
            found = get(api, f"ports?network_id={network}")
            seen.add((len(ports), len(found)))

    def write() -> int:
        """Count what is there, in a transaction of its own."""
        with api.store.transaction() as tx:
            return len(tx.find_ids(Port, "every", True))

    with ThreadPoolExecutor(3) as threads:
        readers = [threads.submit(read) for _ in range(2)]
        before = threads.submit(write)
        request = Request.blank("/v2.0/ports", method="POST")
        request.json = {"ports": [{"network_id": network}] * 300}
        response = request.get_response(api.app)
        ended.set()
        for reader in readers:
            reader.result(30)
        assert before.result(30) in (0, 300)
    assert response.status_int == (201 if fits else 409)
    assert {number for pair in seen for number in pair} <= {0, 300 if fits else 0}
    assert len(api.store.all(Port)) == (300 if fits else 0)
    assert unclaimed(api.store) == []


def get(api: Api, path: str) -> list[object]:
    response = Request.blank(f"/v2.0/{path}").get_response(api.app)
    assert response.status_int == 200
    return list(response.json["ports"])
