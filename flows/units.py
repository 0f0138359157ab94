"""Units: the pure functions that yield flows, and the audiences they publish them to.

A unit runs once for each row of a kind (or for each of the things that a fact lists for the row) and yields
(audience, flow) pairs. A chassis holds the flows of the audiences that it belongs to, so what many chassis need is
computed once.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from flows.flow import Flow
from topology.facts import View, networks_at


class Audience(NamedTuple):
    """Who holds a flow: ``chassis`` (one), ``network`` (all with a live port of it), ``all``."""

    scope: str
    id: str


EVERYONE = Audience("all", "")


def on_chassis(chassis_id: str) -> Audience:
    """Return the audience of one chassis."""
    return Audience("chassis", chassis_id)


def where_network_is(network_id: str) -> Audience:
    """Return the audience of the chassis that host a network."""
    return Audience("network", network_id)


def audiences(view: View, chassis_id: str) -> frozenset[Audience]:
    """Return the audiences that a chassis belongs to (a fact)."""
    networks = view.ask(networks_at, chassis_id)
    return frozenset({EVERYONE, on_chassis(chassis_id), *map(where_network_is, networks)})


Published = Iterator[tuple[Audience, Flow]]


@dataclass(frozen=True)
class Unit:
    """A function that yields flows.

    ``over`` is the kind of row that it runs for (None: it runs once, without arguments). With ``each``, a fact of that
    row's id, it runs for every (row id, item) instead.
    """

    function: Callable[..., Published]
    over: type[Any] | None = None
    each: Callable[..., tuple[str, ...]] | None = None

    @property
    def name(self) -> str:
        """The function's name, as shown in counters and in reports of failures."""
        return f"{self.function.__module__.rpartition('.')[2]}.{self.function.__name__}"
