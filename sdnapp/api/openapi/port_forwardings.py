"""Operations on the port forwardings of a floating IP."""

from typing import Any

from sdnapp.api.openapi.operations import IF_MATCH, LINKS, WRITING, Operation, describe, of_pages, query
from sdnapp.api.port_forwardings import MANY, ONE, PortForwardings
from sdnapp.api.schemas import INTEGER, STRING, UUID, Schema, list_of, nullable, of_request, of_spec, one_of, record

_READING = (400, 404)
_CHANGING = (*WRITING, 412)
_SHOWN: dict[str, Schema] = {
    "id": UUID,
    "protocol": one_of(("tcp", "udp")),
    "description": STRING,
    "internal_port_id": UUID,
    "internal_ip_address": STRING,
    "internal_port": nullable(INTEGER),
    "internal_port_range": STRING,
    "external_port": nullable(INTEGER),
    "external_port_range": STRING,
}
_FIELDS = query("fields", list_of(one_of(tuple(_SHOWN))), "Show these attributes and no others")
_ANSWER = record({ONE: record(_SHOWN, _SHOWN)}, [ONE])


def list_forwardings(forwardings: PortForwardings) -> Operation:
    """Describe the list."""
    filters, sort_keys = forwardings.attributes.filters(), sorted(forwardings.attributes.sort_keys())
    parameters = [query(name, list_of(STRING), f"Only where {name} is one of these") for name in filters]
    parameters += [_FIELDS, *of_pages(sort_keys)]
    answer = record({MANY: list_of(record(_SHOWN)), f"{MANY}_links": LINKS}, [MANY])
    summary = "List the port forwardings of a floating IP"
    return describe("list_port_forwardings", summary, "floatingips", answer, _READING, parameters=parameters)


def show_forwarding(_: PortForwardings) -> Operation:
    """Describe one being shown."""
    answer = record({ONE: record(_SHOWN)}, [ONE])
    summary = "Show a port forwarding"
    return describe("show_port_forwarding", summary, "floatingips", answer, _READING, parameters=[_FIELDS])


def create_forwarding(forwardings: PortForwardings) -> Operation:
    """Describe one being made."""
    new = _given(forwardings, "allow_post", forwardings.attributes.required())
    one, several = record({ONE: new}, [ONE]), record({MANY: list_of(new, minItems=1)}, [MANY])
    all_shown = record({MANY: list_of(record(_SHOWN, _SHOWN))}, [MANY])
    return _change(
        "create",
        "Forward ports of a floating IP",
        answer={"oneOf": [_ANSWER, all_shown]},
        status=201,
        body={"oneOf": [each | {"additionalProperties": False} for each in (one, several)]},
        description="Several are created in one transaction: all or none.",
    )


def update_forwarding(forwardings: PortForwardings) -> Operation:
    """Describe one being changed."""
    body = record({ONE: _given(forwardings, "allow_put")}, [ONE], additionalProperties=False)
    return _change("update", "Change a port forwarding", body=body)


def delete_forwarding(_: PortForwardings) -> Operation:
    """Describe one being taken away."""
    return _change("delete", "Delete a port forwarding", answer=None, status=204)


def _change(verb: str, summary: str, *, answer: Schema | None = _ANSWER, **more: Any) -> Operation:
    parameters = [IF_MATCH]
    return describe(f"{verb}_port_forwarding", summary, "floatingips", answer, _CHANGING, parameters=parameters, **more)


def _given(forwardings: PortForwardings, allowed: str, required: Any = ()) -> Schema:
    specs = forwardings.attributes.specs
    given = {name: of_request(of_spec(name, spec)) for name, spec in specs.items() if spec[allowed]}
    return record(given, required, additionalProperties=False)
