"""Run by the Python that has Neutron: makes the tables, serves the API on a free port of the loopback, prints the port.

Ends with its standard input. ``reference`` starts it.
"""

import os
import sys
import threading
from datetime import UTC, datetime

import sqlalchemy
import waitress

_CONFIGURATIONS = '{"tunnel_types": ["geneve", "vxlan"], "bridge_mappings": {"physnet1": "br-ex"}, "devices": 0}'


def make_tables(url: str) -> None:
    """Create the tables from the models: Neutron's migrations are not for SQLite."""
    from neutron.db.migration.models import head
    from neutron.db.models.agent import Agent
    from neutron_lib import constants

    engine = sqlalchemy.create_engine(url)
    head.get_metadata().create_all(engine)
    now = datetime.now(UTC).replace(tzinfo=None)
    row = {
        "id": "11111111-2222-4333-8444-555555555555",
        "agent_type": constants.AGENT_TYPE_OVS,
        "binary": "neutron-openvswitch-agent",
        "topic": "N/A",
        "host": "node1",
        "availability_zone": "nova",
        "admin_state_up": True,
        "created_at": now,
        "started_at": now,
        "heartbeat_timestamp": now,
        "configurations": _CONFIGURATIONS,
        "resource_versions": "{}",
        "load": 0,
    }
    with engine.begin() as connection:
        connection.execute(sqlalchemy.insert(Agent.__table__), row)
    engine.dispose()


def main(settings: str) -> None:
    sys.argv[1:] = []
    os.environ["OS_NEUTRON_CONFIG_FILES"] = settings
    make_tables(f"sqlite:///{os.path.dirname(settings)}/neutron.sqlite")
    from neutron.wsgi.api import application

    # One thread: SQLite locks the whole database for each writer.
    server = waitress.create_server(application, host="127.0.0.1", port=0, threads=1)
    threading.Thread(target=server.run, daemon=True).start()
    print(server.effective_port, flush=True)
    os.dup2(2, 1)  # nobody reads there any more
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
