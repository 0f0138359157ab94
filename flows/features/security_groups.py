"""What each security group asks about a packet, and who is in the remote groups that rules name.

Everything here is published once to all chassis that need it: a group's questions to those where it filters a port, the
members of a remote group to those where a group's rules name it. So a group that names itself costs one flow a member
and not one for each pair, and a member that comes or goes one flow for each direction in which rules ask for it.
"""

from collections.abc import Iterator

from flows.actions import Action, Goto, Resubmit, SetField
from flows.features.port_filter import DIRECTION_NUMBERS
from flows.flow import flow
from flows.pipeline import GROUP_RULES, REMOTE_MEMBERS
from flows.units import Published, Unit, where_group_filters, where_remote_group_is_asked
from topology.facts import View
from topology.security import DIRECTIONS, INGRESS, group, remote_key, remotes, uses
from topology.values import AddressGroup, Port, SecurityGroup

FEATURE = "security_groups"


def remote_field(direction: str, stateful: bool) -> str:
    """Return the field with the address of the other end: who has begun an ingress connection, who answers another."""
    if stateful:
        return "ct_nw_src" if direction == INGRESS else "ct_nw_dst"
    return "ipv4_src" if direction == INGRESS else "ipv4_dst"


def questions(view: View, group_id: str) -> Published:
    """The rules that name nobody, and then those for each remote group, if the other end is in it."""
    asking = view.ask(group, group_id)
    if asking is None:
        return
    for direction in DIRECTIONS:
        actions: list[Action] = []
        for remote_id in view.ask(remotes, group_id, direction):
            key = view.ask(remote_key, remote_id) if remote_id is not None else 0
            if key is not None:
                table = "permissions" if remote_id is None else "remote_members"
                actions += [SetField("remote_group", key), Resubmit(table)]
        if actions:
            asked = {"security_group": asking.key, "direction": DIRECTION_NUMBERS[direction]}
            yield (
                where_group_filters(group_id),
                flow(GROUP_RULES, "rules", FEATURE, f"security_group/{group_id}", *actions, **asked),
            )


def member(view: View, port_id: str) -> Published:
    """A port is a member with all of its addresses, wherever it is and whether it is up or not."""
    port = view.get(Port, port_id)
    if port is None or not port.security_groups:
        return
    own = {fixed.ip_address for fixed in port.fixed_ips}
    addresses = own | {pair.ip_address for pair in port.allowed_address_pairs}
    for group_id in sorted(port.security_groups):
        yield from _members(view, group_id, addresses, f"port/{port_id}")


def listed(view: View, address_group_id: str) -> Published:
    """The addresses and prefixes of an address group."""
    row = view.get(AddressGroup, address_group_id)
    if row is not None:
        yield from _members(view, row.id, set(row.addresses), f"address_group/{row.id}")


def _members(view: View, remote_id: str, addresses: set[str], owner: str) -> Published:
    key = view.ask(remote_key, remote_id)
    if key is None:
        return
    for direction, stateful in sorted(view.ask(uses, remote_id)):
        asked = {"remote_group": key, "direction": DIRECTION_NUMBERS[direction], "stateful": int(stateful)}
        for address in _ipv4(addresses):
            other_end = {remote_field(direction, stateful): address}
            yield (
                where_remote_group_is_asked(remote_id),
                flow(REMOTE_MEMBERS, "member", FEATURE, owner, Goto("permissions"), **asked, **other_end),
            )


def _ipv4(addresses: set[str]) -> Iterator[str]:
    return (address for address in sorted(addresses) if ":" not in address)


UNITS = (Unit(questions, over=SecurityGroup), Unit(member, over=Port), Unit(listed, over=AddressGroup))
