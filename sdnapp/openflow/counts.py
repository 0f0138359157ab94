"""What a switch has counted: packets of a table's flows, and packets that its meters dropped."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from flows.pipeline import DROPS
from sdnapp.openflow.connection import Connection
from sdnapp.openflow.encoding import value_matched
from sdnapp.openflow.messages import MalformedMessage, flow_stats_request, read_flow_counts
from sdnapp.openflow.meter_messages import read_stats, stats_request

LOG = logging.getLogger(__name__)

FEATURE_AT = 48
"""Where a flow's cookie has the number of its feature."""
PATIENCE = 2.0
"""Seconds that each of two questions may take: whoever waits is a person, or a program that scrapes metrics."""


@dataclass(frozen=True)
class Counts:
    """Packets by cookie, of flows that had any; packets dropped by meters, by number, likewise.

    ``learnt``: of each counter that the switch has made itself, by cookie, which is that of all that one flow has
    learnt, and by the reason to drop that it is for. Those that had none are there, too.
    """

    flows: Mapping[int, int]
    meters: Mapping[int, int]
    learnt: Mapping[int, Mapping[int, int]] = field(default_factory=dict)


def packets_of(connection: Connection, table: int, feature: int) -> dict[int, int] | None:
    """Ask a switch how many packets each flow of a feature in a table has had, by cookie; None if it does not tell."""
    cookie, mask = feature << FEATURE_AT, ((1 << 64) - 1) >> FEATURE_AT << FEATURE_AT
    ask = partial(flow_stats_request, table=table, cookie=cookie, cookie_mask=mask)
    replies = connection.ask(ask, PATIENCE)
    if replies is None:
        return None
    try:
        return {each.cookie: each.packets for reply in replies for each in read_flow_counts(reply)}
    except MalformedMessage as error:
        LOG.error("switch %s at %s sent a %s", connection.datapath_id, connection.address, error)
        return None


def counts_of(connection: Connection) -> Counts | None:
    """Ask a switch what it has counted of what it dropped, and by its meters; None if it does not tell in time."""
    flow_replies = connection.ask(partial(flow_stats_request, table=DROPS.number), PATIENCE)
    if flow_replies is None:
        return None
    meter_replies = connection.ask(stats_request, PATIENCE) if connection.session.metered else []
    if meter_replies is None:
        return None
    try:
        counts = [each for reply in flow_replies for each in read_flow_counts(reply)]
        meters = {each.number: each.dropped for reply in meter_replies for each in read_stats(reply)[0] if each.dropped}
    except MalformedMessage as error:
        LOG.error("switch %s at %s sent a %s", connection.datapath_id, connection.address, error)
        return None
    flows: dict[int, int] = {}
    learnt: dict[int, dict[int, int]] = {}
    for each in counts:
        if each.priority == DROPS.priorities["counter"]:
            learnt.setdefault(each.cookie, {})[value_matched(each.match, "drop_reason")] = each.packets
        elif each.packets:
            flows[each.cookie] = each.packets
    return Counts(flows, meters, learnt)
