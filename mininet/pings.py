"""Ping as a measurement: so many sent, so many answered."""

import re
import signal
import subprocess
from dataclasses import dataclass, replace

from stations import CommandFailed, Station

TIME_TO_LIVE = re.compile(r"ttl=(\d+)")
EXPIRED = re.compile(r"From ([\d.]+) .*Time to live exceeded")
SUMMARY = re.compile(r"(\d+) packets transmitted, (\d+) received.* time (\d+)ms")


@dataclass(frozen=True)
class Answers:
    """How many echo requests were sent, how many answered, and how many seconds it took."""

    sent: int
    received: int
    seconds: float

    @property
    def all(self) -> bool:
        """Whether every request was answered."""
        return 0 < self.sent == self.received

    @property
    def none(self) -> bool:
        """Whether no request was answered."""
        return self.sent > 0 and self.received == 0

    @property
    def dark(self) -> float:
        """The seconds for which the unanswered ones stand."""
        return self.seconds * (self.sent - self.received) / self.sent

    def __str__(self) -> str:
        return f"{self.received} of {self.sent} answered"


class Ping:
    """A ping that goes on beside us: ``count`` requests, ``interval`` seconds apart."""

    def __init__(self, station: Station, address: str, count: int, interval: float) -> None:
        self._station = station
        self._process = station.start(
            *("ping", "-n", "-q", "-c", str(count), "-i", str(interval), "-W", "1", address),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @property
    def is_running(self) -> bool:
        """Whether there are requests still to send or answers to wait for."""
        return self._process.poll() is None

    def stop(self) -> Answers:
        """Send no more, and tell what came of the requests so far; a last one may just have been on its way."""
        self._process.send_signal(signal.SIGINT)
        answers = self.result()
        return replace(answers, sent=max(answers.received, answers.sent - 1))

    def result(self, timeout: float = 60) -> Answers:
        """Wait for the end. Raises CommandFailed if ping could not send."""
        output, _ = self._process.communicate(timeout=timeout)
        if (summary := SUMMARY.search(output)) is None:
            raise CommandFailed(f"{self._station.name}: ping: {output.strip()}")
        return Answers(int(summary[1]), int(summary[2]), int(summary[3]) / 1000)


def one_ping(station: Station, address: str, *options: str) -> str:
    """What ping says about one request, answered or not, with more of its options if need be."""
    process = station.start("ping", "-n", "-c", "1", "-W", "2", *options, address, stdout=subprocess.PIPE, text=True)
    output: str = process.communicate(timeout=30)[0]
    return output


def who_ends(station: Station, address: str, hops: int) -> str | None:
    """Who reports that a request with so many hops to live comes no further, None where nobody does."""
    found = EXPIRED.search(one_ping(station, address, "-t", str(hops)))
    return found[1] if found else None


def time_to_live(station: Station, address: str) -> int | None:
    """What is left of the time to live of an answer, None where there is none."""
    found = TIME_TO_LIVE.search(one_ping(station, address))
    return int(found[1]) if found else None


def ping(station: Station, address: str, count: int = 3, interval: float = 0.1) -> Answers:
    """Ping an address and wait for the end."""
    return Ping(station, address, count, interval).result()


def until_answered(station: Station, address: str) -> None:
    """Ping until somebody outside answers: the controller asks for upstream routers once a second.

    Raises CommandFailed after half a minute.
    """
    for _ in range(20):
        if ping(station, address, count=1).all:
            return
    raise CommandFailed(f"{station.name}: {address} does not answer")
