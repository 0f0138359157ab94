"""How a network travels: provider attributes to a segment, its number taken or given, and the MTU that follows."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from neutron_lib import exceptions
from neutron_lib.api.definitions import multiprovidernet, provider_net
from neutron_lib.exceptions import multiprovidernet as errors

from sdnapp.api.attributes import is_set
from sdnapp.api.errors import invalid_input
from sdnapp.api.services import MAX_VNI, Settings
from topology.allocation import ExhaustedError, TakenError, claim, claim_in_turn, release
from topology.packet_size import ENVELOPE
from topology.store import Transaction
from topology.values import Network, Segment

MAX_VLAN = 4094
# Outer IPv4, UDP and encapsulation headers, and the inner Ethernet header, in octets.
_OVERHEAD = {"geneve": ENVELOPE, "vxlan": ENVELOPE, "vlan": 0, "flat": 0}


def max_mtu(settings: Settings, segment: Segment) -> int:
    """Return the largest packet that the network carries, in octets."""
    return settings.underlay_mtu - _OVERHEAD[segment.network_type]


def wanted(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the provider attributes among the values, be it that they are given as a list of one segment.

    Raises SegmentsSetInConjunctionWithProviders, SegmentsContainDuplicateEntry, and InvalidInput for several segments:
    a network travels in one way.
    """
    given = {name: values[name] for name in provider_net.ATTRIBUTES if is_set(values.get(name))}
    listed = values.get(multiprovidernet.SEGMENTS)
    if not is_set(listed) or not listed:
        return given
    if given:
        raise errors.SegmentsSetInConjunctionWithProviders()
    if any(not is_set(segment.get(provider_net.NETWORK_TYPE)) for segment in listed):
        raise invalid_input("network_type required")
    multiprovidernet.check_duplicate_segments(listed, lambda each: not is_set(each.get(provider_net.SEGMENTATION_ID)))
    if len(listed) > 1:
        raise invalid_input("segments: a network has one segment here; create one network for each")
    return {name: value for name, value in listed[0].items() if is_set(value)}


def take(
    tx: Transaction, settings: Settings, network_id: str, values: Mapping[str, Any], *, is_external: bool
) -> Segment:
    """Take the segment that the provider attributes ask for, or one of the default type for external or other networks.

    Raises InvalidInput, TunnelIdInUse, VlanIdInUse, FlatNetworkInUse, NoNetworkAvailable.
    """
    network_type, physical_network, segmentation_id = (
        values[name] if is_set(values.get(name)) else None for name in provider_net.ATTRIBUTES
    )
    if network_type is None:
        if physical_network is not None or segmentation_id is not None:
            raise invalid_input("network_type required")
        network_type = settings.external_network_type if is_external else settings.default_network_type
    wanted = Segment(network_type, segmentation_id, physical_network or None)
    match network_type:
        case "geneve" | "vxlan":
            return _take_overlay(tx, settings, network_id, wanted)
        case "vlan":
            return _take_vlan(tx, settings, network_id, wanted)
        case "flat":
            return _take_flat(tx, network_id, wanted)
    raise invalid_input(f"network_type value '{network_type}' not supported")


def _take_transit(tx: Transaction, settings: Settings, network_id: str) -> Segment:
    """Take the overlay segment by which chassis exchange a physical network's frames. Raises NoNetworkAvailable."""
    network_type = settings.default_network_type if settings.default_network_type in ("geneve", "vxlan") else "geneve"
    return _take_overlay(tx, settings, network_id, Segment(network_type))


def ensure_transit(tx: Transaction, settings: Settings, network: Network) -> None:
    """Give a physical network the number under which its frames travel between chassis. Raises NoNetworkAvailable."""
    if network.transit is None and not network.segment.is_overlay:
        tx.put(replace(network, transit=_take_transit(tx, settings, network.id)))


def retag(tx: Transaction, network_id: str, segment: Segment, vlan_id: int) -> Segment:
    """Give a VLAN network another VLAN id. Raises InvalidInput, VlanIdInUse."""
    if segment.network_type != "vlan" or segment.physical_network is None:
        raise invalid_input("Only VLAN type networks can be updated.")
    _check_range(vlan_id, MAX_VLAN)
    changed = _claim_vlan(tx, network_id, segment.physical_network, vlan_id)
    release(tx, _scope("vlan", segment.physical_network), segment.segmentation_id or 0)
    return changed


def _scope(network_type: str, physical_network: str | None) -> str:
    return f"{network_type}:{physical_network or ''}"


def _check_range(segmentation_id: int, last: int) -> None:
    if not 1 <= segmentation_id <= last:
        raise invalid_input(f"segmentation_id out of range (1 through {last})")


def _take_overlay(tx: Transaction, settings: Settings, network_id: str, wanted: Segment) -> Segment:
    if wanted.physical_network:
        raise invalid_input(f"provider:physical_network specified for {wanted.network_type} network")
    scope, vni = _scope(wanted.network_type, None), wanted.segmentation_id
    if vni is None:
        vni = _next(tx, scope, settings.vni_ranges, network_id)
        if vni is None:
            raise exceptions.NoNetworkAvailable()
    else:
        _check_range(vni, MAX_VNI)
        try:
            claim(tx, scope, vni, network_id)
        except TakenError:
            raise exceptions.TunnelIdInUse(tunnel_id=vni) from None
    return Segment(wanted.network_type, vni)


def _take_vlan(tx: Transaction, settings: Settings, network_id: str, wanted: Segment) -> Segment:
    physical_network, vlan_id = wanted.physical_network, wanted.segmentation_id
    if vlan_id is not None:
        if not physical_network:
            raise invalid_input("segmentation_id requires physical_network for VLAN provider network")
        _check_range(vlan_id, MAX_VLAN)
        return _claim_vlan(tx, network_id, physical_network, vlan_id)
    if physical_network and physical_network not in settings.vlan_ranges:
        raise invalid_input(
            f"physical_network '{physical_network}' has no VLAN ids to give out: name a provider:segmentation_id"
        )
    for name in [physical_network] if physical_network else settings.vlan_ranges:
        found = _next(tx, _scope("vlan", name), settings.vlan_ranges[name], network_id)
        if found is not None:
            return Segment("vlan", found, name)
    raise exceptions.NoNetworkAvailable()


def _claim_vlan(tx: Transaction, network_id: str, physical_network: str, vlan_id: int) -> Segment:
    try:
        claim(tx, _scope("vlan", physical_network), vlan_id, network_id)
    except TakenError:
        raise exceptions.VlanIdInUse(vlan_id=vlan_id, physical_network=physical_network) from None
    return Segment("vlan", vlan_id, physical_network)


def _take_flat(tx: Transaction, network_id: str, wanted: Segment) -> Segment:
    if not wanted.physical_network:
        raise invalid_input("physical_network required for flat provider network")
    if wanted.segmentation_id:
        raise invalid_input("segmentation_id prohibited for flat provider network")
    try:
        claim(tx, _scope("flat", wanted.physical_network), 0, network_id)
    except TakenError:
        raise exceptions.FlatNetworkInUse(physical_network=wanted.physical_network) from None
    return Segment("flat", None, wanted.physical_network)


def _next(tx: Transaction, scope: str, ranges: Iterable[tuple[int, int]], owner: str) -> int | None:
    try:
        return claim_in_turn(tx, scope, ranges, owner)
    except ExhaustedError:
        return None
