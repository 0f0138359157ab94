"""Create, show, list, update and delete, for any resource. Each writing request is one transaction: all or nothing."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from neutron_lib import exceptions
from webob import Request, Response

from sdnapp.api import audit, bodies, listing, quotas
from sdnapp.api.errors import PolicyNotAuthorized, RevisionNumberConstraintFailed, json_response
from sdnapp.api.resource import Context, Resource, stamp_changed, stamp_new
from sdnapp.turns import Turns
from topology.draft import drafted
from topology.store import Transaction
from topology.turns import let_go

_IF_MATCH = "revision_number="


@dataclass(frozen=True)
class Controller:
    """The five actions on one resource."""

    resource: Resource[Any]

    def index(self, ctx: Context, request: Request) -> Response:
        """Answer a list request."""
        return json_response(listing.answer(ctx, self.resource, request))

    def show(self, ctx: Context, request: Request, row_id: str) -> Response:
        """Show one object."""
        row = find(ctx, self.resource, row_id)
        return json_response({self.resource.name: self._view(ctx, row, listing.asked_fields(request))})

    def create(self, ctx: Context, request: Request) -> Response:
        """Create one object, or several in one transaction."""
        resource = self.resource
        body = bodies.read_json(request, ctx.services.settings.max_body)
        given, is_bulk = bodies.objects(body, resource.name, resource.collection)
        del body
        turns = Turns()
        if not is_bulk:
            values = resource.attributes.for_create(ctx.who, given[0])
            turns.give_way()
            with ctx.store.transaction() as tx:
                row = _check_and_create(ctx, tx, resource, [values])[0]
            audit.add(request, created=[row.id])
            return json_response({resource.name: self._view(ctx, row)}, 201)
        wanted = [resource.attributes.for_create(ctx.who, each) for each in turns.between(given)]
        let_go(given, turns.give_way)
        # Written aside, as others must not see half of it, nor wait for it.
        with drafted(ctx.store, turns.give_way) as (draft, tx):
            rows = _check_and_create(replace(ctx, store=draft), tx, resource, wanted, turns)
        let_go(wanted, turns.give_way)
        audit.add(request, created=[row.id for row in rows])
        # Later objects of one request may have touched earlier ones.
        latest = (ctx.store.get(resource.row, row.id) or row for row in turns.between(rows))
        return json_response({resource.collection: (self._view(ctx, row) for row in latest)}, 201)

    def update(self, ctx: Context, request: Request, row_id: str) -> Response:
        """Change one object."""
        resource = self.resource
        body = bodies.read_json(request, ctx.services.settings.max_body)
        turns = Turns()
        values = resource.attributes.for_update(ctx.who, bodies.one_object(body, resource.name, resource.collection))
        turns.give_way()
        with ctx.store.transaction() as tx:
            row = find(ctx, self.resource, row_id)
            changed = update(ctx, tx, resource, row, values, precondition=lambda: check_revision(request, row))
        return json_response({resource.name: self._view(ctx, changed)})

    def delete(self, ctx: Context, request: Request, row_id: str) -> Response:
        """Delete one object."""
        resource = self.resource
        bodies.refuse(request, ctx.services.settings.max_body)

        def delete_one(ctx: Context, tx: Transaction) -> None:
            row = find(ctx, resource, row_id)
            delete(ctx, tx, resource, row, precondition=lambda: check_revision(request, row))

        if resource.takes_others_along:
            with drafted(ctx.store, Turns().give_way) as (draft, tx):
                delete_one(replace(ctx, store=draft), tx)
        else:
            with ctx.store.transaction() as tx:
                delete_one(ctx, tx)
        return Response(status=204)

    def act(self, action: str, ctx: Context, request: Request, row_id: str) -> Response:
        """Do one of the resource's own actions on one object."""
        resource = self.resource
        body = bodies.read_json(request, ctx.services.settings.max_body)
        with ctx.store.transaction() as tx:
            row = find(ctx, resource, row_id)
            _enforce(ctx, resource, action, row)
            check_revision(request, row)
            answer = resource.act(ctx, tx, action, row, body)
        return json_response(answer)

    def _view(self, ctx: Context, row: Any, fields: frozenset[str] = frozenset()) -> dict[str, Any]:
        return listing.show(ctx, self.resource, row, fields, listing.hidden_attributes(ctx, self.resource, row))


def _check_and_create(
    ctx: Context,
    tx: Transaction,
    resource: Resource[Any],
    wanted: Sequence[dict[str, Any]],
    turns: Turns | None = None,
) -> list[Any]:
    """Create objects from checked values, all that may be created together; return their rows."""
    quotas.check(ctx, resource, (values["project_id"] for values in wanted))
    resource.check_together(ctx, wanted)
    return [create(ctx, tx, resource, values) for values in (turns.between(wanted) if turns else wanted)]


def create(ctx: Context, tx: Transaction, resource: Resource[Any], values: dict[str, Any]) -> Any:
    """Create an object from checked values, if policy allows it; return its row."""
    given = resource.attributes.under_policy(values, is_create=True)
    ctx.policy.enforce(ctx.who, f"create_{resource.name}", resource.new_target(ctx, values), given)
    return stamp_new(ctx, tx, resource.create(ctx, tx, values), resource.first_revision)


def update(
    ctx: Context,
    tx: Transaction,
    resource: Resource[Any],
    row: Any,
    values: dict[str, Any],
    *,
    precondition: Callable[[], None] = lambda: None,
) -> Any:
    """Change an object by checked values, if policy allows it and then the precondition holds; return its row."""
    given = resource.attributes.under_policy(values, is_create=False)
    _enforce(ctx, resource, f"update_{resource.name}", row, values, given=given)
    precondition()
    changed = resource.update(ctx, tx, row, values)
    return stamp_changed(ctx, tx, changed) if changed != row else row


def delete(
    ctx: Context,
    tx: Transaction,
    resource: Resource[Any],
    row: Any,
    *,
    precondition: Callable[[], None] = lambda: None,
) -> None:
    """Delete an object, if policy allows it and then the precondition holds."""
    ctx.policy.enforce(ctx.who, f"delete_{resource.name}", resource.target(ctx, row, {}))
    precondition()
    resource.delete(ctx, tx, row)


def _enforce(
    ctx: Context,
    resource: Resource[Any],
    action: str,
    row: Any,
    values: Mapping[str, Any] | None = None,
    *,
    given: Iterable[tuple[str, Any]] = (),
) -> None:
    """Check a change of an object that the caller sees. Raises PolicyNotAuthorized, or the resource's NotFound."""
    try:
        ctx.policy.enforce(ctx.who, action, resource.target(ctx, row, values or {}), given)
    except PolicyNotAuthorized:
        if resource.is_shown_only and row.project_id != ctx.who.project_id:
            raise resource.not_found(row.id) from None
        raise


def find(ctx: Context, resource: Resource[Any], row_id: str) -> Any:
    """Return a row that the caller may see. Raises the resource's NotFound."""
    row = ctx.store.get(resource.row, row_id)
    if row is None or not resource.may_see(ctx, row):
        raise resource.not_found(row_id)
    return row


def check_revision(request: Request, row: Any) -> None:
    """Raise RevisionNumberConstraintFailed if If-Match names another revision, BadRequest if it is not understood."""
    constraints = [tag for tag in getattr(request.if_match, "etags", ()) if tag.startswith(_IF_MATCH)]
    if not constraints or not hasattr(row, "revision_number"):
        return
    if len(constraints) > 1:
        raise exceptions.BadRequest(resource="if-match", msg="Multiple revision_number etags are not supported.")
    try:
        expected = int(constraints[0].removeprefix(_IF_MATCH))
    except ValueError:
        message = "Revision number etag must be in the format of revision_number=<int>"
        raise exceptions.BadRequest(resource="if-match", msg=message) from None
    if expected != row.revision_number:
        raise RevisionNumberConstraintFailed(expected, row.revision_number)
