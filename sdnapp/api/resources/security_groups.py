"""Security groups: what ports that have them may exchange, as the union of their rules."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar
from uuid import uuid4

from neutron_lib.api import validators
from neutron_lib.api.definitions import security_groups_shared_filtering, stateful_security_group
from neutron_lib.db import constants as sizes
from webob.multidict import MultiDict

from sdnapp.api import policy, sharing, tags
from sdnapp.api.attributes import STANDARD_ATTRIBUTES, AttributeMap, Specs
from sdnapp.api.intent.declaration import InFile
from sdnapp.api.policy import Target
from sdnapp.api.resource import STANDARD_SCHEMAS, STANDARD_VIEW, Context, Resource, column, is_shared, stamp_changed
from sdnapp.api.resources import default_group, rbac
from sdnapp.api.resources import security_errors as errors
from sdnapp.api.resources.security_group_rules import show_rule
from sdnapp.api.schemas import STRING, list_of
from sdnapp.turns import Turns
from topology.allocation import GROUP_KEY_BITS, next_number
from topology.store import Transaction
from topology.values import DEFAULT_GROUP, Port, SecurityGroup, SecurityGroupRule

_MEMBERS = policy.any_of(policy.admin, policy.project_member)
_NAME = "sdnapp_security_group_name"


def _check_name(value: object, longest: int) -> str | None:
    """Return what is wrong with a name, as neutron-lib's validators do. Raises SecurityGroupDefaultAlreadyExists."""
    if message := validators.validate_string(value, longest):
        return str(message)
    if str(value).lower() == DEFAULT_GROUP:
        raise errors.SecurityGroupDefaultAlreadyExists()
    return None


validators.add_validator(_NAME, _check_name)

_READ_ONLY = {"allow_post": False, "allow_put": False, "is_visible": True}
_KEY = {"is_filter": True, "is_sort_key": True}
_ATTRIBUTES: Specs = {
    "id": _READ_ONLY | _KEY | {"validate": {"type:uuid": None}, "primary_key": True},
    "name": _KEY
    | {
        "allow_post": True,
        "allow_put": True,
        "is_visible": True,
        "default": "",
        "validate": {f"type:{_NAME}": sizes.NAME_FIELD_SIZE},
    },
    "tenant_id": _READ_ONLY
    | _KEY
    | {
        "allow_post": True,
        "required_by_policy": True,
        "validate": {"type:string": sizes.PROJECT_ID_FIELD_SIZE},
    },
    "security_group_rules": _READ_ONLY,
}


class SecurityGroups(Resource[SecurityGroup]):
    """Groups of ports that share rules."""

    name = "security_group"
    collection = "security_groups"
    row = SecurityGroup
    has_quota = True
    takes_others_along = True
    attributes = AttributeMap(
        "security_groups",
        (stateful_security_group, security_groups_shared_filtering),
        STANDARD_ATTRIBUTES | tags.TAG_ATTRIBUTES | _ATTRIBUTES,
    )
    view = STANDARD_VIEW | {
        "tags": tags.show,
        "stateful": column("stateful"),
        "shared": is_shared,
        "security_group_rules": lambda ctx, group: [
            show_rule(ctx, rule)
            for rule in Turns().between(ctx.store.find(SecurityGroupRule, "security_group", group.id))
        ],
    }
    in_file = InFile(
        shown={
            "description": lambda ctx, group: (
                "" if group.is_default and group.description == default_group.DESCRIPTION else group.description
            )
        },
        standing=DEFAULT_GROUP,
        may_delete=lambda group: not group.is_default,
        prepare=default_group.ensure,
    )
    schemas: ClassVar = STANDARD_SCHEMAS | {
        "name": STRING | {"maxLength": sizes.NAME_FIELD_SIZE},
        "security_group_rules": list_of({"$ref": "#/components/schemas/SecurityGroupRule"}),
    }
    rules: ClassVar = {
        "get_security_group": policy.any_of(policy.admin, policy.project_reader, policy.shared_reader),
        "create_security_group": _MEMBERS,
        "update_security_group": _MEMBERS,
        "delete_security_group": _MEMBERS,
    }

    def not_found(self, row_id: str) -> errors.SecurityGroupNotFound:
        """Return SecurityGroupNotFound."""
        return errors.SecurityGroupNotFound(id=row_id)

    def before_list(self, ctx: Context, query: MultiDict) -> None:
        """Make the default group, so that it is in the list."""
        default_group.ensure_shown(ctx, query)

    def related_ids(self, ctx: Context) -> Sequence[Sequence[str]]:
        """Own and shared groups."""
        own = ctx.store.find_ids(SecurityGroup, "project", ctx.who.project_id)
        return [sorted({*own, *sharing.shared_ids(ctx.store, SecurityGroup, ctx.who.project_id)})]

    def target(self, ctx: Context, row: SecurityGroup, values: Mapping[str, Any]) -> Target:
        """Return the owner, and whether the caller's project shares in it."""
        return Target(row.project_id, shared=is_shared(ctx, row))

    def new_target(self, ctx: Context, values: Mapping[str, Any]) -> Target:
        """Return the owner to be."""
        return Target(values["project_id"])

    def create(self, ctx: Context, tx: Transaction, values: dict[str, Any]) -> SecurityGroup:
        """Give it a key and the rules that new groups have. Raises OverQuota."""
        default_group.ensure(ctx, tx, values["project_id"])
        group = SecurityGroup(
            id=str(uuid4()),
            project_id=values["project_id"],
            key=next_number(tx, "group", GROUP_KEY_BITS),
            name=values["name"],
            description=values["description"],
            stateful=values["stateful"],
        )
        default_group.add_first_rules(ctx, tx, group)
        return group

    def update(self, ctx: Context, tx: Transaction, row: SecurityGroup, values: dict[str, Any]) -> SecurityGroup:
        """Raises SecurityGroupInUse, SecurityGroupCannotUpdateDefault."""
        changed = replace(row, **{name: values[name] for name in ("name", "description", "stateful") if name in values})
        if changed.stateful != row.stateful and ctx.store.find_ids(Port, "security_group", row.id):
            raise errors.SecurityGroupInUse(id=row.id)
        if row.is_default and "name" in values:
            raise errors.SecurityGroupCannotUpdateDefault()
        return changed

    def delete(self, ctx: Context, tx: Transaction, row: SecurityGroup) -> None:
        """Take along its rules, and those of others that name it. Raises SecurityGroupInUse."""
        if ctx.store.find_ids(Port, "security_group", row.id):
            raise errors.SecurityGroupInUse(id=row.id)
        if row.is_default and not ctx.who.is_admin:
            raise errors.SecurityGroupCannotRemoveDefault()
        for rule_id in tx.find_ids(SecurityGroupRule, "security_group", row.id):
            tx.delete(SecurityGroupRule, rule_id)
        naming = tx.find(SecurityGroupRule, "remote_group", row.id)
        for rule in naming:
            tx.delete(SecurityGroupRule, rule.id)
        for group_id in {rule.security_group_id for rule in naming}:
            if (group := tx.get(SecurityGroup, group_id)) is not None:
                stamp_changed(ctx, tx, group)
        rbac.forget(tx, row.id)
        tx.delete(SecurityGroup, row.id)
