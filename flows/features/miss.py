"""What each table does with a packet that nothing matches: go on where the table says so, else drop and count it."""

from flows.actions import Goto
from flows.drops import drop
from flows.flow import Flow
from flows.pipeline import MISS_PRIORITY, TABLES
from flows.units import EVERYONE, Published, Unit
from topology.facts import View


def go_on(view: View) -> Published:
    """Yield one flow for each table with a declared miss or reason; Open vSwitch drops at the others by itself."""
    for table in TABLES:
        if table.miss is not None or table.unmatched is not None:
            actions = drop(table.unmatched) if table.unmatched is not None else (Goto(table.miss or ""),)
            yield EVERYONE, Flow(table.number, MISS_PRIORITY, (), actions, "miss", f"table/{table.name}")


UNITS = (Unit(go_on),)
