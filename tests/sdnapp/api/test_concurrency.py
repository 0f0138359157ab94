"""Many clients at once: nothing is given twice, and nothing is lost."""

import threading
from collections.abc import Callable
from typing import Any

from webob import Request

from tests.sdnapp.api.stand_ins import Api

CLIENTS, EACH = 8, 12
DEADLINE = 60.0


def at_once(task: Callable[[int], Any]) -> list[Any]:
    """Run a task in several threads that start together; return what each returned."""
    results: list[Any] = [None] * CLIENTS
    start = threading.Barrier(CLIENTS)

    def run(number: int) -> None:
        start.wait(DEADLINE)
        results[number] = task(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
        assert not thread.is_alive()
    return results


def post(api: Api, collection: str, **attributes: Any) -> tuple[int, dict[str, Any]]:
    """Create an object, past the checks of ``Api.call``, which another thread's writes would upset."""
    request = Request.blank(f"/v2.0/{collection}", method="POST")
    request.json = {collection[:-1]: attributes}
    response = request.get_response(api.app)
    return response.status_int, dict(next(iter(response.json.values())))


def test_addresses_macs_and_keys_of_ports(api: Api) -> None:
    network = api.network()
    api.subnet(network)

    def create(number: int) -> list[tuple[int, dict[str, Any]]]:
        return [post(api, "ports", network_id=network) for _ in range(EACH)]

    made = [each for results in at_once(create) for each in results]
    assert {status for status, _ in made} == {201}
    ports = [port for _, port in made]
    assert len({port["fixed_ips"][0]["ip_address"] for port in ports}) == CLIENTS * EACH
    assert len({port["mac_address"] for port in ports}) == CLIENTS * EACH
    assert api.get("ports").status == 200


def test_one_address_goes_to_one_of_all_who_ask_for_it(api: Api) -> None:
    network = api.network()
    api.subnet(network)

    def create(number: int) -> int:
        status, _ = post(api, "ports", network_id=network, fixed_ips=[{"ip_address": "10.0.0.50"}])
        return status

    assert sorted(at_once(create)) == [201] + [409] * (CLIENTS - 1)


def test_a_pool_is_used_up_to_the_last_address_and_no_further(api: Api) -> None:
    network = api.network()
    api.subnet(network, "10.0.0.0/27")

    def create(number: int) -> list[int]:
        return [post(api, "ports", network_id=network)[0] for _ in range(5)]

    statuses = [status for results in at_once(create) for status in results]
    assert sorted(statuses) == [201] * 29 + [409] * (CLIENTS * 5 - 29)


def test_segments_of_networks(api: Api) -> None:
    def create(number: int) -> list[int]:
        return [post(api, "networks")[1]["provider:segmentation_id"] for _ in range(EACH)]

    vnis = [vni for results in at_once(create) for vni in results]
    assert sorted(vnis) == list(range(1, CLIENTS * EACH + 1))
    assert api.get("networks").status == 200


def test_prefixes_of_a_subnet_pool(api: Api) -> None:
    pool = api.create("subnetpools", name="p", prefixes=["10.0.0.0/22"], default_prefixlen=28)["id"]
    networks = [api.network() for _ in range(CLIENTS)]

    def create(number: int) -> list[tuple[int, dict[str, Any]]]:
        wanted = {"network_id": networks[number], "ip_version": 4, "subnetpool_id": pool}
        return [post(api, "subnets", **wanted) for _ in range(EACH)]

    made = [each for results in at_once(create) for each in results]
    assert sorted(status for status, _ in made) == [201] * 64 + [409] * (CLIENTS * EACH - 64)
    assert len({subnet["cidr"] for status, subnet in made if status == 201}) == 64
    assert api.get("subnets").status == 200
