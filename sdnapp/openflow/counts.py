"""What a switch has counted: packets of a table's flows, and packets that its meters dropped."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from sdnapp.openflow.connection import Connection
from sdnapp.openflow.messages import MalformedMessage, flow_stats_request, read_flow_counts
from sdnapp.openflow.meter_messages import read_stats, stats_request

LOG = logging.getLogger(__name__)

PATIENCE = 2.0
"""Seconds that each of two questions may take: whoever waits is a person, or a program that scrapes metrics."""


@dataclass(frozen=True)
class Counts:
    """Packets by cookie, of flows that had any; packets dropped by meters, by number, likewise."""

    flows: Mapping[int, int]
    meters: Mapping[int, int]


def counts_of(connection: Connection, table: int) -> Counts | None:
    """Ask a switch what it has counted in a table, and by its meters; None if it does not tell in time."""
    flow_replies = connection.ask(partial(flow_stats_request, table=table), PATIENCE)
    if flow_replies is None:
        return None
    meter_replies = connection.ask(stats_request, PATIENCE) if connection.session.metered else []
    if meter_replies is None:
        return None
    try:
        flows = {cookie: packets for reply in flow_replies for cookie, packets in read_flow_counts(reply) if packets}
        meters = {each.number: each.dropped for reply in meter_replies for each in read_stats(reply)[0] if each.dropped}
    except MalformedMessage as error:
        LOG.error("switch %s at %s sent a %s", connection.datapath_id, connection.address, error)
        return None
    return Counts(flows, meters)
