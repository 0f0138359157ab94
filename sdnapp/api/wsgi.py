"""The WSGI application: finds the action for a request, and answers errors as Neutron words them."""

from collections.abc import Callable, Iterable
from functools import cache, partial
from time import monotonic
from typing import Any
from uuid import uuid4

from neutron_lib.api.definitions import availability_zone, servicetype
from routes import Mapper
from webob import Request, Response, exc

from sdnapp.api import attributes, audit, discovery, operator
from sdnapp.api.bindings import Bindings
from sdnapp.api.controller import Controller
from sdnapp.api.errors import response_of
from sdnapp.api.fixed_lists import fixed_list
from sdnapp.api.identity import Identify, Identity, claimed
from sdnapp.api.intent import handlers as intent
from sdnapp.api.openapi.document import Document
from sdnapp.api.policy import Policy, Rule
from sdnapp.api.port_forwardings import PortForwardings
from sdnapp.api.quotas import Quotas, own_project
from sdnapp.api.rate_limit import RateLimit
from sdnapp.api.resource import Context, Resource
from sdnapp.api.resources.address_groups import AddressGroups
from sdnapp.api.resources.address_scopes import AddressScopes
from sdnapp.api.resources.agents import Agents
from sdnapp.api.resources.default_rules import DefaultSecurityGroupRules
from sdnapp.api.resources.extra_routes import ExtraRoutes
from sdnapp.api.resources.floatingips import FloatingIPs
from sdnapp.api.resources.interfaces_in_file import InterfacesInFile
from sdnapp.api.resources.ip_availability import IpAvailabilities
from sdnapp.api.resources.networks import Networks
from sdnapp.api.resources.ports import Ports
from sdnapp.api.resources.rbac import RbacPolicies
from sdnapp.api.resources.router_interfaces import RouterInterfaces
from sdnapp.api.resources.routers import Routers
from sdnapp.api.resources.security_group_rules import SecurityGroupRules
from sdnapp.api.resources.security_groups import SecurityGroups
from sdnapp.api.resources.subnetpools import SubnetPools
from sdnapp.api.resources.subnets import Subnets
from sdnapp.api.services import Services
from sdnapp.api.tagging import Tagging
from sdnapp.api.zones import ZONES
from topology.store import Store

RESOURCES: tuple[Resource[Any], ...] = (
    Networks(),
    Subnets(),
    Ports(),
    AddressScopes(),
    SubnetPools(),
    RbacPolicies(),
    AddressGroups(),
    SecurityGroups(),
    SecurityGroupRules(),
    DefaultSecurityGroupRules(),
    Routers(),
    FloatingIPs(),
    Agents(),
    IpAvailabilities(),
)

Handler = Callable[..., Response]
"""Takes a context, a request and, by name, what the path holds."""

StartResponse = Callable[..., Any]


def make_app(
    store: Store,
    services: Services,
    identify: Identify | None = None,
    policy: Policy | None = None,
    clock: Callable[[], float] = monotonic,
) -> "Application":
    """Return the API over a store, as a WSGI application without sockets or threads of its own.

    Callers are taken at their word unless there is another way to ``identify`` them. ``clock`` gives seconds.
    """
    identify = identify or claimed(services.settings.default_project)
    return Application(store, services, identify, policy or default_policy(), clock)


def declared_rules() -> dict[str, Rule]:
    """Return who may do what by default, by the names of the rules."""
    declared = (*(resource.rules for resource in RESOURCES), InterfacesInFile.rules)
    return {name: rule for rules in declared for name, rule in rules.items()}


@cache
def default_policy() -> Policy:
    """Return the policy of an operator who changes nothing."""
    return Policy(declared_rules())


class Application:
    """The API: Neutron's resources under ``/v2.0``, the operator's views beside them."""

    def __init__(
        self, store: Store, services: Services, identify: Identify, policy: Policy, clock: Callable[[], float]
    ) -> None:
        self._store, self._services, self._identify, self._policy = store, services, identify, policy
        self._limit = RateLimit(services.settings.rate_limit, clock)
        self._mapper = Mapper(register=False)
        self._handlers: dict[str, dict[str, Handler]] = {}
        attributes.register_options(services.settings)
        self._add("/", GET=discovery.versions)
        self._add("/v2.0", GET=partial(discovery.resources, RESOURCES))
        self._add("/v2.0/extensions", GET=discovery.extensions)
        self._add("/v2.0/extensions/{alias}", GET=discovery.extension)
        for resource in RESOURCES:
            self._add_resource(resource)
        self._add_bindings(Bindings())
        self._add_port_forwardings(PortForwardings())
        self._add_router_actions()
        quotas = Quotas(RESOURCES)
        self._add_quotas(quotas)
        self._add("/v2.0/availability_zones", GET=partial(fixed_list, availability_zone, ZONES))
        self._add("/v2.0/service-providers", GET=partial(fixed_list, servicetype, ()))
        self.document = Document(self._handlers)
        self._add("/openapi.json", GET=self.document.show)
        self._add("/healthz", GET=operator.health)
        self._add("/metrics", GET=operator.metrics)
        self._add("/realized", GET=operator.realized)
        in_files = (*RESOURCES, InterfacesInFile(RouterInterfaces(Routers(), Ports(), Subnets())))
        self._add("/sdnapp/export", GET=partial(intent.exporting, in_files, quotas))
        self._add("/sdnapp/apply", POST=partial(intent.applying, in_files, quotas))
        self._add("/sdnapp/status", GET=operator.status)
        self._add("/sdnapp/trace", GET=operator.trace)
        self._add("/sdnapp/drops", GET=operator.drops)
        self._add("/sdnapp/gateways", GET=operator.gateways)
        self._add("/sdnapp/restarts", GET=operator.restarts)
        self._add("/sdnapp/holds", GET=operator.holds)
        self._add("/sdnapp/chassis", GET=operator.chassis_list)
        self._add("/sdnapp/chassis/{chassis_id}", GET=operator.chassis)
        self._add("/sdnapp/flows/{chassis_id}", GET=operator.flows)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        request, who = Request(environ), None
        try:
            who = self._policy.recognised(self._identify(request))
            self._limit.check(who)
            response = self._respond(request, who)
            # What is told, to whoever wrote it or reads it, does not go with the power.
            self._store.flush()
        except UnicodeError:
            error = exc.HTTPBadRequest("The URL is not UTF-8")
            response = response_of(error, request.method, "")
        except Exception as error:
            response = response_of(error, request.method, environ.get("PATH_INFO", ""))
        response.headers["X-Openstack-Request-Id"] = f"req-{uuid4()}"
        audit.record(request, who, response, self._store.revision)
        answer: Iterable[bytes] = response(environ, start_response)
        return answer

    def _add_resource(self, resource: Resource[Any]) -> None:
        controller = Controller(resource)

        def served(**handlers: Handler) -> dict[str, Handler]:
            return {method: each for method, each in handlers.items() if method in {"GET", *resource.methods}}

        self._add(f"/v2.0/{resource.path}", **served(GET=controller.index, POST=controller.create))
        self._add(
            f"/v2.0/{resource.path}/{{row_id}}",
            **served(GET=controller.show, PUT=controller.update, DELETE=controller.delete),
        )
        for action in resource.actions:
            self._add(f"/v2.0/{resource.path}/{{row_id}}/{action}", PUT=partial(controller.act, action))
        if "tags" in resource.attributes.specs:
            tagging, path = Tagging(resource), f"/v2.0/{resource.path}/{{row_id}}/tags"
            self._add(path, GET=tagging.index, POST=tagging.create, PUT=tagging.put_all, DELETE=tagging.clear)
            self._add(f"{path}/{{tag}}", GET=tagging.show, PUT=tagging.add, DELETE=tagging.remove)

    def _add_bindings(self, bindings: Bindings) -> None:
        path = "/v2.0/ports/{row_id}/bindings"
        self._add(path, GET=bindings.index, POST=bindings.create)
        self._add(f"{path}/{{host}}", GET=bindings.show, PUT=bindings.update, DELETE=bindings.delete)
        self._add(f"{path}/{{host}}/activate", PUT=bindings.activate)

    def _add_port_forwardings(self, forwardings: PortForwardings) -> None:
        path = "/v2.0/floatingips/{row_id}/port_forwardings"
        self._add(path, GET=forwardings.index, POST=forwardings.create)
        each = {"GET": forwardings.show, "PUT": forwardings.update, "DELETE": forwardings.delete}
        self._add(f"{path}/{{forwarding_id}}", **each)

    def _add_router_actions(self) -> None:
        routers = Routers()
        interfaces, routes = RouterInterfaces(routers, Ports(), Subnets()), ExtraRoutes(routers)
        for action, handler in (
            ("add_router_interface", interfaces.add),
            ("remove_router_interface", interfaces.remove),
            ("add_extraroutes", routes.add),
            ("remove_extraroutes", routes.remove),
        ):
            self._add(f"/v2.0/routers/{{row_id}}/{action}", PUT=handler)

    def _add_quotas(self, quotas: Quotas) -> None:
        self._add("/v2.0/quotas", GET=quotas.index, POST=quotas.create)
        for key in ("project", "tenant"):
            self._add(f"/v2.0/quotas/{key}", GET=partial(own_project, key))
        self._add("/v2.0/quotas/{project_id}", GET=quotas.show, PUT=quotas.update, DELETE=quotas.delete)
        for end in ("", ".json"):
            self._add(f"/v2.0/quotas/{{project_id}}/default{end}", GET=quotas.default)
            self._add(f"/v2.0/quotas/{{project_id}}/details{end}", GET=quotas.details)

    def _add(self, path: str, **handlers: Handler) -> None:
        """Serve a path by one handler for each method; what it names in braces, the handler takes by name."""
        self._mapper.connect(None, path, path=path)
        self._handlers[path] = handlers

    def _respond(self, request: Request, who: Identity) -> Response:
        found = self._mapper.match(request.path_info.rstrip("/") or "/")
        if found is None:
            raise exc.HTTPNotFound()
        handlers = self._handlers[found.pop("path")]
        allowed = [*handlers, *(["HEAD"] if "GET" in handlers else []), "OPTIONS"]
        if request.method == "OPTIONS":
            return Response(headers={"Allow": ", ".join(allowed)}, content_type=None)
        # What is answered to HEAD is sent without its body (RFC 9110, section 9.3.2).
        handler = handlers.get("GET" if request.method == "HEAD" else request.method)
        if handler is None:
            message = f"The method {request.method} is not allowed for this resource."
            raise exc.HTTPMethodNotAllowed(message, headers={"Allow": ", ".join(allowed)})
        names = {name: value for name, value in found.items() if name not in ("action", "controller")}
        return handler(Context(self._store, self._services, who, self._policy), request, **names)
