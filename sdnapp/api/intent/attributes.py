"""The attributes of an object as a document has them: which can be set, what they are, what they are if left out."""

from collections.abc import Mapping
from typing import Any

from neutron_lib import constants

from sdnapp.api import listing
from sdnapp.api.intent.declaration import InFile
from sdnapp.api.policy import Target
from sdnapp.api.resource import Context, Resource
from sdnapp.turns import Turns

_OWNERS = frozenset({"project_id", "tenant_id"})
_EMPTY: tuple[Any, ...] = (None, "", [], {})


def in_file(resource: Resource[Any]) -> InFile:
    """Return what a resource declares, of one that does."""
    assert resource.in_file is not None, resource.name
    return resource.in_file


def settable(resource: Resource[Any]) -> list[str]:
    """Return the attributes that a document may name, in the order of the resource's map; tags come last."""
    specs = resource.attributes.specs
    names = [name for name, spec in specs.items() if spec["allow_post"] or spec["allow_put"]]
    return [*(name for name in names if name not in _OWNERS and name != "tags"), *(["tags"] if "tags" in specs else [])]


def is_fixed(resource: Resource[Any], name: str) -> bool:
    """Return whether an attribute is set at creation and never again."""
    if name == "tags" or name in in_file(resource).replaceable:
        return False
    return "PUT" not in resource.methods or not resource.attributes.specs[name]["allow_put"]


def rows_of(ctx: Context, resource: Resource[Any], project_id: str, turns: Turns) -> list[Any]:
    """Return the objects of a project that a document may hold, as far as the caller sees them."""
    declared = in_file(resource)
    found = declared.found(ctx, project_id) if declared.found else ctx.store.find(resource.row, "project", project_id)
    return [row for row in turns.between(found) if not declared.why_not(row) and resource.may_see(ctx, row)]


def current(ctx: Context, resource: Resource[Any], row: Any) -> dict[str, Any]:
    """Return the attributes that can be set, as they are, without those that the caller may not see."""
    shown, hidden = in_file(resource).shown, listing.hidden_attributes(ctx, resource, row)
    return {
        name: (shown.get(name) or resource.view[name])(ctx, row)
        for name in settable(resource)
        if name in resource.view and name not in hidden
    }


def expected(
    ctx: Context, resource: Resource[Any], row: Any, present: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the attributes as they should be of an object that is there and for which a document gives ``given``.

    What is left out has its default. What the service chooses stays as it is, as does what the caller may not change.
    """
    declared = in_file(resource)
    values = {**present, **{name: value for name, value in given.items() if name in present}}
    target = resource.target(ctx, row, {})
    # Defaults that follow from others come in the order in which they are declared.
    for name in [*(name for name in present if name not in declared.defaults), *declared.defaults]:
        if name in given or name not in present or name in declared.chosen or name == declared.parent:
            continue
        value = default(ctx, resource, row, name, values)
        if value != present[name] and may_set(ctx, resource, f"update_{resource.name}", target, name=name, value=value):
            values[name] = value
    return values


def default(ctx: Context, resource: Resource[Any], row: Any, name: str, values: Mapping[str, Any]) -> Any:
    """Return what an attribute of an object is where a document leaves it out and the rest is as in ``values``."""
    if name in in_file(resource).defaults:
        return in_file(resource).defaults[name](ctx, row, values)
    spec = resource.attributes.specs[name]
    if name != "tags" and "default" not in spec:
        return values[name]
    value = spec.get("default", constants.ATTR_NOT_SPECIFIED)
    if value is constants.ATTR_NOT_SPECIFIED or value in _EMPTY:
        is_one_reference = name in in_file(resource).references and isinstance(values[name], str)
        return type(values[name])() if isinstance(values[name], list | dict | str) and not is_one_reference else None
    return value


def may_set(ctx: Context, resource: Resource[Any], action: str, target: Target, *, name: str, value: Any) -> bool:
    """Return whether the caller may give an attribute a value, as far as that attribute is concerned."""
    if "enforce_policy" not in resource.attributes.specs[name]:
        return True
    return ctx.policy.allows(ctx.who, f"{action}:{name}", target, value)
