"""Which flows lead here is followed in slices, and what moves is known all the while."""

import pytest

from flows.actions import Controller
from flows.delta import Delta
from flows.flow import Flow, flow
from flows.pipeline import DHCP
from sdnapp.dhcp.service import DhcpSettings
from sdnapp.responders import Responders
from topology.store import Store
from topology.values import Network, Port, Segment


def asked(number: int) -> Flow:
    return flow(DHCP, "request", "dhcp", f"port/p{number}", Controller(), from_port=number, udp_src=68, udp_dst=67)


def test_what_moves_from_chassis_to_chassis_is_known_at_each_turn_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("topology.turns.STRIDE", 1)
    store, flows = Store(), tuple(asked(number) for number in range(20))
    with store.transaction() as tx:
        tx.put(Network("n", "red", 1, Segment("geneve", 100)))
        for number in range(20):
            tx.put(Port(f"p{number}", "red", "n", number, f"fa:16:3e:00:00:{number:02x}"))
    responders = Responders(store, DhcpSettings())
    learnt = list[int]()
    responders.learn(flows, lambda: learnt.append(1))
    assert len(learnt) >= 20
    turns: list[bool] = []
    responders.follow(
        [Delta((), flows), Delta(flows, ())],
        lambda: turns.append(all(responders.account(each.cookie) == ("red", each.owner[5:]) for each in flows)),
    )
    assert len(turns) >= 40 and all(turns)
    responders.follow([Delta((), flows)])
    assert not any(responders.account(each.cookie) for each in flows)
