"""What a request's body may hold: neutron-lib's attribute maps, applied without Neutron.

Each resource merges the maps of the extensions that it serves. Values are checked and converted attribute by attribute;
a validator that stumbles over an odd JSON type answers 400 like the others.
"""

from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any

from neutron_lib import constants, exceptions
from neutron_lib.api import attributes as lib
from neutron_lib.db import constants as sizes
from oslo_config import cfg
from webob import exc

from sdnapp.api.identity import Identity
from sdnapp.api.services import Settings

Specs = dict[str, dict[str, Any]]

LONGEST_LIST = 1000
"""Some validators compare each item with all before it, and the loop waits."""
MOST_WITHIN = 10_000
"""Values within one attribute, counted as they are: some validators say all of what they refuse."""

STANDARD_ATTRIBUTES: Specs = {
    "description": {
        "allow_post": True,
        "allow_put": True,
        "validate": {"type:string": sizes.DESCRIPTION_FIELD_SIZE},
        "is_visible": True,
        "default": "",
        "is_filter": True,
    },
    "revision_number": {
        "allow_post": False,
        "allow_put": False,
        "is_visible": True,
        "default": None,
        "is_filter": True,
    },
    "created_at": {"allow_post": False, "allow_put": False, "is_visible": True, "default": None},
    "updated_at": {"allow_post": False, "allow_put": False, "is_visible": True, "default": None},
}
"""Of standard-attr-description, -revisions and -timestamp, which neutron-lib does not hold."""


def is_set(value: object) -> bool:
    """Return whether the client gave a value: neither left out nor null."""
    return value is not None and value is not constants.ATTR_NOT_SPECIFIED


def register_options(settings: Settings) -> None:
    """Give neutron-lib's validators the oslo.config options that they read, which Neutron would have registered."""
    options = (
        cfg.IntOpt("max_allowed_address_pair", default=10),
        cfg.StrOpt("base_mac", default="fa:16:3e:00:00:00"),
        cfg.StrOpt("dns_domain", default="openstacklocal"),
        cfg.BoolOpt("sg_filter_ethertypes", default=False),
    )
    cfg.CONF.register_opts(options)
    cfg.CONF.set_override("max_allowed_address_pair", settings.max_address_pairs)


class AttributeMap:
    """The attributes of one resource, and how a body becomes values."""

    def __init__(self, collection: str, definitions: Iterable[ModuleType], own: Mapping[str, dict[str, Any]]) -> None:
        self.specs: Specs = {}
        for definition in definitions:
            for name, spec in definition.RESOURCE_ATTRIBUTE_MAP.get(collection, {}).items():
                self.specs[name] = dict(spec)
        self.specs |= own
        lib.populate_project_info(self.specs)
        self._all = lib.AttributeInfo(self.specs)
        self._each = {name: lib.AttributeInfo({name: spec}) for name, spec in self.specs.items()}

    def for_create(self, who: Identity, given: dict[str, Any]) -> dict[str, Any]:
        """Return checked and converted values with defaults; ATTR_NOT_SPECIFIED where business rules decide.

        Raises HTTPBadRequest or InvalidInput.
        """
        values = _few(given)
        self._all.populate_project_id(who, values, True)
        self._all.verify_attributes(values)
        self._all.fill_post_defaults(values, exc_cls=exc.HTTPBadRequest)
        self._convert(values)
        return values

    def for_update(self, who: Identity, given: dict[str, Any]) -> dict[str, Any]:
        """Return the checked and converted values of those attributes that were given.

        Raises HTTPBadRequest or InvalidInput.
        """
        values = _few(given)
        self._all.populate_project_id(who, values, False)
        self._all.verify_attributes(values)
        for name, spec in self.specs.items():
            if name in values and not spec["allow_put"]:
                raise exc.HTTPBadRequest(f"Cannot update read-only attribute {name}")
        self._convert(values)
        return values

    def converted(self, name: str, value: Any) -> Any:
        """Return the checked and converted value of one attribute. Raises HTTPBadRequest or InvalidInput."""
        values = {name: value}
        self._convert(values)
        return values[name]

    def under_policy(self, values: Mapping[str, Any], is_create: bool) -> Iterator[tuple[str, Any]]:
        """Yield those values that have a policy of their own and were given, in the order of the map."""
        for name, spec in self.specs.items():
            value = values.get(name, constants.ATTR_NOT_SPECIFIED)
            if value is constants.ATTR_NOT_SPECIFIED or "enforce_policy" not in spec:
                continue
            if is_create and "default" in spec and value == spec["default"]:
                continue
            yield name, value

    def filters(self) -> Iterator[str]:
        """Yield the names of the attributes that lists may be filtered by."""
        return (name for name, spec in self.specs.items() if spec.get("is_filter"))

    def required(self) -> Iterator[str]:
        """Yield the names of the attributes that a new object must be given: their defaults, if any, are refused."""
        for name, spec in self.specs.items():
            if not spec["allow_post"] or name in ("tenant_id", "project_id"):
                continue
            try:
                self._convert({name: spec["default"]})
            except (KeyError, exceptions.NeutronException, exc.HTTPException):
                yield name

    def sort_keys(self) -> frozenset[str]:
        """Return the names of the attributes that lists may be sorted by."""
        return frozenset(name for name, spec in self.specs.items() if spec.get("is_sort_key"))

    def _convert(self, values: dict[str, Any]) -> None:
        for name, info in self._each.items():
            value = values.get(name, constants.ATTR_NOT_SPECIFIED)
            if value is constants.ATTR_NOT_SPECIFIED:
                continue
            if isinstance(value, list) and len(value) > LONGEST_LIST:
                raise exc.HTTPBadRequest(f"Invalid input for {name}. Reason: more than {LONGEST_LIST} items.")
            if isinstance(value, list | dict) and _holds_more(value, MOST_WITHIN):
                raise exc.HTTPBadRequest(f"Invalid input for {name}. Reason: more than {MOST_WITHIN} values.")
            try:
                info.convert_values(values, exc_cls=exc.HTTPBadRequest)
            except (exceptions.NeutronException, exc.HTTPException):
                raise
            except Exception as error:
                raise exc.HTTPBadRequest(f"Invalid input for {name}. Reason: {error}.") from error


def _holds_more(value: Any, most: int) -> bool:
    """Return whether there are more members than so many in lists and objects within one another."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        most -= len(each)
        if most < 0:
            return True
        parts = each.values() if isinstance(each, dict) else each
        waiting += [part for part in parts if isinstance(part, dict | list)]
    return False


def _few(given: dict[str, Any]) -> dict[str, Any]:
    """Return a copy. Raises HTTPBadRequest for more attributes than anything has, which would all be named."""
    if len(given) > LONGEST_LIST:
        raise exc.HTTPBadRequest(f"An object may have {LONGEST_LIST} attributes at most.")
    return dict(given)
