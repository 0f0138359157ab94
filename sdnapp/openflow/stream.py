"""The bytes of a switch's connection, read and written in another way than os-ken's: answers to packets wait for this.

os-ken reads a message in two pieces, parses each into objects before an application sees it (some 200 us an entry of a
flow-stats reply: read-back of 100,000 flows would hold the loop for 20 seconds), and lets another green thread send.
Here a read takes all that lies ready, without much ado (see ``arrivals``), an application has a first look at its
messages, and what need not wait is sent at once.
"""

import ssl
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import os_ken.base.app_manager  # noqa: F401 (comes before the controller, as they import each other)
from os_ken.controller import ofp_event
from os_ken.controller.controller import Datapath
from os_ken.controller.handler import DEAD_DISPATCHER
from os_ken.ofproto import ofproto_parser

from sdnapp.openflow.arrivals import Arrivals
from sdnapp.openflow.encoding import VERSION
from sdnapp.openflow.messages import HEADER_SIZE, shorter
from sdnapp.turns import Turns

CHUNK = 64 * 1024
"""Bytes that are read at once: the largest message."""
MESSAGES_AT_ONCE = 16
"""Messages of a switch that are taken before others may have their turn: what os-ken parses takes it up to 100 us."""
PORTS_AT_ONCE = 50
"""Ports that os-ken parses before others may have their turn: 15 us each, and a switch tells a thousand at once."""

FirstLook = Callable[[Datapath, int, int, bytes], bool]
"""Called with the connection, and type, transaction id and bytes of a message of OpenFlow 1.3. What it returns True for
is done with; all else goes the usual way: parser, events, handlers of os-ken and of other applications."""
AllTaken = Callable[[Datapath], None]

_HEADER = struct.Struct("!BBHI")


def tap(types: frozenset[int], first_look: FirstLook, all_taken: AllTaken) -> None:
    """Have ``first_look`` called for every message of these types, in the green thread that reads the connection.

    ``all_taken`` is called each time when everything that was read has been taken. For connections made from now on.
    """

    def receive(datapath: Datapath) -> None:
        plain = _plain(datapath)
        source = datapath.socket if plain is None else Arrivals(plain, datapath.socket.gettimeout())
        try:
            _receive(datapath, source, types, first_look, all_taken)
        finally:
            if source is not datapath.socket:
                source.close()
            with suppress(OSError):
                datapath.socket.close()

    Datapath._recv_loop = receive


def send_at_once(datapath: Datapath, data: bytes) -> bool:
    """Send a message if that needs no waiting; return whether it is on its way. It may overtake what waits."""
    waiting, plain = datapath.send_q, _plain(datapath)
    # os-ken's sender waits for work, so that it is in the middle of nothing.
    if plain is None or waiting is None or not hasattr(waiting, "getting") or not waiting.getting():
        return False
    if waiting.qsize():
        return False
    try:
        sent = plain.send(data)
    except OSError:
        return False
    if sent < len(data):
        datapath.send(data[sent:])
    return True


def _plain(datapath: Datapath) -> Any:
    """Return the socket that never waits under one of eventlet's.

    None under TLS, where nobody can send without waiting, and on native threads, where nobody knows who waits.
    """
    return getattr(datapath.socket, "fd", None)


def _receive(
    datapath: Datapath, source: Any, types: frozenset[int], first_look: FirstLook, all_taken: AllTaken
) -> None:
    unread, wanted, taken = b"", HEADER_SIZE, 0
    while datapath.state != DEAD_DISPATCHER:
        try:
            received = source.recv(CHUNK)
        except (TimeoutError, ssl.SSLError):
            # Nothing was said for a while; under TLS, eventlet says it so.
            continue
        except (OSError, EOFError):
            return
        if not received:
            return
        data = unread + received
        at, end = 0, len(data)
        if end < wanted:
            unread = data
            continue
        wanted = HEADER_SIZE
        turns = Turns()
        try:
            while end - at >= HEADER_SIZE and datapath.state != DEAD_DISPATCHER:
                version, kind, length, xid = _HEADER.unpack_from(data, at)
                length = max(length, HEADER_SIZE)
                if end - at < length:
                    wanted = length
                    break
                message = data[at : at + length]
                at += length
                if version != VERSION or kind not in types or not first_look(datapath, kind, xid, message):
                    for part in turns.between(shorter(message, PORTS_AT_ONCE)):
                        _leave_to_os_ken(datapath, version, kind, xid, part)
                taken += 1
                if taken % MESSAGES_AT_ONCE == 0:
                    turns.give_way()
        finally:
            all_taken(datapath)
        unread = data[at:]


def _leave_to_os_ken(datapath: Datapath, version: int, kind: int, xid: int, data: bytes) -> None:
    """Parse a message and tell of it as os-ken does. What its parser raises ends the connection."""
    parsed = ofproto_parser.msg(datapath, version, kind, len(data), xid, bytearray(data))
    brick = datapath.ofp_brick
    if not parsed or brick is None:
        return
    event = ofp_event.ofp_msg_to_ev(parsed)
    brick.send_event_to_observers(event, datapath.state)
    # Which handlers there are is found out before any of them is called: one may change the state.
    state = datapath.state
    for handler in [each for each in brick.get_handlers(event) if state in each.callers[event.__class__].dispatchers]:
        handler(event)
