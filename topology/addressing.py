"""Addresses that the network itself uses, and how a MAC address is written."""

SERVICE_MAC = "fa:16:3e:ff:ff:fe"
"""The MAC address of services that every chassis offers by itself: DHCP, and a gateway that nobody else provides."""


def int_to_mac(value: int) -> str:
    """Write 48 bits as a MAC address in lower case."""
    return ":".join(f"{value:012x}"[i : i + 2] for i in range(0, 12, 2))
