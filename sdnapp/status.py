"""The status of ports and routers: where the chassis stand that must hold their flows, and why one is DOWN."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from flows.engine import Engine
from sdnapp.realization import CONFIRMED, IN_SYNC, IN_WORDS, Realization, are_confirmed, is_active
from topology import doors, facts, interfaces, routing
from topology.gateway import Gateway, gateway
from topology.store import Store
from topology.translation import unsettled
from topology.values import (
    ROUTER_GATEWAY,
    ROUTER_INTERFACE,
    FloatingIP,
    Network,
    Port,
    PortBinding,
    PortForwarding,
    Router,
)
from topology.virtual_addresses import chassis_of as chassis_of_address

ACTIVE, DOWN = "ACTIVE", "DOWN"
NO_GATEWAY = "no chassis is a gateway to its network: `sdnapp chassis init --gateway --bridge-mappings ...` makes one"

MORE_ADDRESSES = "give the router more: openstack router set --external-gateway NETWORK --fixed-ip ip-address=EACH"
NO_PORTS = f"no source ports are left for it on the router's external addresses: {MORE_ADDRESSES}"


def is_down_for_certain(store: Store, realization: Realization, port_id: str) -> bool:
    """Return whether rows alone say that a port is DOWN: no chassis in sync reports it, and it is no router's.

    That costs nothing, and most ports that are made are plugged in later.
    """
    in_sync = any(realization.progress(at).state == IN_SYNC for at in chassis_of(store, port_id))
    return not in_sync and not _is_of_a_router(store, port_id)


def is_nowhere(store: Store, port_id: str) -> bool:
    """Return whether rows alone say that no port is there: no chassis reports it, and it is no router's."""
    return not chassis_of(store, port_id) and not _is_of_a_router(store, port_id)


def _is_of_a_router(store: Store, port_id: str) -> bool:
    port = store.get(Port, port_id)
    return port is not None and port.device_owner in (ROUTER_INTERFACE, ROUTER_GATEWAY)


def chassis_of(store: Store, port_id: str) -> list[str]:
    """Return the chassis that report a port, the one that has it among them."""
    return [binding.chassis_id for binding in store.find(PortBinding, "port", port_id)]


@dataclass(frozen=True)
class Status:
    """Questions about one moment, between the engine's facts and what the chassis have confirmed.

    An instance's port is somewhere, and its own chassis must have confirmed. A router's interface is nowhere in
    particular: it is ACTIVE when all chassis that need it have it, even if there is none yet. While its router is down
    there is none: that nothing passes, the router's own status says.
    """

    store: Store
    engine: Engine
    realization: Realization

    def standings(self, port_id: str) -> dict[str, str]:
        """Return, for each chassis that must hold a port's flows, where it stands, in words."""
        ask = self.engine.ask
        if (interface := self._interface(port_id)) is not None:
            router_id = interface.router_id
            around = {*ask(routing.reaching_router, router_id), *ask(facts.hosts, interface.network.id)}
            owners = (f"port/{port_id}", f"router/{router_id}")
            failing: set[tuple[str, ...]] = {(router_id,), (router_id, port_id)}
            return {each: self._standing(each, owners, failing) for each in sorted(around)}
        if (outside := self._gateway(port_id)) is not None:
            around = {*ask(doors.translators, outside.router_id), *ask(doors.gateway_chassis, outside.router_id)}
            return {each: self._of_router_at(each, outside.router_id) for each in sorted(around)}
        if (live := ask(facts.live_port, port_id)) is None:
            return {}
        network_id, own = live.network.id, live.chassis_id
        owners = (f"port/{port_id}", f"network/{network_id}")
        failing = {(port_id,), (network_id,)}
        standings = {
            each: self._standing(each, owners, {*failing, (each, network_id)})
            for each in ask(routing.reaching_network, network_id)
        }
        network = ask(facts.live_network, network_id)
        lacking = ask(facts.obstacle, own, network.segment) if network else None
        return standings | {own: lacking} if lacking else standings

    def of_port(self, port_id: str) -> str:
        """Return ``ACTIVE`` when every chassis that counts has confirmed the port's flows, else ``DOWN``."""
        return ACTIVE if self._is_active(port_id, self.standings(port_id)) else DOWN

    def of_router(self, router_id: str) -> str:
        """Return ``ACTIVE`` for a router that is up when its live interfaces and its gateway are, else ``DOWN``."""
        router = self.store.get(Router, router_id)
        if router is None or not router.admin_state_up:
            return DOWN
        ids = (*self.engine.ask(interfaces.interfaces, router_id), *self.store.find_ids(Port, "gateway_of", router_id))
        return ACTIVE if all(self.of_port(port_id) == ACTIVE for port_id in ids) else DOWN

    def of_floatingip(self, floatingip_id: str) -> str:
        """Return ``ACTIVE`` when its instances' chassis and the one where it is outside have confirmed."""
        standings = self._of_floatingip_by_chassis(floatingip_id)
        return ACTIVE if standings and all(each == CONFIRMED for each in standings.values()) else DOWN

    def why_down(self, port: Port) -> str | None:
        """Say why a port is not ACTIVE, or None if it is."""
        standings = self.standings(port.id)
        if self._is_active(port.id, standings):
            return None
        if waiting := _waiting(standings):
            return waiting
        if not port.admin_state_up:
            return "the port is administratively down"
        network = self.store.get(Network, port.network_id)
        if network is not None and not network.admin_state_up:
            return "its network is administratively down"
        if port.device_owner == ROUTER_INTERFACE:
            return f"there is no router {port.device_id}"
        if port.device_owner == ROUTER_GATEWAY:
            return self._why_no_way_out(port)
        return f"not plugged: no chassis has an interface with external_ids:iface-id={port.id}"

    def why_floatingip_down(self, row: FloatingIP) -> str | None:
        """Say why a floating IP that stands for an address, or forwards ports, is not ACTIVE; None else."""
        forwarded_to = [each.port_id for each in self.store.find(PortForwarding, "floatingip", row.id)]
        if row.router_id is None or (row.port_id is None and not forwarded_to):
            return None
        if standings := self._of_floatingip_by_chassis(row.id):
            return _waiting(standings) or None
        own = self.engine.ask(gateway, row.router_id)
        if own is None or own.network.id != row.network_id:
            ports = (
                self.store.get(Port, port_id) for port_id in self.store.find_ids(Port, "gateway_of", row.router_id)
            )
            reason = next((self.why_down(port) for port in ports if port is not None), None)
            return f"the gateway of router {row.router_id}: {reason or 'it has none to the network of the floating IP'}"
        if row.port_id is None:
            return self._why_nothing_is_forwarded(row.router_id, sorted(forwarded_to))
        if self.engine.ask(chassis_of_address, row.port_id, row.fixed_ip_address) is not None:
            return NO_GATEWAY
        if self.store.find_ids(Port, "pair_address", row.fixed_ip_address):
            return f"nobody is known to have {row.fixed_ip_address}: a port that may have it has to say so by ARP"
        return self._why_not_there(row.port_id)

    def _why_nothing_is_forwarded(self, router_id: str, port_ids: list[str]) -> str:
        if self.engine.ask(doors.active_gateway, router_id) is None:
            return NO_GATEWAY
        return f"nobody is there to whom it forwards; {self._why_not_there(port_ids[0])}"

    def _why_not_there(self, port_id: str) -> str:
        port = self.store.get(Port, port_id)
        return f"its port {port_id}: {(port and self.why_down(port)) or 'it is not there'}"

    def _of_floatingip_by_chassis(self, floatingip_id: str) -> dict[str, str]:
        """Return where the chassis stand that are concerned; none where it leads to no address that is there."""
        live = self.engine.ask(doors.floating, floatingip_id)
        if live is None:
            return self._of_forwardings(floatingip_id)
        owners: tuple[str, ...] = (f"floatingip/{floatingip_id}",)
        failing: set[tuple[str, ...]] = {(floatingip_id,)}
        return {each: self._standing(each, owners, failing) for each in sorted({live.holder, live.site})}

    def _of_forwardings(self, floatingip_id: str) -> dict[str, str]:
        row, holders = self.store.get(FloatingIP, floatingip_id), doors.forwarded_to(self.engine.view, floatingip_id)
        if row is None or row.router_id is None or not holders:
            return {}
        router_id = row.router_id
        door = self.engine.ask(doors.active_gateway, router_id)
        if door is None:
            return {}
        # As a set, of which each chassis is asked for no more than it has left to confirm.
        ids = self.store.find_ids(PortForwarding, "floatingip", floatingip_id)
        owners = {f"address/{row.address}", *map("port_forwarding/".__add__, ids)}
        failing: set[tuple[str, ...]] = {(each,) for each in ids}
        standings = {each: self._standing(each, owners, failing) for each in sorted({door, *holders})}
        # They are translated as all else that is the router's.
        of_router = {each: self._of_router_at(each, router_id) for each in holders}
        return standings | {each: told for each, told in of_router.items() if told != CONFIRMED}

    def _is_active(self, port_id: str, standings: dict[str, str]) -> bool:
        if self._interface(port_id) is not None:
            return are_confirmed(standings)
        if self._is_idle_interface(port_id):
            return True
        if (outside := self._gateway(port_id)) is not None:
            active = self.engine.ask(doors.active_gateway, outside.router_id)
            return active is not None and is_active(active, standings)
        live = self.engine.ask(facts.live_port, port_id)
        return live is not None and is_active(live.chassis_id, standings)

    def _is_idle_interface(self, port_id: str) -> bool:
        """Return whether a port is an interface that lacks nothing but that its router is up."""
        port = self.store.get(Port, port_id)
        if port is None or port.device_owner != ROUTER_INTERFACE or not port.admin_state_up:
            return False
        router, network = self.store.get(Router, port.device_id), self.store.get(Network, port.network_id)
        return router is not None and not router.admin_state_up and network is not None and network.admin_state_up

    def _interface(self, port_id: str) -> interfaces.LiveInterface | None:
        # Of no other ports: what was asked once is remembered, and these are very many.
        port = self.store.get(Port, port_id)
        own = port is not None and port.device_owner == ROUTER_INTERFACE
        return self.engine.ask(interfaces.live_interface, port_id) if own else None

    def _gateway(self, port_id: str) -> Gateway | None:
        port = self.store.get(Port, port_id)
        own = port is not None and port.device_owner == ROUTER_GATEWAY
        return self.engine.ask(gateway, port.device_id) if own and port is not None else None

    def _of_router_at(self, chassis_id: str, router_id: str) -> str:
        failing: set[tuple[str, ...]] = {(router_id,), (router_id, chassis_id)}
        standing = self._standing(chassis_id, (f"router/{router_id}",), failing)
        lacking = {need.chassis_id for need in self.engine.ask(unsettled, router_id).missing if need.block}
        return NO_PORTS if standing == CONFIRMED and chassis_id in lacking else standing

    def _standing(self, chassis_id: str, owners: Collection[str], failing: set[tuple[str, ...]]) -> str:
        for failure in self.engine.failures.values():
            if failure.args in failing:
                return f"{failure.unit} yields no flows: {failure.error}"
        return self.realization.standing(chassis_id, owners)

    def _why_no_way_out(self, port: Port) -> str:
        router = self.store.get(Router, port.device_id)
        if router is None:
            return f"there is no router {port.device_id}"
        if not router.admin_state_up:
            return f"its router {router.id} is administratively down"
        if not port.fixed_ips:
            return f"it has no address: network {port.network_id} had no subnet; once it has, set the gateway anew"
        return NO_GATEWAY


def _waiting(standings: Mapping[str, str]) -> str:
    """Return which chassis have not confirmed, and why."""
    waiting = [(each, text) for each, text in standings.items() if text != CONFIRMED]
    return "; ".join(f"{each}: {IN_WORDS.get(text, text)}" for each, text in waiting)
