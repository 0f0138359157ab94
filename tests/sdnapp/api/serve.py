"""Serves the API on a free port of the loopback for clients in other processes: ``python -m tests.sdnapp.api.serve``.

There are two chassis, ``node1`` and ``node2``; the second is dead.
Prints the port, then serves until its standard input ends.
"""

import eventlet

eventlet.monkey_patch()

import sys  # noqa: E402

from eventlet import tpool, wsgi  # noqa: E402

from sdnapp.api.services import Settings  # noqa: E402
from sdnapp.api.wsgi import make_app  # noqa: E402
from tests.sdnapp.api import keystone  # noqa: E402
from tests.sdnapp.api.stand_ins import StandInOperator, StandInServices  # noqa: E402
from topology.store import Store  # noqa: E402
from topology.values import Chassis  # noqa: E402


def main() -> None:
    listener = eventlet.listen(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    store = Store()
    with store.transaction() as tx:
        tx.put(Chassis("c1", hostname="node1", encap_ip="192.0.2.1", encap_types=("geneve",)))
        tx.put(Chassis("c2", hostname="node2"))
    report = {"id": "c1", "alive": True, "state": "in sync", "openflow": {"since": "2026-01-01T10:00:00+00:00"}}
    settings = Settings(vlan_ranges={"physnet1": ((100, 199),)})
    services = StandInServices(settings, operator=StandInOperator(reports=[report]))
    eventlet.spawn(wsgi.server, listener, keystone.beside(make_app(store, services)), log_output=False)
    tpool.execute(sys.stdin.buffer.read)


if __name__ == "__main__":
    main()
