"""Many switches in one small process: each speaks OpenFlow 1.3 and OVSDB as Open vSwitch does, and forwards nothing.

``emulated_switches.py COUNT INTERFACES OPENFLOW OVSDB``, the last two ``host:port``, makes chassis e1, e2, ..., which
are set up already. Each line of its input claims interfaces, in JSON: ``{"e1": {"i0": "<port id>"}}``; a chassis that
is not there comes, with these. What a controller sends is counted and confirmed, as a switch does that takes
everything; an empty line asks for the counts. Whose controller has gone asks for it again, and remembers its claims.
``--keep``: it remembers its flows as well. ``--gateways``: all are gateway chassis, with a bridge to ``physnet1``.
"""

import argparse
import asyncio
import json
import struct
import sys
import traceback
import uuid
from asyncio import StreamReader, StreamWriter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from sdnapp.openflow.encoding import ADD, MATCH_AT, VERSION
from sdnapp.openflow.messages import (
    BARRIER_REPLY,
    BARRIER_REQUEST,
    BUNDLE_COMMIT,
    BUNDLE_OPEN,
    ECHO_REPLY,
    ECHO_REQUEST,
    EVERY_TABLE,
    EXPERIMENTER,
    FLOW_MOD,
    HEADER_SIZE,
    MORE_REPLIES,
    MULTIPART_FLOW,
    MULTIPART_REPLY,
    MULTIPART_REQUEST,
    message,
)
from sdnapp.ovsdb.datapath import KERNEL
from sdnapp.ovsdb.jsonrpc import MessageStream, Request, write_reply
from sdnapp.ovsdb.naming import OWNED, patch_ports, tunnel_port
from sdnapp.ovsdb.provisioning import (
    BRIDGE_CONFIG,
    FAIL_MODE,
    INACTIVITY_PROBE,
    MAX_BACKOFF,
    MAX_REVALIDATOR,
    PROTOCOL,
)
from sdnapp.ovsdb.settings import CONNECTIONS_PER_PORT

HELLO, FEATURES_REQUEST, FEATURES_REPLY = 0, 5, 6
PORT_DESC, METER_FEATURES = 13, 11
BUNDLE_CONTROL, BUNDLE_ADD = 2300, 2301
TUNNEL, PATCH, FIRST = 1, 2, 10
"""OpenFlow port numbers of the tunnel port, of the patch port to the provider's network, and of the first interface."""
PHYSICAL_NETWORK, OUTER_BRIDGE = "physnet1", "br-ex"
AGAIN = 0.2
"""Seconds between attempts to reach a controller that has gone."""
_ENCAP_IPS = IPv4Address("198.18.0.0")
_HEADER, _EXPERIMENTER = struct.Struct("!BBHI"), struct.Struct("!II")
_ADDED_TYPE, _ADDED_BODY = HEADER_SIZE + 17, HEADER_SIZE + 24
"""Where a bundle's message has the type and the body of the one that it adds (ONF extension 230)."""
_FLOW_MOD = struct.Struct("!Q8xBB4xH")
_ENTRY = struct.Struct("!HBx8xH10xQ16x")
_PART = 48 << 10
"""Octets of a multipart reply, at most; the rest goes into the next."""


@dataclass(frozen=True)
class Kind:
    """What the switches are like, as said above: each has so many interfaces, and asks whom it is told to."""

    interfaces: int
    openflow: str
    ovsdb: str
    keep: bool = False
    gateways: bool = False


class Switch:
    """One of them."""

    def __init__(self, number: int, kind: Kind) -> None:
        self.name, self.number, self.kind = f"e{number}", number, kind
        self.rows = {f"i{n}": str(uuid.uuid4()) for n in range(kind.interfaces)}
        self.claims: dict[str, str] = {}
        self.flows: dict[tuple[int, int, bytes], tuple[int, bytes]] = {}
        """Cookie and instructions by table, priority and match, if they are kept."""
        self.sent = 0
        self.database: StreamWriter | None = None

    async def connect(self) -> None:
        """Connect both sides and serve them, and again for ever when one has ended; return when they are connected."""
        sessions = await self._open()
        self.task = asyncio.ensure_future(self._stay(sessions))
        self.task.add_done_callback(self._failed)

    async def _open(self) -> list["asyncio.Task[None]"]:
        reader, database = await asyncio.open_connection(*_place(self.kind.ovsdb))
        self.database = database
        sessions = [asyncio.ensure_future(self._serve_database(reader, database))]
        try:
            reader, writer = await asyncio.open_connection(*_place(self.kind.openflow))
        except OSError:
            await _end(sessions)
            raise
        writer.write(message(HELLO, 1))
        return [*sessions, asyncio.ensure_future(self._serve_openflow(reader, writer))]

    async def _stay(self, sessions: list["asyncio.Task[None]"]) -> None:
        while True:
            await asyncio.wait(sessions, return_when=asyncio.FIRST_COMPLETED)
            await _end(sessions)
            sessions = []
            while not sessions:
                await asyncio.sleep(AGAIN)
                with suppress(OSError):
                    sessions = await self._open()

    def _failed(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled():
            print(
                f"{self.name} has failed:", *traceback.format_exception(task.exception()), file=sys.stderr, flush=True
            )

    def claim(self, ports: dict[str, str]) -> None:
        """Say which interface belongs to which port."""
        self.claims |= ports
        if self.database is None:
            return
        changes = {
            self.rows[name]: {"modify": {"external_ids": _map({"iface-id": port_id})}}
            for name, port_id in ports.items()
        }
        notification = {"method": "update2", "params": ["sdnapp", {"Interface": changes}], "id": None}
        self.database.write(json.dumps(notification).encode())

    async def _serve_openflow(self, reader: StreamReader, writer: StreamWriter) -> None:
        rest = b""
        try:
            while received := await reader.read(1 << 18):
                data, start = rest + received, 0
                while len(data) - start >= HEADER_SIZE:
                    _, kind, length, xid = _HEADER.unpack_from(data, start)
                    if start + length > len(data):
                        break
                    if kind == EXPERIMENTER and _EXPERIMENTER.unpack_from(data, start + HEADER_SIZE)[1] == BUNDLE_ADD:
                        self.sent += 1
                        if self.kind.keep and data[start + _ADDED_TYPE] == FLOW_MOD:
                            self._keep(data[start + _ADDED_BODY : start + length])
                    else:
                        self._answer(kind, xid, data[start + HEADER_SIZE : start + length], writer)
                    start += length
                rest = data[start:]
        finally:
            writer.close()

    def _keep(self, body: bytes) -> None:
        """Do what a flow mod says; ours add, or delete strictly."""
        cookie, table, command, priority = _FLOW_MOD.unpack_from(body)
        end = MATCH_AT + (int.from_bytes(body[MATCH_AT + 2 : MATCH_AT + 4], "big") + 7) // 8 * 8
        key = table, priority, body[MATCH_AT:end]
        if command == ADD:
            self.flows[key] = cookie, body[end:]
        else:
            self.flows.pop(key, None)

    def _answer(self, kind: int, xid: int, body: bytes, writer: StreamWriter) -> None:
        if kind == FEATURES_REQUEST:
            features = struct.pack("!QIBBHII", self.number, 0, 254, 0, 0, 0x4F, 0)
            writer.write(message(FEATURES_REPLY, xid, features))
        elif kind == ECHO_REQUEST:
            writer.write(message(ECHO_REPLY, xid, body))
        elif kind == BARRIER_REQUEST:
            writer.write(message(BARRIER_REPLY, xid))
        elif kind == MULTIPART_REQUEST:
            (asked,) = struct.unpack_from("!H", body)
            *parts, last = _parts(self._told(asked, body))
            for part in parts:
                writer.write(message(MULTIPART_REPLY, xid, struct.pack("!HH4x", asked, MORE_REPLIES) + part))
            writer.write(message(MULTIPART_REPLY, xid, struct.pack("!HH4x", asked, 0) + last))
        elif kind == EXPERIMENTER:
            self._bundle(xid, body, writer)

    def _bundle(self, xid: int, body: bytes, writer: StreamWriter) -> None:
        experimenter, kind = _EXPERIMENTER.unpack_from(body)
        bundle, step, flags = struct.unpack_from("!IHH", body, 8)
        if step in (BUNDLE_OPEN, BUNDLE_COMMIT):
            reply = struct.pack("!IIIHH", experimenter, kind, bundle, step + 1, flags)
            writer.write(message(EXPERIMENTER, xid, reply))

    def _told(self, asked: int, request: bytes) -> Iterator[bytes]:
        """Yield the entries of an answer. It has no meters, and none after its controller has gone."""
        if asked == PORT_DESC:
            ports = {TUNNEL: tunnel_port("geneve")} | {FIRST + n: f"i{n}" for n in range(self.kind.interfaces)}
            ports |= {PATCH: patch_ports(PHYSICAL_NETWORK)[0]} if self.kind.gateways else {}
            for number, name in ports.items():
                yield struct.pack("!I4x6s2x16s8I", number, bytes(6), name.encode(), *[0] * 8)
        elif asked == METER_FEATURES:
            yield struct.pack("!IIIBB2x", 1 << 24, 2, 0xF, 1, 0)
        # Whoever asks for some flows only wants counts, and nothing was counted.
        elif asked == MULTIPART_FLOW and request[8] == EVERY_TABLE and request[32:40] == bytes(8):
            for (table, priority, match), (cookie, instructions) in self.flows.items():
                rest = match + instructions
                yield _ENTRY.pack(_ENTRY.size + len(rest), table, priority, cookie) + rest

    async def _serve_database(self, reader: StreamReader, writer: StreamWriter) -> None:
        stream = MessageStream()
        try:
            while data := await reader.read(1 << 16):
                for each in stream.feed(data):
                    if isinstance(each, Request) and each.id is not None:
                        writer.write(self._reply(each))
        finally:
            writer.close()

    def _reply(self, request: Request) -> bytes:
        if request.method == "echo":
            return write_reply(request.id, request.params)
        if request.method == "monitor_cond" and "Datapath" in request.params[2]:
            return write_reply(request.id, None, {"error": "syntax error", "details": "3.1 has none"})
        if request.method == "monitor_cond":
            return write_reply(request.id, self._tables())
        print(f"{self.name} is asked for what it should have: {request.params}", file=sys.stderr, flush=True)
        return write_reply(request.id, [{} for _ in request.params[1:]])

    def _tables(self) -> dict[str, Any]:
        bridge, outer, controller, datapath = (str(uuid.uuid4()) for _ in range(4))
        owned = _map(OWNED)
        address = str(_ENCAP_IPS + self.number)
        settings = {"system-id": self.name, "hostname": self.name, "sdnapp-encap-ip": address}
        options = {"remote_ip": "flow", "key": "flow", "local_ip": address}
        tunnel = {"name": tunnel_port("geneve"), "type": "geneve", "ofport": TUNNEL, "external_ids": owned}
        own = [tunnel | {"options": _map(options)}]
        inside, outside = patch_ports(PHYSICAL_NETWORK)
        if self.kind.gateways:
            settings |= {"sdnapp-gateway": "true", "sdnapp-bridge-mappings": f"{PHYSICAL_NETWORK}:{OUTER_BRIDGE}"}
            own += [
                {"name": name, "type": "patch", "ofport": PATCH, "external_ids": owned, "options": _map({"peer": peer})}
                for name, peer in ((inside, outside), (outside, inside))
            ]
        interfaces = {str(uuid.uuid4()): row for row in own} | {
            row: {"name": name, "ofport": FIRST + number} for number, (name, row) in enumerate(self.rows.items())
        }
        for name, port_id in self.claims.items():
            interfaces[self.rows[name]]["external_ids"] = _map({"iface-id": port_id})
        ports = {
            str(uuid.uuid4()): {
                "name": row["name"],
                "interfaces": ["uuid", interface],
                **({"external_ids": owned} if "type" in row else {}),
            }
            for interface, row in interfaces.items()
        }
        beyond = [port for port, row in ports.items() if row["name"] == outside]
        rows: dict[str, Any] = {
            "Open_vSwitch": {
                str(uuid.uuid4()): {
                    "bridges": ["set", [["uuid", bridge], *([["uuid", outer]] if beyond else [])]],
                    "external_ids": _map(settings),
                    "other_config": _map({MAX_REVALIDATOR: "100"}),
                    "datapaths": _map({KERNEL: ["uuid", datapath]}),
                }
            },
            "Datapath": {datapath: {"ct_zone_default_limit": CONNECTIONS_PER_PORT}},
            "Bridge": {
                bridge: {
                    "name": "br-int",
                    "ports": ["set", [["uuid", port] for port in ports if port not in beyond]],
                    "datapath_id": f"{self.number:016x}",
                    "fail_mode": FAIL_MODE,
                    "protocols": PROTOCOL,
                    "controller": ["uuid", controller],
                    "other_config": _map(BRIDGE_CONFIG),
                    "external_ids": owned,
                }
            },
            "Port": ports,
            "Interface": interfaces,
            "Controller": {
                controller: {
                    "target": f"tcp:{self.kind.openflow}",
                    "max_backoff": MAX_BACKOFF,
                    "inactivity_probe": INACTIVITY_PROBE,
                }
            },
        }
        if beyond:
            rows["Bridge"][outer] = {"name": OUTER_BRIDGE, "ports": ["set", [["uuid", port] for port in beyond]]}
        return {table: {key: {"initial": row} for key, row in each.items()} for table, each in rows.items()}


def _map(values: Any) -> Any:
    return ["map", [[key, value] for key, value in values.items()]]


def _parts(entries: Iterator[bytes]) -> Iterator[bytes]:
    """Yield entries together, as many as a message may have."""
    part = bytearray()
    for entry in entries:
        if len(part) + len(entry) > _PART:
            yield bytes(part)
            part.clear()
        part += entry
    yield bytes(part)


def _place(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


async def _end(sessions: list["asyncio.Task[None]"]) -> None:
    for session in sessions:
        session.cancel()
    for ended in await asyncio.gather(*sessions, return_exceptions=True):
        if isinstance(ended, Exception) and not isinstance(ended, OSError):
            raise ended


async def main(count: int, kind: Kind) -> None:
    """Serve until the input ends."""
    assert VERSION == 4
    switches = {f"e{number}": Switch(number, kind) for number in range(1, count + 1)}
    for switch in switches.values():
        await switch.connect()
    print("connected", flush=True)
    lines = StreamReader(limit=1 << 26)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        if not line.strip():
            print(json.dumps({name: switch.sent for name, switch in switches.items()}), flush=True)
            continue
        for name, ports in json.loads(line).items():
            switch = switches.setdefault(name, Switch(int(name[1:]), kind))
            switch.claim(ports)
            if switch.database is None:
                await switch.connect()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int)
    parser.add_argument("interfaces", type=int)
    parser.add_argument("openflow")
    parser.add_argument("ovsdb")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--gateways", action="store_true")
    given = vars(parser.parse_args())
    asyncio.run(main(given.pop("count"), Kind(**given)))
