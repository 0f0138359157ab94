"""The worlds in which the benchmark ``holds`` lets the controller work, and the jobs that it has there."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from tests.bench.emulated_switches import PHYSICAL_NETWORK
from tests.bench.emulation import Emulation
from tests.bench.planes import PATIENCE, wait_until

NETWORKS = 20
CHASSIS = 4
ROUTES = 30
SETTLING = 1.2
"""Seconds after a job that count as its own: what is looked at again a second after a change, and garbage."""
APART = 0.05
"""Seconds before a job in which nothing happens."""
REMEMBERED = 60.0
"""Seconds for which the controller remembers holds."""
_PROJECT = "holds"

Document = dict[str, Any]


@dataclass(frozen=True)
class Held:
    """A job with so many of something, and the longest hold meanwhile by each measure: milliseconds, and whose."""

    what: str
    count: int
    of: str
    longest: Mapping[str, tuple[float, str]]


class World:
    """A fresh controller, with emulated switches."""

    def __init__(self, plane: Any, interfaces: int, *options: str) -> None:
        """``interfaces``: how many each chassis has; ``options`` of the emulated switches."""
        self.plane, self.admin = plane, plane.api
        self.tenant = plane.api.project(_PROJECT)
        self._emulation = Emulation(plane, 0, interfaces, *options)
        self._chassis: list[str] = []

    # Jobs

    def during(self, what: str, count: int, of: str, act: Callable[[], object]) -> Held:
        """Do a job with so many of something, wait until it is in force, and return the longest holds meanwhile.

        Raises RuntimeError if it took longer than holds are remembered.
        """
        time.sleep(APART)
        began = time.monotonic()
        act()
        self.settle()
        time.sleep(SETTLING)
        seconds = time.monotonic() - began
        holds = self.admin.request("GET", "/sdnapp/holds")["holds"]
        if seconds > REMEMBERED:
            raise RuntimeError(f"{what}: took {seconds:.0f} s, and holds are remembered for a minute: use less --sizes")
        longest: dict[str, tuple[float, str]] = {}
        for hold in holds:
            by = hold["by"]
            if hold["seconds_ago"] < seconds and by not in longest:
                longest[by] = hold["milliseconds" if by == "clock" else "processor_milliseconds"], hold["job"]
        return Held(what, count, of, longest)

    def settle(self) -> None:
        """Wait until all that was asked for is in force."""
        self.admin.request("GET", f"/realized?wait={PATIENCE:g}", timeout=PATIENCE)

    # What there is

    def post(self, kind: str, wanted: Sequence[Document]) -> list[Document]:
        """Make many of a kind such as ``ports``, in one request of the tenant's."""
        found: list[Document] = self.ask("POST", f"/v2.0/{kind}", {kind.replace("-", "_"): list(wanted)})[
            kind.replace("-", "_")
        ]
        return found

    def ask(self, method: str, path: str, body: Document | None = None) -> Document:
        """Ask as the tenant; return the answer."""
        answer: Document = self.tenant.request(method, path, body, timeout=PATIENCE)
        return answer

    def make_networks(self, cidrs: Sequence[IPv4Network]) -> list[Document]:
        """Make networks, each with one subnet; return the subnets."""
        made = self.post("networks", [{"name": f"net{number}"} for number in range(len(cidrs))])
        return self.post(
            "subnets",
            [
                {"name": network["name"], "network_id": network["id"], "ip_version": 4, "cidr": str(cidr)}
                for network, cidr in zip(made, cidrs, strict=True)
            ],
        )

    def make_ports(self, subnets: Sequence[Document], count: int) -> list[str]:
        """Make so many ports in one request, in all of these subnets' networks in turn; return their ids."""
        wanted = [{"network_id": subnets[number % len(subnets)]["network_id"]} for number in range(count)]
        return [port["id"] for port in self.post("ports", wanted)]

    def join(self, router: str, subnet: Document) -> None:
        """Give a router (id) an interface on a subnet."""
        self.ask("PUT", f"/v2.0/routers/{router}/add_router_interface", {"subnet_id": subnet["id"]})

    def export(self) -> Document:
        """Return the project as a file."""
        return self.ask("GET", "/sdnapp/export")

    def apply(self, file: Document) -> None:
        """Bring the project in line with a file."""
        self.ask("POST", "/sdnapp/apply", file)

    def come(self, ports: Mapping[str, Sequence[str]]) -> None:
        """Let chassis come, each with interfaces of these ports (ids); wait until they are in step."""
        self._chassis += ports
        self._emulation.claim(
            {name: {f"i{number}": port for number, port in enumerate(each)} for name, each in ports.items()}
        )
        self.wait_in_step()

    def plug(self, chassis: str, interface: str, port: str) -> None:
        """Plug in one more interface, and wait until its port is ACTIVE."""
        self._emulation.claim({chassis: {interface: port}})
        self.admin.wait_for_status(port, timeout=PATIENCE)

    def wait_in_step(self) -> None:
        """Wait until each chassis has been brought in sync under this controller."""
        wait_until(
            lambda: {row["chassis"] for row in self.admin.request("GET", "/sdnapp/restarts")["restarts"]}.issuperset(
                self._chassis
            ),
            "all chassis are in sync",
            pause=0.1,
        )

    def restart(self) -> None:
        """Kill the controller (SIGKILL), start it again, and wait until its chassis are in step."""
        self.plane.crash()
        self.plane.return_after_crash()
        self.wait_in_step()


def emptied(file: Document) -> Document:
    """Return the file of the same project that has nothing."""
    return {"project": file["project"]}


def many_networks(start: Callable[[], Any], size: int) -> Iterator[Held]:
    """Ports of 20 networks on four chassis, as one project."""
    share, ports = size // CHASSIS, "ports"
    with start() as plane:
        world = World(plane, share, "--keep")
        subnets = world.make_networks(list(IPv4Network("10.0.0.0/8").subnets(new_prefix=20))[:NETWORKS])
        made: list[str] = []
        yield world.during(
            "20 networks: all ports in one request", size, ports, lambda: made.extend(world.make_ports(subnets, size))
        )
        claims = {f"e{number}": made[number * share - share : number * share] for number in range(1, CHASSIS + 1)}
        yield world.during("four chassis attach, a quarter on each", size, ports, lambda: world.come(claims))
        yield world.during("one list of all", size, ports, lambda: world.ask("GET", "/v2.0/ports"))
        file: Document = {}
        yield world.during("20 networks: export", size, ports, lambda: file.update(world.export()))
        yield world.during("the controller killed, and started", size, ports, world.restart)
        yield world.during("the same file applied, no change", size, ports, lambda: world.apply(file))
        yield world.during("20 networks deleted, with all", size, ports, lambda: world.apply(emptied(file)))
        yield world.during("a file applied: all made", size, ports, lambda: world.apply(file))


def one_network(start: Callable[[], Any], size: int) -> Iterator[Held]:
    """All ports in one network, and thousands of them on each chassis."""
    on_one, ports = size * 3 // 16, "ports"
    with start() as plane:
        world = World(plane, on_one + 1, "--keep")
        subnets = world.make_networks([IPv4Network("10.0.0.0/15")])
        made: list[str] = []
        yield world.during(
            "one network: all ports in one request", size, ports, lambda: made.extend(world.make_ports(subnets, size))
        )
        claims = {f"e{1 + at // on_one}": made[at : at + on_one] for at in range(0, size, on_one)}
        yield world.during("one network: six chassis attach, all on them", size, ports, lambda: world.come(claims))
        yield world.during(
            "one network: a port more on a chassis with so many",
            *(on_one, ports),
            lambda: world.plug("e1", f"i{on_one}", world.make_ports(subnets, 1)[0]),
        )
        file: Document = {}
        yield world.during("one network: export", size, ports, lambda: file.update(world.export()))
        yield world.during("one network deleted, with all", size, ports, lambda: world.apply(emptied(file)))


def routers_and_rules(start: Callable[[], Any], size: int) -> Iterator[Held]:
    """A router with many interfaces, a group of many rules and one of many addresses, all on one chassis."""
    count, rules, prefixes = size // 32, size * 3 // 16, size // 16
    with start() as plane:
        world = World(plane, count + 1, "--keep")
        cidrs = list(IPv4Network("10.0.0.0/8").subnets(new_prefix=24))[: count + 1]
        subnets = world.make_networks(cidrs)
        ports = world.make_ports(subnets, len(subnets))
        world.come({"e1": ports})
        router = world.tenant.create("router", name="router")["id"]
        for subnet in subnets[1:]:
            world.join(router, subnet)
        world.settle()
        time.sleep(SETTLING)
        yield world.during(
            "a router's interfaces: one more", count, "interfaces", lambda: world.join(router, subnets[0])
        )
        hops = [cidrs[number % len(cidrs)][200] for number in range(ROUTES)]
        routes = [{"destination": f"172.16.{number}.0/24", "nexthop": str(hop)} for number, hop in enumerate(hops)]
        yield world.during(
            "30 routes written on such a router",
            *(count, "interfaces"),
            lambda: world.tenant.update("router", router, routes=routes),
        )
        group = world.tenant.create("security_group", name="large")["id"]
        rule = {"security_group_id": group, "direction": "ingress", "ethertype": "IPv4"}
        wanted = [rule | {"protocol": "tcp", "port_range_min": 1 + n, "port_range_max": 1 + n} for n in range(rules)]
        yield world.during(
            "a group's rules in one request", rules, "rules", lambda: world.post("security-group-rules", wanted)
        )
        yield world.during(
            "that group put on a port",
            *(rules, "rules"),
            lambda: world.tenant.update("port", ports[0], security_groups=[group]),
        )
        addresses = [str(each) for each in IPv4Network("172.16.0.0/12").subnets(new_prefix=28)][: 2 * prefixes : 2]
        made: Document = {}
        yield world.during(
            "an address group made",
            *(prefixes, "prefixes"),
            lambda: made.update(world.tenant.create("address_group", name="many", addresses=addresses)),
        )
        yield world.during(
            "that address group in a rule of a port",
            *(prefixes, "prefixes"),
            lambda: world.tenant.create("security_group_rule", **rule, remote_address_group_id=made["id"]),
        )


def outside(start: Callable[[], Any], size: int) -> Iterator[Held]:
    """An external network with ports of its own, and floating IPs of ports that a router leads there."""
    count, external, floating = size * 3 // 16, size * 3 // 8, "floating IPs"
    with start() as plane:
        world = World(plane, count, "--keep", "--gateways")
        network = world.admin.create(
            "network",
            **{"name": "world", "router:external": True, "shared": True},
            **{"provider:network_type": "flat", "provider:physical_network": PHYSICAL_NETWORK},
        )["id"]
        outer = world.admin.create("subnet", network_id=network, ip_version=4, cidr="100.64.0.0/16", enable_dhcp=False)
        (inner,) = world.make_networks([IPv4Network("10.0.0.0/16")])
        ports = world.make_ports([inner], count)
        world.come({"e1": ports})
        router = world.tenant.create("router", name="router", external_gateway_info={"network_id": network})["id"]
        world.join(router, inner)
        file = world.export()
        wanted = [{"floating_network_id": network, "port_id": port} for port in ports]
        yield world.during(
            "floating IPs for as many ports, in one request", count, floating, lambda: world.post("floatingips", wanted)
        )
        yield world.during("those floating IPs gone", count, floating, lambda: world.apply(file))
        there = world.make_ports([outer], external)
        world.settle()
        time.sleep(SETTLING)
        yield world.during(
            "one port of an external network changed",
            *(external, "ports"),
            lambda: world.tenant.update("port", there[0], name="changed"),
        )
