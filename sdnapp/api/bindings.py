"""``/v2.0/ports/{id}/bindings``: a port's active binding, and those on hosts where it will serve later.

A live migration makes a binding on the destination, plugs the interface there, activates the binding and deletes the
one on the source. The active binding is the port's own ``binding:*``. All of this is for administrators.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from neutron_lib import constants, exceptions
from neutron_lib.api.definitions import portbindings
from neutron_lib.api.definitions import portbindings_extended as definition
from webob import Request, Response, exc

from sdnapp.api import bodies, listing
from sdnapp.api.attributes import AttributeMap, is_set
from sdnapp.api.controller import check_revision, find
from sdnapp.api.errors import PolicyNotAuthorized, json_response
from sdnapp.api.resource import Context, stamp_changed
from sdnapp.api.resources import binding, mac_addresses, port_extras
from sdnapp.api.resources.ports import Ports
from topology.store import Transaction
from topology.values import HostBinding, Port

_SPECS = definition.SUB_RESOURCE_ATTRIBUTE_MAP[definition.COLLECTION_NAME]["parameters"]
_HOST = {"validate": {"type:not_empty_string": 255}}
_OWNERS = (constants.DEVICE_OWNER_COMPUTE_PREFIX, constants.DEVICE_OWNER_MANILA_PREFIX)


class PortBindingError(exceptions.Conflict):  # type: ignore[misc]
    """No chassis has the host's name, or none can serve this type of interface."""

    message = "Binding for port %(port_id)s on host %(host)s could not be created or updated."


class Bindings:
    """The actions on the bindings of one port."""

    def __init__(self) -> None:
        own = {name: dict(spec) for name, spec in _SPECS.items()}
        own[definition.HOST] |= _HOST
        self.attributes = AttributeMap(definition.COLLECTION_NAME, (), own)
        self.resource = Ports()

    def index(self, ctx: Context, request: Request, row_id: str) -> Response:
        """List a port's bindings, the active one first."""
        port = self._port(ctx, row_id)
        wanted = listing.asked_filters(request, frozenset(self.attributes.filters()))
        fields = listing.asked_fields(request)
        shown = [
            {name: value for name, value in each.items() if not fields or name in fields}
            for each in _views(ctx, port)
            if ctx.who.serves_all and all(each[name] in values for name, values in wanted.items())
        ]
        return json_response({definition.COLLECTION_NAME: shown})

    def show(self, ctx: Context, request: Request, row_id: str, host: str) -> Response:
        """Show a port's binding on one host."""
        port = self._port(ctx, row_id)
        _check_serves(ctx)
        found = [each for each in _views(ctx, port) if each[definition.HOST] == host]
        if not found:
            raise exceptions.PortBindingNotFound(port_id=row_id, host=host)
        return json_response({definition.RESOURCE_NAME: found[0]})

    def create(self, ctx: Context, request: Request, row_id: str) -> Response:
        """Prepare a port for another host."""
        values = self.attributes.for_create(ctx.who, self._body(ctx, request))
        if not ctx.who.serves_all:
            raise PolicyNotAuthorized(rule="rule:create_port_binding")
        wanted = _with(HostBinding(values[definition.HOST]), values)
        with ctx.store.transaction() as tx:
            port = self._port(ctx, row_id)
            check_revision(request, port)
            _check_free(ctx, port, wanted.host)
            _check_can_serve(ctx, port, wanted)
            port = stamp_changed(ctx, tx, replace(port, inactive_bindings=(*port.inactive_bindings, wanted)))
        return json_response({definition.RESOURCE_NAME: _inactive_view(ctx, wanted)}, 201)

    def update(self, ctx: Context, request: Request, row_id: str, host: str) -> Response:
        """Change what a port is to be on a host, or the host."""
        values = self.attributes.for_update(ctx.who, self._body(ctx, request))
        with ctx.store.transaction() as tx:
            port, present = self._found(ctx, request, row_id, host)
            changed = _with(present, values)
            if changed.host != host:
                _check_free(ctx, port, changed.host)
            _check_can_serve(ctx, port, changed)
            is_active = host == binding.host(ctx, port)
            if is_active:
                port = self._store(ctx, tx, port, changed, port.inactive_bindings)
            else:
                kept = tuple(changed if each == present else each for each in port.inactive_bindings)
                port = stamp_changed(ctx, tx, replace(port, inactive_bindings=kept))
        shown = _views(ctx, port)[0] if is_active else _inactive_view(ctx, changed)
        return json_response({definition.RESOURCE_NAME: shown})

    def delete(self, ctx: Context, request: Request, row_id: str, host: str) -> Response:
        """Take a binding away; without the active one, the port is bound to no host."""
        bodies.refuse(request, ctx.services.settings.max_body)
        with ctx.store.transaction() as tx:
            port, _ = self._found(ctx, request, row_id, host)
            if host == binding.host(ctx, port):
                self._store(ctx, tx, port, HostBinding(""), port.inactive_bindings)
            else:
                kept = binding.elsewhere(port.inactive_bindings, host)
                stamp_changed(ctx, tx, replace(port, inactive_bindings=kept))
        return Response(status=204)

    def activate(self, ctx: Context, request: Request, row_id: str, host: str) -> Response:
        """Let a port serve on another host; the one where it served becomes inactive."""
        bodies.read_json(request, ctx.services.settings.max_body)
        with ctx.store.transaction() as tx:
            port, present = self._found(ctx, request, row_id, host)
            if host == binding.host(ctx, port):
                raise exceptions.PortBindingAlreadyActive(port_id=row_id, host=host)
            inactive = binding.elsewhere(port.inactive_bindings, host)
            former = binding.host(ctx, port)
            if former:
                inactive = (*inactive, HostBinding(former, port.vnic_type, port.binding_profile))
            port = self._store(ctx, tx, port, present, inactive)
        return json_response({definition.RESOURCE_NAME: _views(ctx, port)[0]})

    def _body(self, ctx: Context, request: Request) -> dict[str, Any]:
        body = bodies.read_json(request, ctx.services.settings.max_body)
        return bodies.one_object(body, definition.RESOURCE_NAME, definition.COLLECTION_NAME)

    def _port(self, ctx: Context, port_id: str) -> Port:
        """Return a port that can have several bindings. Raises PortNotFound, BadRequest."""
        port: Port = find(ctx, self.resource, port_id)
        if not port.device_owner.startswith(_OWNERS):
            message = f"Invalid port {port_id}. Operation only valid on compute and shared filesystem ports"
            raise exceptions.BadRequest(resource="port", msg=message)
        return port

    def _found(self, ctx: Context, request: Request, port_id: str, host: str) -> tuple[Port, HostBinding]:
        """Return a port and its binding on a host. Raises PortNotFound, PortBindingNotFound, HTTPNotFound."""
        port = self._port(ctx, port_id)
        _check_serves(ctx)
        check_revision(request, port)
        active = HostBinding(binding.host(ctx, port), port.vnic_type, port.binding_profile)
        for each in (active, *port.inactive_bindings):
            if each.host == host:
                return port, each
        raise exceptions.PortBindingNotFound(port_id=port_id, host=host)

    def _store(
        self, ctx: Context, tx: Transaction, port: Port, active: HostBinding, inactive: tuple[HostBinding, ...]
    ) -> Port:
        changed = replace(
            port,
            requested_host=active.host,
            vnic_type=active.vnic_type,
            binding_profile=active.profile,
            inactive_bindings=inactive,
        )
        return stamp_changed(ctx, tx, replace(changed, mac_address=mac_addresses.follow_device(ctx, tx, port, changed)))


def _with(present: HostBinding, values: Mapping[str, Any]) -> HostBinding:
    """Return a binding with what a request gives."""
    given = {name: values[name] for name in (definition.HOST, definition.VNIC_TYPE) if is_set(values.get(name))}
    if definition.PROFILE in values and values[definition.PROFILE] is not constants.ATTR_NOT_SPECIFIED:
        given["profile"] = port_extras.profile_text(values[definition.PROFILE])
    return replace(present, **given)


def _check_serves(ctx: Context) -> None:
    """Raise HTTPNotFound for anybody else."""
    if not ctx.who.serves_all:
        raise exc.HTTPNotFound("The resource could not be found.")


def _check_free(ctx: Context, port: Port, host: str) -> None:
    """Raise PortBindingAlreadyExists."""
    if host in (binding.host(ctx, port), *(each.host for each in port.inactive_bindings)):
        raise exceptions.PortBindingAlreadyExists(port_id=port.id, host=host)


def _check_can_serve(ctx: Context, port: Port, wanted: HostBinding) -> None:
    """Raise PortBindingError."""
    if wanted.host and binding.chassis_for(ctx, wanted) is None:
        raise PortBindingError(port_id=port.id, host=wanted.host)


def _views(ctx: Context, port: Port) -> list[dict[str, Any]]:
    active = _view(
        HostBinding(binding.host(ctx, port), port.vnic_type, port.binding_profile),
        "ACTIVE",
        binding.vif_type(ctx, port),
        binding.vif_details(ctx, port),
    )
    return [active, *(_inactive_view(ctx, each) for each in port.inactive_bindings)]


def _inactive_view(ctx: Context, each: HostBinding) -> dict[str, Any]:
    chassis = binding.chassis_for(ctx, each)
    vif_type = portbindings.VIF_TYPE_OVS if chassis is not None else portbindings.VIF_TYPE_BINDING_FAILED
    return _view(each, "INACTIVE", vif_type, binding.details(chassis))


def _view(each: HostBinding, status: str, vif_type: str, vif_details: dict[str, Any]) -> dict[str, Any]:
    return {
        definition.HOST: each.host,
        definition.VIF_TYPE: vif_type,
        definition.VNIC_TYPE: each.vnic_type,
        definition.STATUS: status,
        definition.PROFILE: json.loads(each.profile),
        definition.VIF_DETAILS: vif_details,
    }
