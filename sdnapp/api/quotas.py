"""Quotas: how many objects of a kind a project may have, by default and by a limit of its own.

Usage is what the store's index by project holds at the moment of asking. Nothing is ever reserved: a request is one
transaction, so that it counts and creates without another in between.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from neutron_lib import exceptions
from neutron_lib.api import converters
from neutron_lib.db import constants as sizes
from webob import Request, Response, exc

from sdnapp.api import bodies
from sdnapp.api.attributes import AttributeMap
from sdnapp.api.errors import PolicyNotAuthorized, json_response
from sdnapp.api.resource import Context, Resource
from topology.store import Transaction
from topology.values import Quota

_UNLIMITED = -1


def check(ctx: Context, resource: Resource[Any], owners: Iterable[str]) -> None:
    """Raise OverQuota if a project among the owners of new objects would have too many."""
    if not resource.has_quota:
        return
    for project_id, more in Counter(owners).items():
        check_more(ctx, resource.name, resource.row, project_id, more)


def check_more(ctx: Context, name: str, row: type[Any], project_id: str, more: int) -> None:
    """Raise OverQuota if a project would have too many objects of a kind with so many more."""
    limit = _limit(ctx, name, _own_limits(ctx, project_id))
    if limit != _UNLIMITED and ctx.store.count(row, "project", project_id) + more > limit:
        raise exceptions.OverQuota(overs=[name])


class Quotas:
    """``/v2.0/quotas``: limits and usage of projects, of all resources that have a quota."""

    def __init__(self, resources: Iterable[Resource[Any]]) -> None:
        self.resources = {resource.name: resource for resource in resources if resource.has_quota}
        limit = {
            "allow_post": False,
            "allow_put": True,
            "convert_to": converters.convert_to_int,
            "validate": {"type:range": [_UNLIMITED, sizes.DB_INTEGER_MAX_VALUE]},
            "is_visible": True,
        }
        self.attributes = AttributeMap("quotas", (), dict.fromkeys(self.resources, limit))

    def index(self, ctx: Context, request: Request) -> Response:
        """List the projects that have limits of their own."""
        _enforce(ctx, "get_quota")
        quotas = ctx.store.find(Quota, "every", True)
        return json_response(
            {
                "quotas": [
                    self._limits(ctx, quota.id) | {"project_id": quota.id, "tenant_id": quota.id} for quota in quotas
                ]
            }
        )

    def show(self, ctx: Context, request: Request, project_id: str) -> Response:
        """Show a project's limits."""
        _enforce_own(ctx, project_id)
        return json_response({"quota": self._limits(ctx, project_id)})

    def own(self, ctx: Context, project_id: str) -> dict[str, int]:
        """Return the limits that were set for a project."""
        return _own_limits(ctx, project_id)

    def replace(self, ctx: Context, tx: Transaction, project_id: str, given: dict[str, Any]) -> None:
        """Give a project these limits, and the default ones for all else.

        Raises PolicyNotAuthorized, HTTPBadRequest, InvalidInput.
        """
        _enforce(ctx, "update_quota")
        limits = self.attributes.for_update(ctx.who, given)
        self._check_usage(ctx, project_id, limits)
        tx.put(Quota(project_id, tuple(sorted(limits.items()))))
        if not limits:
            tx.delete(Quota, project_id)

    def default(self, ctx: Context, request: Request, project_id: str) -> Response:
        """Show the limits that a project has unless some were set for it."""
        _enforce_own(ctx, project_id)
        return json_response({"quota": {name: _limit(ctx, name, {}) for name in self.resources}})

    def details(self, ctx: Context, request: Request, project_id: str) -> Response:
        """Show a project's limits and usage."""
        if project_id != ctx.who.project_id and not ctx.who.is_admin:
            raise exceptions.AdminRequired(reason="Only admin is authorized to access quotas for another project")
        limits = self._limits(ctx, project_id)
        return json_response(
            {
                "quota": {
                    name: {"limit": limits[name], "used": _used(ctx, resource, project_id), "reserved": 0}
                    for name, resource in self.resources.items()
                }
            }
        )

    def create(self, ctx: Context, request: Request) -> Response:
        """Refuse: projects have quotas from the beginning."""
        raise exc.HTTPNotImplemented("POST requests are not supported on this resource.")

    def update(self, ctx: Context, request: Request, project_id: str) -> Response:
        """Set limits of a project: unless forced, none below what it has."""
        _enforce(ctx, "update_quota")
        body = bodies.one_object(bodies.read_json(request, ctx.services.settings.max_body), "quota", "quotas")
        given = {name: value for name, value in body.items() if name not in ("force", "check_limit")}
        limits = self.attributes.for_update(ctx.who, given)
        if len(project_id) > sizes.PROJECT_ID_FIELD_SIZE:
            raise exc.HTTPBadRequest(f"A project id has {sizes.PROJECT_ID_FIELD_SIZE} characters at most.")
        with ctx.store.transaction() as tx:
            if body.get("force") is not True:
                self._check_usage(ctx, project_id, limits)
            if limits:
                tx.put(Quota(project_id, tuple(sorted((_own_limits(ctx, project_id) | limits).items()))))
        return self.show(ctx, request, project_id)

    def delete(self, ctx: Context, request: Request, project_id: str) -> Response:
        """Give a project the default limits again."""
        _enforce(ctx, "delete_quota")
        bodies.refuse(request, ctx.services.settings.max_body)
        with ctx.store.transaction() as tx:
            if tx.get(Quota, project_id) is None:
                raise exceptions.TenantQuotaNotFound(tenant_id=project_id)
            tx.delete(Quota, project_id)
        return Response(status=204)

    def _limits(self, ctx: Context, project_id: str) -> dict[str, int | str]:
        own = _own_limits(ctx, project_id)
        return {name: _limit(ctx, name, own) for name in self.resources}

    def _check_usage(self, ctx: Context, project_id: str, limits: Mapping[str, int]) -> None:
        for name, limit in limits.items():
            used = _used(ctx, self.resources[name], project_id)
            if limit != _UNLIMITED and used > limit:
                raise exc.HTTPBadRequest(
                    f"Quota limit {limit} for {name} must be greater than or equal to already used {used}"
                )


def own_project(key: str, ctx: Context, request: Request) -> Response:
    """Answer ``/v2.0/quotas/project`` or, as it was once called, ``tenant``: the caller's project."""
    if not ctx.who.project_id:
        raise exceptions.QuotaMissingTenant()
    return json_response({key: {f"{key}_id": ctx.who.project_id}})


def _own_limits(ctx: Context, project_id: str) -> dict[str, int]:
    quota = ctx.store.get(Quota, project_id)
    return dict(quota.limits) if quota is not None else {}


def _limit(ctx: Context, name: str, own: Mapping[str, int]) -> int:
    return own.get(name, ctx.services.settings.quotas.get(name, _UNLIMITED))


def _used(ctx: Context, resource: Resource[Any], project_id: str) -> int:
    return ctx.store.count(resource.row, "project", project_id)


def _enforce(ctx: Context, rule: str) -> None:
    if not ctx.who.is_admin:
        raise PolicyNotAuthorized(rule=f"rule:{rule}")


def _enforce_own(ctx: Context, project_id: str) -> None:
    if project_id != ctx.who.project_id:
        _enforce(ctx, "get_quota")
