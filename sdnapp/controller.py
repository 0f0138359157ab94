"""The controller: follows the store, and keeps each connected chassis in step with it.

One path for every change: the store tells of a commit, the engine says what differs for which chassis, its session
sends that, and the confirmation makes port status true. Nothing here opens a socket or starts a thread.
"""

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import chain
from typing import Any, Protocol

from flows.delta import Delta
from flows.engine import Engine
from flows.flow import Flow
from sdnapp import named_ports
from sdnapp.attachments import Attachments
from sdnapp.handovers import Handovers
from sdnapp.named_ports import NamedPorts
from sdnapp.realization import IN_SYNC, Realization
from sdnapp.responders import Responders, leads_here
from sdnapp.status import DOWN, MORE_ADDRESSES, Status, chassis_of, is_down_for_certain, is_nowhere
from topology import facts, gateway_binding, port_blocks, translation
from topology.placement import Plugged, forget, observe
from topology.presence import OWNERS, standing
from topology.steady import Steady
from topology.storage import StorageError
from topology.store import Change, RowChange, Store
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


class SwitchPort(Protocol):
    """What the controller asks of the OpenFlow side; datapath ids are 16 hexadecimal digits."""

    def assign(self, datapath_id: str, flows: Iterable[Flow], revision: int) -> None:
        """Bring a switch to exactly these flows."""
        ...

    def update(
        self,
        datapath_id: str,
        added: Iterable[Flow],
        removed: Iterable[Flow],
        revision: int,
        *,
        may_wait: bool = False,
    ) -> None:
        """Apply a difference to a switch that has been assigned; one that ``may_wait`` shortly goes with the next."""
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
        send_off: Callable[[], None] = lambda: None,
        snat_block_size: int = port_blocks.PORTS,
        admits: Callable[[str], bool] = lambda chassis_id: True,
        are_joined: Callable[[str, str], bool] = lambda one, other: True,
        is_silent: Callable[[str], bool] = lambda chassis_id: True,
    ) -> None:
        """``wake`` is called when there is something to catch up with; whoever is woken calls ``catch_up``.

        ``give_way`` lets others have their turn in the midst of long work (``topology.turns``).
        ``send_off`` lets what switches have been told be sent, before what else is to be done.
        ``certified``: every switch and every database has shown a certificate in the name of its chassis.
        ``snat_block_size``: source ports of a chassis's first block on a router's external addresses.
        ``admits``: whether a chassis that reports no database may be one more.
        ``are_joined``: whether two gateway chassis reach one another by tunnel.
        ``is_silent``: whether one that cannot be reached answers nobody for certain (``sdnapp.witnesses``).
        """
        self.snat_block_size = snat_block_size
        self._admits = admits
        self._settle_anew = True
        """Whether a former controller may have stopped before it was done."""
        self._untranslated: dict[str, list[str]] = {}
        self.store = store
        self.responders = responders
        self.realization = Realization(give_way)
        self._handovers = Handovers(store, self.realization, are_joined=are_joined, is_silent=is_silent)
        self._switches = switches
        self._wake = wake
        self._changes: list[Change] = []
        self._busy = threading.RLock()
        self._progress = threading.Condition()
        self._attachments = Attachments(store, switches.refuse, certified=certified)
        self._named_ports = NamedPorts(store)
        self._astray: set[str] = set()
        """Attached chassis that have not got a difference, so that only all of their flows bring them back."""
        self._failures: dict[Any, str] = {}
        self._look_again = False
        """Whether it may be other datapaths than before that are chassis."""
        self._give_way, self._send_off = give_way, send_off
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
            self._steady.let_go(self._give_way)
        self._make_durable()
        self._tell_all(deltas)
        if deltas:
            self._send_off()
        rows = list(by_turns(chain.from_iterable(change.rows for change in changes), self._give_way))
        changes.clear()
        concerns_ports = self._concerned(rows)
        let_go(rows, self._give_way)
        self._forget(deltas)
        return concerns_ports

    def _finish(self) -> bool:
        """Follow what has come since; do what takes an engine that is up to date; return whether ports changed.

        The store is still meanwhile. A chassis that the engine does not know yet would be given no flows at all.
        """
        changes, self._changes = self._changes, []
        deltas = self._follow(changes) if changes or not self._engine_is_sound else {}
        concerns_ports = self._concerned(chain.from_iterable(change.rows for change in changes))
        self._settle()
        self._report_failures()
        look_again, self._look_again = self._look_again, False
        self._make_durable()
        fresh = self._attach() if look_again else []
        self._tell_all({each: delta for each, delta in deltas.items() if each not in fresh})
        for chassis_id in sorted(self._astray):
            self._assign(chassis_id)
            self._give_way()
        self.realization.reached(self.engine.revision)
        if self._handovers.may_go_on():
            self._reconsider()
        self._moved()
        self._forget(deltas)
        return concerns_ports

    def _concerned(self, rows: Iterable[RowChange]) -> bool:
        """Return whether some of the rows that have changed are ports; chassis among them are looked for anew."""
        kinds = {row.kind for row in by_turns(rows, self._give_way)}
        self._look_again |= Chassis in kinds
        return Port in kinds

    def _forget(self, deltas: dict[str, Delta]) -> None:
        """Let go of differences in slices: with them go flows that nobody else has any more."""
        while deltas:
            _, delta = deltas.popitem()
            flows = list(delta.added + delta.removed)
            del delta
            let_go(flows, self._give_way)

    def _tell_all(self, deltas: Mapping[str, Delta]) -> None:
        """Tell attached chassis, first those with little to do: what takes long to encode holds up nobody else."""
        for chassis_id, delta in sorted(deltas.items(), key=lambda each: len(each[1].added) + len(each[1].removed)):
            if self.datapath_of(chassis_id) is not None and chassis_id not in self._astray:
                self._tell(chassis_id, delta)
                self._give_way()

    def _new_engine(self) -> Engine:
        engine = Engine(self._steady, followed=FOLLOWED, give_way=self._give_way)
        flows = (flow for chassis_id in self._steady.ids(Chassis) for flow in engine.desired(chassis_id).values())
        leading = (flow for flow in by_turns(flows, self._give_way) if leads_here(flow))
        self.responders.learn(leading, self._give_way)
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
        # Changes that say of chassis may be lost with it.
        self._look_again = True
        self._astray.update(self._attachments.chassis())
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
        datapath_id = self.datapath_of(chassis_id)
        if datapath_id is None:
            return  # It has gone meanwhile.
        try:
            self._switches.update(
                *(datapath_id, delta.added, delta.removed, self.engine.revision), may_wait=self._may_wait(delta)
            )
        except Exception:
            LOG.exception("chassis %s could not be told of a change: it will be given all of its flows", chassis_id)
            self._astray.add(chassis_id)

    def _may_wait(self, delta: Delta) -> bool:
        """Return whether no packet needs a difference yet: nothing but flows of ports that are nowhere, and more."""
        owners = (flow.owner.partition("/") for flow in by_turns(delta.added, self._give_way))
        return not delta.removed and all(kind == "port" and is_nowhere(self.store, id_) for kind, _, id_ in owners)

    def _assign(self, chassis_id: str) -> None:
        """Have an attached chassis hold exactly what it should, whatever it was told before."""
        datapath_id = self.datapath_of(chassis_id)
        if datapath_id is None:
            return
        self._astray.add(chassis_id)
        self.realization.connected(chassis_id, self.engine.revision)
        try:
            flows = self.engine.desired(chassis_id).values()
            self._switches.assign(datapath_id, flows, self.engine.revision)
        except Exception:
            LOG.exception("chassis %s could not be given its flows: it is tried again", chassis_id)
        else:
            self._astray.discard(chassis_id)

    # What switches tell

    def switch_connected(self, datapath_id: str, certificate_name: str | None = None) -> None:
        """A switch has finished its handshake; with TLS it is whoever its certificate names."""
        self._attachments.connect(datapath_id, certificate_name)
        self._look_again = True
        self.catch_up()

    def switch_disconnected(self, datapath_id: str) -> None:
        """A switch's session is over; its flows stay where they are."""
        with self._busy:
            self._named_ports.forget(datapath_id)
            self._look_again = True
            if (chassis_id := self._attachments.disconnect(datapath_id)) is not None:
                self._detached(chassis_id)
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

    def tick(self) -> None:
        """Go on with handovers that have waited long enough. To be called once a second."""
        with self._busy:
            self._handovers.tick()
            self.hand_over()

    def hand_over(self) -> None:
        """Go on with handovers if anything has come that they wait for, such as that somebody is silent."""
        with self._busy:
            if self._handovers.may_go_on():
                self._reconsider()

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

    def ports_named(self, datapath_id: str, names: Mapping[int, str | None]) -> None:
        """Ports of a switch came, changed or went (None), by number.

        They bind by name where no OVSDB connection speaks for the switch.
        """
        self._named_ports.note(datapath_id, names)
        if self._binds_by_name(datapath_id):
            self._named_ports.bind(datapath_id)

    # What switches' databases tell

    def database_connected(self, chassis_id: str, address: str) -> None:
        """A chassis's database is connected, from ``host:port``; what it tells follows."""
        self._attachments.database_connected(chassis_id, address)

    def observed(
        self, chassis: Chassis, plugged: Mapping[str, Plugged], changed: Collection[str] | None = None
    ) -> None:
        """A chassis has reported itself and the interfaces plugged into it, completely.

        ``changed``: ids of the ports that are reported otherwise than the last time; None where that is not known.
        """
        named = named_ports.PREFIX + chassis.datapath_id
        if chassis.datapath_id and self.store.get(Chassis, named) is not None:
            forget(self.store, named)
        chassis = self._attachments.believed(chassis)
        observe(self.store, chassis, plugged, self._give_way, changed)
        # Here, so that it is done when the flows that follow from it are: those are computed meanwhile.
        self.store.flush()
        if self._attachments.speaks(chassis.id):
            self._reconsider()

    def database_lost(self, chassis_id: str) -> None:
        """A chassis's database is not connected any more; what it has told stands."""
        self._attachments.database_lost(chassis_id)
        self._reconsider()

    def adopt_by_name(self, datapath_id: str) -> None:
        """Make a connected switch that no OVSDB connection has claimed a chassis of its own."""
        if self._attachments.may_be_adopted(datapath_id) and self._admits(named_ports.PREFIX + datapath_id):
            LOG.info("datapath %s has no OVSDB connection: its ports bind by name (tap + 11 characters)", datapath_id)
            self._named_ports.bind(datapath_id)

    # What the API asks

    def chassis_of(self, datapath_id: str) -> str | None:
        """Return the chassis that a connected datapath serves, or None."""
        return self._attachments.chassis_of(datapath_id)

    def datapath_of(self, chassis_id: str) -> str | None:
        """Return the connected datapath that a chassis is, or None."""
        return self._attachments.datapath_of(chassis_id)

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
        self._wake()

    def _reconsider(self) -> None:
        self._look_again = True
        self._wake()

    def _moved(self) -> None:
        with self._progress:
            self._progress.notify_all()

    def _attach(self) -> list[str]:
        """Give every connected datapath that has a chassis its flows; return the chassis that are new."""
        moves = self._attachments.look()
        for chassis_id in moves.lost:
            self._detached(chassis_id)
        # Whatever comes between, the next pass finds them.
        self._astray.update(moves.found)
        for chassis_id in moves.found:
            self._attachments.forget_former_selves(chassis_id)
            self._assign(chassis_id)
            self._give_way()
        return moves.found

    def _detached(self, chassis_id: str) -> None:
        self._astray.discard(chassis_id)
        self.realization.disconnected(chassis_id)
        self._moved()

    def _binds_by_name(self, datapath_id: str) -> bool:
        return self.chassis_of(datapath_id) == named_ports.PREFIX + datapath_id

    def _rebind_names(self, concerns_ports: bool) -> None:
        for datapath_id in self._named_ports.datapaths() if concerns_ports else ():
            if self._binds_by_name(datapath_id):
                self._named_ports.bind(datapath_id)

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
