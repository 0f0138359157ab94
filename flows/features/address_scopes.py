"""Address scopes: within one, a router's gateway does not translate; between different ones, routers do not route.

What comes in by the gateway for such a prefix is routed as of a router without translation (``inbound_nat``).
"""

from flows.actions import Goto, SetField
from flows.drops import drop
from flows.fields import mac_to_int
from flows.flow import flow
from flows.pipeline import EXTERNAL_SOURCE, ROUTES, SOURCE_NAT
from flows.units import Published, Unit, where_router_is
from topology.address_scopes import apart, spared
from topology.facts import View
from topology.gateway import gateway
from topology.values import Router

FEATURE = "address_scopes"


def untranslated(view: View, router_id: str) -> Published:
    """Out by the gateway with its own address, within the external network's scope."""
    own = view.ask(gateway, router_id)
    for prefix in view.ask(spared, router_id) if own is not None else ():
        assert own is not None
        around, owner = where_router_is(router_id), f"router/{router_id}"
        sent: dict[str, int | str] = {"router": own.router_key, "ipv4_src": prefix}
        yield around, flow(SOURCE_NAT, "spared", FEATURE, owner, Goto("upstream"), **sent)
        named = (SetField("eth_src", mac_to_int(own.mac_address)), Goto("doors"))
        leaving: dict[str, int | str] = {"network": own.network.key, "interface": own.key, "ipv4_src": prefix}
        yield around, flow(EXTERNAL_SOURCE, "router", FEATURE, owner, *named, **leaving)


def kept_apart(view: View, router_id: str) -> Published:
    """From one scope to another, or to what is in none."""
    router = view.get(Router, router_id)
    for network_key, prefix in view.ask(apart, router_id) if router is not None else ():
        assert router is not None
        sent: dict[str, int | str] = {"router": router.key, "network": network_key, "ipv4_dst": prefix}
        ends = flow(ROUTES, "apart", FEATURE, f"router/{router_id}", *drop("unroutable"), **sent)
        yield where_router_is(router_id), ends


UNITS = (Unit(untranslated, over=Router), Unit(kept_apart, over=Router))
