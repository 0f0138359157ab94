"""A VLAN for each tenant, with DHCP: two tenants with the same addresses on one physical network."""

import reachability
from captures import Capture
from checks import Checks
from cloud import Cloud
from hypervisor import PHYSICAL_NETWORK
from leases import lease
from stations import Instance

VLANS = {"red": 101, "blue": 102}
PLACES = {"red": ("h1", "h2"), "blue": ("h2", "h3")}


def run(cloud: Cloud, checks: Checks) -> None:
    """Two instances of each tenant, on different hypervisors; the administrator makes the networks for the tenants."""
    tenants: dict[str, list[Instance]] = {}
    with Capture(cloud.lans[0], "lan2") as lan:
        for tenant, vlan in VLANS.items():
            network = cloud.make_network(
                cloud.api,
                "10.0.0.0/24",
                name=f"{tenant}-vlan",
                project_id=tenant,
                provider__network_type="vlan",
                provider__physical_network=PHYSICAL_NETWORK,
                provider__segmentation_id=vlan,
            )
            tenants[tenant] = []
            for number, host in enumerate(PLACES[tenant], start=1):
                port = cloud.api.project(tenant).create("port", network_id=network["id"])
                instance = cloud.launch(f"{tenant}{number}", port, on=host)
                tenants[tenant].append(instance)
                checks.check(f"{instance.name} leases", instance.address, lease(instance).address)

        result = reachability.measure(tenants)
        print(f"\n{result}\n", flush=True)
        result.check(checks)
        for tenant, vlan in VLANS.items():
            macs = {instance.mac for instance in tenants[tenant]}
            tags = {str(frame.vlan) for frame in lan.read() if frame.source in macs}
            checks.check(
                f"VLAN tags of {tenant}'s frames between the switches",
                vlan,
                ", ".join(sorted(tags)),
                tags == {str(vlan)},
            )
        checks.check("DHCP frames there", 0, lan.count(lambda frame: frame.is_dhcp))
