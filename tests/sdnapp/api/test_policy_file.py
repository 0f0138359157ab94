"""What an operator's policy file changes, and what is said of one that cannot be used."""

import logging
from pathlib import Path

import pytest
from oslo_config import cfg

from sdnapp.api import policy_file
from sdnapp.api.policy import BASE, Policy, PolicyError
from sdnapp.api.wsgi import declared_rules
from sdnapp.config import OptionError
from tests.sdnapp.api.stand_ins import BLUE, RED, Api

FORBIDDEN = (403, "PolicyNotAuthorized")
AUDITOR = {"X-Project-Id": "audit", "X-Roles": "auditor"}
NETOPS = {"X-Project-Id": "red", "X-Roles": "member,netops"}


def api_with(**rules: str) -> Api:
    """An API whose operator has written rules; ``__`` stands for a colon."""
    return Api(policy=Policy(declared_rules(), {name.replace("__", ":"): rule for name, rule in rules.items()}))


def load(tmp_path: Path, text: str | None, name: str = "policy.yaml") -> Policy:
    (tmp_path / "sdnapp.conf").write_text(f"[oslo_policy]\npolicy_file = {name}\n")
    if text is not None:
        (tmp_path / name).write_text(text)
    conf = cfg.ConfigOpts()
    conf(["--config-file", str(tmp_path / "sdnapp.conf")], default_config_files=[], default_config_dirs=[])
    return policy_file.load(conf)


def test_an_action_is_taken_from_members() -> None:
    api = api_with(create_router="rule:admin_only")
    assert api.post("routers", RED).error == FORBIDDEN
    assert api.post("routers").status == 201


def test_readers_of_one_project_see_another() -> None:
    api = api_with(get_port="rule:admin_or_owner or role:auditor")
    ports = [api.port(api.network(who), who) for who in (RED, BLUE)]
    assert sorted(each["id"] for each in api.get("ports", AUDITOR).first) == sorted(ports)
    assert api.get(f"ports/{ports[0]}", AUDITOR).status == 200
    assert [each["id"] for each in api.get("ports", RED).first] == [ports[0]]
    assert api.get(f"ports/{ports[1]}", RED).error == (404, "PortNotFound")
    assert api.delete("ports", ports[0], AUDITOR).error == FORBIDDEN


def test_who_may_not_see_does_not_see() -> None:
    api = api_with(get_network="rule:admin_only")
    network = api.network(RED)
    assert api.get("networks", RED).first == []
    assert api.get(f"networks/{network}", RED).error == (404, "NetworkNotFound")


def test_attributes_are_given_to_a_role_to_set_and_to_see() -> None:
    names = ("network_type", "physical_network", "segmentation_id")
    given = {f"{verb}_network__provider__{name}": "role:netops" for verb in ("create", "get") for name in names}
    api = api_with(**given)
    attributes = {"provider__network_type": "geneve", "provider__segmentation_id": 77}
    assert api.post("networks", RED, **attributes).error == FORBIDDEN
    network = api.create("networks", NETOPS, **attributes)
    assert network["provider:segmentation_id"] == 77
    for path in ("networks", f"networks/{network['id']}"):
        for who, shown in ((NETOPS, 77), (RED, None)):
            found = api.get(path, who).first
            assert (found[0] if isinstance(found, list) else found).get("provider:segmentation_id") == shown
    query = {"provider:segmentation_id": 77}
    assert len(api.get("networks", NETOPS, **query).first) == 1
    assert api.get("networks", RED, **query).first == []


def test_a_change_of_what_others_rest_on_changes_those() -> None:
    api = api_with(owner="project_id:%(project_id)s and not role:suspended")
    network = api.network(RED)
    suspended = RED | {"X-Roles": "member,suspended"}
    assert api.get(f"networks/{network}", suspended).error == (404, "NetworkNotFound")
    assert api.post("networks", suspended).error == FORBIDDEN
    assert api.get(f"networks/{network}", RED).status == 200


def test_administrators_are_those_whom_the_operator_says() -> None:
    api = api_with(context_is_admin="role:cloud_admin")
    network = api.network(RED, tenant_id="red")
    cloud_admin, admin = BLUE | {"X-Roles": "cloud_admin"}, BLUE | {"X-Roles": "admin"}
    assert api.get(f"networks/{network}", cloud_admin).first["provider:network_type"] == "geneve"
    assert api.get(f"networks/{network}", admin).error == (404, "NetworkNotFound")
    assert api.call("GET", "/sdnapp/status", who=cloud_admin).status == 200
    assert api.call("GET", "/sdnapp/status", who=admin).error == FORBIDDEN


def test_nobody_is_let_in_by_what_is_not_known() -> None:
    # Agents belong to no project: neither does a caller without one.
    rules = {"get_agent": "rule:owner", "create_network": "user_id:%(project_id)s"}
    api = api_with(**rules)
    assert api.get("agents", {"X-Roles": "member"}).first == []
    assert api.get("agents", {"X-Project-Id": "", "X-Roles": "member"}).first == []
    assert api.post("networks", RED).error == FORBIDDEN


BAD = [
    ('"create_network": "role:member an rule:owner"', "create_network: of a caller, 'an' is not known"),
    ('"create_network": "role:member and"', "create_network: 'role:member and' is no expression"),
    ('"create_network": "(role:member"', "create_network: '(role:member' is no expression"),
    ('"create_network": 5', "create_network: 5 is no text"),
    ('"create_network": "rule:nobody"', "create_network: there is no rule nobody"),
    ('"owner": "role:x or rule:admin_or_owner"', "owner: it rests on itself, by way of rule:admin_or_owner"),
    ('"get_port": "field:ports:colour=red"', "get_port: field:ports:colour=red asks for none of device_owner"),
    ('"get_port": "project_id:%(owner)s"', "get_port: %(owner)s is none of device_owner"),
    ('"get_port": "system_scope:all"', "get_port: of a caller, 'system_scope' is not known"),
    ('"get_port": "http://example.org/%(project_id)s"', "get_port: http: checks are not made here"),
    ("- create_network", "it holds no rules"),
    ('"create_network": [', "it cannot be read"),
]


@pytest.mark.parametrize(("text", "said"), BAD)
def test_a_file_that_cannot_be_used_is_told_with_its_rule(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(OptionError) as caught:
        load(tmp_path, text)
    assert str(caught.value).startswith(f"[oslo_policy] policy_file: {tmp_path}/policy.yaml: {said}")


def test_a_file_that_is_not_there_is_missed_only_if_it_was_named(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"there is no file other\.yaml"):
        load(tmp_path, None, "other.yaml")
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[], default_config_dirs=[])
    assert policy_file.load(conf).unknown == []


def test_a_rule_that_nothing_asks_for_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rules = {"create_netwrok": "role:member", "mine": "role:x", "get_port": "rule:mine", "create_subnet": "!"}
    with caplog.at_level(logging.WARNING):
        policy = load(tmp_path, "\n".join(f'"{name}": "{rule}"' for name, rule in rules.items()))
    assert policy.unknown == ["create_netwrok"]
    place = tmp_path / "policy.yaml"
    assert caplog.messages == [f"{place}: nothing asks for the rule create_netwrok; did you mean create_network?"]


def test_the_declared_rules_stand_the_same_checks() -> None:
    rules = {**BASE, **declared_rules()}
    Policy({}, rules)
    with pytest.raises(PolicyError):
        Policy({}, rules | {"get_port": "rule:nothing"})


def test_the_document_is_current() -> None:
    document = Path(__file__).parents[3] / "docs/policy.md"
    assert document.read_text() == policy_file.render(), "python -m sdnapp.api.policy_file > docs/policy.md"
