"""Stories of gateway chassis that fail while no controller is there. See ``tests.packet_stories``.

Who knows an address asks again, by unicast, whether it is still there; who does not asks by broadcast. All chassis hear
both here, as if no switch of the physical network had learnt the MAC address.
"""

from flows.fields import mac_to_int
from flows.packets import Packet, arp_reply, arp_request
from tests.clouds import CHASSIS, UPSTREAM, UPSTREAM_MAC, Cloud
from tests.gateway_stories import FLAT, OUTSIDE, outside, outward
from tests.handover_stories import STEPS, addresses, answers, make, replaced
from tests.router_stories import lan
from tests.storytelling import story
from topology.doors import ways_out
from topology.gateway_values import LETTING_GO, PASSING_ON
from topology.values import Port


def probe(mac: str, address: str = OUTSIDE) -> Packet:
    """The upstream router asks whether an address is still there."""
    return arp_request(UPSTREAM_MAC, UPSTREAM, address).but(eth_dst=mac_to_int(mac))


def probed(cloud: Cloud, out: Port) -> list[str]:
    """The chassis that answer such a question for the router."""
    return [chassis for chassis, _ in answers(cloud, probe(out.mac_address))]


@story
def who_asks_again_is_answered_by_the_next_gateway_chassis_when_the_first_has_failed(cloud: Cloud) -> None:
    net = outward(cloud, ("hv1", "hv3"), ("hv1", "hv3"))
    macs, (first, second) = addresses(cloud, net), cloud.engine.ask(ways_out, "hub", "hv2")
    for failed, speaker in ((None, first), (first, second)):
        if failed is not None:
            cloud.fail(failed)
        for address, mac in macs.items():
            said = [(speaker, arp_reply(mac, address, UPSTREAM_MAC, UPSTREAM))]
            assert answers(cloud, probe(mac, address)) == said
            asked = answers(cloud, arp_request(UPSTREAM_MAC, UPSTREAM, address))
            assert asked == ([] if failed else said), "that may be heard by chassis that live and are not heard"
            assert answers(cloud, probe(UPSTREAM_MAC, address)) == asked
    cloud.regain(first)
    assert probed(cloud, net.out) == [first]


@story
def so_it_is_on_a_vlan(cloud: Cloud) -> None:
    cloud.doors(("hv1", "hv3"), ("hv1", "hv3"))
    world, red = cloud.external(kind="vlan", vlan=300), lan(cloud, "red", 1)
    cloud.port("one", red, "10.0.1.11", "hv1")
    out = cloud.gateway(cloud.router("hub", red), world, OUTSIDE)
    first, second = cloud.engine.ask(ways_out, "hub", "hv2")
    cloud.fail(first)
    said = arp_reply(out.mac_address, OUTSIDE, UPSTREAM_MAC, UPSTREAM).tagged(300)
    assert answers(cloud, probe(out.mac_address).tagged(300), "physnet1") == [(second, said)]


@story
def of_three_gateway_chassis_it_is_the_first_one_that_lives(cloud: Cloud) -> None:
    net = outward(cloud, CHASSIS, CHASSIS)
    order = cloud.engine.ask(ways_out, "hub", "hv1")
    order = (*order, *(each for each in CHASSIS if each not in order))
    for number, failed in enumerate(order):
        assert probed(cloud, net.out) == [order[number]]
        cloud.fail(failed)
    assert probed(cloud, net.out) == []


@story
def nobody_else_need_answer_whom_the_active_gateway_answers(cloud: Cloud) -> None:
    """The next one fails, which changes nothing; its question goes the way of all that is for the router."""
    net = outward(cloud, ("hv1", "hv3"), ("hv1", "hv3"))
    first, second = cloud.engine.ask(ways_out, "hub", "hv2")
    walk = cloud.inject_physical(FLAT, probe(net.out.mac_address))
    assert [chassis for chassis, _ in outside(walk)] == [first] and walk.to_controller == []
    cloud.fail(second)
    assert probed(cloud, net.out) == [first]


@story
def in_each_step_of_a_handover_either_may_fail(cloud: Cloud) -> None:
    net = outward(cloud, ("hv1", "hv3"), ("hv1", "hv3"))
    pair = replaced(cloud)
    for step, speaker in zip(STEPS, (pair.former, pair.successor, pair.successor), strict=True):
        make(cloud, step)
        assert probed(cloud, net.out) == [speaker], step
        for failed, other in (pair, reversed(pair)):
            cloud.fail(failed)
            assert probed(cloud, net.out) == [other], (step, failed)
            cloud.regain(failed)
    make(cloud, LETTING_GO)
    assert probed(cloud, net.out) == []
    cloud.fail(pair.former)
    assert probed(cloud, net.out) == [pair.successor]


@story
def a_third_gateway_chassis_steps_in_for_two_that_were_handing_over(cloud: Cloud) -> None:
    net = outward(cloud, CHASSIS, CHASSIS)
    pair = replaced(cloud)
    (third,) = {*CHASSIS} - {*pair}
    make(cloud, PASSING_ON)
    cloud.fail(pair.former)
    assert probed(cloud, net.out) == [pair.successor]
    cloud.fail(pair.successor)
    assert probed(cloud, net.out) == [third]


@story
def a_silenced_gateway_chassis_answers_in_nobodys_place(cloud: Cloud) -> None:
    net = outward(cloud, ("hv1", "hv3"), ("hv1", "hv3"))
    first, second = cloud.engine.ask(ways_out, "hub", "hv2")
    cloud.lose(second)
    cloud.fail(first)
    assert probed(cloud, net.out) == []
