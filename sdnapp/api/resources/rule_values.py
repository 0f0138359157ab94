"""What a security group rule may say: conversions of its attributes, and which of them go together.

Checks, their order and their words are Neutron's.
"""

from collections.abc import Mapping
from typing import Any

import netaddr
from neutron_lib import constants, exceptions
from neutron_lib.db import constants as sizes

from sdnapp.api.attributes import Specs
from sdnapp.api.resources import security_errors as errors
from sdnapp.api.schemas import COUNT, STRING, Schema, nullable

_ICMP_OF_IPV6 = {
    constants.PROTO_NAME_ICMP: constants.PROTO_NAME_IPV6_ICMP,
    constants.PROTO_NAME_IPV6_ICMP_LEGACY: constants.PROTO_NAME_IPV6_ICMP,
    str(constants.PROTO_NUM_ICMP): str(constants.PROTO_NUM_IPV6_ICMP),
}
_WITH_PORTS = ("dccp", "sctp", "tcp", "udp", "udplite")
_ICMP = (constants.PROTO_NUM_ICMP, constants.PROTO_NUM_IPV6_ICMP)
_OF_IPV6_ONLY = frozenset(
    {
        constants.PROTO_NUM_IPV6_ENCAP,
        constants.PROTO_NUM_IPV6_FRAG,
        constants.PROTO_NUM_IPV6_ICMP,
        constants.PROTO_NUM_IPV6_NONXT,
        constants.PROTO_NUM_IPV6_OPTS,
        constants.PROTO_NUM_IPV6_ROUTE,
    }
)
_ALL_PORTS = (constants.PORT_RANGE_MIN, constants.PORT_RANGE_MAX)
_REMOTES = ("remote_ip_prefix", "remote_group_id", "remote_address_group_id")


def _number(value: object) -> int:
    """Return a number that may be text; -1 for what is none."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return -1
    try:
        return int(value)
    except ValueError:
        return -1


def _protocol(value: object) -> str | None:
    """Return a protocol's name, or its number as text; None for any."""
    if value is None or value == "any":
        return None
    if isinstance(value, str) and value.lower() in constants.IP_PROTOCOL_MAP:
        return value.lower()
    number = _number(value)
    if not 0 <= number <= 255:
        raise errors.SecurityGroupRuleInvalidProtocol(protocol=value, values=errors.PROTOCOLS)
    return str(number)


def _ethertype(value: object) -> str:
    for ethertype in errors.ETHERTYPES:
        if isinstance(value, str) and value.lower() == ethertype.lower():
            return str(ethertype)
    raise errors.SecurityGroupRuleInvalidEtherType(ethertype=value, values=errors.ETHERTYPES)


def _port(value: object) -> int | None:
    if value is None:
        return None
    number = _number(value)
    if not 0 <= number <= constants.PORT_RANGE_MAX:
        raise errors.SecurityGroupInvalidPortValue(port=value)
    return number


def _prefix(value: Any) -> str | None:
    if not value:
        return None
    try:
        return str(netaddr.IPNetwork(value))
    except (ValueError, TypeError, netaddr.AddrFormatError):
        raise exceptions.InvalidCIDR(input=value) from None


def _id_or_none(value: object) -> object:
    return value or None


_READ_ONLY = {"allow_post": False, "allow_put": False, "is_visible": True, "is_filter": True, "is_sort_key": True}
_AT_CREATION = _READ_ONLY | {"allow_post": True}
_REMOTE_ID = _AT_CREATION | {
    "default": None,
    "convert_to": _id_or_none,
    "validate": {"type:string_or_none": sizes.UUID_FIELD_SIZE},
}

RULE_ATTRIBUTES: Specs = {
    "id": _READ_ONLY | {"validate": {"type:uuid": None}, "primary_key": True},
    "direction": _AT_CREATION | {"validate": {"type:values": ["ingress", "egress"]}},
    "ethertype": _AT_CREATION
    | {"default": constants.IPv4, "convert_to": _ethertype, "validate": {"type:values": errors.ETHERTYPES}},
    "protocol": _AT_CREATION | {"default": None, "convert_to": _protocol},
    "port_range_min": _AT_CREATION | {"default": None, "convert_to": _port},
    "port_range_max": _AT_CREATION | {"default": None, "convert_to": _port},
    "remote_ip_prefix": _AT_CREATION | {"default": None, "convert_to": _prefix},
    "remote_group_id": _REMOTE_ID,
    "remote_address_group_id": _REMOTE_ID,
}
"""What rules and the templates of rules have in common."""
RULE_SCHEMAS: dict[str, Schema] = {
    "protocol": nullable(STRING | {"pattern": f"^({'|'.join(sorted(constants.IP_PROTOCOL_MAP))}|[0-9]{{1,3}})$"}),
    "port_range_min": nullable(COUNT | {"maximum": constants.PORT_RANGE_MAX}),
    "port_range_max": nullable(COUNT | {"maximum": constants.PORT_RANGE_MAX}),
    "remote_ip_prefix": nullable(STRING),
}
"""What the specifications above do not say."""


def normal(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a rule says, as far as it does, in the form that it is kept in."""
    found = dict(values)
    if values.get("ethertype") == constants.IPv6 and "protocol" in values:
        found["protocol"] = _ICMP_OF_IPV6.get(values["protocol"], values["protocol"])
    if (values.get("port_range_min"), values.get("port_range_max")) == _ALL_PORTS:
        found |= {"port_range_min": None, "port_range_max": None}
    return found


def checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a rule that say what it permits. Raises InvalidInput's kin for what cannot go together."""
    values = {**values, **normal(values)}
    protocol, ethertype = values["protocol"], values["ethertype"]
    number = None if protocol is None else int(constants.IP_PROTOCOL_MAP.get(protocol, protocol))
    low, high = values["port_range_min"], values["port_range_max"]
    _check_ports(number, low, high)
    written = values["remote_ip_prefix"]
    prefix = netaddr.IPNetwork(written) if written else None
    if prefix is not None and ethertype != f"IPv{prefix.version}":
        raise errors.SecurityGroupRuleParameterConflict(ethertype=ethertype, cidr=written)
    if ethertype == constants.IPv4 and number in _OF_IPV6_ONLY:
        raise errors.SecurityGroupEthertypeConflictWithProtocol(ethertype=ethertype, protocol=protocol)
    if sum(values[name] is not None for name in _REMOTES) > 1:
        raise errors.SecurityGroupMultipleRemoteEntites()
    return {
        "direction": values["direction"],
        "ethertype": ethertype,
        "protocol": number,
        "protocol_name": protocol,
        "port_range_min": low,
        "port_range_max": high,
        "remote_ip_prefix": str(prefix.cidr) if prefix is not None else None,
        "written_prefix": written,
        "remote_group_id": values["remote_group_id"],
        "remote_address_group_id": values["remote_address_group_id"],
        "description": values["description"],
    }


def _check_ports(protocol: int | None, low: int | None, high: int | None) -> None:
    if low is None and high is None:
        return
    if protocol is None:
        raise errors.SecurityGroupProtocolRequiredWithPorts()
    if protocol in _ICMP:
        for name, field, value in (("port_range_min", "type", low), ("port_range_max", "code", high)):
            if value is not None and not 0 <= value <= 255:
                raise errors.SecurityGroupInvalidIcmpValue(field=field, attr=name, value=value)
        if low is None:
            raise errors.SecurityGroupMissingIcmpType(value=high)
    elif protocol in (constants.IP_PROTOCOL_MAP[name] for name in _WITH_PORTS):
        if 0 in (low, high):
            raise errors.SecurityGroupInvalidPortValue(port=0)
        if low is None or high is None or low > high:
            raise errors.SecurityGroupInvalidPortRange()
    else:
        names = ", ".join(name.upper() for name in _WITH_PORTS)
        raise errors.SecurityGroupInvalidProtocolForPort(protocol=protocol, valid_port_protocols=names)
