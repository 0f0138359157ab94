"""What follows from security groups: which groups a port asks, whom rules name, and where they are needed.

Facts, as in ``topology.facts``: for anything missing their answer permits nothing.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from topology.facts import PLACES_KEPT, At, Each, Relation, View, live_port
from topology.values import AddressGroup, Port, SecurityGroup, SecurityGroupRule

EGRESS, INGRESS = "egress", "ingress"
DIRECTIONS = (EGRESS, INGRESS)


class Group(NamedTuple):
    """What the pipeline needs to know of a security group."""

    id: str
    key: int
    stateful: bool


class Use(NamedTuple):
    """How rules ask for a remote group: in which direction, and of stateful groups or of stateless ones."""

    direction: str
    stateful: bool


def group(view: View, group_id: str) -> Group | None:
    """Return a security group."""
    row = view.get(SecurityGroup, group_id)
    return Group(row.id, row.key, row.stateful) if row is not None else None


def remote_key(view: View, remote_id: str) -> int | None:
    """Return the number in the pipeline of a security group or an address group that rules name."""
    row = view.get(SecurityGroup, remote_id) or view.get(AddressGroup, remote_id)
    return row.key if row is not None else None


def rule(view: View, rule_id: str) -> SecurityGroupRule | None:
    """Return a rule if it has a say in what the pipeline does: on IPv4."""
    row = view.get(SecurityGroupRule, rule_id)
    return row if row is not None and row.ethertype == "IPv4" else None


def remotes(view: View, group_id: str, direction: str) -> tuple[str | None, ...]:
    """Return whom a group's rules of a direction name: None if one names nobody, then sorted ids of remote groups."""
    rules = [view.ask(rule, rule_id) for rule_id in view.find_ids(SecurityGroupRule, "security_group", group_id)]
    named = {remote_of(each) for each in rules if each is not None and each.direction == direction}
    return tuple(sorted(named, key=lambda remote_id: remote_id or ""))


def remote_of(row: SecurityGroupRule) -> str | None:
    """Return the id of the remote group or address group that a rule names, or None."""
    return row.remote_group_id or row.remote_address_group_id


def uses(view: View, remote_id: str) -> frozenset[Use]:
    """Return how rules ask for a remote group; empty where none names it."""
    by_group = view.find_ids(SecurityGroupRule, "remote_group", remote_id)
    by_address_group = view.find_ids(SecurityGroupRule, "remote_address_group", remote_id)
    found = set()
    for rule_id in (*by_group, *by_address_group):
        row = view.ask(rule, rule_id)
        asking = view.ask(group, row.security_group_id) if row is not None else None
        if row is not None and asking is not None:
            found.add(Use(row.direction, asking.stateful))
    return frozenset(found)


def asked_groups(view: View, port_id: str) -> tuple[str, ...]:
    """Return the ids of the security groups that filter a live port, sorted; some may not exist."""
    port = view.ask(live_port, port_id)
    if port is None or not port.port_security_enabled:
        return ()
    return tuple(sorted(port.security_groups))


def says_which_groups(view: View, port_id: str) -> Iterable[tuple[At, str]]:
    """Say at the chassis of a live port which security groups filter it."""
    port = view.ask(live_port, port_id)
    if port is None:
        return ()
    return tuple(_saying(port.chassis_id, group_id) for group_id in view.ask(asked_groups, port_id))


@lru_cache(maxsize=PLACES_KEPT)
def _saying(chassis_id: str, group_id: str) -> tuple[At, str]:
    """Return what all ports of a group on a chassis say alike."""
    return At("group", chassis_id), group_id


GROUPS = Relation(Port, says_which_groups)
"""The security groups that filter the live ports of each chassis."""


def groups_at(view: View, chassis_id: str) -> tuple[str, ...]:
    """Return the ids of the security groups that filter a live port on a chassis, sorted."""
    return view.gather(GROUPS, At("group", chassis_id))


def named_by(view: View, group_id: str) -> frozenset[str]:
    """Return the ids of the remote groups that a security group's rules name."""
    named = {remote_id for direction in DIRECTIONS for remote_id in view.ask(remotes, group_id, direction)}
    return frozenset(remote_id for remote_id in named if remote_id is not None)


def says_whom_it_names(view: View, group_at: tuple[str, str]) -> Iterable[tuple[At, str]]:
    """Say at a chassis with a security group whom the group's rules name."""
    chassis_id, group_id = group_at
    here = At("remote group", chassis_id)
    return tuple((here, remote_id) for remote_id in view.ask(named_by, group_id))


ASKING = Relation(Each(GROUPS, "group"), says_whom_it_names)
"""The remote groups that the security groups on each chassis name."""
