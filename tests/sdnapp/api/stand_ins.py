"""What the API needs from the application, made for tests; and a client that checks what must hold after a request."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from netaddr import IPSet
from webob import Request, Response

from sdnapp.api.policy import Policy
from sdnapp.api.services import Settings
from sdnapp.api.sharing import ACCESS_EXTERNAL, EVERYBODY, TYPES, targets
from sdnapp.api.wsgi import make_app
from sdnapp.probes import Probe
from topology.allocation import address_scope
from topology.prefixes import free_scope
from topology.store import Store
from topology.values import Claim, Network, Port, PortBinding, RbacPolicy, Subnet, SubnetPool

ADMIN: dict[str, str] = {}
RED = {"X-Project-Id": "red", "X-User-Id": "rita", "X-Roles": "member"}
BLUE = {"X-Project-Id": "blue", "X-User-Id": "bob", "X-Roles": "member"}
READER = {"X-Project-Id": "red", "X-User-Id": "rob", "X-Roles": "reader"}


@dataclass
class StandInOperator:
    waited: list[tuple[int | None, float]] = field(default_factory=list)
    is_realized: bool = True
    reports: list[dict[str, Any]] = field(default_factory=lambda: [{"id": "hv1", "alive": True}])

    def chassis(self) -> list[dict[str, Any]]:
        return self.reports

    def chassis_details(self, chassis_id: str) -> dict[str, Any] | None:
        return {"id": "hv1", "bridge": "br-int"} if chassis_id == "hv1" else None

    def status(self) -> dict[str, Any]:
        return {"chassis": {"alive": 1}}

    def flows(self, chassis_id: str, owner: str | None, table: str | None) -> dict[str, Any] | None:
        return {"flows": [{"table": table or "dhcp", "owner": owner or "port/x"}]} if chassis_id == "hv1" else None

    def gateways(self) -> dict[str, Any]:
        return {"gateways": [], "hostnames": {}}

    def restarts(self) -> list[dict[str, Any]]:
        return []

    def holds(self) -> list[dict[str, Any]]:
        return []

    def drops(self, port: str | None, chassis_id: str | None) -> dict[str, Any] | None:
        if port == "nowhere":
            raise ValueError("port nowhere is not there")
        return {"drops": [], "silent": [], "hostnames": {}} if chassis_id in (None, "hv1") else None

    def trace(self, port: str, to: str, probe: Probe, *, answer: bool) -> dict[str, Any]:
        if port == "nowhere":
            raise ValueError("port nowhere is not there")
        return {"from": port, "to": to, "sent": list(probe), "answer": answer}

    def trace_from_outside(
        self, network: str, source: str | None, via: str | None, to: str, probe: Probe, *, answer: bool
    ) -> dict[str, Any]:
        if network == "nowhere":
            raise ValueError("from_outside: network nowhere is not there")
        return {"from": network, "to": to, "sent": list(probe), "source": source, "via": via, "answer": answer}

    def wait_realized(self, revision: int | None, seconds: float) -> bool:
        self.waited.append((revision, seconds))
        return self.is_realized

    def metrics(self) -> str:
        return "sdnapp_chassis 1\n"


@dataclass
class StandInServices:
    """A clock that goes on by a second each time it is read, and ports in the states that a test gives them."""

    settings: Settings = field(default_factory=Settings)
    operator: StandInOperator = field(default_factory=StandInOperator)
    active: set[str] = field(default_factory=set)
    time: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        self.time += timedelta(seconds=1)
        return self.time

    def port_status(self, port_id: str) -> str:
        return "ACTIVE" if port_id in self.active else "DOWN"

    def router_status(self, router_id: str) -> str:
        return "ACTIVE" if router_id in self.active else "DOWN"

    def floatingip_status(self, floatingip_id: str) -> str:
        return "ACTIVE" if floatingip_id in self.active else "DOWN"

    def realization(self, port_id: str) -> dict[str, str]:
        return {"hv1": "confirmed"} if port_id in self.active else {}


@dataclass
class Answer:
    status: int
    body: Any
    headers: Any

    @property
    def error(self) -> tuple[int, str]:
        """The status and type of an error."""
        return self.status, self.body["NeutronError"]["type"]

    @property
    def message(self) -> str:
        return str(self.body["NeutronError"]["message"])

    @property
    def first(self) -> Any:
        """What the body's first key holds."""
        return next(iter(self.body.values()))


class Api:
    """Calls the application; after each request the invariants are checked.

    Whatever is sent never gives a 500, and an answer that is an error leaves the store as it was.
    """

    def __init__(
        self, settings: Settings | None = None, store: Store | None = None, policy: Policy | None = None
    ) -> None:
        self.store = store or Store()
        self.services = StandInServices(settings or Settings())
        self.app = make_app(self.store, self.services, policy=policy)

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        who: dict[str, str] = ADMIN,
        raw: bytes | None = None,
        **headers: str,
    ) -> Answer:
        request = Request.blank(
            path, method=method, headers={**who, **{k.replace("_", "-"): v for k, v in headers.items()}}
        )
        if raw is not None or body is not None:
            request.body = raw if raw is not None else json.dumps(body).encode()
        before = documents(self.store)
        response: Response = request.get_response(self.app)
        assert response.status_int != 500, (method, path, body, raw)
        if response.status_int >= 400:
            assert documents(self.store) == before, (method, path, body)
            assert set(response.json["NeutronError"]) == {"type", "message", "detail"}, response.body
        assert unclaimed(self.store) == []
        assert sharing_astray(self.store) == []
        is_json = response.content_type == "application/json" and response.body
        return Answer(response.status_int, response.json if is_json else response.body, response.headers)

    def get(self, path: str, who: dict[str, str] = ADMIN, **query: Any) -> Answer:
        return self.call("GET", f"/v2.0/{path}" + ("?" + urlencode(query, doseq=True) if query else ""), who=who)

    def post(self, collection: str, who: dict[str, str] = ADMIN, **attributes: Any) -> Answer:
        return self.call("POST", path_of(collection), {name_of(collection): given(attributes)}, who)

    def put(self, collection: str, row_id: str, who: dict[str, str] = ADMIN, **attributes: Any) -> Answer:
        return self.call("PUT", f"{path_of(collection)}/{row_id}", {name_of(collection): given(attributes)}, who)

    def delete(self, collection: str, row_id: str, who: dict[str, str] = ADMIN) -> Answer:
        return self.call("DELETE", f"{path_of(collection)}/{row_id}", who=who)

    def create(self, collection: str, who: dict[str, str] = ADMIN, **attributes: Any) -> dict[str, Any]:
        """Create an object and return it."""
        answer = self.post(collection, who, **attributes)
        assert answer.status == 201, answer.body
        return dict(answer.first)

    def network(self, who: dict[str, str] = ADMIN, **attributes: Any) -> str:
        """Create a network and return its id."""
        return str(self.create("networks", who, **attributes)["id"])

    def subnet(self, network_id: str, cidr: str = "10.0.0.0/24", who: dict[str, str] = ADMIN, **attributes: Any) -> str:
        """Create a subnet and return its id."""
        return str(self.create("subnets", who, network_id=network_id, ip_version=4, cidr=cidr, **attributes)["id"])

    def port(self, network_id: str, who: dict[str, str] = ADMIN, **attributes: Any) -> str:
        """Create a port and return its id."""
        return str(self.create("ports", who, network_id=network_id, **attributes)["id"])


def name_of(collection: str) -> str:
    """Return what one object of a collection is called."""
    return "rbac_policy" if collection == "rbac_policies" else collection[:-1]


def path_of(collection: str) -> str:
    """Return where a collection is."""
    return f"/v2.0/{collection.replace('_', '-')}"


def given(attributes: dict[str, Any]) -> dict[str, Any]:
    """``provider__network_type`` stands for ``provider:network_type``, and so on."""
    return {name.replace("__", ":"): value for name, value in attributes.items()}


def documents(store: Store) -> dict[str, Any]:
    return {kind.__name__: {row.id: row for row in store.all(kind)} for kind in store._rows}


def unclaimed(store: Store) -> list[str]:
    """Return what ports, networks and subnet pools hold without a claim, and claims that nobody holds."""
    held = set()
    for port in store.all(Port):
        held.add((f"mac:{port.network_id}", int(port.mac_address.replace(":", ""), 16), port.id))
        for fixed in port.fixed_ips:
            octets = [int(octet) for octet in fixed.ip_address.split(".")]
            held.add((address_scope(fixed.subnet_id), int.from_bytes(bytes(octets), "big"), port.id))
    for network in store.all(Network):
        for segment in filter(None, (network.segment, network.transit)):
            scope = f"{segment.network_type}:{segment.physical_network or ''}"
            held.add((scope, segment.segmentation_id or 0, network.id))
    for pool in store.all(SubnetPool):
        space = IPSet(pool.prefixes) - IPSet(subnet.cidr for subnet in store.find(Subnet, "pool", pool.id))
        for prefix in space.iter_cidrs():
            held.add((free_scope(pool.id, prefix.prefixlen), prefix.first, pool.id))
    for binding in store.all(PortBinding):
        if binding.zone:  # tests that write bindings themselves take none
            held.add((f"zone:{binding.chassis_id}", binding.zone, binding.port_id))
    claimed = {(claim.scope, claim.value, claim.owner) for claim in store.all(Claim)}
    return sorted(str(each) for each in held ^ claimed)


def sharing_astray(store: Store) -> list[str]:
    """Return the objects whose ``shared`` or ``external`` belies their policies, and policies on what is not there."""
    found = []
    for object_type, kind in TYPES.items():
        for row in store.all(kind):
            if row.shared != (EVERYBODY in targets(store, row.id)):
                found.append(f"{object_type} {row.id}")
    for network in store.all(Network):
        if network.external != bool(targets(store, network.id, ACCESS_EXTERNAL)):
            found.append(f"external network {network.id}")
    for policy in store.all(RbacPolicy):
        if store.get(TYPES[policy.object_type], policy.object_id) is None:
            found.append(f"policy {policy.id}")
    return found
