"""``/sdnapp/export`` and ``/sdnapp/apply``: a project's intent as one document, for whoever may see and change it."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from webob import Request, Response

from sdnapp.api import audit, bodies
from sdnapp.api.errors import json_response, status_of
from sdnapp.api.flags import flag
from sdnapp.api.intent import application, places
from sdnapp.api.intent.document import in_order, read
from sdnapp.api.intent.export import export
from sdnapp.api.quotas import Quotas
from sdnapp.api.resource import Context, Resource
from sdnapp.turns import Turns
from topology.turns import GiveWay

Handler = Callable[[Sequence[Resource[Any]], Quotas, Context, Request], Response]


def _placing(handler: Handler) -> Handler:
    """Answer errors with their place as ``detail``, under the status that a single request would get."""

    @wraps(handler)
    def placed(resources: Sequence[Resource[Any]], quotas: Quotas, ctx: Context, request: Request) -> Response:
        try:
            return handler(resources, quotas, ctx, request)
        except places.PlaceError as error:
            status = status_of(error.cause) if error.cause is not None else 400
            kind = type(error.cause).__name__ if error.cause is not None else "HTTPBadRequest"
            body = {"type": kind, "message": str(error), "detail": places.text(error.place)}
            return json_response({"NeutronError": body}, status)

    return placed


@_placing
def exporting(resources: Sequence[Resource[Any]], quotas: Quotas, ctx: Context, request: Request) -> Response:
    """Answer ``GET /sdnapp/export?project=``."""
    project_id = _project(ctx, request.GET.get("project"), ("project",))
    document = export(ctx, resources, quotas, project_id)
    response = json_response(document)
    _forget(document, Turns().give_way)
    return response


@_placing
def applying(resources: Sequence[Resource[Any]], quotas: Quotas, ctx: Context, request: Request) -> Response:
    """Answer ``POST /sdnapp/apply?dry_run=&keep=``."""
    options = application.Options(flag(request, "dry_run"), flag(request, "keep"))
    turns = Turns()
    body = bodies.read_json(request, ctx.services.settings.max_body)
    document = read(body, in_order(resources), turns)
    project_id = _project(ctx, document.project, ("project",))
    audit.add(request, target=project_id, dry_run=options.dry_run)
    try:
        changes = application.apply(ctx, resources, quotas, document, turns, project_id=project_id, options=options)
        audit.add(request, changes=len(changes))
        told = {"project": project_id, "dry_run": options.dry_run, "revision": ctx.store.revision, "changes": changes}
        response = json_response(told)
        _forget(told, turns.give_way)
    finally:
        # What is told of the changes may be parts of these.
        document.let_go(turns.give_way)
        if isinstance(body, dict):
            _forget(body, turns.give_way)
    return response


def _project(ctx: Context, wanted: str | None, place: places.Place) -> str:
    """Return the project that a request is about: the caller's own, or for an administrator any."""
    if wanted and wanted != ctx.who.project_id and not ctx.who.is_admin:
        raise places.PlaceError(place, f"is {wanted}, and you are a member of {ctx.who.project_id or 'none'}")
    if found := wanted or ctx.who.project_id:
        return found
    raise places.PlaceError(place, "is not known: name a project")


def _forget(entries: dict[str, Any], give_way: GiveWay) -> None:
    """Let go of what has been encoded, object by object: the end of 16,000 ports takes 30 ms."""
    for several in entries.values():
        while isinstance(several, list) and several and isinstance(several[-1], dict):
            _forget(several.pop(), give_way)
            give_way()
