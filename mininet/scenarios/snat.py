"""Out to the world by a router's one address: each hypervisor translates with ports of its own, one is the door."""

from captures import Capture
from checks import Checks
from cloud import FAR, UPSTREAM, Cloud
from conversations import Conversation, crowd, last_heard, seen_as, serve
from frames import ETH_IPV4
from leases import lease
from neutron import Document
from pings import ping, time_to_live, until_answered
from stations import Instance

SEEN, ECHO = 81, 80
CROWD = 1500
"""More connections than a first block has ports."""


def run(cloud: Cloud, checks: Checks) -> None:
    """Two instances on two hypervisors, the door on a third."""
    world, upstream = cloud.make_world(), cloud.add_upstream()
    serve(upstream, [f"seen/{SEEN}", f"tcp/{ECHO}", f"udp/{ECHO}"])
    tenant = cloud.api.project("acme")
    network = cloud.make_network(tenant, "10.0.1.0/24", name="lan")
    router = tenant.create("router", name="hub", external_gateway_info={"network_id": world["id"]})
    subnet = tenant.show("network", network["id"])["subnets"][0]
    tenant.request("PUT", f"/v2.0/routers/{router['id']}/add_router_interface", {"subnet_id": subnet})
    (fixed,) = router["external_gateway_info"]["external_fixed_ips"]
    outside = fixed["ip_address"]
    web, db = (_start(cloud, name, network["id"], host) for name, host in (("web", "h1"), ("db", "h2")))
    cloud.api.wait_until_realized()
    answers = ping(web, FAR, count=1)
    checks.check("without a gateway chassis, web pings the world", "none answered", answers, answers.none)
    checks.check("and the router is", "DOWN", tenant.show("router", router["id"])["status"])

    cloud.make_gateway("h3")
    (gateway,) = cloud.api.request("GET", "/v2.0/ports?device_owner=network:router_gateway")["ports"]
    cloud.api.wait_for_status(gateway["id"])
    until_answered(web, FAR)
    for instance in (web, db):
        answers = ping(instance, FAR)
        checks.check(f"{instance.name} pings the world", "all answered", answers, answers.all)
    checks.check("time to live: one hop", 63, time_to_live(web, FAR))
    checks.check("the router's address answers inside, time to live", 64, time_to_live(web, outside))
    checks.check("and outside", 64, time_to_live(upstream, outside))
    with Capture(cloud.hypervisors["h3"], "lan") as door, Capture(cloud.hypervisors["h1"], "lan") as other:
        seen = [seen_as(instance, FAR, SEEN) for instance in (web, db) for _ in range(3)]
        # The door announces the router's address to all now and then.
        theirs = [
            link.count(lambda frame: frame.source == gateway["mac_address"] and frame.ethertype == ETH_IPV4)
            for link in (door, other)
        ]
    checks.check("addresses by which the world sees them", {outside}, {each[0] for each in seen if each})
    blocks = [{each[1] // 1024 for each in part if each} for part in (seen[:3], seen[3:])]
    apart = all(len(block) == 1 for block in blocks) and blocks[0] != blocks[1]
    checks.check("blocks of source ports", "one each", blocks, apart)
    checks.check("frames of theirs at the door", "some", theirs[0], theirs[0] > 0)
    checks.check("frames of theirs at web's hypervisor's own way there", 0, theirs[1])
    talks = [Conversation(instance, FAR, ECHO) for instance in (web, db)]
    heard = last_heard(talks, 0, 1)
    checks.check("TCP conversations that go on", 2, sum(1 for each in heard.values() if each))
    begun = seen_as(upstream, outside, 80)
    checks.check("what the world begins with the router's address", None, begun)
    at_once, after_all = crowd(web, UPSTREAM, ECHO, CROWD, 15)
    checks.check(f"of {CROWD} connections from web to one port, at once", "a block's", at_once, at_once < CROWD)
    checks.check("and as web's hypervisor gets more source ports", CROWD, after_all)
    ports = {each["chassis"]: each["last_port"] + 1 - each["first_port"] for each in _blocks(cloud)}
    grown = [chassis for chassis, number in ports.items() if number >= CROWD]
    checks.check("hypervisors with more source ports, of two", 1, len(grown), len(ports) == 2 and len(grown) == 1)
    heard = last_heard(talks, 0, 1)
    checks.check("TCP conversations that still go on", 2, sum(1 for each in heard.values() if each))
    upstream.ip(f"route add 10.0.1.0/24 via {outside}")
    answers = ping(upstream, web.address, count=1)
    checks.check("pings from outside to an address inside", "none answered", answers, answers.none)


def _blocks(cloud: Cloud) -> list[Document]:
    (row,) = cloud.api.request("GET", "/sdnapp/gateways")["gateways"]
    blocks: list[Document] = row["blocks"]
    return blocks


def _start(cloud: Cloud, name: str, network_id: str, host: str) -> Instance:
    port = cloud.api.project("acme").create("port", network_id=network_id)
    instance = cloud.launch(name, port, on=host)
    lease(instance, "udhcpc")
    return instance
