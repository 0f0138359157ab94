"""Floods a network from inside an instance: ``python flood.py KIND RATE SECONDS MAC ADDRESS``, run in its namespace.

Sends some ``RATE`` frames a second out of eth0, no two alike where the kind allows that, and prints how many. Kinds:
``dhcp`` (requests of ever new transactions), ``arp`` (requests for ever new addresses), ``junk`` (random bytes behind a
random header), ``connections`` (datagrams between ever new ports, to nobody).
"""

import random
import socket
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import cycle, islice

from dhcp_probe import discover
from frames import BROADCAST, arp_request, udp_frame

NOBODY = "fa:16:3e:99:99:99"
MANY = 4096
"""Different frames that are sent in turn: making them takes longer than sending them."""


def dhcp(mac: str, _: str) -> bytes:
    """A request that the network takes for an honest one, with a transaction id of its own."""
    return discover(mac, random.getrandbits(32))


def arp(mac: str, address: str) -> bytes:
    """Who has some address or other?"""
    target = struct.pack("!I", random.getrandbits(32))
    return arp_request(mac, address, socket.inet_ntoa(target))


def junk(_mac: str, _address: str) -> bytes:
    """Anything, to everybody or to nobody, as IPv4, ARP or what no one has heard of."""
    destination = bytes.fromhex(BROADCAST.replace(":", "")) if random.random() < 0.5 else random.randbytes(6)
    ethertype = random.choice((b"\x08\x00", b"\x08\x06", b"\x86\xdd", random.randbytes(2)))
    return destination + random.randbytes(6) + ethertype + random.randbytes(random.randrange(46, 400))


def connections(mac: str, address: str) -> bytes:
    """The first datagram of one more connection, which nobody answers."""
    ports = random.randrange(1024, 65536), random.randrange(1024, 65536)
    return udp_frame(mac, NOBODY, address, address, b"one more", ports=ports)


KINDS: dict[str, Callable[[str, str], bytes]] = {"dhcp": dhcp, "arp": arp, "junk": junk, "connections": connections}


def main() -> None:
    """Flood, and print the number of frames sent."""
    kind, rate, seconds, mac, address = sys.argv[1:]
    frames = cycle([KINDS[kind](mac, address) for _ in range(MANY)])
    sent, started = 0, time.monotonic()
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
        sender.bind(("eth0", 0))
        print("begun", flush=True)
        while (elapsed := time.monotonic() - started) < float(seconds):
            for frame in islice(frames, max(0, int(elapsed * float(rate)) - sent)):
                with suppress(OSError):  # The interface's queue may be full.
                    sender.send(frame)
                sent += 1
            time.sleep(0.001)
    print(sent)


if __name__ == "__main__":
    main()
