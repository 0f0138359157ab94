"""The benchmark ``one_more``: one port more, one rule more, one port elsewhere, with few and with many ports there.

An instance pings another one on the next chassis a thousand times a second; ARP is answered beforehand. *One more
port*: from the request for a port, whose interface waits, until the first ping of it is answered; the interface is
claimed in between. Its switch has done what plugging in entails. *Plugged in*: from the moment that ``ovs-vsctl`` is
started to plug in an interface, whose port is there, until its instance has the first answer; with *plain*, whose
bridges forward for whatever is plugged in, that is what Open vSwitch itself takes with so many interfaces. *A rule*:
from the request until the first ping passes, or the last one. *Deleted*: until the last ping. *Moved*: from the moment
that one chassis gives the interface up and another claims it, an OVSDB transaction each, until the port answers there.
"""

import time
from collections.abc import Iterator

from tests.bench import bulk
from tests.bench.lab import Guests, Lab
from tests.bench.planes import ICMP, ControlPlane, Plane
from tests.bench.workload import Aim, Found, Workload

TIMES = 10
"""How often each is done."""
PLUGGED = 5
"""How often an interface is plugged in."""
_PLUGGED = "an interface plugged in, until its first ping"
_TTLS = {"h2": 64, "h3": 65}
"""By which it is told where an answer comes from."""


def measure(plane: Plane, size: int) -> Iterator[Found]:
    """Load a control plane, and then ask for one thing at a time."""
    if not isinstance(plane, ControlPlane):
        from tests.bench.plain import NETWORK

        chassis = list(plane.hypervisors)
        idle = [plane.fresh("i") for _ in range(size)]
        plane.plug_idle({name: idle[at :: len(chassis)] for at, name in enumerate(chassis)})
        guests = Guests(plane, NETWORK)
        guests.prepare("h1")
        yield Found(_PLUGGED, "ms", _ms([_plug(guests) for _ in range(PLUGGED)]))
        return
    if size:
        bulk.load(plane, size)
    lab = Lab(plane)
    yield from _ports(plane, lab)
    yield Found(_PLUGGED, "ms", _ms([_plug(lab) for _ in range(PLUGGED)]))
    yield from _rules(plane, lab)
    yield from _moves(plane, lab)


def _plug(guests: Guests) -> float:
    """Plug in an instance whose port is there; return the seconds until its first ping.

    It is itself that pings: a plain bridge floods what is for somebody whom it does not know, to all its interfaces.
    """
    from tests.bench.echoes import Echoes

    mac, address, name = guests.prepare("h2", plugged=False)
    port_id = guests.make_port(mac, address).id if isinstance(guests, Lab) else ""
    guests.plane.interfaces["h2"].wait_until_idle()
    with Echoes(guests.guests[name], guests.address) as echoes:
        time.sleep(0.05)
        asked = time.monotonic()
        guests.plane.plug("h2", name, port_id)
        return echoes.first_after(asked)


def _ports(plane: ControlPlane, lab: Lab) -> Iterator[Found]:
    from tests.bench.echoes import Echoes

    first: list[float] = []
    gone: list[float] = []
    for turn in range(TIMES):
        mac, address, name = lab.prepare("h2")
        plane.interfaces["h2"].wait_until_idle()
        with Echoes(lab.prober, address) as echoes:
            # Pings go in steps of a millisecond; the request comes at another moment between two each time.
            time.sleep(0.05 + turn / TIMES / 1e3)
            asked = time.monotonic()
            port = lab.make_port(mac, address)
            plane.claim({"h2": {name: port.id}})
            first.append(echoes.first_after(asked))
            plane.wait_active([port])
            asked = time.monotonic()
            plane.delete_port(port)
            gone.append(echoes.last_after(asked))
    yield Found("one more port, until its first ping", "ms", _ms(first))
    yield Found("a port deleted, until its last ping", "ms", _ms(gone))


def _rules(plane: ControlPlane, lab: Lab) -> Iterator[Found]:
    from tests.bench.echoes import Echoes

    port, _ = lab.launch("h2")
    group = plane.make_group(lab.tenant)
    plane.set_group(port, group)
    plane.wait_active([port])
    opened: list[float] = []
    closed: list[float] = []
    for _ in range(TIMES):
        with Echoes(lab.prober, port.address) as echoes:
            time.sleep(0.05)
            asked = time.monotonic()
            rule = plane.permit(group, ICMP)
            opened.append(echoes.first_after(asked))
            asked = time.monotonic()
            plane.withdraw(group, rule)
            closed.append(echoes.last_after(asked))
    yield Found("a rule more, until the first ping passes", "ms", _ms(opened))
    yield Found("a rule less, until the last ping", "ms", _ms(closed))


def _moves(plane: ControlPlane, lab: Lab) -> Iterator[Found]:
    from tests.bench.echoes import Echoes

    port, name = lab.launch("h2")
    names = {"h2": name, "h3": lab.add("h3", port.mac, port.address, _TTLS["h3"])}
    moved: list[float] = []
    with Echoes(lab.prober, port.address) as echoes:
        echoes.first_after(time.monotonic())
        old, new = "h2", "h3"
        for _ in range(TIMES):
            asked = time.monotonic()
            plane.claim({old: {names[old]: ""}})
            plane.claim({new: {names[new]: port.id}})
            moved.append(echoes.first_after(asked, ttl=_TTLS[new]))
            plane.wait_active([port])
            old, new = new, old
    yield Found("a port moved, until it answers there", "ms", _ms(moved))


def _ms(seconds: list[float]) -> list[float]:
    return [each * 1e3 for each in seconds]


WORKLOAD = Workload(
    title="One thing more, with few and with many ports there",
    text=__doc__ or "",
    measure=measure,
    sizes=(0, 400, 4_000),
    quick=(0, 400),
    rounds=1,
    peers=("ovn", "plain"),
    aims=(
        Aim("one more port, until its first ping", 1.0, of="ovn"),
        Aim("a rule more, until the first ping passes", 50),
    ),
)
