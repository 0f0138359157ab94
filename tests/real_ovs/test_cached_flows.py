"""Which cached flow the datapath alters: what is known of it by its version is so (docs/performance.md)."""

import pytest

from flows.packets import udp
from sdnapp.ovsdb.versions import alters_the_right_flow
from tests.real_ovs.frames import to_bytes
from tests.real_ovs.ovs_dummy import OvsDummy, version

pytestmark = pytest.mark.ovs

SENDER, RECEIVER = "fa:16:3e:00:00:01", "fa:16:3e:00:00:02"
PREFIXES, ANOTHER = range(32), 99
IPV6 = (
    f"in_port(1),eth(src={SENDER},dst={RECEIVER}),eth_type(0x86dd),"
    "ipv6(src=fe80::1,dst=fe80::2,label=0,proto=17,tclass=0,hlimit=64,frag=no),udp(src=1,dst=2)"
)
TRIES = (("output:2", "drop"), ("drop", "output:2")) * 2
"""Each shows nothing where the wide flow happens to be looked at before all others."""


def test_a_cached_flow_does_again_what_it_did_before_a_wider_one_came(ovs: OvsDummy) -> None:
    ovs.add_bridge("br")
    for number, name in enumerate(("p1", "p2"), start=1):
        ovs.add_port("br", name, ofport=number)
    # Its cached flow has the mask of the wide one below, which is therefore looked at before the narrow ones.
    ipv6 = "priority=20,ipv6,actions=drop"
    stale = 0
    for first, then in TRIES:
        by_prefix = [f"priority=10,ip,nw_dst=10.1.{number}.0/24,actions={first}" for number in PREFIXES]
        _hold(ovs, ipv6, *by_prefix)
        ovs.appctl("revalidator/purge")
        ovs.appctl("netdev-dummy/receive", "p1", IPV6)
        _send(ovs, *PREFIXES)
        _hold(ovs, ipv6, f"priority=5,ip,actions={then}")
        ovs.appctl("revalidator/wait")
        _send(ovs, ANOTHER)
        _hold(ovs, ipv6, *by_prefix)
        ovs.appctl("revalidator/wait")
        passed = _send(ovs, *PREFIXES)
        stale += passed if first == "drop" else len(PREFIXES) - passed
    assert (stale == 0) == alters_the_right_flow(version())


def _hold(ovs: OvsDummy, *flows: str) -> None:
    """Let the bridge hold these flows and no others."""
    file = ovs.directory / "flows"
    file.write_text("\n".join(flows))
    ovs.ofctl("--bundle", "replace-flows", "br", str(file))


def _send(ovs: OvsDummy, *prefixes: int) -> int:
    """Send a packet to each prefix; return how many passed."""
    before = len(ovs.sent("p2"))
    frames = [to_bytes(udp(SENDER, RECEIVER, "10.0.0.1", f"10.1.{number}.9")).hex() for number in prefixes]
    ovs.appctl("netdev-dummy/receive", "p1", *frames)
    ovs.appctl("version")
    return len(ovs.sent("p2")) - before
