"""Serves the API on a free port of the loopback for clients in other processes: ``python -m tests.sdnapp.api.serve``.

Prints the port, then serves until its standard input ends.
"""

import eventlet

eventlet.monkey_patch()

import sys  # noqa: E402

from eventlet import tpool, wsgi  # noqa: E402

from sdnapp.api.wsgi import make_app  # noqa: E402
from tests.sdnapp.api import keystone  # noqa: E402
from tests.sdnapp.api.stand_ins import StandInServices  # noqa: E402
from topology.store import Store  # noqa: E402


def main() -> None:
    listener = eventlet.listen(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    eventlet.spawn(wsgi.server, listener, keystone.beside(make_app(Store(), StandInServices())), log_output=False)
    tpool.execute(sys.stdin.buffer.read)


if __name__ == "__main__":
    main()
