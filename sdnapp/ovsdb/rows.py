"""The tables and columns of a switch's ``Open_vSwitch`` database that the controller reads, no others.

A column is a field of its table's class. The field's type says how the column is written on the wire (RFC 7047 section
5.1), and its default is the value of a column that an ``update2`` leaves out (ovsdb-server(7) section 4.1.14). What is
``LATE`` is not in every Open vSwitch: those that lack it are served without.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import NoneType
from typing import Any, ClassVar, NewType, get_args, get_origin, get_type_hints

Uuid = NewType("Uuid", str)
"""The ``_uuid`` of a row, as in a column that refers to it."""


LATE = {"late": True}
"""Marks columns that came with Open vSwitch 3.3, or serve only those. A table of which all are late is late itself."""


class MalformedRow(ValueError):
    """A peer sent a row that the database's schema does not allow."""


@dataclass(frozen=True, slots=True)
class OpenVSwitch:
    """The row of the switch itself. ``cur_cfg`` becomes ``next_cfg`` when ``ovs-vswitchd`` has acted on a change.

    ``ovs_version`` is written by the distribution's start script.
    """

    TABLE: ClassVar[str] = "Open_vSwitch"

    bridges: frozenset[Uuid] = frozenset()
    manager_options: frozenset[Uuid] = frozenset()
    external_ids: Mapping[str, str] = field(default_factory=dict)
    other_config: Mapping[str, str] = field(default_factory=dict)
    next_cfg: int = 0
    cur_cfg: int = 0
    ovs_version: str | None = None
    datapaths: Mapping[str, Uuid] = field(default_factory=dict, metadata=LATE)
    """The row of each type of datapath of which anything has been said."""


@dataclass(frozen=True, slots=True)
class Bridge:
    """A bridge. ``datapath_id`` is there when ``ovs-vswitchd`` has it up."""

    TABLE: ClassVar[str] = "Bridge"

    name: str = ""
    ports: frozenset[Uuid] = frozenset()
    datapath_id: str | None = None
    datapath_type: str = ""
    fail_mode: str | None = None
    protocols: frozenset[str] = frozenset()
    controller: frozenset[Uuid] = frozenset()
    other_config: Mapping[str, str] = field(default_factory=dict)
    external_ids: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Port:
    """A port of a bridge: one interface, or several that are bonded."""

    TABLE: ClassVar[str] = "Port"

    name: str = ""
    interfaces: frozenset[Uuid] = frozenset()
    external_ids: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface. ``ofport`` is None while ``ovs-vswitchd`` has not seen it, and -1 when it could not be opened."""

    TABLE: ClassVar[str] = "Interface"

    name: str = ""
    type: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    external_ids: Mapping[str, str] = field(default_factory=dict)
    ofport: int | None = None
    error: str | None = None
    bfd: Mapping[str, str] = field(default_factory=dict)
    bfd_status: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Controller:
    """An OpenFlow controller of a bridge. Times are in milliseconds."""

    TABLE: ClassVar[str] = "Controller"

    target: str = ""
    is_connected: bool = False
    max_backoff: int | None = None
    inactivity_probe: int | None = None


@dataclass(frozen=True, slots=True)
class Manager:
    """A manager that the database connects to. ``max_backoff`` is in milliseconds."""

    TABLE: ClassVar[str] = "Manager"

    target: str = ""
    max_backoff: int | None = None
    connection_mode: str | None = None


@dataclass(frozen=True, slots=True)
class Datapath:
    """All bridges of one datapath type. Each connection tracking zone may have so many connections."""

    TABLE: ClassVar[str] = "Datapath"

    ct_zone_default_limit: int | None = field(default=None, metadata=LATE)


TABLES: Mapping[str, type[Any]] = {
    kind.TABLE: kind for kind in (OpenVSwitch, Bridge, Port, Interface, Controller, Manager, Datapath)
}


@dataclass(frozen=True)
class Column:
    """How a column's values are written: scalars, optional scalars, sets or maps of one atomic type."""

    atom: type[Any]
    shape: str
    """``scalar``, ``optional``, ``set`` or ``map``."""
    item: type[Any] = str
    """Of a map, the type of its values."""

    def decode(self, value: Any) -> Any:
        """Return the Python value of a whole column. Raises MalformedRow."""
        if self.shape == "scalar":
            return _atom(self.atom, value)
        if self.shape == "map":
            return {_atom(self.atom, key): _atom(self.item, item) for key, item in _pairs(value)}
        elements = frozenset(_atom(self.atom, element) for element in _elements(value))
        if self.shape == "set":
            return elements
        if len(elements) > 1:
            raise MalformedRow(f"{_short(value)} is more than one value")
        return next(iter(elements), None)

    def patch(self, old: Any, difference: Any) -> Any:
        """Return the value that an ``update2`` difference makes of an old one. Raises MalformedRow.

        Differences of sets hold what is in one of the two only; those of maps hold keys that changed, with the new
        value, and keys that went, with the old one; all others are the new value.
        """
        value = self.decode(difference)
        if self.shape == "set":
            return old ^ value
        if self.shape == "map":
            gone = {key for key, item in value.items() if old.get(key) == item}
            return {key: item for key, item in {**old, **value}.items() if key not in gone}
        return value


def columns(kind: type[Any]) -> Mapping[str, Column]:
    """Return the columns of a table's class, by name."""
    return _COLUMNS[kind]


def _column(hint: Any) -> Column:
    if get_origin(hint) is frozenset:
        return Column(get_args(hint)[0], "set")
    if get_origin(hint) is Mapping:
        return Column(get_args(hint)[0], "map", get_args(hint)[1])
    if NoneType in get_args(hint):
        return Column(get_args(hint)[0], "optional")
    return Column(hint, "scalar")


def _atom(kind: type[Any], value: Any) -> Any:
    if kind is Uuid:
        if isinstance(value, list) and len(value) == 2 and value[0] == "uuid" and isinstance(value[1], str):
            return value[1]
    elif type(value) is kind:
        return value
    raise MalformedRow(f"{_short(value)} is no {kind.__name__}")


def _elements(value: Any) -> list[Any]:
    if isinstance(value, list) and len(value) == 2 and value[0] == "set":
        if not isinstance(value[1], list):
            raise MalformedRow(f"{_short(value)} is no set")
        return value[1]
    return [value]


def _pairs(value: Any) -> list[tuple[Any, Any]]:
    if not (isinstance(value, list) and len(value) == 2 and value[0] == "map" and isinstance(value[1], list)):
        raise MalformedRow(f"{_short(value)} is no map")
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in value[1]):
        raise MalformedRow(f"{_short(value)} is a map of something else than pairs")
    return [(key, item) for key, item in value[1]]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


_COLUMNS: Mapping[type[Any], Mapping[str, Column]] = {
    kind: {column.name: _column(get_type_hints(kind)[column.name]) for column in fields(kind)}
    for kind in TABLES.values()
}
