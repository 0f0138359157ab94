"""TCP streams by every way through a gateway, which dies and returns, also without a controller: not a byte is lost."""

import time

from checks import Checks
from cloud import FAR, Cloud
from conversations import serve
from gateways import active as serving
from gateways import until_watched
from leases import lease
from neutron import Document, Neutron
from pings import ping, until_answered, who_ends
from stations import Instance
from streams import Streams
from troubles import Pair, Troubles

ECHO, FORWARDED = 80, 8080
INSIDE = "h1"
GATEWAYS = ("h2", "h3")
DARK = 2.0
"""Seconds for which a ping may stay unanswered when a gateway dies: three hellos, and more on a busy machine."""
SILENT = 5.0
"""Seconds for which a TCP stream may be silent then: its end waits twice as long before each further try (RFC 6298)."""
CUT = 7.0
"""Seconds in which the controller has noticed that a gateway chassis hears nothing from the upstream router."""
NEXT_TO_NOTHING = 0.1
"""Seconds for pings where a way changes without need: what is on the former one."""


def run(cloud: Cloud, checks: Checks) -> None:
    """Instances on a hypervisor without a way of its own to the world, and on the gateway chassis that stands by."""
    world, upstream = cloud.make_world(), cloud.add_upstream()
    serve(upstream, [f"tcp/{ECHO}"])
    cloud.hypervisors[INSIDE].vsctl("remove Open_vSwitch . external_ids sdnapp-bridge-mappings")
    cloud.make_gateway(*GATEWAYS)
    tenant = cloud.api.project("acme")
    network = cloud.make_network(tenant, "10.0.1.0/24", name="lan")
    router = tenant.create("router", name="hub", external_gateway_info={"network_id": world["id"]})
    subnet = tenant.show("network", network["id"])["subnets"][0]
    tenant.request("PUT", f"/v2.0/routers/{router['id']}/add_router_interface", {"subnet_id": subnet})
    group = tenant.create("security_group", name="open")
    tenant.create("security_group_rule", security_group_id=group["id"], direction="ingress", ethertype="IPv4")
    cloud.api.wait_until_realized()
    active = serving(cloud)
    (standby,) = {*GATEWAYS} - {active}
    places = {"web": INSIDE, "far": INSIDE, "db": standby, "near": standby}
    instances = {}
    for name, host in places.items():
        port = tenant.create("port", network_id=network["id"], security_groups=[group["id"]])
        instances[name] = cloud.launch(name, port, on=host)
        lease(instances[name], "udhcpc")
        serve(instances[name], [f"tcp/{ECHO}"])
    floating = {name: _float(tenant, world, instances[name]) for name in ("far", "near")}
    forwarded = _forward(tenant, world, instances["web"])
    cloud.api.wait_until_realized()
    until_answered(instances["web"], FAR)
    pairs: dict[str, Pair] = {
        "web": (instances["web"], FAR),
        "far's floating IP": (upstream, floating["far"]),
        "near's floating IP": (upstream, floating["near"]),
    }
    for source, target in pairs.values():
        until_answered(source, target)

    (door,) = cloud.api.find("port", device_id=router["id"], device_owner="network:router_gateway")
    hub = door["fixed_ips"][0]["ip_address"]
    for name, address in floating.items():
        what = f"who tells the world that a request to {name}'s floating IP has no hop left"
        checks.check(what, hub, who_ends(upstream, address, 1))
        checks.check("with one hop more, it is answered", True, ping(upstream, address, count=1).all)

    with Streams() as streams:
        streams.open("web by SNAT", instances["web"], FAR, ECHO)
        streams.open("db by SNAT, from the standby gateway", instances["db"], FAR, ECHO)
        streams.open("to far's floating IP, by a gateway", upstream, floating["far"], ECHO)
        streams.open("from far by its floating IP", instances["far"], FAR, ECHO)
        streams.open("to near's floating IP, at its own chassis", upstream, floating["near"], ECHO)
        streams.open("to web by port forwarding", upstream, forwarded, FORWARDED)
        time.sleep(1)
        _until_watched(cloud)
        troubles = Troubles(checks, streams, pairs)
        victim, controller = cloud.hypervisors[active], cloud.controller
        assert controller is not None

        def kill_both() -> None:
            controller.kill_app()
            victim.kill_switch()

        def return_both() -> None:
            controller.start_app()
            _return(cloud, active)

        by_gateway = ("web", "far's floating IP")
        for ending, kill, beginning, back in (
            (f"{active}'s switch is killed", victim.kill_switch, f"{active} returns", lambda: _return(cloud, active)),
            (f"the controller is killed, and {active}'s switch", kill_both, "both return", return_both),
        ):
            troubles.strike(ending, kill, dark=dict.fromkeys(by_gateway, DARK), silent=SILENT)
            _until_watched(cloud)
            dark = dict.fromkeys(by_gateway, NEXT_TO_NOTHING)
            troubles.strike(f"{beginning}, and serves again", back, dark=dark, silent=SILENT, seconds=5)
            checks.check(f"the gateway chassis that serves when {beginning}", active, _until_active(cloud, active))
            _until_watched(cloud)
        dark = dict.fromkeys(by_gateway, CUT)
        what = f"{active}'s link outside is cut"
        troubles.strike(what, lambda: victim.ip("link set lan down"), dark=dark, silent=2 * CUT, seconds=6)
        said = min(stream.said for stream in streams.all)
        wrong = streams.finish()
        print(f"\n{troubles}")
        checks.check("streams that were reset, or lost a byte, or heard one twice", {}, wrong)
        checks.check("words that each has said and heard", "1000 at least", said, said >= 1000)


def _return(cloud: Cloud, name: str) -> None:
    cloud.hypervisors[name].start_switch()
    cloud.api.wait_until_in_sync(cloud.hypervisors)
    cloud.hypervisors[name].meet_gateway()


def _until_watched(cloud: Cloud) -> None:
    """Wait until the hypervisor of the instances watches whichever gateways there are."""
    until_watched(cloud.hypervisors[INSIDE], sum(1 for name in GATEWAYS if cloud.hypervisors[name].is_running))


def _until_active(cloud: Cloud, name: str) -> str:
    """Wait until a gateway chassis has its role back; return the one that has it in the end."""
    for _ in range(100):
        if serving(cloud) == name:
            break
        time.sleep(0.1)
    return serving(cloud)


def _float(tenant: Neutron, world: Document, instance: Instance) -> str:
    made = tenant.create("floatingip", floating_network_id=world["id"], port_id=instance.port["id"])
    return str(made["floating_ip_address"])


def _forward(tenant: Neutron, world: Document, instance: Instance) -> str:
    """Let a port of another floating IP lead to an instance; return the address."""
    floating = tenant.create("floatingip", floating_network_id=world["id"])
    body = {
        "internal_port_id": instance.port["id"],
        "internal_ip_address": instance.address,
        "internal_port": ECHO,
        "external_port": FORWARDED,
        "protocol": "tcp",
    }
    tenant.request("POST", f"/v2.0/floatingips/{floating['id']}/port_forwardings", {"port_forwarding": body})
    return str(floating["floating_ip_address"])
