"""A link in two network namespaces of its own: DHCP clients at one end, the responder at the other. Needs root."""

import contextlib
import ctypes
import os
import secrets
import select
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sdnapp.dhcp.packet import MalformedPacket, parse
from sdnapp.dhcp.responder import Refusal, respond
from sdnapp.dhcp.service import PortService, mac_bytes
from topology.addressing import SERVICE_MAC

CLIENT_INTERFACE, SERVER_INTERFACE = "eth0", "dhcp0"
_ETH_P_ALL, _PACKET_OUTGOING = 3, 4
_CLONE_NEWNET = 0x40000000
_SERVICE_MAC = mac_bytes(SERVICE_MAC)


class ServedLink:
    """Answers what comes over the link, and keeps what was asked and how it was answered.

    The server's end also answers ARP requests for server ids, as the switch's flows do.
    """

    def __init__(self, service: PortService, mac: str) -> None:
        self.service = service
        suffix = secrets.token_hex(3)
        self.client_namespace, self._server_namespace = f"dhcp-client-{suffix}", f"dhcp-server-{suffix}"
        self._mac = mac
        self._exchanges: list[tuple[int, bytes | Refusal]] = []
        self._news = threading.Condition()
        self._stop_reading, self._stop_writing = os.pipe()

    @contextlib.contextmanager
    def up(self) -> Iterator["ServedLink"]:
        """Make namespaces and link, serve, and remove all of it."""
        with contextlib.ExitStack() as undo:
            for namespace in (self.client_namespace, self._server_namespace):
                _run("ip", "netns", "add", namespace)
                undo.callback(_run, "ip", "netns", "del", namespace)
            _run(
                *("ip", "-n", self._server_namespace, "link", "add", SERVER_INTERFACE, "type", "veth"),
                *("peer", "name", CLIENT_INTERFACE, "address", self._mac, "netns", self.client_namespace),
            )
            _run("ip", "-n", self._server_namespace, "link", "set", SERVER_INTERFACE, "up")
            raw = undo.enter_context(_packet_socket(self._server_namespace, SERVER_INTERFACE))
            server = threading.Thread(target=self._serve, args=(raw,), daemon=True)
            server.start()
            undo.callback(os.close, self._stop_reading)
            undo.callback(server.join)
            undo.callback(os.close, self._stop_writing)
            yield self

    def _serve(self, raw: socket.socket) -> None:
        while self._stop_reading not in select.select([raw, self._stop_reading], [], [])[0]:
            frame, origin = raw.recvfrom(65535)
            if origin[2] == _PACKET_OUTGOING:
                continue
            if frame[12:14] == b"\x08\x06":
                self._answer_arp(raw, frame)
            elif frame[12:14] == b"\x08\x00" and frame[23] == socket.IPPROTO_UDP and frame[36:38] == b"\0\x43":
                self._answer_dhcp(raw, frame)

    def _answer_dhcp(self, raw: socket.socket, frame: bytes) -> None:
        answer = respond(frame, self.service)
        try:
            message_type = parse(frame).options[53][0]
        except (MalformedPacket, KeyError):
            message_type = 0
        if isinstance(answer, bytes):
            raw.send(answer)
        with self._news:
            self._exchanges.append((message_type, answer))
            self._news.notify_all()

    def _answer_arp(self, raw: socket.socket, frame: bytes) -> None:
        client, asked = frame[22:32], frame[38:42]
        if frame[20:22] == b"\0\1" and any(asked == lease.server_id for lease in self.service.leases):
            raw.send(client[:6] + _SERVICE_MAC + frame[12:20] + b"\0\2" + _SERVICE_MAC + asked + client)

    @property
    def exchanges(self) -> list[tuple[int, bytes | Refusal]]:
        """All requests' message types with their answers, so far."""
        with self._news:
            return list(self._exchanges)

    def wait_for(self, wanted: Callable[[int, bytes | Refusal], bool], seconds: float = 20) -> None:
        """Wait until there is an exchange that is wanted; AssertionError after the deadline."""
        with self._news:
            came = self._news.wait_for(lambda: any(wanted(*exchange) for exchange in self._exchanges), seconds)
        assert came, self._exchanges

    def command(self, *arguments: str | Path) -> list[str]:
        """Return the command line that runs a command at the client's end."""
        return ["ip", "netns", "exec", self.client_namespace, *map(str, arguments)]


def wait_for_file(path: Path, seconds: float = 20) -> dict[str, str]:
    """Wait for a file that a client's script wrote, and return the environment in it."""
    wait_until(path.exists, f"the file {path.name}", seconds)
    return dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 20) -> None:
    """Wait for a condition; AssertionError after the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"no sign of {what} after {seconds} s"
        time.sleep(0.02)


def _run(*arguments: str) -> None:
    subprocess.run(arguments, check=True, capture_output=True, timeout=30)


def _packet_socket(namespace: str, interface: str) -> socket.socket:
    """Open a raw socket in another network namespace: a socket stays where its thread was when it was made."""
    made: list[socket.socket] = []

    def make() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        with open(f"/run/netns/{namespace}") as handle:
            if libc.setns(handle.fileno(), _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        raw.bind((interface, 0))
        made.append(raw)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    return made[0]
