"""One switch, simulated: a packet goes in by a port, and comes out where Open vSwitch would send it.

Follows ovs-actions(7) and ovs-fields(7) for the actions and fields that the pipeline uses. What the pipeline cannot
express (groups) is not here.
"""

from collections.abc import Iterable, Mapping
from copy import copy
from typing import NamedTuple

from flows.actions import (
    NO_PORT_ALIVE,
    Action,
    CheckLarger,
    Commit,
    Controller,
    DecrementTtl,
    FirstAlive,
    Goto,
    Learn,
    Meter,
    Move,
    Output,
    OutputInPort,
    PopVlan,
    PushVlan,
    Resubmit,
    SetField,
    Spread,
    Track,
    Translate,
    Untrack,
)
from flows.fields import ETH_TYPE_VLAN, LATER_FRAGMENT, VLAN_PRESENT
from flows.flow import Flow, field_named, learnt_by
from flows.hashing import HASHED, way_of
from flows.lookup import MAX_ARP_OP, MAX_TAGS, FlowTable, refusal
from flows.packets import METADATA, TRANSPORT_FIELDS, Packet
from flows.pipeline import REGISTERS, TABLES
from flows.simulated_connections import Connections, Tracked
from topology.turns import GiveWay, by_turns, nobody_waits

MAX_RESUBMITS = 4096
"""How many tables, counted anew at each visit, Open vSwitch lets one packet see."""
MAX_PASSES = 6
"""How often Open vSwitch in user space lets a packet begin anew: when it comes by tunnel, and after each look-up of its
connection. Eight times from Open vSwitch 3.3 on; flows are for those before, too."""
MAX_DEPTH = 64
"""How often a packet may go back to a table that is not a later one."""
OPTIONAL = METADATA | {"vlan_vid"}
CT_FIELDS = frozenset({"ct_state", "ct_mark", "ct_nw_src", "ct_nw_dst", "ct_nw_proto", "ct_tp_src", "ct_tp_dst"})
LINK_FIELDS = frozenset({"eth_src", "eth_dst", "eth_type", "vlan_vid"}) | METADATA


class Emission(NamedTuple):
    """A packet that left by a port, with the tunnel fields that it had then."""

    port: int
    packet: Packet
    tun_id: int
    tun_dst: int


class PacketIn(NamedTuple):
    """A packet sent to the controller, and the flow that sent it."""

    flow: Flow
    packet: Packet


class Visit(NamedTuple):
    """A table that the packet came to, what matched (None: nothing), and the packet with its metadata by then."""

    table: str
    flow: Flow | None
    packet: Packet


class Passage(NamedTuple):
    """All that became of one packet in one switch. ``faults`` are what a sound set of flows never causes."""

    emissions: list[Emission]
    packet_ins: list[PacketIn]
    visits: list[Visit]
    faults: list[str]


class Switch:
    """The flow tables and ports of one integration bridge; ``ports`` maps OpenFlow port numbers to names.

    ``connections`` is what its connection tracking remembers: by default nothing yet. ``dead`` are ports whose other
    end does not answer. ``learnt`` are flows that it has added itself, to which it adds. With very many flows, others
    have their turn by ``give_way``, and what they change is not seen; a table is put in order when a packet comes to
    it. Raises ValueError for a flow that Open vSwitch would refuse, and a packet's walk for two flows of a table with
    one match and priority.
    """

    def __init__(
        self,
        chassis_id: str,
        flows: Iterable[Flow],
        ports: Mapping[int, str],
        connections: Connections | None = None,
        dead: frozenset[int] = frozenset(),
        *,
        learnt: dict[Flow, None] | None = None,
        give_way: GiveWay = nobody_waits,
    ) -> None:
        self.dead = dead
        self._give_way = give_way
        self._learnt = learnt if learnt is not None else {}
        self.chassis_id = chassis_id
        self.ports = ports
        self.connections = connections or Connections()
        by_table: dict[int, list[Flow]] = {table.number: [] for table in TABLES}
        held = tuple(flows)
        for flow in by_turns(dict.fromkeys((*held, *self._learnt)) if self._learnt else held, give_way):
            if reason := refusal(flow):
                raise ValueError(f"chassis {chassis_id}: Open vSwitch refuses {flow} of {flow.owner}: {reason}")
            by_table[flow.table].append(flow)
        self._held = by_table
        self._tables: dict[int, FlowTable] = {}
        self._first = min(by_table)

    def receive(self, in_port: int, packet: Packet, tun_id: int = 0, tun_src: int = 0, tun_dst: int = 0) -> Passage:
        """Walk a packet that comes in by a port. Raises ValueError for a port that the switch lacks."""
        if in_port not in self.ports:
            raise ValueError(f"chassis {self.chassis_id} has no port {in_port}; it has {sorted(self.ports)}")
        tunnel = {"tun_id": tun_id, "tun_src": tun_src, "tun_dst": tun_dst}
        return self.walk(_State(packet, in_port, tunnel), self._first, int(bool(tun_src)))

    def walk(self, state: "_State", table: int, passes: int) -> Passage:
        """Let a packet go on from a table, with what it has gathered by then, after it has begun anew so often."""
        walk = _Walk(self, state, passes)
        try:
            walk.enter(table)
        except _TooManyResubmitsError as error:
            # Open vSwitch discards the whole translation, what was already output included.
            fault = f"chassis {self.chassis_id}: {error}; the packet is dropped"
            return Passage([], [], walk.passage.visits, [*walk.passage.faults, fault])
        except _KeptFragmentError:
            pass
        return walk.passage

    def learn(self, flow: Flow) -> None:
        """Add a flow, unless it is there."""
        if flow not in self._learnt:
            self._learnt[flow] = None
            self._held[flow.table].append(flow)
            self._tables.pop(flow.table, None)

    def forget(self, table: int) -> None:
        """Remove the flows that it has learnt in a table."""
        gone = [flow for flow in self._held[table] if flow in self._learnt] if self._learnt else []
        for flow in gone:
            del self._learnt[flow]
            self._held[table].remove(flow)
        if gone:
            self._tables.pop(table, None)

    def table(self, number: int) -> FlowTable:
        """Return a flow table."""
        if number not in self._tables:
            self._tables[number] = FlowTable(by_turns(self._held[number], self._give_way))
        return self._tables[number]


class _TooManyResubmitsError(Exception):
    pass


class _KeptFragmentError(Exception):
    """Connection tracking keeps a fragment until the first one comes, which it never does here."""


class _State:
    """The packet and its metadata on their way through the tables."""

    __slots__ = ("_below", "_fields", "_hidden", "_quoted", "_registers", "_tags")

    def __init__(self, packet: Packet, in_port: int, tunnel: Mapping[str, int]) -> None:
        self._fields = {name: value for name, value in packet.items() if name not in METADATA}
        self._fields |= {"in_port": in_port, **tunnel}
        self._registers = [0] * 16
        # With the default vlan-limit of 1, Open vSwitch looks below one tag and no deeper.
        self._tags = [packet["vlan_vid"]] if "vlan_vid" in packet else []
        self._below = packet.inner_vlans
        self._quoted = packet.quoted
        self._hidden: dict[str, int] = {}
        if self._below:
            self._hidden = {name: value for name, value in self._fields.items() if name not in LINK_FIELDS}
            self._hidden["eth_type"] = self._fields.get("eth_type", 0)
            for name in self._hidden:
                self._fields.pop(name, None)
            self._fields["eth_type"] = ETH_TYPE_VLAN
        if self._fields.get("ip_frag"):
            # Unless told otherwise (OFPC_FRAG_NORMAL), Open vSwitch matches not even the first fragment by its ports.
            self._hidden |= {name: self._fields.pop(name) for name in TRANSPORT_FIELDS & self._fields.keys()}
        if self._fields.get("arp_op", 0) > MAX_ARP_OP:
            self._hidden["arp_op"] = self._fields["arp_op"]
            self._fields["arp_op"] = 0

    def fork(self) -> "_State":
        """Return a copy that goes its own way."""
        other = copy(self)
        other._fields, other._hidden = dict(self._fields), dict(self._hidden)
        other._registers, other._tags = list(self._registers), list(self._tags)
        return other

    def rewrite(self, packet: Packet) -> None:
        """Take over addresses and ports that have been translated."""
        for name, value in packet.items():
            if name in self._hidden and name in TRANSPORT_FIELDS:
                self._hidden[name] = value
            elif name in self._fields:
                self._fields[name] = value
        self._quoted = packet.quoted

    def track(self, tracked: Tracked | None) -> None:
        """Attach what connection tracking says, or (None) take away what it said."""
        for name in CT_FIELDS:
            self._fields.pop(name, None)
        if tracked is None:
            return
        self._fields |= {"ct_state": tracked.state, "ct_mark": tracked.mark}
        if tracked.original is not None:
            source, target, protocol, tp_src, tp_dst = tracked.original
            self._fields |= {"ct_nw_src": source, "ct_nw_dst": target, "ct_nw_proto": protocol}
            if self._fields.get("ip_frag") != LATER_FRAGMENT:
                # Open vSwitch reads these with the packet's own ports, which a later fragment lacks.
                self._fields |= {"ct_tp_src": tp_src, "ct_tp_dst": tp_dst}

    def read(self, name: str) -> int:
        """Return the value of a field or register; 0 for a field that the packet lacks."""
        register = REGISTERS.get(name)
        if register is None:
            return self._fields.get(name, 0)
        return self._registers[register.number] >> register.offset & (1 << register.bits) - 1

    def write(self, name: str, value: int) -> None:
        """Set a field or register, unless the packet has no such header: then Open vSwitch does nothing."""
        if register := REGISTERS.get(name):
            mask = (1 << register.bits) - 1 << register.offset
            others = self._registers[register.number] & ~mask
            self._registers[register.number] = others | value << register.offset
        elif self.has(name):
            self._fields[name] = value
            if name == "arp_op":
                self._hidden.pop(name, None)
            elif name == "vlan_vid":
                self._tags[0] = value

    def has(self, name: str) -> bool:
        """Say whether the packet has the header that a field is part of; only tags come and go on the way."""
        if name == "vlan_vid":
            return bool(self.read(name) & VLAN_PRESENT)
        return all(self.read(needed) == value for needed, value in field_named(name).needs)

    def push_vlan(self) -> None:
        # One tag too many pushes out the lowest of those that it knows.
        self._tags = [VLAN_PRESENT, *self._tags][:MAX_TAGS]
        self._fields["vlan_vid"] = VLAN_PRESENT

    def pop_vlan(self) -> None:
        # A tag that was hidden on arrival stays so until another switch looks at the packet.
        self._tags = self._tags[1:]
        self._fields["vlan_vid"] = self._tags[0] if self._tags else 0

    def on_wire(self) -> Packet:
        """Return the packet as it would leave now."""
        fields = {name: value for name, value in self._fields.items() if name not in OPTIONAL} | self._hidden
        tags = (*self._tags, *self._below)
        if tags:
            fields["vlan_vid"] = tags[0]
        return Packet.of_numbers(fields, tags[1:], self._quoted)

    def seen(self) -> Packet:
        """Return the packet as a flow table sees it now, with its metadata."""
        registers = {name: value for name in REGISTERS if (value := self.read(name))}
        fields = {name: value for name, value in self._fields.items() if value or name not in OPTIONAL}
        return Packet.of_numbers(fields | registers, quoted=self._quoted)


class _Walk:
    """One packet's way through one switch."""

    def __init__(self, switch: Switch, state: _State, passes: int) -> None:
        self._switch = switch
        self._state = state
        self._passes = passes
        self._visits_left = MAX_RESUBMITS
        self._depth = 0
        self.passage = Passage([], [], [], [])

    def enter(self, table: int) -> None:
        """Look the packet up in a table and do what the flow says; nothing where none matches."""
        found = self._switch.table(table).find(self._state.read)
        name = TABLES.by_number[table].name
        flow = found[0] if found else None
        self.passage.visits.append(Visit(name, flow, self._state.seen()))
        # Actions are plain tuples, so that those of different kinds may compare equal; their texts never do.
        if len({repr(other.actions) for other in found}) > 1:
            names = " and ".join(f"{other} of {other.owner}" for other in found)
            self._fault(f"{names} match one packet at one priority")
        if flow is not None:
            for action in flow.actions:
                if isinstance(action, DecrementTtl) and self._state.has("ip_ttl") and self._state.read("ip_ttl") < 2:
                    # Open vSwitch leaves out the rest of these actions, and might tell a controller that asks for it.
                    self._fault(f"{flow} meets a packet without a hop to live")
                    return
                self._do(flow, action)

    def _do(self, flow: Flow, action: Action) -> None:
        state = self._state
        match action:
            case SetField(name, value):
                state.write(name, value)
            case Move(source, target):
                state.write(target, state.read(source))
            case PushVlan():
                state.push_vlan()
            case PopVlan():
                state.pop_vlan()
            case DecrementTtl():
                if state.has("ip_ttl"):
                    state.write("ip_ttl", state.read("ip_ttl") - 1)
            case Spread(register, ways):
                state.write(register, way_of({name: state.read(name) for name in HASHED}, ways))
            case FirstAlive(register, ports):
                alive = (port for port in ports if port in self._switch.ports and port not in self._switch.dead)
                state.write(register, next(alive, NO_PORT_ALIVE))
            case CheckLarger(register, size):
                state.write(register, int(state.read("size") > size))
            case Output(port):
                if port != state.read("in_port"):
                    self._emit(port)
            case OutputInPort():
                self._emit(state.read("in_port"))
            case Meter():
                pass  # One packet at a time exceeds no rate.
            case Controller():
                self.passage.packet_ins.append(PacketIn(flow, state.on_wire()))
            case Track(zone, table):
                self._track(state.read(zone), TABLES[table].number)
            case Commit(zone, copy_to):
                self._commit(state.read(zone), copy_to)
            case Translate(zone, table, source, target):
                self._translate(state.read(zone), TABLES[table].number, source, target)
            case Untrack():
                state.track(None)
            case Learn():
                self._switch.learn(learnt_by(flow, action, state.read))
            case Resubmit(table) | Goto(table):
                self._follow(flow.table, TABLES[table].number)

    def _follow(self, table: int, target: int) -> None:
        self._visits_left -= 1
        if self._visits_left < 0:
            raise _TooManyResubmitsError(f"over {MAX_RESUBMITS} table visits")
        if self._depth >= MAX_DEPTH:
            raise _TooManyResubmitsError(f"over {MAX_DEPTH} times back to a table")
        deeper = int(target <= table)
        self._depth += deeper
        self.enter(target)
        self._depth -= deeper

    def _track(self, zone: int, table: int) -> None:
        state = self._state
        tracked = self._switch.connections.look_up(self._switch.chassis_id, zone, state.on_wire())
        state.track(None)
        if tracked is not None:
            self._go_on_tracked(tracked, state.fork(), table)

    def _commit(self, zone: int, copy_to: str | None) -> None:
        state = self._state
        tracked = self._switch.connections.commit(self._switch.chassis_id, zone, state.on_wire())
        if tracked is None:
            raise _KeptFragmentError
        state.track(None)
        if copy_to is not None:
            self._go_on_tracked(tracked, state.fork(), TABLES[copy_to].number)

    def _translate(
        self, zone: int, table: int, source: tuple[int, int, int] | None, target: tuple[int, int, int] | None
    ) -> None:
        state = self._state
        found = self._switch.connections.translate(self._switch.chassis_id, zone, state.on_wire(), source, target)
        state.track(None)
        if found is not None:
            other = state.fork()
            other.rewrite(found[1])
            self._go_on_tracked(found[0], other, table)

    def _go_on_tracked(self, tracked: Tracked, other: "_State", table: int) -> None:
        if self._passes == MAX_PASSES:
            self._fault(f"a packet that begins anew more than {MAX_PASSES} times is dropped")
            return
        other.track(tracked)
        # A translation of its own, with its own limit.
        passage = self._switch.walk(other, table, self._passes + 1)
        self.passage.emissions.extend(passage.emissions)
        self.passage.packet_ins.extend(passage.packet_ins)
        self.passage.visits.extend(passage.visits)
        self.passage.faults.extend(passage.faults)

    def _emit(self, port: int) -> None:
        if port not in self._switch.ports:
            self._fault(f"output to port {port}, which is not there")
            return
        state = self._state
        self.passage.emissions.append(Emission(port, state.on_wire(), state.read("tun_id"), state.read("tun_dst")))

    def _fault(self, text: str) -> None:
        self.passage.faults.append(f"chassis {self._switch.chassis_id}: {text}")
