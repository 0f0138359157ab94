"""What each table does with a packet that nothing matches: go on where the table says so, else drop it."""

from flows.actions import Goto
from flows.flow import Flow
from flows.pipeline import MISS_PRIORITY, TABLES
from flows.units import EVERYONE, Published, Unit
from topology.facts import View


def go_on(view: View) -> Published:
    """Yield one flow for each table with a declared miss; Open vSwitch drops at the others by itself."""
    for table in TABLES:
        if table.miss is not None:
            yield EVERYONE, Flow(table.number, MISS_PRIORITY, (), (Goto(table.miss),), "miss", f"table/{table.name}")


UNITS = (Unit(go_on),)
