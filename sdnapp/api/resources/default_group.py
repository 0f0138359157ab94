"""The default security group: each project gets one before it first needs it, with the rules that new groups get."""

from uuid import uuid4

from webob.multidict import MultiDict

from sdnapp.api import quotas
from sdnapp.api.resource import Context, stamp_new
from sdnapp.api.resources import default_rules
from topology.allocation import GROUP_KEY_BITS, next_number
from topology.store import Transaction
from topology.values import DEFAULT_GROUP, SecurityGroup, SecurityGroupRule

DESCRIPTION = "Default security group"
_LONGEST_PROJECT_ID = 255


def ensure(ctx: Context, tx: Transaction, project_id: str | None) -> SecurityGroup | None:
    """Return a project's default group; None if it has none and the caller may not make it.

    Raises OverQuota if its rules would be too many.
    """
    if not project_id or len(project_id) > _LONGEST_PROJECT_ID:
        return None
    for group in ctx.store.find(SecurityGroup, "default", project_id):
        return group
    if not ctx.who.serves_all and not (project_id == ctx.who.project_id and "reader" in ctx.who.roles):
        return None
    group = SecurityGroup(
        id=str(uuid4()),
        project_id=project_id,
        key=next_number(tx, "group", GROUP_KEY_BITS),
        name=DEFAULT_GROUP,
        description=DESCRIPTION,
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
    rules = default_rules.first_rules(ctx, tx, group)
    quotas.check_more(ctx, "security_group_rule", SecurityGroupRule, group.project_id, len(rules))
    for rule in rules:
        stamp_new(ctx, tx, rule, revision=0)
