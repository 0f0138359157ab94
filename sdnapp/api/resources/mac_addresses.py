"""MAC addresses of ports: taken, changed, drawn anew; and, of a port that is a physical device, the device's own.

A port of type ``direct-physical`` has the MAC address that its binding profile names as ``device_mac_address``, for as
long as it is bound to a host (port-mac-override).
"""

import json
from collections.abc import Mapping
from typing import Any

from neutron_lib import constants, exceptions
from neutron_lib.api import converters, validators
from neutron_lib.api.definitions import portbindings

from sdnapp.api.errors import invalid_input
from sdnapp.api.resource import Context
from sdnapp.api.resources import binding
from topology.addressing import SERVICE_MAC
from topology.allocation import TakenError, allocate_mac, claim_mac, release_mac
from topology.store import Transaction
from topology.values import Port

_DEVICE_MAC = "device_mac_address"


def take(ctx: Context, tx: Transaction, network_id: str, port_id: str, wanted: str | None) -> str:
    """Take a MAC address: the wanted one, or any. Raises MacAddressInUse, InvalidInput."""
    if wanted is None:
        base = ctx.services.settings.base_mac
        mac = allocate_mac(tx, network_id, port_id, base)
        # The network's own address stays claimed until the port goes; the next search passes it by.
        return mac if mac != SERVICE_MAC else allocate_mac(tx, network_id, port_id, base)
    if int(wanted[:2], 16) & 1:
        raise invalid_input(f"mac_address '{wanted}' is a multicast address: give one whose first octet is even")
    try:
        if wanted == SERVICE_MAC:
            raise TakenError(network_id, 0, "the network itself")
        claim_mac(tx, network_id, wanted, port_id)
    except TakenError:
        raise exceptions.MacAddressInUse(net_id=network_id, mac=wanted) from None
    return wanted


def change(ctx: Context, tx: Transaction, port: Port, values: Mapping[str, Any]) -> str:
    """Take the MAC address that a request wants for a port instead.

    Raises PortBound, UnsupportedPortDeviceOwner, MacAddressInUse, InvalidInput.
    """
    vif_type, wanted = binding.vif_type(ctx, port), values["mac_address"]
    if vif_type not in portbindings.VIF_UNPLUGGED_TYPES:
        raise exceptions.PortBound(port_id=port.id, vif_type=vif_type, old_mac=port.mac_address, new_mac=wanted)
    device_owner = values.get("device_owner", port.device_owner)
    if device_owner.startswith(constants.DEVICE_OWNER_NETWORK_PREFIX):
        raise exceptions.UnsupportedPortDeviceOwner(op="mac address update", device_owner=device_owner, port_id=port.id)
    return exchange(ctx, tx, port, wanted)


def exchange(ctx: Context, tx: Transaction, port: Port, wanted: str | None) -> str:
    """Take a MAC address, any for None, in place of the port's own. Raises MacAddressInUse, InvalidInput."""
    if wanted == port.mac_address:
        return wanted
    mac = take(ctx, tx, port.network_id, port.id, wanted)
    release_mac(tx, port.network_id, port.mac_address)
    return mac


def of_device(port: Port) -> str | None:
    """Return the MAC address of the physical device that a port is bound to, or None. Raises InvalidInput."""
    if port.vnic_type != portbindings.VNIC_DIRECT_PHYSICAL or not port.requested_host:
        return None
    mac = json.loads(port.binding_profile).get(_DEVICE_MAC)
    if not mac:
        return None
    if validators.validate_mac_address(mac):
        raise invalid_input(f"binding:profile: {_DEVICE_MAC} '{mac}' is not a valid MAC address")
    return str(converters.convert_to_sanitized_mac_address(mac))


def follow_device(ctx: Context, tx: Transaction, before: Port, changed: Port) -> str:
    """Return the MAC address of a port whose binding may have changed: its device's, or its own.

    What the port leaves gets its address back: the port draws another. Raises MacAddressInUse, InvalidInput.
    """
    device = of_device(changed)
    if device is not None:
        return exchange(ctx, tx, changed, device)
    is_released = (
        changed.vnic_type == portbindings.VNIC_DIRECT_PHYSICAL
        and before.device_id
        and not changed.device_id
        and not changed.device_owner
    )
    if is_released or of_device(before) == changed.mac_address:
        return exchange(ctx, tx, changed, None)
    return changed.mac_address
