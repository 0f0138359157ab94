"""A plan: transactions that a switch's database lacks, and what only an operator can put right. Pure."""

from dataclasses import dataclass, field

from sdnapp.ovsdb.operations import Operation, comment
from sdnapp.ovsdb.replica import Replica
from sdnapp.ovsdb.rows import Bridge, Uuid
from sdnapp.ovsdb.settings import Settings


@dataclass(frozen=True)
class Situation:
    """What a plan is made from; ``root`` is the ``Open_vSwitch`` row.

    ``watched`` are tunnel addresses of chassis of which this one must know at once when they fail; those ``shunned``
    among them must not believe that they are heard (``topology.witnesses``). ``connections`` is
    how many each connection tracking zone may have; 0 leaves that to whoever else says it.
    """

    replica: Replica
    settings: Settings
    root: Uuid
    watched: tuple[str, ...] = ()
    shunned: frozenset[str] = frozenset()
    connections: int = 0


@dataclass(frozen=True)
class Found:
    """The integration bridge, where there is one."""

    key: Uuid
    bridge: Bridge


@dataclass(frozen=True)
class Step:
    """One transaction; ``what`` says what it does, and is its identity."""

    what: str
    operations: tuple[Operation, ...]


@dataclass
class Plan:
    """Steps in order, and problems."""

    steps: list[Step] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def step(self, what: str, *operations: Operation) -> None:
        """Add a step. What it does goes into the log of the switch's database, too."""
        self.steps.append(Step(what, (*operations, comment(f"sdnapp: {what}"))))

    def problem(self, text: str) -> None:
        """Add a problem."""
        self.problems.append(text)
