"""A small OVSDB server and a stand-in for ``ovs-vswitchd``, in memory: executes the operations that provisioning sends.

It is strict where the real one is: names are unique, references must lead somewhere, rows that nothing refers to go, a
transaction commits as a whole or not at all.
"""

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

from sdnapp.ovsdb.replica import Replica
from sdnapp.ovsdb.rows import TABLES, Bridge, Controller, Datapath, Interface, Manager, OpenVSwitch, Port, Uuid, columns
from sdnapp.ovsdb.steps import Plan

UNIQUE = {Bridge: "name", Port: "name", Interface: "name", Manager: "target"}
REFERENCES = {
    OpenVSwitch: {"bridges": Bridge, "manager_options": Manager, "datapaths": Datapath},
    Bridge: {"ports": Port, "controller": Controller},
    Port: {"interfaces": Interface},
}


class Rejected(Exception):
    """The transaction does not commit."""


class FakeDatabase:
    """Rows by table class and uuid; ``types`` are the datapath types that work."""

    def __init__(self, external_ids: Mapping[str, str] = {}, types: Iterable[str] = ("system", "netdev")) -> None:
        self.types = set(types)
        self.rows: dict[type[Any], dict[Uuid, Any]] = {kind: {} for kind in TABLES.values()}
        self._serial = 0
        self.root = self.put(OpenVSwitch(external_ids=dict(external_ids)))

    # What a test puts there

    def put(self, row: Any) -> Uuid:
        self._serial += 1
        uuid = Uuid(f"00000000-0000-0000-0000-{self._serial:012d}")
        self.rows[type(row)][uuid] = row
        return uuid

    def change(self, uuid: Uuid, **values: Any) -> None:
        kind = next(kind for kind, rows in self.rows.items() if uuid in rows)
        self.rows[kind][uuid] = replace(self.rows[kind][uuid], **values)

    def add_bridge(self, name: str, **values: Any) -> Uuid:
        bridge = self.put(Bridge(name=name, **values))
        root = self.rows[OpenVSwitch][self.root]
        self.change(self.root, bridges=root.bridges | {bridge}, next_cfg=root.next_cfg + 1)
        self.add_port(bridge, name, type="internal")
        return bridge

    def add_port(self, bridge: Uuid, name: str, owned: bool = False, **values: Any) -> Uuid:
        marks = {"sdnapp-owned": "true"} if owned else {}
        interface = self.put(Interface(name=name, **{"external_ids": marks} | values))
        port = self.put(Port(name=name, interfaces=frozenset({interface}), external_ids=marks))
        self.change(bridge, ports=self.rows[Bridge][bridge].ports | {port})
        return interface

    def settings(self, **settings: str) -> None:
        """Set ``external_ids``; underscores stand for hyphens."""
        self.change(self.root, external_ids={key.replace("_", "-"): value for key, value in settings.items()})

    # What a test reads there

    def replica(self) -> Replica:
        """What a switch would send to one that has just connected."""
        replica = Replica()
        replica.apply_differences(
            {
                kind.TABLE: {uuid: {"initial": encode_row(row)} for uuid, row in rows.items()}
                for kind, rows in self.rows.items()
            }
        )
        return replica

    def bridge(self, name: str) -> Bridge:
        return next(row for row in self.rows[Bridge].values() if row.name == name)

    def ports_of(self, name: str) -> set[str]:
        return {self.rows[Port][port].name for port in self.bridge(name).ports}

    def interface(self, name: str) -> Interface:
        return next(row for row in self.rows[Interface].values() if row.name == name)

    def targets(self, name: str) -> list[str]:
        return sorted(self.rows[Controller][uuid].target for uuid in self.bridge(name).controller)

    # The switch

    def switch_acts(self) -> None:
        """As ovs-vswitchd does: bridges of a type that works come up and get port numbers; no word of the others."""
        for uuid, bridge in list(self.rows[Bridge].items()):
            if (bridge.datapath_type or "system") not in self.types:
                continue
            self.change(uuid, datapath_id=f"{int(uuid[-12:]):016x}")
            for port in bridge.ports:
                for key in self.rows[Port][port].interfaces:
                    local = self.rows[Interface][key].name == bridge.name
                    self.change(key, ofport=65534 if local else int(key[-12:]))
        self.change(self.root, cur_cfg=self.rows[OpenVSwitch][self.root].next_cfg)

    # Transactions

    def apply(self, plan: Plan) -> None:
        """Commit each step on its own. Raises Rejected."""
        for step in plan.steps:
            self.transact(step.operations)

    def transact(self, operations: Iterable[dict[str, Any]]) -> None:
        before = {kind: dict(rows) for kind, rows in self.rows.items()}
        try:
            operations = list(operations)
            names = {op["uuid-name"]: self.put(TABLES[op["table"]]()) for op in operations if op["op"] == "insert"}
            for op in operations:
                self._execute(_resolved(op, names), names)
            self._check()
        except BaseException:
            self.rows = before
            raise

    def _execute(self, op: dict[str, Any], names: Mapping[str, Uuid]) -> None:
        if op["op"] == "comment":
            assert isinstance(op["comment"], str)
            return
        kind = TABLES[op["table"]]
        if op["op"] == "insert":
            self._assign(kind, names[op["uuid-name"]], op["row"])
            return
        found = [uuid for uuid, row in self.rows[kind].items() if _matches(uuid, row, op["where"])]
        if op["op"] == "update":
            for uuid in found:
                self._assign(kind, uuid, op["row"])
        elif op["op"] == "mutate":
            for uuid in found:
                for column, mutator, value in op["mutations"]:
                    self.change(
                        uuid, **{column: _mutated(kind, column, getattr(self.rows[kind][uuid], column), mutator, value)}
                    )
        elif op["op"] == "wait":
            assert op["timeout"] == 0 and op["until"] == "=="
            seen = [{name: encode(getattr(self.rows[kind][uuid], name)) for name in op["columns"]} for uuid in found]
            if seen != op["rows"]:
                raise Rejected(f"timed out: {op}")
        else:
            raise AssertionError(op)

    def _assign(self, kind: type[Any], uuid: Uuid, row: Mapping[str, Any]) -> None:
        self.change(uuid, **{name: columns(kind)[name].decode(value) for name, value in row.items()})

    def _check(self) -> None:
        reached = {self.root}
        frontier = [(OpenVSwitch, self.root)]
        while frontier:
            kind, uuid = frontier.pop()
            for column, other in REFERENCES.get(kind, {}).items():
                value = getattr(self.rows[kind][uuid], column)
                for reference in value.values() if isinstance(value, Mapping) else value:
                    if reference not in self.rows[other]:
                        raise Rejected(f"referential integrity violation: {kind.TABLE} {column}")
                    if reference not in reached:
                        reached.add(reference)
                        frontier.append((other, reference))
        self.rows = {
            kind: {uuid: row for uuid, row in rows.items() if uuid in reached} for kind, rows in self.rows.items()
        }
        for kind, column in UNIQUE.items():
            values = [getattr(row, column) for row in self.rows[kind].values()]
            if len(values) != len(set(values)):
                raise Rejected(f"constraint violation: {kind.TABLE} {column}")


def encode(value: Any) -> Any:
    """Write a column's value as the wire has it."""
    if value is None:
        return ["set", []]
    if isinstance(value, frozenset):
        return ["set", [_atom(item) for item in sorted(value)]]
    if isinstance(value, Mapping):
        return ["map", [[key, _atom(item)] for key, item in value.items()]]
    return value


def encode_row(row: Any) -> dict[str, Any]:
    """Write the columns that are not at their default, as ``update2`` does."""
    default = type(row)()
    return {
        column.name: encode(getattr(row, column.name))
        for column in fields(row)
        if getattr(row, column.name) != getattr(default, column.name)
    }


def _atom(item: Any) -> Any:
    return ["uuid", item] if isinstance(item, str) and item.startswith("00000000-") else item


def _resolved(value: Any, names: Mapping[str, Uuid]) -> Any:
    if isinstance(value, dict):
        return {key: _resolved(item, names) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        if len(value) == 2 and value[0] == "named-uuid":
            return ["uuid", names[value[1]]]
        return [_resolved(item, names) for item in value]
    return value


def _matches(uuid: Uuid, row: Any, where: list[list[Any]]) -> bool:
    for column, function, value in where:
        assert function == "=="
        if (["uuid", uuid] if column == "_uuid" else encode(getattr(row, column))) != value:
            return False
    return True


def _mutated(kind: type[Any], column: str, old: Any, mutator: str, value: Any) -> Any:
    if mutator == "+=":
        return old + value
    if isinstance(old, frozenset):
        operand = columns(kind)[column].decode(value)
        return old | operand if mutator == "insert" else old - operand
    if mutator == "delete" and value[0] == "set":
        return {key: item for key, item in old.items() if key not in value[1]}
    added = columns(kind)[column].decode(value)
    # As the real one: inserting into a map leaves keys that are there as they are.
    return {**added, **old} if mutator == "insert" else {k: v for k, v in old.items() if added.get(k) != v}
