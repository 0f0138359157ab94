"""Serves the API on a free port of the loopback for clients in other processes: ``python -m tests.sdnapp.api.serve``.

There are two chassis, ``node1`` and ``node2``; the second is dead. The controller behind the operator's views is the
real one, its switches are not.
Prints the port, then serves until its standard input ends.
"""

import eventlet

eventlet.monkey_patch()

import sys  # noqa: E402

from eventlet import tpool  # noqa: E402

from sdnapp.api.server import Limits, listen, serve  # noqa: E402
from sdnapp.api.services import Settings  # noqa: E402
from sdnapp.api.wsgi import make_app  # noqa: E402
from sdnapp.operations import Operations  # noqa: E402
from tests.sdnapp.api import keystone  # noqa: E402
from tests.sdnapp.api.stand_ins import StandInServices  # noqa: E402
from tests.sdnapp.controlled_world import EmptyWorld  # noqa: E402
from topology.values import Chassis  # noqa: E402


class Impatient(Operations):
    """Waits for nobody: the switches confirm nothing."""

    def wait_realized(self, revision: int | None, seconds: float) -> bool:
        return super().wait_realized(revision, 0)


def main() -> None:
    listener = listen("127.0.0.1", 0)
    print(listener.getsockname()[1], flush=True)
    world = EmptyWorld()
    node1 = Chassis("c1", hostname="node1", datapath_id="1" * 16, encap_ip="192.0.2.1", encap_types=("geneve",))
    world.controller.observed(node1, {})
    world.controller.observed(Chassis("c2", hostname="node2"), {})
    world.controller.switch_connected(node1.datapath_id)
    settings = Settings(vlan_ranges={"physnet1": ((100, 199),)})
    connected = {"datapath_id": node1.datapath_id, "since": "2026-01-01T10:00:00+00:00"} | dict.fromkeys(
        ("flows", "flow_mods_sent", "meter_mods_sent", "rejected", "packets_dropped"), 0
    )
    operator = Impatient(world.controller, world.punts, lambda: [connected], lambda: [])
    services = StandInServices(settings, operator=operator)
    eventlet.spawn(serve, listener, keystone.beside(make_app(world.store, services)), Limits())
    tpool.execute(sys.stdin.buffer.read)


if __name__ == "__main__":
    main()
