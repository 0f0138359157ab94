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
from sdnapp.api.attributes import LONGEST_LIST, STANDARD_ATTRIBUTES, AttributeMap
from sdnapp.api.errors import invalid_input
from sdnapp.api.intent.declaration import InFile
from sdnapp.api.policy import Target
from sdnapp.api.resource import STANDARD_VIEW, Context, Resource, is_shared, stamp_changed
from sdnapp.api.resources import rbac
from sdnapp.api.schemas import STRING, list_of, record
from topology.allocation import GROUP_KEY_BITS, next_number
from topology.store import Transaction
from topology.values import AddressGroup, SecurityGroupRule

_MEMBERS = policy.any_of(policy.admin, policy.project_member)


class AddressGroups(Resource[AddressGroup]):
    """Sets of prefixes."""

    name = "address_group"
    collection = "address_groups"
    row = AddressGroup
    is_shown_only = True
    attributes = AttributeMap(
        "address_groups",
        (definition,),
        {name: spec for name, spec in STANDARD_ATTRIBUTES.items() if name != "description"},
    )
    view = STANDARD_VIEW | {"addresses": lambda ctx, group: list(group.addresses)}
    in_file = InFile(
        # A set: in which order it was said does not matter.
        shown={"addresses": lambda ctx, group: sorted(group.addresses)},
        canonical={"addresses": lambda addresses: sorted(canonical(addresses))},
        replaceable=frozenset({"addresses"}),
    )
    rules: ClassVar = {
        "get_address_group": policy.any_of(policy.admin, policy.project_reader, policy.shared_reader),
        "create_address_group": _MEMBERS,
        "update_address_group": _MEMBERS,
        "delete_address_group": _MEMBERS,
        "add_addresses": _MEMBERS,
        "remove_addresses": _MEMBERS,
    }
    actions = frozenset({"add_addresses", "remove_addresses"})
    action_schemas: ClassVar = dict.fromkeys(
        actions,
        (
            record({"addresses": list_of(STRING, maxItems=LONGEST_LIST)}, ["addresses"]),
            record({"address_group": {"$ref": "#/components/schemas/AddressGroup"}}, ["address_group"]),
        ),
    )

    def not_found(self, row_id: str) -> errors.AddressGroupNotFound:
        """Return AddressGroupNotFound."""
        return errors.AddressGroupNotFound(address_group_id=row_id)

    def related_ids(self, ctx: Context) -> Sequence[Sequence[str]]:
        """Own and shared groups."""
        own = ctx.store.find_ids(AddressGroup, "project", ctx.who.project_id)
        return [sorted({*own, *sharing.shared_ids(ctx.store, AddressGroup, ctx.who.project_id)})]

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
        """Name or describe it otherwise. Requests change its addresses by actions, project files as a whole."""
        changed = replace(row, **{name: values[name] for name in ("name", "description") if name in values})
        return replace(changed, addresses=canonical(values["addresses"])) if "addresses" in values else changed

    def delete(self, ctx: Context, tx: Transaction, row: AddressGroup) -> None:
        """Refuse while rules name it. Raises AddressGroupInUse."""
        if ctx.store.find_ids(SecurityGroupRule, "remote_address_group", row.id):
            raise errors.AddressGroupInUse(address_group_id=row.id)
        rbac.forget(tx, row.id)
        tx.delete(AddressGroup, row.id)

    def act(self, ctx: Context, tx: Transaction, action: str, row: AddressGroup, body: object) -> dict[str, Any]:
        """Add prefixes of a body ``{"addresses": [...]}``, or remove them.

        Raises InvalidInput, AddrFormatError, AddressesAlreadyExist, AddressesNotFound.
        """
        named, present = canonical(_addresses_in(body)), frozenset(row.addresses)
        if action == "add_addresses":
            if twice := [address for address in named if address in present]:
                raise errors.AddressesAlreadyExist(addresses=twice, address_group_id=row.id)
            addresses = row.addresses + named
        else:
            if missing := [address for address in named if address not in present]:
                raise errors.AddressesNotFound(addresses=missing, address_group_id=row.id)
            addresses = tuple(address for address in row.addresses if address not in named)
        changed = replace(row, addresses=addresses)
        if changed != row:
            changed = stamp_changed(ctx, tx, changed)
        return {self.name: {name: getter(ctx, changed) for name, getter in self.view.items()}}


def _addresses_in(body: object) -> list[str]:
    """Return the texts of a body ``{"addresses": [...]}``. Raises InvalidInput."""
    addresses = body.get("addresses") if isinstance(body, dict) else None
    if not isinstance(addresses, list) or not all(isinstance(each, str) for each in addresses):
        raise invalid_input('addresses: the body must be {"addresses": [PREFIX, ...]}')
    if len(addresses) > LONGEST_LIST:
        raise invalid_input(f"addresses: more than {LONGEST_LIST} items")
    return addresses


def canonical(addresses: Iterable[str]) -> tuple[str, ...]:
    """Return prefixes without host bits, none twice. Raises AddrFormatError for what is none."""
    return tuple(dict.fromkeys(map(_prefix, addresses)))


def _prefix(text: str) -> str:
    try:
        return str(netaddr.IPNetwork(text).cidr)
    except ValueError as error:
        raise netaddr.AddrFormatError(f"invalid IPNetwork {text}") from error


def visible_address_group(ctx: Context, group_id: str) -> AddressGroup:
    """Return an address group that the caller may see. Raises AddressGroupNotFound."""
    group = ctx.store.get(AddressGroup, group_id)
    if group is None or not (ctx.who.is_admin or sharing.has_access(ctx.store, group, ctx.who.project_id)):
        raise errors.AddressGroupNotFound(address_group_id=group_id)
    return group
