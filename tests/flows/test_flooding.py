"""Where copies of a broadcast go, by the rows alone; tests/packet_stories.py follows them."""

from collections.abc import Iterable, Mapping

import pytest

from flows.actions import SetField
from flows.engine import Engine
from flows.features.flooding import SHARE
from flows.fields import parse_ipv4
from flows.flow import Flow
from flows.pipeline import CORE_OUTPUT, FLOODING, LOCAL_COPIES, REMOTE_COPIES
from topology.placement import Plugged, observe
from topology.store import Change, Store
from topology.values import Chassis, Network, Port, Segment


def far_ends(encap_ips: Mapping[str, str | None]) -> list[int]:
    """Return where chassis a sends copies to, where each chassis has a port of the network."""
    store = Store()
    with store.transaction() as tx:
        tx.put(Network("n", "red", 1, Segment("geneve", 100)))
        for key, chassis_id in enumerate(encap_ips, 1):
            tx.put(Port(f"p{chassis_id}", "red", "n", key, f"fa:16:3e:00:00:0{key}"))
    for chassis_id, address in encap_ips.items():
        row = Chassis(chassis_id, encap_ip=address, encap_types=("geneve",), tunnel_ports=(("geneve", 1),))
        observe(store, row, {f"p{chassis_id}": Plugged(7, "tap")})
    flows = Engine(store).desired("a").values()
    nothing = [flow for flow in flows if flow.table == CORE_OUTPUT.number and not flow.actions]
    itself = {term.value for flow in nothing for term in flow.match if term.field == "tun_dst"}
    return [
        action.value
        for flow in flows
        if flow.table == REMOTE_COPIES.number
        for action in flow.actions
        if isinstance(action, SetField) and action.value not in itself
    ]


@pytest.mark.parametrize(
    ("encap_ips", "expected"),
    [
        ({"a": "192.0.2.1", "b": "192.0.2.2", "c": "192.0.2.3"}, ["192.0.2.2", "192.0.2.3"]),
        ({"a": "192.0.2.1"}, []),
        ({"a": "192.0.2.1", "b": None}, []),
        # Former selves of machines that have been installed anew: of b, and of a.
        ({"a": "192.0.2.1", "b": "192.0.2.2", "old": "192.0.2.2"}, ["192.0.2.2"]),
        ({"a": "192.0.2.1", "old": "192.0.2.1"}, []),
    ],
)
def test_one_copy_for_each_other_tunnel_address(encap_ips: dict[str, str | None], expected: list[str]) -> None:
    assert far_ends(encap_ips) == [parse_ipv4(address) for address in expected]


def told(flows: Iterable[Flow]) -> list[int]:
    """Return what flows set ``to_port`` to: keys of ports, or numbers of shares."""
    return [
        action.value
        for flow in flows
        for action in flow.actions
        if isinstance(action, SetField) and action.field == "to_port"
    ]


def test_very_many_ports_are_shared_out_and_one_more_changes_its_share_only() -> None:
    store, crowd = Store(), 3 * SHARE
    changes: list[Change] = []
    with store.transaction() as tx:
        tx.put(Network("n", "red", 1, Segment("geneve", 100)))
        for key in range(crowd + 1):
            tx.put(Port(f"p{key}", "red", "n", key, f"fa:16:3e:00:{key >> 8:02x}:{key & 255:02x}"))
    plugged = {f"p{key}": Plugged(1 + key, "tap") for key in range(crowd + 1)}
    here = Chassis("a", encap_ip="192.0.2.1", encap_types=("geneve",), tunnel_ports=(("geneve", 1),))
    observe(store, here, {port_id: at for port_id, at in plugged.items() if port_id != f"p{crowd}"})
    engine = Engine(store)
    store.watch(changes.append)
    whole, shares = engine.desired("a").in_table(FLOODING.number), engine.desired("a").in_table(LOCAL_COPIES.number)
    assert sorted(told(shares)) == list(range(crowd)), "each port is in one share"
    assert all(len(flow.actions) <= 2 * SHARE for flow in (*whole, *shares))
    for flow in whole:
        numbers = [term.value for share in shares for term in share.match if term.field == "to_port"]
        assert sorted(told([flow])) == sorted(numbers), "whoever comes there, every share is asked"
    before = engine.runs.copy()
    observe(store, here, plugged)
    delta = engine.update(changes)["a"]
    assert [flow.table for flow in delta.added if flow.feature == "flooding"] == [LOCAL_COPIES.number]
    runs = engine.runs - before
    assert (runs["flooding.copies"], runs["copies_of_share"]) == (1, 1)
