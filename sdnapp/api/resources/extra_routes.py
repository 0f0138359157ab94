"""Extra routes of routers: next hops that are reached through the router's own interfaces."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from netaddr import IPNetwork
from neutron_lib import exceptions
from neutron_lib.api import validators
from neutron_lib.exceptions import extraroute as errors
from webob import Request, Response

from sdnapp.api import bodies
from sdnapp.api.attributes import LONGEST_LIST
from sdnapp.api.controller import check_revision, find
from sdnapp.api.errors import json_response
from sdnapp.api.listing import hidden_attributes, show
from sdnapp.api.resource import Context, Resource, stamp_changed
from sdnapp.api.resources.pools import is_ipv4
from topology.values import Port, Route, Router, Subnet

Given = Iterable[Mapping[str, str]]


@dataclass(frozen=True)
class ExtraRoutes:
    """``PUT /v2.0/routers/{id}/add_extraroutes`` and ``remove_extraroutes``: changes that do not name the rest.

    So two clients that change the routes of one router at the same time undo nothing of each other's.
    """

    resource: Resource[Router]

    def add(self, ctx: Context, request: Request, row_id: str) -> Response:
        """Add routes; those that are there stay as they are. Raises what ``checked_routes`` raises."""

        def added(router: Router, given: list[dict[str, str]]) -> tuple[Route, ...]:
            return checked_routes(ctx, router, [*show_routes(router.routes), *given])

        return self._change(ctx, request, row_id, "add_extraroutes", added)

    def remove(self, ctx: Context, request: Request, row_id: str) -> Response:
        """Take routes away; those that are not there are no error."""

        def left(router: Router, given: list[dict[str, str]]) -> tuple[Route, ...]:
            unwanted = set(_rows(given))
            return tuple(route for route in router.routes if route not in unwanted)

        return self._change(ctx, request, row_id, "remove_extraroutes", left)

    def _change(self, ctx: Context, request: Request, row_id: str, action: str, changed: Any) -> Response:
        resource = self.resource
        body = bodies.read_json(request, ctx.services.settings.max_body)
        given = _routes_in(bodies.one_object(body, resource.name, resource.collection))
        with ctx.store.transaction() as tx:
            router = find(ctx, resource, row_id)
            ctx.policy.enforce(ctx.who, action, resource.target(ctx, router, {}))
            check_revision(request, router)
            after = replace(router, routes=changed(router, given))
            if after != router:
                after = stamp_changed(ctx, tx, after)
        hidden = hidden_attributes(ctx, resource, after)
        return json_response({resource.name: show(ctx, resource, after, frozenset(), hidden)})


def show_routes(routes: Iterable[Route]) -> list[dict[str, str]]:
    """Return routes as the API shows them: a set, so in an order that does not depend on how they were given."""
    shown = [{"destination": route.destination, "nexthop": route.nexthop} for route in routes]
    return sorted(shown, key=lambda route: (route["destination"], route["nexthop"]))


def canonical_routes(given: Given) -> list[dict[str, str]]:
    """Return routes in their one form and order."""
    return show_routes(_rows(given))


def checked_routes(ctx: Context, router: Router, given: Given) -> tuple[Route, ...]:
    """Return routes as a row keeps them, each once. Raises RoutesExhausted, InvalidRoutes."""
    routes = tuple(dict.fromkeys(_rows(given)))
    most = ctx.services.settings.max_routes
    if len(routes) > most:
        raise errors.RoutesExhausted(router_id=router.id, quota=most)
    own: set[str] = set()
    joined: dict[int, set[int]] = {}
    for port in ctx.store.find(Port, "interface_of", router.id):
        own.update(fixed.ip_address for fixed in port.fixed_ips)
        for prefix in map(IPv4Network, _prefixes(ctx, port)):
            joined.setdefault(int(prefix.netmask), set()).add(int(prefix.network_address))
    for route in routes:
        shown = show_routes([route])
        if not is_ipv4(route.nexthop) or ":" in route.destination:
            raise errors.InvalidRoutes(routes=shown, reason="only routes of IPv4 are served so far")
        hop = int(IPv4Address(route.nexthop))
        # A router may have a thousand interfaces, but their prefixes are of a few lengths.
        if not any(hop & mask in firsts for mask, firsts in joined.items()):
            raise errors.InvalidRoutes(routes=shown, reason="the nexthop is not connected with router")
        if route.nexthop in own:
            raise errors.InvalidRoutes(routes=shown, reason="the nexthop is used by router")
    return routes


def needs_prefix(router: Router, cidr: str) -> bool:
    """Return whether a route of the router has its next hop within a prefix."""
    return len(routes_beyond(router, cidr)) < len(router.routes)


def routes_beyond(router: Router, cidr: str) -> tuple[Route, ...]:
    """Return the routes of a router whose next hops are not within a prefix."""
    return tuple(route for route in router.routes if IPv4Address(route.nexthop) not in IPv4Network(cidr))


def _prefixes(ctx: Context, port: Port) -> Iterator[str]:
    for fixed in port.fixed_ips:
        subnet = ctx.store.get(Subnet, fixed.subnet_id)
        if subnet is not None and subnet.ip_version == 4:
            yield subnet.cidr


def _rows(given: Given) -> list[Route]:
    return [Route(str(IPNetwork(each["destination"]).cidr), each["nexthop"]) for each in given]


def _routes_in(values: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the routes of a body that names nothing else. Raises BadRequest."""
    if set(values) != {"routes"}:
        message = "the body must be {'router': {'routes': [{'destination': ..., 'nexthop': ...}, ...]}}"
        raise exceptions.BadRequest(resource="router", msg=message)
    routes = values["routes"] if values["routes"] is not None else []
    if isinstance(routes, list) and len(routes) > LONGEST_LIST:
        raise exceptions.BadRequest(resource="router", msg=f"routes: more than {LONGEST_LIST} items")
    try:
        problem = validators.validate_hostroutes(routes)
    except Exception as error:
        problem = str(error)
    if problem:
        raise exceptions.BadRequest(resource="router", msg=f"routes: {problem}")
    found: list[dict[str, str]] = routes
    return found
