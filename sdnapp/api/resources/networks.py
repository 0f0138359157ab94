"""Networks: provider attributes, MTU, sharing, and what goes with them when they are deleted."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar
from uuid import uuid4

from neutron_lib import constants, exceptions
from neutron_lib.api.definitions import (
    address_scope,
    availability_zone,
    external_net,
    multiprovidernet,
    network_availability_zone,
    network_mtu,
    network_mtu_writable,
    port_security,
    provider_net,
)
from neutron_lib.api.definitions import network as network_definition
from neutron_lib.exceptions import external_net as external_errors

from sdnapp.api import policy, sharing, tags
from sdnapp.api.attributes import STANDARD_ATTRIBUTES, AttributeMap, is_set
from sdnapp.api.errors import invalid_input
from sdnapp.api.intent.declaration import InFile
from sdnapp.api.policy import Target
from sdnapp.api.resource import (
    STANDARD_SCHEMAS,
    STANDARD_VIEW,
    Context,
    Resource,
    column,
    constant,
    is_shared,
    networks_of,
)
from sdnapp.api.resources import default_group, floatingips, rbac, segments
from sdnapp.api.resources.address_scopes import scope_of_network
from sdnapp.api.resources.release import AUTO_DELETED, release_claims
from sdnapp.api.resources.subnet_prefixes import give_back
from sdnapp.api.schemas import INTEGER, STRING, UUID, list_of, nullable, one_of
from sdnapp.api.zones import ZONE, check_hints
from topology.allocation import NETWORK_KEY_BITS, next_number
from topology.store import Transaction
from topology.values import Network, Port, Subnet

_TYPE, _PHYSICAL, _NUMBER = provider_net.ATTRIBUTES
_EXTERNAL, _SEGMENTS, _HINTS = external_net.EXTERNAL, multiprovidernet.SEGMENTS, availability_zone.AZ_HINTS
_NOT_TO_UPDATE = f"Plugin does not support updating the following provider network attributes: {_PHYSICAL}, {_TYPE}"
_MEMBERS = policy.any_of(policy.admin, policy.project_member)


class Networks(Resource[Network]):
    """Layer-2 networks."""

    name = "network"
    collection = "networks"
    row = Network
    has_quota = True
    takes_others_along = True
    attributes = AttributeMap(
        "networks",
        (
            network_definition,
            address_scope,
            external_net,
            multiprovidernet,
            network_availability_zone,
            network_mtu,
            network_mtu_writable,
            port_security,
            provider_net,
        ),
        STANDARD_ATTRIBUTES | tags.TAG_ATTRIBUTES,
    )
    view = STANDARD_VIEW | {
        "tags": tags.show,
        address_scope.IPV4_ADDRESS_SCOPE: lambda ctx, network: scope_of_network(ctx, network.id),
        address_scope.IPV6_ADDRESS_SCOPE: constant(None),
        "admin_state_up": column("admin_state_up"),
        "mtu": column("mtu"),
        "status": constant("ACTIVE"),
        "subnets": lambda ctx, network: list(ctx.store.find_ids(Subnet, "network", network.id)),
        "shared": is_shared,
        "port_security_enabled": column("port_security_enabled"),
        _EXTERNAL: column("external"),
        _HINTS: lambda ctx, network: list(network.availability_zone_hints),
        availability_zone.COLLECTION_NAME: constant([ZONE]),
        _TYPE: lambda ctx, network: network.segment.network_type,
        _PHYSICAL: lambda ctx, network: network.segment.physical_network,
        _NUMBER: lambda ctx, network: network.segment.segmentation_id,
    }
    indexes: ClassVar = Resource.indexes | {_EXTERNAL: "external"}
    in_file = InFile(
        chosen=frozenset(provider_net.ATTRIBUTES),
        defaults={
            "mtu": lambda ctx, network, values: segments.max_mtu(ctx.services.settings, network.segment),
            # Which number an overlay has is nobody's business but the switches'.
            _TYPE: lambda ctx, network, values: (
                ctx.services.settings.default_network_type if network.segment.is_overlay else None
            ),
            _NUMBER: lambda ctx, network, values: (
                network.segment.segmentation_id if network.segment.is_overlay else None
            ),
        },
        shown={
            "shared": column("shared"),
            # What is external to some only is in their RBAC policies.
            _EXTERNAL: lambda ctx, network: (
                sharing.EVERYBODY in sharing.targets(ctx.store, network.id, sharing.ACCESS_EXTERNAL)
            ),
        },
    )
    schemas: ClassVar = STANDARD_SCHEMAS | {
        "subnets": list_of(UUID),
        "status": one_of(("ACTIVE",)),
        availability_zone.COLLECTION_NAME: list_of(STRING),
        address_scope.IPV4_ADDRESS_SCOPE: nullable(UUID),
        address_scope.IPV6_ADDRESS_SCOPE: nullable(UUID),
        _PHYSICAL: nullable(STRING),
        _NUMBER: nullable(INTEGER),
    }
    rules: ClassVar = {
        "get_network": policy.any_of(
            policy.admin, policy.service, policy.project_reader, policy.shared_reader, policy.external_network
        ),
        "create_network": _MEMBERS,
        "create_network:shared": policy.admin,
        f"create_network:{_EXTERNAL}": policy.admin,
        "create_network:port_security_enabled": _MEMBERS,
        "update_network": _MEMBERS,
        "update_network:shared": policy.admin,
        f"update_network:{_EXTERNAL}": policy.admin,
        "update_network:port_security_enabled": _MEMBERS,
        "delete_network": _MEMBERS,
    } | {
        f"{action}_network:{name}": policy.admin
        for action in ("create", "update", "get")
        for name in (*provider_net.ATTRIBUTES, _SEGMENTS)
    }

    def not_found(self, row_id: str) -> exceptions.NeutronException:
        """Return NetworkNotFound."""
        return exceptions.NetworkNotFound(net_id=row_id)

    def related_ids(self, ctx: Context) -> Sequence[Sequence[str]]:
        """Own, shared and external networks."""
        project_id = ctx.who.project_id
        shared = sharing.shared_ids(ctx.store, Network, project_id)
        return [sorted({*networks_of(ctx), *shared, *sharing.external_ids(ctx.store, project_id)})]

    def target(self, ctx: Context, row: Network, values: Mapping[str, Any]) -> Target:
        """Return the network's owner, sharing, and whether it is external to the caller."""
        external = sharing.is_external(ctx.store, row, ctx.who.project_id)
        return Target(row.project_id, row.project_id, is_shared(ctx, row), external=external)

    def new_target(self, ctx: Context, values: Mapping[str, Any]) -> Target:
        """Return the owner to be."""
        return Target(values["project_id"])

    def create(self, ctx: Context, tx: Transaction, values: dict[str, Any]) -> Network:
        """Take a segment and a key."""
        default_group.ensure(ctx, tx, values["project_id"])
        settings = ctx.services.settings
        network_id = str(uuid4())
        check_hints(values[_HINTS])
        is_external = bool(values.get(_EXTERNAL))
        segment = segments.take(tx, settings, network_id, segments.wanted(values), is_external=is_external)
        network = Network(
            id=network_id,
            project_id=values["project_id"],
            key=next_number(tx, "network", NETWORK_KEY_BITS),
            segment=segment,
            name=values["name"],
            description=values["description"],
            admin_state_up=values["admin_state_up"],
            shared=values["shared"],
            mtu=_mtu(values["mtu"], segments.max_mtu(settings, segment)),
            port_security_enabled=values["port_security_enabled"],
            external=values[_EXTERNAL],
            availability_zone_hints=tuple(values[_HINTS]),
        )
        if network.shared:
            rbac.share_with_all(ctx, tx, network)
        if network.external:
            rbac.share_with_all(ctx, tx, network, sharing.ACCESS_EXTERNAL)
        return network

    def update(self, ctx: Context, tx: Transaction, row: Network, values: dict[str, Any]) -> Network:
        """Apply what is left to change: of provider attributes, only a VLAN id."""
        values = values | segments.wanted(values)
        changes: dict[str, Any] = {
            name: values[name]
            for name in ("name", "description", "admin_state_up", "shared", "port_security_enabled")
            if name in values
        }
        current = {_TYPE: row.segment.network_type, _PHYSICAL: row.segment.physical_network}
        if any(is_set(values.get(name)) and values[name] != current[name] for name in current):
            raise invalid_input(_NOT_TO_UPDATE)
        if is_set(values.get(_NUMBER)) and values[_NUMBER] != row.segment.segmentation_id:
            changes["segment"] = segments.retag(tx, row.id, row.segment, values[_NUMBER])
        if row.shared and not changes.get("shared", True):
            _check_nobody_else(ctx, row)
            rbac.withdraw_from_all(tx, row)
        elif changes.get("shared") and not row.shared:
            rbac.share_with_all(ctx, tx, row)
        if values.get(_EXTERNAL, row.external) != row.external:
            changes["external"] = values[_EXTERNAL]
            _change_external(ctx, tx, row)
        if "mtu" in values:
            changes["mtu"] = _mtu(values["mtu"], segments.max_mtu(ctx.services.settings, row.segment))
            if changes["mtu"] < constants.IPV4_MIN_MTU and ctx.store.find_ids(Subnet, "network", row.id):
                raise exceptions.NetworkMTUSubnetConflict(net_id=row.id, mtu=constants.IPV4_MIN_MTU)
        return replace(row, **changes)

    def delete(self, ctx: Context, tx: Transaction, row: Network) -> None:
        """Take along its subnets and those ports that the network itself brought; refuse while others are there."""
        floatingips.forget_unused(ctx, tx, row.id)
        ports = tx.find(Port, "network", row.id)
        if users := [port.id for port in ports if port.device_owner not in AUTO_DELETED]:
            reason = (
                f"There are one or more ports still in use on the network, id for these ports is: {','.join(users)}"
            )
            raise exceptions.NetworkInUse(net_id=row.id, reason=reason)
        for port in ports:
            release_claims(tx, port.id)
            tx.delete(Port, port.id)
        for subnet in ctx.store.find(Subnet, "network", row.id):
            give_back(tx, subnet)
            tx.delete(Subnet, subnet.id)
        rbac.forget(tx, row.id)
        release_claims(tx, row.id)
        tx.delete(Network, row.id)


def _mtu(wanted: int, largest: int) -> int:
    """Return the MTU, 0 meaning the largest. Raises InvalidInput."""
    if wanted > largest:
        raise invalid_input(f"Requested MTU is too big, maximum is {largest}")
    return wanted or largest


def _change_external(ctx: Context, tx: Transaction, network: Network) -> None:
    """Make a network external to all, or to nobody any more. Raises ExternalNetworkInUse."""
    if not network.external:
        rbac.share_with_all(ctx, tx, network, sharing.ACCESS_EXTERNAL)
        return
    ports = ctx.store.find(Port, "network", network.id)
    if any(port.device_owner == constants.DEVICE_OWNER_ROUTER_GW for port in ports):
        raise external_errors.ExternalNetworkInUse(net_id=network.id)
    rbac.forget(tx, network.id, sharing.ACCESS_EXTERNAL)


def _check_nobody_else(ctx: Context, network: Network) -> None:
    """Raise InvalidSharedSetting if a project that it is not shared with by name has ports or subnets on it."""
    ports = ctx.store.find(Port, "network", network.id)
    users = {
        port.project_id for port in ports if not port.device_owner.startswith(constants.DEVICE_OWNER_NETWORK_PREFIX)
    }
    users.update(subnet.project_id for subnet in ctx.store.find(Subnet, "network", network.id))
    if users - {network.project_id} - sharing.targets(ctx.store, network.id):
        raise exceptions.InvalidSharedSetting(network=network.name)
