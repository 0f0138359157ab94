"""Lists that hang on a port: allowed address pairs and extra DHCP options."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import netaddr
from neutron_lib.api.converters import convert_to_sanitized_mac_address
from neutron_lib.exceptions import allowedaddresspairs

from sdnapp.api.errors import invalid_input
from sdnapp.dhcp.options import check_option
from topology.addressing import SERVICE_MAC
from topology.values import AddressPair, DhcpOption

_MAY_BE_BLANK = ("router", "classless-static-route")
_LONGEST_PROFILE = 4095


def address_pairs(given: Iterable[Mapping[str, Any]], mac: str) -> tuple[AddressPair, ...]:
    """Return pairs as the row keeps them; without a MAC address they get the port's.

    Raises DuplicateAddressPairInRequest, InvalidInput.
    """
    pairs: list[AddressPair] = []
    for each in given:
        pair = AddressPair(
            _canonical(each["ip_address"]), convert_to_sanitized_mac_address(each.get("mac_address", mac))
        )
        if pair.mac_address == SERVICE_MAC:
            raise invalid_input(f"allowed_address_pairs: MAC address {SERVICE_MAC} belongs to the network itself")
        if pair in pairs:
            raise allowedaddresspairs.DuplicateAddressPairInRequest(
                mac_address=pair.mac_address, ip_address=pair.ip_address
            )
        pairs.append(pair)
    return tuple(pairs)


def _canonical(text: str) -> str:
    return str(netaddr.IPNetwork(text).cidr) if "/" in text else str(netaddr.IPAddress(text))


def dhcp_options(present: Sequence[DhcpOption], given: Iterable[Mapping[str, Any]] | None) -> tuple[DhcpOption, ...]:
    """Return a port's options after a request: each sets one option, or with null takes it away.

    Raises InvalidInput for an option that no client could be sent.
    """
    options = {(option.name, option.ip_version): option for option in present}
    named: set[tuple[str, int]] = set()
    for each in given or ():
        name, value, version = each["opt_name"], each["opt_value"], each.get("ip_version", 4)
        if (name, version) in named:
            raise invalid_input(f"extra_dhcp_opts: option {name} is named twice for IPv{version}")
        named.add((name, version))
        if value is None:
            options.pop((name, version), None)
        elif value or name in _MAY_BE_BLANK:
            if version == 4:
                _check(name, value)
            options[name, version] = DhcpOption(name, value, version)
    return tuple(options.values())


def replacing_options(present: Iterable[Mapping[str, Any]], wanted: Iterable[Mapping[str, Any]]) -> list[Any]:
    """Return the request after which a port has the wanted options and no others."""
    kept = {(each["opt_name"], each.get("ip_version", 4)) for each in wanted}
    gone = [each for each in present if (each["opt_name"], each["ip_version"]) not in kept]
    return [*wanted, *({**each, "opt_value": None} for each in gone)]


def _check(name: str, value: str) -> None:
    try:
        check_option(name, value)
    except ValueError as error:
        raise invalid_input(f"extra_dhcp_opts: {error}") from None


def profile_text(profile: Mapping[str, Any] | None) -> str:
    """Return a binding profile as the row keeps it. Raises InvalidInput if it is too long."""
    text = json.dumps(profile or {}, sort_keys=True)
    if len(text) > _LONGEST_PROFILE:
        raise invalid_input("binding:profile value too large")
    return text
