"""Rules of security groups: what they may say, in which words errors come, and whose they are."""

from typing import Any

import pytest

from tests.sdnapp.api.stand_ins import ADMIN, BLUE, RED, Api, path_of
from topology.values import SecurityGroupRule

NOWHERE = "11111111-2222-4333-8444-555555555555"
HTTP_BAD_REQUEST = "HTTPBadRequest"


@pytest.fixture
def group(api: Api) -> str:
    return str(api.create("security_groups", RED, name="web")["id"])


def test_a_rule_with_little_said(api: Api, group: str) -> None:
    rule = api.create("security_group_rules", RED, security_group_id=group, direction="ingress")
    assert rule == {
        "id": rule["id"],
        "tenant_id": "red",
        "project_id": "red",
        "description": "",
        "created_at": rule["created_at"],
        "updated_at": rule["created_at"],
        "revision_number": 0,
        "security_group_id": group,
        "direction": "ingress",
        "ethertype": "IPv4",
        "protocol": None,
        "port_range_min": None,
        "port_range_max": None,
        "remote_ip_prefix": None,
        "normalized_cidr": None,
        "remote_group_id": None,
        "remote_address_group_id": None,
        "belongs_to_default_sg": False,
    }
    assert api.get(f"security-group-rules/{rule['id']}", RED).first == rule
    assert rule in api.get(f"security-groups/{group}", RED).first["security_group_rules"]


GOOD: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"direction": "egress", "protocol": "tcp"}, {"direction": "egress"}),
    ({"ethertype": "ipv6"}, {"ethertype": "IPv6"}),
    ({"description": "d"}, {"description": "d"}),
    ({"protocol": "any"}, {"protocol": None}),
    ({"protocol": "TCP"}, {"protocol": "tcp"}),
    ({"protocol": 6}, {"protocol": "6"}),
    ({"protocol": "0"}, {"protocol": "0"}),
    ({"protocol": 255}, {"protocol": "255"}),
    ({"protocol": "icmp", "ethertype": "IPv6"}, {"protocol": "ipv6-icmp"}),
    ({"protocol": "icmpv6", "ethertype": "IPv6"}, {"protocol": "ipv6-icmp"}),
    ({"protocol": "1", "ethertype": "IPv6"}, {"protocol": "58"}),
    (
        {"protocol": "udp", "port_range_min": "53", "port_range_max": 53},
        {"port_range_min": 53, "port_range_max": 53},
    ),
    (
        {"protocol": "136", "port_range_min": 1, "port_range_max": 9},
        {"protocol": "136", "port_range_min": 1, "port_range_max": 9},
    ),
    (
        {"protocol": "tcp", "port_range_min": 1, "port_range_max": 65535},
        {"port_range_min": None, "port_range_max": None},
    ),
    (
        {"protocol": "icmp", "port_range_min": 0, "port_range_max": 255},
        {"port_range_min": 0, "port_range_max": 255},
    ),
    ({"protocol": "icmp", "port_range_min": 8}, {"port_range_min": 8, "port_range_max": None}),
    ({"remote_ip_prefix": ""}, {"remote_ip_prefix": None, "normalized_cidr": None}),
    ({"remote_group_id": ""}, {"remote_group_id": None}),
    (
        {"remote_ip_prefix": "10.0.0.5"},
        {"remote_ip_prefix": "10.0.0.5/32", "normalized_cidr": "10.0.0.5/32"},
    ),
    (
        {"remote_ip_prefix": "10.0.0.5/24"},
        {"remote_ip_prefix": "10.0.0.5/24", "normalized_cidr": "10.0.0.0/24"},
    ),
    (
        {"remote_ip_prefix": "2001:DB8::1/64", "ethertype": "IPv6"},
        {"remote_ip_prefix": "2001:db8::1/64", "normalized_cidr": "2001:db8::/64"},
    ),
]


@pytest.mark.parametrize(("attributes", "shown"), GOOD)
def test_what_a_rule_may_say(api: Api, group: str, attributes: dict[str, Any], shown: dict[str, Any]) -> None:
    wanted = {"security_group_id": group, "direction": "ingress"} | attributes
    rule = api.create("security_group_rules", RED, **wanted)
    assert rule | shown == rule
    assert api.post("security_group_rules", RED, **wanted).error == (409, "SecurityGroupRuleExists")


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"direction": "up"}, HTTP_BAD_REQUEST, "Invalid input for direction. Reason: up is not in valid_values."),
    ({"direction": None}, HTTP_BAD_REQUEST, "Reason: None is not in valid_values."),
    ({"ethertype": "ARP"}, "SecurityGroupRuleInvalidEtherType", "'ARP' not supported. Allowed values are ['IPv4'"),
    ({"ethertype": None}, "SecurityGroupRuleInvalidEtherType", "'None' not supported"),
    ({"protocol": "x"}, "SecurityGroupRuleInvalidProtocol", "protocol x not supported. Only protocol values (None,"),
    ({"protocol": 256}, "SecurityGroupRuleInvalidProtocol", "integer representations [0 to 255] are supported"),
    ({"protocol": ""}, "SecurityGroupRuleInvalidProtocol", "not supported"),
    ({"protocol": ["tcp"]}, "SecurityGroupRuleInvalidProtocol", "not supported"),
    ({"protocol": True}, "SecurityGroupRuleInvalidProtocol", "True not supported"),
    ({"protocol": 6.5}, "SecurityGroupRuleInvalidProtocol", "6.5 not supported"),
    ({"port_range_min": 80}, "SecurityGroupProtocolRequiredWithPorts", "Must also specify protocol"),
    ({"port_range_min": "x"}, "SecurityGroupInvalidPortValue", "Invalid value for port x"),
    ({"port_range_max": 65536}, "SecurityGroupInvalidPortValue", "Invalid value for port 65536"),
    ({"port_range_max": {}}, "SecurityGroupInvalidPortValue", "Invalid value for port {}"),
    (
        {"protocol": "tcp", "port_range_min": 0, "port_range_max": 80},
        "SecurityGroupInvalidPortValue",
        "Invalid value for port 0",
    ),
    (
        {"protocol": "tcp", "port_range_min": 2, "port_range_max": 1},
        "SecurityGroupInvalidPortRange",
        "port_range_min must be <= port_range_max",
    ),
    ({"protocol": "udp", "port_range_min": 2}, "SecurityGroupInvalidPortRange", "must be <="),
    (
        {"protocol": "gre", "port_range_min": 1, "port_range_max": 2},
        "SecurityGroupInvalidProtocolForPort",
        "Ports cannot be specified for protocol 47. Ports are only supported for DCCP, SCTP, TCP, UDP, UDPLITE.",
    ),
    (
        {"protocol": "icmp", "port_range_min": 256},
        "SecurityGroupInvalidIcmpValue",
        "Invalid value for ICMP type (port_range_min) 256. It must be 0 to 255.",
    ),
    (
        {"protocol": "1", "port_range_min": 3, "port_range_max": 256},
        "SecurityGroupInvalidIcmpValue",
        "Invalid value for ICMP code (port_range_max) 256. It must be 0 to 255.",
    ),
    (
        {"protocol": "icmp", "port_range_max": 0},
        "SecurityGroupMissingIcmpType",
        "ICMP code (port-range-max) 0 is provided but ICMP type (port-range-min) is missing.",
    ),
    (
        {"remote_ip_prefix": "2001:db8::/64"},
        "SecurityGroupRuleParameterConflict",
        "Conflicting value ethertype IPv4 for CIDR 2001:db8::/64",
    ),
    ({"remote_ip_prefix": "x"}, "InvalidCIDR", "Invalid CIDR x given as IP prefix."),
    ({"remote_ip_prefix": ["10.0.0.0/8"]}, "InvalidCIDR", "given as IP prefix"),
    (
        {"protocol": "icmpv6"},
        "SecurityGroupEthertypeConflictWithProtocol",
        "Invalid ethertype IPv4 for protocol icmpv6",
    ),
    ({"protocol": "58"}, "SecurityGroupEthertypeConflictWithProtocol", "Invalid ethertype IPv4 for protocol 58"),
    (
        {"remote_ip_prefix": "10.0.0.0/8", "remote_group_id": NOWHERE},
        "SecurityGroupMultipleRemoteEntites",
        "Only one of remote_ip_prefix or remote_group_id or remote_address_group_id may be provided.",
    ),
    ({"remote_group_id": 5}, HTTP_BAD_REQUEST, "'5' is not a valid string"),
    ({"remote_address_group_id": ["x"]}, HTTP_BAD_REQUEST, "is not a valid string"),
    ({"security_group_id": None}, HTTP_BAD_REQUEST, "'None' is not a valid string"),
    ({"normalized_cidr": "10.0.0.0/8"}, HTTP_BAD_REQUEST, "Attribute 'normalized_cidr' not allowed in POST"),
    ({"name": "x"}, HTTP_BAD_REQUEST, "Unrecognized attribute(s) 'name'"),
]


@pytest.mark.parametrize(("attributes", "kind", "message"), BAD)
def test_what_a_rule_may_not_say(api: Api, group: str, attributes: dict[str, Any], kind: str, message: str) -> None:
    answer = api.post("security_group_rules", RED, **{"security_group_id": group, "direction": "ingress"} | attributes)
    assert answer.error == (400, kind)
    assert message in answer.message


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({"security_group_id": NOWHERE}, "SecurityGroupNotFound"),
        ({"remote_group_id": NOWHERE}, "SecurityGroupNotFound"),
        ({"remote_address_group_id": NOWHERE}, "AddressGroupNotFound"),
    ],
)
def test_what_a_rule_names_is_there(api: Api, group: str, attributes: dict[str, Any], kind: str) -> None:
    wanted = {"security_group_id": group, "direction": "ingress"} | attributes
    assert api.post("security_group_rules", RED, **wanted).error == (404, kind)


SAME: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"protocol": "tcp"}, {"protocol": 6}),
    ({"protocol": "any"}, {}),
    ({"remote_ip_prefix": "0.0.0.0/0"}, {}),
    ({"remote_ip_prefix": "::/0", "ethertype": "IPv6"}, {"ethertype": "IPv6"}),
    ({"protocol": "udp", "port_range_min": 1, "port_range_max": 65535}, {"protocol": "udp"}),
    ({"description": "one"}, {"description": "two"}),
]


@pytest.mark.parametrize(("one", "two"), SAME)
def test_what_says_the_same(api: Api, group: str, one: dict[str, Any], two: dict[str, Any]) -> None:
    wanted = {"security_group_id": group, "direction": "ingress"}
    both = {"security_group_rules": [wanted | one, wanted | two]}
    answer = api.call("POST", path_of("security_group_rules"), both, RED)
    assert answer.error == (409, "DuplicateSecurityGroupRuleInPost")
    first = api.create("security_group_rules", RED, **wanted | one)["id"]
    answer = api.post("security_group_rules", RED, **wanted | two)
    assert answer.error == (409, "SecurityGroupRuleExists")
    assert answer.message == f"Security group rule already exists. Rule id is {first}."


def test_rules_come_and_go_and_the_group_counts_it(api: Api, group: str) -> None:
    def revision() -> int:
        return int(api.get(f"security-groups/{group}", RED).first["revision_number"])

    wanted = [{"security_group_id": group, "direction": "ingress", "protocol": name} for name in ("tcp", "udp")]
    made = api.call("POST", path_of("security_group_rules"), {"security_group_rules": wanted}, RED).first
    assert [rule["protocol"] for rule in made] == ["tcp", "udp"]
    assert revision() == 2
    assert api.delete("security_group_rules", made[0]["id"], RED).status == 204
    assert revision() == 3
    left = [rule["protocol"] for rule in api.get("security-group-rules", RED, direction="ingress").first]
    assert sorted(map(str, left)) == ["None", "None", "udp"]
    assert api.put("security_group_rules", made[1]["id"], RED, description="x").error == (405, "HTTPMethodNotAllowed")


def test_many_rules_are_of_one_group_and_one_project(api: Api, group: str) -> None:
    other = api.create("security_groups", RED)["id"]
    rules = [{"security_group_id": each, "direction": "ingress"} for each in (group, other)]
    answer = api.call("POST", path_of("security_group_rules"), {"security_group_rules": rules}, RED)
    assert answer.error == (400, "SecurityGroupNotSingleGroupRules")
    rules = [
        {"security_group_id": group, "direction": "ingress", "protocol": name, "project_id": name}
        for name in ("tcp", "udp")
    ]
    answer = api.call("POST", path_of("security_group_rules"), {"security_group_rules": rules}, ADMIN)
    assert answer.error == (400, "SecurityGroupRulesNotSingleProject")


def test_a_rule_is_its_groups(api: Api, group: str) -> None:
    rule = api.create("security_group_rules", ADMIN, security_group_id=group, direction="ingress")["id"]
    assert api.get(f"security-group-rules/{rule}", RED).first["project_id"] == "default"
    assert rule in [each["id"] for each in api.get("security-group-rules", RED).first]
    assert api.get(f"security-group-rules/{rule}", BLUE).error == (404, "SecurityGroupRuleNotFound")
    assert api.delete("security_group_rules", rule, BLUE).error == (404, "SecurityGroupRuleNotFound")
    assert api.delete("security_group_rules", rule, RED).status == 204


def test_rules_of_the_default_group_say_so(api: Api, group: str) -> None:
    rules = api.get("security-group-rules", RED, belongs_to_default_sg="true").first
    assert len(rules) == 4
    (default,) = {rule["security_group_id"] for rule in rules}
    assert default != group
    assert {rule["security_group_id"] for rule in api.get("security-group-rules", RED).first} == {group, default}


def test_filters(api: Api, group: str) -> None:
    for attributes in (
        {"protocol": "tcp", "port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": "10.1.0.1/16"},
        {"remote_group_id": group},
    ):
        api.create("security_group_rules", RED, security_group_id=group, direction="ingress", **attributes)
    for query, count in (
        ({"protocol": "TCP"}, 1),
        ({"port_range_min": "22"}, 1),
        ({"remote_ip_prefix": "10.1.0.1/16"}, 1),
        ({"normalized_cidr": "10.1.0.0/16"}, 1),
        ({"normalized_cidr": "10.1.0.1/16"}, 0),
        ({"remote_group_id": group}, 1),
        ({"ethertype": "ipv4", "direction": "egress"}, 1),
        ({"security_group_id": group}, 4),
        ({"security_group_id": group, "limit": 1, "sort_key": "direction", "sort_dir": "desc"}, 1),
    ):
        assert len(api.get("security-group-rules", RED, **{"security_group_id": group} | query).first) == count, query


def test_what_the_pipeline_gets(api: Api, group: str) -> None:
    rule = api.create(
        "security_group_rules",
        RED,
        security_group_id=group,
        direction="egress",
        protocol="udplite",
        remote_ip_prefix="10.0.0.5/24",
    )
    row = api.store.get(SecurityGroupRule, rule["id"])
    assert row is not None
    assert (row.protocol, row.remote_ip_prefix) == (136, "10.0.0.0/24")
