"""A cloud of two projects with real people: real Keystone, and the controller as a process that asks it.

``red`` has Alice (member), Rob (reader) and Mia (manager); ``blue`` has Bob (member). The administrator has the role
``admin`` in a project of his own. The controller's own user has the role ``service``, and no more.
"""

import json
import os
import shlex
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openstack
import requests

from tests.keystone import documented
from tests.keystone.real_keystone import ADMIN, ADMIN_PASSWORD, REGION, RealKeystone
from tests.real_ovs.running_controller import RunningController

SERVICE_PASSWORD = "password-of-the-controller"
PEOPLE = {"alice": ("red", "member"), "rob": ("red", "reader"), "mia": ("red", "manager"), "bob": ("blue", "member")}
CACHED = 3
"""Seconds for which the controller believes what Keystone last said about a token."""
PATIENCE = 60.0


@dataclass(frozen=True)
class Answer:
    """A status with headers and body; of JSON, what it means."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def error(self) -> tuple[int, str]:
        """Status and type of an error."""
        return self.status, self.body["NeutronError"]["type"]


@dataclass(frozen=True)
class Person:
    """Whoever asks the API with a token, or without."""

    url: str
    token: str = ""

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send a request; ``_`` in the name of a header stands for ``-``."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            given["X-Auth-Token"] = self.token
        octets = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, octets, given, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as response:
                status, answer, told = response.status, response.read(), response.headers
        except urllib.error.HTTPError as error:
            with error:
                status, answer, told = error.code, error.read(), error.headers
        text = answer.decode()
        lower = {name.lower(): value for name, value in told.items()}
        return Answer(status, lower, json.loads(text) if text.startswith("{") else text)

    def create(self, collection: str, **attributes: Any) -> dict[str, Any]:
        """Create an object and return it."""
        kind = collection.removesuffix("ies") + "y" if collection.endswith("ies") else collection[:-1]
        answer = self.ask("POST", f"/v2.0/{collection.replace('_', '-')}", {kind: attributes})
        assert answer.status == 201, answer
        made: dict[str, Any] = answer.body[kind]
        return made

    def ids(self, collection: str) -> set[str]:
        """Return the ids of all that a list shows."""
        answer = self.ask("GET", f"/v2.0/{collection.replace('_', '-')}")
        assert answer.status == 200, answer
        return {each["id"] for each in answer.body[collection]}


class Cloud:
    """Keystone with its projects and people, and the controller."""

    def __init__(self, keystone: RealKeystone) -> None:
        self.keystone = keystone
        self.tokens: list[str] = []
        """All that were ever given out."""
        self.identity: Any = openstack.connect(**self.login(ADMIN), region_name=REGION).identity
        self.roles = {role.name: role for role in self.identity.roles()}
        self.projects = {name: self.identity.create_project(name=name) for name in ("red", "blue")}
        self.users = {name: self.add_user(name, *PEOPLE[name]) for name in PEOPLE}
        self.controller: Any = None

    def add_user(self, name: str, project: str, role: str) -> Any:
        """Create a user with a role in a project."""
        user = self.identity.create_user(name=name, password=password_of(name))
        self.identity.assign_project_role_to_user(self.projects[project], user, self.roles[role])
        return user

    def login(self, name: str, project: str = "") -> dict[str, str]:
        """Return what clients need to know of somebody."""
        return {
            "auth_url": self.keystone.url,
            "username": name,
            "password": password_of(name),
            "project_name": project or (ADMIN if name == ADMIN else PEOPLE[name][0]),
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        }

    def token(self, name: str, scope: Any) -> str:
        """Return a new token of somebody, for what Keystone calls a scope."""
        user = {"name": name, "domain": {"name": "Default"}, "password": password_of(name)}
        return self.token_for({"methods": ["password"], "password": {"user": user}}, scope)

    def token_for(self, identity: Any, scope: Any = None) -> str:
        """Return a new token, for what Keystone calls identity and scope."""
        body = {"auth": {"identity": identity} | ({"scope": scope} if scope else {})}
        answer = requests.post(f"{self.keystone.url}/auth/tokens", json=body, timeout=PATIENCE)
        assert answer.status_code == 201, answer.text
        self.tokens.append(answer.headers["X-Subject-Token"])
        return self.tokens[-1]

    def person(self, name: str, project: str = "", url: str = "") -> Person:
        """Return somebody with a new token for a project, before this cloud's controller or another."""
        wanted = {"project": {"name": self.login(name, project)["project_name"], "domain": {"name": "Default"}}}
        return Person(url or self.controller.url, self.token(name, wanted))

    def variables(self, name: str) -> dict[str, str]:
        """Return what clients read from the environment."""
        login = {f"OS_{key.upper()}": value for key, value in self.login(name).items()}
        return {**login, "OS_IDENTITY_API_VERSION": "3", "OS_REGION_NAME": REGION}

    @contextmanager
    def running_controller(self, *options: str, more: str = "") -> Iterator[Any]:
        """Run a controller; ``more`` are lines for the section that says how to reach Keystone."""
        with tempfile.TemporaryDirectory(prefix="sdnapp-") as place:
            file = Path(place) / "sdnapp.conf"
            said = documented.configuration().replace(documented.KEYSTONE, self.keystone.url)
            said = said.replace("password = ...", f"password = {SERVICE_PASSWORD}").replace("0.0.0.0", "127.0.0.1")
            file.write_text(f"{said}token_cache_time = {CACHED}\n{more}\n")
            with RunningController("--config-file", str(file), *options) as controller:
                yield controller

    def publish(self, url: str) -> None:
        """Make the controller known as its documentation says, by the ``openstack`` command."""
        known = {documented.NETWORK: url, "--password-prompt": f"--password {SERVICE_PASSWORD}", "RegionOne": REGION}
        environment = {**os.environ, **self.variables(ADMIN)}
        for command in documented.commands():
            for said, meant in known.items():
                command = command.replace(said, meant)
            program, *words = shlex.split(command)
            subprocess.run([Path(sys.executable).with_name(program), *words], env=environment, check=True)


def password_of(name: str) -> str:
    """Return the password of somebody."""
    return {ADMIN: ADMIN_PASSWORD, "sdnapp": SERVICE_PASSWORD}.get(name, f"password-of-{name}")


@contextmanager
def running_cloud() -> Iterator[Cloud]:
    """Run all of it."""
    with RealKeystone() as keystone:
        cloud = Cloud(keystone)
        with cloud.running_controller() as controller:
            cloud.controller = controller
            cloud.publish(controller.url)
            cloud.users["sdnapp"] = cloud.identity.find_user("sdnapp")
            yield cloud
