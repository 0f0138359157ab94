"""Lists: filters, fields, sort keys and pages, by Neutron's rules, without scans where an index has the answer."""

import sys
import urllib.parse
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge, nsmallest
from ipaddress import ip_network
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

from neutron_lib import exceptions
from webob import Request, exc

from sdnapp.api.errors import invalid_input
from sdnapp.api.policy import Target
from sdnapp.api.resource import Context, Filter, Resource
from sdnapp.api.tags import TAG_ATTRIBUTES, tag_filters
from sdnapp.turns import Turns

Groups = Sequence[Sequence[str]]
"""Sorted ids, in groups that may overlap: as indexes have them, and so without a copy."""
_NOT_FILTERS = frozenset({"fields", "sort_key", "sort_dir", "limit", "marker", "page_reverse"})


@dataclass(frozen=True)
class Query:
    """What a list request asks for. ``sorts`` are (attribute, ascending); ``limit`` None: all."""

    filters: tuple[Filter, ...]
    fields: frozenset[str]
    sorts: tuple[tuple[str, bool], ...]
    limit: int | None
    marker: str | None
    page_reverse: bool


class _Descending:
    """Sorts the other way round."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __lt__(self, other: "_Descending") -> bool:
        return bool(other.value < self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Descending) and bool(self.value == other.value)

    def __hash__(self) -> int:
        return hash(self.value)


def hidden_attributes(ctx: Context, resource: Resource[Any], row: Any) -> frozenset[str]:
    """Return the attributes of an object that the caller may not see."""
    always, perhaps = _hidden(ctx, resource)
    if not perhaps:
        return always
    target = resource.target(ctx, row, {})
    return always.union(
        name for name in perhaps if not ctx.policy.allows(ctx.who, f"get_{resource.name}:{name}", target)
    )


def _hidden(ctx: Context, resource: Resource[Any]) -> tuple[frozenset[str], frozenset[str]]:
    """Return what the caller sees of no object, and what it depends on the object whether he sees.

    By default what has a rule of its own is for administrators, or services, whatever the object: only an operator's
    rule has to be asked each time.
    """
    if ctx.who.is_admin:
        return frozenset(), frozenset()

    def find() -> tuple[frozenset[str], frozenset[str]]:
        prefix = f"get_{resource.name}:"
        ruled = frozenset(rule.removeprefix(prefix) for rule in resource.rules if rule.startswith(prefix))
        perhaps = frozenset(name for name in ruled if ctx.policy.changes(prefix + name))
        seen = frozenset(name for name in ruled - perhaps if ctx.policy.allows(ctx.who, prefix + name, Target("")))
        return ruled - perhaps - seen, perhaps

    found: tuple[frozenset[str], frozenset[str]] = ctx.once(f"hidden {resource.name}", find)
    return found


def asked_fields(request: Request) -> frozenset[str]:
    """Return the attributes that a request wants to see; none means all."""
    return frozenset(name for name in request.GET.getall("fields") if name)


def asked_filters(request: Request, valid: frozenset[str]) -> dict[str, list[str]]:
    """Return what a list is filtered by: attributes and their values. Raises HTTPBadRequest if one is not valid."""
    given = {name: values for name, values in request.GET.dict_of_lists().items() if name not in _NOT_FILTERS}
    if unknown := [name for name in given if name not in valid]:
        raise exc.HTTPBadRequest(f"{unknown} is invalid attribute for filtering")
    return given


def show(
    ctx: Context, resource: Resource[Any], row: Any, fields: frozenset[str], hidden: frozenset[str]
) -> dict[str, Any]:
    """Return the view of a row."""
    return {
        name: getter(ctx, row)
        for name, getter in resource.view.items()
        if name not in hidden and (not fields or name in fields)
    }


def read_query(ctx: Context, resource: Resource[Any], request: Request) -> Query:
    """Return what a list request asks for. Raises BadRequest, InvalidInput, HTTPBadRequest."""
    limit = _limit(request)
    return Query(
        filters=tuple(_filters(ctx, resource, request)),
        fields=asked_fields(request),
        sorts=_sorts(resource, request),
        limit=limit or None,
        marker=(request.GET.get("marker") or None) if limit else None,
        page_reverse=request.GET.get("page_reverse", "").lower() == "true",
    )


def answer(
    ctx: Context, resource: Resource[Any], request: Request, among: Sequence[str] | None = None
) -> dict[str, Any]:
    """Return the body for a list request: the objects, to be read once, and, with a limit, links to the pages beside.

    ``among``: the sorted ids of all that can be in it, where these are fewer than the caller may see. Without a limit,
    the objects are as all of them were at one moment, though others have their turn meanwhile; what is no attribute of
    theirs, such as a status, is as of the moment in which it is written down.
    """
    query = read_query(ctx, resource, request)
    _marker(ctx, resource, query.marker)
    resource.before_list(ctx, request.GET)
    rows = _page(ctx, resource, query, among)
    shown = (
        show(ctx, resource, row, query.fields, hidden_attributes(ctx, resource, row)) for row in Turns().between(rows)
    )
    body: dict[str, Any] = {resource.collection: shown}
    if links := _links(request, query, rows):
        body[f"{resource.collection}_links"] = links
    return body


def _limit(request: Request) -> int:
    text = request.GET.get("limit", "0")
    try:
        limit = int(text)
    except ValueError:
        limit = -1
    if limit < 0:
        raise exceptions.BadRequest(resource="limit", msg=f"Limit must be an integer 0 or greater and not '{text}'")
    # More than fit into memory are all that there are; no list takes a larger number.
    return min(limit, sys.maxsize)


def _sorts(resource: Resource[Any], request: Request) -> tuple[tuple[str, bool], ...]:
    keys = [key for key in request.GET.getall("sort_key") if key]
    directions = [direction for direction in request.GET.getall("sort_dir") if direction]
    if len(keys) != len(directions):
        raise exc.HTTPBadRequest("The number of sort_keys and sort_dirs must be same")
    valid = resource.attributes.sort_keys()
    if unknown := [key for key in keys if key not in valid]:
        raise exc.HTTPBadRequest(f"{unknown} is invalid attribute for sort_keys")
    if wrong := [direction for direction in directions if direction not in ("asc", "desc")]:
        raise exc.HTTPBadRequest(f"{wrong} is invalid value for sort_dirs, valid value is 'asc' and 'desc'")
    return tuple(zip(keys, (direction == "asc" for direction in directions), strict=True))


def _filters(ctx: Context, resource: Resource[Any], request: Request) -> Iterator[Filter]:
    given = asked_filters(request, frozenset(resource.attributes.filters()))
    always, perhaps = _hidden(ctx, resource)
    for name, values in given.items():
        if name in always:
            yield Filter(lambda ctx, row: False, "id", ())
        elif name in perhaps:
            yield _if_seen(resource, name, _equals(resource, name, values))
        elif name in TAG_ATTRIBUTES:
            yield from tag_filters(name, values)
        else:
            yield resource.special_filter(name, values) or _equals(resource, name, values)


def _if_seen(resource: Resource[Any], name: str, condition: Filter) -> Filter:
    """Let nobody guess, by filters, the value of an attribute that he does not see."""
    return condition._replace(
        matches=lambda ctx, row: name not in hidden_attributes(ctx, resource, row) and condition.matches(ctx, row)
    )


def _equals(resource: Resource[Any], name: str, values: list[str]) -> Filter:
    getter = resource.unseen.get(name) or resource.view[name]
    wanted: frozenset[Any] = frozenset(_converted(resource, name, value) for value in values)
    if "convert_to" in resource.attributes.specs[name]:
        return Filter(lambda ctx, row: getter(ctx, row) in wanted, resource.indexes.get(name), tuple(wanted))

    def matches(ctx: Context, row: Any) -> bool:
        value = getter(ctx, row)
        return value is not None and str(value) in wanted

    # Indexes leave out rows without a value.
    index = None if "" in wanted else "id" if name == "id" else resource.indexes.get(name)
    return Filter(matches, index, tuple(wanted))


def _converted(resource: Resource[Any], name: str, value: str) -> Any:
    convert = resource.attributes.specs[name].get("convert_to")
    if convert is None:
        return value
    try:
        converted = convert(value)
        if name == "cidr":
            return str(ip_network(converted, strict=False))
        hash(converted)
    except exceptions.NeutronException:
        raise
    except Exception as error:
        raise invalid_input(f"'{value}' is not a value of {name}: {error}") from error
    return converted


def _page(ctx: Context, resource: Resource[Any], query: Query, among: Sequence[str] | None) -> list[Any]:
    def groups() -> Groups:
        return [among] if among is not None else _candidates(ctx, resource, query.filters)

    marker = _marker(ctx, resource, query.marker)
    if not query.sorts or query.sorts == (("id", True),):
        rows = _page_by_id(ctx, resource, query, groups, marker)
    else:
        rows = _page_by_keys(ctx, resource, query, groups, marker)
    return rows[::-1] if query.page_reverse and query.limit else rows


def _candidates(ctx: Context, resource: Resource[Any], filters: Iterable[Filter]) -> Groups:
    """Return groups of sorted ids among which all matching rows are: the fewest that an index gives."""
    best: Groups | None = None
    for condition in filters:
        if condition.by is None:
            continue
        found = [
            (key,) if condition.by == "id" else ctx.store.find_ids(resource.row, condition.by, key)
            for key in condition.keys
        ]
        if best is None or sum(map(len, found)) < sum(map(len, best)):
            best = found
    if best is not None:
        return best
    rule = f"get_{resource.name}"
    # Who may see what is nobody's sees all. What an operator's rule says is known of each object only.
    sees_others = ctx.who.is_admin or ctx.policy.changes(rule) or ctx.policy.allows(ctx.who, rule, Target(""))
    return [ctx.store.find_ids(resource.row, "every", True)] if sees_others else resource.related_ids(ctx)


def _in_order(groups: Groups, marker: str | None = None, *, backwards: bool = False) -> Iterator[str]:
    """Yield the ids of all groups in order, each once, from behind a marker on, without a copy of any."""
    parts = [_beyond(group, marker, backwards) for group in groups]
    if len(parts) == 1:
        return parts[0]
    return (row_id for row_id, _ in groupby(merge(*parts, reverse=backwards)))


def _beyond(group: Sequence[str], marker: str | None, backwards: bool) -> Iterator[str]:
    if backwards:
        last = len(group) if marker is None else bisect_left(group, marker)
        return (group[position] for position in range(last - 1, -1, -1))
    first = 0 if marker is None else bisect_right(group, marker)
    return (group[position] for position in range(first, len(group)))


def _marker(ctx: Context, resource: Resource[Any], marker: str | None) -> Any:
    if marker is None:
        return None
    row = ctx.store.get(resource.row, marker)
    if row is None or not resource.may_see(ctx, row):
        raise resource.not_found(marker)
    return row


def _there(ctx: Context, resource: Resource[Any], ids: Iterable[str]) -> Iterator[Any]:
    return (row for row_id in ids if (row := ctx.store.get(resource.row, row_id)) is not None)


def _at_one_moment(ctx: Context, resource: Resource[Any], groups: Callable[[], Groups]) -> list[Any]:
    """Return the rows of all groups as they are at one moment, though others have their turn meanwhile."""
    revision = ctx.store.revision
    rows = list(Turns().between(_there(ctx, resource, _in_order(groups()))))
    if ctx.store.revision != revision:
        # Somebody has written. What has just been looked at is in the processor's caches: it takes far less time now.
        rows = list(_there(ctx, resource, _in_order(groups())))
    return rows


def _matching(ctx: Context, resource: Resource[Any], query: Query, rows: Iterable[Any]) -> Iterator[Any]:
    for row in Turns().between(rows):
        if resource.may_see(ctx, row) and all(condition.matches(ctx, row) for condition in query.filters):
            yield row


def _page_by_id(
    ctx: Context, resource: Resource[Any], query: Query, groups: Callable[[], Groups], marker: Any
) -> list[Any]:
    if not query.limit:
        return list(_matching(ctx, resource, query, _at_one_moment(ctx, resource, groups)))
    after = marker.id if marker is not None else None
    rows = _there(ctx, resource, _in_order(groups(), after, backwards=query.page_reverse))
    return list(islice(_matching(ctx, resource, query, rows), query.limit))


def _page_by_keys(
    ctx: Context, resource: Resource[Any], query: Query, groups: Callable[[], Groups], marker: Any
) -> list[Any]:
    sorts = query.sorts if "id" in dict(query.sorts) else (*query.sorts, ("id", True))
    backwards = query.page_reverse and query.limit
    getters = [
        (resource.unseen.get(name) or resource.view[name], ascending != bool(backwards)) for name, ascending in sorts
    ]

    def key(row: Any) -> tuple[Any, ...]:
        parts = []
        for getter, ascending in getters:
            value = getter(ctx, row)
            part = (value is not None, value if value is not None else "")
            parts.append(part if ascending else _Descending(part))
        return tuple(parts)

    rows = _at_one_moment(ctx, resource, groups)
    keyed: Iterable[tuple[tuple[Any, ...], Any]] = ((key(row), row) for row in _matching(ctx, resource, query, rows))
    if marker is not None:
        after = key(marker)
        keyed = (pair for pair in keyed if after < pair[0])
    chosen = nsmallest(query.limit, keyed, key=itemgetter(0)) if query.limit else Turns().in_order(keyed, itemgetter(0))
    return [row for _, row in chosen]


def _links(request: Request, query: Query, rows: Sequence[Any]) -> list[dict[str, str]]:
    if not query.limit:
        return []
    links = []
    is_last = len(rows) < query.limit
    if query.page_reverse or not is_last:
        links.append({"rel": "next", "href": _link(request, rows[-1].id if rows else None, reverse=False)})
    if not query.page_reverse or not is_last:
        links.append({"rel": "previous", "href": _link(request, rows[0].id if rows else None, reverse=True)})
    return links


def _link(request: Request, marker: str | None, reverse: bool) -> str:
    parameters = [(name, value) for name, value in request.GET.items() if name not in ("marker", "page_reverse")]
    if marker is not None:
        parameters.append(("marker", marker))
    if reverse:
        parameters.append(("page_reverse", "True"))
    url = urllib.parse.urlsplit(request.path_url)
    scheme = request.headers.get("X-Forwarded-Proto") or url.scheme
    return f"{urllib.parse.urlunsplit(url._replace(scheme=scheme))}?{urllib.parse.urlencode(parameters)}"
