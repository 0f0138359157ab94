"""Many connections at once: ``python crowd.py NUMBER ADDRESS PORT SECONDS``, run in an instance's namespace.

So many UDP sockets ask one echo service, each again every second until it is answered. Prints how many have been
answered in the first second, and how many after all.
"""

import resource
import selectors
import socket
import sys
import time
from contextlib import suppress

SPARE = 64
"""Files that a process has open beside its sockets."""


def main() -> None:
    """Ask, and print two numbers."""
    number, port, seconds = int(sys.argv[1]), int(sys.argv[3]), float(sys.argv[4])
    resource.setrlimit(resource.RLIMIT_NOFILE, (number + SPARE, number + SPARE))
    ready = selectors.DefaultSelector()
    for _ in range(number):
        end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        end.connect((sys.argv[2], port))
        ready.register(end, selectors.EVENT_READ)
    started, rounds, first = time.monotonic(), 0, 0
    while ready.get_map() and (elapsed := time.monotonic() - started) < seconds:
        if elapsed >= rounds:
            first = number - len(ready.get_map()) if rounds == 1 else first
            rounds += 1
            for key in list(ready.get_map().values()):
                key.fileobj.send(b"hello")  # type: ignore[union-attr]
                # The service's queue is short.
                _hear(ready, 0.0005)
        _hear(ready, 0.05)
    answered = number - len(ready.get_map())
    print(first if rounds > 1 else answered, answered)


def _hear(ready: selectors.DefaultSelector, seconds: float) -> None:
    for key, _ in ready.select(seconds):
        with suppress(ConnectionError):
            key.fileobj.recv(100)  # type: ignore[union-attr]
            ready.unregister(key.fileobj)


if __name__ == "__main__":
    main()
