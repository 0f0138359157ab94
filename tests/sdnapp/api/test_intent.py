"""A project's intent as one document: applied as a difference, all or nothing, by the rules of single requests."""

from typing import Any

import pytest

from tests.sdnapp.api.stand_ins import ADMIN, BLUE, READER, RED, Answer, Api, documents
from topology.values import Network, Port, RbacPolicy, SecurityGroup, Subnet

LAB: dict[str, Any] = {
    "project": "red",
    "address_scopes": [{"name": "inside"}],
    "subnetpools": [{"name": "tens", "prefixes": ["10.0.0.0/8"], "address_scope": "inside"}],
    "networks": [
        {
            "name": "front",
            "tags": ["lab"],
            "subnets": [{"name": "front-v4", "cidr": "192.168.0.0/24", "gateway_ip": "192.168.0.254"}],
            "ports": [
                {"name": "vm1", "fixed_ips": [{"subnet": "front-v4"}]},
                {"name": "vm2", "fixed_ips": [{"ip_address": "192.168.0.9"}], "tags": ["b", "a"]},
            ],
        },
        {"name": "back", "subnets": [{"subnetpool": "tens", "prefixlen": 26}], "ports": [{"name": "vm1"}]},
    ],
    "rbac_policies": [
        {"object_type": "network", "object": "front", "action": "access_as_shared", "target_tenant": "blue"}
    ],
}


def apply(api: Api, document: object, who: dict[str, str] = RED, query: str = "") -> Answer:
    return api.call("POST", f"/sdnapp/apply{query}", document, who)


def changes(api: Api, document: object, who: dict[str, str] = RED, query: str = "") -> list[str]:
    """Apply a document that can be, and return what was done in short."""
    answer = apply(api, document, who, query)
    assert answer.status == 200, answer.body
    return [f"{each['action']} {each['resource']} {each['name']}" for each in answer.body["changes"]]


def export(api: Api, who: dict[str, str] = RED, query: str = "") -> dict[str, Any]:
    answer = api.call("GET", f"/sdnapp/export{query}", who=who)
    assert answer.status == 200, answer.body
    return dict(answer.body)


def network(**attributes: Any) -> dict[str, Any]:
    return {"networks": [{"name": "n", **attributes}]}


def refusal(api: Api, document: object, who: dict[str, str] = RED) -> tuple[str, str]:
    answer = apply(api, document, who)
    assert answer.status >= 400, answer.body
    return answer.body["NeutronError"]["detail"], answer.message


@pytest.mark.parametrize("who", [RED, ADMIN])
def test_a_document_makes_a_cloud_in_one_revision(api: Api, who: dict[str, str]) -> None:
    assert len(changes(api, LAB, who)) == 10
    assert api.store.revision == 1
    front = next(each for each in api.get("networks", RED).first if each["name"] == "front")
    assert (front["project_id"], front["tags"], front["revision_number"] > 1) == ("red", ["lab"], True)
    vm2 = api.get("ports", RED, name="vm2").first[0]
    assert (vm2["fixed_ips"][0]["ip_address"], vm2["tags"], vm2["project_id"]) == ("192.168.0.9", ["a", "b"], "red")
    assert api.get("subnets", RED, name="").first[0]["cidr"] == "10.0.0.0/26"
    assert api.get("networks", BLUE, name="front").first[0]["shared"] is True


@pytest.mark.parametrize("who", [RED, ADMIN])
def test_the_same_document_again_changes_nothing(api: Api, who: dict[str, str]) -> None:
    changes(api, LAB, who)
    before = documents(api.store)
    assert changes(api, LAB, who) == []
    assert (documents(api.store), api.store.revision) == (before, 1)


def test_a_pool_leaves_its_scope(api: Api) -> None:
    pool = {"name": "tens", "prefixes": ["10.0.0.0/8"]}
    changes(api, {"address_scopes": [{"name": "inside"}], "subnetpools": [{**pool, "address_scope": "inside"}]})
    assert changes(api, {"subnetpools": [pool]}) == ["update subnetpool tens", "delete address_scope inside"]
    assert api.get("subnetpools", RED).first[0]["address_scope_id"] is None


def test_what_is_exported_is_what_was_asked_for(api: Api) -> None:
    changes(api, LAB)
    macs = {port.name + port.fixed_ips[0].ip_address: port.mac_address for port in api.store.all(Port)}
    assert export(api) == {
        "project": "red",
        "address_scopes": [{"name": "inside"}],
        "subnetpools": [{"name": "tens", "prefixes": ["10.0.0.0/8"], "address_scope": "inside"}],
        "networks": [
            {
                "name": "back",
                "subnets": [{"subnetpool": "tens", "cidr": "10.0.0.0/26"}],
                "ports": [
                    {"name": "vm1", "mac_address": macs["vm110.0.0.2"], "fixed_ips": [{"ip_address": "10.0.0.2"}]}
                ],
            },
            {
                "name": "front",
                "tags": ["lab"],
                "subnets": [{"name": "front-v4", "cidr": "192.168.0.0/24", "gateway_ip": "192.168.0.254"}],
                "ports": [
                    {
                        "name": "vm1",
                        "mac_address": macs["vm1192.168.0.1"],
                        "fixed_ips": [{"ip_address": "192.168.0.1"}],
                    },
                    {
                        "name": "vm2",
                        "mac_address": macs["vm2192.168.0.9"],
                        "fixed_ips": [{"ip_address": "192.168.0.9"}],
                        "tags": ["a", "b"],
                    },
                ],
            },
        ],
        "rbac_policies": [
            {"object_type": "network", "object": "front", "target_tenant": "blue", "action": "access_as_shared"}
        ],
    }


def test_a_dry_run_tells_what_would_be_and_changes_nothing(api: Api) -> None:
    wanted = changes(api, LAB, query="?dry_run=true")
    assert (api.store.revision, documents(api.store)) == (0, documents(Api().store))
    assert changes(api, LAB, query="?dry_run=false") == wanted


def test_a_dry_run_promises_no_ids_and_no_addresses(api: Api) -> None:
    told = apply(api, network(ports=[{"name": "vm1"}]), query="?dry_run=true").body["changes"]
    assert told == [
        {
            "action": "create",
            "resource": "network",
            "id": None,
            "name": "n",
            "in": None,
            "attributes": {"name": [None, "n"]},
        },
        {
            "action": "create",
            "resource": "port",
            "id": None,
            "name": "vm1",
            "in": "network n",
            "attributes": {"name": [None, "vm1"], "network": [None, "n"]},
        },
    ]


def test_only_what_differs_is_changed(api: Api) -> None:
    changes(api, network(subnets=[{"cidr": "10.0.0.0/24"}], ports=[{"name": "a"}, {"name": "b"}]))
    port = api.get("ports", RED, name="b").first[0]
    later = network(subnets=[{"cidr": "10.0.0.0/24"}], ports=[{"name": "a", "description": "x"}, {"name": "b"}])
    answer = apply(api, later)
    told = [(each["action"], each["resource"], each["attributes"]) for each in answer.body["changes"]]
    assert told == [("update", "port", {"description": ["", "x"]})]
    assert api.get("ports", RED, name="b").first[0] == port


def test_what_is_left_out_has_its_default_again(api: Api) -> None:
    changes(
        api,
        network(
            description="x",
            mtu=1300,
            admin_state_up=False,
            tags=["t"],
            subnets=[{"cidr": "10.0.0.0/24", "gateway_ip": None, "dns_nameservers": ["10.0.0.9"], "name": "s"}],
        ),
    )
    assert changes(api, network(subnets=[{"cidr": "10.0.0.0/24"}])) == ["update network n", "update subnet 10.0.0.0/24"]
    (made,) = export(api)["networks"]
    assert made == {"name": "n", "subnets": [{"cidr": "10.0.0.0/24"}]}
    (subnet,) = api.store.all(Subnet)
    assert subnet.gateway_ip == "10.0.0.1" and subnet.allocation_pools[0].start == "10.0.0.2"


def test_what_the_cloud_chose_stays(api: Api) -> None:
    changes(api, network(subnets=[{"cidr": "10.0.0.0/24"}], ports=[{"name": "a"}, {}]))
    before = {port.id: (port.mac_address, port.fixed_ips) for port in api.store.all(Port)}
    changes(api, network(subnets=[{"cidr": "10.0.0.0/24"}], ports=[{"name": "a", "description": "x"}, {}]))
    assert {port.id: (port.mac_address, port.fixed_ips) for port in api.store.all(Port)} == before


def test_what_the_document_lacks_goes(api: Api) -> None:
    changes(api, LAB)
    done = changes(api, {"project": "red"})
    assert len(done) == 10 and all(each.startswith("delete ") for each in done)
    assert export(api) == {"project": "red"}
    assert changes(api, LAB) and changes(api, {"project": "red"}, query="?keep=true") == []


def test_other_projects_are_left_alone(api: Api) -> None:
    changes(api, network(), BLUE)
    changes(api, network(), RED)
    changes(api, {"project": "red"}, ADMIN)
    assert [each.project_id for each in api.store.all(Network)] == ["blue"]


def test_ports_that_others_made_or_use_are_left_alone(api: Api) -> None:
    changes(api, network(subnets=[{"cidr": "10.0.0.0/24"}], ports=[{"name": "vm"}]))
    (row,) = api.store.all(Network)
    api.port(row.id, device_owner="network:dhcp", project_id="red")
    api.put("ports", api.get("ports", name="vm").first[0]["id"], device_owner="compute:nova", device_id="vm-7")
    (made,) = export(api)["networks"]
    assert [(each["name"], "device_id" in each) for each in made["ports"]] == [("vm", False)]
    assert changes(api, network(subnets=[{"cidr": "10.0.0.0/24"}], ports=[{"name": "vm"}])) == []
    for who in (RED, ADMIN):
        assert changes(api, {"project": "red", **network(subnets=[{"cidr": "10.0.0.0/24"}])}, who) == []
    assert len(api.store.all(Port)) == 2


def test_a_port_of_the_network_itself_cannot_be_written(api: Api) -> None:
    place, message = refusal(api, network(ports=[{"device_owner": "network:dhcp"}]))
    assert place == "networks[0].ports[0]" and "network's own" in message


def test_one_failure_undoes_all(api: Api) -> None:
    wanted = network(subnets=[{"cidr": "10.0.0.0/30"}], ports=[{"name": "a"}, {"name": "b"}])
    place, message = refusal(api, wanted)
    assert place == "networks[0].ports[1]" and "No more IP addresses" in message
    assert api.store.revision == 0 and api.store.all(Network) == []


def test_quotas_hold(api: Api) -> None:
    api.call("PUT", "/v2.0/quotas/red", {"quota": {"port": 2}})
    assert apply(api, network(ports=[{}] * 3), RED).error == (409, "OverQuota")
    assert changes(api, network(ports=[{}] * 2)) and changes(api, network(ports=[{"name": "a"}, {"name": "b"}]))


def test_policy_holds(api: Api) -> None:
    assert apply(api, network(shared=True), RED).error == (403, "PolicyNotAuthorized")
    assert apply(api, network(), READER).error == (403, "PolicyNotAuthorized")
    assert refusal(api, {"project": "blue", **network()}, RED)[0] == "project"
    assert api.call("GET", "/sdnapp/export?project=blue", who=RED).error == (400, "HTTPBadRequest")
    assert changes(api, {"project": "blue", **network(shared=True)}, ADMIN) == ["create network n"]


def test_what_a_member_may_not_change_he_need_not_write(api: Api) -> None:
    changes(
        api,
        {"project": "red", **network(shared=True, **{"provider:network_type": "vxlan"}), "quotas": {"network": 7}},
        ADMIN,
    )
    exported = export(api, RED)
    assert exported == {"project": "red", "networks": [{"name": "n"}]}
    assert changes(api, exported, RED) == []
    assert changes(api, network(description="x"), RED) == ["update network n"]
    (row,) = api.store.all(Network)
    assert row.shared and row.segment.network_type == "vxlan"
    assert export(api, READER) == export(api, RED)


def test_administrators_write_provider_attributes_and_quotas(api: Api) -> None:
    vlan = {"provider:network_type": "vlan", "provider:physical_network": "physnet1", "provider:segmentation_id": 101}
    document = {"project": "red", "quotas": {"network": 7}, **network(shared=True, **vlan)}
    assert changes(api, document, ADMIN) == ["update quota red", "create network n"]
    assert export(api, ADMIN, "?project=red") == document
    assert changes(api, document, ADMIN) == []
    vlan["provider:segmentation_id"] = 102
    assert changes(api, {"project": "red", **network(shared=True, **vlan)}, ADMIN) == ["update network n"]
    assert changes(api, {"project": "red", "quotas": {}, **network(shared=True, **vlan)}, ADMIN) == ["update quota red"]
    assert "quotas" not in export(api, ADMIN, "?project=red")
    assert refusal(api, {"quotas": {"network": 7}}, RED)[0] == "quotas"
    assert refusal(api, {"quotas": {"network": "x"}}, ADMIN)[0] == "quotas"


def test_ports_on_networks_of_others_have_a_section_of_their_own(api: Api) -> None:
    changes(api, {"project": "blue", **network(shared=True, subnets=[{"cidr": "10.0.0.0/24"}])}, ADMIN)
    document = {"project": "red", "ports": [{"name": "guest", "network": "n"}]}
    assert changes(api, document) == ["create port guest"]
    # He could not ask for an address or a MAC address there, so they are not in his file.
    assert export(api) == document
    assert changes(api, document) == []
    assert refusal(api, {"ports": [{"name": "guest"}]})[0] == "ports[0]"


def test_a_row_of_the_project_on_its_own_network_can_stand_apart_too(api: Api) -> None:
    document = {**network(), "ports": [{"name": "vm", "network": "n"}]}
    assert changes(api, document) == ["create network n", "create port vm"]
    assert changes(api, network(ports=[{"name": "vm"}])) == []


def test_room_is_made_before_it_is_taken(api: Api) -> None:
    first = network(
        subnets=[{"cidr": "10.0.0.0/24"}],
        ports=[{"name": "a", "fixed_ips": [{"ip_address": "10.0.0.5"}]}, {"name": "b"}],
    )
    changes(api, first)
    moved = network(
        subnets=[{"cidr": "10.0.0.0/23"}],
        ports=[{"name": "c", "fixed_ips": [{"ip_address": "10.0.0.5"}]}, {"name": "b", "fixed_ips": []}],
    )
    done = changes(api, moved)
    assert sorted(done) == [
        "create port c",
        "create subnet 10.0.0.0/23",
        "delete port a",
        "delete subnet 10.0.0.0/24",
        "update port b",
    ]
    assert changes(api, moved) == []


def test_who_names_an_address_gets_it_before_others_take_it(api: Api) -> None:
    ports = [{"name": "any"}, {"name": "this", "fixed_ips": [{"ip_address": "10.0.0.2"}]}]
    changes(api, network(subnets=[{"cidr": "10.0.0.0/24"}], ports=ports))
    assert api.get("ports", RED, name="this").first[0]["fixed_ips"][0]["ip_address"] == "10.0.0.2"


def test_a_subnet_in_use_is_not_replaced(api: Api) -> None:
    changes(api, network(subnets=[{"cidr": "10.0.0.0/24"}], ports=[{"name": "a"}]))
    place, message = refusal(api, network(subnets=[{"cidr": "10.0.0.0/25"}], ports=[{"name": "a"}]))
    assert place == "networks[0].subnets[0]" and "overlaps" in message
    assert "also: subnet 10.0.0.0/24 is not in the file, and cannot be deleted: Unable to complete" in message


def test_names_may_be_used_twice_or_not_at_all(api: Api) -> None:
    document = {
        "networks": [
            {"name": "same", "subnets": [{"cidr": "10.0.2.0/24"}]},
            {"name": "same", "subnets": [{"cidr": "10.0.1.0/24"}], "description": "x"},
            {"subnets": [{"cidr": "10.0.3.0/24"}], "ports": [{}, {"device_id": "x"}, {}]},
            {},
        ]
    }
    assert len(changes(api, document)) == 10
    assert changes(api, document) == []
    again = {"networks": document["networks"][::-1]}
    assert changes(api, again) == []
    document["networks"][1]["description"] = "y"
    assert changes(api, document) == ["update network same"]


@pytest.mark.parametrize("turned", [False, True])
def test_who_says_little_leaves_to_others_what_only_they_can_be(api: Api, turned: bool) -> None:
    """A network's type cannot be changed, and who says nothing of it agrees with any."""
    networks: list[dict[str, Any]] = [
        {"name": ""},
        {"provider:network_type": "vxlan"},
        {"description": ""},
        {"provider:network_type": "geneve"},
    ]
    document = {"project": "red", "networks": networks[::-1] if turned else networks}
    assert len(changes(api, document, ADMIN)) == len(networks)
    assert changes(api, document, ADMIN) == []
    assert changes(api, document | {"networks": document["networks"][::-1]}, ADMIN) == []


def test_a_port_is_known_by_its_mac_address_when_its_name_changes(api: Api) -> None:
    mac = "fa:16:3e:00:00:07"
    changes(api, network(ports=[{"name": "a", "mac_address": mac}]))
    assert changes(api, network(ports=[{"name": "b", "mac_address": mac}])) == ["update port b"]


def test_values_in_another_form_are_the_same(api: Api) -> None:
    mac = "fa:16:3e:00:00:07"

    def document(cidr: str, option: dict[str, str], mac: str, pair: dict[str, str]) -> dict[str, Any]:
        port = {"name": "a", "mac_address": mac, "extra_dhcp_opts": [option], "allowed_address_pairs": [pair]}
        return network(subnets=[{"cidr": cidr, "ip_version": "4"}], ports=[port])

    option = {"opt_name": "mtu", "opt_value": "1400"}
    changes(api, document("10.0.0.0/24", option, mac, {"ip_address": "10.1.0.0/24"}))
    pair = {"ip_address": "10.1.0.7/24", "mac_address": mac}
    assert changes(api, document("10.0.0.9/24", {**option, "ip_version": "4"}, mac.upper(), pair)) == []


def test_dhcp_options_that_are_left_out_go(api: Api) -> None:
    mtu, server = ({"opt_name": name, "opt_value": value} for name, value in (("mtu", "1400"), ("tftp-server", "x")))
    changes(api, network(ports=[{"name": "a", "extra_dhcp_opts": [mtu, server]}]))
    assert changes(api, network(ports=[{"name": "a", "extra_dhcp_opts": [mtu]}])) == ["update port a"]
    assert [option.name for option in api.store.all(Port)[0].extra_dhcp_opts] == ["mtu"]


def test_sharing_with_all_is_an_attribute_and_no_policy(api: Api) -> None:
    changes(api, {"project": "red", **network(shared=True)}, ADMIN)
    assert "rbac_policies" not in export(api, ADMIN, "?project=red")
    changes(api, {"project": "red", **network()}, ADMIN)
    assert api.store.all(RbacPolicy) == []
    wildcard = {"object_type": "network", "object": "n", "action": "access_as_shared", "target_tenant": "*"}
    place, message = refusal(api, {"project": "red", **network(), "rbac_policies": [wildcard]}, ADMIN)
    assert place == "rbac_policies[0]" and "`shared: true`" in message


@pytest.mark.parametrize(
    ("document", "place", "words"),
    [
        ([], "", "must be a mapping"),
        ({}, "", "must be a mapping"),
        (None, "", "must be a mapping"),
        ({"network": []}, "network", "did you mean networks?"),
        ({"networks": {}}, "networks", "must be a list"),
        ({"networks": ["blue"]}, "networks[0]", "must be a mapping"),
        ({"project": 7}, "project", "must be the name"),
        ({"quotas": []}, "quotas", "must be a mapping"),
        (network(nmae="x"), "networks[0].nmae", "did you mean name?"),
        (network(status="ACTIVE"), "networks[0].status", "there is no such attribute"),
        (network(project_id="blue"), "networks[0].project_id", "there is no such attribute"),
        (network(mtu="big"), "networks[0].mtu", "'big' is not an integer"),
        (network(tags="x"), "networks[0].tags", "'x' is not a list"),
        (network(subnets=[{}]), "networks[0].subnets[0]", "a subnetpool must be specified"),
        (
            network(subnets=[{"cidr": "10.0.0.0/24"}, {"cidr": "10.0.0"}]),
            "networks[0].subnets[1].cidr",
            "10.0.0 is not in a CIDR format",
        ),
        (
            network(subnets=[{"cidr": "10.0.0.0/24"}, {"cidr": "10.0.0.0/25"}]),
            "networks[0].subnets[1]",
            "overlaps with another subnet",
        ),
        (network(subnets=[{"cidr": "10.0.0.0/24", "network": "n"}]), "networks[0].subnets[0].network", "no such"),
        (
            network(ports=[{"fixed_ips": [{"subnet": "front"}]}], subnets=[{"cidr": "10.0.0.0/24", "name": "frond"}]),
            "networks[0].ports[0].fixed_ips[0].subnet",
            "there is no subnet 'front': did you mean 'frond'?",
        ),
        (network(ports=[{"fixed_ips": [{"subnet": 7}]}]), "networks[0].ports[0].fixed_ips[0].subnet", "must be the"),
        (network(ports=[{"fixed_ips": 7}]), "networks[0].ports[0].fixed_ips", "Invalid"),
        (network(ports=[{"mac_address": "x"}]), "networks[0].ports[0].mac_address", "not a valid MAC address"),
        (
            {"subnetpools": [{"name": "p", "prefixes": ["10.0.0.0/8"], "address_scope": "s"}]},
            "subnetpools[0].address_scope",
            "there is no address_scope 's'",
        ),
        (
            {"networks": [{"name": "n"}, {"name": "n"}], "ports": [{"network": "n"}]},
            "ports[0].network",
            "2 objects of kind network are named 'n'",
        ),
        ({"rbac_policies": [{"object": "n"}]}, "rbac_policies[0].object_type", "must be one of "),
        ({"subnetpools": [{"prefixes": ["10.0.0.0/8"]}]}, "subnetpools[0]", "name"),
    ],
)
def test_an_error_names_the_place_and_the_fix(api: Api, document: object, place: str, words: str) -> None:
    found, message = refusal(api, document)
    assert found == place
    assert words in message
    assert message.startswith(f"{place}: " if place else "")
    assert api.store.revision == 0


def test_what_a_single_request_would_be_told_is_told_with_its_status(api: Api) -> None:
    api.subnet(api.network(BLUE), "10.0.0.0/24", BLUE)
    assert apply(api, network(subnets=[{"cidr": "10.0.0.0/24"}], ports=[{}])).status == 200
    taken = network(subnets=[{"cidr": "10.0.0.0/24"}], ports=[{"mac_address": "fa:16:3e:00:00:01"} for _ in range(2)])
    assert apply(api, taken).error == (409, "MacAddressInUse")


@pytest.mark.parametrize("query", ["?dry_run=maybe", "?keep=2"])
def test_a_flag_that_is_none(api: Api, query: str) -> None:
    assert apply(api, network(), query=query).error == (400, "HTTPBadRequest")


def test_somebody_without_a_project_must_name_one(api: Api) -> None:
    assert apply(api, network(), {"X-Roles": "member"}).status == 400
    assert apply(api, network(), {"X-Roles": "admin"}).status == 400
    assert changes(api, {"project": "red", **network()}, {"X-Roles": "admin"}) == ["create network n"]


def test_hundreds_of_ports_without_names_are_found_again(api: Api) -> None:
    document = network(subnets=[{"cidr": "10.0.0.0/16"}], ports=[{} for _ in range(400)])
    assert len(changes(api, document)) == 402
    assert changes(api, document) == []
    exported = export(api)
    assert changes(api, exported) == []


@pytest.mark.parametrize(
    ("before", "after", "place", "section"),
    [
        (
            {"security_groups": [{"name": "web"}]},
            network(ports=[{"security_groups": ["default", "web"]}]),
            "networks[0].ports[0].security_groups[1]",
            "security_groups",
        ),
        (network(), {"ports": [{"network": "n"}]}, "ports[0].network", "networks"),
        (
            {"address_scopes": [{"name": "s"}]},
            {"subnetpools": [{"name": "p", "prefixes": ["10.0.0.0/8"], "address_scope": "s"}]},
            "subnetpools[0].address_scope",
            "address_scopes",
        ),
    ],
)
def test_what_a_document_names_it_must_list(
    api: Api, before: dict[str, Any], after: dict[str, Any], place: str, section: str
) -> None:
    changes(api, before)
    at, message = refusal(api, after)
    assert at == place
    assert f"list it under {section}, or apply with --keep" in message
    assert changes(api, after, query="?keep=true")
    assert changes(api, before | after) == []


def test_ports_name_their_security_groups(api: Api) -> None:
    ports = [{"name": "a", "security_groups": ["web", "ssh"]}, {"name": "b"}]
    document = {"security_groups": [{"name": "web"}, {"name": "ssh"}]} | network(ports=ports)
    changes(api, document)
    assert [port.get("security_groups") for port in export(api)["networks"][0]["ports"]] == [["web", "ssh"], None]
    assert changes(api, document) == []
    document["networks"][0]["ports"][0].pop("security_groups")
    assert changes(api, document) == ["update port a"]
    assert {port.security_groups for port in api.store.all(Port)} == {
        tuple(group.id for group in api.store.all(SecurityGroup) if group.is_default)
    }


def test_a_file_has_so_many_objects_at_most(api: Api) -> None:
    document = {"networks": [{"name": "a", "ports": [{}] * 30_000}, {"name": "b", "ports": [{}] * 30_000}]}
    place, message = refusal(api, document)
    assert place == "networks[1].ports[19998]"
    assert message.endswith("a file may have 50000 objects at most: make several projects of it")
