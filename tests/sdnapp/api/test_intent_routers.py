"""Routers with their interfaces and routes, as a project's document has them."""

from typing import Any

from tests.sdnapp.api.stand_ins import ADMIN, BLUE, RED, Api, documents
from tests.sdnapp.api.test_intent import apply, changes, export, refusal

BEYOND = {"destination": "10.9.0.0/16", "nexthop": "10.0.2.9"}


def cloud(*routers: dict[str, Any], **others: Any) -> dict[str, Any]:
    """Return a document with two networks, web and db, and these routers."""
    named = [("web", "10.0.1.0/24"), ("db", "10.0.2.0/24")]
    networks = [{"name": name, "subnets": [{"cidr": cidr, "name": f"{name}-v4"}]} for name, cidr in named]
    return {"networks": networks, **({"routers": list(routers)} if routers else {}), **others}


def hub(*subnets: str, **attributes: Any) -> dict[str, Any]:
    return {"name": "hub", "interfaces": [{"subnet": subnet} for subnet in subnets], **attributes}


def router(api: Api) -> dict[str, Any]:
    [found] = api.get("routers", RED).first
    return dict(found)


def addresses(api: Api) -> list[str]:
    """Return the addresses of all interfaces of routers."""
    ports = api.get("ports", ADMIN, device_owner="network:router_interface").first
    return sorted(fixed["ip_address"] for port in ports for fixed in port["fixed_ips"])


def test_a_router_joins_the_subnets_of_its_document_and_leaves_them(api: Api) -> None:
    document = cloud(hub("web-v4", "db-v4", routes=[BEYOND], description="joins them", tags=["x"]))
    assert changes(api, document)[4:] == [
        "create router hub",
        "create router_interface web-v4",
        "create router_interface db-v4",
        "update router hub",
    ]
    assert addresses(api) == ["10.0.1.1", "10.0.2.1"]
    made = router(api)
    assert (made["routes"], made["description"], made["tags"]) == ([BEYOND], "joins them", ["x"])
    before = documents(api.store)
    assert changes(api, document) == []
    assert documents(api.store) == before
    assert {name: value for name, value in export(api).items() if name == "routers"} == {
        "routers": [
            {
                "name": "hub",
                "description": "joins them",
                "tags": ["x"],
                "routes": [BEYOND],
                "interfaces": [{"subnet": "db-v4"}, {"subnet": "web-v4"}],
            }
        ]
    }
    assert changes(api, export(api)) == []
    assert changes(api, cloud(hub("web-v4", description="joins them", tags=["x"]))) == [
        "delete router_interface db-v4",
        "update router hub",
    ]
    assert (addresses(api), router(api)["routes"]) == (["10.0.1.1"], [])
    assert changes(api, cloud()) == ["delete router_interface web-v4", "delete router hub"]
    assert addresses(api) == []


def test_an_interface_has_the_address_that_its_document_names(api: Api) -> None:
    other = {"subnet": "web-v4", "ip_address": "10.0.1.254"}
    changes(api, cloud({"name": "hub", "interfaces": [other]}))
    assert addresses(api) == ["10.0.1.254"]
    assert export(api)["routers"] == [{"name": "hub", "interfaces": [other]}]
    assert changes(api, export(api)) == []
    [port] = api.get("ports", RED, device_owner="network:router_interface").first
    assert (port["security_groups"], port["port_security_enabled"]) == ([], False)
    assert "ports" not in export(api)["networks"][1]
    assert changes(api, cloud(hub("web-v4"))) == ["delete router_interface web-v4", "create router_interface web-v4"]
    assert addresses(api) == ["10.0.1.1"]
    said = {"subnet": "web-v4", "ip_address": "10.0.1.1"}
    assert changes(api, cloud({"name": "hub", "interfaces": [said]})) == []
    assert changes(api, cloud({"name": "hub", "interfaces": [{"subnet": "web-v4", "ip_address": None}]})) == []


def test_ports_choose_no_address_that_is_named_for_an_interface(api: Api) -> None:
    document = cloud({"name": "hub", "interfaces": [{"subnet": "web-v4", "ip_address": "10.0.1.2"}]})
    document["networks"][0]["ports"] = [{"name": "vm"}]
    changes(api, document)
    assert api.get("ports", RED, name="vm").first[0]["fixed_ips"][0]["ip_address"] == "10.0.1.3"


def test_routes_outlive_the_interface_that_they_lead_through(api: Api) -> None:
    changes(api, cloud(hub("web-v4", "db-v4", routes=[BEYOND])))
    moved = hub("web-v4", routes=[BEYOND])
    moved["interfaces"].append({"subnet": "db-v4", "ip_address": "10.0.2.254"})
    assert changes(api, cloud(moved)) == ["delete router_interface db-v4", "create router_interface db-v4"]
    assert (addresses(api), router(api)["routes"]) == (["10.0.1.1", "10.0.2.254"], [BEYOND])


def test_a_subnet_is_replaced_under_a_router(api: Api) -> None:
    changes(api, cloud(hub("web-v4", "db-v4", routes=[BEYOND])))
    document = cloud(hub("web-v4", "db-v4", routes=[BEYOND]))
    document["networks"][1]["subnets"][0]["cidr"] = "10.0.2.0/25"
    old = api.get("subnets", RED, name="db-v4").first[0]["id"]
    assert changes(api, document) == [
        f"delete router_interface {old}",
        "delete subnet db-v4",
        "create subnet db-v4",
        "create router_interface db-v4",
    ]
    assert (router(api)["routes"], changes(api, document)) == ([BEYOND], [])


def test_an_interface_moves_to_another_router(api: Api) -> None:
    changes(api, cloud({"name": "a", "interfaces": [{"subnet": "web-v4"}]}, {"name": "b"}))
    assert changes(api, cloud({"name": "a"}, {"name": "b", "interfaces": [{"subnet": "web-v4"}]})) == [
        "delete router_interface web-v4",
        "create router_interface web-v4",
    ]
    assert len(addresses(api)) == 1


def test_routes_are_a_set(api: Api) -> None:
    other = {"destination": "10.8.0.0/16", "nexthop": "10.0.1.9"}
    changes(api, cloud(hub("web-v4", "db-v4", routes=[BEYOND, other])))
    assert changes(api, cloud(hub("web-v4", "db-v4", routes=[other, BEYOND]))) == []
    assert changes(api, cloud(hub("web-v4", "db-v4", routes=[other]))) == ["update router hub"]
    answer = apply(api, cloud(hub("web-v4", "db-v4")))
    assert answer.body["changes"][0]["attributes"] == {"routes": [[other], []]}


def test_a_dry_run_tells_of_routers_and_makes_none(api: Api) -> None:
    changes(api, cloud())
    before = documents(api.store)
    answer = apply(api, cloud(hub("db-v4", routes=[BEYOND])), query="?dry_run=true")
    told = [(each["resource"], each["name"], each["in"], each["id"]) for each in answer.body["changes"]]
    assert told == [
        ("router", "hub", None, None),
        ("router_interface", "db-v4", "router hub", None),
        ("router", "hub", None, None),
    ]
    assert answer.body["changes"][2]["attributes"] == {"routes": [[], [BEYOND]]}
    assert documents(api.store) == before


def test_what_is_kept_keeps_its_interfaces_and_routes(api: Api) -> None:
    changes(api, cloud(hub("web-v4", "db-v4", routes=[BEYOND])))
    assert changes(api, cloud(hub("web-v4", routes=[BEYOND])), query="?keep=true") == []
    assert changes(api, cloud(), query="?keep=true") == []
    assert (addresses(api), router(api)["routes"]) == (["10.0.1.1", "10.0.2.1"], [BEYOND])


def test_routers_without_names_are_told_apart_by_their_interfaces(api: Api) -> None:
    first, second = ({"interfaces": [{"subnet": name}]} for name in ("web-v4", "db-v4"))
    changes(api, cloud(first, second))
    assert changes(api, cloud(second, first)) == []
    assert changes(api, cloud(second)) == ["delete router_interface web-v4", "delete router "]


def test_a_subnet_without_a_name_goes_by_its_prefix(api: Api) -> None:
    document = cloud({"name": "hub", "interfaces": [{"subnet": "10.0.1.0/24"}]})
    for network in document["networks"]:
        del network["subnets"][0]["name"]
    changes(api, document)
    assert changes(api, document) == []
    assert export(api)["routers"] == document["routers"]


def test_a_router_joins_a_network_that_another_project_shares(api: Api) -> None:
    lobby = {"name": "lobby", "subnets": [{"name": "lobby-v4", "cidr": "192.0.2.0/24"}]}
    share = {"object_type": "network", "object": "lobby", "action": "access_as_shared", "target_tenant": "red"}
    changes(api, {"networks": [lobby], "rbac_policies": [share]}, BLUE)
    at = {"subnet": "lobby-v4", "ip_address": "192.0.2.7"}
    document = cloud({"name": "hub", "interfaces": [{"subnet": "web-v4"}, at]})
    assert apply(api, document, RED).status == 403
    assert apply(api, cloud(hub("lobby-v4")), RED).status == 400
    changes(api, document, ADMIN | {"X-Project-Id": "red", "X-Roles": "admin"})
    assert changes(api, document) == []
    assert changes(api, export(api)) == []
    assert changes(api, {"networks": [lobby], "rbac_policies": [share]}, BLUE) == []
    assert changes(api, cloud(hub("web-v4"))) == ["delete router_interface lobby-v4"]


def test_errors_of_routers_say_where(api: Api) -> None:
    assert refusal(api, cloud(hub("wbe-v4"))) == (
        "routers[0].interfaces[0].subnet",
        "routers[0].interfaces[0].subnet: there is no subnet 'wbe-v4': did you mean 'web-v4'?",
    )
    assert refusal(api, cloud(hub("web-v4", "web-v4")))[0] == "routers[0].interfaces[1]"
    place, message = refusal(api, cloud(hub("web-v4", routes=[BEYOND])))
    assert (place, "not connected" in message) == ("routers[0].routes", True)
    assert refusal(api, cloud({"name": "hub", "routes": [{"destination": "x"}]}))[0] == "routers[0].routes"
    without = cloud(hub("web-v4"))
    without["networks"][0]["subnets"][0]["gateway_ip"] = None
    assert "must have a gateway IP" in refusal(api, without)[1]
    assert refusal(api, cloud({"name": "hub", "interfaces": [{}]}))[0] == "routers[0].interfaces[0]"
    wrong = {"subnet": "web-v4", "ip_address": "10.0.9.9"}
    assert refusal(api, cloud({"name": "hub", "interfaces": [wrong]}))[0] == "routers[0].interfaces[0]"
    assert refusal(api, cloud({"name": "hub", "interfaces": ["web-v4"]}))[0] == "routers[0].interfaces[0]"
    assert refusal(api, cloud({"name": "hub", "interfaces": [{"subnets": "web-v4"}]}))[0] == (
        "routers[0].interfaces[0].subnets"
    )
    assert api.get("routers", RED).first == []


def test_a_quota_of_ports_counts_interfaces(api: Api) -> None:
    document = cloud(hub("web-v4", "db-v4"), quotas={"port": 1}, project="red")
    assert refusal(api, document, ADMIN)[0] == "routers[0].interfaces[1]"
    document["routers"][0]["interfaces"][1]["ip_address"] = "10.0.2.254"
    assert refusal(api, document, ADMIN)[0].startswith("routers[0].interfaces[")


def test_a_gateway_is_in_the_file_by_the_name_of_its_network(api: Api) -> None:
    flat = {"provider:network_type": "flat", "provider:physical_network": "physnet1"}
    world = api.network(ADMIN, name="world", **{"router:external": True}, **flat)
    api.subnet(world, "203.0.113.0/24")
    document = cloud(hub("web-v4", external_gateway_info={"network": "world"}))
    assert "create router hub" in changes(api, document) and changes(api, document) == []
    assert router(api)["external_gateway_info"]["network_id"] == world
    assert export(api)["routers"][0]["external_gateway_info"] == {"network": "world"}
    assert changes(api, export(api)) == []
    assert changes(api, cloud(hub("web-v4"))) == [], "a file that says nothing of it leaves it"
    assert changes(api, cloud(hub("web-v4", external_gateway_info=None))) == ["update router hub"]
    assert router(api)["external_gateway_info"] is None
    lost = cloud(hub("web-v4", external_gateway_info={"network": "moon"}))
    assert "there is no network 'moon'" in str(refusal(api, lost))


def test_a_gateway_has_the_addresses_that_a_file_names(api: Api) -> None:
    flat = {"provider:network_type": "flat", "provider:physical_network": "physnet1"}
    world = api.network(ADMIN, name="world", **{"router:external": True}, **flat)
    api.subnet(world, "203.0.113.0/24", name="world-v4")
    operator = ADMIN | {"X-Project-Id": "red", "X-Roles": "admin"}

    def at(*addresses: str, **others: Any) -> dict[str, Any]:
        fixed = [{"ip_address": address} for address in addresses]
        return cloud(hub("web-v4", external_gateway_info={"network": "world", "external_fixed_ips": fixed, **others}))

    def held() -> list[str]:
        return [fixed["ip_address"] for fixed in router(api)["external_gateway_info"]["external_fixed_ips"]]

    assert "create router hub" in changes(api, at("203.0.113.77"), operator)
    assert (held(), changes(api, at("203.0.113.77"), operator)) == (["203.0.113.77"], [])
    answer = apply(api, at("203.0.113.78", "203.0.113.79"), operator)
    assert answer.body["changes"][0]["attributes"] == {
        "external_gateway_info": [
            {"network": "world", "external_fixed_ips": [{"ip_address": "203.0.113.77"}]},
            {
                "network": "world",
                "external_fixed_ips": [{"ip_address": "203.0.113.78"}, {"ip_address": "203.0.113.79"}],
            },
        ]
    }
    assert held() == ["203.0.113.78", "203.0.113.79"]
    assert changes(api, at("203.0.113.78", "203.0.113.79", enable_snat=True), operator) == []
    whole = at("203.0.113.78", "203.0.113.79")
    for fixed in whole["routers"][0]["external_gateway_info"]["external_fixed_ips"]:
        fixed["subnet"] = "world-v4"
    assert changes(api, whole, operator) == [], "their subnet by name, too"
    anywhere = cloud(hub("web-v4", external_gateway_info={"network": "world"}))
    assert changes(api, anywhere, operator) == [] and changes(api, anywhere, RED) == []
    assert export(api, operator)["routers"][0]["external_gateway_info"] == {
        "network": "world",
        "external_fixed_ips": [{"ip_address": "203.0.113.78"}, {"ip_address": "203.0.113.79"}],
    }
    assert export(api, RED)["routers"][0]["external_gateway_info"] == {"network": "world"}, "which a member could apply"
    assert changes(api, export(api, operator), operator) == [] and changes(api, export(api), RED) == []
    assert "disallowed by policy" in str(refusal(api, at("203.0.113.80"), RED))
    assert held() == ["203.0.113.78", "203.0.113.79"]
    assert refusal(api, at("198.51.100.1"), operator)[0] == "routers[0]"
    somewhere, lost = at(), at()
    somewhere["routers"][0]["external_gateway_info"]["external_fixed_ips"] = [{"subnet": "world-v4"}]
    assert changes(api, somewhere, operator) == ["update router hub"], "one of them is too many"
    assert (held(), changes(api, somewhere, operator)) == (["203.0.113.78"], [])
    lost["routers"][0]["external_gateway_info"]["external_fixed_ips"] = [{"subnet": "moon-v4"}]
    place = "routers[0].external_gateway_info.external_fixed_ips[0].subnet"
    assert refusal(api, lost, operator)[0] == place
