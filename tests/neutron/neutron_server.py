"""Run by the Python that has Neutron: makes the tables, serves the API on a free port of the loopback, prints the port.

Ends with its standard input. ``reference`` starts it.
"""

import itertools
import os
import sys
import threading
from datetime import UTC, datetime

import sqlalchemy
import waitress

_CONFIGURATIONS = '{"tunnel_types": ["geneve", "vxlan"], "bridge_mappings": {"physnet1": "br-ex"}, "devices": 0}'


def make_tables(url: str) -> None:
    """Create the tables from the models, and what they hold at first: Neutron's migrations are not for SQLite."""
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
        add_first_rules(connection)
    engine.dispose()


def add_first_rules(connection: sqlalchemy.Connection) -> None:
    """Add the templates of the rules that new security groups begin with."""
    from neutron.db.models.securitygroup_default_rules import SecurityGroupDefaultRule
    from neutron_lib.db.standard_attr import StandardAttribute

    table = SecurityGroupDefaultRule.__table__
    for number, (direction, ethertype) in enumerate(itertools.product(("egress", "ingress"), ("IPv4", "IPv6"))):
        words = f"Legacy default SG rule for {direction} traffic"
        common = sqlalchemy.insert(StandardAttribute.__table__)
        made = connection.execute(common, {"resource_type": table.name, "description": words})
        row = {
            "id": f"22222222-2222-4333-8444-00000000000{number}",
            "standard_attr_id": made.inserted_primary_key[0],
            "direction": direction,
            "ethertype": ethertype,
            "remote_group_id": "PARENT" if direction == "ingress" else None,
            "used_in_default_sg": True,
            "used_in_non_default_sg": direction == "egress",
        }
        connection.execute(sqlalchemy.insert(table), row)


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
