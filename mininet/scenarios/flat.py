"""One flat provider LAN, addresses set by hand: instances and a physical server as on one switch."""

import reachability
from captures import Capture, send
from checks import Checks
from cloud import Cloud
from frames import BROADCAST, udp_frame
from leases import lease
from pings import ping
from stations import CommandFailed

SERVER = "203.0.113.9"
STRANGE_MAC = "02:00:00:00:00:66"


def run(cloud: Cloud, checks: Checks) -> None:
    """Three instances on three hypervisors, one server on the same LAN."""
    ports = cloud.apply("flat.yaml")
    server = cloud.add_server("server", f"{SERVER}/24")
    instances = []
    for (name, port), host in zip(ports.items(), cloud.hypervisors, strict=True):
        instances.append(cloud.launch(name, port, on=host))
        cloud.set_address(instances[-1])
    ours, vm1 = {instance.mac for instance in instances}, instances[0]

    with Capture(cloud.lans[0], "lan2") as lan:
        reachability.measure({"lan": instances}).check(checks)
        unasked = [ping(server, instance.address) for instance in instances]
        what = "pings of the physical server that the default security group lets pass"
        checks.check(what, 0, sum(each.received for each in unasked))
        cloud.api.create(
            "security_group_rule",
            security_group_id=vm1.port["security_groups"][0],
            direction="ingress",
            protocol="icmp",
            remote_ip_prefix=f"{SERVER}/32",
        )
        cloud.api.wait_until_realized()
        for instance in instances:
            both = [ping(instance, SERVER), ping(server, instance.address)]
            what = f"{instance.name} and the physical server ping each other"
            checks.check(what, "all answered", "; ".join(map(str, both)), all(each.all for each in both))
        passed = lan.count(lambda frame: frame.source in ours)
        checks.check("frames of instances between the LAN's switches", "some", passed, passed > 0)
        checks.check("frames there with a VLAN tag", 0, lan.count(lambda frame: frame.vlan is not None))

        send(vm1, "eth0", udp_frame(STRANGE_MAC, BROADCAST, vm1.address, SERVER, b"strange"))
        send(vm1, "eth0", udp_frame(vm1.mac, BROADCAST, vm1.address, SERVER, b"honest"))
        arrived = lan.wait_for(lambda frame: b"honest" in frame.data, timeout=5)
        checks.check("a broadcast of vm1 reaches the LAN", True, arrived)
        strange = lan.count(lambda frame: frame.source == STRANGE_MAC)
        checks.check("frames of vm1 from a made-up MAC address there", 0, strange)

    try:
        seen = f"leased {lease(vm1, patience=2).address}"
    except CommandFailed:
        seen = "no answer"
    checks.check("a DHCP client, as the subnet has no DHCP", "no answer", seen)
