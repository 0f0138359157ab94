"""Operations on the objects of a resource and on their tags, and the schemas of the objects."""

from collections.abc import Iterator, Sequence
from typing import Any

from sdnapp.api import policy, schemas
from sdnapp.api.controller import Controller
from sdnapp.api.openapi.operations import IF_MATCH, LINKS, WRITING, Operation, describe, of_pages, query
from sdnapp.api.resource import Resource
from sdnapp.api.schemas import NoSchemaError, Schema, list_of, one_of, record
from sdnapp.api.tagging import Tagging
from sdnapp.api.tags import LONGEST_TAG, MOST_TAGS

_READING = (400, 404)
_CHANGING = (*WRITING, 412)
_TAGS = record({"tags": list_of({"type": "string", "maxLength": LONGEST_TAG}, uniqueItems=True)}, ["tags"])


def components(resource: Resource[Any]) -> Iterator[tuple[str, Schema]]:
    """Yield the names and schemas of an object: as it is shown, created, updated. Raises NoSchemaError."""
    name, specs = _component(resource), resource.attributes.specs
    doc = (type(resource).__doc__ or "").partition("\n")[0]
    yield name, record({each: _shown(resource, each) for each in resource.view}, description=doc)
    if "POST" in resource.methods:
        given = {each: _given(resource, each, "create") for each, spec in specs.items() if spec["allow_post"]}
        yield f"{name}Create", record(given, resource.attributes.required(), additionalProperties=False)
    if "PUT" in resource.methods:
        given = {each: _given(resource, each, "update") for each, spec in specs.items() if spec["allow_put"]}
        yield f"{name}Update", record(given, additionalProperties=False)


def list_objects(controller: Controller) -> Operation:
    """Describe a list."""
    resource = controller.resource
    name, sort_keys = resource.collection, sorted(resource.attributes.sort_keys())
    filters = (_filter(resource, each) for each in resource.attributes.filters())
    parameters = [*filters, _fields(resource), *of_pages(sort_keys)]
    return describe(
        f"list_{name}",
        f"List {_words(name)}",
        name,
        record({name: list_of(_ref(resource)), f"{name}_links": LINKS}, [name]),
        (*_READING, 414),
        parameters=parameters,
    )


def show(controller: Controller) -> Operation:
    """Describe one object being shown."""
    resource = controller.resource
    return describe(
        f"show_{resource.name}",
        f"Show {_one(resource)}",
        resource.collection,
        record({resource.name: _ref(resource)}, [resource.name]),
        _READING,
        parameters=[_fields(resource)],
    )


def create(controller: Controller) -> Operation:
    """Describe objects being created: one, or several."""
    resource = controller.resource
    name, names, new = resource.name, resource.collection, _ref(resource, "Create")
    one, several = record({name: new}, [name]), record({names: list_of(new, minItems=1)}, [names])
    shown, all_shown = record({name: _whole(resource)}, [name]), record({names: list_of(_whole(resource))}, [names])
    return describe(
        f"create_{name}",
        f"Create {_one(resource)}, or several",
        names,
        {"oneOf": [shown, all_shown]},
        WRITING,
        status=201,
        body={"oneOf": [each | {"additionalProperties": False} for each in (one, several)]},
        description="Several are created in one transaction: all or none.",
    )


def update(controller: Controller) -> Operation:
    """Describe one object being changed."""
    resource = controller.resource
    return describe(
        f"update_{resource.name}",
        f"Change {_one(resource)}",
        resource.collection,
        record({resource.name: _whole(resource)}, [resource.name]),
        _CHANGING,
        body=record({resource.name: _ref(resource, "Update")}, [resource.name], additionalProperties=False),
        parameters=[IF_MATCH],
    )


def delete(controller: Controller) -> Operation:
    """Describe one object being deleted."""
    resource = controller.resource
    return describe(
        f"delete_{resource.name}",
        f"Delete {_one(resource)}",
        resource.collection,
        None,
        _CHANGING,
        status=204,
        parameters=[IF_MATCH],
    )


def act(controller: Controller, action: str) -> Operation:
    """Describe one of a resource's own actions. Raises NoSchemaError."""
    resource = controller.resource
    if action not in resource.action_schemas:
        raise NoSchemaError(f"{resource.collection}: say in `action_schemas` what {action} is sent and answers")
    sent, answered = resource.action_schemas[action]
    return describe(
        f"{resource.name}_{action}",
        f"{_words(action).capitalize()}: {_one(resource)}",
        resource.collection,
        answered,
        _CHANGING,
        body=sent,
        parameters=[IF_MATCH],
    )


def list_tags(tagging: Tagging) -> Operation:
    """Describe an object's tags being listed."""
    return _of_tags(tagging, "list", "tags", "List the tags of", _TAGS, errors=_READING)


def show_tag(tagging: Tagging) -> Operation:
    """Describe the question for a tag."""
    return _of_tags(tagging, "show", "tag", "Answer 204 if a tag is on", None, status=204, errors=_READING)


def add_tags(tagging: Tagging) -> Operation:
    """Describe tags being added."""
    return _of_tags(tagging, "add", "tags", "Add tags to", _TAGS, body=_TAGS)


def replace_tags(tagging: Tagging) -> Operation:
    """Describe tags being put in place of others."""
    return _of_tags(tagging, "replace", "tags", "Replace the tags of", _TAGS, body=_TAGS)


def add_tag(tagging: Tagging) -> Operation:
    """Describe one tag being added."""
    return _of_tags(tagging, "add", "tag", "Add one tag to", None, status=201)


def remove_tags(tagging: Tagging) -> Operation:
    """Describe all tags being taken away."""
    return _of_tags(tagging, "remove", "tags", "Take all tags off", None, status=204)


def remove_tag(tagging: Tagging) -> Operation:
    """Describe one tag being taken away."""
    return _of_tags(tagging, "remove", "tag", "Take one tag off", None, status=204)


def _of_tags(
    tagging: Tagging,
    verb: str,
    noun: str,
    summary: str,
    answer: Schema | None,
    *,
    errors: Sequence[int] = _CHANGING,
    **more: Any,
) -> Operation:
    resource = tagging.resource
    parameters = [IF_MATCH] if 412 in errors else []
    description = f"An object has {MOST_TAGS} tags at most." if more.get("body") else ""
    return describe(
        f"{verb}_{resource.name}_{noun}",
        f"{summary} {_one(resource)}",
        resource.collection,
        answer,
        errors,
        parameters=parameters,
        description=description,
        **more,
    )


def _words(name: str) -> str:
    return name.replace("_", " ")


def _one(resource: Resource[Any]) -> str:
    return f"{'an' if resource.name[0] in 'aeiou' else 'a'} {_words(resource.name)}"


def _component(resource: Resource[Any]) -> str:
    return "".join(part.capitalize() for part in resource.name.split("_"))


def _ref(resource: Resource[Any], suffix: str = "") -> Schema:
    return {"$ref": f"#/components/schemas/{_component(resource)}{suffix}"}


def _whole(resource: Resource[Any]) -> Schema:
    """Return the schema of an object with all the attributes that every caller sees."""
    hidden = f"get_{resource.name}:"
    return _ref(resource) | {"required": [name for name in resource.view if hidden + name not in resource.rules]}


def _shown(resource: Resource[Any], name: str) -> Schema:
    """Return the schema of what the view shows as an attribute. Raises NoSchemaError."""
    if name in resource.schemas:
        return resource.schemas[name]
    spec = resource.attributes.specs.get(name)
    if spec is None:
        raise NoSchemaError(f"{resource.collection}: say in `schemas` what {name} is")
    try:
        return schemas.of_spec(name, spec)
    except NoSchemaError as error:
        raise NoSchemaError(f"{resource.collection}: {error}; say in `schemas` what it is") from error


def _given(resource: Resource[Any], name: str, verb: str) -> Schema:
    """Return the schema of an attribute in a request that creates or updates. Raises NoSchemaError."""
    spec = resource.attributes.specs[name]
    shown = resource.schemas.get(name, {})
    # Where only some values are ever shown, others are refused when the object is made.
    try:
        schema = shown if "enum" in shown else schemas.of_spec(name, spec)
    except NoSchemaError:
        schema = _shown(resource, name)
    if resource.rules.get(f"{verb}_{resource.name}:{name}") == policy.admin:
        schema = schema | {"description": "For administrators"}
    default = schemas.default_of(spec) if verb == "create" else {}
    return schemas.of_request(schema) | default


def _fields(resource: Resource[Any]) -> dict[str, Any]:
    return query("fields", list_of(one_of(tuple(resource.view))), "Show these attributes and no others")


def _filter(resource: Resource[Any], name: str) -> dict[str, Any]:
    kind = _shown(resource, name).get("type") if name in resource.view else "string"
    # Filters that are compared as text take any.
    kind = kind if kind in ("boolean", "integer") else "string"
    return query(name, list_of({"type": kind}), f"Only where {name} is one of these")
