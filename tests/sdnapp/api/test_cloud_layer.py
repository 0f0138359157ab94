"""What Ansible's OpenStack modules are made of: the cloud layer of openstacksdk, after a login and discovery."""

from collections.abc import Iterator
from typing import Any

import pytest
from keystoneauth1 import discover, session

openstack = pytest.importorskip("openstack", reason="needs openstacksdk: pip install .[test]")
pytestmark = pytest.mark.filterwarnings("ignore::Warning")


@pytest.fixture
def cloud(url: str) -> Iterator[Any]:
    project = {"project_name": "ansible", "project_domain_id": "default"}
    user = {"username": "ann", "password": "any", "user_domain_id": "default"}
    with openstack.connect(auth_url=f"{url}/identity/v3", region_name="one", **user, **project) as connection:
        yield connection


def test_versions_are_discovered(cloud: Any, url: str) -> None:
    (version,) = discover.Discover(session.Session(), f"{url}/", authenticated=False).version_data()
    assert (version["version"], version["url"], version["max_microversion"]) == ((2, 0), f"{url}/v2.0/", None)
    assert (cloud.network.get_endpoint(), cloud.network.get_api_major_version()) == (f"{url}/v2.0", (2, 0))
    assert cloud.network.find_extension("router").name == "Neutron L3 Router"


def test_a_cloud_is_built_and_taken_down(cloud: Any) -> None:
    flat = {"network_type": "flat", "physical_network": "ansible"}
    outside = cloud.create_network("world", external=True, provider=flat)
    beyond = cloud.create_subnet("world", cidr="203.0.113.0/24", subnet_name="world-v4")
    network = cloud.create_network("web", admin_state_up=True, mtu_size=1400, port_security_enabled=True)
    subnet = cloud.create_subnet("web", cidr="10.0.0.0/24", subnet_name="web-v4", dns_nameservers=["192.0.2.53"])
    fixed = [{"subnet_id": beyond.id, "ip_address": "203.0.113.7"}]
    router = cloud.create_router("hub", ext_gateway_net_id=outside.id, enable_snat=True, ext_fixed_ips=fixed)
    assert router.external_gateway_info["external_fixed_ips"] == fixed
    cloud.add_router_interface(router, subnet_id=subnet.id)
    owners = sorted(port.device_owner for port in cloud.list_router_interfaces(router))
    assert owners == ["network:router_gateway", "network:router_interface"]
    group = cloud.create_security_group("ssh", "let in")
    cloud.create_security_group_rule("ssh", protocol="tcp", port_range_min=22, port_range_max=22)
    port = cloud.create_port(network.id, name="vm", fixed_ips=[{"subnet_id": subnet.id}], security_groups=[group.id])
    floating = cloud.create_floating_ip(network="world", port=port.id, fixed_address=port.fixed_ips[0]["ip_address"])
    assert (floating.port_id, cloud.get_floating_ip(floating.id).router_id) == (port.id, router.id)
    assert cloud.detach_ip_from_server(None, floating.id) is True
    routes = [{"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"}]
    assert cloud.update_router("hub", routes=routes).routes == routes
    cloud.network.set_tags(cloud.network.get_network(network.id), ["red", "blue"])
    assert [each.name for each in cloud.network.networks(tags="red,blue")] == ["web"]
    assert [each.name for each in cloud.search_networks(filters={"name": "web"})] == ["web"]
    stale = cloud.network.get_router(router.id)
    cloud.update_router("hub", routes=[])
    with pytest.raises(openstack.exceptions.PreconditionFailedException):
        cloud.network.update_router(stale, if_revision=stale.revision_number, description="late")
    for is_gone in (
        cloud.delete_floating_ip(floating.id),
        cloud.delete_port("vm"),
        cloud.remove_router_interface(router, subnet_id=subnet.id) is None,
        cloud.delete_router("hub"),
        cloud.delete_security_group("ssh"),
        *map(cloud.delete_subnet, ("web-v4", "world-v4")),
        *map(cloud.delete_network, ("web", "world")),
    ):
        assert is_gone
    assert cloud.delete_network("web") is False
