"""A flow table that finds the flow of a packet quickly, and refuses what Open vSwitch would refuse.

Flows that match on the same fields with the same masks share a hash table (tuple space search), so the time to look a
packet up grows with the number of such shapes, about a dozen in a table of ours, and not with the number of flows.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from flows.actions import Action, Commit, DecrementTtl, Goto, Move, PopVlan, PushVlan, SetField, Track, Translate
from flows.fields import CT_VALID, ETH_TYPE_IPV4, FIELDS, VLAN_PRESENT
from flows.flow import Flow, Term, field_named
from flows.packets import ETH_TYPE_IPV6
from flows.pipeline import TABLES

Shape = tuple[tuple[str, int], ...]
"""The fields that a flow matches on, each with its mask (all ones where exact)."""

READ_ONLY = frozenset({"eth_type", "ip_proto", "ip_frag", "ct_state", "ct_mark"}) | {
    field.name for field in FIELDS.values() if field.tracked
}
"""No switch sets these."""
OF_EITHER_VERSION = frozenset({"ip_ttl", "ip_frag", "ip_proto", "ct_nw_proto"}) | {
    name for name in FIELDS if name.startswith(("tcp_", "udp_", "sctp_", "ct_tp_"))
}
"""Fields that packets of IPv6 have, too (ovs-fields(7)), though the pipeline knows those of IPv4 only."""
MAX_TAGS = 2
MAX_ARP_OP = 0xFF
"""Open vSwitch keeps eight bits of the operation."""


@dataclass(slots=True)
class _Shelf:
    """The flows of one shape, by the values that they match, and the highest priority among them."""

    shape: Shape
    flows: dict[tuple[int, ...], list[Flow]]
    highest: int


class FlowTable:
    """The flows of one table. Raises ValueError for two that a switch could not hold both."""

    def __init__(self, flows: Iterable[Flow]) -> None:
        shelves: dict[Shape, _Shelf] = {}
        for flow in flows:
            shape = tuple((term.field, _mask(term)) for term in flow.match)
            shelf = shelves.get(shape) or shelves.setdefault(shape, _Shelf(shape, {}, flow.priority))
            values = tuple(term.value & mask for term, (_, mask) in zip(flow.match, shape, strict=True))
            same = shelf.flows.setdefault(values, [])
            if clash := next((other for other in same if other.priority == flow.priority), None):
                raise ValueError(
                    f"two flows match the same: {flow} of {flow.owner}, and {clash} of {clash.owner}; "
                    "give them different priorities or matches"
                )
            same.append(flow)
            shelf.highest = max(shelf.highest, flow.priority)
        for shelf in shelves.values():
            for same in shelf.flows.values():
                if len(same) > 1:
                    same.sort(key=lambda flow: -flow.priority)
        self._shelves = sorted(shelves.values(), key=lambda shelf: -shelf.highest)

    def find(self, read: Callable[[str], int]) -> list[Flow]:
        """Return the flows of the highest priority that match, given how to read a field: one, or none.

        More than one is a defect of the flows: a switch may take either.
        """
        best: list[Flow] = []
        priority = -1
        for shelf in self._shelves:
            if shelf.highest < priority:
                break
            same = shelf.flows.get(tuple([read(name) & mask for name, mask in shelf.shape]))
            if same is None or same[0].priority < priority:
                continue
            if same[0].priority > priority:
                best, priority = [], same[0].priority
            best.append(same[0])
        return best


def _mask(term: Term) -> int:
    return (1 << field_named(term.field).bits) - 1 if term.mask is None else term.mask


def refusal(flow: Flow) -> str | None:
    """Say why Open vSwitch would refuse a flow, or return None.

    As in OpenFlow 1.3.5, sections 7.2.3.6 to 7.2.3.8 and 5.12: a match or a set of a field needs its prerequisites in
    the match (OFPBMC_BAD_PREREQ, OFPBAC_MATCH_INCONSISTENT), and a path only leads forward.
    """
    known = {term.field: term for term in flow.match}
    for term in flow.match:
        if missing := _unmet(term.field, known):
            return f"matching on {term.field} needs {missing} in the match"
    tags = int(_has_tag(known.get("vlan_vid")))
    for action in flow.actions:
        if isinstance(action, PushVlan):
            tags += 1
            if tags > MAX_TAGS:
                return f"more than {MAX_TAGS} VLAN tags"
        if (
            isinstance(action, PopVlan | SetField)
            and (isinstance(action, PopVlan) or action.field == "vlan_vid")
            and not tags
        ):
            return "there may be no VLAN tag; match vlan_vid or push one"
        if isinstance(action, PopVlan):
            tags -= 1
        if reason := _refused_action(flow, action, known):
            return reason
    return None


def _refused_action(flow: Flow, action: Action, known: dict[str, Term]) -> str | None:
    match action:
        case DecrementTtl():
            needed = (ETH_TYPE_IPV4, ETH_TYPE_IPV6)
            is_met = any(known.get("eth_type") == Term("eth_type", each, None) for each in needed)
            return None if is_met else f"dec_ttl needs eth_type={needed[0]:#x} or {needed[1]:#x} in the match"
        case SetField(name, value):
            if name == "vlan_vid" and not value & VLAN_PRESENT:
                return "vlan_vid is set without the bit VLAN_PRESENT"
            if name == "arp_op" and value > MAX_ARP_OP:
                return f"arp_op has 8 bits in Open vSwitch, {value} does not fit"
            return _unsettable(name, known)
        case Move(source, target):
            if field_named(source).bits != field_named(target).bits:
                return f"{source} and {target} differ in width"
            if missing := _unmet(source, known):
                return f"reading {source} needs {missing} in the match"
            return _unsettable(target, known)
        case Track() | Commit() | Translate() if known.get("eth_type") != Term("eth_type", ETH_TYPE_IPV4, None):
            return f"connection tracking needs eth_type={ETH_TYPE_IPV4:#x} in the match"
        case Goto(table) if TABLES[table].number <= flow.table:
            return f"goto leads back to {table}"
    return None


def _unsettable(name: str, known: dict[str, Term]) -> str | None:
    if name in READ_ONLY:
        return f"{name} is read-only"
    if missing := _unmet(name, known):
        return f"setting {name} needs {missing} in the match"
    return None


def _unmet(name: str, known: dict[str, Term]) -> str | None:
    """Name the prerequisite of a field that the match lacks."""
    for needed, value in field_named(name).needs:
        is_either = value == ETH_TYPE_IPV4 and name in OF_EITHER_VERSION
        values = (ETH_TYPE_IPV4, ETH_TYPE_IPV6) if is_either else (value,)
        if known.get(needed) not in [Term(needed, each, None) for each in values]:
            return " or ".join(f"{needed}={each:#x}" for each in values)
    if field_named(name).tracked:
        value, mask = CT_VALID
        state = known.get("ct_state")
        if state is None or state.mask is None or state.mask & mask != mask or state.value & mask != value:
            return "ct_state=+trk-inv"
    return None


def _has_tag(vlan: Term | None) -> bool:
    return vlan is not None and bool(vlan.value & _mask(vlan) & VLAN_PRESENT)
