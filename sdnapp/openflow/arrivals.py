"""Reading a switch's socket with as little ado as possible: an answer to an instance waits for it.

Eventlet's sockets ask the kernel first and are told to wait; then they register with the event loop, start a timer,
and undo both when something has come. That is four system calls for each message that comes alone, and most of the code
that runs for it, which comes from memory when messages are rare. Here the socket stays registered for as long as its
reader does nothing but wait for it, and one timer serves all waits.
"""

import socket
from typing import Any

import greenlet
from eventlet.hubs import get_hub


class Arrivals:
    """What arrives on a plain socket that does not block, for the green thread that makes this; nobody else reads."""

    def __init__(self, sock: socket.socket, patience: float) -> None:
        """``patience``: seconds after which whoever waits may look up."""
        self._socket = sock
        self._hub = get_hub()
        self._reader = greenlet.getcurrent()
        self._patience = patience
        self._is_waiting = self._is_drained = False
        self._listener: Any = None
        self._timer = self._hub.schedule_call_global(patience, self._look_up)

    def recv(self, size: int) -> bytes:
        """Return up to so many bytes, none at the end. Raises TimeoutError now and then while none come, and OSError.

        In the green thread that has made this.
        """
        while True:
            if self._is_drained:
                self._wait()
            try:
                received = self._socket.recv(size)
            except BlockingIOError:
                self._is_drained = True
                continue
            # What fills less than was asked for was all; what has come since then, the event loop tells.
            self._is_drained = len(received) < size
            return received

    def close(self) -> None:
        """Wait for nothing any more. The socket is not closed; it must be open still."""
        self._timer.cancel()
        self._rest()

    def _wait(self) -> None:
        if self._listener is None:
            hub = self._hub
            self._listener = hub.add(hub.READ, self._socket.fileno(), self._ready, self._reader.throw, None)
        self._is_waiting = True
        try:
            has_come = self._hub.switch()
        finally:
            self._is_waiting = False
        if not has_come:
            raise TimeoutError("nothing has come")

    # In the event loop

    def _ready(self, _fileno: int) -> None:
        if self._is_waiting:
            self._reader.switch(True)
        else:
            # The reader gives others their turn. The event loop would tell us again and again until it reads.
            self._rest()

    def _look_up(self) -> None:
        self._timer = self._hub.schedule_call_global(self._patience, self._look_up)
        if self._is_waiting:
            self._reader.switch(False)

    def _rest(self) -> None:
        if self._listener is not None:
            self._hub.remove(self._listener)
            self._listener = None
