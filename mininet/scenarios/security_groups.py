"""Who may talk to whom: security groups on three hypervisors, by TCP, UDP and ICMP, before and after each change."""

from dataclasses import dataclass
from typing import Any

from checks import Checks
from cloud import Cloud
from conversations import ICMP, Pairs, matrix, serve, told
from leases import lease
from neutron import Document, Neutron
from stations import Instance

HTTP, SQL, DNS = "tcp/80", "tcp/5432", "udp/53"
SERVICES = (ICMP, HTTP, SQL, DNS)
WEB = ("web1", "web2")
DESKS: Pairs = {("desk1", "desk2"), ("desk2", "desk1")}
"""Members of the default group: they always reach each other, so that nothing here passes because nothing works."""


def run(cloud: Cloud, checks: Checks) -> None:
    """Two web servers, a database, and two desks in the project's default group; every one serves everything."""
    tenant = cloud.api.project("acme")
    network = cloud.make_network(tenant, "10.0.0.0/24", name="net")
    web, db = (tenant.create("security_group", name=name) for name in ("web", "db"))
    of_web, of_db = ({"network_id": network["id"], "security_groups": [group["id"]]} for group in (web, db))
    of_default = {"network_id": network["id"]}
    places = (
        *(("web1", "h1", of_web), ("web2", "h2", of_web), ("db", "h1", of_db)),
        *(("desk1", "h2", of_default), ("desk2", "h3", of_default)),
    )
    instances = [_start(cloud, name, tenant.create("port", **port), host) for name, host, port in places]
    office = Office(cloud, checks, instances)

    office.look("with the rules that groups are born with")

    http = _permit(tenant, web, protocol="tcp", port_range_min=80, port_range_max=80)
    office.permitted[HTTP] |= office.all_to(*WEB)
    office.look("web serves TCP 80")

    _permit(tenant, db, protocol="tcp", port_range_min=5432, port_range_max=5432, remote_group_id=web["id"])
    office.permitted[SQL] |= {(name, "db") for name in WEB}
    office.look("db serves TCP 5432 to web")

    first = f"{instances[0].address}/32"
    _permit(tenant, db, protocol="udp", port_range_min=53, port_range_max=53, remote_ip_prefix=first)
    _permit(tenant, web, protocol="icmp", remote_ip_prefix="10.0.0.0/24")
    office.permitted[DNS] |= {("web1", "db")}
    office.permitted[ICMP] |= office.all_to(*WEB)
    office.look("db serves UDP 53 to web1, web answers ping")

    tenant.delete("security_group_rule", http["id"])
    office.permitted[HTTP] = set(DESKS)
    office.look("web serves TCP 80 no more")

    for rule in tenant.find("security_group_rule", security_group_id=web["id"], direction="egress"):
        tenant.delete("security_group_rule", rule["id"])
    for service in SERVICES:
        office.permitted[service] -= {pair for pair in office.permitted[service] if pair[0] in WEB}
    office.look("web may begin nothing, but answers")


@dataclass
class Office:
    """All instances, and who should get an answer from whom, by service."""

    cloud: Cloud
    checks: Checks
    instances: list[Instance]

    def __post_init__(self) -> None:
        self.permitted: dict[str, Pairs] = {service: set(DESKS) for service in SERVICES}

    def all_to(self, *targets: str) -> Pairs:
        """Everybody with each target."""
        return {(each.name, target) for each in self.instances for target in targets if each.name != target}

    def look(self, when: str) -> None:
        """Let everybody try everybody once all is in force, and claim that just those are answered who should be."""
        self.cloud.api.wait_until_realized()
        seen = matrix(self.instances, SERVICES)
        for service in SERVICES:
            self.checks.check(f"{when}: {service}", told(self.permitted[service]), told(seen[service]))


def _permit(tenant: Neutron, group: Document, **what: Any) -> Document:
    return tenant.create("security_group_rule", security_group_id=group["id"], direction="ingress", **what)


def _start(cloud: Cloud, name: str, port: Document, host: str) -> Instance:
    instance = cloud.launch(name, port, on=host)
    lease(instance)
    serve(instance, SERVICES)
    return instance
