"""Instances that talk by ICMP, TCP and UDP: who gets an answer from whom, and when a conversation ends."""

import hashlib
import secrets
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import namespaces
from echo import KINDS
from pings import ping
from stations import Instance

ECHO = Path(__file__).resolve().parent / "echo.py"
CROWD = ECHO.with_name("crowd.py")
ICMP = "icmp"
PATIENCE = 2.0
"""Seconds that an answer may take: more than a lost first packet of TCP takes to be sent again."""
Pairs = set[tuple[str, str]]


def serve(instance: Instance, services: Iterable[str]) -> None:
    """Let an instance answer on services such as ``tcp/80``; returns when it does."""
    listening = [service for service in services if service != ICMP]
    server = instance.start(
        *(sys.executable, str(ECHO), *listening), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    server.stdout.readline()


def matrix(instances: Sequence[Instance], services: Sequence[str]) -> dict[str, Pairs]:
    """Let every instance ask every other one by each service, all at once: by service, who got an answer from whom."""
    tries = [(service, one, other) for service in services for one in instances for other in instances if one != other]
    with ThreadPoolExecutor(len(tries)) as pool:
        answered = list(pool.map(lambda each: _is_answered(*each), tries))
    found: dict[str, Pairs] = {service: set() for service in services}
    for (service, one, other), is_answered in zip(tries, answered, strict=True):
        if is_answered:
            found[service].add((one.name, other.name))
    return found


def told(pairs: Pairs) -> str:
    """Who reaches whom, in words: ``db from web1 web2``."""
    targets = sorted({target for _, target in pairs})
    from_whom = {target: " ".join(sorted(one for one, other in pairs if other == target)) for target in targets}
    return "; ".join(f"{target} from {ones}" for target, ones in from_whom.items()) or "nobody"


class Conversation:
    """A TCP connection from one instance to another one that echoes. Raises OSError if it cannot be opened."""

    def __init__(self, instance: Instance, other: Instance | str, port: int) -> None:
        address = other if isinstance(other, str) else other.address
        self.name = f"{instance.name} to {address if isinstance(other, str) else other.name}"
        self._socket = _open(instance, socket.SOCK_STREAM)
        self._socket.connect((address, port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)

    def speak(self) -> None:
        """Say something, unless too much of what was said before is still on its way, or the other end has hung up."""
        with suppress(BlockingIOError, ConnectionError):
            self._socket.send(b"hello")

    def hears(self) -> bool:
        """Whether an answer has come since this was asked last."""
        if not select.select([self._socket], [], [], 0)[0]:
            return False
        try:
            return bool(self._socket.recv(65536))
        except ConnectionError:
            return False


def last_heard(conversations: Iterable[Conversation], since: float, seconds: float) -> Mapping[str, float]:
    """Let conversations go on for some seconds; how long after a moment (``time.monotonic``) each was heard last."""
    heard = {each.name: 0.0 for each in conversations}
    until = time.monotonic() + seconds
    while (now := time.monotonic()) < until:
        for each in conversations:
            if each.hears():
                heard[each.name] = now - since
            each.speak()
        time.sleep(0.01)
    return heard


def seen_as(instance: Instance, address: str, port: int) -> tuple[str, int] | None:
    """By which address and port a ``seen`` service there sees an instance; None if it cannot be reached."""
    with _open(instance, socket.SOCK_STREAM) as end:
        try:
            end.connect((address, port))
            seen, _, source_port = end.recv(100).decode().partition(" ")
        except OSError:
            return None
    return (seen, int(source_port)) if source_port else None


def crowd(instance: Instance, address: str, port: int, number: int, seconds: float) -> tuple[int, int]:
    """How many of so many connections an ``udp`` service there answers at once, and how many within some seconds."""
    command = [sys.executable, str(CROWD), str(number), address, str(port), str(seconds)]
    asking = instance.start(*command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    first, after_all = asking.communicate()[0].split()
    return int(first), int(after_all)


def arrived_whole(instance: Instance, address: str, port: int, size: int) -> bool:
    """Whether ``size`` random bytes come to a ``sum`` service as they were sent."""
    text = secrets.token_bytes(size)
    with _open(instance, socket.SOCK_STREAM) as end:
        end.settimeout(60)
        try:
            end.connect((address, port))
            end.sendall(text)
            end.shutdown(socket.SHUT_WR)
            return end.recv(100).decode() == hashlib.sha256(text).hexdigest()
        except OSError:
            return False


def _is_answered(service: str, instance: Instance, other: Instance) -> bool:
    if service == ICMP:
        # A switch confirms flows some milliseconds before its cached ones are looked at anew.
        return ping(instance, other.address, count=2, interval=0.2).received > 0
    protocol, _, port = service.partition("/")
    text = secrets.token_bytes(8)
    with _open(instance, KINDS[protocol]) as end:
        try:
            end.connect((other.address, int(port)))
            end.send(text)
            return end.recv(len(text)) == text
        except OSError:
            return False


def _open(instance: Instance, kind: int) -> socket.socket:
    with namespaces.visiting(namespaces.NET, instance.pid):
        end = socket.socket(socket.AF_INET, kind)
    end.settimeout(PATIENCE)
    return end
