"""One flat provider LAN with DHCP, answered on each hypervisor and never asked for on the LAN."""

import reachability
from captures import Capture
from checks import Checks
from cloud import Cloud
from hypervisor import PHYSICAL_NETWORK
from leases import lease
from pings import ping

SERVER = "203.0.113.250"
CLIENTS = ("udhcpc", "dhclient", "udhcpc")


def run(cloud: Cloud, checks: Checks) -> None:
    """Three instances lease their addresses; a physical server has its own from elsewhere."""
    network = cloud.make_network(
        cloud.api,
        "203.0.113.0/24",
        name="lan",
        provider__network_type="flat",
        provider__physical_network=PHYSICAL_NETWORK,
    )
    server = cloud.add_server("server", f"{SERVER}/24")
    instances = []
    with Capture(cloud.lans[0], "lan2") as lan:
        for number, (host, client) in enumerate(zip(cloud.hypervisors, CLIENTS, strict=True), start=1):
            port = cloud.api.create("port", network_id=network["id"])
            instance = cloud.launch(f"vm{number}", port, on=host)
            leased = lease(instance, client)
            expected = f"{instance.address}, MTU {network['mtu']}"
            checks.check(f"{instance.name} leases with {client}", expected, f"{leased.address}, MTU {leased.mtu}")
            instances.append(instance)
        reachability.measure({"lan": instances}).check(checks)
        answers = ping(instances[0], SERVER)
        checks.check("vm1 pings the physical server", "all answered", answers, answers.all)
        passed = lan.count(lambda frame: frame.source == instances[0].mac)
        checks.check("frames of vm1 between the LAN's switches", "some", passed, passed > 0)
        checks.check("DHCP frames there", 0, lan.count(lambda frame: frame.is_dhcp))

        stray = server.start("udhcpc", "-i", "eth0", "-f", "-q", "-n", "-t", "2", "-T", "1", "-s", "/bin/true")
        stray.wait(timeout=30)
        asked = lan.wait_for(lambda frame: frame.is_dhcp, timeout=5)
        checks.check("the server's own DHCP client is heard on the LAN", True, asked)
        checks.check("and gets an answer", False, stray.returncode == 0)
