"""Scans from inside an instance: ``python scan.py KIND RATE SOURCE TARGET PORT [COUNT [FIRST]]``, run in its namespace.

Sends some ``RATE`` TCP SYNs a second and prints how many. Kinds: ``ports`` (65,000 ports of the target, from one port)
and ``sources`` (``PORT`` of the target, from 65,000 ports, as a great many clients behind one address would); of either
``COUNT`` instead of 65,000, beginning with ``FIRST`` instead of 500.
"""

import socket
import struct
import sys
import time
from collections.abc import Iterator

FIRST, LAST = 500, 65499
SYN, ACK = 0x02, 0x10


def segment(source: str, target: str, source_port: int, target_port: int, flags: int = SYN) -> bytes:
    """A TCP segment without options and data, with its checksum (RFC 9293, section 3.1)."""
    header = struct.pack("!HHIIBBHHH", source_port, target_port, 1, 0, 5 << 4, flags, 65535, 0, 0)
    pseudo = socket.inet_aton(source) + socket.inet_aton(target) + struct.pack("!HH", socket.IPPROTO_TCP, len(header))
    total = sum(struct.unpack(f"!{(len(pseudo) + len(header)) // 2}H", pseudo + header))
    total = (total & 0xFFFF) + (total >> 16)
    checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    return header[:16] + struct.pack("!H", checksum) + header[18:]


def pairs(kind: str, port: int, count: int = LAST + 1 - FIRST, first: int = FIRST) -> Iterator[tuple[int, int]]:
    """Source and target port of each SYN."""
    for each in range(first, first + count):
        yield (port, each) if kind == "ports" else (each, port)


def main() -> None:
    """Scan once through, and print the number of segments sent."""
    kind, rate, source, target, port, *which = sys.argv[1:]
    sent, started = 0, time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP) as sender:
        for source_port, target_port in pairs(kind, int(port), *map(int, which)):
            sender.sendto(segment(source, target, source_port, target_port), (target, 0))
            sent += 1
            if sent % 50 == 0:
                time.sleep(max(0.0, started + sent / float(rate) - time.monotonic()))
    print(sent)


if __name__ == "__main__":
    main()
