"""Opens and closes TCP connections as fast as it can, or listens for that: a program to run in a guest.

``connecting.py listen PORT`` or ``connecting.py connect PORT ADDRESS SECONDS``, which prints how many it opened.
"""

import socket
import struct
import sys
import time

_AT_ONCE = struct.pack("ii", 1, 0)
"""Linger for no time: closing resets the connection, so that no port waits a minute to be used again (socket(7))."""


def listen(port: int) -> None:
    """Accept for ever."""
    with socket.create_server(("", port), backlog=4096) as server:
        while True:
            server.accept()[0].close()


def connect(port: int, address: str, seconds: float) -> int:
    """Return how many connections were opened, one after another."""
    opened, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            client.settimeout(1)
            try:
                client.connect((address, port))
            except OSError:
                continue
            opened += 1
    return opened


if __name__ == "__main__":
    if sys.argv[1] == "listen":
        listen(int(sys.argv[2]))
    else:
        print(connect(int(sys.argv[2]), sys.argv[3], float(sys.argv[4])))
