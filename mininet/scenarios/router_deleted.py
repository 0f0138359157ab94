"""A router is taken apart under traffic: what goes by it ends within a second, all else goes on, nothing remains."""

import socket
import time
from collections.abc import Callable
from contextlib import suppress

import namespaces
from captures import Capture
from checks import Checks
from cloud import FAR, Cloud
from conversations import serve
from gateways import until_witnessed
from leases import lease
from neutron import Document, Neutron
from pings import Ping, ping, until_answered
from scan import ACK, segment
from stations import Instance
from streams import Stream, Streams

ECHO, FORWARDED = 80, 8080
AT_ONCE = 1.0
"""Seconds in which a change must have taken effect, also for established connections."""
WATCHED = 1.5
"""Seconds for which streams are watched after each change."""
LIVELY = 0.3
"""Seconds for which a stream that goes on may be silent."""
INTERVAL = 0.02


def run(cloud: Cloud, checks: Checks) -> None:
    """acme goes, piece by piece; corp stays, with the same addresses inside and on the same hypervisors."""
    world, upstream = cloud.make_world(), cloud.add_upstream()
    serve(upstream, [f"tcp/{ECHO}"])
    cloud.make_gateway("h3")
    acme, corp, heirs = (Tenant(cloud, name, world) for name in ("acme", "corp", "heirs"))
    guest, heir = corp.start("guest", "10.0.1.0/24", "h1"), heirs.start("heir", "10.0.1.0/24", "h1")
    web, db = acme.start("web", "10.0.1.0/24", "h1"), acme.start("db", "10.0.1.0/24", "h2")
    app = acme.start("app", "10.0.2.0/24", "h2")
    corp.make_router()
    corps = corp.float(guest)["floating_ip_address"]
    cloud.api.wait_until_realized()
    for source, target in ((guest, FAR), (upstream, corps)):
        until_answered(source, target)
    until_witnessed(cloud)
    before = _held(cloud)

    outside = acme.make_router()
    forwarding, floating = acme.forward(web), acme.float(db)
    address = floating["floating_ip_address"]
    cloud.api.wait_until_realized()
    for source, target in ((web, FAR), (upstream, address), (web, app.address)):
        until_answered(source, target)
    pings = [Ping(guest, FAR, 10_000, INTERVAL), Ping(upstream, corps, 10_000, INTERVAL)]
    with Streams() as streams:
        going = {
            name: streams.open(name, *ends)
            for name, ends in {
                "web to the world": (web, FAR, ECHO),
                "app to the world": (app, FAR, ECHO),
                "web to app, by the router": (web, app.address, ECHO),
                "the world to a forwarded port": (upstream, forwarding["address"], FORWARDED),
                "the world to the floating IP": (upstream, address, ECHO),
                "db to the world by it": (db, FAR, ECHO),
                "corp's guest to the world": (guest, FAR, ECHO),
                "the world to corp's floating IP": (upstream, corps, ECHO),
            }.items()
        }
        parts = Parts(checks, going)
        path = f"/v2.0/floatingips/{floating['id']}"

        def associate(instance: Instance | None) -> None:
            body = {"floatingip": {"port_id": instance.port["id"] if instance else None}}
            acme.api.request("PUT", path, body)

        def comes_to(name: str) -> None:
            going[name] = parts.opens(streams, name, upstream, address)

        parts.take(
            "the floating IP is moved from db to app",
            lambda: associate(app),
            "the world to the floating IP",
            "db to the world by it",
            "app to the world",
        )
        comes_to("the world to app's floating IP")
        parts.take("it is disassociated", lambda: associate(None), "the world to app's floating IP")
        associate(db)
        comes_to("the world to db's floating IP")
        parts.take("it is deleted", lambda: acme.api.request("DELETE", path), "the world to db's floating IP")
        parts.take(
            "the port forwarding is deleted",
            lambda: acme.api.request("DELETE", forwarding["forwarding"]),
            "the world to a forwarded port",
        )
        acme.api.request("DELETE", forwarding["floating"])
        parts.take("app's network leaves the router", lambda: acme.leave("10.0.2.0/24"), "web to app, by the router")
        gone = {"router": {"external_gateway_info": {}}}
        parts.take(
            "the router's gateway is cleared",
            lambda: acme.api.request("PUT", f"/v2.0/routers/{acme.router}", gone),
            "web to the world",
        )

        heirs.make_router(outside)
        cloud.api.wait_until_realized()
        until_answered(heir, FAR)
        with Capture(heir, "eth0") as link:
            _send_on(upstream, outside)
            answers = ping(heir, FAR)
            checks.check(f"who has {outside} now pings the world", "all answered", answers, answers.all)
            seen = link.count(lambda frame: frame.source != heir.mac and frame.payload[9:10] == b"\x06")
        checks.check("segments of acme's connections that he receives", 0, seen)
        for tenant in (heirs, acme):
            tenant.leave("10.0.1.0/24")
            parts.take(f"{tenant.name}'s router is deleted", tenant.delete_router)
    for beside, name in zip(pings, ("corp's guest to the world", "the world to corp's guest"), strict=True):
        answers = beside.stop()
        checks.check(f"pings from {name} all the time", "all answered", answers, answers.all)
    cloud.api.wait_until_realized()
    for name, held in _held(cloud).items():
        left = {kind: sorted(held[kind] ^ before[name][kind]) for kind in held if held[kind] != before[name][kind]}
        checks.check(f"what {name} holds that it did not before, or lacks", {}, left)


class Tenant:
    """A project with networks of its own, and a router to the world for them."""

    def __init__(self, cloud: Cloud, name: str, world: Document) -> None:
        self.name, self.router = name, ""
        self.api: Neutron = cloud.api.project(name)
        self._cloud, self._world = cloud, world
        self._networks: dict[str, Document] = {}
        self._group = self.api.create("security_group", name="open")["id"]
        rule = {"direction": "ingress", "ethertype": "IPv4"}
        self.api.create("security_group_rule", security_group_id=self._group, **rule)

    def start(self, name: str, cidr: str, on: str) -> Instance:
        """Start an instance that echoes."""
        if cidr not in self._networks:
            self._networks[cidr] = self._cloud.make_network(self.api, cidr, name=cidr)
        network_id = self._networks[cidr]["id"]
        port = self.api.create("port", network_id=network_id, security_groups=[self._group])
        instance = self._cloud.launch(name, port, on=on)
        lease(instance, "udhcpc")
        serve(instance, [f"tcp/{ECHO}"])
        return instance

    def make_router(self, address: str | None = None) -> str:
        """Join the networks by a router; an address of one's own choosing is for administrators. Return the address."""
        gateway: Document = {"network_id": self._world["id"]}
        if address is not None:
            gateway["external_fixed_ips"] = [{"ip_address": address}]
        row = self._cloud.api.create("router", name="hub", project_id=self.name, external_gateway_info=gateway)
        self.router = row["id"]
        for cidr in self._networks:
            self._ask("add", cidr)
        return str(row["external_gateway_info"]["external_fixed_ips"][0]["ip_address"])

    def leave(self, cidr: str) -> None:
        """Let a network be no more of the router's."""
        self._ask("remove", cidr)

    def delete_router(self) -> None:
        """Delete it, once it has no networks."""
        self.api.delete("router", self.router)

    def float(self, instance: Instance) -> Document:
        """A floating IP for an instance."""
        return self.api.create("floatingip", floating_network_id=self._world["id"], port_id=instance.port["id"])

    def forward(self, instance: Instance) -> dict[str, str]:
        """Let a port of another floating IP lead to an instance; return its ``address``, and both in the API."""
        floating = self.api.create("floatingip", floating_network_id=self._world["id"])
        body = {
            "internal_port_id": instance.port["id"],
            "internal_ip_address": instance.address,
            "internal_port": ECHO,
            "external_port": FORWARDED,
            "protocol": "tcp",
        }
        path = f"/v2.0/floatingips/{floating['id']}"
        made = self.api.request("POST", f"{path}/port_forwardings", {"port_forwarding": body})["port_forwarding"]
        forwarding = f"{path}/port_forwardings/{made['id']}"
        return {"address": floating["floating_ip_address"], "floating": path, "forwarding": forwarding}

    def _ask(self, what: str, cidr: str) -> None:
        subnet = self.api.show("network", self._networks[cidr]["id"])["subnets"][0]
        self.api.request("PUT", f"/v2.0/routers/{self.router}/{what}_router_interface", {"subnet_id": subnet})


class Parts:
    """Takes one part after the other away, and looks which streams end."""

    def __init__(self, checks: Checks, going: dict[str, Stream]) -> None:
        self._checks, self._going = checks, going

    def take(self, what: str, change: Callable[[], object], *ending: str) -> None:
        """Change something: these streams must end within a second, all others that went on so far must go on."""
        change()
        done = time.monotonic()
        time.sleep(WATCHED)
        for name in ending:
            heard = max(0.0, self._going.pop(name).last - done)
            said = f"{what}: '{name}' is heard for"
            self._checks.check(said, f"{AT_ONCE:g} s at most", f"{heard:.2f} s", heard <= AT_ONCE)
        now = time.monotonic()
        silent = {name for name, stream in self._going.items() if stream.ended or now - stream.last > LIVELY}
        self._checks.check(f"{what}: other streams that do not go on", set(), silent)

    def opens(self, streams: Streams, name: str, station: Instance, address: str) -> Stream:
        """Begin a stream, as soon as that can be; it must be within a second."""
        began = time.monotonic()
        while True:
            with suppress(OSError):
                stream = streams.open(name, station, address, ECHO, patience=AT_ONCE / 10)
                break
            if time.monotonic() > began + 10 * AT_ONCE:
                raise TimeoutError(f"{name}: not open after {10 * AT_ONCE} s")
        took = time.monotonic() - began
        self._checks.check(f"'{name}' opens after", f"{AT_ONCE:g} s at most", f"{took:.2f} s", took <= AT_ONCE)
        return stream


def _send_on(upstream: Instance, address: str) -> None:
    """Let the world send on, as if it had connections with whoever had an address before, by all of his ports."""
    with namespaces.visiting(namespaces.NET, upstream.pid):
        sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
    with sender:
        sender.bind((FAR, 0))
        for port in range(1024, 8192):
            sender.sendto(segment(FAR, address, ECHO, port, ACK), (address, 0))


def _held(cloud: Cloud) -> dict[str, dict[str, set[str]]]:
    """What each hypervisor's switch holds: flows, meters and groups."""
    held = {}
    for name, each in cloud.hypervisors.items():
        asked = {
            kind: each.run("ovs-ofctl", "-O", "OpenFlow13,OpenFlow15", f"dump-{kind}", "br-int")
            for kind in ("meters", "groups")
        }
        held[name] = {"flows": each.flows(), **{kind: set(said.splitlines()[1:]) for kind, said in asked.items()}}
    return held
