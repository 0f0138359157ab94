"""An attacker with raw sockets tries every trick on its own tenant and another one: nothing arrives, all is counted."""

import json
import secrets
import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import namespaces
from captures import Capture, send
from checks import Checks
from cloud import Cloud
from controller import sdnapp
from drops import PATIENCE, dropped, dropped_since
from frames import BROADCAST, ETH_IPV4, GENEVE_PORT, Frame, arp_reply, arp_request, ethernet, geneve, tagged, udp_frame
from leases import lease
from neutron import Document
from pings import ping
from stations import Instance

NOBODY, NOBODYS_MAC = "10.0.0.99", "fa:16:3e:99:99:99"
GATEWAY = "10.0.0.1"
DHCP_OFFER = (67, 68)
ETH_IPV6, ALL_NODES, ICMPV6, ROUTER_ADVERTISEMENT = 0x86DD, "33:33:00:00:00:01", 58, 134
ETH_UNKNOWN = 0x9999
SO_NO_CHECK = 11
EVERYBODY = "255.255.255.255"


@dataclass(frozen=True)
class Trick:
    """What an attacker sends, and under which reason it should be dropped."""

    name: str
    reason: str
    frames: tuple[bytes, ...]


def run(cloud: Cloud, checks: Checks) -> None:
    """red1 attacks red2 beside it and red3 elsewhere, and blue, who has the same addresses on the same hypervisors."""
    reds: list[Instance] = []
    blues: list[Instance] = []
    networks = {}
    for tenant, instances, hosts in (("red", reds, ("h1", "h1", "h2")), ("blue", blues, ("h1", "h2"))):
        api = cloud.api.project(tenant)
        networks[tenant] = cloud.make_network(api, "10.0.0.0/24", name=f"{tenant}-net")
        for number, host in enumerate(hosts, start=1):
            port = api.create("port", network_id=networks[tenant]["id"])
            instances.append(_start(cloud, f"{tenant}{number}", port, host))
    attacker, *friends = reds
    cloud.api.wait_until_realized()
    with ExitStack() as stack:
        others = {each.name: stack.enter_context(Capture(each, "eth0")) for each in (*friends, *blues)}
        link = stack.enter_context(Capture(cloud.hypervisors["h1"], "underlay"))
        attack = Attack(checks, attacker, friends, others, link)
        _try(cloud, attack, [*_lies(attacker, friends), *_reaching_out(attacker, blues, cloud)])
        anything = [{"ip_address": "0.0.0.0/0"}]
        cloud.api.project("red").update("port", attacker.port["id"], allowed_address_pairs=anything)
        cloud.api.wait_until_realized()
        _try(cloud, attack, _lies_with_a_wide_pair(attacker, friends))
    _forged_tunnel(cloud, checks, networks["red"]["id"], friends)
    for one, other in ((friends[0], friends[1]), (friends[1], attacker), (blues[0], blues[1])):
        answers = ping(one, other.address)
        checks.check(f"{one.name} pings {other.name} as if nothing had been", "all answered", answers, answers.all)
        known = one.run("ip", "neigh", "show", other.address)
        checks.check(f"{one.name} knows {other.name} by its MAC address", True, other.mac in known)


def _try(cloud: Cloud, attack: "Attack", tricks: list[Trick]) -> None:
    """Perform all, and claim that each frame is counted under its reason.

    Counts must be there before any flow changes: a switch credits what it has not told yet to the flows of then.
    """
    before = dropped(cloud, attack.attacker)
    expected: dict[str, int] = {}
    for trick in tricks:
        attack.perform(trick)
        expected[trick.reason] = expected.get(trick.reason, 0) + len(trick.frames)
    seen = dropped_since(cloud, attack.attacker, before, expected)
    for reason, count in expected.items():
        attack.checks.check(f"frames that sdnapp drops counts for red1 as {reason}", count, seen[reason])


def _start(cloud: Cloud, name: str, port: Document, host: str) -> Instance:
    """An instance that says nothing by itself: what its kernel sent by IPv6 would be counted, too."""
    instance = cloud.add(name, Instance)
    instance.silence()
    cloud.plug(instance, port, cloud.hypervisors[host])
    cloud.api.wait_for_status(port["id"])
    lease(instance)
    return instance


@dataclass
class Attack:
    """One attacker, and everybody who should hear nothing of it, by captures; ``link`` is the hypervisor's own."""

    checks: Checks
    attacker: Instance
    friends: list[Instance]
    others: dict[str, Capture]
    link: Capture

    def perform(self, trick: Trick) -> None:
        """Try it, and then be honest: when that has arrived, what was wrongly let through before has, too."""
        me, text = self.attacker, secrets.token_hex(8).encode()
        send(me, "eth0", *trick.frames)
        send(me, "eth0", *(udp_frame(me.mac, each.mac, me.address, each.address, text) for each in self.friends))
        told = [self.others[each.name].wait_for(lambda frame: text in frame.data, timeout=5) for each in self.friends]
        bodies = [frame[14:] for frame in trick.frames]

        def is_of_it(frame: Frame) -> bool:
            return any(body in frame.data for body in bodies)

        arrived = {name: count for name, capture in self.others.items() if (count := capture.count(is_of_it))}
        crossed = self.link.count(is_of_it)
        seen = "nobody" if all(told) else "not even what is honest arrived"
        if arrived or crossed:
            seen = f"{arrived} and {crossed} tunnelled"
        self.checks.check(f"{trick.name}: who gets it", "nobody", seen)


def _lies(me: Instance, friends: list[Instance]) -> list[Trick]:
    """What no instance may say, to its own tenant or to anybody."""
    near, far = friends

    def to(other: Instance, **lie: Any) -> bytes:
        return _datagram(me, other, **lie)

    advertisement = bytes([ROUTER_ADVERTISEMENT, 0, 0, 0, 64, 0, 7, 8]) + secrets.token_bytes(8)
    ipv6 = b"\x60\0\0\0" + len(advertisement).to_bytes(2) + bytes([ICMPV6, 255]) + b"\xfe\x80" + bytes(13) + b"\1"
    ipv6 += b"\xff\2" + bytes(13) + b"\1" + advertisement
    return [
        Trick(
            "the MAC address of another", "spoofed_mac", (to(far, source_mac=near.mac), to(near, source_mac=far.mac))
        ),
        Trick("a MAC address that nobody has", "spoofed_mac", (to(far, source_mac=NOBODYS_MAC),)),
        Trick("a group's MAC address", "malformed", (to(far, source_mac="01:00:5e:00:00:01"),)),
        Trick("the address of another", "spoofed_ip", (to(far, source=near.address), to(near, source=far.address))),
        Trick("an address of elsewhere", "spoofed_ip", (to(far, source="192.0.2.66"),)),
        Trick(
            "loopback and broadcast addresses", "malformed", (to(near, source="127.0.0.1"), to(far, source=EVERYBODY))
        ),
        Trick("IPv4 headers of 4 bytes", "malformed", tuple(_shortened(to(each)) for each in friends)),
        Trick("ARP for another", "spoofed_arp", (arp_request(me.mac, near.address, NOBODY),)),
        Trick(
            *("answers by ARP for others, unasked", "spoofed_arp"),
            (
                arp_reply(me.mac, far.address, near.mac, near.address),
                arp_reply(me.mac, near.address, far.mac, far.address),
            ),
        ),
        Trick("ARP for the gateway", "spoofed_arp", (arp_request(me.mac, GATEWAY, GATEWAY),)),
        Trick("ARP with another's MAC address", "spoofed_mac", (arp_request(far.mac, far.address, NOBODY),)),
        Trick(
            *("an offer of DHCP", "dhcp_server"),
            (to(near, ports=DHCP_OFFER), to(far, destination_mac=BROADCAST, destination=EVERYBODY, ports=DHCP_OFFER)),
        ),
        Trick("a router advertisement", "protocol", (ethernet(me.mac, ALL_NODES, ETH_IPV6) + ipv6,)),
        Trick(
            *("a protocol that nobody knows", "protocol"),
            (ethernet(me.mac, BROADCAST, ETH_UNKNOWN) + secrets.token_bytes(46),),
        ),
        Trick("VLAN tags", "vlan_tag", (tagged(to(near), 1), tagged(to(far), 66))),
    ]


def _lies_with_a_wide_pair(me: Instance, friends: list[Instance]) -> list[Trick]:
    """What is refused even to a port whose allowed address pair is every address."""
    near, far = friends
    return [
        Trick("any address allowed, loopback", "malformed", (_datagram(me, far, source="127.0.0.1"),)),
        Trick("any address allowed, an offer of DHCP", "dhcp_server", (_datagram(me, far, ports=DHCP_OFFER),)),
        Trick(
            *("any address allowed, ARP for others", "arp_conflict"),
            (arp_request(me.mac, near.address, NOBODY), arp_reply(me.mac, far.address, near.mac, near.address)),
        ),
    ]


def _datagram(me: Instance, other: Instance, **lie: Any) -> bytes:
    """What would be honest but for one lie, with a text that nothing else has."""
    honest = {"source_mac": me.mac, "destination_mac": other.mac, "source": me.address}
    return udp_frame(**(honest | {"destination": other.address, "text": secrets.token_bytes(8)} | lie))


def _shortened(frame: bytes) -> bytes:
    """An IPv4 packet that says that its header is one word long (RFC 791, section 3.1: at least five)."""
    return frame[:14] + b"\x41" + frame[15:]


def _reaching_out(me: Instance, victims: list[Instance], cloud: Cloud) -> list[Trick]:
    """What is honest in itself, but for another tenant or for the provider."""

    def to(mac: str, address: str, text: bytes, **more: Any) -> bytes:
        return udp_frame(me.mac, mac, me.address, address, text, **more)

    probes = tuple(to(each.mac, each.address, secrets.token_bytes(8)) for each in victims)
    as_them = tuple(
        udp_frame(victims[0].mac, mac, victims[0].address, victims[1].address, secrets.token_bytes(8))
        for mac in (victims[1].mac, BROADCAST)
    )
    underlay = cloud.hypervisors["h2"].underlay
    inner = ethernet(victims[0].mac, victims[1].mac, ETH_IPV4) + secrets.token_bytes(46)
    tunnelled = tuple(
        to(mac, underlay.address, geneve(vni, inner), ports=(GENEVE_PORT, GENEVE_PORT))
        for mac in (victims[1].mac, NOBODYS_MAC)
        for vni in (1, 2, 3)
    )
    return [
        Trick("frames to another tenant's MAC addresses", "unknown_destination", probes),
        Trick("frames as another tenant's instance", "spoofed_mac", as_them),
        Trick("tunnel packets made by the instance", "unknown_destination", tunnelled),
    ]


def _forged_tunnel(cloud: Cloud, checks: Checks, network_id: str, friends: list[Instance]) -> None:
    """A machine of the core that is no chassis sends with the right VNI what the right instance might have sent."""
    near, far = friends
    vni = cloud.api.show("network", network_id)["provider:segmentation_id"]
    text = secrets.token_hex(8).encode()
    frame = udp_frame(far.mac, near.mac, far.address, near.address, text)
    core, target = cloud.cores[0], (cloud.hypervisors["h1"].underlay.address, GENEVE_PORT)
    with namespaces.visiting(namespaces.NET, core.pid):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)  # the interface would be left to finish a checksum
    with sender, Capture(near, "eth0") as capture:
        for _ in range(3):
            sender.sendto(geneve(vni, frame), target)
        send(far, "eth0", udp_frame(far.mac, near.mac, far.address, near.address, b"honest" + text[:8]))
        honest = capture.wait_for(lambda each: b"honest" + text[:8] in each.data, timeout=5)
        forged = capture.count(lambda each: text in each.data)
    checks.check("an honest frame of red3 through the tunnel arrives at red2", True, honest)
    checks.check("forged ones from a machine of the core that is no chassis", 0, forged)
    deadline = time.monotonic() + PATIENCE
    while (seen := _strangers(cloud)) < 3 and time.monotonic() < deadline:
        time.sleep(0.1)
    checks.check("tunnel packets that sdnapp drops counts on h1 as unknown_tunnel", 3, seen)


def _strangers(cloud: Cloud) -> int:
    assert cloud.controller is not None
    told = json.loads(sdnapp(cloud.controller, "drops", "--json", "--chassis", "h1"))
    return sum(row["packets"] for row in told["drops"] if row["reason"] == "unknown_tunnel")
