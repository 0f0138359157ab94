"""What a flow does with a packet, as values.

Fields and registers are named; ports are OpenFlow port numbers of the chassis that holds the flow. Actions run in
order; ``Goto`` may only stand last and continues in a later table.
"""

from typing import NamedTuple


class SetField(NamedTuple):
    """Set a header field, or a register, to a value."""

    field: str
    value: int


class Move(NamedTuple):
    """Copy one field to another of the same width."""

    source: str
    target: str


class PushVlan(NamedTuple):
    """Add an 802.1Q tag; ``SetField("vlan_vid", 0x1000 | vid)`` follows."""


class PopVlan(NamedTuple):
    """Remove the outer 802.1Q tag."""


class DecrementTtl(NamedTuple):
    """Take one hop off an IPv4 packet's time to live. Flows of a higher priority take those that have none left."""


class Spread(NamedTuple):
    """Set a register to a number below ``ways``, the same for all packets of one connection, both directions.

    By hash of addresses and TCP ports, over ranges as in RFC 2992, so that another number of ways moves few.
    """

    register: str
    ways: int


class FirstAlive(NamedTuple):
    """Set a register to the first of some ports that is alive, and to ``NO_PORT_ALIVE`` where none is.

    A port is alive while its link is up and, where it speaks BFD (RFC 5880), the other end answers.
    """

    register: str
    ports: tuple[int, ...]


NO_PORT_ALIVE = 0xFFFF


class CheckLarger(NamedTuple):
    """Set a register of one bit to whether the frame, without tags, has more than ``size`` bytes.

    What is behind a segmentation offload counts as its segments do.
    """

    register: str
    size: int


class Output(NamedTuple):
    """Send out of a port. Open vSwitch drops it where that is the port it came in by."""

    port: int


class OutputInPort(NamedTuple):
    """Send back out of the port that the packet came in by."""


class Meter(NamedTuple):
    """Let on so many packets a second, and drop the others. May only stand first.

    Flows that name one number share one meter. Above ``packets`` a second, ``burst`` packets may come at once.
    """

    number: int
    packets: int
    burst: int


class Controller(NamedTuple):
    """Send the whole packet to the controller; its cookie names the responder."""


class Resubmit(NamedTuple):
    """Run another table on the packet as it is now, then go on with the next action.

    It is a later table, or one that the table may lead to ``again``.
    """

    table: str


class Goto(NamedTuple):
    """Continue in a later table."""

    table: str


class Track(NamedTuple):
    """Look the packet up among the connections of the zone that a register names, then continue in a table.

    The packet comes there with its ``ct_state`` and the original direction of its connection (``ct_nw_src`` and so on).
    Open vSwitch lets a copy of the packet take that way: actions that follow here see a packet that is not tracked.
    """

    zone: str
    table: str


class Commit(NamedTuple):
    """Let the zone that a register names remember the packet's connection, with the mark ``REMEMBERED``.

    A copy of the packet then continues in ``copy_to``, if that is given: with its ``ct_state`` as with ``Track``, and
    with the ``ct_mark`` if the connection is remembered. Where the zone has no room for it, Open vSwitch in user space
    lets both go on, the copy without the mark; the kernel drops the packet, and there is no copy.
    """

    zone: str
    copy_to: str | None = None


REMEMBERED = 1
"""The ``ct_mark`` of connections that ``Commit`` has remembered."""


class Translate(NamedTuple):
    """Translate the packet as its connection in the zone that a register names is translated, then go on in a table.

    A new connection gets ``source`` or ``target`` (an IPv4 address, and the first and last port it may have; 0 and 0
    leave the port alone) and is remembered; with neither, a packet of no known connection stays as it is, and nothing
    is remembered. Where no port is left, the packet goes on as it is. Errors that quote a packet of the connection are
    translated inside and out. As with ``Track``, a copy takes that way, with its ``ct_state``.
    """

    zone: str
    table: str
    source: tuple[int, int, int] | None = None
    target: tuple[int, int, int] | None = None


class Untrack(NamedTuple):
    """Forget what connection tracking has said of the packet.

    Open vSwitch does not look a packet up anew in the zone in which it was looked up last, even if it is another by
    now: a router's answer to its sender.
    """


class Learn(NamedTuple):
    """Let the switch itself add a flow to a table, a later one or the flow's own. One that it has already, it keeps.

    It matches registers, given with their values, and ``copied`` ones with the values of the packet. It sets a register
    or, where that is None, drops. The packet itself does not meet it any more in Open vSwitch.
    ``cookie`` is what the flow would have if the controller had added it with the given values (``flow.learn``).
    A ``bound`` one goes with the flow that has this action; else it stays until the controller removes it.
    """

    table: str
    priority: int
    match: tuple[tuple[str, int], ...]
    register: str | None
    value: int
    cookie: int
    copied: tuple[str, ...] = ()
    bound: bool = False


Action = (
    SetField | Move | PushVlan | PopVlan | DecrementTtl | Spread | FirstAlive | CheckLarger | Output | OutputInPort
    | Meter | Controller | Resubmit | Goto | Track | Commit | Translate | Untrack | Learn
)  # fmt: skip
