"""ARP frames of the controller's own, and those that switches send it (RFC 826)."""

import struct
from ipaddress import IPv4Address
from typing import NamedTuple

from flows.fields import ARP_REQUEST, ETH_TYPE_ARP, ETH_TYPE_VLAN, ETHERNET_HEADER, mac_to_int
from topology.addressing import UNSPECIFIED, chassis_mac, int_to_mac

_BROADCAST, _NOBODY = (1 << 48) - 1, 0
_BODY = struct.Struct("!HHBBH6s4s6s4s")
_KIND = (1, 0x0800, 6, 4)
"""Ethernet and IPv4, with the lengths of their addresses."""


class Arp(NamedTuple):
    """What an ARP packet says."""

    operation: int
    mac: str
    address: str
    target: str
    to_mac: str

    @property
    def is_announcement(self) -> bool:
        """Whether it speaks of its sender alone (RFC 5227, section 2.3)."""
        return self.address == self.target


def request(mac: str, address: str, target: str, vlan_id: int | None = None) -> bytes:
    """Return a frame that asks all who has ``target``; of ``address`` itself, it is an announcement."""
    sender = mac_to_int(mac).to_bytes(6, "big")
    nobody, ends = _NOBODY.to_bytes(6, "big"), (IPv4Address(address).packed, IPv4Address(target).packed)
    body = _BODY.pack(*_KIND, ARP_REQUEST, sender, ends[0], nobody, ends[1])
    frame = _BROADCAST.to_bytes(6, "big") + sender + struct.pack("!H", ETH_TYPE_ARP) + body
    return tagged(frame, vlan_id).ljust(60, b"\0")


def silencing(chassis_id: str, former_id: str, secret: int, vlan_id: int | None = None) -> bytes:
    """Return a frame by which one chassis shows another its secret, where the target's MAC address stands.

    It asks for nobody, on behalf of nobody, so that nobody answers or learns.
    """
    own, former = (mac_to_int(chassis_mac(each)).to_bytes(6, "big") for each in (chassis_id, former_id))
    nobody = IPv4Address(UNSPECIFIED).packed
    body = _BODY.pack(*_KIND, ARP_REQUEST, own, nobody, secret.to_bytes(6, "big"), nobody)
    return tagged(former + own + struct.pack("!H", ETH_TYPE_ARP) + body, vlan_id).ljust(60, b"\0")


def tagged(frame: bytes, vlan_id: int | None) -> bytes:
    """Return an Ethernet frame with an 802.1Q tag; without a VLAN id, as it is."""
    tag = struct.pack("!HH", ETH_TYPE_VLAN, vlan_id) if vlan_id else b""
    return frame[:12] + tag + frame[12:]


def parse(frame: bytes) -> Arp | None:
    """Return what an untagged ARP frame says; None for any other, and for one that contradicts itself."""
    if len(frame) < ETHERNET_HEADER + _BODY.size or frame[12:14] != struct.pack("!H", ETH_TYPE_ARP):
        return None
    *kind, operation, sender, address, receiver, target = _BODY.unpack_from(frame, ETHERNET_HEADER)
    mac = int.from_bytes(sender, "big")
    if tuple(kind) != _KIND or sender != frame[6:12] or mac >> 40 & 1 or not mac:
        return None
    to_mac = int_to_mac(int.from_bytes(receiver, "big"))
    return Arp(operation, int_to_mac(mac), str(IPv4Address(address)), str(IPv4Address(target)), to_mac)
