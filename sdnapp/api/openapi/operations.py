"""The parts of an operation, as the OpenAPI specification 3.1 calls them: parameters, bodies, answers, errors."""

from collections.abc import Sequence
from typing import Any

from sdnapp.api.schemas import BOOLEAN, COUNT, STRING, Schema, list_of, one_of, record

Operation = dict[str, Any]

ERRORS = {
    400: ("BadRequest", "It cannot be understood, or asks for what cannot be; the message says what and why"),
    403: ("Forbidden", "The caller's roles do not allow this"),
    404: ("NotFound", "It is not there, or not for the caller to see"),
    409: ("Conflict", "It is in use, taken, or at odds with something else"),
    412: ("PreconditionFailed", "If-Match names another revision than the present one"),
    413: ("TooLarge", "The body is larger than what is read"),
    414: ("TooLong", "The URL is longer than what is read"),
    429: ("TooManyRequests", "The project asks too often; Retry-After says for how many seconds to wait"),
    501: ("NotImplemented", "There is no such thing to do"),
    503: ("Unavailable", "No address or number is left, or the store does not answer; try again later"),
}
"""By status: the name of the answer in the document, and what it means."""
READING = (400, 403, 404, 429)
WRITING = (400, 403, 404, 409, 413, 429, 503)

ERROR = record(
    {"NeutronError": record(dict.fromkeys(("type", "message", "detail"), STRING), ("type", "message", "detail"))},
    ["NeutronError"],
)
LINKS = list_of(record({"rel": one_of(("next", "previous")), "href": STRING}, ("rel", "href")))
"""What a page of a list says of the pages beside."""
IF_MATCH: dict[str, Any] = {
    "name": "If-Match",
    "in": "header",
    "description": "Refuse unless this is the object's revision still",
    "schema": {"type": "string", "pattern": "^revision_number=[0-9]{1,18}$"},
}


def as_json(schema: Schema) -> dict[str, Any]:
    """Return the content of a body that is JSON."""
    return {"application/json": {"schema": schema}}


def query(name: str, schema: Schema, description: str) -> dict[str, Any]:
    """Return a parameter of a query."""
    return {"name": name, "in": "query", "description": description, "schema": schema}


def of_pages(sort_keys: Sequence[str]) -> list[dict[str, Any]]:
    """Return the parameters by which a list is sorted and cut into pages."""
    parameters = [
        query("limit", COUNT, "At most so many, with links to the pages beside; 0 is all"),
        query("marker", STRING, "With a limit: begin after the object with this id"),
        query("page_reverse", BOOLEAN, "With a limit: go towards the beginning"),
    ]
    if sort_keys:
        parameters += [
            query("sort_key", list_of(one_of(sort_keys)), "Sort by these; each needs a `sort_dir`"),
            query("sort_dir", list_of(one_of(("asc", "desc"))), "Which way to sort, for each `sort_key`"),
        ]
    return parameters


def describe(
    operation_id: str,
    summary: str,
    tag: str,
    answer: Schema | None,
    errors: Sequence[int] = (),
    *,
    status: int = 200,
    body: Schema | None = None,
    parameters: Sequence[dict[str, Any]] = (),
    description: str = "",
) -> Operation:
    """Return an operation. Without ``answer`` it answers without a body."""
    good: dict[str, Any] = {"description": "Done"}
    if answer is not None:
        good["content"] = as_json(answer)
    failed = {str(each): {"$ref": f"#/components/responses/{ERRORS[each][0]}"} for each in errors}
    operation: Operation = {
        "operationId": operation_id,
        "summary": summary,
        "tags": [tag],
        "responses": {str(status): good} | failed,
    }
    if description:
        operation["description"] = description
    if parameters:
        operation["parameters"] = list(parameters)
    if body is not None:
        operation["requestBody"] = {"required": True, "content": as_json(body)}
    return operation
