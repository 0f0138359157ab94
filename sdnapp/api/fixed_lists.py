"""Lists that are the same for every project and never change: availability zones, service providers."""

from collections.abc import Mapping, Sequence
from types import ModuleType

from webob import Request, Response

from sdnapp.api import listing
from sdnapp.api.errors import json_response
from sdnapp.api.resource import Context


def fixed_list(definition: ModuleType, rows: Sequence[Mapping[str, str]], ctx: Context, request: Request) -> Response:
    """Answer a list request of a reader; neutron-lib's definition says what the rows may be filtered by."""
    specs = definition.RESOURCE_ATTRIBUTE_MAP[definition.COLLECTION_NAME]
    valid = frozenset(name for name, spec in specs.items() if spec.get("is_filter"))
    wanted, fields = listing.asked_filters(request, valid), listing.asked_fields(request)
    shown = [
        {name: value for name, value in row.items() if not fields or name in fields}
        for row in rows
        if "reader" in ctx.who.roles and all(row[name] in values for name, values in wanted.items())
    ]
    return json_response({definition.COLLECTION_NAME: shown})
