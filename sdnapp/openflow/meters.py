"""The meters of one switch: what its flows name, what it holds, and what closes the gap. Pure bookkeeping.

Bundles take no meters, so those that flows need are sent before the flows' bundle, and those that no flow needs any
more are removed when the flows are gone: a switch that loses a meter loses the flows that name it as well.
"""

from collections import Counter
from collections.abc import Iterable

from flows.actions import Meter
from flows.flow import Flow
from sdnapp.openflow.meter_messages import ADD, DELETE, MODIFY
from topology.turns import GiveWay, by_turns, nobody_waits


class Meters:
    """Which meters a switch should hold, and which it does as far as we know."""

    def __init__(self) -> None:
        self.supported = True
        """Whether the switch has meters at all; one without gets the same flows without them."""
        self._named: dict[int, Meter | Counter[Meter]] = {}
        """How many desired flows name each meter, by number; just the meter where it is one flow, as with most."""
        self._held: dict[int, Meter] = {}
        self._unsure: set[int] = set()
        """Numbers of meters that may be lacking, or differ."""
        self._idle: set[int] = set()
        """Numbers of meters that may be named by no flow."""

    def want(self, flow: Flow) -> None:
        """A flow is desired from now on."""
        if (meter := flow.meter) is not None:
            named = self._named.get(meter.number)
            self._named[meter.number] = meter if named is None else _counted(named) + Counter((meter,))
            self._unsure.add(meter.number)

    def let_go(self, flow: Flow) -> None:
        """A flow is not desired any more."""
        if (meter := flow.meter) is not None:
            named = _counted(self._named.pop(meter.number)) - Counter((meter,))
            if named.total() > 1:
                self._named[meter.number] = named
            elif named:
                (self._named[meter.number],) = named
            else:
                self._idle.add(meter.number)
            if meter not in named:
                self._unsure.add(meter.number)

    def found(self, meters: Iterable[Meter]) -> None:
        """The switch holds these, as it says itself."""
        for meter in meters:
            self._held[meter.number] = meter
            self._unsure.add(meter.number)
            self._idle.add(meter.number)

    def take_lacking(self, give_way: GiveWay = nobody_waits) -> list[tuple[int, Meter]]:
        """Return the commands that desired flows wait for, with their meters; they count as carried out now."""
        commands = []
        for number in by_turns(sorted(self._unsure), give_way):
            named, held = self._named.get(number), self._held.get(number)
            meter = max(named) if isinstance(named, Counter) else named
            if meter is not None and meter != held and self.supported:
                commands.append((ADD if held is None else MODIFY, meter))
                self._held[number] = meter
        self._unsure.clear()
        return commands

    def take_idle(self, give_way: GiveWay = nobody_waits) -> list[tuple[int, Meter]]:
        """Return the commands that remove what no flow names. The switch must hold no flow beyond the desired ones."""
        idle = by_turns(sorted(self._idle), give_way)
        gone = [number for number in idle if number in self._held and number not in self._named]
        self._idle.clear()
        return [(DELETE, self._held.pop(number)) for number in by_turns(gone, give_way)]

    def refused(self, meter: Meter) -> None:
        """The switch does not take a meter, so that it will not take the flows either that name it."""
        self._held.pop(meter.number, None)


def _counted(named: Meter | Counter[Meter]) -> Counter[Meter]:
    return Counter((named,)) if isinstance(named, Meter) else named
