"""Units: the pure functions that yield flows, and the audiences they publish them to.

A unit runs once for each row of a kind (or for each of the things that a fact lists for the row) and yields
(audience, flow) pairs. A chassis holds the flows of the audiences that it belongs to, so what many chassis need is
computed once.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from flows.flow import Flow
from topology.doors import externals_carried, networks_served, routers_served
from topology.facts import View


class Audience(NamedTuple):
    """Who holds a flow.

    ``chassis`` (one), ``network`` (all with a live port of it), ``guarded`` (all with a live port of a network that
    could speak for others), ``reached`` (all with a port that can send to a network), ``router`` (all with a port that
    can send to a router), ``external`` (all with a port that can send to an external network by a router), ``door``
    (all that carry an external network for routers), ``security_group`` (all with a live port that it filters),
    ``remote_group`` (all with a security group that names it), ``all``.
    """

    scope: str
    id: str


EVERYONE = Audience("all", "")
AUDIENCES_KEPT = 1 << 12
"""Of each kind: all flows of a port are for the same few, which need to be there only once."""


@lru_cache(maxsize=AUDIENCES_KEPT)
def on_chassis(chassis_id: str) -> Audience:
    """Return the audience of one chassis."""
    return Audience("chassis", chassis_id)


@lru_cache(maxsize=AUDIENCES_KEPT)
def where_network_is(network_id: str) -> Audience:
    """Return the audience of the chassis that host a network."""
    return Audience("network", network_id)


@lru_cache(maxsize=AUDIENCES_KEPT)
def where_network_is_guarded(network_id: str) -> Audience:
    """Return the audience of the chassis with a port that could speak for another's address on a network."""
    return Audience("guarded", network_id)


@lru_cache(maxsize=AUDIENCES_KEPT)
def where_group_filters(group_id: str) -> Audience:
    """Return the audience of the chassis with a port that a security group filters."""
    return Audience("security_group", group_id)


@lru_cache(maxsize=AUDIENCES_KEPT)
def where_remote_group_is_asked(remote_id: str) -> Audience:
    """Return the audience of the chassis with a security group whose rules name a remote group."""
    return Audience("remote_group", remote_id)


@lru_cache(maxsize=AUDIENCES_KEPT)
def where_network_is_reached(network_id: str) -> Audience:
    """Return the audience of the chassis from which packets come to a network, by routers or because they host it."""
    return Audience("reached", network_id)


@lru_cache(maxsize=AUDIENCES_KEPT)
def where_router_is(router_id: str) -> Audience:
    """Return the audience of the chassis from which packets come to a router."""
    return Audience("router", router_id)


@lru_cache(maxsize=AUDIENCES_KEPT)
def where_external_is_reached(network_id: str) -> Audience:
    """Return the audience of the chassis from which packets come to an external network by routers."""
    return Audience("external", network_id)


@lru_cache(maxsize=AUDIENCES_KEPT)
def where_doors_are(network_id: str) -> Audience:
    """Return the audience of the chassis that carry an external network for routers."""
    return Audience("door", network_id)


def audiences(view: View, chassis_id: str) -> frozenset[Audience]:
    """Return the audiences that a chassis belongs to by what it is and what it serves (a fact).

    To others it belongs by what is there (``AUDIENCES_AT``), one by one, as a chassis may have very many networks.
    """
    return frozenset(
        {
            EVERYONE,
            on_chassis(chassis_id),
            *map(where_router_is, view.ask(routers_served, chassis_id)),
            *map(where_network_is_reached, view.ask(networks_served, chassis_id)),
            *map(where_doors_are, view.ask(externals_carried, chassis_id)),
        }
    )


AUDIENCES_AT: Mapping[str, Callable[[str], Audience]] = {
    "network": where_network_is,
    "guarded": where_network_is_guarded,
    "network reached": where_network_is_reached,
    "router reached": where_router_is,
    "external network reached": where_external_is_reached,
    "group": where_group_filters,
    "remote group": where_remote_group_is_asked,
}
"""The audience that a chassis belongs to by what relations say is there (``topology.facts.At``)."""


Published = Iterator[tuple[Audience, Flow]]


@dataclass(frozen=True)
class Unit:
    """A function that yields flows.

    ``over`` is the kind of row that it runs for (None: it runs once, without arguments). With ``each``, a fact of that
    row's id, it runs for every (row id, item) instead. ``together``: it reads hardly anything but what the others of
    that kind that say so read, too; they are remembered as one, and all run again where one must.
    """

    function: Callable[..., Published]
    over: type[Any] | None = None
    each: Callable[..., tuple[str, ...]] | None = None
    together: bool = False

    @property
    def name(self) -> str:
        """The function's name, as shown in counters and in reports of failures."""
        return f"{self.function.__module__.rpartition('.')[2]}.{self.function.__name__}"
