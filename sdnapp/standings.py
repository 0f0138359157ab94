"""Who stands for what on physical networks, kept in step with the model by what has moved in it.

However many addresses a network has, a change costs a look at the routers and floating IPs that it concerns.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from flows.engine import Engine
from sdnapp.turns import Turns
from topology.presence import OWNERS, Presence, Site, Standing, standing
from topology.store import Store

Place = tuple[str, str]
"""A network's id and an address on it."""
NOTHING = Standing()


class Standings:
    """What all routers and floating IPs have on physical networks as of the last ``follow``."""

    def __init__(self, store: Store, engine: Callable[[], Engine]) -> None:
        """``engine`` returns the one in force, which follows ``topology.presence.standing`` of all its owners."""
        self._store, self._engine_in_force = store, engine
        self._engine: Engine | None = None
        self._moved: set[str] = set()
        self._of: dict[str, Standing] = {}
        self._there: dict[str, dict[str, Presence]] = {}
        self._needed: dict[str, Counter[str]] = {}
        self._sites: dict[Place, Site] = {}

    @property
    def sites(self) -> Mapping[Place, Site]:
        """Where each address is."""
        return self._sites

    def there(self, network_id: str) -> Mapping[str, Presence]:
        """Return the presences on a network, by owner."""
        return self._there.get(network_id, {})

    def needed(self, network_id: str) -> Mapping[str, int]:
        """Return the next hops that routers name on a network, and how many presences name each."""
        return self._needed.get(network_id, {})

    def follow(self, turns: Turns) -> Iterator[Place]:
        """Follow the model; yield each place that is elsewhere than before, or nowhere. Others have their turns."""
        engine = self._engine_in_force()
        self._moved |= engine.take_moved(standing)
        if engine is not self._engine:
            # It cannot know of what has gone before it was made, and may have told somebody else of the others.
            self._moved.update(self._of, *(self._store.ids(kind) for kind in OWNERS))
            self._engine = engine
        while self._moved:
            owner_id = self._moved.pop()
            is_there = any(self._store.get(kind, owner_id) is not None for kind in OWNERS)
            yield from self._replace(owner_id, engine.ask(standing, owner_id) if is_there else NOTHING)
            turns.give_way()

    def _replace(self, owner_id: str, now: Standing) -> Iterator[Place]:
        before = self._of.pop(owner_id, NOTHING)
        if now != NOTHING:
            self._of[owner_id] = now
        if now == before:
            return
        for own in before.presences:
            self._leave(own)
        for own in now.presences:
            self._there.setdefault(own.network.id, {})[own.owner] = own
            self._needed.setdefault(own.network.id, Counter()).update(own.upstream)
        stays = {_place(site): site for site in now.sites}
        for site in before.sites:
            # Somebody else may have the address by now.
            if _place(site) not in stays and self._sites.get(_place(site)) == site:
                del self._sites[_place(site)]
                yield _place(site)
        for place, site in stays.items():
            if self._sites.get(place) != site:
                self._sites[place] = site
                yield place

    def _leave(self, own: Presence) -> None:
        network_id = own.network.id
        there, needed = self._there[network_id], self._needed[network_id]
        del there[own.owner]
        needed.subtract(own.upstream)
        for address in own.upstream:
            if not needed[address]:
                del needed[address]
        if not there:
            del self._there[network_id], self._needed[network_id]


def _place(site: Site) -> Place:
    return site.network.id, site.address
