"""What the operator's views answer, as JSON schemas; docs/operator-api.md says it in words."""

from flows.drops import REASONS
from sdnapp.api.schemas import BOOLEAN, COUNT, INTEGER, STRING, TIME, Schema, list_of, nullable, one_of, record
from sdnapp.drops import OVER_BUDGET, QUEUE_FULL, UNSORTED
from sdnapp.gateways import ACTIVE, ALONE, HANDING_OVER, NO_UPSTREAM, OUT, STANDBY
from sdnapp.holds import CLOCK, PROCESSOR
from sdnapp.restarts import EVERYTHING, NOTHING, POSSIBLY, RETURN, START

_STATE = one_of(("dead", "silent", "syncing", "in sync"))
_TEXTS: Schema = {"type": "object", "additionalProperties": STRING}


def _all(**properties: Schema) -> Schema:
    """Return the schema of an object that has all these keys."""
    return record(properties, properties)


CHASSIS = _all(
    id=STRING,
    hostname=STRING,
    datapath_id={"type": "string", "pattern": "^([0-9a-f]{16})?$"},
    bridge=STRING,
    encap_ip=nullable(STRING),
    encap_types=list_of(STRING),
    bridge_mappings=_TEXTS,
    gateway=BOOLEAN,
    alive=BOOLEAN,
    state=_STATE,
    confirmed_revision=INTEGER,
    ports=list_of(STRING),
    openflow=record({"connected": BOOLEAN}, ["connected"], additionalProperties=True),
    ovsdb=record({"connected": BOOLEAN}, ["connected"], additionalProperties=True),
)
_SUMMARY = _all(id=STRING, hostname=STRING, alive=BOOLEAN, state=_STATE, confirmed_revision=INTEGER, ports=COUNT)
STATUS = _all(
    revision=COUNT,
    chassis=list_of(_SUMMARY),
    networks=COUNT,
    ports=_all(total=COUNT, active=COUNT),
    unrealized=list_of(_all(port_id=STRING, name=STRING, network=STRING, host=nullable(STRING), reason=STRING)),
    floating_ips=list_of(
        _all(**dict.fromkeys(("floatingip_id", "address", "router_id", "reason"), STRING), port_id=nullable(STRING)),
    ),
    strangers=list_of(_all(chassis=STRING, interface=STRING, port_id=STRING)),
    rejected=list_of(_all(chassis=STRING, owner=STRING, feature=STRING, reason=STRING)),
    failed=list_of(_all(unit=STRING, of=list_of({}), error=STRING)),
)
_COOKIE: Schema = {"type": "string", "pattern": "^0x[0-9a-f]{16}$"}
_FLOW = _all(owner=STRING, feature=STRING, priority=COUNT, cookie=_COOKIE, match=STRING, actions=STRING)
FLOWS = _all(chassis=STRING, tables=list_of(_all(name=STRING, number=COUNT, flows=list_of(_FLOW))))
_STEP = record(
    _FLOW["properties"] | {"chassis": STRING, "table": STRING, "packet": STRING, "owner": nullable(STRING)},
    ["chassis", "table", "packet", "owner", "feature", "match", "actions"],
)
_TRACED = {
    "from": record(
        {
            **dict.fromkeys(("port", "network", "source", "via"), STRING),
            "chassis": nullable(STRING),
        },
        ["chassis"],
    ),
    "to": STRING,
    "steps": list_of(_STEP),
    "verdict": one_of(("delivered", "answered", "controller", "physical", "dropped", "unanswered")),
    "delivered_to": list_of(_all(port_id=STRING, chassis=nullable(STRING), packet=STRING)),
    "left_by": list_of(_all(chassis=STRING, physical_network=STRING, packet=STRING)),
    "explanation": STRING,
    "hostnames": _TEXTS,
    "bridge": nullable(STRING),
    "live_flow": nullable(STRING),
}
_FROM_OUTSIDE = {
    "door": nullable(_all(chassis=STRING, role=one_of(("instance", "gateway", "interface")))),
    "translated": nullable(_all(**{"from": STRING, "to": STRING})),
}
_ROAD = record(_TRACED | _FROM_OUTSIDE, _TRACED)
TRACE = record(_TRACED | _FROM_OUTSIDE | {"answer": nullable(_ROAD)}, _TRACED)
REALIZED = _all(realized=BOOLEAN, revision=COUNT)
HEALTH = _all(status=one_of(("ok",)))
_DROP: dict[str, Schema] = {
    **dict.fromkeys(("chassis", "port_id", "port_name", "project_id"), nullable(STRING)),
    "reason": one_of((*REASONS, OVER_BUDGET, QUEUE_FULL, UNSORTED)),
    "packets": COUNT,
}
DROPS = _all(drops=list_of(record(_DROP, _DROP)), silent=list_of(STRING), hostnames=_TEXTS)

_GATEWAY = {
    **dict.fromkeys(("router_id", "router_name", "project_id", "network_id", "network_name"), STRING),
    "addresses": list_of(STRING),
    "enable_snat": BOOLEAN,
    "since": nullable(TIME),
    "chassis": list_of(
        _all(
            id=STRING,
            state=one_of((ACTIVE, STANDBY, HANDING_OVER, ALONE, OUT, NO_UPSTREAM)),
            bfd=_TEXTS,
            witnesses=list_of(STRING),
            awaited=list_of(STRING),
        )
    ),
    "blocks": list_of(
        _all(chassis=STRING, address=STRING, first_port=COUNT, last_port=COUNT, in_use=BOOLEAN, deleted=BOOLEAN)
    ),
    "blocks_left": COUNT,
    "ports_left": COUNT,
    **dict.fromkeys(("short", "without_block"), list_of(STRING)),
    "floating_ips": COUNT,
}
GATEWAYS = _all(gateways=list_of(record(_GATEWAY, _GATEWAY)), hostnames=_TEXTS)

_RESTART = {
    **dict.fromkeys(("chassis", "hostname"), STRING),
    "at": TIME,
    "occasion": one_of((START, RETURN)),
    "dark": one_of((NOTHING, POSSIBLY, EVERYTHING)),
    **dict.fromkeys(("milliseconds", "read", "lacking", "added", "changed", "removed", "refused"), COUNT),
    "owners": list_of(STRING),
}
RESTARTS = _all(restarts=list_of(record(_RESTART, _RESTART)))

_LENGTH: Schema = {"type": "number", "minimum": 0}
_HOLD = {
    "by": one_of((CLOCK, PROCESSOR)),
    **dict.fromkeys(("seconds_ago", "milliseconds", "processor_milliseconds"), _LENGTH),
    "job": STRING,
}
HOLDS = _all(holds=list_of(record(_HOLD, _HOLD)))
