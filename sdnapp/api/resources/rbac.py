"""RBAC policies: owners share what is theirs with one project, administrators with all.

What is shared with all says so in its own ``shared``, and a network that is external to anybody in its ``external``;
here they are kept in step with the policies.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar
from uuid import uuid4

from neutron_lib import exceptions
from neutron_lib.api.definitions import external_net
from neutron_lib.db import constants as sizes

from sdnapp.api import policy, sharing
from sdnapp.api.attributes import AttributeMap, Specs
from sdnapp.api.errors import invalid_input
from sdnapp.api.intent.declaration import InFile, Reference
from sdnapp.api.policy import Target
from sdnapp.api.resource import Context, Resource, column, stamp_changed, stamp_new
from sdnapp.api.schemas import one_of
from sdnapp.api.sharing import ACCESS_EXTERNAL, ACCESS_SHARED, EVERYBODY, TYPE_OF, TYPES, Shareable
from topology.store import Transaction
from topology.values import (
    AddressGroup,
    AddressScope,
    Network,
    Port,
    RbacPolicy,
    Router,
    SecurityGroup,
    SecurityGroupRule,
    Subnet,
    SubnetPool,
)


class RbacPolicyNotFound(exceptions.NotFound):  # type: ignore[misc]
    """There is no such policy, or the caller may not see it."""

    message = "RBAC policy of type %(object_type)s with ID %(id)s not found"


class RbacPolicyInUse(exceptions.Conflict):  # type: ignore[misc]
    """A project would lose what it uses."""

    message = (
        "RBAC policy on object %(object_id)s cannot be removed because other objects depend on it.\n"
        "Details: %(details)s"
    )


class DuplicateRbacPolicy(exceptions.Conflict):  # type: ignore[misc]
    """The object is shared in this way with this project already."""

    message = "An RBAC policy already exists with those values."


class InvalidActionForType(exceptions.InvalidInput):  # type: ignore[misc]
    """Objects of this type are not shared in this way."""

    message = "Invalid action '%(action)s' for object type '%(object_type)s'. Valid actions: %(valid_actions)s"


def _actions(object_type: str) -> tuple[str, ...]:
    """Return how objects of a type can be shared."""
    return (ACCESS_SHARED, ACCESS_EXTERNAL) if TYPES[object_type] is Network else (ACCESS_SHARED,)


def _object_type(given: object) -> str:
    name = given.strip().lower() if isinstance(given, str) else ""
    if name not in TYPES:
        raise invalid_input(f"'{given}' is not a valid RBAC object type")
    return name


def _attribute(can_change: bool = False, **spec: Any) -> dict[str, Any]:
    return {
        "allow_post": True,
        "allow_put": can_change,
        "is_visible": True,
        "is_filter": True,
        "enforce_policy": True,
    } | spec


_ATTRIBUTES: Specs = {
    "id": {
        "allow_post": False,
        "allow_put": False,
        "validate": {"type:uuid": None},
        "is_visible": True,
        "primary_key": True,
        "is_filter": True,
    },
    "object_type": _attribute(convert_to=_object_type, default=None),
    "object_id": _attribute(validate={"type:uuid": None}),
    # Neutron wants a UUID; without Keystone a project's id is any name.
    "target_tenant": _attribute(True, validate={"type:not_empty_string": sizes.PROJECT_ID_FIELD_SIZE}),
    "tenant_id": {
        "allow_post": True,
        "allow_put": False,
        "validate": {"type:string": sizes.PROJECT_ID_FIELD_SIZE},
        "required_by_policy": True,
        "is_visible": True,
        "is_filter": True,
    },
    "action": _attribute(validate={"type:string": sizes.DESCRIPTION_FIELD_SIZE}),
}
_SAID_OF_ALL = {ACCESS_SHARED: "shared", ACCESS_EXTERNAL: external_net.EXTERNAL}
_MEMBERS = policy.any_of(policy.admin, policy.project_member)


class RbacPolicies(Resource[RbacPolicy]):
    """Leave for other projects to use an object."""

    name = "rbac_policy"
    collection = "rbac_policies"
    row = RbacPolicy
    has_quota = True
    attributes = AttributeMap("rbac_policies", (), _ATTRIBUTES)
    view: ClassVar = {
        "id": column("id"),
        "tenant_id": column("project_id"),
        "project_id": column("project_id"),
        "object_type": column("object_type"),
        "object_id": column("object_id"),
        "action": column("action"),
        "target_tenant": column("target_project"),
    }
    schemas: ClassVar = {"object_type": one_of(tuple(TYPES)), "action": one_of((ACCESS_SHARED, ACCESS_EXTERNAL))}
    indexes: ClassVar = {"project_id": "project", "tenant_id": "project", "object_id": "object"}
    in_file = InFile(
        references={"object_id": Reference(tuple(TYPES), by="object_type")},
        keys=("object_id", "target_tenant"),
        why_not=lambda row: (
            f"what is for all says so itself: give the {row.object_type} `{_SAID_OF_ALL[row.action]}: true` instead"
            if row.target_project == EVERYBODY
            else ""
        ),
    )
    rules: ClassVar = {
        "get_rbac_policy": policy.any_of(policy.admin, policy.project_reader),
        "create_rbac_policy": _MEMBERS,
        "create_rbac_policy:target_tenant": policy.any_of(policy.admin, policy.not_for_everybody),
        "update_rbac_policy": _MEMBERS,
        "update_rbac_policy:target_tenant": policy.any_of(policy.admin, policy.not_for_everybody),
        "delete_rbac_policy": _MEMBERS,
    }

    def not_found(self, row_id: str) -> RbacPolicyNotFound:
        """Return RbacPolicyNotFound."""
        return RbacPolicyNotFound(id=row_id, object_type="unknown")

    def related_ids(self, ctx: Context) -> Sequence[Sequence[str]]:
        """Own policies."""
        return [ctx.store.find_ids(RbacPolicy, "project", ctx.who.project_id)]

    def target(self, ctx: Context, row: RbacPolicy, values: Mapping[str, Any]) -> Target:
        """Return the owner, and whom the policy will be for."""
        return Target(row.project_id, target_project=values.get("target_tenant", row.target_project))

    def new_target(self, ctx: Context, values: Mapping[str, Any]) -> Target:
        """Return the owner to be, and whom the policy is for."""
        return Target(values["project_id"], target_project=values["target_tenant"])

    def create(self, ctx: Context, tx: Transaction, values: dict[str, Any]) -> RbacPolicy:
        """Share an object. Raises InvalidInput, InvalidActionForType, DuplicateRbacPolicy."""
        row = _owned_object(ctx, values["object_type"], values["object_id"])
        new = RbacPolicy(
            id=str(uuid4()),
            project_id=values["project_id"],
            object_type=values["object_type"],
            object_id=row.id,
            action=values["action"],
            target_project=values["target_tenant"],
        )
        valid = _actions(new.object_type)
        if new.action not in valid:
            raise InvalidActionForType(action=new.action, object_type=new.object_type, valid_actions=valid)
        _check_new(ctx, row, new.target_project, new.action)
        if new.action == ACCESS_EXTERNAL:
            stamp_changed(ctx, tx, replace(row, external=True))
        else:
            _mark(ctx, tx, row, row.shared or new.target_project == EVERYBODY)
        return new

    def update(self, ctx: Context, tx: Transaction, row: RbacPolicy, values: dict[str, Any]) -> RbacPolicy:
        """Share an object with another project instead. Raises InvalidInput, RbacPolicyInUse, DuplicateRbacPolicy."""
        target = values.get("target_tenant", row.target_project)
        if target == row.target_project:
            return row
        shared = _owned_object(ctx, row.object_type, row.object_id)
        if row.action == ACCESS_EXTERNAL:
            _check_new(ctx, shared, target, row.action)
            _check_no_gateway_needs(ctx, row, instead=target)
            stamp_changed(ctx, tx, shared)
            return replace(row, target_project=target)
        if target != EVERYBODY:
            _check_withdrawal(ctx, shared, row.target_project)
        _check_new(ctx, shared, target)
        _mark(ctx, tx, shared, target == EVERYBODY or (shared.shared and row.target_project != EVERYBODY))
        return replace(row, target_project=target)

    def delete(self, ctx: Context, tx: Transaction, row: RbacPolicy) -> None:
        """Withdraw it. Raises RbacPolicyInUse."""
        shared = ctx.store.get(TYPES[row.object_type], row.object_id)
        if shared is not None and row.action == ACCESS_EXTERNAL:
            _check_no_gateway_needs(ctx, row)
            others = sharing.targets(ctx.store, row.object_id, ACCESS_EXTERNAL) - {row.target_project}
            stamp_changed(ctx, tx, replace(shared, external=bool(others)))
        elif shared is not None:
            _check_withdrawal(ctx, shared, row.target_project)
            _mark(ctx, tx, shared, shared.shared and row.target_project != EVERYBODY)
        tx.delete(RbacPolicy, row.id)


def share_with_all(ctx: Context, tx: Transaction, row: Shareable, action: str = ACCESS_SHARED) -> None:
    """Add the policy of an object whose ``shared`` or ``external`` becomes true. Raises InvalidInput."""
    _check_new(ctx, row, EVERYBODY, action)
    new = RbacPolicy(str(uuid4()), row.project_id, TYPE_OF[type(row)], row.id, action, EVERYBODY)
    stamp_new(ctx, tx, new)


def withdraw_from_all(tx: Transaction, row: Shareable) -> None:
    """Take away the policy of an object whose ``shared`` becomes false."""
    for policy_id in tx.find_ids(RbacPolicy, "grant", (row.id, EVERYBODY, ACCESS_SHARED)):
        tx.delete(RbacPolicy, policy_id)


def forget(tx: Transaction, object_id: str, action: str | None = None) -> None:
    """Take away the policies of an object: those of one action, or all."""
    for each in tx.find(RbacPolicy, "object", object_id):
        if action in (None, each.action):
            tx.delete(RbacPolicy, each.id)


def _owned_object(ctx: Context, object_type: str, object_id: str) -> Any:
    """Return the object to share. Raises InvalidInput if it is not there, or not the caller's."""
    row = ctx.store.get(TYPES[object_type], object_id)
    who = ctx.who
    if row is None or not (who.is_admin or sharing.has_access(ctx.store, row, who.project_id)):
        raise invalid_input(f"object_id: there is no {object_type} {object_id}")
    if not who.is_admin and row.project_id != who.project_id:
        kinds = "networks" if object_type == "network" else "objects"
        raise invalid_input(f"Only admins can manipulate policies on {kinds} they do not own")
    return row


def _check_new(ctx: Context, row: Shareable, target: str, action: str = ACCESS_SHARED) -> None:
    """Raise DuplicateRbacPolicy, or InvalidInput if the project could not use the pool for want of its scope."""
    if sharing.is_granted(ctx.store, row, target, action):
        raise DuplicateRbacPolicy
    scope_id = row.address_scope_id if isinstance(row, SubnetPool) else None
    scope = ctx.store.get(AddressScope, scope_id) if scope_id else None
    if scope is not None and not sharing.has_access(ctx.store, scope, target):
        raise invalid_input(
            f"Failed to create RBAC policy on object {row.id} because target project doesn't have access to "
            "associated address scope."
        )


def _mark(ctx: Context, tx: Transaction, row: Any, is_shared: bool) -> None:
    """Note in an object that who shares it has changed."""
    stamp_changed(ctx, tx, replace(row, shared=is_shared))


def _check_withdrawal(ctx: Context, row: Shareable, target: str) -> None:
    """Raise RbacPolicyInUse if a project uses an object only by leave of the policy for ``target``."""
    others = sharing.targets(ctx.store, row.id) - {target}
    if EVERYBODY in others:
        return
    losing = _USERS[type(row)](ctx, row.id) - others - {row.project_id}
    if target != EVERYBODY:
        losing &= {target}
    if losing:
        raise RbacPolicyInUse(object_id=row.id, details=f"project_id={', '.join(sorted(losing))}")


def _check_no_gateway_needs(ctx: Context, policy: RbacPolicy, instead: str | None = None) -> None:
    """Raise RbacPolicyInUse if routers lead to an external network only by leave of a policy.

    ``instead``: for whom it will be, rather than for nobody. Neutron counts the owner's routers as well.
    """
    left = sharing.targets(ctx.store, policy.object_id, ACCESS_EXTERNAL) - {policy.target_project}
    left |= {instead} if instead is not None else set()
    gateways = ctx.store.find(Port, "gateway_on", policy.object_id)
    routers = (ctx.store.get(Router, gateway.device_id) for gateway in gateways)
    losing = {router.project_id for router in routers if router is not None} - left
    if policy.target_project != EVERYBODY:
        losing &= {policy.target_project}
    if losing and EVERYBODY not in left:
        details = "There are routers attached to this network that depend on this policy for access."
        raise RbacPolicyInUse(object_id=policy.object_id, details=details)


def _users_of_network(ctx: Context, network_id: str) -> set[str]:
    ports = {port.project_id for port in ctx.store.find(Port, "network", network_id)}
    return ports | {subnet.project_id for subnet in ctx.store.find(Subnet, "network", network_id)}


def _users_of_pool(ctx: Context, pool_id: str) -> set[str]:
    return {subnet.project_id for subnet in ctx.store.find(Subnet, "pool", pool_id)}


def _users_of_scope(ctx: Context, scope_id: str) -> set[str]:
    return {pool.project_id for pool in ctx.store.find(SubnetPool, "scope", scope_id)}


def _users_of_group(ctx: Context, group_id: str) -> set[str]:
    return {port.project_id for port in ctx.store.find(Port, "security_group", group_id)}


def _users_of_address_group(ctx: Context, group_id: str) -> set[str]:
    return {rule.project_id for rule in ctx.store.find(SecurityGroupRule, "remote_address_group", group_id)}


_USERS: dict[type[Any], Callable[[Context, str], set[str]]] = {
    Network: _users_of_network,
    SubnetPool: _users_of_pool,
    AddressScope: _users_of_scope,
    SecurityGroup: _users_of_group,
    AddressGroup: _users_of_address_group,
}
