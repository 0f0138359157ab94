"""Filtered ports: what they send and receive is asked of their security groups, connection by connection.

A port is filtered while it has port security. It exchanges what one of its groups permits; without groups, nothing but
ARP and DHCP. Neutron API reference, "Security groups": established and related traffic passes without a rule of its
own.

A packet is judged by its connection as it was begun, and anew each time: so a rule that goes, or a member of a remote
group, ends the connections that it alone permitted, in both directions, and nothing else has to be told. Each port has
a connection tracking zone of its own, so that tenants with equal addresses never share state.
"""

from flows.actions import Action, Commit, Goto, Resubmit, SetField, Track, Untrack
from flows.declarations import Table
from flows.drops import drop
from flows.fields import ETH_TYPE_ARP, ETH_TYPE_IPV4
from flows.flow import flow
from flows.pipeline import (
    EGRESS_FILTER,
    EGRESS_STATELESS,
    EGRESS_TRACKING,
    EGRESS_VERDICT,
    INGRESS_FILTER,
    INGRESS_STATELESS,
    INGRESS_TRACKING,
    INGRESS_VERDICT,
)
from flows.units import EVERYONE, Published, Unit, on_chassis
from topology.facts import LivePort, View, live_port
from topology.security import EGRESS, INGRESS, Group, asked_groups, group
from topology.values import Port

FEATURE = "port_filter"
DIRECTION_NUMBERS = {EGRESS: 0, INGRESS: 1}
DHCP_CLIENT, DHCP_SERVER = 68, 67
AFTER_EGRESS, AFTER_INGRESS = "routing", "local_output"
"""Where packets go on that a port may send, and those that it may receive."""


def asked(view: View, port_id: str) -> Published:
    """Which groups one port asks about what it sends and receives."""
    port = view.ask(live_port, port_id)
    if port is None or not port.port_security_enabled:
        return
    here, owner = on_chassis(port.chassis_id), f"port/{port.id}"
    track = SetField("zone", port.zone)
    sent, received = {"from_port": port.key}, {"to_port": port.key}
    ip = {"eth_type": ETH_TYPE_IPV4}
    yield here, flow(EGRESS_TRACKING, "filtered", FEATURE, owner, track, Track("zone", "egress_filter"), **sent, **ip)
    # What was looked up for the sender, perhaps in the same zone, must not be taken for what is asked now.
    yield (
        here,
        flow(
            INGRESS_TRACKING, "filtered", FEATURE, owner, track, Untrack(), Track("zone", "ingress_filter"),
            **received, **ip,
        ),
    )  # fmt: skip
    yield here, flow(INGRESS_TRACKING, "other", FEATURE, owner, *drop("ingress_rules"), **received)
    found = (view.ask(group, group_id) for group_id in view.ask(asked_groups, port_id))
    groups = [each for each in found if each is not None]
    yield from _ask_stateless(port, [each for each in groups if not each.stateful])
    yield from _ask_stateful(port, [each for each in groups if each.stateful])


def _ask_stateless(port: LivePort, groups: list[Group]) -> Published:
    """About each packet by itself, before any connection is looked up."""
    if not groups:
        return
    for table, key, direction, goes_on in (
        (EGRESS_STATELESS, "from_port", EGRESS, "egress_tracking"),
        (INGRESS_STATELESS, "to_port", INGRESS, "ingress_tracking"),
    ):
        actions = (*_ask(groups, direction), Goto(goes_on))
        match = {key: port.key, "eth_type": ETH_TYPE_IPV4}
        yield on_chassis(port.chassis_id), flow(table, "groups", FEATURE, f"port/{port.id}", *actions, **match)


def _ask_stateful(port: LivePort, groups: list[Group]) -> Published:
    """About the connection as it was begun: what a port sends in reply is for the rules by which it was asked."""
    if not groups:
        return
    for table, key, begins, replies, verdict in (
        (EGRESS_FILTER, "from_port", EGRESS, INGRESS, "egress_verdict"),
        (INGRESS_FILTER, "to_port", INGRESS, EGRESS, "ingress_verdict"),
    ):
        for state, direction in (("+trk-inv-rpl", begins), ("+trk-inv+rpl", replies)):
            actions = (*_ask(groups, direction), Goto(verdict))
            match: dict[str, int | str] = {key: port.key, "eth_type": ETH_TYPE_IPV4, "ct_state": state}
            yield on_chassis(port.chassis_id), flow(table, "groups", FEATURE, f"port/{port.id}", *actions, **match)


def _ask(groups: list[Group], direction: str) -> list[Action]:
    actions: list[Action] = [
        SetField("direction", DIRECTION_NUMBERS[direction]),
        SetField("stateful", int(groups[0].stateful)),
    ]
    for each in groups:
        actions += [SetField("security_group", each.key), Resubmit("group_rules")]
    return actions


def verdicts(view: View) -> Published:
    """What all filtered ports have in common."""
    yield from _exceptions(EGRESS_TRACKING, AFTER_EGRESS, udp_src=DHCP_CLIENT, udp_dst=DHCP_SERVER)
    yield from _exceptions(INGRESS_TRACKING, AFTER_INGRESS, udp_src=DHCP_SERVER, udp_dst=DHCP_CLIENT)
    arp = flow(INGRESS_TRACKING, "arp", FEATURE, "table/ingress_tracking", Goto(AFTER_INGRESS), eth_type=ETH_TYPE_ARP)
    yield EVERYONE, arp
    for table, goes_on in ((EGRESS_VERDICT, AFTER_EGRESS), (INGRESS_VERDICT, AFTER_INGRESS)):
        owner, read = f"table/{table.name}", SetField("allowed", 0)
        allowed: dict[str, int | str] = {"allowed": 1, "eth_type": ETH_TYPE_IPV4}
        new = (read, Commit("zone"), Goto(goes_on))
        yield EVERYONE, flow(table, "new", FEATURE, owner, *new, **allowed, ct_state="+trk-inv+new")
        yield EVERYONE, flow(table, "known", FEATURE, owner, read, Goto(goes_on), **allowed, ct_state="+trk-inv")


def _exceptions(table: Table, goes_on: str, **dhcp: int) -> Published:
    owner = f"table/{table.name}"
    yield EVERYONE, flow(table, "permitted", FEATURE, owner, SetField("allowed", 0), Goto(goes_on), allowed=1)
    yield EVERYONE, flow(table, "dhcp", FEATURE, owner, Goto(goes_on), **dhcp)


UNITS = (Unit(verdicts), Unit(asked, over=Port, together=True))
