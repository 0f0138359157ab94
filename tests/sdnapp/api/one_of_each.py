"""An object of each kind that there is, for tests that go through all kinds."""

from typing import Any

from tests.sdnapp.api.stand_ins import ADMIN, Api

REQUIRED: dict[str, dict[str, Any]] = {
    "networks": {},
    "subnets": {"ip_version": 4, "cidr": "10.7.0.0/24"},
    "ports": {},
    "address_scopes": {"ip_version": 4},
    "subnetpools": {"name": "pool", "prefixes": ["10.7.0.0/16"]},
    "rbac_policies": {"object_type": "network", "action": "access_as_shared", "target_tenant": "blue"},
    "address_groups": {},
    "routers": {},
    "floatingips": {},
    "security_groups": {},
    "security_group_rules": {"direction": "ingress"},
    "default_security_group_rules": {
        "direction": "ingress",
        "used_in_default_sg": False,
        "used_in_non_default_sg": False,
    },
}


def one_of_each(api: Api, who: dict[str, str]) -> dict[str, str]:
    """Make an object of each kind; return their ids. ``outside`` is an external network."""
    network = api.network(who)
    group = api.create("security_groups", who, name="group")["id"]
    flat = {"provider:network_type": "flat", "provider:physical_network": f"outside-{network}"}
    outside = api.network(ADMIN, **{"router:external": True}, **flat)
    api.subnet(outside, cidr="203.0.113.0/24", who=ADMIN)
    template = api.create("default_security_group_rules", ADMIN, **REQUIRED["default_security_group_rules"])
    policy = {"object_type": "network", "object_id": network, "action": "access_as_shared", "target_tenant": "green"}
    return {
        "outside": outside,
        "networks": network,
        "subnets": api.subnet(network, who=who),
        "ports": api.port(network, who),
        "address_scopes": api.create("address_scopes", who, ip_version=4)["id"],
        "subnetpools": api.create("subnetpools", who, name="pool", prefixes=["10.7.0.0/16"])["id"],
        "rbac_policies": api.create("rbac_policies", who, **policy)["id"],
        "default_security_group_rules": template["id"],
        "address_groups": api.create("address_groups", who, addresses=["10.0.0.0/24"])["id"],
        "routers": api.create("routers", who)["id"],
        "floatingips": api.create("floatingips", who, floating_network_id=outside)["id"],
        "security_groups": group,
        "security_group_rules": api.create("security_group_rules", who, security_group_id=group, direction="ingress")[
            "id"
        ],
    }
