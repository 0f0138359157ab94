"""Addresses that the network itself uses."""

SERVICE_MAC = "fa:16:3e:ff:ff:fe"
"""The MAC address of services that every chassis offers by itself: DHCP, and a gateway that nobody else provides."""
