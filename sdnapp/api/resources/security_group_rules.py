"""Rules of security groups. A rule is the group's: whoever owns the group sees it and takes it away."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from uuid import uuid4

from neutron_lib.api import converters
from neutron_lib.db import constants as sizes
from webob.multidict import MultiDict

from sdnapp.api import policy, sharing
from sdnapp.api.attributes import STANDARD_ATTRIBUTES, AttributeMap, Specs
from sdnapp.api.intent.declaration import Born, InFile, Reference
from sdnapp.api.policy import Target
from sdnapp.api.resource import STANDARD_SCHEMAS, STANDARD_VIEW, Context, Getter, Resource, column, stamp_changed
from sdnapp.api.resources import default_group, default_rules, rule_values
from sdnapp.api.resources import security_errors as errors
from sdnapp.api.resources.address_groups import visible_address_group
from sdnapp.api.schemas import BOOLEAN
from topology.store import Transaction
from topology.values import SecurityGroup, SecurityGroupRule

_MEMBERS = policy.any_of(policy.admin, policy.project_member)
_READ_ONLY = {"allow_post": False, "allow_put": False, "is_visible": True, "is_filter": True}
_ATTRIBUTES: Specs = {
    "security_group_id": _READ_ONLY
    | {
        "allow_post": True,
        "is_sort_key": True,
        "required_by_policy": True,
        "validate": {"type:string": sizes.UUID_FIELD_SIZE},
    },
    "tenant_id": _READ_ONLY
    | {
        "allow_post": True,
        "is_sort_key": True,
        "required_by_policy": True,
        "validate": {"type:string": sizes.PROJECT_ID_FIELD_SIZE},
    },
    "normalized_cidr": _READ_ONLY | {"is_sort_key": True, "validate": {"type:subnet_or_none": None}},
    "belongs_to_default_sg": _READ_ONLY | {"convert_to": converters.convert_to_boolean_if_not_none},
}


def _is_in_default_group(ctx: Context, rule: SecurityGroupRule) -> bool:
    group = ctx.store.get(SecurityGroup, rule.security_group_id)
    return group is not None and group.is_default


_VIEW: dict[str, Getter] = {
    **{name: getter for name, getter in STANDARD_VIEW.items() if name != "name"},
    "security_group_id": column("security_group_id"),
    "direction": column("direction"),
    "ethertype": column("ethertype"),
    "protocol": column("protocol_name"),
    "port_range_min": column("port_range_min"),
    "port_range_max": column("port_range_max"),
    "remote_ip_prefix": column("written_prefix"),
    "normalized_cidr": column("remote_ip_prefix"),
    "remote_group_id": column("remote_group_id"),
    "remote_address_group_id": column("remote_address_group_id"),
    "belongs_to_default_sg": _is_in_default_group,
}


def show_rule(ctx: Context, rule: SecurityGroupRule) -> dict[str, Any]:
    """Return a rule as its group shows it."""
    return {name: getter(ctx, rule) for name, getter in _VIEW.items()}


def _written_description(ctx: Context, rule: SecurityGroupRule) -> str:
    return "" if default_rules.is_first_description(rule) else rule.description


_IN_FILE = (
    "direction",
    "ethertype",
    "protocol",
    "port_range_min",
    "port_range_max",
    "remote_ip_prefix",
    "remote_group_id",
    "remote_address_group_id",
)


def _first_values(ctx: Context, tx: Transaction, name: str, group: Any) -> list[dict[str, Any]]:
    """Return what the first rules of a group say, given by its name, and by its handle where they name it."""
    parent = default_rules.PARENT
    rules = default_rules.first_rules(ctx, tx, SecurityGroup(id=parent, project_id="", key=0, name=name))
    found = []
    for rule in rules:
        values = {each: _VIEW[each](ctx, rule) for each in _IN_FILE}
        if values["remote_group_id"] == parent:
            values["remote_group_id"] = group
        found.append(values | {"description": _written_description(ctx, rule)})
    return found


def _of_project(ctx: Context, project_id: str) -> list[SecurityGroupRule]:
    """Return the rules of a project's groups, whoever added them, and those that it added to others'."""
    found = {rule.id: rule for rule in ctx.store.find(SecurityGroupRule, "project", project_id)}
    for group_id in ctx.store.find_ids(SecurityGroup, "project", project_id):
        found.update({rule.id: rule for rule in ctx.store.find(SecurityGroupRule, "security_group", group_id)})
    return list(found.values())


class SecurityGroupRules(Resource[SecurityGroupRule]):
    """What members of a group may exchange."""

    name = "security_group_rule"
    collection = "security_group_rules"
    row = SecurityGroupRule
    has_quota = True
    first_revision = 0
    methods = frozenset({"POST", "DELETE"})
    attributes = AttributeMap(
        "security_group_rules", (), STANDARD_ATTRIBUTES | rule_values.RULE_ATTRIBUTES | _ATTRIBUTES
    )
    view = _VIEW
    in_file = InFile(
        parent="security_group_id",
        references={
            "security_group_id": Reference(("security_group",)),
            "remote_group_id": Reference(("security_group",)),
            "remote_address_group_id": Reference(("address_group",)),
        },
        keys=(),
        shown={"description": _written_description},
        normal=rule_values.normal,
        born=Born(_first_values, lambda ctx, group_id: ctx.store.find(SecurityGroupRule, "security_group", group_id)),
        found=_of_project,
    )
    schemas: ClassVar = STANDARD_SCHEMAS | rule_values.RULE_SCHEMAS | {"belongs_to_default_sg": BOOLEAN}
    indexes: ClassVar = {
        "project_id": "project",
        "tenant_id": "project",
        "security_group_id": "security_group",
        "remote_group_id": "remote_group",
        "remote_address_group_id": "remote_address_group",
    }
    rules: ClassVar = {
        "get_security_group_rule": policy.any_of(policy.admin, policy.project_reader),
        "create_security_group_rule": _MEMBERS,
        "delete_security_group_rule": _MEMBERS,
    }

    def not_found(self, row_id: str) -> errors.SecurityGroupRuleNotFound:
        """Return SecurityGroupRuleNotFound."""
        return errors.SecurityGroupRuleNotFound(id=row_id)

    def before_list(self, ctx: Context, query: MultiDict) -> None:
        """Make the default group, so that its rules are in the list."""
        default_group.ensure_shown(ctx, query)

    def check_together(self, ctx: Context, wanted: Sequence[Mapping[str, Any]]) -> None:
        """One request adds different rules to one group, for one project.

        Raises SecurityGroupNotSingleGroupRules, SecurityGroupRulesNotSingleProject, DuplicateSecurityGroupRuleInPost.
        """
        if len(wanted) == 1:
            return
        if len({values["security_group_id"] for values in wanted}) > 1:
            raise errors.SecurityGroupNotSingleGroupRules()
        if len({values["project_id"] for values in wanted}) > 1:
            raise errors.SecurityGroupRulesNotSingleProject()
        contents = {SecurityGroupRule("", "", "", **rule_values.checked(values)).content for values in wanted}
        if len(contents) < len(wanted):
            raise errors.DuplicateSecurityGroupRuleInPost()

    def related_ids(self, ctx: Context) -> Sequence[Sequence[str]]:
        """Rules of own groups."""
        groups = ctx.store.find_ids(SecurityGroup, "project", ctx.who.project_id)
        return [ctx.store.find_ids(SecurityGroupRule, "security_group", group) for group in groups]

    def target(self, ctx: Context, row: SecurityGroupRule, values: Mapping[str, Any]) -> Target:
        """Return the owner of the group."""
        group = ctx.store.get(SecurityGroup, row.security_group_id)
        return Target(group.project_id if group is not None else row.project_id)

    def new_target(self, ctx: Context, values: Mapping[str, Any]) -> Target:
        """Return the owner of the group. Raises SecurityGroupNotFound."""
        return Target(visible_group(ctx, values["security_group_id"]).project_id)

    def create(self, ctx: Context, tx: Transaction, values: dict[str, Any]) -> SecurityGroupRule:
        """Permit something more; the group's revision goes up, once a request.

        Raises SecurityGroupNotFound, SecurityGroupRuleExists, and as ``rule_values.checked`` does.
        """
        group, said = visible_group(ctx, values["security_group_id"]), rule_values.checked(values)
        if said["remote_group_id"]:
            visible_group(ctx, said["remote_group_id"])
        if said["remote_address_group_id"]:
            visible_address_group(ctx, said["remote_address_group_id"])
        rule = SecurityGroupRule(str(uuid4()), values["project_id"], group.id, **said)
        for same in tx.find_ids(SecurityGroupRule, "content", rule.content):
            raise errors.SecurityGroupRuleExists(rule_id=same)
        ctx.once(f"{group.id} has changed", lambda: stamp_changed(ctx, tx, group))
        return rule

    def update(
        self, ctx: Context, tx: Transaction, row: SecurityGroupRule, values: dict[str, Any]
    ) -> SecurityGroupRule:
        """Not served: rules come and go."""
        raise NotImplementedError

    def delete(self, ctx: Context, tx: Transaction, row: SecurityGroupRule) -> None:
        """Permit it no longer; the group's revision goes up."""
        tx.delete(SecurityGroupRule, row.id)
        if (group := tx.get(SecurityGroup, row.security_group_id)) is not None:
            stamp_changed(ctx, tx, group)


def visible_group(ctx: Context, group_id: str) -> SecurityGroup:
    """Return a security group that the caller may see. Raises SecurityGroupNotFound."""
    group = ctx.store.get(SecurityGroup, group_id)
    if group is None or not (ctx.who.is_admin or sharing.has_access(ctx.store, group, ctx.who.project_id)):
        raise errors.SecurityGroupNotFound(id=group_id)
    return group
