"""Keystone that is away, or that does not know the controller: who gets in, and what the operator reads."""

import threading
from typing import Any

import pytest

from tests.keystone.cloud import SERVICE_PASSWORD, Answer, Cloud, Person
from tests.real_ovs.ovs_dummy import wait_for

NETWORKS = "/v2.0/networks"
UNAVAILABLE = (503, "HTTPServiceUnavailable")


def complaints(controller: Any) -> list[str]:
    """Return what the log has of errors."""
    return [line for line in controller.log.splitlines() if " ERROR " in line or " CRITICAL " in line]


def test_nobody_gets_in_while_keystone_is_down_and_everybody_after(cloud: Cloud) -> None:
    with cloud.running_controller("--verbose", more="token_cache_time = 300") as controller:
        alice, bob = (cloud.person(name, url=controller.url) for name in ("alice", "bob"))
        assert alice.ask("GET", NETWORKS).status == 200
        cloud.keystone.stop()
        for _ in range(2):
            assert bob.ask("GET", NETWORKS).error == UNAVAILABLE
        assert alice.ask("POST", NETWORKS, {"network": {}}).status == 201, "what is remembered goes on"
        assert Person(controller.url).ask("GET", NETWORKS).status == 401
        assert Person(controller.url).ask("GET", "/healthz").status == 200
        [said] = complaints(controller)
        assert "nobody gets in, as Keystone cannot say who holds a token: it does not answer" in said
        assert f"to {cloud.keystone.url}/auth/tokens): look whether it runs, and at auth_url" in said
        cloud.keystone.start()
        wait_for(lambda: bob.ask("GET", NETWORKS).status == 200, "Keystone is asked again")
        assert "Keystone says again who holds a token" in controller.log
        assert "Traceback" not in controller.log
        no_secrets(controller.log, cloud)


def no_secrets(text: str, cloud: Cloud) -> None:
    assert SERVICE_PASSWORD not in text
    assert "password-of" not in text
    assert cloud.tokens and not [token for token in cloud.tokens if token in text]


def test_a_silent_keystone_holds_up_those_who_ask_and_nobody_else(cloud: Cloud) -> None:
    with cloud.running_controller(more="token_cache_time = 300") as controller:
        alice, bob = (cloud.person(name, url=controller.url) for name in ("alice", "bob"))
        assert alice.ask("GET", NETWORKS).status == 200
        answers: list[Answer] = []
        asking = threading.Thread(target=lambda: answers.append(bob.ask("GET", NETWORKS)))
        cloud.keystone.hang()
        try:
            asking.start()
            assert Person(controller.url).ask("GET", "/healthz").status == 200
            assert alice.ask("GET", NETWORKS).status == 200
            assert asking.is_alive()
            asking.join(30)
            assert [each.error for each in answers] == [UNAVAILABLE]
        finally:
            cloud.keystone.go_on()
        assert "timed out): look whether it runs" in complaints(controller)[-1]
        wait_for(lambda: bob.ask("GET", NETWORKS).status == 200, "Keystone is asked again")


@pytest.mark.parametrize(
    ("more", "advice"),
    [
        ("password = {wrong}", "it does not know the controller itself: look at username, password and project_name"),
        ("username = nobody", "it does not know the controller itself: look at username, password and project_name"),
        ("project_name = red", "it does not know the controller itself: look at username, password and project_name"),
        ("username = rob\npassword = password-of-rob\nproject_name = red", "give it the role service in the project"),
        ("region_name = elsewhere", "look at interface and region_name in [keystone_authtoken]"),
    ],
)
def test_what_is_wrong_with_the_controllers_own_user_is_told_without_its_password(
    cloud: Cloud, more: str, advice: str
) -> None:
    wrong = "another-secret"
    with cloud.running_controller("--verbose", more=more.format(wrong=wrong)) as controller:
        assert cloud.person("bob", url=controller.url).ask("GET", NETWORKS).error == UNAVAILABLE
        [said] = complaints(controller)
        assert advice in said
        assert "Traceback" not in controller.log
        assert wrong not in controller.log
        no_secrets(controller.log, cloud)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ("auth_type =", "auth_strategy: keystone needs a section [keystone_authtoken] with auth_type, auth_url"),
        ("auth_type = magic", "[keystone_authtoken]: The plugin magic could not be found"),
        ("auth_url =", "[keystone_authtoken] auth_url: say where Keystone is"),
    ],
)
def test_a_section_that_cannot_be_used_keeps_the_controller_from_starting(cloud: Cloud, more: str, reason: str) -> None:
    with pytest.raises(RuntimeError, match="ended with 2") as refused, cloud.running_controller(more=more):
        pass
    [last] = str(refused.value).strip().splitlines()[-1:]
    assert last.startswith(f"osken-manager: {reason}")


def test_the_audit_log_names_who_and_for_which_project_and_no_secret(cloud: Cloud) -> None:
    alice, rob = cloud.person("alice"), cloud.person("rob")
    made = alice.create("networks")["id"]
    rob.ask("DELETE", f"{NETWORKS}/{made}")
    lines = [line for line in cloud.controller.log.splitlines() if "sdnapp.audit" in line and made in line]
    for line, name, outcome in zip(lines, ("alice", "rob"), ("method=POST", "status=403"), strict=True):
        who = f"user={cloud.users[name].id} project={cloud.projects['red'].id} user_name={name} project_name=red"
        assert who in line and outcome in line
    no_secrets(cloud.controller.log, cloud)
