"""One controller's OpenFlow side with real Open vSwitch: a process of its own, as it needs os-ken's event loop.

``python -m tests.bench.switch_session encoding|reconnect FLOWS`` prints what it found as a JSON object.
"""

import itertools
import json
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from flows.actions import Goto, SetField
from flows.drops import drop
from flows.flow import Flow, flow
from flows.pipeline import ADDRESSES, ARP_GUARD, FORWARDING, REMOTE_MEMBERS
from tests.real_ovs.ovs_dummy import OvsDummy

OWN, OTHER = 0xAB, 0xCD
NOBODY = ("127.0.0.1", 1)


def flows_of_ports(count: int) -> list[Flow]:
    """Return so many flows, four for each port, as a chassis has them of ports elsewhere."""
    found: list[Flow] = []
    for number in range(1, -(-count // 4) + 1):
        owner, network = f"port/{number:036}", number // 100 + 1
        mac = f"fa:16:3e:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        known = (SetField("to_port", number), SetField("peer", 0xC0000201), Goto("delivery"))
        told = (SetField("eth_dst", number), SetField("found", 1))
        asked: dict[str, int | str] = {"remote_group": number // 100 + 1, "direction": 1, "stateful": 1}
        found += [
            flow(FORWARDING, "known", "forwarding", owner, *known, network=network, eth_dst=mac),
            flow(ADDRESSES, "port", "addresses", owner, *told, network=network, next_hop=number),
            flow(ARP_GUARD, "other", "arp_guard", owner, *drop("arp_conflict"), network=network, arp_spa=address),
            flow(REMOTE_MEMBERS, "member", "security_groups", owner, Goto("permissions"), ct_nw_src=address, **asked),
        ]
    return found[:count]


class Side:
    """The OpenFlow side, listening on a port of loopback, and what it has told."""

    def __init__(self) -> None:
        from os_ken import cfg
        from os_ken.base.app_manager import AppManager, OSKenApp
        from os_ken.controller import ofp_event
        from os_ken.controller.handler import DEAD_DISPATCHER, MAIN_DISPATCHER, set_ev_cls

        from sdnapp.garbage import Garbage
        from sdnapp.openflow.connection import Callbacks
        from sdnapp.openflow.switches import Switches, set_defaults

        self.events: list[tuple[Any, ...]] = []
        names = [field.name for field in fields(Callbacks)]
        switches = self.switches = Switches(**{name: self._teller(name.removeprefix("on_")) for name in names})

        class App(OSKenApp):  # type: ignore[misc]
            OFP_VERSIONS = (4,)

            @set_ev_cls(ofp_event.EventOFPStateChange, [MAIN_DISPATCHER, DEAD_DISPATCHER])  # type: ignore[untyped-decorator]
            def state_changed(self, event: Any) -> None:
                switches.state_changed(event.datapath, event.state)

        Garbage()
        set_defaults()
        cfg.CONF([], project="bench")
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        cfg.CONF.set_override("ofp_listen_host", "127.0.0.1")
        cfg.CONF.set_override("ofp_tcp_listen_port", port)
        self.address = ("127.0.0.1", port)
        manager = AppManager.get_instance()
        manager.load_apps(["os_ken.controller.ofp_handler"])
        manager.applications_cls["App"] = App
        manager.instantiate_apps()

    def _teller(self, name: str) -> Callable[..., None]:
        return lambda *arguments: self.events.append((name, *arguments))

    def told(self, name: str, datapath: int, *more: Any) -> tuple[Any, ...] | None:
        """Return the newest event of a switch that begins so, or None."""
        wanted = (name, f"{datapath:016x}", *more)
        return next((event for event in reversed(self.events) if event[: len(wanted)] == wanted), None)

    def until(self, name: str, datapath: int, *more: Any) -> tuple[Any, ...]:
        """Wait for an event, and return it."""
        from os_ken.lib import hub

        while (event := self.told(name, datapath, *more)) is None:
            hub.sleep(0.0005)
        return event

    def take(self, ovs: OvsDummy, datapath: int) -> None:
        """Let a switch come, and take all flows from it."""
        ovs.add_bridge("br-int", datapath_id=datapath, controller=self.address)
        self.until("connected", datapath)
        self.switches.assign(f"{datapath:016x}", [], 1)
        self.until("confirmed", datapath, 1)

    def update(self, datapath: int, added: list[Flow], removed: list[Flow], revision: int) -> float:
        """Change flows of a switch; return the seconds until it has confirmed."""
        started = time.monotonic()
        self.switches.update(f"{datapath:016x}", added, removed, revision)
        self.until("confirmed", datapath, revision)
        return time.monotonic() - started


def encoding(side: Side, ovs: OvsDummy, flows: list[Flow]) -> dict[str, float]:
    """Send flows that were never encoded before, and let ``ovs-ofctl`` send the same."""
    side.take(ovs, OWN)
    ours = side.update(OWN, flows, [], 2)
    lines = ovs.ofctl("--no-stats", "--no-names", "dump-flows", "br-int").splitlines()
    side.update(OWN, [], flows, 3)
    with tempfile.NamedTemporaryFile("w", suffix=".flows") as file:
        file.write("\n".join(line.strip() for line in lines if "actions=" in line))
        file.flush()
        started = time.monotonic()
        ovs.ofctl("--bundle", "add-flows", "br-int", file.name)
        theirs = time.monotonic() - started
    if len(ovs.dump_flows("br-int")) != len(flows):
        raise RuntimeError("ovs-ofctl did not send the same")
    return {"ours": ours, "theirs": theirs}


def reconnect(side: Side, ovs: OvsDummy, other: OvsDummy, flows: list[Flow]) -> dict[str, float]:
    """Let a switch with the right flows come back while another one is changed again and again."""
    side.take(ovs, OWN)
    side.take(other, OTHER)
    side.update(OWN, flows, [], 2)
    ovs.set_controller("br-int", NOBODY)
    side.until("disconnected", OWN)
    quiet = sorted(side.update(OTHER, [flows[number]], [], 2 + number) for number in range(20))
    side.events.clear()
    ovs.set_controller("br-int", side.address)
    side.until("connected", OWN)
    started = time.monotonic()
    side.switches.assign(f"{OWN:016x}", flows, 2)
    busy = []
    for number in itertools.count(20):
        if side.told("reconciled", OWN) is not None:
            break
        busy.append(side.update(OTHER, [flows[number % len(flows)]], [flows[(number - 1) % len(flows)]], 2 + number))
    seconds = time.monotonic() - started
    _, _, receipt, _ = side.until("reconciled", OWN)
    changes = receipt.added + receipt.changed + receipt.removed
    middle = sorted(busy)[len(busy) // 2] if busy else 0.0
    return {
        "seconds": seconds,
        "changes": changes,
        "quiet": quiet[10],
        "busy": middle,
        "longest": max(busy, default=0.0),
    }


def main(what: str, count: int) -> None:
    """Measure once and print it."""
    flows, side = flows_of_ports(count), Side()
    with OvsDummy() as ovs, OvsDummy() as other:
        found = encoding(side, ovs, flows) if what == "encoding" else reconnect(side, ovs, other, flows)
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    import os

    import eventlet

    eventlet.monkey_patch()
    main(sys.argv[1], int(sys.argv[2]))
    os._exit(0)
