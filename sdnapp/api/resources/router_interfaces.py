"""Interfaces of routers: ports that join a router to a subnet, by the subnet's gateway address or by a port's own."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from typing import Any
from uuid import uuid4

from neutron_lib import exceptions
from neutron_lib.api import validators
from neutron_lib.exceptions import extraroute as route_errors
from neutron_lib.exceptions import l3 as errors
from webob import Request, Response

from sdnapp.api import bodies, quotas
from sdnapp.api.controller import check_revision, find
from sdnapp.api.errors import IpAddressAlreadyAllocated, json_response
from sdnapp.api.resource import Context, Resource, stamp_changed, stamp_new
from sdnapp.api.resources import floatingips, mac_addresses, segments
from sdnapp.api.resources.extra_routes import needs_prefix
from sdnapp.api.resources.ports import Ports
from sdnapp.api.resources.release import release_claims
from sdnapp.api.resources.subnets import Subnets
from topology.allocation import PORT_KEY_BITS, TakenError, claim_address, next_number
from topology.store import Transaction
from topology.values import ROUTER_INTERFACE, FixedIP, Network, Port, Router, Subnet

_WAYS = ("subnet_id", "port_id")


@dataclass(frozen=True)
class RouterInterfaces:
    """``PUT /v2.0/routers/{id}/add_router_interface`` and ``remove_router_interface``."""

    resource: Resource[Router]
    ports: Ports
    subnets: Subnets

    def add(self, ctx: Context, request: Request, row_id: str) -> Response:
        """Join a router to a subnet, or to the subnet of a port.

        Raises BadRequest, RouterNotFound, SubnetNotFound, PortNotFound, PortInUse, IpAddressAlreadyAllocated,
        OverQuota.
        """
        asked = _asked(bodies.read_json(request, ctx.services.settings.max_body))
        if len(asked) > 1:
            raise _bad_request("Cannot specify both subnet-id and port-id")
        with ctx.store.transaction() as tx:
            router = self._router(ctx, request, row_id, "add_router_interface")
            if "port_id" in asked:
                port = self.take_over(ctx, tx, router, asked["port_id"])
            else:
                port = self.make(ctx, tx, router, asked["subnet_id"])
            # The interfaces are a part of what the router is.
            stamp_changed(ctx, tx, router)
        return json_response(_interface(router, port))

    def remove(self, ctx: Context, request: Request, row_id: str) -> Response:
        """Part a router from a subnet, or from the subnet of a port, which is deleted.

        Raises BadRequest, RouterNotFound, RouterInterfaceNotFound, RouterInterfaceNotFoundForSubnet,
        SubnetMismatchForPort, RouterInterfaceInUseByRoute, RouterInterfaceInUseByFloatingIP.
        """
        asked = _asked(bodies.read_json(request, ctx.services.settings.max_body))
        with ctx.store.transaction() as tx:
            router = self._router(ctx, request, row_id, "remove_router_interface")
            port = self._interface(ctx, router, asked)
            self.part(ctx, tx, router, port)
        return json_response(_interface(router, port))

    def part(self, ctx: Context, tx: Transaction, router: Router, port: Port) -> None:
        """Delete an interface. Raises RouterInterfaceInUseByRoute, RouterInterfaceInUseByFloatingIP."""
        for subnet in _subnets(ctx, port):
            if needs_prefix(router, subnet.cidr):
                raise route_errors.RouterInterfaceInUseByRoute(router_id=router.id, subnet_id=subnet.id)
            if floatingips.needed_by(ctx, router.id, subnet.id):
                raise errors.RouterInterfaceInUseByFloatingIP(router_id=router.id, subnet_id=subnet.id)
        release_claims(tx, port.id)
        tx.delete(Port, port.id)
        stamp_changed(ctx, tx, router)

    def _router(self, ctx: Context, request: Request, router_id: str, action: str) -> Router:
        router: Router = find(ctx, self.resource, router_id)
        ctx.policy.enforce(ctx.who, action, self.resource.target(ctx, router, {}))
        check_revision(request, router)
        return router

    def make(self, ctx: Context, tx: Transaction, router: Router, subnet_id: str) -> Port:
        """Make a port with the gateway address of a subnet. Raises what ``add`` raises."""
        subnet: Subnet = find(ctx, self.subnets, subnet_id)
        if subnet.gateway_ip is None:
            raise _bad_request("Subnet for router interface must have a gateway IP")
        if not ctx.who.is_admin and subnet.project_id != ctx.who.project_id:
            # Whoever has the gateway address gets the traffic of all who share the network.
            raise _bad_request(
                f"Cannot add interface to router because subnet {subnet.id} is not owned by project making the request"
            )
        _check(ctx, router, [subnet])
        self._prepare(ctx, tx, subnet.network_id)
        quotas.check(ctx, self.ports, [router.project_id])
        port_id = str(uuid4())
        try:
            claim_address(tx, subnet.id, subnet.gateway_ip, port_id)
        except TakenError:
            raise IpAddressAlreadyAllocated(ip=subnet.gateway_ip, subnet_id=subnet.id) from None
        return stamp_new(
            ctx,
            tx,
            Port(
                id=port_id,
                project_id=router.project_id,
                network_id=subnet.network_id,
                key=next_number(tx, "port", PORT_KEY_BITS),
                mac_address=mac_addresses.take(ctx, tx, subnet.network_id, port_id, None),
                device_id=router.id,
                device_owner=ROUTER_INTERFACE,
                fixed_ips=(FixedIP(subnet.id, subnet.gateway_ip),),
                port_security_enabled=False,
            ),
        )

    def take_over(self, ctx: Context, tx: Transaction, router: Router, port_id: str) -> Port:
        """Make a port that nobody uses the router's. Raises what ``add`` raises."""
        port: Port = find(ctx, self.ports, port_id)
        ctx.policy.enforce(ctx.who, "update_port", self.ports.target(ctx, port, {}))
        if port.device_id:
            raise exceptions.PortInUse(net_id=port.network_id, port_id=port.id, device_id=port.device_id)
        if not port.fixed_ips:
            raise _bad_request("Router port must have at least one fixed IP")
        subnets = _subnets(ctx, port)
        if len(subnets) > 1:
            raise _bad_request("Cannot have multiple IPv4 subnets on router port")
        if len(port.fixed_ips) > 1:
            raise _bad_request("Router port must have one fixed IP on its subnet")
        if port.allowed_address_pairs:
            raise _bad_request("Router port must have no allowed address pairs: it sends what it routes anyhow")
        _check(ctx, router, subnets)
        self._prepare(ctx, tx, port.network_id)
        # Whatever it routes passes: groups go with port security.
        taken = replace(
            port,
            device_id=router.id,
            device_owner=ROUTER_INTERFACE,
            port_security_enabled=False,
            security_groups=(),
        )
        return stamp_changed(ctx, tx, taken)

    def _prepare(self, ctx: Context, tx: Transaction, network_id: str) -> None:
        network = ctx.store.get(Network, network_id)
        if network is not None:
            segments.ensure_transit(tx, ctx.services.settings, network)

    def _interface(self, ctx: Context, router: Router, asked: Mapping[str, str]) -> Port:
        """Return the interface that a request to part names."""
        ports = ctx.store.find(Port, "interface_of", router.id)
        subnet_id = asked.get("subnet_id")
        if "port_id" in asked:
            port = next((port for port in ports if port.id == asked["port_id"]), None)
            if port is None:
                raise errors.RouterInterfaceNotFound(router_id=router.id, port_id=asked["port_id"])
            if subnet_id is not None and all(fixed.subnet_id != subnet_id for fixed in port.fixed_ips):
                raise exceptions.SubnetMismatchForPort(port_id=port.id, subnet_id=subnet_id)
            return port
        assert subnet_id is not None
        find(ctx, self.subnets, subnet_id)
        for port in ports:
            if any(fixed.subnet_id == subnet_id for fixed in port.fixed_ips):
                return port
        raise errors.RouterInterfaceNotFoundForSubnet(router_id=router.id, subnet_id=subnet_id)


def _asked(body: object) -> dict[str, str]:
    """Return what a body names: a subnet, a port, or both. Raises BadRequest."""
    given = body if isinstance(body, dict) else {}
    asked = {way: given[way] for way in _WAYS if way in given}
    if not asked:
        raise _bad_request("Either subnet_id or port_id must be specified")
    for value in asked.values():
        if problem := validators.validate_uuid(value):
            raise _bad_request(problem)
    return asked


def _check(ctx: Context, router: Router, subnets: Iterable[Subnet]) -> None:
    """Raise BadRequest for prefixes that the router has already."""
    joined = [port for index in ("interface_of", "gateway_of") for port in ctx.store.find(Port, index, router.id)]
    present = [subnet for port in joined for subnet in _subnets(ctx, port)]
    for subnet in subnets:
        for other in present:
            if other.id == subnet.id:
                raise _bad_request(f"Router already has a port on subnet {subnet.id}")
            if IPv4Network(other.cidr).overlaps(IPv4Network(subnet.cidr)):
                raise _bad_request(
                    f"Cidr {subnet.cidr} of subnet {subnet.id} overlaps with cidr {other.cidr} of subnet {other.id}"
                )


def _subnets(ctx: Context, port: Port) -> Sequence[Subnet]:
    """Return the subnets of a port's addresses, each once."""
    ids = dict.fromkeys(fixed.subnet_id for fixed in port.fixed_ips)
    return [subnet for subnet_id in ids if (subnet := ctx.store.get(Subnet, subnet_id)) is not None]


def _interface(router: Router, port: Port) -> dict[str, Any]:
    """Return what Neutron says about an interface that comes or goes."""
    subnet_ids = [fixed.subnet_id for fixed in port.fixed_ips]
    return {
        "id": router.id,
        "project_id": port.project_id,
        "port_id": port.id,
        "network_id": port.network_id,
        "subnet_id": subnet_ids[-1] if subnet_ids else None,
        "subnet_ids": subnet_ids,
    }


def _bad_request(message: str) -> exceptions.BadRequest:
    return exceptions.BadRequest(resource="router", msg=message)
