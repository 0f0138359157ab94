"""From the octets of a request to the objects in it. Whatever is sent, the answer is objects or a 4xx."""

import re
from typing import Any

from webob import Request, exc

from sdnapp.decoding import TooDeepError, TooManyError, decoded
from sdnapp.turns import Turns
from topology.turns import let_go

MOST_OBJECTS = 50_000
"""In one request. Within the octets of a body there is room for millions that say nothing, and no memory for them."""
MOST_VALUES = 300_000
"""Likewise, each member of a list or an object being one. They leave memory at once: some 10 ms."""
_INVALID = "Body contains invalid data"
_DEEPEST = 32
_DRAINED, _PIECE = 8, 64 << 10
"""How many times more than a body may have is read and forgotten, in pieces of so many octets."""
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def read_json(request: Request, limit: int) -> object:
    """Return the body as JSON, or None if it is empty; its content type does not matter, as in Neutron.

    Raises HTTPRequestEntityTooLarge beyond ``limit`` octets, HTTPBadRequest for null and what is not JSON in UTF-8.
    """
    octets = _read(request, limit)
    if not octets:
        return None
    turns = Turns()
    try:
        text = octets.decode("utf-8")
        turns.give_way()
        # Half of a surrogate pair is no character: no engine could store it.
        may_be_half = _SURROGATE.search(octets) is not None
        turns.give_way()
        body = decoded(text, _DEEPEST, MOST_VALUES, may_be_half=may_be_half)
    except TooManyError:
        raise exc.HTTPBadRequest(f"A request may hold {MOST_VALUES} values at most: make several of it.") from None
    except TooDeepError:
        raise exc.HTTPBadRequest(f"{_INVALID}: more than {_DEEPEST} levels") from None
    except (ValueError, RecursionError):
        raise exc.HTTPBadRequest(_INVALID) from None
    if body is None:
        raise exc.HTTPBadRequest(_INVALID)
    return body


def refuse(request: Request, limit: int) -> None:
    """Raise HTTPBadRequest if a request that deletes has a body."""
    if read_json(request, limit) is not None:
        raise exc.HTTPBadRequest("Request body is not supported in DELETE.")


def one_object(body: object, name: str, collection: str) -> dict[str, Any]:
    """Return the object of a body ``{name: {...}}``. Raises HTTPBadRequest."""
    found, is_bulk = objects(body, name, collection)
    if is_bulk:
        raise exc.HTTPBadRequest("Bulk operation not supported")
    return found[0]


def objects(body: object, name: str, collection: str) -> tuple[list[dict[str, Any]], bool]:
    """Return the objects of a body ``{name: {...}}`` or ``{names: [...]}``, and whether it was the latter.

    Items of a bulk body may be wrapped once more, as in ``{names: [{name: {...}}]}``. Raises HTTPBadRequest.
    """
    if body is None:
        raise exc.HTTPBadRequest(f"Unable to find '{name}' in request body")
    if not isinstance(body, dict):
        raise exc.HTTPBadRequest(_INVALID)
    if collection not in body:
        return [_object(body, name)], False
    items = body[collection]
    if not items:
        raise exc.HTTPBadRequest("Resources required")
    if not isinstance(items, list):
        raise exc.HTTPBadRequest(_INVALID)
    if len(items) > MOST_OBJECTS:
        let_go(items, Turns().give_way)
        raise exc.HTTPBadRequest(f"A request may create {MOST_OBJECTS} objects at most: make several of it.")
    turns = Turns()
    if any(item is None or isinstance(item, int | float) for item in turns.between(items)):
        raise exc.HTTPBadRequest(_INVALID)
    wrapped = (item if isinstance(item, dict) and name in item else {name: item} for item in turns.between(items))
    return [_object(item, name) for item in wrapped], True


def _object(body: dict[str, Any], name: str) -> dict[str, Any]:
    found = body.get(name)
    if found is None:
        raise exc.HTTPBadRequest(f"Unable to find '{name}' in request body")
    if not isinstance(found, dict):
        raise exc.HTTPBadRequest(f"Object '{name}' contains invalid data")
    return found


def _read(request: Request, limit: int) -> bytes:
    chunked = "chunked" in request.environ.get("HTTP_TRANSFER_ENCODING", "").lower()
    length = limit + 1 if chunked else request.content_length or 0
    too_large = exc.HTTPRequestEntityTooLarge(f"The body may have {limit} octets at most.")
    if length > limit and not chunked:
        _drain(request, min(length, _DRAINED * limit))
        raise too_large
    octets = _read_some(request, length)
    if len(octets) > limit:
        _drain(request, _DRAINED * limit)
        raise too_large
    return octets


def _read_some(request: Request, length: int) -> bytes:
    """Return so many octets of a body, fewer where it ends. Raises HTTPBadRequest where its chunks are none."""
    try:
        octets: bytes = request.environ["wsgi.input"].read(length) if length > 0 else b""
    except (ValueError, OSError) as error:
        raise exc.HTTPBadRequest(f"{_INVALID}: it cannot be read") from error
    return octets


def _drain(request: Request, most: int) -> None:
    """Take what a client sends although it is too much, or he would meet a closed connection and not see the answer.

    Who has asked first whether to send it (RFC 9110, section 10.1.1) does not.
    """
    while most > 0 and "HTTP_EXPECT" not in request.environ and (octets := _read_some(request, min(most, _PIECE))):
        most -= len(octets)
