"""Where copies of a broadcast go, by the rows alone; tests/packet_stories.py follows them."""

from collections.abc import Mapping

import pytest

from flows.actions import SetField
from flows.engine import Engine
from flows.fields import parse_ipv4
from flows.pipeline import CORE_OUTPUT, REMOTE_COPIES
from topology.placement import Plugged, observe
from topology.store import Store
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
