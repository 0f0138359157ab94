"""Operations on the bindings of a port."""

from typing import Any

from neutron_lib.api.definitions import portbindings_extended as definition

from sdnapp.api.bindings import Bindings
from sdnapp.api.openapi.operations import IF_MATCH, WRITING, Operation, describe, query
from sdnapp.api.schemas import ANY_OBJECT, STRING, Schema, list_of, of_request, of_spec, one_of, record

_ONE, _MANY = definition.RESOURCE_NAME, definition.COLLECTION_NAME
_READING = (400, 404)
_CHANGING = (*WRITING, 412)
_SHOWN: dict[str, Schema] = {
    definition.HOST: STRING,
    definition.VIF_TYPE: STRING,
    definition.VNIC_TYPE: STRING,
    definition.STATUS: one_of(("ACTIVE", "INACTIVE")),
    definition.PROFILE: ANY_OBJECT,
    definition.VIF_DETAILS: ANY_OBJECT,
}
_ANSWER = record({_ONE: record(_SHOWN, _SHOWN)}, [_ONE])


def list_bindings(bindings: Bindings) -> Operation:
    """Describe the list."""
    parameters = [
        query(name, list_of(STRING), f"Only where {name} is one of these") for name in bindings.attributes.filters()
    ]
    parameters.append(query("fields", list_of(one_of(tuple(_SHOWN))), "Show these attributes and no others"))
    answer = record({_MANY: list_of(record(_SHOWN))}, [_MANY])
    summary = "List the bindings of a port, the active one first"
    return describe("list_port_bindings", summary, "ports", answer, _READING, parameters=parameters)


def show_binding(_: Bindings) -> Operation:
    """Describe one binding being shown."""
    return describe("show_port_binding", "Show the binding of a port on a host", "ports", _ANSWER, _READING)


def create_binding(bindings: Bindings) -> Operation:
    """Describe a binding being prepared."""
    required = bindings.attributes.required()
    return _change(
        "create", "Prepare a port for another host", status=201, body=_body(bindings, "allow_post", required)
    )


def update_binding(bindings: Bindings) -> Operation:
    """Describe a binding being changed."""
    return _change("update", "Change the binding of a port on a host", body=_body(bindings, "allow_put"))


def delete_binding(_: Bindings) -> Operation:
    """Describe a binding being taken away."""
    return _change("delete", "Take away the binding of a port on a host", answer=None, status=204)


def activate_binding(_: Bindings) -> Operation:
    """Describe a port going over to another host."""
    return _change("activate", "Let a port serve on another host")


def _change(verb: str, summary: str, *, answer: Schema | None = _ANSWER, **more: Any) -> Operation:
    return describe(f"{verb}_port_binding", summary, "ports", answer, _CHANGING, parameters=[IF_MATCH], **more)


def _body(bindings: Bindings, allowed: str, required: Any = ()) -> Schema:
    given = {name: of_request(of_spec(name, spec)) for name, spec in bindings.attributes.specs.items() if spec[allowed]}
    return record({_ONE: record(given, required, additionalProperties=False)}, [_ONE], additionalProperties=False)
