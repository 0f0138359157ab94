"""Which datapath the integration bridge uses: the kernel's where the switch has it, else the one in user space. Pure.

``Open_vSwitch.datapath_types`` lists what was compiled in, not what works: without the kernel module ``system`` is
there, too, and a bridge of that type fails without a trace in the database (no ``error``, no ``ofport``). So a new
bridge takes the type of the bridges that it shall be patched to, or that are there; else ``system`` is tried. When
``ovs-vswitchd`` has acted on it (``cur_cfg``) and the bridge has no datapath id, it takes ``netdev``.
``external_ids:sdnapp-datapath-type`` overrides all this.
"""

from sdnapp.ovsdb import operations as ops
from sdnapp.ovsdb.naming import is_owned
from sdnapp.ovsdb.observation import interfaces_of
from sdnapp.ovsdb.replica import Replica
from sdnapp.ovsdb.rows import Bridge, OpenVSwitch
from sdnapp.ovsdb.settings import DATAPATH_TYPE, Settings
from sdnapp.ovsdb.steps import Found, Plan, Situation

KERNEL = "system"
USER_SPACE = "netdev"


def type_of(bridge: Bridge) -> str:
    """Return the type of the bridge's datapath; in the database the kernel's may be left out."""
    return bridge.datapath_type or KERNEL


def type_for_new_bridge(replica: Replica, settings: Settings) -> str:
    """Return the datapath type with which to make the integration bridge."""
    if settings.datapath_type:
        return settings.datapath_type
    bridges = list(replica.rows(Bridge).values())
    mapped = {bridge for _, bridge in settings.bridge_mappings}
    types = {type_of(b) for b in bridges if b.name in mapped} or {type_of(b) for b in bridges if b.datapath_id}
    return types.pop() if len(types) == 1 else KERNEL


def plan_datapath(result: Plan, situation: Situation, found: Found) -> None:
    """Give a bridge of ours the datapath type that it shall have, or another where that one does not work."""
    bridge = found.bridge
    current, wanted = type_of(bridge), situation.settings.datapath_type
    if wanted and wanted != current and is_owned(bridge.external_ids):
        reason = f"as {DATAPATH_TYPE} says"
        result.step(f"bridge {bridge.name}: datapath_type {wanted}, {reason}", *_change(situation, found, wanted))
        return
    if wanted and wanted != current:
        result.problem(
            f"bridge {bridge.name} was not made by sdnapp and keeps datapath_type {current}: "
            f"ovs-vsctl set Bridge {bridge.name} datapath_type={wanted}"
        )
    if bridge.datapath_id or not _acted_on(situation):
        return
    if not wanted and current == KERNEL and is_owned(bridge.external_ids) and not _was_ever_up(situation, bridge):
        reason = "as the switch offers no kernel datapath"
        result.step(
            f"bridge {bridge.name}: datapath_type {USER_SPACE}, {reason}", *_change(situation, found, USER_SPACE)
        )
    else:
        result.problem(
            f"bridge {bridge.name} (datapath_type {current}) is not up: ovs-vswitchd does not run, or its log says why"
        )


def _change(situation: Situation, found: Found, datapath_type: str) -> list[ops.Operation]:
    seen = {"datapath_type": found.bridge.datapath_type}
    return [
        ops.wait(Bridge.TABLE, [["_uuid", "==", ops.uuid(found.key)]], ["datapath_type"], seen),
        ops.update(Bridge.TABLE, found.key, datapath_type=datapath_type),
        ops.mutate(OpenVSwitch.TABLE, situation.root, ["next_cfg", "+=", 1]),
    ]


def _acted_on(situation: Situation) -> bool:
    switch = situation.replica.rows(OpenVSwitch)[situation.root]
    return switch.cur_cfg >= switch.next_cfg


def _was_ever_up(situation: Situation, bridge: Bridge) -> bool:
    """The local port keeps its number in the database, while the datapath id goes with each restart of the database."""
    interfaces = interfaces_of(situation.replica, bridge)
    return any(interface.name == bridge.name and interface.ofport for _, interface in interfaces)
