"""How many connections each connection tracking zone may have: no port fills the table that its chassis shares. Pure.

Each port has a zone of its own, and so has each router and floating address that a chassis translates for. Open vSwitch
counts by zone, and remembers no more once a zone is full; the other zones do not notice.

The limit that zones inherit (``Datapath``'s ``ct_zone_default_limit``) came with Open vSwitch 3.3. In the kernel each
zone is counted by itself; the datapath in user space counted all of them as one until 3.5, which would let one port
fill everybody's. Switches without it are told on the spot (``sdnapp chassis limit-connections``).
"""

from sdnapp.ovsdb import operations as ops
from sdnapp.ovsdb.datapath import KERNEL, type_of
from sdnapp.ovsdb.rows import Datapath, OpenVSwitch
from sdnapp.ovsdb.steps import Found, Plan, Situation
from sdnapp.ovsdb.versions import counts_zones_apart, version_of


def plan_connection_limit(result: Plan, situation: Situation, found: Found) -> None:
    """Let the zones of the integration bridge's datapath inherit the limit, where the switch can and it is not so."""
    replica, limit, kind = situation.replica, situation.connections, type_of(found.bridge)
    switch = replica.rows(OpenVSwitch)[situation.root]
    if not limit or not replica.limits_connections or not found.bridge.datapath_id:
        return
    if kind != KERNEL and not counts_zones_apart(version_of(switch.ovs_version)):
        return
    what = f"datapath {kind}: {limit} connections in each zone"
    known = switch.datapaths.get(kind)
    row = replica.get(Datapath, known) if known is not None else None
    if known is None or row is None:
        result.step(
            what,
            ops.insert(Datapath.TABLE, {"ct_zone_default_limit": limit}, "datapath"),
            ops.mutate(OpenVSwitch.TABLE, situation.root, ["datapaths", "insert", _entry(kind)]),
        )
    elif row.ct_zone_default_limit != limit:
        result.step(what, ops.update(Datapath.TABLE, known, ct_zone_default_limit=limit))


def _entry(kind: str) -> list[object]:
    return ["map", [[kind, ops.named("datapath")]]]
