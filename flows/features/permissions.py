"""What the rules of security groups permit.

Every flow here does the same, so overlapping rules are a union without priorities, and no rule needs to know another.
That is why no conjunctive match is used: what a rule says of the other end's membership was settled by the table
before, so a rule is one flow, or one for each part of its port range.
"""

from collections.abc import Iterator

from flows.actions import SetField
from flows.features.port_filter import DIRECTION_NUMBERS
from flows.features.security_groups import remote_field
from flows.fields import (
    ETH_TYPE_IPV4,
    IP_PROTO_ICMP,
    IP_PROTO_SCTP,
    IP_PROTO_TCP,
    IP_PROTO_UDP,
    LATER_FRAGMENT,
)
from flows.flow import flow
from flows.pipeline import PERMISSIONS
from flows.port_ranges import cover
from flows.units import Published, Unit, where_group_filters
from topology.facts import View
from topology.security import group, remote_key, remote_of, rule
from topology.values import SecurityGroupRule

Match = dict[str, int | str]
STATELESS_PORTS = {IP_PROTO_TCP: "tcp_dst", IP_PROTO_UDP: "udp_dst", IP_PROTO_SCTP: "sctp_dst"}
"""Where a packet has its destination port, of the protocols that OpenFlow knows."""


def permitted(view: View, rule_id: str) -> Published:
    """What one rule permits: nothing, if the group or the remote group that it names does not exist."""
    row = view.ask(rule, rule_id)
    asking = view.ask(group, row.security_group_id) if row is not None else None
    if row is None or asking is None:
        return
    remote_id = remote_of(row)
    key = view.ask(remote_key, remote_id) if remote_id is not None else 0
    if key is None:
        return
    match: Match = {
        "security_group": asking.key,
        "direction": DIRECTION_NUMBERS[row.direction],
        "remote_group": key,
        "eth_type": ETH_TYPE_IPV4,
    }
    if row.remote_ip_prefix is not None:
        match[remote_field(row.direction, asking.stateful)] = row.remote_ip_prefix
    for protocol in _protocols(row, asking.stateful):
        yield (
            where_group_filters(asking.id),
            flow(
                PERMISSIONS, "rule", "permissions", f"security_group_rule/{row.id}", SetField("allowed", 1),
                **match, **protocol,
            ),
        )  # fmt: skip


def _protocols(row: SecurityGroupRule, stateful: bool) -> Iterator[Match]:
    if row.protocol is None:
        yield {}
        return
    match: Match = {"ct_nw_proto" if stateful else "ip_proto": row.protocol}
    if row.port_range_min is None:
        yield match
    elif row.protocol == IP_PROTO_ICMP:
        kind, code = ("ct_tp_src", "ct_tp_dst") if stateful else ("icmp_type", "icmp_code")
        yield {**match, kind: row.port_range_min} | (
            {code: row.port_range_max} if row.port_range_max is not None else {}
        )
    elif port := "ct_tp_dst" if stateful else STATELESS_PORTS.get(row.protocol):
        last = row.port_range_max if row.port_range_max is not None else row.port_range_min
        for value, mask in cover(row.port_range_min, last):
            yield {**match, port: f"{value:#x}/{mask:#x}"}
        if stateful:
            # Only the first fragment has ports. The userspace datapath lets later ones pass only together with it; the
            # kernel's shows a datagram as a whole. A stateless group that asks for ports permits no fragments.
            yield {**match, "ip_frag": f"{LATER_FRAGMENT}/{LATER_FRAGMENT}"}


UNITS = (Unit(permitted, over=SecurityGroupRule),)
