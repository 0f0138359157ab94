"""Many switches in one small process: each speaks OpenFlow 1.3 and OVSDB as Open vSwitch does, and forwards nothing.

``emulated_switches.py COUNT INTERFACES OPENFLOW OVSDB``, the last two ``host:port``, makes chassis e1, e2, ..., which
are set up already. Each line of its input claims interfaces, in JSON: ``{"e1": {"i0": "<port id>"}}``. What a
controller sends is counted and confirmed, as a switch does that takes everything; an empty line asks for the counts.
"""

import asyncio
import json
import struct
import sys
import uuid
from asyncio import StreamReader, StreamWriter
from ipaddress import IPv4Address
from typing import Any

from sdnapp.openflow.encoding import VERSION
from sdnapp.openflow.messages import (
    BARRIER_REPLY,
    BARRIER_REQUEST,
    BUNDLE_COMMIT,
    BUNDLE_OPEN,
    ECHO_REPLY,
    ECHO_REQUEST,
    EXPERIMENTER,
    HEADER_SIZE,
    MULTIPART_REPLY,
    message,
)
from sdnapp.ovsdb.datapath import KERNEL
from sdnapp.ovsdb.jsonrpc import MessageStream, Request, write_reply
from sdnapp.ovsdb.naming import OWNED, tunnel_port
from sdnapp.ovsdb.provisioning import BRIDGE_CONFIG, FAIL_MODE, INACTIVITY_PROBE, MAX_BACKOFF, PROTOCOL
from sdnapp.ovsdb.settings import CONNECTIONS_PER_PORT

HELLO, FEATURES_REQUEST, FEATURES_REPLY, MULTIPART_REQUEST = 0, 5, 6, 18
PORT_DESC, METER_FEATURES = 13, 11
BUNDLE_CONTROL, BUNDLE_ADD = 2300, 2301
TUNNEL, FIRST = 1, 10
"""OpenFlow port numbers of the tunnel port and of the first interface."""
_ENCAP_IPS = IPv4Address("198.18.0.0")
_HEADER, _EXPERIMENTER = struct.Struct("!BBHI"), struct.Struct("!II")


class Switch:
    """One of them."""

    def __init__(self, number: int, interfaces: int, openflow: str) -> None:
        self.name, self.number, self.interfaces, self.openflow = f"e{number}", number, interfaces, openflow
        self.rows = {f"i{n}": str(uuid.uuid4()) for n in range(interfaces)}
        self.sent = 0
        self.database: StreamWriter

    async def connect(self, openflow: tuple[str, int], ovsdb: tuple[str, int]) -> None:
        """Connect both sides, and serve them for ever."""
        reader, self.database = await asyncio.open_connection(*ovsdb)
        self.tasks = [asyncio.ensure_future(self._serve_database(reader))]
        reader, writer = await asyncio.open_connection(*openflow)
        writer.write(message(HELLO, 1))
        self.tasks.append(asyncio.ensure_future(self._serve_openflow(reader, writer)))

    def claim(self, ports: dict[str, str]) -> None:
        """Say which interface belongs to which port."""
        changes = {
            self.rows[name]: {"modify": {"external_ids": _map({"iface-id": port_id})}}
            for name, port_id in ports.items()
        }
        notification = {"method": "update2", "params": ["sdnapp", {"Interface": changes}], "id": None}
        self.database.write(json.dumps(notification).encode())

    async def _serve_openflow(self, reader: StreamReader, writer: StreamWriter) -> None:
        rest = b""
        while received := await reader.read(1 << 18):
            data, start = rest + received, 0
            while len(data) - start >= HEADER_SIZE:
                _, kind, length, xid = _HEADER.unpack_from(data, start)
                if start + length > len(data):
                    break
                if kind == EXPERIMENTER and _EXPERIMENTER.unpack_from(data, start + HEADER_SIZE)[1] == BUNDLE_ADD:
                    self.sent += 1
                else:
                    self._answer(kind, xid, data[start + HEADER_SIZE : start + length], writer)
                start += length
            rest = data[start:]

    def _answer(self, kind: int, xid: int, body: bytes, writer: StreamWriter) -> None:
        if kind == FEATURES_REQUEST:
            features = struct.pack("!QIBBHII", self.number, 0, 254, 0, 0, 0x4F, 0)
            writer.write(message(FEATURES_REPLY, xid, features))
        elif kind == ECHO_REQUEST:
            writer.write(message(ECHO_REPLY, xid, body))
        elif kind == BARRIER_REQUEST:
            writer.write(message(BARRIER_REPLY, xid))
        elif kind == MULTIPART_REQUEST:
            writer.write(message(MULTIPART_REPLY, xid, body[:2] + bytes(6) + self._told(body)))
        elif kind == EXPERIMENTER:
            self._bundle(xid, body, writer)

    def _bundle(self, xid: int, body: bytes, writer: StreamWriter) -> None:
        experimenter, kind = _EXPERIMENTER.unpack_from(body)
        bundle, step, flags = struct.unpack_from("!IHH", body, 8)
        if step in (BUNDLE_OPEN, BUNDLE_COMMIT):
            reply = struct.pack("!IIIHH", experimenter, kind, bundle, step + 1, flags)
            writer.write(message(EXPERIMENTER, xid, reply))

    def _told(self, request: bytes) -> bytes:
        (kind,) = struct.unpack_from("!H", request)
        if kind == PORT_DESC:
            ports = {TUNNEL: tunnel_port("geneve")} | {FIRST + n: f"i{n}" for n in range(self.interfaces)}
            return b"".join(
                struct.pack("!I4x6s2x16s8I", number, bytes(6), name.encode(), *[0] * 8)
                for number, name in ports.items()
            )
        if kind == METER_FEATURES:
            return struct.pack("!IIIBB2x", 1 << 24, 2, 0xF, 1, 0)
        return b""  # It holds nothing yet.

    async def _serve_database(self, reader: StreamReader) -> None:
        stream = MessageStream()
        while data := await reader.read(1 << 16):
            for each in stream.feed(data):
                if not isinstance(each, Request) or each.id is None:
                    continue
                if each.method == "echo":
                    self.database.write(write_reply(each.id, each.params))
                elif each.method == "monitor_cond" and "Datapath" in each.params[2]:
                    self.database.write(
                        write_reply(each.id, None, {"error": "syntax error", "details": "3.1 has none"})
                    )
                elif each.method == "monitor_cond":
                    self.database.write(write_reply(each.id, self._tables()))
                else:
                    print(f"{self.name} is asked for what it should have: {each.params}", file=sys.stderr, flush=True)
                    self.database.write(write_reply(each.id, [{} for _ in each.params[1:]]))

    def _tables(self) -> dict[str, Any]:
        bridge, controller, datapath = (str(uuid.uuid4()) for _ in range(3))
        owned = _map(OWNED)
        address = str(_ENCAP_IPS + self.number)
        settings = {"system-id": self.name, "hostname": self.name, "sdnapp-encap-ip": address}
        options = {"remote_ip": "flow", "key": "flow", "local_ip": address}
        tunnel = {"name": tunnel_port("geneve"), "type": "geneve", "ofport": TUNNEL, "external_ids": owned}
        interfaces = {str(uuid.uuid4()): tunnel | {"options": _map(options)}} | {
            row: {"name": name, "ofport": FIRST + number} for number, (name, row) in enumerate(self.rows.items())
        }
        ports = {
            str(uuid.uuid4()): {
                "name": row["name"],
                "interfaces": ["uuid", interface],
                **({"external_ids": owned} if row["name"] == tunnel["name"] else {}),
            }
            for interface, row in interfaces.items()
        }
        rows: dict[str, Any] = {
            "Open_vSwitch": {
                str(uuid.uuid4()): {
                    "bridges": ["uuid", bridge],
                    "external_ids": _map(settings),
                    "datapaths": _map({KERNEL: ["uuid", datapath]}),
                }
            },
            "Datapath": {datapath: {"ct_zone_default_limit": CONNECTIONS_PER_PORT}},
            "Bridge": {
                bridge: {
                    "name": "br-int",
                    "ports": ["set", [["uuid", port] for port in ports]],
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
                    "target": self.openflow,
                    "max_backoff": MAX_BACKOFF,
                    "inactivity_probe": INACTIVITY_PROBE,
                }
            },
        }
        return {table: {key: {"initial": row} for key, row in each.items()} for table, each in rows.items()}


def _map(values: Any) -> Any:
    return ["map", [[key, value] for key, value in values.items()]]


async def main(count: int, interfaces: int, openflow: str, ovsdb: str) -> None:
    """Serve until the input ends."""
    assert VERSION == 4
    places = [(host, int(port)) for host, _, port in (each.rpartition(":") for each in (openflow, ovsdb))]
    switches = {f"e{number}": Switch(number, interfaces, f"tcp:{openflow}") for number in range(1, count + 1)}
    for switch in switches.values():
        await switch.connect(places[0], places[1])
    print("connected", flush=True)
    lines = StreamReader(limit=1 << 26)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        if not line.strip():
            print(json.dumps({name: switch.sent for name, switch in switches.items()}), flush=True)
            continue
        for name, ports in json.loads(line).items():
            switches[name].claim(ports)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]))
