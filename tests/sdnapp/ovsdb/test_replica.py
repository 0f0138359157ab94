"""The replica follows a database through both kinds of updates, and believes nothing that the schema does not allow."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdnapp.ovsdb.replica import Replica, monitor_requests
from sdnapp.ovsdb.rows import TABLES, Bridge, Interface, MalformedRow, OpenVSwitch, Port, Uuid, columns
from tests.sdnapp.ovsdb.fake_database import encode, encode_row

UUIDS = st.integers(0, 5).map(lambda n: Uuid(f"00000000-0000-0000-0000-{n:012d}"))
TEXTS = st.sampled_from(["", "a", "b", "c", "secure"])


def values(kind: type[Any], column: str) -> st.SearchStrategy[Any]:
    description = columns(kind)[column]
    atoms: dict[Any, st.SearchStrategy[Any]] = {str: TEXTS, int: st.integers(-1, 3), bool: st.booleans(), Uuid: UUIDS}
    atom = atoms[description.atom]
    shapes = {
        "scalar": atom,
        "optional": st.none() | atom,
        "set": st.frozensets(atom, max_size=4),
        "map": st.dictionaries(atom, atoms[columns(kind)[column].item], max_size=4),
    }
    return shapes[description.shape]


def rows_of(kind: type[Any]) -> st.SearchStrategy[Any]:
    return st.builds(kind, **{column.name: values(kind, column.name) for column in fields(kind)})


TABLE_STATES = {kind: st.dictionaries(UUIDS, rows_of(kind), max_size=4) for kind in TABLES.values()}
DATABASES = st.fixed_dictionaries(TABLE_STATES)  # type: ignore[arg-type]
Database = Mapping[type[Any], Mapping[Uuid, Any]]


def same(replica: Replica, database: Database) -> bool:
    return all(dict(replica.rows(kind)) == dict(rows) for kind, rows in database.items())


def difference(kind: type[Any], column: str, old: Any, new: Any) -> Any:
    """As ovsdb-server(7) section 4.1.14 says."""
    shape = columns(kind)[column].shape
    if shape == "set":
        return encode(old ^ new)
    if shape == "map":
        gone = {key: item for key, item in old.items() if key not in new}
        return encode(gone | {key: item for key, item in new.items() if old.get(key) != item})
    return encode(new)


def row_update2(kind: type[Any], old: Any, new: Any) -> dict[str, Any]:
    if new is None:
        return {"delete": None}
    if old is None:
        return {"insert": encode_row(new)}
    return {
        "modify": {
            column.name: difference(kind, column.name, getattr(old, column.name), getattr(new, column.name))
            for column in fields(kind)
            if getattr(old, column.name) != getattr(new, column.name)
        }
    }


def whole(row: Any) -> dict[str, Any]:
    return {column.name: encode(getattr(row, column.name)) for column in fields(row)}


def row_update(kind: type[Any], old: Any, new: Any) -> dict[str, Any]:
    before = {} if old is None else {"old": whole(old)}
    return before | ({} if new is None else {"new": whole(new)})


def updates(old: Database, new: Database, of_row: Any) -> dict[str, Any]:
    return {
        kind.TABLE: {
            uuid: of_row(kind, old.get(kind, {}).get(uuid), new[kind].get(uuid))
            for uuid in {*old.get(kind, {}), *new[kind]}
            if old.get(kind, {}).get(uuid) != new[kind].get(uuid)
        }
        for kind in new
    }


@given(st.lists(DATABASES, min_size=1, max_size=4))
def test_differences_lead_from_state_to_state(states: list[Database]) -> None:
    replica = Replica()
    old: Database = {}
    for state in states:
        replica.apply_differences(updates(old, state, row_update2))
        assert same(replica, state)
        old = state


@given(st.lists(DATABASES, min_size=1, max_size=4))
def test_whole_rows_lead_from_state_to_state(states: list[Database]) -> None:
    replica = Replica()
    old: Database = {}
    for state in states:
        replica.apply(updates(old, state, row_update))
        assert same(replica, state)
        old = state


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from(["set", "map", "uuid", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["new", "modify", "name"]), inner),
    max_leaves=8,
)


JUNK_ROWS = st.dictionaries(st.sampled_from(["name", "ofport", "options", "type", "_x"]), JUNK)
JUNK_UPDATES = st.dictionaries(st.sampled_from(["initial", "insert", "modify", "delete", "new"]), JUNK_ROWS)


@given(
    JUNK
    | st.dictionaries(st.sampled_from([*TABLES, "Flow_Table"]), JUNK | st.dictionaries(st.text(max_size=3), JUNK))
    | JUNK_UPDATES.map(lambda update: {"Interface": {"u": update}})
)
def test_junk_is_refused_or_harmless(junk: Any) -> None:
    for apply in ("apply", "apply_differences"):
        replica = Replica()
        replica.apply_differences({"Interface": {"u": {"initial": {"name": "eth0"}}}})
        try:
            getattr(replica, apply)(junk)
        except MalformedRow:
            continue
        for kind in TABLES.values():
            for row in replica.rows(kind).values():
                for column in fields(kind):
                    assert columns(kind)[column.name].decode(encode(getattr(row, column.name))) == getattr(
                        row, column.name
                    )


@pytest.mark.parametrize(
    "row",
    [
        {"ofport": "5"},
        {"ofport": True},
        {"ofport": ["set", [1, 2]]},
        {"name": ["set", []]},
        {"name": 5},
        {"options": {}},
        {"options": ["map", [["a"]]]},
        {"options": ["map", [["a", 1]]]},
        {"statistics": ["map", []]},
        None,
        [],
    ],
)
def test_what_the_schema_forbids_is_refused(row: Any) -> None:
    with pytest.raises(MalformedRow):
        Replica().apply_differences({"Interface": {"u": {"insert": row}}})


def test_a_change_of_an_unknown_row_is_refused() -> None:
    with pytest.raises(MalformedRow, match="never there"):
        Replica().apply_differences({"Port": {"u": {"modify": {"name": "x"}}}})


def test_a_single_element_needs_no_set() -> None:
    replica = Replica()
    replica.apply_differences({"Bridge": {"u": {"insert": {"protocols": "OpenFlow13", "ports": ["uuid", "p"]}}}})
    assert replica.get(Bridge, Uuid("u")) == Bridge(protocols=frozenset({"OpenFlow13"}), ports=frozenset({Uuid("p")}))


def test_only_what_is_needed_is_monitored() -> None:
    requests = monitor_requests(late=False)
    assert set(requests) == {"Open_vSwitch", "Bridge", "Port", "Interface", "Controller", "Manager"}
    assert set(monitor_requests(late=True)) == {*requests, "Datapath"}
    assert "statistics" not in requests["Interface"][0]["columns"]
    assert requests["Port"] == [{"columns": ["name", "interfaces", "external_ids"]}]
    assert OpenVSwitch().cur_cfg == 0 and Interface().ofport is None and Port().interfaces == frozenset()


def test_what_has_changed_is_told_once() -> None:
    replica = Replica()
    replica.apply_differences({"Bridge": {"b": {"insert": {}}}, "Port": {"p": {"insert": {}}, "q": {"insert": {}}}})
    replica.apply_differences({"Port": {"p": {"modify": {"name": "x"}}, "q": {"delete": None}}})
    assert replica.take_changes() == {Bridge: {"b"}, Port: {"p", "q"}}
    assert replica.take_changes() == {}
    replica.apply({"Bridge": {"b": {"old": {}}}})
    assert replica.take_changes() == {Bridge: {"b"}}
