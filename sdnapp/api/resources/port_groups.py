"""Security groups of a port: which it gets, and which it may have."""

from collections.abc import Mapping, Sequence
from typing import Any

from neutron_lib import constants
from neutron_lib.api import converters
from neutron_lib.exceptions import port_security

from sdnapp.api import sharing
from sdnapp.api.attributes import Specs
from sdnapp.api.resource import Context
from sdnapp.api.resources import default_group
from sdnapp.api.resources import security_errors as errors
from topology.store import Transaction
from topology.values import Port, SecurityGroup

GROUPS = "security_groups"
GROUP_ATTRIBUTES: Specs = {
    GROUPS: {
        "allow_post": True,
        "allow_put": True,
        "is_visible": True,
        "is_filter": True,
        "convert_to": converters.convert_none_to_empty_list,
        "validate": {"type:uuid_list": None},
        "default": constants.ATTR_NOT_SPECIFIED,
    }
}


def of_new_port(ctx: Context, tx: Transaction, values: Mapping[str, Any], secure: bool) -> tuple[str, ...]:
    """Return the groups of a port about to be: the named ones, else its project's default group.

    Raises PortSecurityAndIPRequiredForSecurityGroups, SecurityGroupNotFound, SecurityGroupConflict.
    """
    default = default_group.ensure(ctx, tx, values["project_id"])
    wanted = values[GROUPS]
    if not secure:
        return _none(wanted if wanted is not constants.ATTR_NOT_SPECIFIED else ())
    if wanted is constants.ATTR_NOT_SPECIFIED:
        return (default.id,) if default is not None else ()
    return _usable(ctx, wanted, values["project_id"])


def of_changed_port(ctx: Context, row: Port, values: Mapping[str, Any], secure: bool) -> tuple[str, ...]:
    """Return the groups of a port after a change.

    Raises PortSecurityPortHasSecurityGroup, and as ``of_new_port`` does.
    """
    wanted = values.get(GROUPS)
    if not secure:
        if wanted is None and row.security_groups:
            raise port_security.PortSecurityPortHasSecurityGroup()
        return _none(wanted or ())
    if wanted is None or set(wanted) == set(row.security_groups):
        return row.security_groups
    return _usable(ctx, wanted, ctx.who.project_id)


def _none(wanted: Sequence[str]) -> tuple[str, ...]:
    if wanted:
        raise port_security.PortSecurityAndIPRequiredForSecurityGroups()
    return ()


def _usable(ctx: Context, wanted: Sequence[str], project_id: str | None) -> tuple[str, ...]:
    """Return groups that a project may use, none twice. Raises SecurityGroupNotFound, SecurityGroupConflict."""
    groups, missing = [], []
    for group_id in dict.fromkeys(wanted):
        group = ctx.store.get(SecurityGroup, group_id)
        if group is None or not (ctx.who.serves_all or sharing.has_access(ctx.store, group, project_id)):
            missing.append(group_id)
        else:
            groups.append(group)
    if missing:
        raise errors.SecurityGroupNotFound(id=", ".join(missing))
    if len({group.stateful for group in groups}) > 1:
        reason = "Cannot apply both stateful and stateless security groups on the same port at the same time"
        raise errors.SecurityGroupConflict(reason=reason)
    return tuple(group.id for group in groups)
