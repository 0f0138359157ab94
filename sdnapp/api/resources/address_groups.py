"""Address groups: prefixes that rules of security groups name together, and change together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar
from uuid import uuid4

import netaddr
from neutron_lib import constants
from neutron_lib.api.definitions import address_group as definition
from neutron_lib.exceptions import address_group as errors

from sdnapp.api import policy, sharing
from sdnapp.api.attributes import STANDARD_ATTRIBUTES, AttributeMap
from sdnapp.api.policy import Target
from sdnapp.api.resource import STANDARD_VIEW, Context, Resource, is_shared
from sdnapp.api.resources import rbac
from topology.allocation import GROUP_KEY_BITS, next_number
from topology.store import Transaction
from topology.values import AddressGroup, SecurityGroupRule

_MEMBERS = policy.any_of(policy.admin, policy.project_member)


class AddressGroups(Resource[AddressGroup]):
    """Sets of prefixes."""

    name = "address_group"
    collection = "address_groups"
    row = AddressGroup
    attributes = AttributeMap(
        "address_groups",
        (definition,),
        {name: spec for name, spec in STANDARD_ATTRIBUTES.items() if name != "description"},
    )
    view = STANDARD_VIEW | {"addresses": lambda ctx, group: list(group.addresses), "shared": is_shared}
    rules: ClassVar = {
        "get_address_group": policy.any_of(policy.admin, policy.project_reader, policy.shared_reader),
        "create_address_group": _MEMBERS,
        "update_address_group": _MEMBERS,
        "delete_address_group": _MEMBERS,
    }

    def not_found(self, row_id: str) -> errors.AddressGroupNotFound:
        """Return AddressGroupNotFound."""
        return errors.AddressGroupNotFound(address_group_id=row_id)

    def related_ids(self, ctx: Context) -> Sequence[str]:
        """Own and shared groups."""
        own = ctx.store.find_ids(AddressGroup, "project", ctx.who.project_id)
        return sorted({*own, *sharing.shared_ids(ctx.store, AddressGroup, ctx.who.project_id)})

    def target(self, ctx: Context, row: AddressGroup, values: Mapping[str, Any]) -> Target:
        """Return the owner, and whether the caller's project shares in it."""
        return Target(row.project_id, shared=is_shared(ctx, row))

    def new_target(self, ctx: Context, values: Mapping[str, Any]) -> Target:
        """Return the owner to be."""
        return Target(values["project_id"])

    def create(self, ctx: Context, tx: Transaction, values: dict[str, Any]) -> AddressGroup:
        """Give it a key, of the same numbers as security groups."""
        given = values["addresses"]
        return AddressGroup(
            id=str(uuid4()),
            project_id=values["project_id"],
            key=next_number(tx, "group", GROUP_KEY_BITS),
            name=values["name"],
            description=values["description"],
            addresses=canonical(given if given is not constants.ATTR_NOT_SPECIFIED else ()),
        )

    def update(self, ctx: Context, tx: Transaction, row: AddressGroup, values: dict[str, Any]) -> AddressGroup:
        """Name or describe it otherwise."""
        return replace(row, **{name: values[name] for name in ("name", "description") if name in values})

    def delete(self, ctx: Context, tx: Transaction, row: AddressGroup) -> None:
        """Refuse while rules name it. Raises AddressGroupInUse."""
        if ctx.store.find_ids(SecurityGroupRule, "remote_address_group", row.id):
            raise errors.AddressGroupInUse(address_group_id=row.id)
        rbac.forget(tx, row.id)
        tx.delete(AddressGroup, row.id)


def canonical(addresses: Iterable[str]) -> tuple[str, ...]:
    """Return prefixes without host bits, none twice. Raises AddrFormatError for what is none."""
    return tuple(dict.fromkeys(str(netaddr.IPNetwork(address).cidr) for address in addresses))


def visible_address_group(ctx: Context, group_id: str) -> AddressGroup:
    """Return an address group that the caller may see. Raises AddressGroupNotFound."""
    group = ctx.store.get(AddressGroup, group_id)
    if group is None or not (ctx.who.is_admin or sharing.has_access(ctx.store, group, ctx.who.project_id)):
        raise errors.AddressGroupNotFound(address_group_id=group_id)
    return group
