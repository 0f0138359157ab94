"""Agents: each chassis is one, as operators of Neutron know them. Observed, so there is little to change.

What a chassis says about itself is in its row; whether it is alive, only the running application knows.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from neutron_lib import exceptions
from neutron_lib.api import converters
from neutron_lib.api.definitions import agent, availability_zone
from neutron_lib.exceptions import agent as agent_errors

from sdnapp.api import policy
from sdnapp.api.attributes import AttributeMap
from sdnapp.api.errors import invalid_input
from sdnapp.api.policy import Target
from sdnapp.api.resource import Context, Filter, Resource, column, constant
from sdnapp.api.schemas import ANY_OBJECT, BOOLEAN, STRING, nullable
from sdnapp.api.zones import ZONE
from topology.placement import forget
from topology.store import Transaction
from topology.values import Chassis, ChassisNote, PortBinding

_AGENT_TYPE = "Open vSwitch agent"
"""What clients call whatever drives the Open vSwitch of a host; nothing of ours runs there."""
_BINARY = "sdnapp-chassis"
_ID = agent.RESOURCE_ATTRIBUTE_MAP[agent.COLLECTION_NAME]["id"] | {"is_sort_key": True}
_STAYS_UP = (
    "admin_state_up: a chassis serves for as long as it is connected; "
    "to take it out of service, move its instances and disconnect it"
)


class AgentAlive(exceptions.Conflict):  # type: ignore[misc]
    """The chassis is connected: forgotten, it would be back at once."""

    message = (
        "Agent %(id)s is alive. Disconnect the chassis first: ovs-vsctl del-manager; ovs-vsctl del-controller BRIDGE"
    )


def _report(ctx: Context, chassis: Chassis) -> Mapping[str, Any]:
    """Return what the application knows of a chassis; all chassis are asked for once in a request."""
    reports: Mapping[str, Mapping[str, Any]] = ctx.once(
        "chassis", lambda: {each["id"]: each for each in ctx.services.operator.chassis()}
    )
    return reports.get(chassis.id, {})


def _is_alive(ctx: Context, chassis: Chassis) -> bool:
    return bool(_report(ctx, chassis).get("alive"))


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _started_at(ctx: Context, chassis: Chassis) -> str | None:
    """Return since when the chassis is connected."""
    since = _report(ctx, chassis).get("openflow", {}).get("since")
    return _time(datetime.fromisoformat(since)) if since else None


def _heartbeat(ctx: Context, chassis: Chassis) -> str | None:
    """Return now while the chassis is alive: its connection is probed all the time. Nothing is kept of the dead."""
    return _time(ctx.services.now()) if _is_alive(ctx, chassis) else None


def _configurations(ctx: Context, chassis: Chassis) -> dict[str, Any]:
    return {
        "bridge": chassis.bridge,
        "bridge_mappings": dict(chassis.bridge_mappings),
        "datapath_id": chassis.datapath_id,
        "devices": ctx.store.count(PortBinding, "chassis", chassis.id),
        "gateway": chassis.gateway,
        "state": _report(ctx, chassis).get("state"),
        "tunnel_types": list(chassis.encap_types),
        "tunneling_ip": chassis.encap_ip,
    }


def _description(ctx: Context, chassis: Chassis) -> str:
    note = ctx.store.get(ChassisNote, chassis.id)
    return note.description if note is not None else ""


class Agents(Resource[Chassis]):
    """Chassis, for administrators."""

    name = "agent"
    collection = "agents"
    row = Chassis
    methods = frozenset({"PUT", "DELETE"})
    attributes = AttributeMap("agents", (agent, availability_zone), {"id": _ID})
    view: ClassVar = {
        "id": column("id"),
        "agent_type": constant(_AGENT_TYPE),
        "binary": constant(_BINARY),
        "topic": constant("N/A"),
        "host": lambda ctx, chassis: chassis.hostname or chassis.id,
        "admin_state_up": constant(True),
        "created_at": constant(None),
        "started_at": _started_at,
        "heartbeat_timestamp": _heartbeat,
        "alive": _is_alive,
        "configurations": _configurations,
        "description": _description,
        "availability_zone": constant(ZONE),
    }
    schemas: ClassVar = {
        **dict.fromkeys(("id", "agent_type", "binary", "topic", "host", "description", "availability_zone"), STRING),
        **dict.fromkeys(("created_at", "started_at", "heartbeat_timestamp"), nullable(STRING)),
        "alive": BOOLEAN,
        "configurations": ANY_OBJECT,
    }
    indexes: ClassVar = {}
    rules: ClassVar = {f"{verb}_agent": policy.admin for verb in ("get", "update", "delete")}

    def not_found(self, row_id: str) -> exceptions.NeutronException:
        """Return AgentNotFound."""
        return agent_errors.AgentNotFound(id=row_id)

    def related_ids(self, ctx: Context) -> Sequence[Sequence[str]]:
        """None: agents belong to no project."""
        return ()

    def target(self, ctx: Context, row: Chassis, values: Mapping[str, Any]) -> Target:
        """Return what belongs to no project."""
        return Target("")

    def new_target(self, ctx: Context, values: Mapping[str, Any]) -> Target:
        """Not served: a chassis comes by connecting."""
        raise NotImplementedError

    def create(self, ctx: Context, tx: Transaction, values: dict[str, Any]) -> Chassis:
        """Not served: a chassis comes by connecting."""
        raise NotImplementedError

    def update(self, ctx: Context, tx: Transaction, row: Chassis, values: dict[str, Any]) -> Chassis:
        """Note a description. Raises InvalidInput for what cannot be changed from here."""
        if not values.get("admin_state_up", True):
            raise invalid_input(_STAYS_UP)
        if "description" in values:
            tx.put(ChassisNote(row.id, values["description"] or ""))
        return row

    def delete(self, ctx: Context, tx: Transaction, row: Chassis) -> None:
        """Forget a chassis that has left for good, and its bindings. Raises AgentAlive."""
        if _is_alive(ctx, row):
            raise AgentAlive(id=row.id)
        tx.delete(ChassisNote, row.id)
        forget(ctx.store, row.id)

    def special_filter(self, name: str, values: list[str]) -> Filter | None:
        """``alive`` is a boolean, though neutron-lib does not say so."""
        if name != "alive":
            return None
        wanted = {converters.convert_to_boolean(value) for value in values}
        return Filter(lambda ctx, chassis: _is_alive(ctx, chassis) in wanted)
