"""Trouble on the external network: its router changes its MAC address, a hostile host claims those of others."""

import time
from collections.abc import Sequence

from captures import Capture, send
from checks import Checks
from cloud import FAR, UPSTREAM, Cloud
from conversations import serve
from frames import arp_reply, arp_request
from leases import lease
from neutron import Document
from pings import until_answered
from stations import Instance
from streams import Streams
from troubles import Pair, Troubles

ECHO = 80
SECOND, THIRD = "00:00:5e:00:53:02", "00:00:5e:00:53:03"
"""Other MAC addresses of the upstream router (RFC 9542, section 2.1.4)."""
NOTICED = 4.0
"""Seconds in which a silent change of a MAC address is noticed: it is asked once a second, and again."""
TOLD = 2.5
"""Seconds where it is announced: it is asked whether that is true."""
DEFENDED = 0.3
"""Seconds that may be lost of some while somebody claims an address of ours: each claim is answered at once."""
RECOVERED = 1.5
"""Seconds until all is well again, once she has stopped: the controller speaks last."""
LIVELY = 0.5
SILENT = 8.0
"""Seconds for which a stream may be silent then: its end waits twice as long before each further try (RFC 6298)."""
FLOOD = 2000
"""Forged frames a second."""
NOBODY = "0.0.0.0"
LIES = 2.0
"""Seconds for which she lies."""
BUDGET, BURST, ACCOUNTS = 10, 20, 7
"""Packets a second that a hypervisor sends the controller on one account, at once after a silence (both in
flows/control_budget.py), and accounts: at both gateway chassis what both routers are told, and what is confirmed to the
first; at the floating IP's what it is told."""


def run(cloud: Cloud, checks: Checks) -> None:
    """acme goes by a router and a floating IP, corp by a router of its own; mallory is on the LAN outside."""
    world, upstream = cloud.make_world(), cloud.add_upstream()
    mallory = Liar(cloud.add_server("mallory", "203.0.113.66/24"))
    serve(upstream, [f"tcp/{ECHO}"])
    cloud.make_gateway("h2", "h3")
    acme, corp = (Site(cloud, name, world) for name in ("acme", "corp"))
    web, db, guest = acme.start("web"), acme.start("db"), corp.start("guest")
    serve(db, [f"tcp/{ECHO}"])
    floating = acme.api.create("floatingip", floating_network_id=world["id"], port_id=db.port["id"])
    address = floating["floating_ip_address"]
    cloud.api.wait_until_realized()
    ways: dict[str, Pair] = {"web": (web, FAR), "the floating IP": (upstream, address), "guest": (guest, FAR)}
    for source, target in ways.values():
        until_answered(source, target)

    with Streams() as streams:
        streams.open("web by SNAT", web, FAR, ECHO)
        streams.open("to db's floating IP", upstream, address, ECHO)
        streams.open("guest by SNAT", guest, FAR, ECHO)
        time.sleep(1)
        troubles = Troubles(checks, streams, ways)

        def move(mac: str, *announcements: bytes) -> None:
            upstream.ip(f"link set eth0 address {mac}")
            send(upstream, "eth0", *announcements)

        what = "the upstream router takes another MAC address, without a word"
        troubles.strike(what, lambda: move(SECOND), dark=dict.fromkeys(ways, NOTICED), silent=SILENT, seconds=5)
        said = arp_request(THIRD, UPSTREAM, UPSTREAM)
        what = "it takes another one, and announces it"
        troubles.strike(what, lambda: move(THIRD, said), dark=dict.fromkeys(ways, TOLD), silent=SILENT)

        askers = mallory.hear()
        checks.check("gateway chassis that mallory hears ask", 2, len(askers))
        came, began = _packet_ins(cloud), time.monotonic()
        lies = [
            mallory.claim(UPSTREAM),
            *(mallory.tell(UPSTREAM, site.mac, site.address) for site in (acme, corp)),
            *(mallory.tell(UPSTREAM, mac, NOBODY) for mac in askers),
        ]
        what = f"mallory says {FLOOD} times a second that she is the upstream router"
        troubles.strike(what, lambda: mallory.repeat(lies, FLOOD), dark={}, silent=LIVELY)

        lies = [mallory.claim(acme.address), mallory.claim(address)]
        what = "twice a second she claims the router's address and the floating IP"
        hers = ("web", "the floating IP")
        dark = dict.fromkeys(hers, DEFENDED)
        troubles.strike(what, lambda: mallory.repeat(lies, 2 * len(lies)), dark=dark, silent=SILENT)
        what = f"she claims them {FLOOD} times a second"
        dark = dict.fromkeys(hers, LIES + RECOVERED)
        troubles.strike(what, lambda: mallory.repeat(lies, FLOOD), dark=dark, silent=SILENT)
        came, seconds = _packet_ins(cloud) - came, time.monotonic() - began
        most = round(ACCOUNTS * (BURST + BUDGET * seconds))
        checks.check("packets at the controller meanwhile", f"{most} at most", came, came <= most)
        wrong = streams.finish()
        print(f"\n{troubles}")
        checks.check("streams that were reset, or lost a byte, or heard one twice", {}, wrong)


class Site:
    """A project with a network and a router to the world, whose address and MAC address there are known."""

    def __init__(self, cloud: Cloud, name: str, world: Document) -> None:
        self._cloud = cloud
        self.api = cloud.api.project(name)
        self._network = cloud.make_network(self.api, "10.0.1.0/24", name="lan")
        router = self.api.create("router", name="hub", external_gateway_info={"network_id": world["id"]})
        subnet = self.api.show("network", self._network["id"])["subnets"][0]
        self.api.request("PUT", f"/v2.0/routers/{router['id']}/add_router_interface", {"subnet_id": subnet})
        self._group = self.api.create("security_group", name="open")["id"]
        rule = {"direction": "ingress", "ethertype": "IPv4"}
        self.api.create("security_group_rule", security_group_id=self._group, **rule)
        (port,) = cloud.api.find("port", device_id=router["id"], device_owner="network:router_gateway")
        self.mac, self.address = port["mac_address"], port["fixed_ips"][0]["ip_address"]

    def start(self, name: str) -> Instance:
        """Start an instance on h1."""
        port = self.api.create("port", network_id=self._network["id"], security_groups=[self._group])
        instance = self._cloud.launch(name, port, on="h1")
        lease(instance, "udhcpc")
        return instance


class Liar:
    """A host of the external network that says that others' addresses are its own."""

    def __init__(self, host: Instance) -> None:
        self._host = host
        self._mac = host.intf("eth0").MAC()

    def hear(self) -> set[str]:
        """The MAC addresses of those who ask for the upstream router without an address of their own."""
        with Capture(self._host, "eth0") as link:
            time.sleep(1.5)
            probes = [frame for frame in link.read() if frame.is_arp_request]
        return {frame.source for frame in probes if frame.payload[14:18] == bytes(4)}

    def claim(self, address: str) -> bytes:
        """To everybody, unasked."""
        return arp_request(self._mac, address, address)

    def tell(self, address: str, mac: str, whom: str) -> bytes:
        """To one, as if he had asked."""
        return arp_reply(self._mac, address, mac, whom)

    def repeat(self, lies: Sequence[bytes], rate: float) -> None:
        """Say all these again and again, so many in a second, for a while."""
        sent, began = 0, time.monotonic()
        while (elapsed := time.monotonic() - began) < LIES:
            due = int(elapsed * rate) + 1 - sent
            send(self._host, "eth0", *(lies[(sent + each) % len(lies)] for each in range(due)))
            sent += due
            time.sleep(0.01)


def _packet_ins(cloud: Cloud) -> int:
    lines = cloud.api.text("GET", "/metrics").splitlines()
    return sum(int(float(line.split()[-1])) for line in lines if line.startswith("sdnapp_packet_ins_total"))
