"""Subnet pools: prefixes that subnets are cut from, how long these may be, and how much of them a project may have."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar
from uuid import uuid4

from netaddr import IPNetwork
from neutron_lib import exceptions
from neutron_lib.api.definitions import address_scope as scope_definition
from neutron_lib.api.definitions import subnetpool as definition
from neutron_lib.db import constants as sizes
from neutron_lib.exceptions import address_scope as scope_errors

from sdnapp.api import policy, sharing, tags
from sdnapp.api.attributes import STANDARD_ATTRIBUTES, AttributeMap, is_set
from sdnapp.api.errors import invalid_input
from sdnapp.api.intent.declaration import InFile, Reference
from sdnapp.api.policy import Target
from sdnapp.api.resource import STANDARD_SCHEMAS, STANDARD_VIEW, Context, Getter, Resource, column, is_shared
from sdnapp.api.resources import rbac, spaces
from sdnapp.api.resources.address_scopes import visible_scope
from sdnapp.api.resources.release import release_claims
from sdnapp.api.schemas import COUNT, STRING, nullable, one_of
from topology.prefixes import give
from topology.store import Transaction
from topology.values import AddressScope, Subnet, SubnetPool

_LENGTHS = ("min_prefixlen", "max_prefixlen", "default_prefixlen")
_LONGEST = {4: 32, 6: 128}
_SHORTEST_UNLESS_SAID = {4: 8, 6: 64}
_MEMBERS = policy.any_of(policy.admin, policy.project_member)


def _as_text(name: str) -> Getter:
    return lambda ctx, pool: str(getattr(pool, name))


class SubnetPools(Resource[SubnetPool]):
    """Where subnets get prefixes that nobody else has."""

    name = "subnetpool"
    collection = "subnetpools"
    row = SubnetPool
    has_quota = True
    attributes = AttributeMap("subnetpools", (definition, scope_definition), STANDARD_ATTRIBUTES | tags.TAG_ATTRIBUTES)
    view = STANDARD_VIEW | {
        "tags": tags.show,
        "prefixes": lambda ctx, pool: list(pool.prefixes),
        "ip_version": column("ip_version"),
        # Neutron shows lengths as text, and lists compare them as numbers.
        **{name: _as_text(name) for name in _LENGTHS},
        "default_quota": column("default_quota"),
        "address_scope_id": column("address_scope_id"),
        "is_default": column("is_default"),
        "shared": is_shared,
    }
    unseen: ClassVar = {name: column(name) for name in _LENGTHS}
    schemas: ClassVar = STANDARD_SCHEMAS | {
        "ip_version": one_of((4, 6)),
        "default_quota": nullable(COUNT),
        **dict.fromkeys(_LENGTHS, STRING),
    }
    indexes: ClassVar = Resource.indexes | {"address_scope_id": "scope"}
    in_file = InFile(
        references={"address_scope_id": Reference(("address_scope",))},
        defaults={
            "min_prefixlen": lambda ctx, pool, values: _SHORTEST_UNLESS_SAID[pool.ip_version],
            "max_prefixlen": lambda ctx, pool, values: _LONGEST[pool.ip_version],
            "default_prefixlen": lambda ctx, pool, values: values["min_prefixlen"],
        },
        shown={"shared": column("shared"), **{name: column(name) for name in _LENGTHS}},
    )
    rules: ClassVar = {
        "get_subnetpool": policy.any_of(policy.admin, policy.project_reader, policy.shared_reader),
        "create_subnetpool": _MEMBERS,
        "create_subnetpool:shared": policy.admin,
        "create_subnetpool:is_default": policy.admin,
        "update_subnetpool": _MEMBERS,
        "update_subnetpool:is_default": policy.admin,
        "delete_subnetpool": _MEMBERS,
    }

    def not_found(self, row_id: str) -> exceptions.NeutronException:
        """Return SubnetPoolNotFound."""
        return exceptions.SubnetPoolNotFound(subnetpool_id=row_id)

    def related_ids(self, ctx: Context) -> Sequence[Sequence[str]]:
        """Own and shared subnet pools."""
        own = ctx.store.find_ids(SubnetPool, "project", ctx.who.project_id)
        return [sorted({*own, *sharing.shared_ids(ctx.store, SubnetPool, ctx.who.project_id)})]

    def target(self, ctx: Context, row: SubnetPool, values: Mapping[str, Any]) -> Target:
        """Return the owner, and whether the caller's project shares in it."""
        return Target(row.project_id, shared=is_shared(ctx, row))

    def new_target(self, ctx: Context, values: Mapping[str, Any]) -> Target:
        """Return the owner to be."""
        return Target(values["project_id"])

    def create(self, ctx: Context, tx: Transaction, values: dict[str, Any]) -> SubnetPool:
        """Check lengths, default and address scope; all of its prefixes are free."""
        given = [IPNetwork(prefix) for prefix in values["prefixes"]]
        ip_version, space = _version(given), spaces.covered(given)
        shortest = values["min_prefixlen"] if is_set(values["min_prefixlen"]) else _SHORTEST_UNLESS_SAID[ip_version]
        default = values["default_prefixlen"]
        pool = SubnetPool(
            id=str(uuid4()),
            project_id=values["project_id"],
            prefixes=spaces.texts(space, ip_version),
            min_prefixlen=shortest,
            max_prefixlen=values["max_prefixlen"] if is_set(values["max_prefixlen"]) else _LONGEST[ip_version],
            default_prefixlen=default if is_set(default) else shortest,
            ip_version=ip_version,
            name=values["name"],
            description=values["description"],
            default_quota=values["default_quota"] if is_set(values["default_quota"]) else None,
            address_scope_id=values["address_scope_id"] if is_set(values["address_scope_id"]) else None,
            shared=values["shared"],
            is_default=values["is_default"],
        )
        _check(ctx, pool)
        if pool.is_default:
            _check_no_default(ctx, pool)
        if pool.shared:
            rbac.share_with_all(ctx, tx, pool)
        for prefix in spaces.prefixes(space, ip_version):
            give(tx, pool.id, prefix)
        return pool

    def update(self, ctx: Context, tx: Transaction, row: SubnetPool, values: dict[str, Any]) -> SubnetPool:
        """Check what changes against what stays; new prefixes are free.

        Raises IllegalSubnetPoolPrefixUpdate, IllegalSubnetPoolUpdate, and what ``create`` raises.
        """
        names = ("name", "description", "default_quota", "address_scope_id", "is_default", *_LENGTHS)
        changes = {name: values[name] for name in names if name in values}
        more: spaces.Space = []
        if "prefixes" in values:
            changes["prefixes"], more = _grown(row, values["prefixes"])
        changed = replace(row, **changes)
        if changed.is_default and not row.is_default:
            _check_no_default(ctx, row)
        if row.address_scope_id is not None:
            _check_own_scope(ctx, row)
        _check(ctx, changed)
        for prefix in spaces.prefixes(more, row.ip_version):
            give(tx, row.id, prefix)
        return changed

    def delete(self, ctx: Context, tx: Transaction, row: SubnetPool) -> None:
        """Refuse while subnets have its prefixes. Raises SubnetPoolDeleteError."""
        if ctx.store.find_ids(Subnet, "pool", row.id):
            raise exceptions.SubnetPoolDeleteError(reason="Subnet pool has existing allocations")
        rbac.forget(tx, row.id)
        release_claims(tx, row.id)
        tx.delete(SubnetPool, row.id)


def _version(prefixes: Iterable[IPNetwork]) -> int:
    """Return the IP version of prefixes. Raises EmptySubnetPoolPrefixList, PrefixVersionMismatch."""
    versions = {int(prefix.version) for prefix in prefixes}
    if not versions:
        raise exceptions.EmptySubnetPoolPrefixList()
    if len(versions) > 1:
        raise exceptions.PrefixVersionMismatch()
    return versions.pop()


def _grown(row: SubnetPool, prefixes: Iterable[str]) -> tuple[tuple[str, ...], spaces.Space]:
    """Return prefixes that take the place of a pool's own, as its row keeps them, and what they add.

    Raises IllegalSubnetPoolPrefixUpdate if they lack some of its own, PrefixVersionMismatch.
    """
    given = [IPNetwork(prefix) for prefix in prefixes]
    old = spaces.of_pool(row.prefixes, row.ip_version)
    new = spaces.covered(each for each in given if each.version == row.ip_version)
    if spaces.without(old, new):
        raise exceptions.IllegalSubnetPoolPrefixUpdate(msg="Existing prefixes must be a subset of the new prefixes")
    _version(given)
    return spaces.texts(new, row.ip_version), spaces.without(new, old)


def _check(ctx: Context, pool: SubnetPool) -> None:
    _check_lengths(pool)
    if pool.default_quota is not None and pool.default_quota > sizes.DB_INTEGER_MAX_VALUE:
        raise invalid_input(f"default_quota may be {sizes.DB_INTEGER_MAX_VALUE} at most")
    if pool.address_scope_id is not None:
        _check_scope(ctx, pool, visible_scope(ctx, pool.address_scope_id))


def _check_lengths(pool: SubnetPool) -> None:
    """Raise IllegalSubnetPoolPrefixBounds unless 0 <= min <= default <= max <= the version's longest."""
    low, default, high = pool.min_prefixlen, pool.default_prefixlen, pool.max_prefixlen
    most = _LONGEST[pool.ip_version]
    for is_wrong, name, length, base, limit in (
        (low > high, "min_prefixlen", low, "max_prefixlen", high),
        (high > most, "max_prefixlen", high, "ip_version_max", most),
        (default < low, "default_prefixlen", default, "min_prefixlen", low),
        (default > high, "default_prefixlen", default, "max_prefixlen", high),
    ):
        if is_wrong:
            raise exceptions.IllegalSubnetPoolPrefixBounds(
                prefix_type=name, prefixlen=length, base_prefix_type=base, base_prefixlen=limit
            )


def _check_no_default(ctx: Context, pool: SubnetPool) -> None:
    if ctx.store.find_ids(SubnetPool, "default", pool.ip_version):
        raise invalid_input(
            "A default subnetpool for this IP family has already been set. Only one default may exist per IP family"
        )


def _check_own_scope(ctx: Context, pool: SubnetPool) -> None:
    """Raise IllegalSubnetPoolUpdate if the pool's address scope is another project's."""
    scope = ctx.store.get(AddressScope, pool.address_scope_id or "")
    if scope is not None and not ctx.who.is_admin and scope.project_id != ctx.who.project_id:
        reason = f"subnetpool {pool.id} cannot be updated when associated with shared address scope {scope.id}"
        raise exceptions.IllegalSubnetPoolUpdate(reason=reason)


def _check_scope(ctx: Context, pool: SubnetPool, scope: AddressScope) -> None:
    """Raise an error if a pool cannot be in an address scope.

    IllegalSubnetPoolIpVersionAssociationToAddressScope, NetworkAddressScopeAffinityError, AddressScopePrefixConflict.
    """
    if scope.ip_version != pool.ip_version:
        raise exceptions.IllegalSubnetPoolIpVersionAssociationToAddressScope(
            subnetpool_id=pool.id, address_scope_id=scope.id, ip_version=scope.ip_version
        )
    for network_id in {subnet.network_id for subnet in ctx.store.find(Subnet, "pool", pool.id)}:
        if any(subnet.subnetpool_id != pool.id for subnet in ctx.store.find(Subnet, "network", network_id)):
            raise scope_errors.NetworkAddressScopeAffinityError()
    space = spaces.of_pool(pool.prefixes, pool.ip_version)
    for other in ctx.store.find(SubnetPool, "scope", scope.id):
        if other.id != pool.id and spaces.overlap(space, spaces.of_pool(other.prefixes, other.ip_version)):
            raise exceptions.AddressScopePrefixConflict()


def visible_pool(ctx: Context, pool_id: str) -> SubnetPool:
    """Return a subnet pool that the caller may see. Raises SubnetPoolNotFound."""
    pool = ctx.store.get(SubnetPool, pool_id)
    if pool is None or not (ctx.who.is_admin or sharing.has_access(ctx.store, pool, ctx.who.project_id)):
        raise exceptions.SubnetPoolNotFound(subnetpool_id=pool_id)
    return pool


def default_pool(ctx: Context, ip_version: int) -> SubnetPool:
    """Return the default subnet pool, if the caller may see it. Raises BadRequest."""
    for pool in ctx.store.find(SubnetPool, "default", ip_version):
        if ctx.who.is_admin or sharing.has_access(ctx.store, pool, ctx.who.project_id):
            return pool
    raise exceptions.BadRequest(resource="subnets", msg=f"No default subnetpool found for IPv{ip_version}")
