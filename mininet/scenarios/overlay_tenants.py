"""The demo: two tenants with the same addresses, two instances each, on three hypervisors over a static IP core."""

import time
from contextlib import ExitStack
from dataclasses import dataclass

import reachability
from captures import Capture
from checks import Checks, table
from cloud import Cloud
from leases import Lease, lease
from neutron import Document
from pings import ping
from stations import Instance

CIDR = "10.0.0.0/24"
TENANTS = ("red", "blue")


@dataclass(frozen=True)
class Placement:
    """One instance to come: whose, its name, on which hypervisor, and the DHCP client it runs."""

    tenant: str
    name: str
    host: str
    client: str


PLACEMENTS = (
    Placement("red", "red1", "h1", "udhcpc"),
    Placement("red", "red2", "h2", "dhclient"),
    Placement("blue", "blue1", "h2", "udhcpc"),
    Placement("blue", "blue2", "h3", "dhclient"),
)


@dataclass(frozen=True)
class Birth:
    """An instance, what it leased, and milliseconds since its port was asked for from the API."""

    placement: Placement
    instance: Instance
    lease: Lease
    active: float
    leased: float
    first_ping: float | None


def run(cloud: Cloud, checks: Checks) -> None:
    """Everything that the demo claims."""
    with ExitStack() as stack:
        core = [
            stack.enter_context(Capture(router, name)) for router in cloud.cores for name in sorted(router.nameToIntf)
        ]
        networks = {}
        for tenant in TENANTS:
            print(f"{tenant} makes a network with {CIDR}", flush=True)
            networks[tenant] = cloud.make_network(cloud.api.project(tenant), CIDR, name=f"{tenant}-net")
        births: list[Birth] = []
        for placement in PLACEMENTS:
            print(f"{placement.tenant} starts {placement.name} on {placement.host}", flush=True)
            births.append(_start(cloud, placement, networks[placement.tenant], births))
        _show_births(births, networks, checks)

        tenants = {tenant: [each.instance for each in births if each.placement.tenant == tenant] for tenant in TENANTS}
        print("\nEvery instance tries every other one: by ping, by ARP, by raw frames to its MAC address", flush=True)
        result = reachability.measure(tenants)
        print(f"\n{result}", flush=True)
        result.check(checks)
        seen = f"{result.asked}, {result.told} answered"
        checks.check("ARP requests that instances sent meanwhile", "some answered", seen, result.told > 0)
        _check_core(core, cloud, networks, checks)
    _show_flows(cloud, checks)


def _start(cloud: Cloud, placement: Placement, network: Document, before: list[Birth]) -> Birth:
    """The machine is there; from the API call for its port on, time runs."""
    instance = cloud.add(placement.name, Instance)
    started = time.monotonic()

    def elapsed() -> float:
        return (time.monotonic() - started) * 1000

    port = cloud.api.project(placement.tenant).create("port", network_id=network["id"], name=placement.name)
    cloud.plug(instance, port, cloud.hypervisors[placement.host])
    cloud.api.wait_for_status(port["id"])
    active = elapsed()
    leased, at = lease(instance, placement.client), elapsed()
    fellow = next((each.instance for each in before if each.placement.tenant == placement.tenant), None)
    first_ping = elapsed() if fellow and ping(instance, fellow.address, count=1).all else None
    return Birth(placement, instance, leased, active, at, first_ping)


def _show_births(births: list[Birth], networks: dict[str, Document], checks: Checks) -> None:
    head = ("instance", "tenant", "on", "client", "leased", "MTU", "MAC", "ACTIVE, ms", "leased, ms", "first ping, ms")
    rows = []
    for each in births:
        place, times = each.placement, (each.active, each.leased, each.first_ping)
        what = (each.lease.address, each.lease.mtu, each.instance.mac)
        milliseconds = ("-" if at is None else f"{at:.0f}" for at in times)
        rows.append((place.name, place.tenant, place.host, place.client, *what, *milliseconds))
        expected = f"{each.instance.address}, MTU {networks[place.tenant]['mtu']}"
        leased = f"{each.lease.address}, MTU {each.lease.mtu}"
        checks.check(f"{place.name} leases its port's address with {place.client}", expected, leased)
    print(f"\nMilliseconds since the API was asked for the port:\n\n{table(head, rows)}", flush=True)
    addresses = {
        tenant: {each.lease.address for each in births if each.placement.tenant == tenant} for tenant in TENANTS
    }
    shared = addresses["red"] & addresses["blue"]
    checks.check("addresses that both tenants use at once", "some", ", ".join(sorted(shared)) or "none", bool(shared))
    answered = sum(each.first_ping is not None for each in births)
    checks.check("second instances whose first ping to the first is answered", len(TENANTS), answered)


def _check_core(core: list[Capture], cloud: Cloud, networks: dict[str, Document], checks: Checks) -> None:
    """What the links of both core routers carried since before the first network was made."""
    tunnelled = [frame for capture in core for frame in capture.read() if frame.inner]
    inner = [frame.inner for frame in tunnelled]
    checks.check("tunnelled frames seen on the core's links", "some", len(inner), bool(inner))
    checks.check(
        "ARP requests among them, as the answers come from flows", 0, sum(frame.is_arp_request for frame in inner)
    )
    checks.check("DHCP packets among them", 0, sum(frame.is_dhcp for frame in inner))
    shown = {cloud.api.show("network", network["id"])["provider:segmentation_id"] for network in networks.values()}
    keys = {frame.tunnel_key for frame in tunnelled}
    checks.check("tunnel keys, one for each tenant", sorted(shown), sorted(keys))


def _show_flows(cloud: Cloud, checks: Checks) -> None:
    rows = []
    for name, hypervisor in cloud.hypervisors.items():
        tables = cloud.api.request("GET", f"/sdnapp/flows/{name}")["tables"]
        wanted, held = sum(len(each["flows"]) for each in tables), len(hypervisor.flows())
        rows.append((name, str(wanted), str(held)))
        checks.check(f"flows on {name}: as many as the controller wants", wanted, held)
    print(f"\n{table(('chassis', 'flows wanted', 'flows held'), rows)}", flush=True)
