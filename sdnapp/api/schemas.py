"""What an attribute may hold, as a JSON schema (draft 2020-12), read off its specification: the validators' other half.

Schemas say the forms to use. The validators are kinder: as in Neutron, ``"4"`` is 4 and ``"yes"`` is true.
"""

from collections.abc import Callable
from typing import Any

from neutron_lib import constants
from neutron_lib.api import converters
from neutron_lib.api.definitions import provider_net

from sdnapp.api.attributes import LONGEST_LIST

Schema = dict[str, Any]

ANY_OBJECT: Schema = {"type": "object", "additionalProperties": True}
BOOLEAN: Schema = {"type": "boolean"}
INTEGER: Schema = {"type": "integer"}
COUNT: Schema = {"type": "integer", "minimum": 0}
STRING: Schema = {"type": "string"}
UUID: Schema = {"type": "string", "format": "uuid"}
TIME: Schema = {"type": "string", "format": "date-time"}

_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV6 = "[0-9a-fA-F:]*:[0-9a-fA-F:.]*"
ADDRESS: Schema = {"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]}
PREFIX: Schema = {
    "type": "string",
    "pattern": rf"^({_OCTET}(\.{_OCTET}){{3}}/([12]?[0-9]|3[0-2])|{_IPV6}/(1[01][0-9]|12[0-8]|[1-9]?[0-9]))$",
    "examples": ["192.0.2.0/24"],
}
MAC: Schema = {
    "type": "string",
    "pattern": "^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$",
    "examples": ["fa:16:3e:00:00:01"],
}


class NoSchemaError(Exception):
    """The document cannot be made: something in the API has no schema. Says what, and where to give it one."""


def nullable(schema: Schema) -> Schema:
    """Return a schema that also allows null."""
    if "type" not in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    if "enum" in schema:
        schema = schema | {"enum": [*schema["enum"], None]}
    return schema | {"type": [schema["type"], "null"]}


def list_of(items: Schema, **limits: Any) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": items} | limits


def one_of(values: Any) -> Schema:
    """Return the schema of a choice; null among the values makes it nullable."""
    some = [value for value in values if value is not None]
    kind = "integer" if all(isinstance(value, int) for value in some) else "string"
    schema = {"type": kind, "enum": some}
    return nullable(schema) if None in values else schema


def record(properties: dict[str, Schema], required: Any = (), **more: Any) -> Schema:
    """Return the schema of an object with these keys, of which some are required."""
    needed = sorted(required)
    return {"type": "object", "properties": properties} | ({"required": needed} if needed else {}) | more


def _text(longest: int | None, **more: Any) -> Schema:
    return STRING | more | ({"maxLength": longest} if longest else {})


def _range(limits: Any) -> Schema:
    return {"type": "integer", "minimum": limits[0], "maximum": limits[1]}


def _keys(specs: dict[str, dict[str, Any]]) -> Schema:
    """Return the schema of an object whose keys have specifications of their own."""
    properties = {}
    for key, spec in specs.items():
        rules = {name: argument for name, argument in spec.items() if name.startswith("type:")}
        properties[key] = of_spec(key, {"validate": rules, "convert_to": spec.get("convert_to")})
    required = [key for key, spec in specs.items() if spec.get("required")]
    return record(properties, required, additionalProperties=False)


def _items(*keys: str, optional: tuple[str, ...] = (), of: Schema = ADDRESS) -> Schema:
    return list_of(record(dict.fromkeys((*keys, *optional), of), keys, additionalProperties=False))


_FIXED_IP = record({"subnet_id": UUID, "ip_address": ADDRESS}, additionalProperties=False)
_ADDRESS_PAIR = record(
    {"ip_address": {"anyOf": [ADDRESS, PREFIX]}, "mac_address": MAC}, ["ip_address"], additionalProperties=False
)
_SEGMENT = record(
    {
        provider_net.NETWORK_TYPE: STRING,
        provider_net.PHYSICAL_NETWORK: nullable(STRING),
        provider_net.SEGMENTATION_ID: nullable(INTEGER),
    },
    [provider_net.NETWORK_TYPE],
    additionalProperties=False,
)

_OF_VALIDATOR: dict[str, Callable[[Any], Schema]] = {
    "type:string": _text,
    "type:name_string": _text,
    "type:not_empty_string": lambda longest: _text(longest, minLength=1, pattern=r"\S"),
    "type:not_empty_name_string": lambda longest: _text(longest, minLength=1, pattern=r"\S"),
    "type:oneline_not_empty_string": lambda longest: _text(longest, minLength=1, pattern=r"\S"),
    "type:list_of_unique_strings": lambda longest: list_of(_text(longest), uniqueItems=True),
    "type:boolean": lambda _: BOOLEAN,
    "type:uuid": lambda _: UUID,
    "type:subnetpool_id": lambda _: UUID,
    "type:values": one_of,
    "type:range": _range,
    "type:port_range": lambda _: _text(None, pattern=r"^[0-9]+(:[0-9]+)?$"),
    "type:non_negative": lambda _: COUNT,
    "type:mac_address": lambda _: MAC,
    "type:ip_address": lambda _: ADDRESS,
    "type:ip_pools": lambda _: _items("start", "end"),
    "type:fixed_ips": lambda _: list_of(_FIXED_IP),
    "type:nameservers": lambda _: list_of(ADDRESS, uniqueItems=True),
    "type:hostroutes": lambda _: list_of(
        record({"destination": PREFIX, "nexthop": ADDRESS}, ["destination", "nexthop"], additionalProperties=False)
    ),
    "type:subnet": lambda _: PREFIX,
    "type:subnet_list": lambda _: list_of(PREFIX, uniqueItems=True),
    "type:list_of_subnet_service_types": lambda _: list_of(_text(255)),
    "type:uuid_list": lambda _: list_of(UUID, uniqueItems=True),
    "type:availability_zone_hint_list": lambda _: list_of(_text(255), uniqueItems=True),
    "type:network_segments": lambda _: list_of(_SEGMENT),
    "type:allowed_address_pairs": lambda _: list_of(_ADDRESS_PAIR),
    "type:list_of_any_key_specs": lambda choices: list_of({"anyOf": [_keys(specs) for specs in choices]}),
    "type:dict": lambda specs: _keys(specs) if specs else ANY_OBJECT,
}
_OF_CONVERTER: dict[Any, Schema] = {
    converters.convert_to_boolean: BOOLEAN,
    converters.convert_to_boolean_if_not_none: nullable(BOOLEAN),
    converters.convert_to_int: INTEGER,
}


def of_spec(name: str, spec: dict[str, Any]) -> Schema:
    """Return the schema of an attribute by its validators or, without any, by its converter. Raises NoSchemaError."""
    rules = list((spec.get("validate") or {}).items())
    if rules:
        schema: Schema = {}
        for rule, argument in rules:
            schema = schema | _of_rule(name, rule, argument)
    else:
        try:
            schema = _OF_CONVERTER[spec.get("convert_to")]
        except KeyError:
            raise NoSchemaError(f"{name} has neither a validator nor a converter that says its type") from None
    if spec.get("convert_to") is converters.convert_none_to_empty_list:
        schema = nullable(schema)
    return schema


def of_request(schema: Schema) -> Schema:
    """Return the schema of an attribute as a client may send it: no list is longer than what is read."""
    return {"maxItems": LONGEST_LIST} | schema if "array" in schema.get("type", ()) else schema


def default_of(spec: dict[str, Any]) -> Schema:
    """Return the part of a schema that says the default, if there is one that is always the same."""
    default = spec.get("default")
    return {} if default is None or default is constants.ATTR_NOT_SPECIFIED else {"default": default}


def _of_rule(name: str, rule: str, argument: Any) -> Schema:
    base = rule.removesuffix("_or_none").removesuffix("_or_nodata")
    schema_of = _OF_VALIDATOR.get(base)
    if schema_of is None:
        raise NoSchemaError(f"{name}: the validator {rule} has no schema in sdnapp/api/schemas.py")
    schema = schema_of(argument)
    return schema if base == rule else nullable(schema)
