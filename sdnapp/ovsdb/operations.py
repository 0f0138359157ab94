"""Operations of an OVSDB transaction as JSON (RFC 7047 section 5.2), and what its reply says. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from sdnapp.ovsdb.rows import Uuid

Operation = dict[str, Any]


def uuid(value: Uuid) -> list[str]:
    """Return a reference to a row that exists."""
    return ["uuid", value]


def named(name: str) -> list[str]:
    """Return a reference to a row that the same transaction inserts under this ``uuid-name``."""
    return ["named-uuid", name]


def set_of(elements: Iterable[Any]) -> list[Any]:
    """Return a set."""
    return ["set", list(elements)]


def map_of(pairs: Mapping[str, str]) -> list[Any]:
    """Return a map."""
    return ["map", [[key, value] for key, value in sorted(pairs.items())]]


def insert(table: str, row: Mapping[str, Any], name: str) -> Operation:
    """Insert a row; operations of the same transaction refer to it by ``named(name)``."""
    return {"op": "insert", "table": table, "row": dict(row), "uuid-name": name}


def update(table: str, row: Uuid, **values: Any) -> Operation:
    """Set columns of a row."""
    return {"op": "update", "table": table, "where": _is(row), "row": values}


def mutate(table: str, row: Uuid, *mutations: list[Any]) -> Operation:
    """Change columns of a row, each mutation being ``[column, mutator, value]``."""
    return {"op": "mutate", "table": table, "where": _is(row), "mutations": list(mutations)}


def set_keys(column: str, pairs: Mapping[str, str]) -> list[list[Any]]:
    """Return the mutations that set these keys of a map and leave its others: an insertion alone replaces nothing."""
    return [[column, "delete", set_of(sorted(pairs))], [column, "insert", map_of(pairs)]]


def wait(table: str, where: list[Any], columns: list[str], *rows: Mapping[str, Any]) -> Operation:
    """Let the transaction fail unless the rows that ``where`` finds are these."""
    return {
        "op": "wait",
        "timeout": 0,
        "table": table,
        "where": where,
        "columns": columns,
        "until": "==",
        "rows": [dict(row) for row in rows],
    }


def comment(text: str) -> Operation:
    """Leave a note in the database's log (``ovsdb-tool show-log``)."""
    return {"op": "comment", "comment": text}


def failure(result: Any, error: Any) -> str | None:
    """Return why a transaction did not commit, None if it did. ``result`` and ``error`` are those of its reply."""
    if error is not None:
        return _reason(error)
    if not isinstance(result, list):
        return "the reply holds no results"
    for outcome in result:
        if isinstance(outcome, dict) and "error" in outcome:
            return _reason(outcome)
    return None


def _is(row: Uuid) -> list[Any]:
    return [["_uuid", "==", uuid(row)]]


def _reason(error: Any) -> str:
    if isinstance(error, dict):
        return ": ".join(str(error[key]) for key in ("error", "details") if error.get(key))[:300]
    return str(error)[:300]
