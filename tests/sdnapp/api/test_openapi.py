"""The OpenAPI document: it is right, it is whole, and the server does what it says."""

import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
import schemathesis
from openapi_spec_validator import validate

from sdnapp.api.controller import Controller
from sdnapp.api.openapi.document import Document
from sdnapp.api.resource import column
from sdnapp.api.resources.networks import Networks
from sdnapp.api.schemas import NoSchemaError
from sdnapp.api.wsgi import make_app
from sdnapp.holds import Hold, Holds
from sdnapp.operations import Operations
from tests.sdnapp.api.clients import ROOT
from tests.sdnapp.api.stand_ins import Api, StandInServices
from tests.sdnapp.controlled_world import World
from topology.placement import Plugged
from topology.values import Network, Segment

CONFIG = Path(__file__).with_name("schemathesis.toml")

NEVER_WORK = {
    "POST /v2.0/quotas": "is not served",
    "DELETE /v2.0/agents/{agent_id}": "the agent is alive",
    "GET /sdnapp/trace": "no port is plugged",
    "PUT /v2.0/ports/{port_id}/bindings/{host}/activate": "the host is the active one",
    "GET /openapi.json": "schemathesis does not call it",
}


@pytest.fixture
def document(api: Api) -> dict[str, Any]:
    return dict(api.call("GET", "/openapi.json").body)


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": each
        for path, item in document["paths"].items()
        for method, each in item.items()
        if method != "parameters"
    }


def test_the_document_is_openapi(document: dict[str, Any]) -> None:
    validate(document)


def test_it_is_open_to_all(api: Api) -> None:
    assert api.call("GET", "/openapi.json", who={"X-Roles": ""}).status == 200


def test_every_operation_has_a_name_of_its_own_and_a_summary(document: dict[str, Any]) -> None:
    found = operations(document).values()
    assert len({each["operationId"] for each in found}) == len(found) > 80
    assert all(each["summary"] for each in found)


def test_what_a_client_may_send(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    subnet = schemas["SubnetCreate"]
    assert subnet["required"] == ["ip_version", "network_id"]
    assert subnet["properties"]["ip_version"] == {"type": "integer", "enum": [4, 6]}
    assert subnet["properties"]["enable_dhcp"] == {"type": "boolean", "default": True}
    assert "network_id" not in schemas["SubnetUpdate"]["properties"]
    assert schemas["RbacPolicyCreate"]["required"] == ["action", "object_id", "object_type", "target_tenant"]
    assert schemas["NetworkCreate"]["properties"]["shared"]["description"] == "For administrators"
    sort_key = next(
        each for each in document["paths"]["/v2.0/ports"]["get"]["parameters"] if each["name"] == "sort_key"
    )
    assert "mac_address" in sort_key["schema"]["items"]["enum"]


def test_what_is_shown_may_be_null_where_it_may(document: dict[str, Any]) -> None:
    subnet = document["components"]["schemas"]["Subnet"]["properties"]
    assert "null" not in subnet["cidr"]["type"]
    assert "null" in subnet["gateway_ip"]["type"]


class Undescribed(Networks):
    """Shows what nobody says the type of."""

    view: ClassVar = Networks.view | {"key": column("key")}


def test_an_attribute_without_a_schema_is_an_error() -> None:
    document = Document({"/v2.0/networks": {"GET": Controller(Undescribed()).index}})
    with pytest.raises(NoSchemaError, match="say in `schemas` what key is"):
        assert document.content


def test_a_handler_without_a_description_is_an_error() -> None:
    document = Document({"/v2.0/new": {"GET": partial(test_an_attribute_without_a_schema_is_an_error)}})
    with pytest.raises(NoSchemaError, match=r"/v2\.0/new: describe test_an_attribute"):
        assert document.content


def test_the_views_of_a_real_controller_are_as_described() -> None:
    world = World()
    world.report("a", "p1")
    world.report("b", "p2")
    for name in "ab":
        world.connect(name)
    world.confirm("a")
    database = {"chassis": "a", "address": "192.0.2.1:5000", "connected_since": 1.0, "problems": [], "bfd": {}}
    world.switches.drop("a" * 16, "port/p1", "spoofed_mac", 3)
    holds = Holds()
    holds.by_clock.note(Hold(time.monotonic(), 0.021, 0.004, "sdnapp.job"))
    operator = Operations(
        world.controller, world.punts, lambda: [], lambda: [database], world.switches.counts, holds=holds
    )
    services = StandInServices(operator=operator)
    schema = schemathesis.openapi.from_wsgi("/openapi.json", make_app(world.store, services))
    for path, names, query in (
        ("/sdnapp/status", {}, {}),
        ("/sdnapp/chassis", {}, {}),
        ("/sdnapp/chassis/{chassis_id}", {"chassis_id": "a"}, {}),
        ("/sdnapp/flows/{chassis_id}", {"chassis_id": "a"}, {}),
        ("/sdnapp/trace", {}, {"port": "p1", "to": "10.0.0.6"}),
        ("/sdnapp/trace", {}, {"port": "p1", "to": "10.0.0.77"}),
        ("/sdnapp/drops", {}, {}),
        ("/sdnapp/gateways", {}, {}),
        ("/sdnapp/restarts", {}, {}),
        ("/sdnapp/holds", {}, {}),
        ("/sdnapp/drops", {}, {"port": "p1", "chassis": "b"}),
        ("/realized", {}, {}),
    ):
        response = schema[path]["GET"].Case(path_parameters=names, query=query).call_and_validate()
        assert response.status_code in (200, 408), response.text
    world.change(Network, "n", segment=Segment("flat", None, "physnet1"))
    world.controller.observed(world.chassis("a", patch_ports=(("physnet1", 3),)), {"p1": Plugged(11, "tap1")})
    for to in ("10.0.0.5", "10.0.0.77"):
        query = {"from_outside": "n", "source": "10.0.0.99", "to": to, "answer": "true"}
        response = schema["/sdnapp/trace"]["GET"].Case(query=query).call_and_validate()
        assert response.status_code == 200, response.text


def test_the_server_does_what_the_document_says(
    url: str, document: dict[str, Any], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    answers = tmp_path / "answers"
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "SCHEMATHESIS_HOOKS": "tests.sdnapp.api.openapi_hooks",
        "OPENAPI_ANSWERS": str(answers),
    }
    examples = str(request.config.getoption("--openapi-examples"))
    command = [Path(sys.executable).with_name("schemathesis"), "--config-file", CONFIG, "run", f"{url}/openapi.json"]
    options = ["--generation-deterministic", "--no-color", "--phases", "coverage,fuzzing", "-n", examples]
    done = subprocess.run(
        [*command, *options], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=3600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    works = {
        label for status, _, label in (line.partition(" ") for line in answers.read_text().splitlines()) if status < "3"
    }
    assert operations(document).keys() - works == NEVER_WORK.keys(), "operations that were never seen to work"
