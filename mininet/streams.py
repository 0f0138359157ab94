"""TCP connections that say numbered words and hear them again: none may be missing, doubled or out of turn."""

import socket
import sys
import threading
import time
from typing import Self

import namespaces
from stations import Station

PATIENCE = 5.0
WORD = 8
"""Bytes of a word, which is its number."""
_RESENT_AT, _TWICE_AT = 100, 216
"""Where ``tcpi_total_retrans`` and ``tcpi_dsack_dups`` are in Linux's ``struct tcp_info``."""
PAUSE = 0.01
"""Seconds between two words of a stream."""


class Stream:
    """A connection to a service that echoes, ``tcp/80`` say. Raises OSError if it cannot be opened."""

    def __init__(self, name: str, station: Station, address: str, port: int, patience: float) -> None:
        self.name = name
        self.said = self.heard = 0
        """Words said, and those that came back, in turn."""
        self.ended: str | None = None
        """Why it goes on no more."""
        self.last = self._since = time.monotonic()
        """When something was heard last."""
        self._rest = b""
        self._silence = 0.0
        with namespaces.visiting(namespaces.NET, station.pid):
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.settimeout(patience)
        self._socket.connect((address, port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)

    def speak(self) -> None:
        """Say the next word, unless too many are on their way."""
        if self.ended is None:
            try:
                sent = self._socket.send(self.said.to_bytes(WORD, "big"))
            except BlockingIOError:
                return
            except OSError as error:
                self.ended = str(error)
                return
            if sent < WORD:
                self.ended = "the word was cut in two by a full buffer: too many are on their way"
            self.said += 1

    def listen(self) -> None:
        """Hear what has come, and see that each word is the one after the last."""
        while self.ended is None:
            try:
                text = self._socket.recv(65536)
            except BlockingIOError:
                return
            except OSError as error:
                self.ended = str(error)
                return
            now = time.monotonic()
            self._silence = max(self._silence, now - max(self.last, self._since))
            self.last = now
            self._rest += text
            while len(self._rest) >= WORD:
                word, self._rest = int.from_bytes(self._rest[:WORD], "big"), self._rest[WORD:]
                if word != self.heard:
                    self.ended = f"word {word} came where {self.heard} was due"
                    return
                self.heard += 1
            if not text:
                self.ended = "the other end has hung up"

    @property
    def lost(self) -> int:
        """How many segments were sent again since it was opened, less those of which both copies came (RFC 2883)."""
        info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TWICE_AT + 4)
        resent, twice = (int.from_bytes(info[at : at + 4], sys.byteorder) for at in (_RESENT_AT, _TWICE_AT))
        return resent - twice

    def silence(self) -> float:
        """Return the longest time in seconds that nothing was heard since this was asked last."""
        now = time.monotonic()
        found, self._silence = max(self._silence, now - max(self.last, self._since)), 0.0
        self._since = now
        return found

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


class Streams:
    """Lets streams go on beside us, a hundred words a second each. Context manager."""

    def __init__(self) -> None:
        self.all: list[Stream] = []
        self._are_speaking = threading.Event()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)

    def __enter__(self) -> Self:
        self._are_speaking.set()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        for stream in self.all:
            stream.close()

    def open(self, name: str, station: Station, address: str, port: int, patience: float = PATIENCE) -> Stream:
        """Begin a stream. Raises OSError if nobody answers for ``patience`` seconds."""
        stream = Stream(name, station, address, port, patience)
        self.all.append(stream)
        return stream

    def silences(self) -> dict[str, float]:
        """Return the longest silence in seconds of each stream since this was asked last, by name."""
        return {stream.name: round(stream.silence(), 2) for stream in self.all}

    def finish(self, seconds: float = 10) -> dict[str, str]:
        """Say no more and wait for what is on its way; return what went wrong, by stream."""
        self._are_speaking.clear()
        deadline = time.monotonic() + seconds
        while any(each.ended is None and each.heard < each.said for each in self.all) and time.monotonic() < deadline:
            time.sleep(PAUSE)
        missing = {each.name: f"{each.said - each.heard} words missing" for each in self.all if each.heard < each.said}
        return missing | {each.name: each.ended for each in self.all if each.ended is not None}

    def _go_on(self) -> None:
        while not self._is_over.wait(PAUSE):
            for stream in list(self.all):
                stream.listen()
                if self._are_speaking.is_set():
                    stream.speak()
