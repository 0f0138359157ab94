"""Filtered ports: what they send and receive is asked of their security groups, connection by connection.

A port is filtered while it has port security. It exchanges what one of its groups permits; without groups, nothing but
ARP and DHCP. Neutron API reference, "Security groups": established and related traffic passes without a rule of its
own.

Most ports have one group, a stateful one. It is noted of a packet with the port, so that all such ports ask by the same
flows; ports with several groups, or stateless ones, ask by flows of their own.

A packet is judged by its connection as it was begun, and anew each time: so a rule that goes, or a member of a remote
group, ends the connections that it alone permitted, in both directions, and nothing else has to be told. Each port has
a connection tracking zone of its own, so that tenants with equal addresses never share state.
"""

from flows.actions import REMEMBERED, Action, Commit, Goto, Resubmit, SetField, Track, Untrack
from flows.declarations import Table
from flows.drops import drop
from flows.features.source_ports import MOST_ATTEMPTS
from flows.fields import ETH_TYPE_ARP, ETH_TYPE_IPV4, FIRST_FRAGMENT, IP_PROTO_UDP
from flows.flow import flow
from flows.pipeline import (
    CONNECTIONS,
    EGRESS_FILTER,
    EGRESS_STATELESS,
    EGRESS_TRACKING,
    EGRESS_VERDICT,
    INGRESS_FILTER,
    INGRESS_STATELESS,
    INGRESS_TRACKING,
    INGRESS_VERDICT,
    RECEIVER,
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


def how_filtered(view: View, port: LivePort) -> tuple[SetField, ...]:
    """Return what is noted of a filtered port for what it sends, and anew for what it receives; nothing of others."""
    if not port.port_security_enabled:
        return ()
    only, noted = _only_group(_groups(view, port)), (SetField("filtered", 1), SetField("zone", port.zone))
    if only is None:
        return *noted, SetField("one_group", 0)
    return *noted, SetField("one_group", 1), SetField("security_group", only.key)


def asked(view: View, port_id: str) -> Published:
    """Which groups one port asks about what it sends and receives, where that is not one that is known by then."""
    port = view.ask(live_port, port_id)
    if port is None or not port.port_security_enabled:
        return
    here, owner, go_on = on_chassis(port.chassis_id), f"port/{port.id}", Goto("ingress_stateless")
    yield here, flow(RECEIVER, "filtered", FEATURE, owner, *how_filtered(view, port), go_on, to_port=port.key)
    groups = _groups(view, port)
    yield from _ask_stateless(port, [each for each in groups if not each.stateful])
    if _only_group(groups) is None:
        yield from _ask_stateful(port, [each for each in groups if each.stateful])


def _groups(view: View, port: LivePort) -> list[Group]:
    found = (view.ask(group, group_id) for group_id in view.ask(asked_groups, port.id))
    return [each for each in found if each is not None]


def _only_group(groups: list[Group]) -> Group | None:
    """Return the one stateful group where there is no other."""
    return groups[0] if len(groups) == 1 and groups[0].stateful else None


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
    questions = {direction: _ask(groups, direction) for direction in DIRECTION_NUMBERS}
    for table, key in ((EGRESS_FILTER, "from_port"), (INGRESS_FILTER, "to_port")):
        for state, direction, verdict in _sides(table):
            actions = (*questions[direction], Goto(verdict))
            match: dict[str, int | str] = {key: port.key, "eth_type": ETH_TYPE_IPV4, "ct_state": state}
            yield on_chassis(port.chassis_id), flow(table, "groups", FEATURE, f"port/{port.id}", *actions, **match)


def _sides(table: Table) -> tuple[tuple[str, str, str], ...]:
    """Return connection state, direction of the rules that are asked then, and the table with the verdict."""
    begins, replies, verdict = {
        EGRESS_FILTER.name: (EGRESS, INGRESS, "egress_verdict"),
        INGRESS_FILTER.name: (INGRESS, EGRESS, "ingress_verdict"),
    }[table.name]
    return ("+trk-inv-rpl", begins, verdict), ("+trk-inv+rpl", replies, verdict)


def _rules_of(direction: str, stateful: bool) -> tuple[SetField, SetField]:
    return SetField("direction", DIRECTION_NUMBERS[direction]), SetField("stateful", int(stateful))


def _ask(groups: list[Group], direction: str) -> list[Action]:
    actions: list[Action] = [*_rules_of(direction, groups[0].stateful)]
    for each in groups:
        actions += [SetField("security_group", each.key), Resubmit("group_rules")]
    return actions


def all_filtered(view: View) -> Published:
    """What all filtered ports have in common."""
    # What was noted of the sender does not hold for the receiver.
    of_others = SetField("filtered", 0), Goto("ingress_stateless")
    yield EVERYONE, flow(RECEIVER, "unfiltered", FEATURE, "table/receiver", *of_others)
    filtered: dict[str, int | str] = {"filtered": 1, "eth_type": ETH_TYPE_IPV4}
    track = Track("zone", "egress_filter")
    yield EVERYONE, flow(EGRESS_TRACKING, "filtered", FEATURE, "table/egress_tracking", track, **filtered)
    # In another zone than the sender's it is looked up anew, whatever is known of it; a port that sends to itself has
    # the same zone for the same packet. So nothing has to be forgotten between, which costs an action for each packet.
    look_up, owner = Track("zone", "ingress_filter"), "table/ingress_tracking"
    yield EVERYONE, flow(INGRESS_TRACKING, "filtered", FEATURE, owner, look_up, **filtered)
    yield EVERYONE, flow(INGRESS_TRACKING, "other", FEATURE, owner, *drop("ingress_rules"), filtered=1)
    for table in (EGRESS_FILTER, INGRESS_FILTER):
        for state, direction, verdict in _sides(table):
            actions = (*_rules_of(direction, stateful=True), Resubmit("group_rules"), Goto(verdict))
            match: dict[str, int | str] = {"one_group": 1, "eth_type": ETH_TYPE_IPV4, "ct_state": state}
            yield EVERYONE, flow(table, "group", FEATURE, f"table/{table.name}", *actions, **match)
    yield from _fragments()
    yield from _exceptions(EGRESS_TRACKING, AFTER_EGRESS, udp_src=DHCP_CLIENT, udp_dst=DHCP_SERVER)
    yield from _exceptions(INGRESS_TRACKING, AFTER_INGRESS, udp_src=DHCP_SERVER, udp_dst=DHCP_CLIENT)
    arp = flow(INGRESS_TRACKING, "arp", FEATURE, "table/ingress_tracking", Goto(AFTER_INGRESS), eth_type=ETH_TYPE_ARP)
    yield EVERYONE, arp
    yield from _permitted()


def _permitted() -> Published:
    """What groups permit goes on. Of what begins a connection a copy is counted, if the port has no room for it.

    A connection is new until it is answered, so what is remembered by then has its mark, and is not remembered again.
    """
    read = SetField("allowed", 0)
    allowed: dict[str, int | str] = {"allowed": 1, "eth_type": ETH_TYPE_IPV4}
    begins: dict[str, int | str] = {**allowed, "ct_state": "+trk-inv+new", "ct_mark": 0}
    for table, goes_on in ((EGRESS_VERDICT, AFTER_EGRESS), (INGRESS_VERDICT, AFTER_INGRESS)):
        owner, go_on, counted = f"table/{table.name}", Goto(goes_on), Commit("zone", CONNECTIONS.name)
        yield EVERYONE, flow(table, "new", FEATURE, owner, read, counted, go_on, **begins)
        yield EVERYONE, flow(table, "known", FEATURE, owner, read, go_on, **allowed, ct_state="+trk-inv")
    # Whose connection has been tried so often may come here at its last pass: a copy would have one more.
    uncounted = (read, Commit("zone"), Goto(AFTER_INGRESS))
    owner = f"table/{INGRESS_VERDICT.name}"
    yield EVERYONE, flow(INGRESS_VERDICT, "last_pass", FEATURE, owner, *uncounted, attempt=MOST_ATTEMPTS, **begins)
    owner = f"table/{CONNECTIONS.name}"
    yield EVERYONE, flow(CONNECTIONS, "remembered", FEATURE, owner, ct_mark=REMEMBERED)
    for direction, reason in ((EGRESS, "egress_connections"), (INGRESS, "ingress_connections")):
        of_it = {"direction": DIRECTION_NUMBERS[direction]}
        yield EVERYONE, flow(CONNECTIONS, "refused", FEATURE, owner, *drop(reason), **of_it)


def _fragments() -> Published:
    """No DHCP server in fragments either: until they are put together, no table sees their ports.

    What a stateless group permits is put together for that alone.
    """
    fragments = f"{FIRST_FRAGMENT}/{FIRST_FRAGMENT}"
    permitted: dict[str, int | str] = {"allowed": 1, "eth_type": ETH_TYPE_IPV4}
    udp: dict[str, int | str] = {"ip_proto": IP_PROTO_UDP, "ip_frag": fragments}
    look = Track("zone", "egress_filter")
    yield EVERYONE, flow(EGRESS_TRACKING, "fragments", FEATURE, "table/egress_tracking", look, **permitted, **udp)
    for state, port in (("+trk-inv-rpl", "ct_tp_dst"), ("+trk-inv+rpl", "ct_tp_src")):
        to_client: dict[str, int | str] = {"ip_frag": fragments, "ct_nw_proto": IP_PROTO_UDP, port: DHCP_CLIENT}
        refused = drop("dhcp_server")
        yield (
            EVERYONE,
            flow(EGRESS_FILTER, "server", FEATURE, "drop/dhcp_server", *refused, **to_client, ct_state=state),
        )
    go_on = SetField("allowed", 0), Untrack(), Goto(AFTER_EGRESS)
    owner = f"table/{EGRESS_FILTER.name}"
    yield EVERYONE, flow(EGRESS_FILTER, "permitted", FEATURE, owner, *go_on, **permitted, ct_state="+trk-inv")


def _exceptions(table: Table, goes_on: str, **dhcp: int) -> Published:
    owner = f"table/{table.name}"
    yield EVERYONE, flow(table, "permitted", FEATURE, owner, SetField("allowed", 0), Goto(goes_on), allowed=1)
    yield EVERYONE, flow(table, "dhcp", FEATURE, owner, Goto(goes_on), **dhcp)


UNITS = (Unit(all_filtered), Unit(asked, over=Port, together=True))
