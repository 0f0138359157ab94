"""Tags: short texts that users hang on objects, and find them by.

A resource whose attributes include ``TAG_ATTRIBUTES`` has tags: its rows have a field ``tags``, sorted, and an index
``tag``; ``tagging`` serves them. Limits are Neutron's.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from neutron_lib import exceptions
from neutron_lib.api import validators

from sdnapp.api.attributes import LONGEST_LIST, Specs
from sdnapp.api.errors import invalid_input
from sdnapp.api.resource import Context, Filter

LONGEST_TAG = 255
MOST_TAGS = 50

_FILTER = {"allow_post": False, "allow_put": False, "is_visible": False, "is_filter": True}
TAG_ATTRIBUTES: Specs = {
    "tags": _FILTER | {"is_visible": True},
    "tags-any": _FILTER,
    "not-tags": _FILTER,
    "not-tags-any": _FILTER,
}
TAGS_AT_CREATION: Specs = TAG_ATTRIBUTES | {
    "tags": {
        "allow_post": True,
        "allow_put": False,
        "validate": {"type:list_of_unique_strings": LONGEST_TAG},
        "default": [],
        "is_visible": True,
        "is_filter": True,
    },
}


def show(ctx: Context, row: Any) -> list[str]:
    """Return the tags of a row."""
    return list(row.tags)


def checked(collection: str, tags: Iterable[str]) -> tuple[str, ...]:
    """Return tags as a row keeps them. Raises BadRequest if they are too many for one object."""
    kept = tuple(sorted(set(tags)))
    if len(kept) > MOST_TAGS:
        message = f"The number of tags exceed the per-resource limit of {MOST_TAGS}"
        raise exceptions.BadRequest(resource=collection, msg=message)
    return kept


def check_tag(tag: object) -> None:
    """Raise InvalidInput for what is no tag."""
    if message := validators.validate_string(tag, LONGEST_TAG):
        raise invalid_input(message)


def tags_in(body: object) -> list[str]:
    """Return the tags of a body ``{"tags": [...]}``. Raises InvalidInput."""
    if not isinstance(body, dict) or "tags" not in body:
        raise invalid_input("Invalid tags body")
    tags = body["tags"]
    if isinstance(tags, list) and len(tags) > LONGEST_LIST:
        raise invalid_input(f"more than {LONGEST_LIST} tags")
    if message := validators.validate_list_of_unique_strings(tags, LONGEST_TAG):
        raise invalid_input(message)
    found: list[str] = tags
    return found


def tag_filters(name: str, values: Iterable[str]) -> Iterator[Filter]:
    """Yield the conditions of one of the four names of ``TAG_ATTRIBUTES``.

    Tags are separated by commas: an object must have all (``tags``), one at least (``tags-any``), not all
    (``not-tags``), none (``not-tags-any``).
    """
    wanted = frozenset(tag for value in values for tag in value.split(","))
    match name:
        case "tags":
            for tag in wanted:
                yield _has(tag)
        case "tags-any":
            yield Filter(lambda ctx, row: not wanted.isdisjoint(row.tags), "tag", tuple(wanted))
        case "not-tags":
            yield Filter(lambda ctx, row: not wanted.issubset(row.tags))
        case "not-tags-any":
            yield Filter(lambda ctx, row: wanted.isdisjoint(row.tags))


def _has(tag: str) -> Filter:
    return Filter(lambda ctx, row: tag in row.tags, "tag", (tag,))
