"""Who may do what to whose objects, by real roles in real projects."""

import itertools
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from tests.keystone.cloud import PEOPLE, Cloud, Person
from tests.keystone.real_keystone import ADMIN

_PHYSNETS = itertools.count()


def provider(name: str = "flat") -> dict[str, Any]:
    """Return the attributes of a provider network that nobody has had before."""
    return {"provider:network_type": name, "provider:physical_network": f"physnet{next(_PHYSNETS)}"}


def one_of_each(person: Person, admin: Person, blue: str) -> dict[str, str]:
    """Make an object of each kind of which a project has its own; return their ids."""
    network = person.create("networks")["id"]
    group = person.create("security_groups", name="group")["id"]
    outside = admin.create("networks", **{"router:external": True}, **provider())["id"]
    admin.create("subnets", network_id=outside, ip_version=4, cidr="203.0.113.0/24")
    private = person.create("networks")["id"]
    grant = {"object_type": "network", "object_id": private, "action": "access_as_shared", "target_tenant": blue[::-1]}
    made = {
        "subnets": {"network_id": network, "ip_version": 4, "cidr": "10.0.0.0/24"},
        "ports": {"network_id": network},
        "address_scopes": {"ip_version": 4, "name": "scope"},
        "subnetpools": {"name": "pool", "prefixes": ["10.7.0.0/16"]},
        "rbac_policies": grant,
        "address_groups": {"addresses": ["10.0.0.0/24"]},
        "routers": {},
        "floatingips": {"floating_network_id": outside},
        "security_group_rules": {"security_group_id": group, "direction": "ingress"},
    }
    ids = {collection: person.create(collection, **attributes)["id"] for collection, attributes in made.items()}
    return {"networks": network, "security_groups": group, **ids}


def path(collection: str, row_id: str = "") -> str:
    return f"/v2.0/{collection.replace('_', '-')}" + (f"/{row_id}" if row_id else "")


def change(collection: str) -> Any:
    """Return the body of an update, with the key that belongs to a collection."""
    if collection == "rbac_policies":
        return {"rbac_policy": {"target_tenant": "c" * 32}}
    return {collection[:-1]: {"name" if collection == "address_scopes" else "description": "mine now"}}


def test_each_role_may_do_to_its_own_projects_objects_what_neutron_lets_it(cloud: Cloud) -> None:
    people = {name: cloud.person(name) for name in (*PEOPLE, ADMIN)}
    for name, may_write in (("alice", True), ("mia", True), (ADMIN, True), ("rob", False)):
        owner = people[name if may_write else "alice"]
        network = owner.create("networks")
        who, at = people[name], path("networks", network["id"])
        assert network["id"] in who.ids("networks")
        assert who.ask("GET", at).status == 200
        assert who.ask("PUT", at, {"network": {"name": name}}).status == (200 if may_write else 403)
        assert who.ask("POST", path("networks"), {"network": {}}).status == (201 if may_write else 403)
        assert who.ask("DELETE", at).status == (204 if may_write else 403)


def test_what_is_another_projects_is_not_there(cloud: Cloud) -> None:
    alice, bob, admin = (cloud.person(name) for name in ("alice", "bob", ADMIN))
    for collection, row_id in one_of_each(alice, admin, cloud.projects["blue"].id).items():
        at = path(collection, row_id)
        assert alice.ask("GET", at).status == 200, at
        assert row_id not in bob.ids(collection), at
        tries = [bob.ask("GET", at), bob.ask("DELETE", at)]
        if collection != "security_group_rules":
            tries.append(bob.ask("PUT", at, change(collection)))
        if collection not in ("rbac_policies", "security_group_rules", "address_scopes", "address_groups"):
            tries += [bob.ask("GET", f"{at}/tags"), bob.ask("PUT", f"{at}/tags/x"), bob.ask("DELETE", f"{at}/tags")]
        assert {each.status for each in tries} == {404}, (at, tries)
        none = bob.ask("GET", path(collection, row_id[::-1]))
        assert none.body["NeutronError"]["type"] == tries[0].body["NeutronError"]["type"], "guessing tells nothing"
        assert alice.ask("GET", at).status == 200, at
    for name in ("rob", "mia"):
        assert cloud.person(name).ids("networks") == alice.ids("networks")
    assert alice.ids("networks") | {bob.create("networks")["id"]} <= admin.ids("networks")


def test_nothing_can_be_built_on_another_projects_objects(cloud: Cloud) -> None:
    """Nor does the answer tell whether there is such an object."""
    alice, bob, admin = (cloud.person(name) for name in ("alice", "bob", ADMIN))
    ids = one_of_each(alice, admin, cloud.projects["blue"].id)
    mine, router = bob.create("networks")["id"], bob.create("routers")["id"]
    grant = {"object_type": "network", "action": "access_as_shared", "target_tenant": cloud.projects["blue"].id}
    tries: list[tuple[str, str, str, Callable[[str], Any]]] = [
        ("POST", "ports", "networks", lambda it: {"port": {"network_id": it}}),
        ("POST", "ports", "security_groups", lambda it: {"port": {"network_id": mine, "security_groups": [it]}}),
        (
            "POST",
            "subnets",
            "networks",
            lambda it: {"subnet": {"network_id": it, "ip_version": 4, "cidr": "10.9.0.0/24"}},
        ),
        (
            "POST",
            "subnets",
            "subnetpools",
            lambda it: {"subnet": {"network_id": mine, "ip_version": 4, "subnetpool_id": it}},
        ),
        ("POST", "rbac_policies", "networks", lambda it: {"rbac_policy": {**grant, "object_id": it}}),
        (
            "POST",
            "security_group_rules",
            "security_groups",
            lambda it: {"security_group_rule": {"security_group_id": it, "direction": "ingress"}},
        ),
        ("PUT", f"routers/{router}/add_router_interface", "subnets", lambda it: {"subnet_id": it}),
        ("PUT", f"routers/{router}/add_router_interface", "ports", lambda it: {"port_id": it}),
    ]
    for method, where, of, body in tries:
        made_up = str(uuid4())
        theirs, none = (bob.ask(method, path(where), body(each)) for each in (ids[of], made_up))
        assert theirs.status in (400, 404), (where, theirs)
        assert (theirs.status, str(theirs.body).replace(ids[of], made_up)) == (none.status, str(none.body))
    for below in (f"floatingips/{ids['floatingips']}/port_forwardings", f"ports/{ids['ports']}/bindings"):
        assert bob.ask("GET", path(below)).status in (403, 404)
    assert bob.ask("PUT", f"/v2.0/routers/{ids['routers']}/add_router_interface", {"subnet_id": mine}).status == 404


def test_provider_attributes_are_the_administrators(cloud: Cloud) -> None:
    alice, rob, mia, admin = (cloud.person(name) for name in ("alice", "rob", "mia", ADMIN))
    for who in (alice, rob, mia):
        answer = who.ask("POST", path("networks"), {"network": provider()})
        assert answer.error == (403, "PolicyNotAuthorized")
        for more in ({"shared": True}, {"router:external": True}):
            assert who.ask("POST", path("networks"), {"network": more}).error == (403, "PolicyNotAuthorized")
    network = alice.create("networks")["id"]
    for who in (alice, rob, mia):
        shown = who.ask("GET", path("networks", network)).body["network"]
        assert not [name for name in shown if name.startswith("provider:")]
        listed = who.ask("GET", f"{path('networks')}?fields=provider:segmentation_id&id={network}").body["networks"]
        assert listed == [{}]
    for name in ("provider:network_type", "provider:segmentation_id"):
        assert name in admin.ask("GET", path("networks", network)).body["network"]
        filtered = alice.ask("GET", f"{path('networks')}?{name}=1").body.get("networks", [])
        assert network not in [each["id"] for each in filtered]
    change = {"network": {"provider:segmentation_id": 7}}
    assert alice.ask("PUT", path("networks", network), change).error == (403, "PolicyNotAuthorized")


def test_nobody_makes_anything_for_another_project_but_the_administrator(cloud: Cloud) -> None:
    alice, admin = cloud.person("alice"), cloud.person(ADMIN)
    for name in ("project_id", "tenant_id"):
        body = {"network": {name: cloud.projects["blue"].id}}
        assert alice.ask("POST", path("networks"), body).error == (400, "HTTPBadRequest")
        assert alice.ask("POST", path("networks"), {"network": {name: cloud.projects["red"].id}}).status == 201
        assert admin.ask("POST", path("networks"), body).body["network"]["project_id"] == cloud.projects["blue"].id


def test_a_network_is_shared_with_a_project_and_no_longer(cloud: Cloud) -> None:
    alice, bob, blue = cloud.person("alice"), cloud.person("bob"), cloud.projects["blue"].id
    network = alice.create("networks")["id"]
    alice.create("subnets", network_id=network, ip_version=4, cidr="10.1.0.0/24")
    grant = {"object_type": "network", "object_id": network, "action": "access_as_shared", "target_tenant": blue}
    policy = alice.create("rbac_policies", **grant)["id"]
    shown = bob.ask("GET", path("networks", network)).body["network"]
    assert (shown["shared"], shown["project_id"]) == (True, cloud.projects["red"].id)
    port = bob.create("ports", network_id=network)["id"]
    assert bob.ask("PUT", path("networks", network), {"network": {"name": "mine"}}).status == 403
    assert bob.ask("DELETE", path("networks", network)).status == 403
    for method in ("GET", "DELETE"):
        assert bob.ask(method, path("rbac_policies", policy)).status == 404, "the policy is its owner's"
    assert alice.ask("DELETE", path("rbac_policies", policy)).error == (409, "RbacPolicyInUse")
    bob.ask("DELETE", path("ports", port))
    assert alice.ask("DELETE", path("rbac_policies", policy)).status == 204
    assert bob.ask("GET", path("networks", network)).status == 404
    assert alice.ask("POST", path("rbac_policies"), {"rbac_policy": {**grant, "target_tenant": "*"}}).status == 403


def test_a_quota_is_a_projects(cloud: Cloud) -> None:
    alice, bob, admin = cloud.person("alice"), cloud.person("bob"), cloud.person(ADMIN)
    red, blue = cloud.projects["red"].id, cloud.projects["blue"].id
    count = len(admin.ask("GET", f"/v2.0/networks?project_id={red}").body["networks"])
    at = f"/v2.0/quotas/{red}"
    assert alice.ask("PUT", at, {"quota": {"network": -1}}).status == 403
    assert admin.ask("PUT", at, {"quota": {"network": count + 1}}).status == 200
    try:
        alice.create("networks")
        assert alice.ask("POST", path("networks"), {"network": {}}).error == (409, "OverQuota")
        bob.create("networks")
        assert alice.ask("GET", at).body["quota"]["network"] == count + 1
        for who, project in ((alice, blue), (bob, red)):
            assert who.ask("GET", f"/v2.0/quotas/{project}").status == 403
    finally:
        admin.ask("DELETE", at)


def test_the_operators_views_are_the_administrators(cloud: Cloud) -> None:
    views = ("/sdnapp/status", "/sdnapp/chassis", "/sdnapp/drops", "/sdnapp/gateways", "/metrics", "/realized")
    everybody = {name: cloud.person(name) for name in (*PEOPLE, ADMIN)}
    for view in views:
        assert Person(cloud.controller.url).ask("GET", view).status == 401
        found = {name: who.ask("GET", view).status for name, who in everybody.items()}
        assert found == dict.fromkeys(PEOPLE, 403) | {ADMIN: 200}, view


def test_a_service_plugs_in_ports_of_all_projects_and_does_nothing_else(cloud: Cloud) -> None:
    """Here it is the controller's own user, as Nova's would be, and a service that asks on behalf of a user."""
    alice, bob, nova = cloud.person("alice"), cloud.person("bob"), cloud.person("sdnapp", project="service")
    network, red = alice.create("networks")["id"], cloud.projects["red"].id
    assert network in nova.ids("networks")
    used = {"network_id": network, "project_id": red, "device_id": "vm", "device_owner": "compute:nova"}
    port = nova.create("ports", **used)
    assert "binding:host_id" in port
    assert port["project_id"] == red
    assert bob.ask("GET", path("ports", port["id"])).status == 404
    assert alice.ask("DELETE", path("ports", port["id"])).status == 403
    assert bob.ask("DELETE", path("ports", port["id"]), X_Service_Token=nova.token).status == 404
    assert alice.ask("DELETE", path("ports", port["id"]), X_Service_Roles="service").status == 403
    assert alice.ask("DELETE", path("ports", port["id"]), X_Service_Token=nova.token).status == 204
    assert nova.ask("DELETE", path("ports", nova.create("ports", **used)["id"])).status == 204
    for method, where, body in (
        ("POST", path("networks"), {"network": {}}),
        ("PUT", path("networks", network), {"network": {"name": "x"}}),
        ("DELETE", path("networks", network), None),
        ("GET", "/sdnapp/status", None),
    ):
        assert nova.ask(method, where, body).error == (403, "PolicyNotAuthorized")
