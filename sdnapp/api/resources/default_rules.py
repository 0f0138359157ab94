"""Templates of the rules that new security groups begin with. Administrators choose them, for groups to come.

The first four, which Neutron has as well, are made at the first look: all may go out, and members of a project's
default group may reach each other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, ClassVar
from uuid import uuid4

from neutron_lib import constants
from neutron_lib.api import converters
from neutron_lib.db import constants as sizes
from neutron_lib.exceptions.address_group import AddressGroupNotFound
from webob.multidict import MultiDict

from sdnapp.api import policy
from sdnapp.api.attributes import AttributeMap, Specs
from sdnapp.api.policy import Target
from sdnapp.api.resource import Context, Resource, column, stamp_new
from sdnapp.api.resources import rule_values
from sdnapp.api.resources import security_errors as errors
from topology.store import Transaction
from topology.values import AddressGroup, Counter, DefaultSecurityGroupRule, SecurityGroup, SecurityGroupRule

PARENT = "PARENT"
"""The remote group of a template whose rules name their own group."""
_SEEDED = "default_security_group_rules"
_FIRST = (
    (constants.EGRESS_DIRECTION, None),
    (constants.INGRESS_DIRECTION, PARENT),
)
_SAID = frozenset(each.name for each in fields(DefaultSecurityGroupRule)) - {
    "id",
    "description",
    "used_in_default_sg",
    "used_in_non_default_sg",
    "created_at",
    "updated_at",
    "revision_number",
}
_USE = {
    "allow_post": True,
    "allow_put": False,
    "is_visible": True,
    "is_filter": True,
    "convert_to": converters.convert_to_boolean,
}
_ATTRIBUTES: Specs = {
    "description": {
        "allow_post": True,
        "allow_put": False,
        "default": "",
        "validate": {"type:string": sizes.LONG_DESCRIPTION_FIELD_SIZE},
        "is_visible": True,
        "is_filter": True,
    },
    "tenant_id": {
        "allow_post": True,
        "allow_put": False,
        "required_by_policy": True,
        "validate": {"type:string": sizes.PROJECT_ID_FIELD_SIZE},
        "is_visible": False,
    },
    "used_in_default_sg": _USE,
    "used_in_non_default_sg": _USE,
}


class DefaultSecurityGroupRules(Resource[DefaultSecurityGroupRule]):
    """What new security groups permit."""

    name = "default_security_group_rule"
    collection = "default_security_group_rules"
    schemas = rule_values.RULE_SCHEMAS
    row = DefaultSecurityGroupRule
    first_revision = 0
    methods = frozenset({"POST", "DELETE"})
    attributes = AttributeMap("default_security_group_rules", (), rule_values.RULE_ATTRIBUTES | _ATTRIBUTES)
    view: ClassVar = {
        name: column(name)
        for name in (
            "id",
            "ethertype",
            "direction",
            "port_range_min",
            "port_range_max",
            "remote_group_id",
            "remote_address_group_id",
            "description",
            "used_in_default_sg",
            "used_in_non_default_sg",
        )
    } | {"protocol": column("protocol_name"), "remote_ip_prefix": column("written_prefix")}
    indexes: ClassVar = {}
    rules: ClassVar = {
        "get_default_security_group_rule": policy.reader,
        "create_default_security_group_rule": policy.admin,
        "delete_default_security_group_rule": policy.admin,
    }

    def not_found(self, row_id: str) -> errors.DefaultSecurityGroupRuleNotFound:
        """Return DefaultSecurityGroupRuleNotFound."""
        return errors.DefaultSecurityGroupRuleNotFound(id=row_id)

    def before_list(self, ctx: Context, query: MultiDict) -> None:
        """Make the first templates."""
        if ctx.store.get(Counter, _SEEDED) is None:
            with ctx.store.transaction() as tx:
                _seed(ctx, tx)

    def related_ids(self, ctx: Context) -> Sequence[Sequence[str]]:
        """All of them: they are for everybody."""
        return [ctx.store.find_ids(DefaultSecurityGroupRule, "every", True)]

    def target(self, ctx: Context, row: DefaultSecurityGroupRule, values: Mapping[str, Any]) -> Target:
        """Nobody owns templates."""
        return Target("")

    def new_target(self, ctx: Context, values: Mapping[str, Any]) -> Target:
        """Nobody owns templates."""
        return Target("")

    def create(self, ctx: Context, tx: Transaction, values: dict[str, Any]) -> DefaultSecurityGroupRule:
        """Let new groups begin with one more rule.

        Raises DefaultSecurityGroupRuleExists, SecurityGroupNotFound, AddressGroupNotFound, and as
        ``rule_values.checked`` does.
        """
        said = rule_values.checked(values)
        uses = {name: values[name] for name in ("used_in_default_sg", "used_in_non_default_sg")}
        new = DefaultSecurityGroupRule(id=str(uuid4()), **said, **uses)
        if new.remote_group_id not in (None, PARENT) and tx.get(SecurityGroup, new.remote_group_id) is None:
            raise errors.SecurityGroupNotFound(id=new.remote_group_id)
        if new.remote_address_group_id and tx.get(AddressGroup, new.remote_address_group_id) is None:
            raise AddressGroupNotFound(address_group_id=new.remote_address_group_id)
        for other in _templates(ctx, tx):
            shared_use = (new.used_in_default_sg and other.used_in_default_sg) or (
                new.used_in_non_default_sg and other.used_in_non_default_sg
            )
            if shared_use and _rule_of(new).content == _rule_of(other).content:
                raise errors.DefaultSecurityGroupRuleExists(rule_id=other.id)
        return new

    def update(
        self, ctx: Context, tx: Transaction, row: DefaultSecurityGroupRule, values: dict[str, Any]
    ) -> DefaultSecurityGroupRule:
        """Not served: templates come and go."""
        raise NotImplementedError

    def delete(self, ctx: Context, tx: Transaction, row: DefaultSecurityGroupRule) -> None:
        """Let new groups begin without this rule."""
        tx.delete(DefaultSecurityGroupRule, row.id)


def is_first_description(rule: SecurityGroupRule) -> bool:
    """Return whether a rule's description is the one that the first templates give, and nobody wrote."""
    return rule.description == _description(rule.direction)


def _description(direction: str) -> str:
    return f"Legacy default SG rule for {direction} traffic"


def first_rules(ctx: Context, tx: Transaction, group: SecurityGroup) -> list[SecurityGroupRule]:
    """Return the rules of a new group, from the templates for groups like it; none where the remote is gone."""
    chosen = (
        template
        for template in _templates(ctx, tx)
        if (template.used_in_default_sg if group.is_default else template.used_in_non_default_sg)
    )
    return [_rule_of(template, group) for template in chosen if _has_remote(tx, template)]


def _templates(ctx: Context, tx: Transaction) -> Sequence[DefaultSecurityGroupRule]:
    _seed(ctx, tx)
    return tx.find(DefaultSecurityGroupRule, "every", True)


def _seed(ctx: Context, tx: Transaction) -> None:
    """Make the first templates, once in the life of a store: who deletes them has deleted them."""
    if tx.get(Counter, _SEEDED) is not None:
        return
    tx.put(Counter(_SEEDED, 1))
    for direction, remote in _FIRST:
        for ethertype in errors.ETHERTYPES:
            template = DefaultSecurityGroupRule(
                id=str(uuid4()),
                direction=direction,
                ethertype=ethertype,
                remote_group_id=remote,
                description=_description(direction),
                used_in_default_sg=True,
                used_in_non_default_sg=remote is None,
            )
            stamp_new(ctx, tx, template, revision=0)


def _rule_of(template: DefaultSecurityGroupRule, group: SecurityGroup | None = None) -> SecurityGroupRule:
    """Return the rule that a template becomes in a group, or would in any."""
    said = {name: getattr(template, name) for name in _SAID}
    owner, group_id = (group.project_id, group.id) if group is not None else ("", PARENT)
    if template.remote_group_id == PARENT:
        said["remote_group_id"] = group_id
    return SecurityGroupRule(id=str(uuid4()), project_id=owner, security_group_id=group_id, **said)


def _has_remote(tx: Transaction, template: DefaultSecurityGroupRule) -> bool:
    """Return whether the groups that a template names were not deleted since."""
    remote, addresses = template.remote_group_id, template.remote_address_group_id
    return (remote in (None, PARENT) or tx.get(SecurityGroup, str(remote)) is not None) and (
        addresses is None or tx.get(AddressGroup, addresses) is not None
    )
