"""If-Match with a revision number: who has looked at an old state changes nothing, of whatever kind the object is."""

import pytest

from sdnapp.api.wsgi import RESOURCES
from tests.sdnapp.api.one_of_each import REQUIRED, one_of_each
from tests.sdnapp.api.stand_ins import Api, name_of, path_of

RESOURCE_OF = {each.collection: each for each in RESOURCES if "POST" in each.methods}
COLLECTIONS = sorted(name for name, resource in RESOURCE_OF.items() if "revision_number" in resource.view)
"""As in Neutron, address scopes, RBAC policies and default rules have no revision."""
IN_USE = ("networks", "subnets")
REFUSED = (412, "RevisionNumberConstraintFailed")
ROUTES = {"router": {"routes": [{"destination": "10.7.0.0/16", "nexthop": "10.0.0.9"}]}}
ACTIONS = {
    "add_router_interface": ("routers", {"subnet_id": "{subnets}"}),
    "remove_router_interface": ("routers", {"subnet_id": "{subnets}"}),
    "add_extraroutes": ("routers", ROUTES),
    "remove_extraroutes": ("routers", ROUTES),
    "add_addresses": ("address-groups", {"addresses": ["10.7.0.0/24"]}),
    "remove_addresses": ("address-groups", {"addresses": ["10.0.0.0/24"]}),
}


def test_all_kinds_are_here() -> None:
    assert set(RESOURCE_OF) == set(REQUIRED)
    assert {"networks", "subnets", "ports", "routers", "security_groups", "security_group_rules"} < set(COLLECTIONS)


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_an_object_of_another_revision_is_neither_changed_nor_deleted(api: Api, collection: str) -> None:
    row_id = one_of_each(api, {})[collection]
    path = f"{path_of(collection)}/{row_id}"
    revision = api.call("GET", path).first["revision_number"]
    if "PUT" in RESOURCE_OF[collection].methods:
        body = {name_of(collection): {"description": "new"}}
        assert api.call("PUT", path, body, If_Match=f"revision_number={revision + 1}").error == REFUSED
        answer = api.call("PUT", path, body, If_Match=f"revision_number={revision}")
        assert answer.status == 200, answer.body
        revision = answer.first["revision_number"]
    assert api.call("DELETE", path, If_Match=f"revision_number={revision - 1}").error == REFUSED
    answer = api.call("DELETE", path, If_Match=f"revision_number={revision}")
    assert answer.status == (409 if collection in IN_USE else 204), answer.body


@pytest.mark.parametrize("action", ACTIONS)
def test_actions_mind_the_revision(api: Api, action: str) -> None:
    ids = one_of_each(api, {})
    collection, body = ACTIONS[action]
    path = f"/v2.0/{collection}/{ids[collection.replace('-', '_')]}"
    if action != "add_router_interface" and collection == "routers":
        assert api.call("PUT", f"{path}/add_router_interface", {"subnet_id": ids["subnets"]}).status == 200
    asked = {key: ids["subnets"] if value == "{subnets}" else value for key, value in body.items()}
    revision = api.call("GET", path).first["revision_number"]
    for wrong in (revision - 1, revision + 1):
        assert api.call("PUT", f"{path}/{action}", asked, If_Match=f"revision_number={wrong}").error == REFUSED
    answer = api.call("PUT", f"{path}/{action}", asked, If_Match=f"revision_number={revision}")
    assert answer.status == 200, answer.body
