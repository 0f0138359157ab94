"""Rows that no tenant writes, about routers' ways out and back, frozen as those of ``topology.values``.

What is taken for translation, which chassis stand for routers, and what is heard of neighbours.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PortBlock:
    """Source ports of a router's external address that one chassis translates with: a power of two, aligned."""

    address: str
    first_port: int
    ports: int

    @property
    def last_port(self) -> int:
        """The last one."""
        return self.first_port + self.ports - 1


@dataclass(frozen=True, slots=True)
class Translation:
    """What a chassis translates addresses with: ``owner`` is a router's or floating IP's id.

    ``zone`` is a connection tracking zone of the chassis. ``subject`` is what it was taken for: another address means
    another zone, as the former's connections may be remembered. Of a router it is the external address of the first
    block, ``first_port`` begins that, and ``ports`` is its size; 0 and 0 where none is needed. ``further`` are blocks
    that were taken as that did not suffice. ``id`` is ``<owner>@<chassis id>``.
    """

    id: str
    owner: str
    chassis_id: str
    zone: int
    subject: str
    first_port: int = 0
    ports: int = 0
    further: tuple[PortBlock, ...] = ()

    @property
    def blocks(self) -> tuple[PortBlock, ...]:
        """All blocks, in the order in which they were taken."""
        return (PortBlock(self.subject, self.first_port, self.ports), *self.further) if self.ports else ()


@dataclass(frozen=True, slots=True)
class Outage:
    """A gateway chassis that the controller cannot reach, so that others take its place. ``id`` is the chassis's.

    ``secret`` is that of its last ``Fence``, by which those others silence it; 0 where it had none. It falls silent by
    itself when all ``witnesses`` have withdrawn, which are those that it may have had (``topology.witnesses``).
    """

    id: str
    secret: int = 0
    witnesses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fence:
    """How a gateway chassis is silenced that the controller cannot reach. ``id`` is the chassis's.

    Shown ``secret`` (48 bits), it gives up its roles while it has flows of this ``generation``. Each time that it is
    lost, the next one begins. It also gives them up while it hears none of its ``witnesses``, which are two chassis or
    none; ``leaving`` are those before these, until it has confirmed the change.
    """

    id: str
    generation: int
    secret: int
    witnesses: tuple[str, ...] = ()
    leaving: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Alone:
    """A gateway chassis that hears none of its witnesses, while another one can answer. ``id`` is the chassis's."""

    id: str


GETTING_READY, PASSING_ON, TAKING_OVER, LETTING_GO = "getting ready", "passing on", "taking over", "letting go"


@dataclass(frozen=True, slots=True)
class GatewayBinding:
    """The gateway chassis that stands for a router on a physical network, ``since`` (ISO 8601) when.

    ``id`` is ``router/<id>`` for its gateway and ``port/<id>`` for an interface. While ``former``, the one that stood
    for it until then, hands over to it, ``step`` says which of them answers ARP there (``topology.handing_over``).
    """

    id: str
    router_id: str
    chassis_id: str
    since: str
    former: str | None = None
    step: str = LETTING_GO


@dataclass(frozen=True, slots=True)
class NoUpstream:
    """An external network whose upstream router answers other gateway chassis, but not this one.

    ``id`` is ``<network id>/<chassis id>``.
    """

    id: str


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Who has an address on an external network, as a gateway has heard. ``id`` is ``<network id>/<address>``."""

    id: str
    network_id: str
    address: str
    mac_address: str


@dataclass(frozen=True, slots=True)
class VirtualAddress:
    """Which of several ports that may use an address has it, as it has said itself. ``id``: as of a ``Neighbour``."""

    id: str
    network_id: str
    address: str
    port_id: str
