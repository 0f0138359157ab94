"""The default security group: each project gets one before it first needs it, with the rules that new groups get."""

from typing import NamedTuple
from uuid import uuid4

from neutron_lib import constants
from webob.multidict import MultiDict

from sdnapp.api import quotas
from sdnapp.api.resource import Context, stamp_new
from topology.allocation import GROUP_KEY_BITS, next_number
from topology.store import Transaction
from topology.values import DEFAULT_GROUP, SecurityGroup, SecurityGroupRule

_LONGEST_PROJECT_ID = 255


class _Template(NamedTuple):
    direction: str
    ethertype: str
    from_same_group: bool


_FOR_EACH = (
    _Template(constants.EGRESS_DIRECTION, constants.IPv4, False),
    _Template(constants.EGRESS_DIRECTION, constants.IPv6, False),
)
_FOR_DEFAULT = (
    *_FOR_EACH,
    _Template(constants.INGRESS_DIRECTION, constants.IPv4, True),
    _Template(constants.INGRESS_DIRECTION, constants.IPv6, True),
)


def ensure(ctx: Context, tx: Transaction, project_id: str | None) -> SecurityGroup | None:
    """Return a project's default group; None if it has none and the caller may not make it.

    Raises OverQuota if its rules would be too many.
    """
    if not project_id or len(project_id) > _LONGEST_PROJECT_ID:
        return None
    for group in ctx.store.find(SecurityGroup, "default", project_id):
        return group
    if not ctx.who.is_admin and not (project_id == ctx.who.project_id and "reader" in ctx.who.roles):
        return None
    group = SecurityGroup(
        id=str(uuid4()),
        project_id=project_id,
        key=next_number(tx, "group", GROUP_KEY_BITS),
        name=DEFAULT_GROUP,
        description="Default security group",
    )
    add_first_rules(ctx, tx, group)
    return stamp_new(ctx, tx, group)


def ensure_shown(ctx: Context, query: MultiDict) -> None:
    """Give a project its default group before somebody looks for it: the project that a list is filtered by, or his."""
    project_id = query.get("project_id") or query.get("tenant_id") or ctx.who.project_id
    if project_id and not ctx.store.find_ids(SecurityGroup, "default", project_id):
        with ctx.store.transaction() as tx:
            ensure(ctx, tx, project_id)


def add_first_rules(ctx: Context, tx: Transaction, group: SecurityGroup) -> None:
    """Store the rules that a group has from the beginning. Raises OverQuota."""
    templates = _FOR_DEFAULT if group.is_default else _FOR_EACH
    quotas.check_more(ctx, "security_group_rule", SecurityGroupRule, group.project_id, len(templates))
    for template in templates:
        rule = SecurityGroupRule(
            id=str(uuid4()),
            project_id=group.project_id,
            security_group_id=group.id,
            direction=template.direction,
            ethertype=template.ethertype,
            remote_group_id=group.id if template.from_same_group else None,
        )
        stamp_new(ctx, tx, rule)
