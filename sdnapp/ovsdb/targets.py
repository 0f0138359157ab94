"""How Open vSwitch writes where to connect: ``tcp:192.0.2.1:6640``, ``ssl:[2001:db8::1]:6640``."""

from typing import Any

DEFAULT_PORT = 6640
"""The port of OVSDB managers."""


def host_text(host: str) -> str:
    """Return an address as targets have it: IPv6 in brackets, and IPv4 that came through an IPv6 socket as IPv4."""
    host = host.removeprefix("::ffff:") if "." in host else host
    return f"[{host}]" if ":" in host else host


def address_text(address: tuple[Any, ...]) -> str:
    """Return a socket's address as ``192.0.2.1:6640`` or ``[2001:db8::1]:6640``."""
    return f"{host_text(address[0])}:{address[1]}"


def target(host: str, port: int, *, secure: bool = False) -> str:
    """Return the target that connects to a host's port, if ``secure`` by TLS."""
    return f"{'ssl' if secure else 'tcp'}:{host_text(host)}:{port}"
