"""Address scopes: within one, no two subnet pools have the same addresses."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar
from uuid import uuid4

from neutron_lib import constants
from neutron_lib.api.definitions import address_scope as definition
from neutron_lib.exceptions import address_scope as errors

from sdnapp.api import policy, sharing
from sdnapp.api.attributes import AttributeMap
from sdnapp.api.intent.declaration import InFile
from sdnapp.api.policy import Target
from sdnapp.api.resource import Context, Resource, column, is_shared
from sdnapp.api.resources import rbac
from topology.store import Transaction
from topology.values import AddressScope, Subnet, SubnetPool

_MEMBERS = policy.any_of(policy.admin, policy.project_member)


class AddressScopes(Resource[AddressScope]):
    """Sets of addresses that are unique."""

    name = "address_scope"
    collection = "address_scopes"
    row = AddressScope
    attributes = AttributeMap("address_scopes", (definition,), {})
    view: ClassVar = {
        "id": column("id"),
        "name": column("name"),
        "tenant_id": column("project_id"),
        "project_id": column("project_id"),
        "ip_version": column("ip_version"),
        "shared": is_shared,
    }
    in_file = InFile(
        defaults={"ip_version": lambda ctx, scope, values: constants.IP_VERSION_4},
        shown={"shared": column("shared")},
        completed={"ip_version": lambda given: constants.IP_VERSION_4},
    )
    rules: ClassVar = {
        "get_address_scope": policy.any_of(policy.admin, policy.project_reader, policy.shared_reader),
        "create_address_scope": _MEMBERS,
        "create_address_scope:shared": policy.admin,
        "update_address_scope": _MEMBERS,
        "update_address_scope:shared": policy.admin,
        "delete_address_scope": _MEMBERS,
    }

    def not_found(self, row_id: str) -> errors.AddressScopeNotFound:
        """Return AddressScopeNotFound."""
        return errors.AddressScopeNotFound(address_scope_id=row_id)

    def related_ids(self, ctx: Context) -> Sequence[Sequence[str]]:
        """Own and shared address scopes."""
        own = ctx.store.find_ids(AddressScope, "project", ctx.who.project_id)
        return [sorted({*own, *sharing.shared_ids(ctx.store, AddressScope, ctx.who.project_id)})]

    def target(self, ctx: Context, row: AddressScope, values: Mapping[str, Any]) -> Target:
        """Return the owner, and whether the caller's project shares in it."""
        return Target(row.project_id, shared=is_shared(ctx, row))

    def new_target(self, ctx: Context, values: Mapping[str, Any]) -> Target:
        """Return the owner to be."""
        return Target(values["project_id"])

    def create(self, ctx: Context, tx: Transaction, values: dict[str, Any]) -> AddressScope:
        """Share it with all if that is asked for."""
        scope = AddressScope(
            id=str(uuid4()),
            project_id=values["project_id"],
            ip_version=values["ip_version"],
            name=values["name"],
            shared=values["shared"],
        )
        if scope.shared:
            rbac.share_with_all(ctx, tx, scope)
        return scope

    def update(self, ctx: Context, tx: Transaction, row: AddressScope, values: dict[str, Any]) -> AddressScope:
        """Share it once and for all: subnet pools of others may rely on it. Raises AddressScopeUpdateError."""
        changed = replace(row, **{name: values[name] for name in ("name", "shared") if name in values})
        if is_shared(ctx, row) and not values.get("shared", True):
            reason = "Shared address scope can't be unshared"
            raise errors.AddressScopeUpdateError(address_scope_id=row.id, reason=reason)
        if changed.shared and not row.shared:
            rbac.share_with_all(ctx, tx, row)
        return changed

    def delete(self, ctx: Context, tx: Transaction, row: AddressScope) -> None:
        """Refuse while it has subnet pools. Raises AddressScopeInUse."""
        if ctx.store.find_ids(SubnetPool, "scope", row.id):
            raise errors.AddressScopeInUse(address_scope_id=row.id)
        rbac.forget(tx, row.id)
        tx.delete(AddressScope, row.id)


def visible_scope(ctx: Context, scope_id: str) -> AddressScope:
    """Return an address scope that the caller may see. Raises AddressScopeNotFound."""
    scope = ctx.store.get(AddressScope, scope_id)
    if scope is None or not (ctx.who.is_admin or sharing.has_access(ctx.store, scope, ctx.who.project_id)):
        raise errors.AddressScopeNotFound(address_scope_id=scope_id)
    return scope


def scope_of_network(ctx: Context, network_id: str, ip_version: int = constants.IP_VERSION_4) -> str | None:
    """Return the id of the address scope that a network's subnets are in, or None."""
    for subnet in ctx.store.find(Subnet, "network", network_id):
        pool = ctx.store.get(SubnetPool, subnet.subnetpool_id) if subnet.subnetpool_id else None
        if pool is not None and pool.ip_version == ip_version and pool.address_scope_id is not None:
            return pool.address_scope_id
    return None
