"""A controller of a few lines, on a bridge's own management socket: sends flow mods, hears errors and packet-ins."""

import socket
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from flows.actions import Meter
from flows.flow import Flow
from sdnapp.openflow.encoding import VERSION, addition, deletion
from sdnapp.openflow.messages import (
    BARRIER_REPLY,
    BARRIER_REQUEST,
    BUNDLE_COMMIT,
    BUNDLE_OPEN,
    ECHO_REPLY,
    ECHO_REQUEST,
    ERROR,
    FLOW_MOD,
    HEADER_SIZE,
    PACKET_IN,
    PacketIn,
    bundle_add,
    bundle_control,
    message,
    read_error,
    read_packet_in,
)
from sdnapp.openflow.meter_messages import ADD, METER_MOD, meter_mod
from tests.real_ovs.ovs_dummy import DEADLINE

HELLO, SET_CONFIG = 0, 9


class OpenFlowClient:
    """One connection to ``<directory>/<bridge>.mgmt``."""

    def __init__(self, directory: Path, bridge: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(DEADLINE)
        self._socket.connect(f"{directory}/{bridge}.mgmt")
        self._buffer = b""
        self._xid = 0
        self._packet_ins: list[PacketIn] = []
        self._errors: dict[int, str] = {}
        self._meters: set[Meter] = set()
        # Open vSwitch sends packet-ins to those who said how much of a packet they want.
        self._send(HELLO)
        self._send(SET_CONFIG, struct.pack("!HH", 0, 0xFFFF))
        self.barrier()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()

    def change(self, added: Iterable[Flow], removed: Iterable[Flow]) -> None:
        """Remove and add flows at one moment. Raises ValueError, and changes nothing, if the switch refuses any."""
        added, removed = list(added), list(removed)
        for meter in {flow.meter for flow in added if flow.meter is not None} - self._meters:
            self._send(METER_MOD, meter_mod(0, ADD, meter)[HEADER_SIZE:])
            self._meters.add(meter)
        bodies = [deletion(flow) for flow in removed] + [addition(flow) for flow in added]
        self._xid += 1
        bundle = self._xid
        self._socket.sendall(bundle_control(self._xid, bundle, BUNDLE_OPEN))
        for body in bodies:
            self._xid += 1
            self._socket.sendall(bundle_add(self._xid, bundle, body))
        self._xid += 1
        self._socket.sendall(bundle_control(self._xid, bundle, BUNDLE_COMMIT))
        self.barrier()
        if errors := self._take_errors():
            raise ValueError(f"the switch refuses: {sorted(set(errors.values()))}")

    def offer(self, flows: Iterable[Flow]) -> dict[Flow, str]:
        """Add flows one after the other; return those that the switch refused, each with its reason."""
        sent = {self._send(FLOW_MOD, addition(flow)): flow for flow in flows}
        self.barrier()
        return {sent[xid]: reason for xid, reason in self._take_errors().items()}

    def packet_ins(self) -> list[PacketIn]:
        """Return the packet-ins that came since this was last called."""
        self.barrier()
        packet_ins, self._packet_ins = self._packet_ins, []
        return packet_ins

    def barrier(self) -> None:
        """Return when the switch has done all that it was sent."""
        xid = self._send(BARRIER_REQUEST)
        while self._read() != (BARRIER_REPLY, xid):
            pass

    def _take_errors(self) -> dict[int, str]:
        errors, self._errors = self._errors, {}
        return errors

    def _send(self, kind: int, body: bytes = b"") -> int:
        self._xid += 1
        self._socket.sendall(message(kind, self._xid, body))
        return self._xid

    def _read(self) -> tuple[int, int]:
        """Take one message; return its type and transaction id."""
        version, kind, length, xid = struct.unpack("!BBHI", self._take(HEADER_SIZE))
        data = struct.pack("!BBHI", version, kind, length, xid) + self._take(length - HEADER_SIZE)
        assert version == VERSION or kind == HELLO, f"the switch speaks version {version}"
        if kind == ECHO_REQUEST:
            self._socket.sendall(message(ECHO_REPLY, xid, data[HEADER_SIZE:]))
        elif kind == PACKET_IN:
            self._packet_ins.append(read_packet_in(data))
        elif kind == ERROR:
            self._errors[xid] = read_error(data)
        return kind, xid

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            chunk = self._socket.recv(1 << 16)
            if not chunk:
                raise ConnectionError("the switch closed its management socket")
            self._buffer += chunk
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken
