"""Tokens that end, that are for something else, that are made up, and headers that say so of themselves."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openstack
import pytest

from tests.keystone.cloud import CACHED, Cloud, Person
from tests.keystone.real_keystone import ADMIN, REGION

NETWORKS = "/v2.0/networks"


def ends(person: Person) -> float:
    """Ask all the time, until a person's token is refused; return after how many seconds that was."""
    started = time.monotonic()
    while person.ask("GET", NETWORKS).status == 200:
        assert time.monotonic() - started < CACHED + 5, "the token does not end"
        time.sleep(0.1)
    assert person.ask("GET", NETWORKS).status == 401
    return time.monotonic() - started


def revoke(cloud: Cloud, user: Any, token: str) -> None:
    cloud.identity.delete("/auth/tokens", headers={"X-Subject-Token": token}).raise_for_status()


def disable_user(cloud: Cloud, user: Any, token: str) -> None:
    cloud.identity.update_user(user, is_enabled=False)


def delete_user(cloud: Cloud, user: Any, token: str) -> None:
    cloud.identity.delete_user(user)


def take_role(cloud: Cloud, user: Any, token: str) -> None:
    cloud.identity.unassign_project_role_from_user(cloud.projects["passing"], user, cloud.roles["member"])


def change_password(cloud: Cloud, user: Any, token: str) -> None:
    cloud.identity.update_user(user, password="another")


def disable_project(cloud: Cloud, user: Any, token: str) -> None:
    cloud.identity.update_project(cloud.projects["passing"], is_enabled=False)


@pytest.mark.parametrize("end", [revoke, disable_user, delete_user, take_role, change_password, disable_project])
def test_what_was_taken_away_ends_when_the_memory_of_the_token_does(
    cloud: Cloud, end: Callable[[Cloud, Any, str], None]
) -> None:
    name = f"ted-{end.__name__}"
    cloud.projects["passing"] = cloud.identity.create_project(name=name)
    user = cloud.add_user(name, "passing", "member")
    ted = cloud.person(name, project=name)
    assert ted.ask("POST", NETWORKS, {"network": {}}).status == 201
    end(cloud, user, ted.token)
    assert ends(ted) <= CACHED + 2
    cloud.identity.update_project(cloud.projects["passing"], is_enabled=True)


def test_a_role_that_was_given_needs_a_new_token(cloud: Cloud) -> None:
    cloud.projects["growing"] = cloud.identity.create_project(name="growing")
    user = cloud.add_user("greta", "growing", "reader")
    greta = cloud.person("greta", project="growing")
    assert greta.ask("POST", NETWORKS, {"network": {}}).status == 403
    cloud.identity.assign_project_role_to_user(cloud.projects["growing"], user, cloud.roles["member"])
    assert cloud.person("greta", project="growing").ask("POST", NETWORKS, {"network": {}}).status == 201


def test_a_token_expires_even_while_it_is_remembered(cloud: Cloud) -> None:
    with cloud.running_controller(more="token_cache_time = 300") as controller:
        cloud.keystone.restart(token_seconds=4)
        try:
            alice = cloud.person("alice", url=controller.url)
            assert alice.ask("GET", NETWORKS).status == 200
            assert 1 < ends(alice) < 6
        finally:
            cloud.keystone.restart()


def test_an_application_credential_is_its_owner_in_one_project(cloud: Cloud) -> None:
    alice = openstack.connect(**cloud.login("alice"), region_name=REGION).identity
    owner = cloud.users["alice"].id
    made = alice.create_application_credential(user=owner, name="reads", roles=[{"name": "reader"}])
    reading = Person(cloud.controller.url, cloud.token_for(credential(made)))
    assert reading.ids("networks") == cloud.person("alice").ids("networks")
    assert reading.ask("POST", NETWORKS, {"network": {}}).status == 403
    alice.delete_application_credential(owner, made)
    assert ends(reading) <= CACHED + 2


def credential(made: Any) -> Any:
    return {"methods": ["application_credential"], "application_credential": {"id": made.id, "secret": made.secret}}


def test_access_rules_hold_and_do_not_cost_what_they_allow(cloud: Cloud) -> None:
    alice = openstack.connect(**cloud.login("alice"), region_name=REGION).identity
    rules = [
        {"service": "network", "method": "GET", "path": "/v2.0/networks"},
        {"service": "network", "method": "DELETE", "path": "/v2.0/ports/*"},
    ]
    made = alice.create_application_credential(user=cloud.users["alice"].id, name="bound", access_rules=rules)
    bound = Person(cloud.controller.url, cloud.token_for(credential(made)))
    port = cloud.person("alice").create("ports", network_id=cloud.person("alice").create("networks")["id"])["id"]
    assert bound.ask("GET", NETWORKS).status == 200
    for method, where in (("POST", NETWORKS), ("GET", f"/v2.0/ports/{port}"), ("GET", "/v2.0/routers")):
        assert bound.ask(method, where, {} if method == "POST" else None).status == 401
        assert bound.ask("GET", NETWORKS).status == 200
    assert bound.ask("DELETE", f"/v2.0/ports/{port}").status == 204


def test_only_tokens_for_a_project_are_of_use(cloud: Cloud) -> None:
    cloud.add_user("dora", "blue", "reader")
    dora = next(cloud.identity.users(name="dora"))
    cloud.identity.assign_domain_role_to_user("default", dora, cloud.roles["admin"])
    network = cloud.person("alice").create("networks")["id"]
    scopes = {
        "system scope": cloud.token(ADMIN, {"system": {"all": True}}),
        "domain scope": cloud.token("dora", {"domain": {"id": "default"}}),
        "no scope": cloud.token("alice", "unscoped"),
    }
    for scope, token in scopes.items():
        who = Person(cloud.controller.url, token)
        for method, where in (("GET", NETWORKS), ("DELETE", f"{NETWORKS}/{network}"), ("GET", "/sdnapp/status")):
            answer = who.ask(method, where)
            assert answer.error == (403, "InvalidScope"), (scope, answer)
            assert f"request was made with {scope}" in answer.body["NeutronError"]["message"]
    assert Person(cloud.controller.url, scopes["domain scope"]).ask("GET", "/").status == 200


def test_roles_and_names_may_be_in_any_script(cloud: Cloud) -> None:
    for name in ("Prüferin", "審査"):
        cloud.roles[name] = cloud.identity.create_role(name=name)
        cloud.projects[name] = cloud.identity.create_project(name=f"Projekt {name}")
        user = cloud.add_user(f"Jürgen {name}", name, name)
        cloud.identity.assign_project_role_to_user(cloud.projects[name], user, cloud.roles["member"])
        person = cloud.person(f"Jürgen {name}", project=f"Projekt {name}")
        assert person.create("networks", name=name)["project_id"] == cloud.projects[name].id


def test_headers_make_nobody_anybody(cloud: Cloud) -> None:
    forged = {
        "X_Identity_Status": "Confirmed",
        "X_Roles": "admin",
        "X_Role": "admin",
        "X_Project_Id": cloud.projects["red"].id,
        "X_Tenant_Id": cloud.projects["red"].id,
        "X_User_Id": cloud.users["alice"].id,
        "X_Service_Identity_Status": "Confirmed",
        "X_Service_Roles": "service",
        "OpenStack_System_Scope": "all",
    }
    network = cloud.person("alice").create("networks")["id"]
    nobody, guesser, bob = Person(cloud.controller.url), Person(cloud.controller.url, "gAAAAA"), cloud.person("bob")
    for who in (nobody, guesser):
        assert who.ask("GET", NETWORKS, **forged).status == 401
        assert who.ask("POST", NETWORKS, {"network": {}}, **forged).status == 401
    assert network not in [each["id"] for each in bob.ask("GET", NETWORKS, **forged).body["networks"]]
    assert bob.ask("GET", f"{NETWORKS}/{network}", **forged).status == 404
    assert bob.ask("GET", "/sdnapp/status", **forged).status == 403
    made = bob.ask("POST", NETWORKS, {"network": {}}, **forged)
    assert made.body["network"]["project_id"] == cloud.projects["blue"].id


def test_another_services_token_does_not_make_a_user_more(cloud: Cloud) -> None:
    service = cloud.token("sdnapp", {"project": {"name": "service", "domain": {"name": "Default"}}})
    bob, network = cloud.person("bob"), cloud.person("alice").create("networks")["id"]
    assert bob.ask("GET", f"{NETWORKS}/{network}", X_Service_Token=service).status == 404
    assert bob.ask("GET", NETWORKS, X_Service_Token=service).status == 200
    assert bob.ask("GET", NETWORKS, X_Service_Token=bob.token).status == 401, "he is no service"
    assert bob.ask("GET", NETWORKS, X_Service_Token="made-up").status == 401


def test_guesses_are_bounded_and_whoever_was_known_goes_on(cloud: Cloud) -> None:
    with cloud.running_controller("--sdnapp-api-failed-tokens", "1") as controller:
        alice = cloud.person("alice", url=controller.url)
        assert alice.ask("GET", NETWORKS).status == 200
        guessers = [Person(controller.url, f"gAAAAA{number}") for number in range(40)]
        with ThreadPoolExecutor(len(guessers)) as at_once:
            answers = list(at_once.map(lambda guesser: guesser.ask("GET", NETWORKS), guessers))
        assert {each.status for each in answers} == {401, 429}
        last = next(each for each in answers if each.status == 429)
        assert int(last.headers["retry-after"]) >= 1
        assert "1 tokens a second that Keystone does not know" in last.body["NeutronError"]["message"]
        assert alice.ask("GET", NETWORKS).status == 200
