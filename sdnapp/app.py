"""``osken-manager sdnapp``: the os-ken application that ties everything to sockets and green threads."""

import logging
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from eventlet import tpool
from eventlet.hubs import get_hub
from os_ken.base.app_manager import OSKenApp
from os_ken.controller import ofp_event
from os_ken.controller.handler import DEAD_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from os_ken.lib import hub
from os_ken.ofproto import ofproto_v1_3

from flows.flow import Flow
from sdnapp import gateways, idle_blocks, source_ports
from sdnapp.api import policy_file, server
from sdnapp.api.identity import confirmed
from sdnapp.api.services import Settings
from sdnapp.api.wsgi import make_app
from sdnapp.chassis_limit import ChassisLimit
from sdnapp.config import Options, load_options
from sdnapp.controller import Controller
from sdnapp.dhcp.service import DhcpSettings
from sdnapp.garbage import Garbage
from sdnapp.holds import Holds
from sdnapp.idle_blocks import IdleBlocks
from sdnapp.openflow.encoding import PORT_CONTROLLER
from sdnapp.openflow.messages import PacketIn
from sdnapp.openflow.receipt import Receipt
from sdnapp.openflow.switches import Switches, listen_securely, set_defaults
from sdnapp.operations import Operations
from sdnapp.outages import Outages
from sdnapp.outside import Outside, as_received, sender
from sdnapp.ovsdb.connection import Callbacks
from sdnapp.ovsdb.server import OvsdbServer
from sdnapp.punts import Punts
from sdnapp.responders import Responders
from sdnapp.restarts import Restarts
from sdnapp.sight import Sight
from sdnapp.source_ports import SourcePorts
from sdnapp.sqlite_storage import open_storage
from sdnapp.turns import Turns
from sdnapp.virtual_addresses import VirtualAddresses
from sdnapp.witnesses import NOTICED, Witnesses
from topology.doors import watched
from topology.store import Store
from topology.values import Chassis
from topology.witnesses import withdrawals

LOG = logging.getLogger(__name__)
OVSDB_GRACE = 3.0
"""Seconds that a switch's database has to speak for it before its ports bind by name."""
THREADS_WAIT = 0.00005
"""Seconds that another thread waits at most until Python is taken from this one."""


class ApiServices:
    """What the API needs of the running application."""

    def __init__(self, controller: Controller, operator: Operations, settings: Settings) -> None:
        self.settings = settings
        self.operator = operator
        self._controller = controller

    def now(self) -> datetime:
        """Return the time."""
        return datetime.now(UTC)

    def port_status(self, port_id: str) -> str:
        """Return whether a port is realised."""
        return self._controller.port_status(port_id)

    def router_status(self, router_id: str) -> str:
        """Return whether a router is realised."""
        return self._controller.router_status(router_id)

    def floatingip_status(self, floatingip_id: str) -> str:
        """Return ``ACTIVE`` or ``DOWN``, as the API shows it."""
        return self._controller.floatingip_status(floatingip_id)

    def realization(self, port_id: str) -> Mapping[str, str]:
        """Return where each chassis stands with a port."""
        return self._controller.port_realization(port_id)


class SdnApp(OSKenApp):  # type: ignore[misc]
    """Opens the store, listens for switches, for their databases and for API clients, and keeps all in step."""

    OFP_VERSIONS = (ofproto_v1_3.OFP_VERSION,)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        set_defaults()
        self._options = load_options(self.CONF)
        credentials = self._options.credentials
        if credentials is not None:
            listen_securely(credentials)
        # One thread waits for the disk, and then does not have to wait long for Python.
        tpool.set_num_threads(1)
        sys.setswitchinterval(THREADS_WAIT)
        self._store = Store(open_storage(self._options.store_url, aside=tpool.execute))
        if self._store.revision == 0:
            LOG.info("the store is new: %s; switches that hold flows of another lose them", self._options.store_url)
        else:
            LOG.info("the store is %s, at revision %d", self._options.store_url, self._store.revision)
        self._restarts = Restarts(self._store)
        self._policy = policy_file.load(self.CONF)
        Garbage()
        self._holds = Holds()
        self._changed = hub.Event()
        # The controller drives the switches and hears of them: whichever is made first refers to the other by name.
        self._switches = Switches(
            on_connected=self._switch_connected,
            on_disconnected=lambda datapath_id: self._controller.switch_disconnected(datapath_id),
            on_confirmed=lambda datapath_id, revision: self._controller.confirmed(datapath_id, revision),
            on_rejected=lambda datapath_id, flow, reason: self._controller.rejected(datapath_id, flow, reason),
            on_reconciled=self._reconciled,
            on_packets=self._packets_arrived,
            on_ports=lambda datapath_id, names: self._controller.ports_named(datapath_id, names),
        )
        send = sender(
            self._store, lambda chassis_id: self._controller.datapath_of(chassis_id), self._switches.packet_out
        )
        self._outages = Outages(
            self._store,
            lambda: self._controller.engine.view,
            lambda chassis_id: self._controller.realization.progress(chassis_id).state,
            send,
            answers=self._has_answered,
            heard=self._heard,
            is_silent=lambda chassis_id: self._witnesses.is_silent(chassis_id),
        )
        self._outside = Outside(self._store, lambda: self._controller.engine, send)
        self._sight = Sight(self._store, lambda: self._controller.engine.view, send)
        self._virtual_addresses = VirtualAddresses(self._store, lambda: self._controller.engine.view, self._send_to)
        self._responders = Responders(self._store, _dhcp_settings(self._options), self._hear)
        self._punts = Punts(self._responders, self._send_back)
        self._punted = hub.Event()
        limit = ChassisLimit(self._store, self._options.chassis_limit)
        self._controller = Controller(
            *(self._store, self._switches, self._responders, self._changed.set),
            certified=credentials is not None,
            give_way=Turns().give_way,
            send_off=lambda: hub.sleep(0),
            snat_block_size=self._options.snat_block_size,
            admits=limit.admits,
            are_joined=self._hear_one_another,
            is_silent=lambda chassis_id: self._witnesses.is_silent(chassis_id),
        )
        self._ovsdb = OvsdbServer(
            callbacks=Callbacks(
                on_connected=self._controller.database_connected,
                on_observed=self._controller.observed,
                on_lost=self._controller.database_lost,
                watched=lambda chassis_id: self._controller.engine.ask(watched, chassis_id),
                shunned=lambda chassis_id: withdrawals(self._store).get(chassis_id, frozenset()),
                on_heard=self._look_at_witnesses,
                admits=limit.admits,
            ),
            openflow_port=self.CONF.ofp_ssl_listen_port if credentials else self.CONF.ofp_tcp_listen_port,
            host=self._options.ovsdb_listen_host,
            port=self._options.ovsdb_listen_port,
            openflow_address=self._options.controller_address,
            tls=credentials.context(demanding=True) if credentials else None,
            connections_per_port=self._options.connections_per_port,
        )
        self._witnesses = Witnesses(self._store, self._ovsdb.hearing, self._controller.realization.progress)
        self._source_ports = SourcePorts(self._controller, self._switches.packets)
        self._idle_blocks = IdleBlocks(self._controller)
        self._operations = Operations(
            *(self._controller, self._punts, self._switches.status, self._ovsdb.status, self._switches.counts),
            restarts=self._restarts,
            source_ports=self._source_ports,
            holds=self._holds,
            awaited=self._witnesses.awaited,
        )

    def start(self) -> None:
        """Listen. Raises OSError, which names the address, where that cannot be, and OptionError."""
        api = self._api()
        super().start()
        self._holds.watch(get_hub().greenlet)
        self._ovsdb.start()
        # The API answers while the flows of all that the store holds are computed.
        self._changed.set()
        self.threads.append(hub.spawn(self._follow))
        self.threads.append(hub.spawn(self._answer))
        self.threads.append(hub.spawn(self._look_outside))
        self.threads.append(hub.spawn(self._look_at_source_ports))
        self.threads.append(hub.spawn(self._look_at_idle_blocks))
        options = self._options
        demanding = options.api_client_certificates
        tls = options.credentials.context(demanding=demanding) if options.credentials else None
        listener = server.listen(options.api_listen_host, options.api_listen_port, tls)
        limits = server.Limits(
            options.api_connections, options.api_connections_of_one, float(options.api_client_timeout)
        )
        self.threads.append(hub.spawn(server.serve, listener, api, limits))

    def stop(self) -> None:
        """End every green thread that ``start`` began."""
        for thread in self.threads[1:]:
            hub.kill(thread)
        del self.threads[1:]
        super().stop()

    def close(self) -> None:
        """Let go of connections and of the store."""
        self._ovsdb.stop(within=0.3)
        self._store.close()

    @set_ev_cls(ofp_event.EventOFPStateChange, [MAIN_DISPATCHER, DEAD_DISPATCHER])  # type: ignore[untyped-decorator]
    def state_changed(self, event: ofp_event.EventOFPStateChange) -> None:
        """Take os-ken's word that a switch is ready or gone."""
        self._switches.state_changed(event.datapath, event.state)

    def _switch_connected(self, datapath_id: str, address: str, certificate_name: str | None) -> None:
        if self._store.find_ids(Chassis, "datapath", datapath_id):
            self._switches.recognise(datapath_id)
        self._controller.switch_connected(datapath_id, certificate_name)
        hub.spawn_after(OVSDB_GRACE, self._controller.adopt_by_name, datapath_id)

    def _reconciled(self, datapath_id: str, receipt: Receipt, seconds: float) -> None:
        chassis_id = self._controller.chassis_of(datapath_id)
        if chassis_id is not None:
            self._restarts.reconciled(chassis_id, receipt, seconds, datetime.now(UTC))

    def _hear(self, flow: Flow, frame: bytes) -> str:
        if flow.feature == "virtual_addresses":
            return self._virtual_addresses.hear(flow, frame)
        if flow.owner.startswith("network/"):
            self._sight.hear(frame)
        return self._outside.hear(flow, frame)

    def _has_answered(self, chassis_id: str) -> bool:
        datapath_id = self._controller.datapath_of(chassis_id)
        return datapath_id is not None and self._switches.has_answered(datapath_id)

    def _hear_one_another(self, one: str, other: str) -> bool:
        bfd = {each["chassis"]: each["bfd"] for each in self._ovsdb.status()}
        return gateways.hear_one_another(self._store, bfd, one, other)

    def _heard(self, chassis_id: str, *, is_heard: bool) -> None:
        self._controller.heard(chassis_id, is_heard=is_heard)

    def _send_to(self, chassis_id: str, ofport: int, frame: bytes) -> None:
        datapath_id = self._controller.datapath_of(chassis_id)
        if datapath_id is not None:
            self._switches.packet_out(datapath_id, PORT_CONTROLLER, ofport, frame)

    def _send_back(self, datapath_id: str, port: int, frame: bytes) -> None:
        self._switches.packet_out(datapath_id, port, port, as_received(self._store, datapath_id, port, frame))

    def _packets_arrived(self, datapath_id: str, packets: Sequence[PacketIn]) -> None:
        if self._punts.arrived(datapath_id, packets):
            self._answer_some()

    def _answer(self) -> None:
        while True:
            self._punted.wait()
            self._punted.clear()
            self._answer_some()
            hub.sleep(0)

    def _answer_some(self) -> None:
        """Answer what waits, in the green thread that has read it; if that is much, the rest in turn with others."""
        if self._punts.answer_some():
            self._punted.set()

    def _look_outside(self) -> None:
        while True:
            hub.sleep(1)
            try:
                self._outages.tick()
                self._look_after_witnesses()
                self._sight.tick()
                self._controller.tick()
                self._outside.tick()
                self._virtual_addresses.tick()
            except Exception:
                LOG.exception("external networks could not be looked after; it is tried again")

    def _look_after_witnesses(self) -> None:
        wanted = withdrawals(self._store)
        told = self._ovsdb.hearing()
        self._ovsdb.hurry(each for each in told if told[each].withdrawn != wanted.get(each, frozenset()))
        if self._witnesses.tick():
            self._outages.silence()

    def _look_at_witnesses(self) -> None:
        """Go on at once where somebody that the controller has lost is silent now, or soon will be."""
        if not self._go_on_if_silent() and withdrawals(self._store):
            hub.spawn_after(NOTICED, self._go_on_if_silent)

    def _go_on_if_silent(self) -> bool:
        is_silent = self._witnesses.look()
        if is_silent:
            self._outages.silence()
            self._controller.hand_over()
        return is_silent

    def _look_at_source_ports(self) -> None:
        while True:
            hub.sleep(source_ports.PERIOD)
            try:
                self._source_ports.tick()
            except Exception:
                LOG.exception("source ports could not be looked after; it is tried again")

    def _look_at_idle_blocks(self) -> None:
        while True:
            hub.sleep(idle_blocks.PERIOD)
            try:
                self._idle_blocks.tick()
            except Exception:
                LOG.exception("idle source ports could not be looked after; it is tried again")

    def _follow(self) -> None:
        while True:
            self._changed.wait()
            self._changed.clear()
            try:
                self._controller.catch_up()
            except Exception:
                # Whatever one change does, the next must still be followed.
                LOG.exception("the switches could not be brought up to date with a change; the next one is tried")

    def _api(self) -> server.Wsgi:
        """Return what answers requests. Raises OptionError for what is said of Keystone."""
        options = self._options
        settings = Settings(
            default_network_type=options.tenant_network_type,
            external_network_type=options.external_network_type or options.tenant_network_type,
            vni_ranges=(options.vni_range,),
            vlan_ranges=options.vlan_ranges,
            underlay_mtu=options.underlay_mtu,
            rate_limit=options.api_rate_limit,
            quotas={
                "network": options.quota_network,
                "subnet": options.quota_subnet,
                "port": options.quota_port,
                "security_group": options.quota_security_group,
                "security_group_rule": options.quota_security_group_rule,
                "rbac_policy": options.quota_rbac_policy,
                "router": options.quota_router,
                "floatingip": options.quota_floatingip,
            },
        )
        services = ApiServices(self._controller, self._operations, settings)
        if options.auth_strategy == "keystone":
            # It takes as long to load as all the rest of the API, and most have no use for it.
            from sdnapp.api import keystone

            app = make_app(self._store, services, confirmed, self._policy)
            return keystone.protect(app, self.CONF, options.api_failed_tokens)
        return make_app(self._store, services, policy=self._policy)


def _dhcp_settings(options: Options) -> DhcpSettings:
    return DhcpSettings(options.dhcp_lease_seconds, options.dhcp_dns_servers, options.dhcp_domain)
