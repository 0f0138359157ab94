"""The controller: follows the store, and keeps each connected chassis in step with it.

One path for every change: the store tells of a commit, the engine says what differs for which chassis, its session
sends that, and the confirmation makes port status true. Nothing here opens a socket or starts a thread.
"""

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from flows.delta import Delta
from flows.engine import Engine
from flows.flow import Flow
from sdnapp.handovers import Handovers
from sdnapp.realization import IN_SYNC, Realization
from sdnapp.responders import Responders, leads_here
from sdnapp.status import DOWN, MORE_ADDRESSES, Status, chassis_of, is_down_for_certain, is_nowhere
from topology import facts, gateway_binding, port_blocks, translation
from topology.placement import Plugged, forget, observe
from topology.presence import OWNERS, standing
from topology.steady import Steady
from topology.storage import StorageError
from topology.store import Change, Store
from topology.turns import GiveWay, by_turns, let_go, nobody_waits
from topology.values import Chassis, FloatingIP, Port, PortBinding, Router

LOG = logging.getLogger(__name__)
ROUNDS = 3
"""How often what has been written during a pass is followed in another, before all others have to wait."""
FOLLOWED: tuple[tuple[type[Any], Callable[..., Any]], ...] = (
    (Router, gateway_binding.choices),
    *((kind, translation.unsettled) for kind in translation.OWNERS),
    *((kind, standing) for kind in OWNERS),
)
"""Facts of rows from which more follows than flows."""
NAMED_PREFIX = "dp-"
"""Chassis without OVSDB are called by their datapath id, with this in front."""


class SwitchPort(Protocol):
    """What the controller asks of the OpenFlow side; datapath ids are 16 hexadecimal digits."""

    def assign(self, datapath_id: str, flows: Iterable[Flow], revision: int) -> None:
        """Bring a switch to exactly these flows."""
        ...

    def update(self, datapath_id: str, added: Iterable[Flow], removed: Iterable[Flow], revision: int) -> None:
        """Apply a difference to a switch that has been assigned."""
        ...

    def refuse(self, datapath_id: str, reason: str) -> None:
        """Close a switch's connection, and log why."""
        ...


class Controller:
    """Desired state on one side, switches on the other, and who has confirmed what in between."""

    def __init__(
        self,
        store: Store,
        switches: SwitchPort,
        responders: Responders,
        wake: Callable[[], None] = lambda: None,
        *,
        certified: bool = False,
        give_way: GiveWay = nobody_waits,
        snat_block_size: int = port_blocks.PORTS,
        admits: Callable[[str], bool] = lambda chassis_id: True,
    ) -> None:
        """``wake`` is called when there is something to catch up with; whoever is woken calls ``catch_up``.

        ``give_way`` lets others have their turn in the midst of long work (``topology.turns``).
        ``certified``: every switch and every database has shown a certificate in the name of its chassis.
        ``snat_block_size``: source ports of a chassis's first block on a router's external addresses.
        ``admits``: whether a chassis that reports no database may be one more.
        """
        self.snat_block_size = snat_block_size
        self._admits = admits
        self._settle_anew = True
        """Whether a former controller may have stopped before it was done."""
        self._untranslated: dict[str, list[str]] = {}
        self._certified = certified
        self.store = store
        self.responders = responders
        self.realization = Realization(give_way)
        self._handovers = Handovers(store, self.realization)
        self._switches = switches
        self._wake = wake
        self._changes: list[Change] = []
        self._busy = threading.RLock()
        self._progress = threading.Condition()
        self._connected: set[str] = set()
        self._attached: dict[str, str] = {}
        self._serving: dict[str, str] = {}
        """The same by datapath."""
        self._astray: set[str] = set()
        """Attached chassis that did not hear of a difference, so that only all of their flows bring them back."""
        self._speaking: set[str] = set()
        """Chassis whose databases are connected."""
        self._hosts: dict[str, str] = {}
        """Where the database of each chassis was connected from last."""
        self._certificates: dict[str, str] = {}
        """Names in the certificates of connected switches, by datapath; empty without TLS."""
        self._contested: frozenset[str] = frozenset()
        self._ports_by_name: dict[str, dict[int, str]] = {}
        self._failures: dict[Any, str] = {}
        self._look_again = False
        """Whether it may be other datapaths than before that are chassis."""
        self._give_way = give_way
        self._engine_is_sound = False
        """Whether the engine is up to date but for the changes. It is filled when there is first need of it."""
        self._nothing_is_known = False
        """Whether all flows are just being computed and no chassis has confirmed any: so nothing is ACTIVE."""
        self._steady = Steady(store)
        self.engine = Engine(self._steady, give_way=give_way, filled=False)
        store.watch(self._note)

    def catch_up(self) -> None:
        """Follow the store to its present revision. Cheap when there is nothing to do.

        No difference is ever lost: a chassis that one did not reach is given all of its flows, now or the next time.
        """
        if self.store.is_being_written:
            # What is written there is nobody's yet, and who waited for a pass would keep that from its end.
            return
        with self._busy:
            if not (self._changes or self._astray or self._look_again) and self._engine_is_sound:
                return
            concerns_ports = False
            for _ in range(ROUNDS):
                if self._changes or not self._engine_is_sound:
                    concerns_ports |= self._follow_while_others_write()
            with self.store.still():
                concerns_ports |= self._finish()
        self._rebind_names(concerns_ports)

    def _follow_while_others_write(self) -> bool:
        """Bring the engine to the state that the store has now, and tell attached chassis; return if ports changed."""
        with self.store.still():
            self._steady.hold()
            changes, self._changes = self._changes, []
        try:
            deltas = self._follow(changes)
        finally:
            self._steady.let_go()
        self._make_durable()
        self._tell_all(deltas)
        rows = [row for change in changes for row in change.rows]
        changes.clear()
        concerns_ports = any(row.kind is Port for row in rows)
        let_go(rows, self._give_way)
        self._forget(deltas)
        return concerns_ports

    def _finish(self) -> bool:
        """Follow what has come since; do what takes an engine that is up to date; return whether ports changed.

        The store is still meanwhile. A chassis that the engine does not know yet would be given no flows at all.
        """
        changes, self._changes = self._changes, []
        deltas = self._follow(changes) if changes or not self._engine_is_sound else {}
        self._settle()
        self._report_failures()
        look_again, self._look_again = self._look_again, False
        self._make_durable()
        fresh = self._attach_all() if look_again else set()
        self._tell_all({each: delta for each, delta in deltas.items() if each not in fresh})
        for chassis_id in sorted(self._astray):
            self._assign(chassis_id)
        self.realization.reached(self.engine.revision)
        if self._handovers.may_go_on():
            self._reconsider()
        self._moved()
        self._forget(deltas)
        return any(row.kind is Port for change in changes for row in change.rows)

    def _forget(self, deltas: dict[str, Delta]) -> None:
        """Let go of differences in slices: with them go flows that nobody else has any more."""
        while deltas:
            _, delta = deltas.popitem()
            flows = list(delta.added + delta.removed)
            del delta
            let_go(flows, self._give_way)

    def _tell_all(self, deltas: Mapping[str, Delta]) -> None:
        for chassis_id, delta in deltas.items():
            if chassis_id in self._attached and chassis_id not in self._astray:
                self._tell(chassis_id, delta)

    def _new_engine(self) -> Engine:
        engine = Engine(self._steady, followed=FOLLOWED, give_way=self._give_way)
        flows = (flow for chassis_id in self._steady.ids(Chassis) for flow in engine.desired(chassis_id).values())
        self.responders.learn(flow for flow in by_turns(flows, self._give_way) if leads_here(flow))
        return engine

    def _follow(self, changes: Iterable[Change]) -> dict[str, Delta]:
        """Bring the engine up to date; return what differs for each chassis that is not astray."""
        if self._engine_is_sound:
            try:
                deltas = self.engine.update(changes)
            except Exception:
                LOG.exception("the flows could not be brought up to date with a change: all are computed anew")
            else:
                self.responders.follow(deltas.values(), self._give_way)
                return deltas
        self._engine_is_sound = False
        self._astray.update(self._attached)
        self._nothing_is_known = not self.realization.is_any_in_sync()
        try:
            self.engine = self._new_engine()
        finally:
            self._nothing_is_known = False
        self._engine_is_sound = True
        return {}

    def _make_durable(self) -> None:
        """Let switches hear of nothing that may yet be lost: numbers that they remember would be given anew."""
        try:
            self.store.flush()
        except StorageError as error:
            LOG.error("the switches are told of what may be lost: %s", error)

    def _settle(self) -> None:
        """Have taken what follows from changes; its flows follow with the next change, which this is."""
        owners = self.engine.take_moved(gateway_binding.choices, translation.unsettled)
        if self._settle_anew:
            owners |= translation.every_owner(self.store) | gateway_binding.every_router(self.store)
            self._settle_anew = False
        self._handovers.follow(self.engine.view, owners, self._give_way)
        if owners:
            self._translate(owners)

    def _translate(self, owners: set[str]) -> None:
        """Have what some routers and floating IPs need to translate addresses taken."""
        view, ports = self.engine.view, self.snat_block_size
        for owner, problems in translation.settle(self.store, view, owners, ports, self._give_way).items():
            before = self._untranslated.pop(owner, [])
            for problem in sorted(set(problems) - set(before)):
                LOG.error("%s: %s", problem, MORE_ADDRESSES)
            if problems:
                self._untranslated[owner] = problems
            elif before:
                LOG.info("every chassis that translates for %s has what it needs again", owner)

    def more_ports(self, places: Iterable[translation.Place]) -> list[translation.Place]:
        """Give chassis more source ports for routers; return those for which there are no more."""
        with self._busy:
            self.catch_up()
            with self.store.still():
                concerns_ports = self._finish()
                grown = translation.grow(self.store, self.engine.view, places)
        self._rebind_names(concerns_ports)
        return grown

    @property
    def untranslated(self) -> frozenset[str]:
        """The routers and floating IPs for which some chassis have not got what they need to translate."""
        return frozenset(self._untranslated)

    def hand_on(self, places: Iterable[translation.Place]) -> list[translation.Place]:
        """Hand on what idle chassis have to those that have no source ports (``topology.translation``)."""
        with self._busy:
            self.catch_up()
            with self.store.still():
                followed = self._finish()
                given = translation.hand_on(self.store, self.engine.view, places, self.snat_block_size)
        self._rebind_names(followed)
        return given

    def _tell(self, chassis_id: str, delta: Delta) -> None:
        """Have an attached chassis make a difference."""
        self.realization.changed(chassis_id, delta, self.engine.revision)
        datapath_id = self._attached.get(chassis_id)
        if datapath_id is None:
            return  # It has gone meanwhile.
        try:
            self._switches.update(datapath_id, delta.added, delta.removed, self.engine.revision)
        except Exception:
            LOG.exception("chassis %s could not be told of a change: it will be given all of its flows", chassis_id)
            self._astray.add(chassis_id)

    def _assign(self, chassis_id: str) -> None:
        """Have an attached chassis hold exactly what it should, whatever it was told before."""
        self._astray.add(chassis_id)
        self.realization.connected(chassis_id, self.engine.revision)
        try:
            flows = self.engine.desired(chassis_id).values()
            self._switches.assign(self._attached[chassis_id], flows, self.engine.revision)
        except Exception:
            LOG.exception("chassis %s could not be given its flows: it is tried again", chassis_id)
        else:
            self._astray.discard(chassis_id)

    # What switches tell

    def switch_connected(self, datapath_id: str, certificate_name: str | None = None) -> None:
        """A switch has finished its handshake; with TLS it is whoever its certificate names."""
        self._connected.add(datapath_id)
        if certificate_name is not None:
            self._certificates[datapath_id] = certificate_name
        self._look_again = True
        self.catch_up()

    def switch_disconnected(self, datapath_id: str) -> None:
        """A switch's session is over; its flows stay where they are."""
        with self._busy:
            self._connected.discard(datapath_id)
            self._certificates.pop(datapath_id, None)
            self._ports_by_name.pop(datapath_id, None)
            self._look_again = True
            if (chassis_id := self._serving.get(datapath_id)) is not None:
                self._detach(chassis_id)
                LOG.warning(
                    "chassis %s has lost its OpenFlow session; it goes on forwarding with the flows that it has",
                    chassis_id,
                )

    def heard(self, chassis_id: str, *, is_heard: bool) -> None:
        """A connected chassis answers no more, or does again (``Realization.heard``)."""
        with self._busy:
            self.realization.heard(chassis_id, is_heard=is_heard)
        self._moved()

    def confirmed(self, datapath_id: str, revision: int) -> None:
        """A switch has confirmed, by barrier, all up to a revision."""
        chassis_id = self.chassis_of(datapath_id)
        if chassis_id is not None:
            before = self.realization.progress(chassis_id).state
            self.realization.confirmed(chassis_id, revision)
            if self.realization.progress(chassis_id).state == IN_SYNC != before:
                LOG.info("chassis %s is in sync, with %d flows", chassis_id, len(self.engine.desired(chassis_id)))
            if self._handovers.wait_for(chassis_id):
                self._reconsider()
            self._moved()

    def rejected(self, datapath_id: str, flow: Flow, reason: str) -> None:
        """A switch has refused a flow; everything else went on without it."""
        chassis_id = self.chassis_of(datapath_id)
        # One that is not wanted any more, as the switch will hear soon, must not stand in the status for ever.
        if chassis_id is not None and self.engine.desired(chassis_id).get(flow.key) == flow:
            LOG.error(
                "chassis %s rejected a flow of %s (%s): %s: %s", chassis_id, flow.owner, flow.feature, reason, flow
            )
            self.realization.rejected(chassis_id, flow, reason)
            self._moved()

    def ports_named(self, datapath_id: str, names: Mapping[int, str]) -> None:
        """A switch's ports by number; they bind by name where no OVSDB connection speaks for the switch."""
        self._ports_by_name[datapath_id] = dict(names)
        if self.chassis_of(datapath_id) == NAMED_PREFIX + datapath_id:
            self._bind_names(datapath_id)

    # What switches' databases tell

    def database_connected(self, chassis_id: str, address: str) -> None:
        """A chassis's database is connected, from ``host:port``; what it tells follows."""
        self._hosts[chassis_id] = address.rpartition(":")[0]

    def observed(
        self, chassis: Chassis, plugged: Mapping[str, Plugged], changed: Collection[str] | None = None
    ) -> None:
        """A chassis has reported itself and the interfaces plugged into it, completely.

        ``changed``: ids of the ports that are reported otherwise than the last time; None where that is not known.
        """
        if chassis.datapath_id and self.store.get(Chassis, NAMED_PREFIX + chassis.datapath_id) is not None:
            forget(self.store, NAMED_PREFIX + chassis.datapath_id)
        if self._certified and (holder := self._other_holder(chassis)) is not None:
            LOG.error(
                "chassis %s reports the datapath of chassis %s, %s, and is not served under it: "
                "if %s is gone for good, openstack network agent delete %s; if not: "
                "ovs-vsctl set bridge BRIDGE other_config:datapath-id=<16 hexadecimal digits>",
                *(chassis.id, holder, chassis.datapath_id, holder, holder),
            )
            chassis = replace(chassis, datapath_id="")
        known = self.store.get(Chassis, chassis.id)
        if known is not None and not chassis.datapath_id:
            # A database that has just started does not know it yet; the switch itself may never have stopped.
            chassis = replace(chassis, datapath_id=known.datapath_id)
        observe(self.store, chassis, plugged, self._give_way, changed)
        # Here, so that it is done when the flows that follow from it are: those are computed meanwhile.
        self.store.flush()
        if chassis.id not in self._speaking:
            self._speaking.add(chassis.id)
            self._reconsider()

    def database_lost(self, chassis_id: str) -> None:
        """A chassis's database is not connected any more; what it has told stands."""
        self._speaking.discard(chassis_id)
        self._reconsider()

    def adopt_by_name(self, datapath_id: str) -> None:
        """Make a connected switch that no OVSDB connection has claimed a chassis of its own."""
        if self._certified:
            # Only its database can say which bridge a chassis has: a certificate does not name datapaths.
            return
        unclaimed = datapath_id in self._connected and not self.store.find_ids(Chassis, "datapath", datapath_id)
        if unclaimed and self._admits(NAMED_PREFIX + datapath_id):
            LOG.info("datapath %s has no OVSDB connection: its ports bind by name (tap + 11 characters)", datapath_id)
            self._bind_names(datapath_id)

    # What the API asks

    def chassis_of(self, datapath_id: str) -> str | None:
        """Return the chassis that a connected datapath serves, or None."""
        return self._serving.get(datapath_id)

    def datapath_of(self, chassis_id: str) -> str | None:
        """Return the connected datapath that a chassis is, or None."""
        return self._attached.get(chassis_id)

    @property
    def status(self) -> Status:
        """Whether ports and routers are realised, as of the store's present revision."""
        self.catch_up()
        return Status(self.store, self.engine, self.realization)

    def port_realization(self, port_id: str) -> dict[str, str]:
        """Return, for each chassis that must hold a port's flows, where it stands, in words.

        Before the first flows are computed, only those are known that report the port.
        """
        if self._nothing_is_known:
            return {each: self.realization.progress(each).state for each in sorted(chassis_of(self.store, port_id))}
        return {} if is_nowhere(self.store, port_id) else self.status.standings(port_id)

    def port_status(self, port_id: str) -> str:
        """Return ``ACTIVE`` when every chassis that counts has confirmed the port's flows, else ``DOWN``."""
        if self._nothing_is_known or is_down_for_certain(self.store, self.realization, port_id):
            return DOWN
        return self.status.of_port(port_id)

    def router_status(self, router_id: str) -> str:
        """Return ``ACTIVE`` when every chassis that counts has confirmed the router's flows, else ``DOWN``."""
        return DOWN if self._nothing_is_known else self.status.of_router(router_id)

    def floatingip_status(self, floatingip_id: str) -> str:
        """Return ``ACTIVE`` when the chassis concerned have confirmed the floating IP's flows, else ``DOWN``."""
        return DOWN if self._nothing_is_known else self.status.of_floatingip(floatingip_id)

    def why_down(self, port: Port) -> str | None:
        """Say why a port is not ACTIVE, or None if it is."""
        return self.status.why_down(port)

    def why_floatingip_down(self, row: FloatingIP) -> str | None:
        """Say why a floating IP that stands for an address, or forwards ports, is not ACTIVE, or None."""
        return self.status.why_floatingip_down(row)

    def wait_realized(self, revision: int | None, seconds: float) -> bool:
        """Wait until every chassis that counts has confirmed a revision (None: the store's), at most so long."""
        wanted = self.store.revision if revision is None else revision
        self.catch_up()
        with self._progress:
            return self._progress.wait_for(lambda: self._realized(wanted), seconds)

    def _realized(self, revision: int) -> bool:
        return self.engine.revision >= revision and self.realization.is_realized(revision)

    def _note(self, change: Change) -> None:
        self._changes.append(change)
        self._look_again |= any(row.kind is Chassis for row in change.rows)
        self._wake()

    def _reconsider(self) -> None:
        self._look_again = True
        self._wake()

    def _moved(self) -> None:
        with self._progress:
            self._progress.notify_all()

    def _attach_all(self) -> set[str]:
        """Give every connected datapath that has a chassis its flows; return the chassis that are new."""
        fresh = set()
        claims = {datapath_id: self._claims(datapath_id) for datapath_id in self._connected}
        for chassis_id, datapath_id in list(self._attached.items()):
            if chassis_id not in claims.get(datapath_id, ()):
                self._detach(chassis_id)
        served = set(self._attached.values())
        for datapath_id in sorted(claims.keys() - served):
            if len(claims[datapath_id]) == 1:
                (claiming,) = claims[datapath_id]
                self._attached[claiming], self._serving[datapath_id] = datapath_id, claiming
                row = self.store.get(Chassis, claiming)
                host = row.hostname if row is not None else ""
                LOG.info("chassis %s is datapath %s, on host %s", claiming, datapath_id, host or "-")
                self._forget_former_selves(claiming, datapath_id)
                self._assign(claiming)
                fresh.add(claiming)
        contested = frozenset(at for at, each in claims.items() if len(self._speaking.intersection(each)) > 1)
        for datapath_id in sorted(contested - self._contested):
            LOG.error(
                "chassis %s all say that their datapath is %s: give each one of its own: "
                "ovs-vsctl set bridge BRIDGE other_config:datapath-id=<16 hexadecimal digits>",
                " and ".join(claims[datapath_id]),
                datapath_id,
            )
        self._contested = contested
        return fresh

    def _claims(self, datapath_id: str) -> list[str]:
        """Return the chassis that a datapath may be: one, unless several databases that are connected say so.

        A machine that was installed anew may leave the row of its former self behind, with the same datapath. But one
        whose database is only away for a moment keeps its datapath from a stranger who has the same by mistake.
        """
        named = self.store.find_ids(Chassis, "datapath", datapath_id)
        told = [chassis_id for chassis_id in named if not chassis_id.startswith(NAMED_PREFIX)] or list(named)
        if self._certified:
            own_name = self._certificates.get(datapath_id)
            if told and own_name not in told:
                self._switches.refuse(
                    datapath_id, f"its certificate is that of {own_name}, but the datapath is that of {told[0]}"
                )
            told = [chassis_id for chassis_id in told if chassis_id == own_name]
        speaking = [chassis_id for chassis_id in told if chassis_id in self._speaking]
        present = self.chassis_of(datapath_id)
        if present in told and present not in speaking:
            host = self._hosts.get(present)
            return [chassis_id for chassis_id in speaking if self._hosts.get(chassis_id) == host] or [present]
        return speaking or told

    def _other_holder(self, chassis: Chassis) -> str | None:
        """Return another chassis that has had the reported datapath before; it keeps it."""
        known = self.store.get(Chassis, chassis.id)
        if not chassis.datapath_id or (known is not None and known.datapath_id == chassis.datapath_id):
            return None
        others = (each for each in self.store.find_ids(Chassis, "datapath", chassis.datapath_id) if each != chassis.id)
        return next((each for each in others if not each.startswith(NAMED_PREFIX)), None)

    def _forget_former_selves(self, chassis_id: str, datapath_id: str) -> None:
        """Remove what an earlier id of the same machine has left: its ports would be where nobody is, for ever."""
        if chassis_id in self._speaking:
            for other in set(self.store.find_ids(Chassis, "datapath", datapath_id)) - self._speaking:
                if self._hosts.get(other) in (None, self._hosts.get(chassis_id)):
                    LOG.info("chassis %s is forgotten: its machine is chassis %s now", other, chassis_id)
                    forget(self.store, other)

    def _detach(self, chassis_id: str) -> None:
        del self._serving[self._attached.pop(chassis_id)]
        self._astray.discard(chassis_id)
        self.realization.disconnected(chassis_id)
        self._moved()

    def _bind_names(self, datapath_id: str) -> None:
        plugged = {}
        for number, name in self._ports_by_name.get(datapath_id, {}).items():
            if name.startswith("tap"):
                for port_id in self.store.find_ids(Port, "name_prefix", name[3:]):
                    plugged[port_id] = Plugged(number, name)
        named = NAMED_PREFIX + datapath_id
        observe(self.store, Chassis(named, hostname=named, datapath_id=datapath_id), plugged)

    def _rebind_names(self, concerns_ports: bool) -> None:
        if self._ports_by_name and concerns_ports:
            for datapath_id in list(self._ports_by_name):
                if self.chassis_of(datapath_id) == NAMED_PREFIX + datapath_id:
                    self._bind_names(datapath_id)

    def _report_failures(self) -> None:
        now = {call: failure.error for call, failure in self.engine.failures.items()}
        for call, failure in self.engine.failures.items():
            if self._failures.get(call) != failure.error:
                LOG.error("%s%s yields no flows: %s", failure.unit, failure.args, failure.error)
        for unit, args in self._failures.keys() - now.keys():
            LOG.info("%s%s yields flows again, or is not needed any more", unit, args)
        self._failures = now

    def bindings_at(self, chassis_id: str, give_way: GiveWay = nobody_waits) -> list[str]:
        """Return the ids of the ports bound to a chassis."""
        bindings = (
            self.engine.ask(facts.binding_in_force, b.port_id)
            for b in by_turns(self.store.find(PortBinding, "chassis", chassis_id), give_way)
        )
        return sorted(b.port_id for b in bindings if b is not None and b.chassis_id == chassis_id)
