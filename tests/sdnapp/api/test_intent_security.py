"""Security groups with their rules, and address groups, as a project's document has them."""

from typing import Any

from tests.sdnapp.api.stand_ins import ADMIN, RED, Api
from tests.sdnapp.api.test_intent import apply, changes, export, network, refusal

HTTP = {"direction": "ingress", "protocol": "tcp", "port_range_min": 80, "port_range_max": 80}
OUT = [{"direction": "egress"}, {"direction": "egress", "ethertype": "IPv6"}]


def groups(*entries: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {"security_groups": list(entries), **others}


def rules_of(api: Api, name: str) -> list[tuple[str, str, str | None]]:
    [group] = api.get("security-groups", RED, name=name).first
    found = ((each["direction"], each["ethertype"], each["protocol"]) for each in group["security_group_rules"])
    return sorted(found, key=str)


def test_a_group_without_rules_in_its_document_has_the_first_ones(api: Api) -> None:
    assert changes(api, groups({"name": "web"})) == ["create security_group web"]
    assert rules_of(api, "web") == [("egress", "IPv4", None), ("egress", "IPv6", None)]
    assert export(api)["security_groups"] == [{"name": "web"}]
    [group] = api.get("security-groups", RED, name="web").first
    rule_id = group["security_group_rules"][0]["id"]
    assert api.call("DELETE", f"/v2.0/security-group-rules/{rule_id}", who=RED).status == 204
    assert len(changes(api, groups({"name": "web"}))) == 1
    assert rules_of(api, "web") == [("egress", "IPv4", None), ("egress", "IPv6", None)]


def test_rules_in_a_document_are_all_that_there_are(api: Api) -> None:
    document = groups({"name": "web", "security_group_rules": [HTTP, OUT[0]]})
    assert changes(api, document) == [
        "create security_group web",
        "create security_group_rule ingress tcp 80 80",
        "create security_group_rule egress",
    ]
    assert rules_of(api, "web") == [("egress", "IPv4", None), ("ingress", "IPv4", "tcp")]
    assert changes(api, document) == []
    assert changes(api, groups({"name": "web", "security_group_rules": []})) == [
        "delete security_group_rule ingress tcp 80 80",
        "delete security_group_rule egress",
    ]
    assert export(api)["security_groups"] == [{"name": "web", "security_group_rules": []}]


def test_what_an_administrator_has_added_to_a_group_is_in_its_document(api: Api) -> None:
    changes(api, groups({"name": "web", "security_group_rules": []}))
    [group] = api.get("security-groups", RED, name="web").first
    api.create("security_group_rules", ADMIN, security_group_id=group["id"], **HTTP)
    assert export(api)["security_groups"] == [{"name": "web", "security_group_rules": [HTTP]}]
    assert changes(api, groups({"name": "web", "security_group_rules": []})) == [
        "delete security_group_rule ingress tcp 80 80"
    ]


def test_groups_name_each_other_and_address_groups(api: Api) -> None:
    document = groups(
        {"name": "db", "security_group_rules": [{"direction": "ingress", "remote_group": "web"}]},
        {"name": "web", "security_group_rules": [{**HTTP, "remote_address_group": "offices"}]},
        address_groups=[{"name": "offices", "addresses": ["10.0.0.0/8", "192.0.2.0/24"]}],
    )
    changes(api, document)
    assert changes(api, document) == []
    assert {name: value for name, value in export(api).items() if name in document} == document
    document["address_groups"][0]["addresses"] = ["192.0.2.0/24"]
    assert changes(api, document) == ["update address_group offices"]
    assert api.get("address-groups", RED).first[0]["addresses"] == ["192.0.2.0/24"]
    assert sorted(changes(api, groups())) == [
        "delete address_group offices",
        "delete security_group db",
        "delete security_group web",
    ]


def test_the_default_group_states_its_rules_or_is_left_alone(api: Api) -> None:
    stated = groups({"name": "default", "security_group_rules": [HTTP]})
    changes(api, stated)
    assert rules_of(api, "default") == [("ingress", "IPv4", "tcp")]
    assert export(api)["security_groups"] == stated["security_groups"]
    assert changes(api, network()) == ["create network n"]
    assert rules_of(api, "default") == [("ingress", "IPv4", "tcp")]
    assert len(changes(api, groups({"name": "default"}) | network())) == 5
    assert "security_groups" not in export(api)


def test_what_a_rule_means_is_no_difference_to_how_it_is_said(api: Api) -> None:
    said = [
        {"direction": "ingress", "protocol": "TCP", "port_range_min": "1", "port_range_max": 65535},
        {"direction": "ingress", "ethertype": "ipv6", "protocol": "icmp"},
    ]
    document = groups({"name": "web", "security_group_rules": said})
    changes(api, document)
    assert changes(api, document) == []


def test_ports_move_from_a_group_that_goes_to_one_that_comes(api: Api) -> None:
    changes(api, groups({"name": "old"}) | network(ports=[{"name": "p", "security_groups": ["old"]}]))
    after = changes(api, groups({"name": "new"}) | network(ports=[{"name": "p", "security_groups": ["new"]}]))
    assert sorted(after) == ["create security_group new", "delete security_group old", "update port p"]


def test_a_refused_rule_is_told_with_its_place(api: Api) -> None:
    wrong = {"direction": "ingress", "protocol": "tcp", "port_range_min": 90, "port_range_max": 80}
    assert refusal(api, groups({"name": "w", "security_group_rules": [HTTP, wrong]}))[0] == (
        "security_groups[0].security_group_rules[1]"
    )
    unknown = {"direction": "ingress", "remote_group": "wbe"}
    place, message = refusal(api, groups({"name": "web", "security_group_rules": [unknown]}))
    assert place == "security_groups[0].security_group_rules[0].remote_group"
    assert "did you mean 'web'?" in message
    assert refusal(api, groups({"name": "Default"}))[0] == "security_groups[0].name"
    assert apply(api, groups({"name": "web", "security_group_rules": [HTTP, HTTP]})).status == 409
    assert api.get("security-groups", RED, name="web").first == []
