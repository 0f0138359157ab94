"""Operations on the port forwardings of a floating IP."""

from typing import Any

from sdnapp.api.openapi.operations import IF_MATCH, WRITING, Operation, describe, query
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
_ANSWER = record({ONE: record(_SHOWN, _SHOWN)}, [ONE])


def list_forwardings(forwardings: PortForwardings) -> Operation:
    """Describe the list."""
    parameters = [
        query(name, list_of(STRING), f"Only where {name} is one of these") for name in forwardings.attributes.filters()
    ]
    parameters.append(query("fields", list_of(one_of(tuple(_SHOWN))), "Show these attributes and no others"))
    answer = record({MANY: list_of(record(_SHOWN))}, [MANY])
    summary = "List the port forwardings of a floating IP"
    return describe("list_port_forwardings", summary, "floatingips", answer, _READING, parameters=parameters)


def show_forwarding(_: PortForwardings) -> Operation:
    """Describe one being shown."""
    return describe("show_port_forwarding", "Show a port forwarding", "floatingips", _ANSWER, _READING)


def create_forwarding(forwardings: PortForwardings) -> Operation:
    """Describe one being made."""
    body = _body(forwardings, "allow_post", forwardings.attributes.required())
    return _change("create", "Forward ports of a floating IP", status=201, body=body)


def update_forwarding(forwardings: PortForwardings) -> Operation:
    """Describe one being changed."""
    return _change("update", "Change a port forwarding", body=_body(forwardings, "allow_put"))


def delete_forwarding(_: PortForwardings) -> Operation:
    """Describe one being taken away."""
    return _change("delete", "Delete a port forwarding", answer=None, status=204)


def _change(verb: str, summary: str, *, answer: Schema | None = _ANSWER, **more: Any) -> Operation:
    parameters = [IF_MATCH]
    return describe(f"{verb}_port_forwarding", summary, "floatingips", answer, _CHANGING, parameters=parameters, **more)


def _body(forwardings: PortForwardings, allowed: str, required: Any = ()) -> Schema:
    specs = forwardings.attributes.specs
    given = {name: of_request(of_spec(name, spec)) for name, spec in specs.items() if spec[allowed]}
    return record({ONE: record(given, required, additionalProperties=False)}, [ONE], additionalProperties=False)
