"""A request's cost does not grow with what is there: counted in rows read, which no busy machine can blur."""

import json
from collections import Counter
from typing import Any

import pytest
from webob import Request

from sdnapp.api.services import Settings
from tests.sdnapp.api.stand_ins import RED, Api

REQUESTS: list[tuple[str, str, dict[str, Any] | None]] = [
    ("POST", "ports", {"port": {"network_id": "{network}"}}),
    ("POST", "ports", {"port": {"network_id": "{network}", "fixed_ips": [{"ip_address": "10.0.200.1"}]}}),
    ("GET", "ports/{port}", None),
    ("GET", "networks/{network}", None),
    ("PUT", "ports/{port}", {"port": {"name": "x", "fixed_ips": [{"ip_address": "10.0.200.1"}]}}),
    ("PUT", "subnets/{subnet}", {"subnet": {"name": "x", "gateway_ip": "10.9.0.1"}}),
    ("DELETE", "ports/{port}", None),
    ("GET", "ports?limit=10", None),
    ("GET", "ports?limit=10&marker={port}", None),
    ("GET", "ports?name=port7", None),
    ("GET", "ports?device_id=vm7", None),
    ("GET", "ports?fixed_ips=ip_address%3D10.0.0.9", None),
    ("GET", "ports?id={port}", None),
    ("GET", "ports?tags=-all,7", None),
    ("GET", "ports?tags-any=7,8", None),
    ("GET", "ports?security_groups={group}&limit=10", None),
    ("GET", "security-group-rules/{rule}", None),
    ("GET", "security-group-rules?security_group_id={empty}", None),
    ("GET", "security-groups/{empty}", None),
    (
        "POST",
        "security-group-rules",
        {"security_group_rule": {"security_group_id": "{group}", "direction": "egress", "protocol": 9}},
    ),
    ("PUT", "security-groups/{empty}", {"security_group": {"name": "x"}}),
    ("DELETE", "security-groups/{empty}", None),
    ("DELETE", "security-group-rules/{rule}", None),
    ("GET", "quotas/red/details", None),
    ("GET", "network-ip-availabilities/{network}", None),
]


def rows_read(read: Counter[str], count: int, method: str, path: str, body: dict[str, Any] | None) -> int:
    api = Api(Settings(quotas={}))
    network = api.network(RED)
    names = {"network": network, "subnet": api.subnet(network, "10.0.0.0/16", RED)}
    ports = [
        {"network_id": network, "name": f"port{n}", "device_id": f"vm{n}", "tags": [f"{n}", "-all"]}
        for n in range(count)
    ]
    answer = api.call("POST", "/v2.0/ports", {"ports": ports}, RED)
    names["port"] = sorted(port["id"] for port in answer.first)[count // 2]
    (names["group"],) = answer.first[0]["security_groups"]
    names["empty"] = api.create("security_groups", RED)["id"]
    said = {"security_group_id": names["group"], "direction": "ingress", "protocol": "tcp"}
    rules = [said | {"port_range_min": n, "port_range_max": n} for n in range(1, count + 1)]
    answer = api.call("POST", "/v2.0/security-group-rules", {"security_group_rules": rules}, RED)
    names["rule"] = answer.first[0]["id"]
    text = json.dumps(body) if body else ""
    for name, value in names.items():
        path, text = path.replace(f"{{{name}}}", value), text.replace(f"{{{name}}}", value)
    request = Request.blank(f"/v2.0/{path}", method=method, body=text.encode())
    read.clear()
    assert request.get_response(api.app).status_int < 300
    return read.total()


@pytest.mark.parametrize(("method", "path", "body"), REQUESTS)
def test_what_is_there_costs_nothing(read: Counter[str], method: str, path: str, body: dict[str, Any] | None) -> None:
    assert rows_read(read, 300, method, path, body) == rows_read(read, 30, method, path, body) > 0
