"""``/v2.0/{collection}/{id}/tags``: the tags of one object, of any resource that has tags.

Whoever may change an object may tag it, unless its rules say otherwise under ``delete_port:tags`` and the like. A
change of tags counts as one of the object: it gets the next revision number.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from neutron_lib import exceptions
from webob import Request, Response

from sdnapp.api import bodies, tags
from sdnapp.api.controller import check_revision, find
from sdnapp.api.errors import PolicyNotAuthorized, json_response
from sdnapp.api.resource import Context, Resource, stamp_changed


class TagNotFound(exceptions.NotFound):  # type: ignore[misc]
    """The object has no such tag."""

    message = "Tag %(tag)s could not be found."


def enforce(ctx: Context, resource: Resource[Any], row: Any, verb: str) -> None:
    """Raise PolicyNotAuthorized if the caller may not change an object's tags in this way."""
    action = f"{verb}_{resource.name}:tags"
    rule = action if ctx.policy.knows(action) else f"update_{resource.name}"
    if not ctx.policy.allows(ctx.who, rule, resource.target(ctx, row, {})):
        raise PolicyNotAuthorized(rule=f"rule:{action}")


@dataclass(frozen=True)
class Tagging:
    """The actions on the tags of one resource's objects."""

    resource: Resource[Any]

    def index(self, ctx: Context, request: Request, row_id: str) -> Response:
        """List an object's tags."""
        return json_response({"tags": list(find(ctx, self.resource, row_id).tags)})

    def show(self, ctx: Context, request: Request, row_id: str, tag: str) -> Response:
        """Answer 204 if an object has a tag."""
        tags.check_tag(tag)
        if tag not in find(ctx, self.resource, row_id).tags:
            raise TagNotFound(tag=tag)
        return Response(status=204)

    def create(self, ctx: Context, request: Request, row_id: str) -> Response:
        """Add tags."""
        added = tags.tags_in(bodies.read_json(request, ctx.services.settings.max_body))
        self._change(ctx, request, row_id, "create", lambda present: [*present, *added])
        return json_response({"tags": added})

    def put_all(self, ctx: Context, request: Request, row_id: str) -> Response:
        """Put tags in place of those that are there."""
        wanted = tags.tags_in(bodies.read_json(request, ctx.services.settings.max_body))
        self._change(ctx, request, row_id, "update", lambda present: wanted)
        return json_response({"tags": wanted})

    def add(self, ctx: Context, request: Request, row_id: str, tag: str) -> Response:
        """Add one tag."""
        tags.check_tag(tag)
        self._change(ctx, request, row_id, "update", lambda present: [*present, tag])
        return json_response(None, 201)

    def clear(self, ctx: Context, request: Request, row_id: str) -> Response:
        """Take all tags away."""
        bodies.refuse(request, ctx.services.settings.max_body)
        self._change(ctx, request, row_id, "delete", lambda present: [])
        return Response(status=204)

    def remove(self, ctx: Context, request: Request, row_id: str, tag: str) -> Response:
        """Take one tag away."""
        bodies.refuse(request, ctx.services.settings.max_body)
        tags.check_tag(tag)

        def without(present: Sequence[str]) -> Iterable[str]:
            if tag not in present:
                raise TagNotFound(tag=tag)
            return [each for each in present if each != tag]

        self._change(ctx, request, row_id, "delete", without)
        return Response(status=204)

    def _change(
        self,
        ctx: Context,
        request: Request,
        row_id: str,
        verb: str,
        wanted: Callable[[Sequence[str]], Iterable[str]],
    ) -> None:
        resource = self.resource
        with ctx.store.transaction() as tx:
            row = find(ctx, resource, row_id)
            enforce(ctx, resource, row, verb)
            check_revision(request, row)
            changed = replace(row, tags=tags.checked(resource.collection, wanted(row.tags)))
            if changed != row:
                stamp_changed(ctx, tx, changed)
