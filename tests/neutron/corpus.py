"""What real Neutron and ours are asked: for each resource, good requests and bad.

Each story starts from what it makes itself. Then come odd values for each attribute that can be written.
"""

from collections.abc import Iterator
from typing import Any

from tests.neutron import (
    gateway_stories,
    network_stories,
    port_stories,
    project_stories,
    request_stories,
    router_stories,
    security_stories,
)
from tests.neutron.asking import BLUE, Ask
from tests.neutron.requesting import post

ODD: tuple[Any, ...] = (None, -1, "x", "x" * 300, [1], {"a": 1})

_WRITTEN: dict[str, tuple[dict[str, Any], str]] = {
    "networks": (
        {},
        "name description admin_state_up shared mtu port_security_enabled router:external availability_zone_hints "
        "provider:network_type provider:physical_network provider:segmentation_id segments tenant_id project_id",
    ),
    "subnets": (
        {"network_id": "{ds}", "ip_version": 4, "cidr": "10.7.0.0/24"},
        "name description network_id ip_version cidr gateway_ip enable_dhcp allocation_pools dns_nameservers "
        "host_routes subnetpool_id prefixlen use_default_subnetpool ipv6_ra_mode ipv6_address_mode service_types "
        "tenant_id",
    ),
    "ports": (
        {"network_id": "{dn}"},
        "name description network_id admin_state_up mac_address fixed_ips device_id device_owner tenant_id "
        "allowed_address_pairs port_security_enabled extra_dhcp_opts binding:host_id binding:vnic_type "
        "binding:profile tags",
    ),
    "subnetpools": (
        {"name": "d", "prefixes": ["10.0.0.0/16"]},
        "name description prefixes min_prefixlen max_prefixlen default_prefixlen default_quota address_scope_id "
        "shared is_default tenant_id",
    ),
    "address-scopes": ({"name": "d", "ip_version": 4}, "name ip_version shared tenant_id"),
    "rbac-policies": (
        {"object_type": "network", "object_id": "{dn}", "action": "access_as_shared", "target_tenant": BLUE},
        "object_type object_id action target_tenant tenant_id",
    ),
    "routers": ({}, "name description admin_state_up availability_zone_hints routes external_gateway_info tenant_id"),
    "floatingips": (
        {"floating_network_id": "{dw}"},
        "floating_network_id floating_ip_address subnet_id port_id fixed_ip_address description tenant_id",
    ),
    "floatingips/{d-floatingips}/port_forwardings": (
        {
            "protocol": "tcp",
            "internal_port_id": "{dp}",
            "internal_ip_address": "10.0.13.20",
            "internal_port": 80,
            "external_port": 80,
        },
        "protocol internal_port_id internal_ip_address internal_port external_port description internal_port_range "
        "external_port_range",
    ),
    "security-groups": ({"name": "d"}, "name description stateful tenant_id"),
    "security-group-rules": (
        {"security_group_id": "{dg}", "direction": "ingress"},
        "security_group_id direction ethertype protocol port_range_min port_range_max remote_ip_prefix "
        "remote_group_id remote_address_group_id description tenant_id",
    ),
    "address-groups": ({"name": "d"}, "name description addresses tenant_id"),
}


def odd_values() -> Iterator[Ask]:
    """Each attribute with values of every type of JSON, at creation and in a change."""
    yield post("networks", save="dn")
    yield post("networks", save="do")
    yield post("networks", save="ds")
    yield post("security-groups", save="dg", name="dg")
    yield from gateway_stories.cloud("d", 13)
    yield post("routers", save="dr", external_gateway_info={"network_id": "{dw}"})
    yield router_stories.add("dr", subnet_id="{dls}")
    yield post("ports", save="dp", network_id="{dl}", fixed_ips=[{"ip_address": "10.0.13.20"}])
    for collection, (base, attributes) in _WRITTEN.items():
        wanted = base | ({"object_id": "{do}"} if "object_id" in base else {})
        name = f"d-{collection.rpartition('/')[2]}"
        yield post(collection, save=name, **wanted | ({"cidr": "10.6.0.0/24"} if "cidr" in base else {}))
        for attribute in attributes.split():
            for value in ODD:
                yield Ask("POST", collection, base | {attribute: value}, clean=True)
                yield Ask("PUT", f"{collection}/{{{name}}}", {attribute: value})


STORIES = (
    network_stories.networks,
    network_stories.external,
    network_stories.subnets,
    port_stories.ports,
    port_stories.bindings,
    project_stories.pools,
    project_stories.sharing,
    project_stories.quotas,
    project_stories.tagging,
    router_stories.routers,
    router_stories.interfaces,
    router_stories.extra_routes,
    gateway_stories.gateways,
    gateway_stories.external_access,
    gateway_stories.gateways_without_addresses,
    gateway_stories.floating_ips,
    gateway_stories.port_forwardings,
    security_stories.groups,
    security_stories.rules,
    security_stories.address_groups,
    security_stories.shared_groups,
    request_stories.lists,
    request_stories.revisions,
    request_stories.collections,
    request_stories.discovery,
    request_stories.requests,
    odd_values,
)
