"""Packets that switches have sent to the controller, answered in fair turns: whoever floods waits behind himself.

The switch has cut each port down to its budget already (``flows.control_budget``). What is here is for switches that
have no meters, and for a tenant with very many ports.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sdnapp.fair_queue import FairQueue
from sdnapp.openflow.messages import PacketIn
from sdnapp.responders import Responders

LARGEST = 9216
"""Bytes of a frame that is looked at, a jumbo frame's: what waits must have a bound."""


AT_ONCE = 16
"""Packets that are answered before others than instances have their turn: about a millisecond."""
OVERHEAD = 512
"""Bytes that a packet takes beside its own while it waits."""


class Punt(NamedTuple):
    """A packet that a switch has sent."""

    datapath_id: str
    packet: PacketIn


class Punts:
    """Takes packets at once, answers them one at a time; ``packet_out`` sends (datapath id, port it came by, frame)."""

    def __init__(self, responders: Responders, packet_out: Callable[[str, int, bytes], None]) -> None:
        self.refused: Counter[str] = Counter()
        """How many packets were neither answered nor let wait, by reason."""
        self._responders = responders
        self._packet_out = packet_out
        self._queue: FairQueue[Punt] = FairQueue()

    def arrived(self, datapath_id: str, packets: Sequence[PacketIn]) -> bool:
        """Let packets that have come together wait for their answers; return whether any may wait now.

        Where nobody waits, one alone is answered.
        """
        is_alone = len(packets) == 1 and not self._queue
        for packet in packets:
            if len(packet.data) > LARGEST:
                self.refused["oversized"] += 1
            elif (account := self._responders.account(packet.cookie)) is None:
                self.refused["stale flow"] += 1
            elif is_alone:
                self._answer(datapath_id, packet)
            else:
                self._queue.put(*account, Punt(datapath_id, packet), OVERHEAD + len(packet.data))
        return not is_alone

    def answer_some(self) -> bool:
        """Answer those whose turn it is, as many as may be at once; return whether more may wait."""
        return all(self.answer_next() for _ in range(AT_ONCE))

    def answer_next(self) -> bool:
        """Answer the packet whose turn it is; return whether there was one."""
        punt = self._queue.take()
        if punt is None:
            return False
        self._answer(punt.datapath_id, punt.packet)
        return True

    def _answer(self, datapath_id: str, packet: PacketIn) -> None:
        reply = self._responders.answer(packet.cookie, packet.data)
        if reply is not None and packet.in_port is not None:
            self._packet_out(datapath_id, packet.in_port, reply)

    @property
    def waiting(self) -> int:
        """How many packets wait."""
        return len(self._queue)

    @property
    def dropped(self) -> Counter[tuple[str, str]]:
        """How many packets were dropped because too many waited, by project and port."""
        return self._queue.dropped
