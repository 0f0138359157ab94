"""External networks: who makes them, who sees them and their subnets, and the policies behind ``router:external``."""

import pytest

from tests.sdnapp.api.stand_ins import BLUE, READER, RED, Api

EXTERNAL = "access_as_external"
NOBODY = {"X-Project-Id": "blue", "X-Roles": ""}
FORBIDDEN = (403, "PolicyNotAuthorized")


def external(api: Api, **attributes: object) -> str:
    return api.network(router__external=True, **attributes)


def policies(api: Api, network: str) -> dict[str, str]:
    """Return whom the network is external to, and the ids of the policies."""
    shown = api.get("rbac-policies", object_id=network, action=EXTERNAL).first
    return {each["target_tenant"]: each["id"] for each in shown}


def grant(api: Api, network: str, target: str, who: dict[str, str] = {}) -> str:  # noqa: B006
    given = {"object_type": "network", "object_id": network, "action": EXTERNAL, "target_tenant": target}
    return str(api.create("rbac_policies", who, **given)["id"])


def is_external(api: Api, network: str) -> bool:
    return bool(api.get(f"networks/{network}").first["router:external"])


@pytest.mark.parametrize("who", [RED, READER, NOBODY])
def test_everybody_sees_an_external_network_and_its_subnets(api: Api, who: dict[str, str]) -> None:
    network = external(api)
    subnet = api.subnet(network)
    assert api.get(f"networks/{network}", who).first["router:external"] is True
    assert api.get(f"subnets/{subnet}", who).first["router:external"] is True
    assert [each["id"] for each in api.get("networks", who).first] == [network]
    assert [each["id"] for each in api.get("subnets", who).first] == [subnet]
    assert api.get(f"networks/{network}", who).first["shared"] is False


def test_nobody_but_its_owner_uses_it(api: Api) -> None:
    network = external(api)
    port = api.port(network)
    assert api.post("ports", RED, network_id=network).error == FORBIDDEN
    assert api.post("subnets", RED, network_id=network, ip_version=4, cidr="10.0.0.0/24").error == FORBIDDEN
    assert api.put("networks", network, RED, name="x").error == FORBIDDEN
    assert api.get(f"ports/{port}", RED).error == (404, "PortNotFound")


def test_lists_by_whether_networks_are_external(api: Api) -> None:
    outside, inside = external(api), api.network()
    subnets = {network: api.subnet(network) for network in (outside, inside)}
    for value, network in (("True", outside), ("true", outside), ("0", inside)):
        assert [each["id"] for each in api.get("networks", **{"router:external": value}).first] == [network]
        assert [each["id"] for each in api.get("subnets", **{"router:external": value}).first] == [subnets[network]]
    assert len(api.get("networks", **{"router:external": ["True", "False"]}).first) == 2
    assert api.get("networks", **{"router:external": "maybe"}).error == (400, "InvalidInput")


@pytest.mark.parametrize("value", ["x", None, 2, [], {}])
def test_values_that_are_no_booleans(api: Api, value: object) -> None:
    answer = api.post("networks", router__external=value)
    assert answer.error == (400, "InvalidInput")
    assert "cannot be converted to boolean" in answer.message


def test_members_do_not_make_networks_external(api: Api) -> None:
    answer = api.post("networks", RED, router__external=True)
    assert answer.error == FORBIDDEN
    assert answer.message == "(rule:create_network and rule:create_network:router:external) is disallowed by policy"
    network = api.network(RED, router__external=False)
    assert api.put("networks", network, RED, router__external=True).error == FORBIDDEN
    subnet = api.subnet(network, who=RED)
    assert api.put("subnets", subnet, router__external=True).error == (400, "HTTPBadRequest")


def test_a_network_becomes_external_and_is_so_no_more(api: Api) -> None:
    network = api.network()
    assert api.get(f"networks/{network}", RED).status == 404
    assert api.put("networks", network, router__external=True).first["router:external"] is True
    assert api.get(f"networks/{network}", RED).status == 200
    assert list(policies(api, network)) == ["*"]
    assert api.put("networks", network, router__external=False).first["router:external"] is False
    assert api.get(f"networks/{network}", RED).status == 404
    assert policies(api, network) == {}


def test_a_network_with_gateway_ports_stays_external(api: Api) -> None:
    network = external(api)
    gateway = api.port(network, device_owner="network:router_gateway")
    assert api.put("networks", network, router__external=False).error == (409, "ExternalNetworkInUse")
    api.delete("ports", gateway)
    assert api.put("networks", network, router__external=False).status == 200


def test_external_to_one_project_only(api: Api) -> None:
    network = api.network()
    policy = grant(api, network, "red")
    assert is_external(api, network)
    assert api.get(f"networks/{network}", RED).status == 200
    assert [each["id"] for each in api.get("networks", RED).first] == [network]
    assert api.get(f"networks/{network}", BLUE).error == (404, "NetworkNotFound")
    assert api.get("networks", BLUE).first == []
    moved = api.put("rbac_policies", policy, target_tenant="blue")
    assert moved.first["target_tenant"] == "blue"
    assert api.get(f"networks/{network}", RED).status == 404
    assert api.get(f"networks/{network}", BLUE).status == 200


def test_the_last_policy_withdrawn_ends_it(api: Api) -> None:
    network = external(api)
    grant(api, network, "red")
    assert api.delete("rbac_policies", policies(api, network)["*"]).status == 204
    assert is_external(api, network)
    assert api.get(f"networks/{network}", BLUE).status == 404
    assert api.delete("rbac_policies", policies(api, network)["red"]).status == 204
    assert not is_external(api, network)


def test_sharing_and_external_are_apart(api: Api) -> None:
    network = external(api, shared=True)
    assert api.put("networks", network, shared=False).status == 200
    assert is_external(api, network)
    assert api.get(f"networks/{network}", RED).first["shared"] is False
    api.put("networks", network, shared=True, router__external=False)
    assert api.get(f"networks/{network}", RED).first["shared"] is True


def test_policies_that_are_refused(api: Api) -> None:
    network, own = external(api), api.network(RED)
    given = {"object_type": "network", "action": EXTERNAL}
    everybody = given | {"object_id": network, "target_tenant": "*"}
    assert api.post("rbac_policies", **everybody).error == (409, "DuplicateRbacPolicy")
    assert api.post("rbac_policies", RED, **given, object_id=own, target_tenant="*").error == FORBIDDEN
    assert api.post("rbac_policies", RED, **given, object_id=network, target_tenant="x").error == (400, "InvalidInput")
    pool = api.create("subnetpools", name="p", prefixes=["10.0.0.0/8"])["id"]
    wrong = {"object_type": "subnetpool", "object_id": pool, "action": EXTERNAL, "target_tenant": "red"}
    assert api.post("rbac_policies", **wrong).error == (400, "InvalidActionForType")
    other = grant(api, network, "red")
    assert api.put("rbac_policies", other, target_tenant="*").error == (409, "DuplicateRbacPolicy")


def test_policies_go_with_their_network(api: Api) -> None:
    network = external(api, shared=True)
    grant(api, network, "red")
    assert api.delete("networks", network).status == 204
    assert api.get("rbac-policies").first == []


def test_a_policy_stays_while_a_gateway_needs_it(api: Api) -> None:
    network = external(api, **{"provider:network_type": "flat", "provider:physical_network": "p"})
    api.subnet(network, "203.0.113.0/24")
    everybody, blue, red = policies(api, network)["*"], grant(api, network, "blue"), grant(api, network, "red")
    router = api.create("routers", BLUE, external_gateway_info={"network_id": network})["id"]
    in_use = (409, "RbacPolicyInUse")
    assert api.delete("rbac_policies", everybody).status == 204, "blue has a policy of its own"
    refused = api.delete("rbac_policies", blue)
    assert refused.error == in_use and "There are routers attached to this network" in refused.message
    assert api.put("rbac_policies", blue, target_tenant="green").error == in_use
    green = api.create("routers", project_id="green", external_gateway_info={"network_id": network})["id"]
    assert api.delete("rbac_policies", red).status == 204, "nobody needs it: not green, who has no leave at all"
    assert api.delete("routers", green).status == 204
    everybody = grant(api, network, "*")
    assert api.delete("rbac_policies", blue).status == 204, "there is one for all"
    assert api.delete("rbac_policies", everybody).error == in_use
    assert api.put("rbac_policies", everybody, target_tenant="green").error == in_use
    assert api.put("rbac_policies", everybody, target_tenant="blue").status == 200
    assert is_external(api, network) and api.get(f"networks/{network}", RED).status == 404
    assert api.delete("routers", router).status == 204
    assert api.delete("rbac_policies", everybody).status == 204
    assert not is_external(api, network)
