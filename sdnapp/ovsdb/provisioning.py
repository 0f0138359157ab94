"""What a switch's database lacks of what the controller needs, as transactions. Pure.

Every step is a transaction of its own, so that one that fails holds up no other. Nothing here depends on history: after
any change, by anyone, the next plan is made from the database as it then is, and is empty when all is in place.
"""

from dataclasses import dataclass

from sdnapp.ovsdb import operations as ops
from sdnapp.ovsdb.connection_limit import plan_connection_limit
from sdnapp.ovsdb.datapath import plan_datapath, type_for_new_bridge
from sdnapp.ovsdb.naming import OWNED, is_owned
from sdnapp.ovsdb.operations import Operation
from sdnapp.ovsdb.ports import plan_ports
from sdnapp.ovsdb.replica import Replica
from sdnapp.ovsdb.rows import Bridge, Controller, Manager, OpenVSwitch, Port
from sdnapp.ovsdb.settings import Settings
from sdnapp.ovsdb.steps import Found, Plan, Situation
from sdnapp.ovsdb.versions import alters_the_right_flow, version_of

FAIL_MODE = "secure"
PROTOCOL = "OpenFlow13"
BRIDGE_CONFIG = {"disable-in-band": "true"}
MAX_BACKOFF = 1000
"""Milliseconds between attempts to reach the controller, at most: the default of 8 s is long after a restart."""
OUT_OF_BAND = "out-of-band"
"""How the database reaches the controller: not through bridges.

By default Open vSwitch gives every bridge of the machine hidden flows above all others for that, and makes them anew
whenever its main thread goes round, which in user space is where packets are forwarded: 0.3 us for each. Who has said
``in-band`` keeps it."""
INACTIVITY_PROBE = 10_000
"""Milliseconds of silence until the switch probes the controller."""

MAX_REVALIDATOR = "max-revalidator"
GATEWAY_REVALIDATION = 100
"""Milliseconds between two looks at the cache of flows, at most: the least that Open vSwitch takes, 500 by default.

A gateway chassis that takes over, and has carried the same packets seconds before, sends them by flows that it has
cached, and only at the next look does its bridge to the external network learn that the router is here again."""


@dataclass(frozen=True)
class Endpoint:
    """The controller as the switch reaches it: targets such as ``tcp:192.0.2.1:6653`` for OpenFlow and for OVSDB."""

    openflow: str
    manager: str


def plan(
    replica: Replica,
    settings: Settings,
    endpoint: Endpoint,
    watched: tuple[str, ...] = (),
    connections: int = 0,
    *,
    shunned: frozenset[str] = frozenset(),
) -> Plan:
    """Return the steps that bring the switch to what its settings ask for, and what stands in their way.

    ``watched``, ``connections`` and ``shunned`` are as of a ``Situation``.
    """
    result = Plan()
    root = next(iter(replica.rows(OpenVSwitch)), None)
    if root is None or settings.bridge is None:
        return result
    situation = Situation(replica, settings, root, watched, shunned, connections)
    _manager(result, situation, endpoint)
    _cache(result, situation)
    found = next((Found(key, row) for key, row in replica.rows(Bridge).items() if row.name == settings.bridge), None)
    if found is None:
        _create_bridge(result, situation, settings.bridge, endpoint)
    else:
        _bridge(result, replica, found, endpoint)
        plan_datapath(result, situation, found)
        plan_connection_limit(result, situation, found)
        plan_ports(result, situation, found)
    for bridge in replica.rows(Bridge).values():
        if is_owned(bridge.external_ids) and bridge.name != settings.bridge:
            result.problem(f"bridge {bridge.name} was made by sdnapp and is not in use: ovs-vsctl del-br {bridge.name}")
    return result


def _manager(result: Plan, situation: Situation, endpoint: Endpoint) -> None:
    replica = situation.replica
    version = version_of(replica.rows(OpenVSwitch)[situation.root].ovs_version)
    # Else a gateway that takes over again may go on to drop what it should carry: seen out-of-band, and never in-band.
    is_in_band = situation.settings.gateway and not alters_the_right_flow(version)
    for key, manager in replica.rows(Manager).items():
        if manager.target != endpoint.manager:
            continue
        changes: list[str] = []
        columns: dict[str, int | str | list[object]] = {}
        if manager.max_backoff is None:
            changes.append(f"reconnects within {MAX_BACKOFF} ms")
            columns["max_backoff"] = MAX_BACKOFF
        if is_in_band and manager.connection_mode == OUT_OF_BAND:
            changes.append("in-band, as cached flows of a gateway could go stale")
            columns["connection_mode"] = ops.set_of([])
        elif not is_in_band and manager.connection_mode is None:
            changes.append("out-of-band, no business of bridges")
            columns["connection_mode"] = OUT_OF_BAND
        if columns:
            step = f"manager {manager.target}: {'; '.join(changes)}"
            result.step(step, ops.update(Manager.TABLE, key, **columns))


def _cache(result: Plan, situation: Situation) -> None:
    """Let a gateway chassis look often at what it has cached; an operator's own value stays."""
    switch = situation.replica.rows(OpenVSwitch)[situation.root]
    if situation.settings.gateway and MAX_REVALIDATOR not in switch.other_config:
        entry = ops.map_of({MAX_REVALIDATOR: str(GATEWAY_REVALIDATION)})
        result.step(
            f"cached flows: looked at every {GATEWAY_REVALIDATION} ms",
            ops.mutate(OpenVSwitch.TABLE, situation.root, ["other_config", "insert", entry]),
        )


def _create_bridge(result: Plan, situation: Situation, name: str, endpoint: Endpoint) -> None:
    if any(port.name == name for port in situation.replica.rows(Port).values()):
        result.problem(
            f"bridge {name} cannot be made, as a port has its name: ovs-vsctl del-port {name}, or set sdnapp-bridge"
        )
        return
    datapath_type = type_for_new_bridge(situation.replica, situation.settings)
    local = {"name": name, "external_ids": ops.map_of(OWNED)}
    result.step(
        f"bridge {name}: made, with datapath_type {datapath_type}",
        ops.wait(Bridge.TABLE, [["name", "==", name]], ["name"]),
        ops.insert("Interface", {**local, "type": "internal"}, "interface"),
        ops.insert("Port", {**local, "interfaces": ops.named("interface")}, "port"),
        ops.insert("Controller", _controller_row(endpoint), "controller"),
        ops.insert(
            "Bridge",
            {
                **local,
                "ports": ops.named("port"),
                "datapath_type": datapath_type,
                "fail_mode": FAIL_MODE,
                "protocols": PROTOCOL,
                "controller": ops.named("controller"),
                "other_config": ops.map_of(BRIDGE_CONFIG),
            },
            "bridge",
        ),
        # ovs-vswitchd says by cur_cfg when it has acted on this: only then is a missing datapath a failure.
        ops.mutate(
            OpenVSwitch.TABLE,
            situation.root,
            ["bridges", "insert", ops.set_of([ops.named("bridge")])],
            ["next_cfg", "+=", 1],
        ),
    )


def _bridge(result: Plan, replica: Replica, found: Found, endpoint: Endpoint) -> None:
    """Compare the integration bridge's own columns, and its controller."""
    key, bridge = found.key, found.bridge
    changes: list[str] = []
    operations: list[Operation] = []
    if bridge.fail_mode != FAIL_MODE:
        changes.append(f"fail_mode {FAIL_MODE}")
        operations.append(ops.update(Bridge.TABLE, key, fail_mode=FAIL_MODE))
    if PROTOCOL not in bridge.protocols:
        changes.append(f"protocol {PROTOCOL}")
        operations.append(ops.mutate(Bridge.TABLE, key, ["protocols", "insert", PROTOCOL]))
    if not BRIDGE_CONFIG.items() <= bridge.other_config.items():
        changes.append("no in-band control")
        operations.append(ops.mutate(Bridge.TABLE, key, *ops.set_keys("other_config", BRIDGE_CONFIG)))
    controllers = {uuid: replica.get(Controller, uuid) or Controller() for uuid in sorted(bridge.controller)}
    ours = next((uuid for uuid, row in controllers.items() if row.target == endpoint.openflow), None)
    if ours is None:
        replaced = ", ".join(sorted(row.target for row in controllers.values()))
        changes.append(f"controller {endpoint.openflow}" + (f" in place of {replaced}" if replaced else ""))
        operations.append(ops.insert("Controller", _controller_row(endpoint), "controller"))
        operations.append(ops.update(Bridge.TABLE, key, controller=ops.named("controller")))
    else:
        if len(controllers) > 1:
            others = ", ".join(sorted(row.target for uuid, row in controllers.items() if uuid != ours))
            changes.append(f"controller {others} removed")
            operations.append(ops.update(Bridge.TABLE, key, controller=ops.uuid(ours)))
        row = controllers[ours]
        times = {} if row.max_backoff is not None else {"max_backoff": MAX_BACKOFF}
        times |= {} if row.inactivity_probe is not None else {"inactivity_probe": INACTIVITY_PROBE}
        if times:
            changes.append("times of the controller connection")
            operations.append(ops.update(Controller.TABLE, ours, **times))
    if operations:
        result.step(f"bridge {bridge.name}: {'; '.join(changes)}", *operations)


def _controller_row(endpoint: Endpoint) -> dict[str, object]:
    return {"target": endpoint.openflow, "max_backoff": MAX_BACKOFF, "inactivity_probe": INACTIVITY_PROBE}
