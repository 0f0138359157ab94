"""Operations that belong to no resource: discovery, quotas, lists that never change, the operator's views."""

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from sdnapp.api.openapi import operator_views as views
from sdnapp.api.openapi.operations import READING, WRITING, Operation, describe, query
from sdnapp.api.quotas import Quotas
from sdnapp.api.schemas import (
    ANY_OBJECT,
    BOOLEAN,
    COUNT,
    INTEGER,
    STRING,
    Schema,
    list_of,
    nullable,
    of_spec,
    one_of,
    record,
)

_LINKS = list_of(record({"rel": STRING, "href": STRING}, ("rel", "href")))
_EXTENSION_KEYS = dict.fromkeys(("alias", "name", "description", "updated"), STRING) | {"links": list_of(ANY_OBJECT)}
_EXTENSION = record(_EXTENSION_KEYS, _EXTENSION_KEYS)

_INTENT = record({"project": STRING, "quotas": {"type": "object", "additionalProperties": INTEGER}})
"""Beside these, objects by the names of their collections, written with names in place of ids."""

_CHANGED = {
    "action": one_of(("create", "update", "delete")),
    "resource": STRING,
    "id": nullable(STRING),
    "name": STRING,
    "attributes": ANY_OBJECT,
}
_CHANGE = record(_CHANGED, _CHANGED)


def versions() -> Operation:
    """Describe ``GET /``."""
    version = record({"id": STRING, "status": STRING, "links": _LINKS}, ("id", "status", "links"))
    answer = record({"versions": list_of(version)}, ["versions"])
    return describe("list_versions", "List the versions of the API", "discovery", answer)


def resources(*_: Any) -> Operation:
    """Describe ``GET /v2.0``."""
    resource = record({"name": STRING, "collection": STRING, "links": _LINKS}, ("name", "collection", "links"))
    answer = record({"resources": list_of(resource)}, ["resources"])
    return describe("list_resources", "List the kinds of objects", "discovery", answer)


def extensions() -> Operation:
    """Describe ``GET /v2.0/extensions``."""
    answer = record({"extensions": list_of(_EXTENSION)}, ["extensions"])
    return describe("list_extensions", "List what the API can do", "discovery", answer)


def extension() -> Operation:
    """Describe ``GET /v2.0/extensions/{alias}``."""
    answer = record({"extension": _EXTENSION}, ["extension"])
    return describe("show_extension", "Show one thing that the API can do", "discovery", answer, [404])


def document(*_: Any) -> Operation:
    """Describe ``GET /openapi.json``."""
    return describe("show_openapi", "Show this document", "discovery", ANY_OBJECT)


def fixed_list(definition: ModuleType, _: Sequence[Any]) -> Operation:
    """Describe a list that is the same for all."""
    name = definition.COLLECTION_NAME
    specs = definition.RESOURCE_ATTRIBUTE_MAP[name]
    shown = record({each: STRING for each, spec in specs.items() if spec["is_visible"]})
    parameters = [
        query(each, list_of(STRING), f"Only where {each} is one of these")
        for each, spec in specs.items()
        if spec.get("is_filter")
    ]
    parameters.append(query("fields", list_of(one_of(tuple(specs))), "Show these attributes and no others"))
    answer = record({name: list_of(shown)}, [name])
    return describe(f"list_{name}", f"List {name.replace('_', ' ')}", name, answer, [400], parameters=parameters)


def list_quotas(quotas: Quotas) -> Operation:
    """Describe the list of the projects that have limits of their own."""
    own = _limits(quotas, INTEGER, project_id=STRING, tenant_id=STRING)
    answer = record({"quotas": list_of(own)}, ["quotas"])
    return describe("list_quotas", "List the limits of projects that have their own", "quotas", answer, (400, 403))


def refuse_quota(_: Quotas) -> Operation:
    """Describe what is not done."""
    summary = "Not served: projects have quotas from the beginning"
    operation = describe("create_quota", summary, "quotas", None, [501])
    del operation["responses"]["200"]
    return operation


def show_quota(quotas: Quotas) -> Operation:
    """Describe a project's limits."""
    answer = record({"quota": _limits(quotas, INTEGER)}, ["quota"])
    return describe("show_quota", "Show how many objects a project may have", "quotas", answer, READING)


def default_quota(quotas: Quotas) -> Operation:
    """Describe the limits without any of one's own."""
    answer = record({"quota": _limits(quotas, INTEGER)}, ["quota"])
    return describe("show_default_quota", "Show how many objects any project may have", "quotas", answer, READING)


def quota_details(quotas: Quotas) -> Operation:
    """Describe a project's limits beside what it has."""
    numbers = {"limit": INTEGER, "used": COUNT, "reserved": COUNT}
    answer = record({"quota": _limits(quotas, record(numbers, numbers))}, ["quota"])
    return describe("show_quota_details", "Show how many objects a project may have and has", "quotas", answer, READING)


def update_quota(quotas: Quotas) -> Operation:
    """Describe limits being set."""
    given = {name: of_spec(name, quotas.attributes.specs[name]) for name in quotas.resources}
    body = record(given | {"force": BOOLEAN, "check_limit": BOOLEAN}, additionalProperties=False)
    return describe(
        "update_quota",
        "Set how many objects a project may have",
        "quotas",
        record({"quota": _limits(quotas, INTEGER)}, ["quota"]),
        WRITING,
        body=record({"quota": body}, ["quota"], additionalProperties=False),
        description="-1 is no limit. With `force` a limit may be below what the project has.",
    )


def delete_quota(_: Quotas) -> Operation:
    """Describe limits being given up."""
    return describe("delete_quota", "Give a project the default limits again", "quotas", None, WRITING, status=204)


def own_project(key: str) -> Operation:
    """Describe the caller's project."""
    answer = record({key: record({f"{key}_id": STRING}, [f"{key}_id"])}, [key])
    return describe(f"show_own_{key}", "Show which project the caller is in", "quotas", answer, [400])


def export(*_: Any) -> Operation:
    """Describe ``GET /sdnapp/export``."""
    parameters = [query("project", STRING, "Whose; without it, the caller's")]
    summary = "Show what a project wants, as one document"
    return describe("export_project", summary, "intent", _INTENT, READING, parameters=parameters)


def apply(*_: Any) -> Operation:
    """Describe ``POST /sdnapp/apply``."""
    answered = {"project": STRING, "dry_run": BOOLEAN, "revision": COUNT, "changes": list_of(_CHANGE)}
    return describe(
        "apply_project",
        "Make a project as a document says",
        "intent",
        record(answered, answered),
        WRITING,
        body=_INTENT,
        parameters=[
            query("dry_run", BOOLEAN, "Only tell what would change"),
            query("keep", BOOLEAN, "Delete nothing that the document does not have"),
        ],
    )


def health() -> Operation:
    """Describe ``GET /healthz``."""
    return describe("show_health", "Tell that this process answers", "operator", views.HEALTH)


def metrics() -> Operation:
    """Describe ``GET /metrics``."""
    operation = describe("show_metrics", "Show metrics in Prometheus's text format", "operator", STRING, [403])
    operation["responses"]["200"]["content"] = {"text/plain": {"schema": STRING}}
    return operation


def realized() -> Operation:
    """Describe ``GET /realized``."""
    parameters = [
        query("wait", {"type": "number", "minimum": 0, "maximum": 3600}, "Seconds to wait"),
        query("revision", COUNT | {"maximum": 10**18 - 1}, "The store's revision to wait for; without it, the present"),
    ]
    summary = "Wait until every live switch holds what it should"
    operation = describe("wait_realized", summary, "operator", views.REALIZED, (400, 403), parameters=parameters)
    operation["responses"]["408"] = operation["responses"]["200"] | {"description": "Not yet"}
    return operation


def _view(
    name: str, summary: str, answer: Schema, *, errors: Sequence[int] = (403,), **query_: str
) -> Callable[[], Operation]:
    parameters = [query(key, STRING, text) for key, text in query_.items()]
    return lambda: describe(f"show_{name}", summary, "operator", answer, errors, parameters=parameters)


status = _view("status", "Show chassis, networks, and what is not realised and why", views.STATUS)
chassis_list = _view("all_chassis", "Show every chassis", record({"chassis": list_of(views.CHASSIS)}, ["chassis"]))
chassis = _view("chassis", "Show a chassis", record({"chassis": views.CHASSIS}, ["chassis"]), errors=(403, 404))
flows = _view(
    "flows",
    "Show the flows that a chassis should hold",
    views.FLOWS,
    errors=(403, 404),
    owner="Only those of this owner, such as port/ID",
    table="Only those of the table of this name",
)


drops = _view(
    "drops",
    "Count dropped packets by port and reason",
    views.DROPS,
    errors=(403, 404),
    port="Only those of the port with this id, or alone with this name",
    chassis="Only those on the chassis with this id or host name",
)


gateways = _view("gateways", "Show which chassis serve the gateways of routers", views.GATEWAYS)
restarts = _view("restarts", "Show what it took to bring chassis in sync", views.RESTARTS)
holds = _view("holds", "Show for how long single jobs held the event loop in the last minute", views.HOLDS)


def trace() -> Operation:
    """Describe ``GET /sdnapp/trace``."""
    operation = _view(
        "trace",
        "Show the road of a packet from a port, or from outside, to an address",
        views.TRACE,
        errors=(400, 403),
        port="The id of the port that sends, or its name if no other has it",
        from_outside="In place of a port: the id of the physical network where a host sends, or its name likewise",
        source="The IPv4 address of that host, if it is not the network's upstream router",
        via="The IPv4 address on that network by which it goes to another one, where that is not clear",
        to="An IPv4 address",
        protocol="icmp (without it), tcp or udp",
        to_port="The port that TCP or UDP is sent to",
    )()
    for parameter in operation["parameters"]:
        parameter["required"] = parameter["name"] == "to"
    operation["parameters"].append(query("answer", BOOLEAN, "Follow also what is answered"))
    return operation


def _limits(quotas: Quotas, limit: Schema, **more: Schema) -> Schema:
    properties = dict.fromkeys(quotas.resources, limit) | more
    return record(properties, properties)
