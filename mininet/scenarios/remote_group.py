"""Members of a remote group come and go under traffic: only the conversations end that nothing permits any more."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from checks import Checks
from cloud import Cloud
from conversations import Conversation, last_heard, matrix, serve, told
from leases import lease
from neutron import Document, Neutron
from stations import Instance

PORT = 5432
SQL = f"tcp/{PORT}"
WITHIN, WATCHED = 1.0, 3.0
"""Seconds in which a conversation must have ended, and for which all are listened to."""


def run(cloud: Cloud, checks: Checks) -> None:
    """Two web servers and an old one speak with a database, which serves the group of the web servers."""
    tenant = cloud.api.project("acme")
    network = cloud.make_network(tenant, "10.0.0.0/24", name="net")
    groups = {name: tenant.create("security_group", name=name) for name in ("web", "old", "db", "idle")}
    web, old, db, idle = groups.values()
    rules = {
        group["name"]: tenant.create(
            "security_group_rule",
            **{"security_group_id": db["id"], "direction": "ingress", "remote_group_id": group["id"]},
            **{"protocol": "tcp", "port_range_min": PORT, "port_range_max": PORT},
        )
        for group in (web, old)
    }
    places = (("web1", "h1", web), ("web2", "h2", web), ("old1", "h1", old), ("db1", "h2", db), ("db2", "h3", db))
    web1, web2, old1, *databases = instances = [
        _start(cloud, name, _port(tenant, network, group), host) for name, host, group in places
    ]
    cloud.api.wait_until_realized()
    traffic = Traffic(checks, [Conversation(one, db, PORT) for one in (web1, web2, old1) for db in databases])
    heard = last_heard(traffic.going_on, time.monotonic(), 0.5)
    checks.check("conversations with the databases", 6, sum(moment > 0 for moment in heard.values()))

    leaving = partial(tenant.update, "port", web2.port["id"], security_groups=[idle["id"]])
    traffic.change("web2 leaves the group", leaving, web2)
    tenant.update("port", web2.port["id"], security_groups=[web["id"]])
    cloud.api.wait_until_realized()
    asking = {pair for pair in matrix(instances, [SQL])[SQL] if pair[1] in ("db1", "db2")}
    members = {(name, db) for name in ("web1", "web2", "old1") for db in ("db1", "db2")}
    checks.check("web2 is back, and everybody asks anew", told(members), told(asking))
    traffic.change("the rule for old goes", partial(tenant.delete, "security_group_rule", rules["old"]["id"]), old1)
    traffic.change("web1's port goes", partial(tenant.delete, "port", web1.port["id"]), web1)


@dataclass
class Traffic:
    """Conversations that go on, and what becomes of them."""

    checks: Checks
    going_on: list[Conversation]

    def change(self, what: str, make: Callable[[], object], ending: Instance) -> None:
        """Claim that a change ends all conversations of one instance, and soon, and none of another."""
        since = time.monotonic()
        make()
        heard = last_heard(self.going_on, since, WATCHED)
        for each in list(self.going_on):
            last, ends = heard[each.name], each.name.startswith(f"{ending.name} to ")
            expected = f"ends within {WITHIN:g} s" if ends else "goes on"
            held = last < WITHIN if ends else last > WATCHED - WITHIN
            self.checks.check(f"{what}: {each.name}", expected, f"last heard after {last:.2f} s", held)
            if ends:
                self.going_on.remove(each)


def _port(tenant: Neutron, network: Document, group: Document) -> Document:
    return tenant.create("port", network_id=network["id"], security_groups=[group["id"]])


def _start(cloud: Cloud, name: str, port: Document, host: str) -> Instance:
    instance = cloud.launch(name, port, on=host)
    lease(instance)
    serve(instance, [SQL])
    return instance
