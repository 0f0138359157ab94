"""What schemathesis is told about this API: ids that it makes up are nobody's, so it gets those of objects.

Loaded by its name in SCHEMATHESIS_HOOKS. Where schemathesis means to send a wrong id or body, that is left alone.
"""

import os
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import requests
import schemathesis
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation import GenerationMode
from schemathesis.generation.meta import TestPhase

NUMBERS = count(1)
IN_BODIES = {
    "network_id": "network_id",
    "object_id": "network_id",
    "subnetpool_id": "subnetpool_id",
    "address_scope_id": "address_scope_id",
    "security_group_id": "security_group_id",
    "remote_group_id": "security_group_id",
    "remote_address_group_id": "address_group_id",
    "subnet_id": "subnet_id",
}
USED = {"used_in_default_sg": False, "used_in_non_default_sg": False}
CHANGING = re.compile("bindings|_addresses$|_interface$")
"""Where one request gets in the way of the next, so that each is given a new object."""
FIXED = {
    "chassis_id": "node1",
    "alias": "agent",
    "agent_id": "c1",
    "tag": "blue",
    "host": "node1",
    "project_id": "somebody",
}
KNOWN = dict(FIXED)


class Cloud:
    """Makes objects, each in a project of its own so that no quota ends it."""

    def __init__(self, url: str) -> None:
        self._url = url

    def kept(self, name: str) -> str:
        """Return the id of an object that something is called by the name of, the same each time."""
        if name not in KNOWN:
            KNOWN[name] = self.new(name)
        return KNOWN[name]

    def new(self, name: str) -> str:
        """Return the id of a new object that something is called by the name of."""
        maker = "network" if name == "network_ip_availability_id" else name.removesuffix("_id")
        return str(getattr(self, f"_{maker}")())

    def tag(self, path: str) -> None:
        """Put the tag on an object that every tag is taken for."""
        requests.put(self._url + path, timeout=10)

    def _network(self) -> str:
        return self._new("networks", "network")

    def _subnet(self) -> str:
        return self._new("subnets", "subnet", network_id=self._network(), ip_version=4, cidr="10.0.0.0/24")

    def _port(self) -> str:
        subnet = requests.get(f"{self._url}/v2.0/subnets/{self._subnet()}", timeout=10).json()["subnet"]
        bound = {"device_owner": "compute:nova", "binding:host_id": "node1"}
        return self._new("ports", "port", network_id=subnet["network_id"], **bound)

    def _address_group(self) -> str:
        return self._new("address-groups", "address_group", addresses=["10.0.0.0/24"])

    def _security_group(self) -> str:
        return self._new("security-groups", "security_group", name="group")

    def _security_group_rule(self) -> str:
        return self._new(
            "security-group-rules", "security_group_rule", security_group_id=self._security_group(), direction="ingress"
        )

    def _default_security_group_rule(self) -> str:
        template = USED | {
            "direction": "ingress",
            "protocol": "udp",
            "port_range_min": (port := next(NUMBERS) % 60000 + 1),
        }
        return self._new("default-security-group-rules", "default_security_group_rule", **template, port_range_max=port)

    def _router(self) -> str:
        return self._new("routers", "router", name="router")

    def _floatingip(self) -> str:
        return self._new("floatingips", "floatingip", floating_network_id=self.outside())

    def _forwarding(self) -> str:
        raise NotImplementedError  # Only together with its floating IP.

    def behind(self) -> tuple[str, str, str]:
        """Return the ids of a floating IP, and a port by whose router it is reached, with the port's address."""
        subnet, outside = self._subnet(), self.outside()
        router = self._new("routers", "router", external_gateway_info={"network_id": outside})
        self.join(router, subnet)
        network = requests.get(f"{self._url}/v2.0/subnets/{subnet}", timeout=10).json()["subnet"]["network_id"]
        same = {"tenant_id": f"behind{next(NUMBERS)}"}
        port = self._new("ports", "port", network_id=network, fixed_ips=[{"subnet_id": subnet}], **same)
        address = requests.get(f"{self._url}/v2.0/ports/{port}", timeout=10).json()["port"]["fixed_ips"][0]
        floating = self._new("floatingips", "floatingip", floating_network_id=outside, **same)
        return floating, port, address["ip_address"]

    def forwarded(self) -> tuple[str, str]:
        """Return the ids of a floating IP and of a port forwarding of it."""
        floating, port, address = self.behind()
        ports = {"external_port": 80, "internal_port": 80, "protocol": "tcp"}
        inside = {"internal_port_id": port, "internal_ip_address": address}
        return floating, self._new(f"floatingips/{floating}/port_forwardings", "port_forwarding", **inside, **ports)

    def outside(self) -> str:
        """Return the id of a new external network."""
        flat = {"provider:network_type": "flat", "provider:physical_network": f"physnet{next(NUMBERS)}"}
        external = {"router:external": True, **flat}
        network = self._new("networks", "network", **external)
        self._new("subnets", "subnet", network_id=network, ip_version=4, cidr="203.0.113.0/24")
        return network

    def join(self, router_id: str, subnet_id: str) -> None:
        """Give a router an interface."""
        url = f"{self._url}/v2.0/routers/{router_id}/add_router_interface"
        requests.put(url, json={"subnet_id": subnet_id}, timeout=10)

    def _address_scope(self) -> str:
        return self._new("address-scopes", "address_scope", ip_version=4)

    def _subnetpool(self) -> str:
        return self._new("subnetpools", "subnetpool", name="pool", prefixes=["10.0.0.0/8"])

    def _rbac_policy(self) -> str:
        what = {"object_type": "network", "object_id": self._network(), "action": "access_as_shared"}
        return self._new("rbac-policies", "rbac_policy", **what, target_tenant="blue")

    def _new(self, path: str, called: str, **attributes: Any) -> str:
        url, project = f"{self._url}/v2.0/{path}", {"X-Project-Id": f"project{next(NUMBERS)}"}
        answer = requests.post(url, json={called: attributes}, headers=project, timeout=10)
        assert answer.status_code == 201, answer.text
        return str(answer.json()[called]["id"])


def objects_in(body: Any) -> Iterator[dict[str, Any]]:
    if isinstance(body, list):
        for each in body:
            yield from objects_in(each)
    elif isinstance(body, dict):
        yield body
        for each in body.values():
            yield from objects_in(each)


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    if case.meta is None or case.meta.phase.name == TestPhase.STATEFUL:
        return  # It knows what it has made.
    cloud, components = Cloud(case.operation.base_url.rstrip("/")), case.meta.components

    def is_right(location: ParameterLocation) -> bool:
        return location not in components or components[location].mode == GenerationMode.POSITIVE

    path, names = case.operation.path, case.path_parameters or {}
    if is_right(ParameterLocation.PATH):
        if "forwarding_id" in names:
            names["floatingip_id"], names["forwarding_id"] = cloud.forwarded()
        for name in names.keys() - {"forwarding_id", *(["floatingip_id"] if "forwarding_id" in names else [])}:
            is_deleted = case.method == "DELETE" and path.endswith(f"/{{{name}}}")
            is_made = (is_deleted or CHANGING.search(path)) and name not in FIXED
            names[name] = cloud.new(name) if is_made else cloud.kept(name)
        if "tag" in names:
            cloud.tag(case.formatted_path)
    if is_right(ParameterLocation.BODY):
        for each in objects_in(case.body):
            if isinstance(each.get("host"), str):
                each["host"] = "node2"
            if path.endswith("/remove_addresses"):
                each["addresses"] = ["10.0.0.0/24"]
            if each.get("prefixes") == []:
                each["prefixes"] = ["10.0.0.0/8"]
            if isinstance(each.get("internal_port_id"), str):
                # Which ports go together, no schema can say.
                floating, each["internal_port_id"], each["internal_ip_address"] = cloud.behind()
                if "forwarding_id" not in names:
                    names["floatingip_id"] = floating
                for side in ("external", "internal"):
                    each.pop(f"{side}_port_range", None)
                    each[f"{side}_port"] = 80
            if isinstance(each.get("floating_network_id"), str):
                each["floating_network_id"] = cloud.outside()
                each.update(subnet_id=None, port_id=None, fixed_ip_address=None, floating_ip_address=None)
            for name, kind in IN_BODIES.items():
                if isinstance(each.get(name), str):
                    # The prefixes of subnets would overlap; policies, rules and interfaces be there already.
                    is_crowded = (
                        "cidr" in each or name in ("object_id", "security_group_id") or path.endswith("interface")
                    )
                    each[name] = cloud.new(kind) if is_crowded else cloud.kept(kind)
        if path.endswith("/remove_router_interface") and isinstance(case.body, dict) and "subnet_id" in case.body:
            cloud.join(names["router_id"], case.body["subnet_id"])


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    if case.method != case.operation.method.upper():
        return  # It tried what else the path might take, such as OPTIONS, which works everywhere.
    with Path(os.environ["OPENAPI_ANSWERS"]).open("a") as answers:
        answers.write(f"{response.status_code} {case.operation.label}\n")
