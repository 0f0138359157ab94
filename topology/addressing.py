"""Addresses that the network itself uses, and how a MAC address is written."""

from hashlib import blake2b

SERVICE_MAC = "fa:16:3e:ff:ff:fe"
"""The MAC address of services that every chassis offers by itself: DHCP, and a gateway that nobody else provides."""

UNSPECIFIED = "0.0.0.0"
"""The sender of an ARP request that speaks for nobody (RFC 5227, section 2.1.1), and so the target of its answer."""


def chassis_mac(chassis_id: str) -> str:
    """Return the MAC address by which a chassis sends to physical networks what it has routed, locally administered.

    A router is on all chassis; its own MAC address would be wherever its packets come from.
    """
    digest = blake2b(chassis_id.encode(), digest_size=5, person=b"sdnapp chassis").digest()
    return int_to_mac(0x02 << 40 | int.from_bytes(digest, "big"))


def int_to_mac(value: int) -> str:
    """Write 48 bits as a MAC address in lower case."""
    return ":".join(f"{value:012x}"[i : i + 2] for i in range(0, 12, 2))
