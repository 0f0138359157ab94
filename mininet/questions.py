"""Who has an address? Asked by ARP again and again, from several places at once, and every answer is counted.

Each asks with its own MAC address, and counts what is for that. Stations that shared one took answers from each other:
if both had asked before the first was answered, switches led both answers to who had asked last, as if there were two.
"""

import time
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from captures import Capture, send
from frames import Frame, arp_request
from stations import Instance

BARE = 14 + 28
"""Bytes of an ARP frame without padding."""
NUMBER = 4
"""Bytes of the padding in which a question has its number; whoever makes an answer of it leaves the padding alone."""


class Place(NamedTuple):
    """A station that asks, and the address that it asks with."""

    station: Instance
    address: str


class Answers(NamedTuple):
    """For each question, in order, how many answers it got, by the name of the station that asked."""

    by_station: dict[str, list[int]]

    @property
    def most(self) -> int:
        """How many one question got at most."""
        return max(max(each, default=0) for each in self.by_station.values())

    @property
    def doubled(self) -> int:
        """How many questions were answered more than once."""
        return sum(1 for each in self.by_station.values() for count in each if count > 1)

    @property
    def asked(self) -> int:
        """How many questions there were."""
        return sum(map(len, self.by_station.values()))


class Questions:
    """Places of one network that ask for one address, which has one MAC address wherever it is. Context manager."""

    def __init__(self, mac: str, address: str, *places: Place, interval: float = 0.02) -> None:
        self._mac, self._interval = mac, interval
        self._macs = {place.station: place.station.eth0_mac for place in places}
        self._requests = {
            place.station: arp_request(self._macs[place.station], place.address, address)[:BARE] for place in places
        }
        self._captures = {place.station: Capture(place.station, "eth0") for place in places}
        self._asked = 0

    def __enter__(self) -> "Questions":
        return self

    def __exit__(self, *_: object) -> None:
        for capture in self._captures.values():
            capture.__exit__()

    def ask(self, seconds: float, then: Callable[[], object] | None = None) -> Answers:
        """Ask for some seconds; in the middle of it, do something."""
        first, started = self._asked, time.monotonic()
        while (passed := time.monotonic() - started) < seconds:
            if then is not None and passed > seconds / 2:
                then()
                then = None
            for station, request in self._requests.items():
                send(station, "eth0", (request + self._asked.to_bytes(NUMBER, "big")).ljust(60, b"\0"))
            self._asked += 1
            time.sleep(self._interval)
        time.sleep(0.2)
        counted = {station.name: self._counted(station) for station in self._captures}
        return Answers({name: [each[n] for n in range(first, self._asked)] for name, each in counted.items()})

    def _counted(self, station: Instance) -> Counter[int]:
        own_mac = self._macs[station]
        said = (each.data for each in self._captures[station].read() if self._is_answer(each, own_mac))
        return Counter(int.from_bytes(data[BARE : BARE + NUMBER], "big") for data in said)

    def _is_answer(self, frame: Frame, own_mac: str) -> bool:
        return frame.is_arp_reply and frame.source == self._mac and frame.destination == own_mac
