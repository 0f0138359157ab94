"""A router between a tunnelled network, a VLAN and a flat network, and a machine there that no hypervisor serves."""

from ipaddress import IPv4Address

from captures import Capture
from checks import Checks
from cloud import Cloud
from hypervisor import PHYSICAL_NETWORK
from leases import lease
from neutron import Document
from pings import one_ping, ping, time_to_live
from stations import Instance

VLAN = 101
ROBOT, ROUTER = "10.0.3.200", "10.0.3.1"


def run(cloud: Cloud, checks: Checks) -> None:
    """The administrator routes between his networks; one hypervisor stands for the router on the physical ones."""
    segment = {"provider:physical_network": PHYSICAL_NETWORK}
    vlan = {**segment, "provider:network_type": "vlan", "provider:segmentation_id": VLAN}
    red = cloud.make_network(cloud.api, "10.0.1.0/24", name="red")
    plant = cloud.make_network(cloud.api, "10.0.2.0/24", name="plant", **vlan)
    floor = cloud.make_network(
        cloud.api, "10.0.3.0/24", enable_dhcp=False, name="floor", **{**segment, "provider:network_type": "flat"}
    )
    router = cloud.api.create("router", name="hub")
    path = f"/v2.0/routers/{router['id']}/add_router_interface"
    for network in (red, plant, floor):
        subnet = cloud.api.show("network", network["id"])["subnets"][0]
        cloud.api.request("PUT", path, {"subnet_id": subnet})
    web, press = (
        _start(cloud, name, network, on) for name, network, on in (("web", red, "h1"), ("press", plant, "h2"))
    )
    robot = cloud.add_server("robot", f"{ROBOT}/24")
    robot.ip(f"route add default via {ROUTER}")
    cloud.api.wait_until_realized()

    interfaces = cloud.api.find("port", device_owner="network:router_interface", device_id=router["id"])
    macs = {port["network_id"]: port["mac_address"] for port in interfaces}
    own = {macs[network["id"]] for network in (plant, floor)}
    with Capture(cloud.hypervisors["h1"], "lan") as sent, Capture(cloud.hypervisors["h2"], "lan") as received:
        for source, target in ((web, press), (press, web)):
            answers = ping(source, target.address)
            checks.check(f"{source.name} pings {target.name}", "all answered", answers, answers.all)
        tagged = sent.count(lambda frame: str(frame.vlan) == str(VLAN) and frame.source != web.mac)
        wrong = sum(link.count(lambda frame: frame.source in own) for link in (sent, received))
    checks.check(f"frames of theirs in VLAN {VLAN}", "some", tagged, tagged > 0)
    checks.check("frames with the router's MAC address in the physical network", 0, wrong)
    checks.check("hops from web to press, by the time to live that is left", 63, time_to_live(web, press.address))
    answers = ping(robot, ROUTER, count=1)
    checks.check("without a gateway chassis, robot pings the router", "none answered", answers, answers.none)

    told = cloud.trace_from_outside(floor, ROUTER, source=ROBOT)
    checks.check("and a trace from there says", "unanswered", told)

    cloud.make_gateway("h3")
    cloud.api.wait_until_realized()
    with Capture(cloud.hypervisors["h3"], "lan") as door:
        for source, target, address in ((robot, web, web.address), (robot, press, press.address), (web, robot, ROBOT)):
            ping(source, address, count=1)  # the controller asks who has the address, and flows know from then on
            answers = ping(source, address)
            checks.check(f"{source.name} pings {target.name}", "all answered", answers, answers.all)
            if source is robot:
                told = cloud.trace_from_outside(floor, address, source=ROBOT)
                checks.check("and a trace from there says", f"delivered {target.port['id']}", told)
        here = door.count(lambda frame: frame.source in own)
        routed = {IPv4Address(each.address).packed for each in (web, press)}
        elsewhere = door.count(lambda frame: frame.source in own and frame.payload[12:16] in routed)
    checks.check("frames with the router's MAC address at the gateway chassis", "some", here, here > 0)
    checks.check("of those that others have routed", 0, elsewhere)
    checks.check("the router answers robot, time to live", 64, time_to_live(robot, ROUTER))
    checks.check("hops from robot to web, by the time to live that is left", 63, time_to_live(robot, web.address))
    for machine, address in ((robot, web.address), (web, ROBOT)):
        complaint = "Time to live exceeded"
        checks.check(f"one hop is too few for {machine.name}", True, complaint in one_ping(machine, address, "-t", "1"))


def _start(cloud: Cloud, name: str, network: Document, on: str) -> Instance:
    port = cloud.api.create("port", network_id=network["id"], port_security_enabled=False)
    instance = cloud.launch(name, port, on=on)
    lease(instance, "udhcpc")
    return instance
