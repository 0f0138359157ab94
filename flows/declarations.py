"""What a pipeline is declared with: tables, registers, features, and the check that they fit together."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Register:
    """Some bits of packet metadata that live from the table that sets them to the last one that reads them.

    ``style`` is how they are written, as of a ``flows.fields.Field``.
    """

    name: str
    number: int
    offset: int
    bits: int
    doc: str
    first: str
    last: str
    style: str = "int"


@dataclass(frozen=True)
class Table:
    """One flow table: what it may match, what its priorities mean, where it may lead."""

    number: int
    name: str
    doc: str
    match: frozenset[str]
    priorities: Mapping[str, int]
    next: tuple[str, ...] = ()
    miss: str | None = None
    """The table where packets go that nothing matches; None drops them."""
    unmatched: str | None = None
    """The reason for which packets are dropped that nothing matches (``drops.REASONS``); None drops them uncounted."""
    spans: Mapping[str, int] = field(default_factory=dict)
    """Priorities that stand for several, one above the other: how many there are above the one that is declared."""
    again: tuple[str, ...] = ()
    """Tables that it may lead to although they are not later ones: each time, the packet has lost a hop, or a way."""


@dataclass(frozen=True)
class Feature:
    """A module that yields flows; ``number`` is the upper 16 bits of their cookies, never given to another."""

    name: str
    number: int
    doc: str


class TableList:
    """All tables, by name and by number, in order."""

    def __init__(self, tables: Iterable[Table]) -> None:
        self._tables = tuple(tables)
        self.by_name = {table.name: table for table in self._tables}
        self.by_number = {table.number: table for table in self._tables}

    def __iter__(self) -> Iterator[Table]:
        return iter(self._tables)

    def __getitem__(self, name: str) -> Table:
        return self.by_name[name]


def check(tables: Iterable[Table], registers: Iterable[Register], features: Iterable[Feature]) -> None:
    """Raise ValueError if the declarations contradict one another.

    Table numbers and names are unique and paths only lead forward; registers fit in 32 bits, and two that share bits
    never live in the same table; feature numbers are unique and fit in 16 bits.
    """
    tables, registers, features = list(tables), list(registers), list(features)
    number = {table.name: table.number for table in tables}
    if len(number) != len(tables) or len(set(number.values())) != len(tables):
        raise ValueError("two tables share a name or a number")
    for table in tables:
        for target in table.again:
            if number.get(target, table.number + 1) > table.number:
                raise ValueError(f"table {table.name} leads again to {target}, which is not an earlier table or itself")
        for target in table.next:
            if target not in number or number[target] <= table.number:
                raise ValueError(f"table {table.name} leads to {target}, which is not a later table")
        if table.miss is not None and table.miss not in table.next:
            raise ValueError(f"table {table.name} misses to {table.miss}, which is not among its next tables")
    for register in registers:
        if register.bits < 1 or register.offset + register.bits > 32 or not 0 <= register.number < 16:
            raise ValueError(f"register {register.name} does not fit")
        if number[register.first] > number[register.last]:
            raise ValueError(f"register {register.name} ends before it begins")
    for position, one in enumerate(registers):
        for other in registers[position + 1 :]:
            same_bits = one.number == other.number and (
                one.offset < other.offset + other.bits and other.offset < one.offset + one.bits
            )
            same_time = number[one.first] <= number[other.last] and number[other.first] <= number[one.last]
            if one.name == other.name or (same_bits and same_time):
                raise ValueError(f"registers {one.name} and {other.name} overlap")
    for table in tables:
        for register in registers:
            alive = number[register.first] <= table.number <= number[register.last]
            if register.name in table.match and not alive:
                raise ValueError(f"table {table.name} matches on {register.name}, which does not live there")
    if len({f.number for f in features}) != len(features) or any(not 0 < f.number < 1 << 16 for f in features):
        raise ValueError("two features share a number, or one does not fit in 16 bits")
