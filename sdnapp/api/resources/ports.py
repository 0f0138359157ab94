"""Ports: addresses, MAC address, port security, binding, and what DHCP tells the instance behind them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar
from uuid import uuid4

from neutron_lib import constants, exceptions
from neutron_lib.api import converters
from neutron_lib.api.definitions import allowedaddresspairs, extra_dhcp_opt, port_security, portbindings
from neutron_lib.api.definitions import port as port_definition
from neutron_lib.exceptions import allowedaddresspairs as pair_errors

from sdnapp.api import policy, tags
from sdnapp.api.attributes import STANDARD_ATTRIBUTES, AttributeMap, is_set
from sdnapp.api.intent.declaration import InFile, Reference
from sdnapp.api.policy import Target
from sdnapp.api.resource import (
    STANDARD_SCHEMAS,
    STANDARD_VIEW,
    Context,
    Filter,
    Resource,
    column,
    is_shared,
    networks_of,
    sees_network,
    target_on,
)
from sdnapp.api.resources import binding, default_group, floatingips, mac_addresses, port_extras, port_groups
from sdnapp.api.resources.addresses import Addressing
from sdnapp.api.resources.release import release_claims
from sdnapp.api.schemas import ANY_OBJECT, MAC, STRING, list_of, one_of, record
from topology.allocation import PORT_KEY_BITS, next_number
from topology.store import Transaction
from topology.values import (
    FLOATING_IP,
    ROUTER_GATEWAY,
    ROUTER_INTERFACE,
    FloatingIP,
    Network,
    Port,
    Router,
    SecurityGroup,
    Subnet,
)

REALIZATION = "sdnapp:realization"
_HOST, _VIF, _DETAILS = portbindings.HOST_ID, portbindings.VIF_TYPE, portbindings.VIF_DETAILS
_NO_STATUS = constants.PORT_STATUS_NOTAPPLICABLE
_VNIC, _PROFILE = portbindings.VNIC_TYPE, portbindings.PROFILE
_PAIRS, _SECURITY, _OPTIONS = (
    allowedaddresspairs.ADDRESS_PAIRS,
    port_security.PORTSECURITY,
    extra_dhcp_opt.EXTRADHCPOPTS,
)
_PLAIN = ("name", "description", "admin_state_up", "device_id", "device_owner")
_SERVING = policy.any_of(policy.admin, policy.service)
_NETWORK_MEMBERS = policy.any_of(policy.admin, policy.service, policy.network_member)
_NETWORK_USERS = policy.any_of(_NETWORK_MEMBERS, policy.shared_network)
_PROJECT_MEMBERS = policy.any_of(policy.admin, policy.service, policy.project_member)
_OWNERS = policy.any_of(policy.project_member, policy.network_member)


_SERVES_NO_NETWORK = "not rule:network_device"
_UNUSED = f"not field:ports:device_owner=~^{constants.DEVICE_OWNER_COMPUTE_PREFIX}"


def _serves_compute(port: Port) -> bool:
    return port.device_owner.startswith(constants.DEVICE_OWNER_COMPUTE_PREFIX)


_ON_WRITING = {
    "device_id": _PROJECT_MEMBERS,
    "device_owner": policy.any_of(_SERVES_NO_NETWORK, _NETWORK_MEMBERS),
    "mac_address": _NETWORK_MEMBERS,
    "fixed_ips:ip_address": _NETWORK_MEMBERS,
    "fixed_ips:subnet_id": _NETWORK_USERS,
    _SECURITY: _NETWORK_MEMBERS,
    _HOST: _SERVING,
    _PROFILE: _SERVING,
    _VNIC: _PROJECT_MEMBERS,
    _PAIRS: _NETWORK_MEMBERS,
    f"{_PAIRS}:mac_address": _NETWORK_MEMBERS,
    f"{_PAIRS}:ip_address": _NETWORK_MEMBERS,
}


def _mac_or_none(value: object) -> Any:
    return None if value is None else converters.convert_to_sanitized_mac_address(value)


_OWN_ATTRIBUTES = {
    # Null asks for another MAC address (port-mac-address-regenerate); neutron-lib would draw one here, used or not.
    "mac_address": port_definition.RESOURCE_ATTRIBUTE_MAP["ports"]["mac_address"]
    | {"convert_to": _mac_or_none, "validate": {"type:mac_address_or_none": None}},
    _HOST: portbindings.RESOURCE_ATTRIBUTE_MAP["ports"][_HOST] | {"validate": {"type:string_or_none": 255}},
    **port_groups.GROUP_ATTRIBUTES,
    REALIZATION: {"allow_post": False, "allow_put": False, "is_visible": True},
}


class Ports(Resource[Port]):
    """Attachment points of networks."""

    name = "port"
    collection = "ports"
    row = Port
    has_quota = True
    attributes = AttributeMap(
        "ports",
        (port_definition, portbindings, port_security, allowedaddresspairs, extra_dhcp_opt),
        STANDARD_ATTRIBUTES | tags.TAGS_AT_CREATION | _OWN_ATTRIBUTES,
    )
    view = STANDARD_VIEW | {
        "tags": tags.show,
        "network_id": column("network_id"),
        "admin_state_up": column("admin_state_up"),
        "mac_address": column("mac_address"),
        "status": lambda ctx, port: (
            # It holds an address for a floating IP, which has a status of its own.
            _NO_STATUS if port.device_owner == FLOATING_IP else ctx.services.port_status(port.id)
        ),
        "device_id": column("device_id"),
        "device_owner": column("device_owner"),
        "fixed_ips": lambda ctx, port: [
            {"subnet_id": fixed.subnet_id, "ip_address": fixed.ip_address} for fixed in port.fixed_ips
        ],
        _PAIRS: lambda ctx, port: [
            {"ip_address": pair.ip_address, "mac_address": pair.mac_address} for pair in port.allowed_address_pairs
        ],
        _SECURITY: column("port_security_enabled"),
        port_groups.GROUPS: lambda ctx, port: list(port.security_groups),
        _OPTIONS: lambda ctx, port: [
            {"opt_name": option.name, "opt_value": option.value, "ip_version": option.ip_version}
            for option in port.extra_dhcp_opts
        ],
        _VNIC: column("vnic_type"),
        _HOST: binding.host,
        _VIF: binding.vif_type,
        _DETAILS: binding.vif_details,
        _PROFILE: lambda ctx, port: json.loads(port.binding_profile),
        REALIZATION: lambda ctx, port: dict(ctx.services.realization(port.id)),
    }
    schemas: ClassVar = STANDARD_SCHEMAS | {
        "status": one_of(("ACTIVE", "DOWN", _NO_STATUS)),
        "mac_address": MAC,
        _PAIRS: list_of(record({"ip_address": STRING, "mac_address": MAC}, ("ip_address", "mac_address"))),
        _OPTIONS: list_of(record({"opt_name": STRING, "opt_value": STRING, "ip_version": one_of((4, 6))})),
        _HOST: STRING,
        _VIF: STRING,
        _DETAILS: ANY_OBJECT,
        _PROFILE: ANY_OBJECT,
        REALIZATION: {"type": "object", "additionalProperties": STRING},
    }
    indexes: ClassVar = Resource.indexes | {"network_id": "network", "mac_address": "mac", "device_id": "device"}
    in_file = InFile(
        parent="network_id",
        references={
            "network_id": Reference(("network",)),
            "fixed_ips.subnet_id": Reference(("subnet",)),
            port_groups.GROUPS: Reference(("security_group",)),
        },
        keys=("name", "mac_address"),
        chosen=frozenset({"mac_address", "fixed_ips", "device_id", "device_owner"}),
        defaults={
            # Where there are subnets, a port that has no address was made so.
            "fixed_ips": lambda ctx, port, values: (
                None if ctx.store.find_ids(Subnet, "network", port.network_id) else []
            ),
            _SECURITY: lambda ctx, port, values: ctx.store.get(Network, port.network_id).port_security_enabled,
            port_groups.GROUPS: lambda ctx, port, values: (
                list(ctx.store.find_ids(SecurityGroup, "default", port.project_id)) if values[_SECURITY] else []
            ),
        },
        shown={
            "fixed_ips": lambda ctx, port: [{"ip_address": fixed.ip_address} for fixed in port.fixed_ips],
            "device_id": lambda ctx, port: "" if _serves_compute(port) else port.device_id,
            "device_owner": lambda ctx, port: "" if _serves_compute(port) else port.device_owner,
            _HOST: column("requested_host"),
        },
        replacing={_OPTIONS: port_extras.replacing_options},
        after=("router_interface",),
        why_not=lambda port: (
            f"ports with device_owner {port.device_owner} are the network's own and stand in no file"
            if port.device_owner.startswith(constants.DEVICE_OWNER_NETWORK_PREFIX)
            else ""
        ),
        may_delete=lambda port: not _serves_compute(port),
        prepare=default_group.ensure,
    )
    rules: ClassVar = (
        {
            "get_port": policy.any_of(policy.admin, policy.service, policy.project_reader, policy.network_reader),
            "create_port": _NETWORK_USERS,
            "create_port:fixed_ips": _NETWORK_USERS,
            "update_port": _PROJECT_MEMBERS,
            "update_port:fixed_ips": _NETWORK_MEMBERS,
            "delete_port": policy.any_of(
                policy.service, f"service_roles:service and ({_OWNERS})", f"{_UNUSED} and ({_OWNERS})"
            ),
            "delete_port:tags": policy.any_of(_PROJECT_MEMBERS, policy.network_member),
        }
        | {f"create_port:{name}": rule for name, rule in _ON_WRITING.items()}
        | {f"update_port:{name}": rule for name, rule in _ON_WRITING.items()}
        | {"update_port:mac_address": policy.any_of(policy.admin, policy.service, policy.network_manager)}
        | {f"get_port:{name}": _SERVING for name in (_HOST, _VIF, _DETAILS, _PROFILE)}
        | {f"get_port:{REALIZATION}": policy.admin}
    )

    def not_found(self, row_id: str) -> exceptions.NeutronException:
        """Return PortNotFound."""
        return exceptions.PortNotFound(port_id=row_id)

    def related_ids(self, ctx: Context) -> Sequence[Sequence[str]]:
        """Own ports, and all ports on own networks."""
        on_own = [ctx.store.find_ids(Port, "network", network_id) for network_id in networks_of(ctx)]
        return [ctx.store.find_ids(Port, "project", ctx.who.project_id), *on_own]

    def target(self, ctx: Context, row: Port, values: Mapping[str, Any]) -> Target:
        """Return the port, its owners, and its device's owner as it will be."""
        target = target_on(ctx, row)
        return replace(target, device_owner=values.get("device_owner", row.device_owner))

    def new_target(self, ctx: Context, values: Mapping[str, Any]) -> Target:
        """Return the owner to be, the network's, and the device's. Raises NetworkNotFound."""
        network = _network(ctx, values)
        return Target(values["project_id"], network.project_id, is_shared(ctx, network), values["device_owner"])

    def special_filter(self, name: str, values: list[str]) -> Filter | None:
        """``fixed_ips`` filters by key: subnet_id, ip_address, and ip_address_substr; security groups one by one."""
        if name == port_groups.GROUPS:
            wanted = frozenset(values)
            return Filter(lambda ctx, port: not wanted.isdisjoint(port.security_groups), "security_group", values)
        return _fixed_ips_filter(converters.convert_kvp_list_to_dict(values)) if name == "fixed_ips" else None

    def create(self, ctx: Context, tx: Transaction, values: dict[str, Any]) -> Port:
        """Take a MAC address, addresses and a key."""
        network, port_id = _network(ctx, values), str(uuid4())
        _check_device(ctx, values["device_owner"], values["device_id"])
        wanted_mac = values["mac_address"] if is_set(values["mac_address"]) else None
        mac = mac_addresses.take(ctx, tx, network.id, port_id, wanted_mac)
        addressing, wanted = Addressing(tx, network.id, port_id, values["device_owner"]), values["fixed_ips"]
        given_pairs = values[_PAIRS] if is_set(values[_PAIRS]) else []
        secure = values[_SECURITY] if is_set(values[_SECURITY]) else network.port_security_enabled
        if values["device_owner"].startswith(constants.DEVICE_OWNER_NETWORK_PREFIX):
            secure = False
        if given_pairs and not secure:
            raise pair_errors.AddressPairAndPortSecurityRequired()
        port = Port(
            id=port_id,
            project_id=values["project_id"],
            network_id=network.id,
            key=next_number(tx, "port", PORT_KEY_BITS),
            mac_address=mac,
            fixed_ips=addressing.any() if wanted is constants.ATTR_NOT_SPECIFIED else addressing.take(wanted),
            allowed_address_pairs=port_extras.address_pairs(given_pairs, mac),
            port_security_enabled=secure,
            extra_dhcp_opts=port_extras.dhcp_options((), values[_OPTIONS]),
            security_groups=port_groups.of_new_port(ctx, tx, values, secure),
            requested_host=values[_HOST] if is_set(values[_HOST]) else "",
            vnic_type=values[_VNIC],
            binding_profile=port_extras.profile_text(values[_PROFILE] if is_set(values[_PROFILE]) else None),
            tags=tags.checked("ports", values["tags"]),
            **{name: values[name] for name in _PLAIN},
        )
        return replace(port, mac_address=mac_addresses.follow_device(ctx, tx, port, port))

    def update(self, ctx: Context, tx: Transaction, row: Port, values: dict[str, Any]) -> Port:
        """Apply what is given; what a port that is plugged must keep is refused."""
        changes: dict[str, Any] = {name: values[name] for name in _PLAIN if name in values}
        if "device_id" in changes or "device_owner" in changes:
            _check_keeps_router(row, changes)
            _check_device(ctx, changes.get("device_owner", row.device_owner), changes.get("device_id", row.device_id))
        if values.get(_VNIC, row.vnic_type) != row.vnic_type:
            if binding.vif_type(ctx, row) != portbindings.VIF_TYPE_UNBOUND:
                raise exceptions.PortInUse(port_id=row.id, net_id=row.network_id, device_id=row.device_id)
            changes["vnic_type"] = values[_VNIC]
        if "mac_address" in values and values["mac_address"] != row.mac_address:
            changes["mac_address"] = mac_addresses.change(ctx, tx, row, values)
        if "fixed_ips" in values:
            device_owner = changes.get("device_owner", row.device_owner)
            addressing = Addressing(tx, row.network_id, row.id, device_owner)
            changes["fixed_ips"] = addressing.change(row.fixed_ips, values["fixed_ips"])
            if row.device_owner == ROUTER_INTERFACE and set(changes["fixed_ips"]) != set(row.fixed_ips):
                message = f"IP updates for port {row.id} are not allowed"
                raise exceptions.BadRequest(resource="ports", msg=message)
            floatingips.check_stand_for_nothing_else(ctx, row.id, changes["fixed_ips"])
            floatingips.disassociate(ctx, tx, row.id, changes["fixed_ips"])
        if _PAIRS in values:
            mac = changes.get("mac_address", row.mac_address)
            changes["allowed_address_pairs"] = port_extras.address_pairs(values[_PAIRS], mac)
        if _SECURITY in values:
            changes["port_security_enabled"] = values[_SECURITY]
        if values.get(_OPTIONS):
            changes["extra_dhcp_opts"] = port_extras.dhcp_options(row.extra_dhcp_opts, values[_OPTIONS])
        if _HOST in values:
            changes["requested_host"] = values[_HOST] or ""
            changes["inactive_bindings"] = binding.elsewhere(row.inactive_bindings, changes["requested_host"])
        if _PROFILE in values:
            changes["binding_profile"] = port_extras.profile_text(values[_PROFILE])
        changed = replace(row, **changes)
        if changed.allowed_address_pairs and not changed.port_security_enabled:
            raise pair_errors.AddressPairAndPortSecurityRequired()
        groups = port_groups.of_changed_port(ctx, row, values, changed.port_security_enabled)
        mac = mac_addresses.follow_device(ctx, tx, row, changed)
        return replace(changed, security_groups=groups, mac_address=mac)

    def delete(self, ctx: Context, tx: Transaction, row: Port) -> None:
        """Give back its addresses. Raises ServicePortInUse for what a router or a floating IP needs."""
        if _serves_somebody(ctx, row):
            raise exceptions.ServicePortInUse(port_id=row.id, reason=f"has device owner {row.device_owner}")
        floatingips.disassociate(ctx, tx, row.id)
        release_claims(tx, row.id)
        tx.delete(Port, row.id)


def _network(ctx: Context, values: Mapping[str, Any]) -> Network:
    network = ctx.store.get(Network, values["network_id"])
    if network is None or not sees_network(ctx, network):
        raise exceptions.NetworkNotFound(net_id=values["network_id"])
    return network


def _check_device(ctx: Context, device_owner: str, device_id: str) -> None:
    """Raise DeviceIDNotOwnedByTenant if somebody passes off his port as a router's."""
    if device_owner in constants.ROUTER_INTERFACE_OWNERS and device_id and not ctx.who.is_admin:
        raise exceptions.DeviceIDNotOwnedByTenant(device_id=device_id)


def _serves_somebody(ctx: Context, port: Port) -> bool:
    """Return whether a port belongs to a router or a floating IP that is there."""
    if port.device_owner in (ROUTER_INTERFACE, ROUTER_GATEWAY):
        return ctx.store.get(Router, port.device_id) is not None
    return port.device_owner == FLOATING_IP and ctx.store.get(FloatingIP, port.device_id) is not None


def _check_keeps_router(port: Port, changes: Mapping[str, Any]) -> None:
    """Raise PortInUse for another device of a router's interface, which only the router lets go."""
    if port.device_owner == ROUTER_INTERFACE and any(
        changes.get(name, getattr(port, name)) != getattr(port, name) for name in ("device_id", "device_owner")
    ):
        raise exceptions.PortInUse(port_id=port.id, net_id=port.network_id, device_id=port.device_id)


def _fixed_ips_filter(wanted: Mapping[str, list[str]]) -> Filter:
    subnet_ids, whole, parts = (wanted.get(key, []) for key in ("subnet_id", "ip_address", "ip_address_substr"))

    def matches(ctx: Context, port: Port) -> bool:
        fixed = port.fixed_ips
        return (
            (not subnet_ids or any(f.subnet_id in subnet_ids for f in fixed))
            and (not whole or any(f.ip_address in whole for f in fixed))
            and (not parts or any(part in f.ip_address for f in fixed for part in parts))
        )

    if whole:
        return Filter(matches, "address", whole)
    return Filter(matches, "subnet", subnet_ids) if subnet_ids else Filter(matches)
