"""Where a port is, in the words of Neutron's ``binding:*`` attributes."""

from collections.abc import Iterable
from typing import Any, cast

from neutron_lib.api.definitions import portbindings

from sdnapp.api.resource import Context
from topology.facts import View, binding_in_force
from topology.values import Chassis, HostBinding, Port

_SERVED = frozenset({portbindings.VNIC_NORMAL})
"""The types of interface that are served: those that need no help of a network card."""


def _chassis(ctx: Context, port: Port) -> Chassis | None:
    """Return the chassis that the port is meant for or, where that names none, the one where it is plugged."""
    meant = chassis_named(ctx, port.requested_host) if port.vnic_type in _SERVED else None
    if meant is not None:
        return meant
    # Of a view, this fact asks for rows only.
    plugged = binding_in_force(cast(View, ctx.store), port.id)
    return ctx.store.get(Chassis, plugged.chassis_id) if plugged is not None else None


def chassis_named(ctx: Context, host: str) -> Chassis | None:
    """Return the chassis that a host name or a chassis id means, or None."""
    if not host:
        return None
    return ctx.store.get(Chassis, host) or next(iter(ctx.store.find(Chassis, "hostname", host)), None)


def chassis_for(ctx: Context, wanted: HostBinding) -> Chassis | None:
    """Return the chassis that can serve a binding, or None."""
    return chassis_named(ctx, wanted.host) if wanted.vnic_type in _SERVED else None


def elsewhere(bindings: Iterable[HostBinding], host: str) -> tuple[HostBinding, ...]:
    """Return those bindings that are to other hosts."""
    return tuple(each for each in bindings if each.host != host)


def host(ctx: Context, port: Port) -> str:
    """Return ``binding:host_id``: the host that was asked for, else the one where the port is plugged, else nothing."""
    if port.requested_host:
        return port.requested_host
    chassis = _chassis(ctx, port)
    return (chassis.hostname or chassis.id) if chassis is not None else ""


def vif_type(ctx: Context, port: Port) -> str:
    """Return ``binding:vif_type``: failed where no chassis has the name of the host, or serves what was asked for."""
    if _chassis(ctx, port) is not None:
        return str(portbindings.VIF_TYPE_OVS)
    return str(portbindings.VIF_TYPE_BINDING_FAILED if port.requested_host else portbindings.VIF_TYPE_UNBOUND)


def vif_details(ctx: Context, port: Port) -> dict[str, Any]:
    """Return ``binding:vif_details`` of where the port is."""
    return details(_chassis(ctx, port))


def details(chassis: Chassis | None) -> dict[str, Any]:
    """Return where to plug, and that the network itself filters; nothing without a chassis."""
    if chassis is None:
        return {}
    return {
        portbindings.CAP_PORT_FILTER: True,
        portbindings.VIF_DETAILS_CONNECTIVITY: portbindings.CONNECTIVITY_L2,
        portbindings.VIF_DETAILS_BRIDGE_NAME: chassis.bridge,
    }
