"""Security groups, told in packets: who may begin what with whom, and when that ends.

Two ports are on two chassis, or on one: nothing here depends on it. A packet that is *let in* has passed its sender's
groups and its receiver's.
"""

from typing import Any

from flows import packets
from flows.packets import Packet
from tests.clouds import OPEN, Cloud
from tests.storytelling import STRANGER, address, ask, hello, nothing, pair, ping, reached, story
from topology.values import AddressPair, Network, Port, SecurityGroup, Subnet

TCP, UDP, ICMP, GRE = 6, 17, 1, 47
EGRESS: dict[str, Any] = {"direction": "egress"}


def tcp(source: Port, target: Port, tcp_dst: int = 80, tcp_src: int = 40000) -> Packet:
    return packets.tcp(
        source.mac_address, target.mac_address, address(source), address(target), tcp_src=tcp_src, tcp_dst=tcp_dst
    )


def udp(source: Port, target: Port, udp_dst: int = 53, udp_src: int = 40000) -> Packet:
    return packets.udp(
        source.mac_address, target.mac_address, address(source), address(target), udp_src=udp_src, udp_dst=udp_dst
    )


def icmp(source: Port, target: Port, icmp_type: int = 8, icmp_code: int = 0) -> Packet:
    ends = source.mac_address, target.mac_address, address(source), address(target)
    return packets.icmp(*ends, icmp_type=icmp_type, icmp_code=icmp_code)


def other(source: Port, target: Port, ip_proto: int) -> Packet:
    return packets.ipv4(source.mac_address, target.mac_address, address(source), address(target), ip_proto)


def reply(to: Packet) -> Packet:
    """The answer of who got a packet: of ICMP, that to an echo request."""
    back = to.but(eth_src=to["eth_dst"], eth_dst=to["eth_src"], ipv4_src=to["ipv4_dst"], ipv4_dst=to["ipv4_src"])
    if "icmp_type" in to:
        return back.but(icmp_type=0)
    for source, target in (("tcp_src", "tcp_dst"), ("udp_src", "udp_dst")):
        if source in to:
            back = back.but(**{source: to[target], target: to[source]})
    return back


def let_in(cloud: Cloud, source: str, packet: Packet, target: str) -> bool:
    """Whether what is sent at a place comes out at another, and nowhere else."""
    places = reached(cloud.inject(source, packet))
    assert places in ([], [target]), places
    return bool(places)


def two_ports(cloud: Cloud, group: SecurityGroup | None, name: str = "red", at: str = "hv2") -> tuple[Port, Port]:
    """A client that may do everything, on hv1, and a server in the group."""
    network = cloud.network(name)
    groups = (group.id,) if group else ()
    client = cloud.port(f"{name}-client", network, "10.0.0.11", "hv1")
    return client, cloud.port(f"{name}-server", network, "10.0.0.12", at, security_groups=groups)


class Road:
    """Both ways between two ports: what each sends the other, and whether it arrives."""

    def __init__(self, cloud: Cloud, one: Port, other: Port, at: tuple[str, str] = ("hv1", "hv2")) -> None:
        self._cloud = cloud
        self._there, self._here = f"{other.id}@{at[1]}", f"{one.id}@{at[0]}"

    def out(self, packet: Packet) -> bool:
        """Whether what the first sends arrives at the second."""
        return let_in(self._cloud, self._here, packet, self._there)

    def back(self, packet: Packet) -> bool:
        """Whether what the second sends arrives at the first."""
        return let_in(self._cloud, self._there, packet, self._here)


# Whom a group lets in


@story
def a_default_group_lets_its_members_in_and_all_out(cloud: Cloud) -> None:
    group = cloud.security_group("default", EGRESS, {"remote_group_id": "default"})
    network = cloud.network("red")
    one, two, near = (
        cloud.port(f"red{n}", network, f"10.0.0.1{n}", at, security_groups=(group.id,))
        for n, at in ((1, "hv1"), (2, "hv2"), (3, "hv1"))
    )
    stranger = cloud.port("stranger", network, "10.0.0.19", "hv3")
    for target, at in ((two, "hv2"), (near, "hv1")):
        inside = Road(cloud, one, target, ("hv1", at))
        for packet in (tcp(one, target), udp(one, target), icmp(one, target), other(one, target, GRE)):
            assert inside.out(packet) and inside.back(reply(packet)), packet
    outside = Road(cloud, one, stranger, ("hv1", "hv3"))
    for packet in (tcp(stranger, one), udp(stranger, one), icmp(stranger, one), other(stranger, one, GRE)):
        assert not outside.back(packet), packet
        assert outside.out(reply(packet)) == ("icmp_type" not in packet), "no such question was let in"
    for packet in (tcp(one, stranger, 81), udp(one, stranger, 54), icmp(one, stranger)):
        assert outside.out(packet) and outside.back(reply(packet)), packet


@story
def a_port_without_groups_has_arp_and_dhcp_only(cloud: Cloud) -> None:
    client, lonely = two_ports(cloud, None)
    road = Road(cloud, client, lonely)
    for there, back in ((tcp(client, lonely), tcp(lonely, client)), (ping(client, lonely), ping(lonely, client))):
        assert not road.out(there) and not road.back(back) and not road.out(reply(back))
    assert reached(cloud.inject(f"{lonely.id}@hv2", hello(lonely))) == []
    assert reached(cloud.inject(f"{client.id}@hv1", hello(client))) == []
    assert reached(cloud.inject(f"{lonely.id}@hv2", ask(lonely, address(client)))) == [f"{lonely.id}@hv2"]
    assert reached(cloud.inject(f"{client.id}@hv1", ask(client, "10.0.0.99"))) == [f"{lonely.id}@hv2"]
    discover = packets.dhcp_discover(lonely.mac_address)
    assert cloud.inject(f"{lonely.id}@hv2", discover).to_controller
    (subnet,) = cloud.store.find(Subnet, "network", client.network_id)
    cloud.change(subnet, enable_dhcp=False)
    assert reached(cloud.inject(f"{lonely.id}@hv2", discover)) == [f"{client.id}@hv1"], "somebody else may serve it"


@story
def a_group_that_is_not_there_permits_nothing(cloud: Cloud) -> None:
    client, server = two_ports(cloud, None)
    road = Road(cloud, client, server)
    cloud.change(server, security_groups=("nowhere",))
    assert not road.out(ping(client, server)) and not road.back(ping(server, client))
    dangling = cloud.security_group("dangling", {"remote_group_id": "nowhere"}, {"remote_address_group_id": "nowhere"})
    cloud.change(server, security_groups=(dangling.id,))
    assert not road.out(ping(client, server))


@story
def without_port_security_nothing_is_filtered(cloud: Cloud) -> None:
    client, server = two_ports(cloud, None)
    cloud.change(server, port_security_enabled=False)
    road = Road(cloud, client, server)
    for packet in (tcp(client, server), ping(client, server), other(client, server, GRE)):
        assert road.out(packet) and road.back(reply(packet))
    assert road.back(ping(server, client).but(ipv4_src="198.51.100.7"))


@story
def several_groups_are_a_union(cloud: Cloud) -> None:
    web = cloud.security_group("web", {"protocol": TCP, "port_range_min": 80, "port_range_max": 80})
    dns = cloud.security_group("dns", {"protocol": UDP, "port_range_min": 53, "port_range_max": 53})
    client, server = two_ports(cloud, web)
    road = Road(cloud, client, server)
    assert road.out(tcp(client, server)) and not road.out(udp(client, server))
    cloud.change(server, security_groups=(web.id, dns.id))
    assert road.out(tcp(client, server)) and road.out(udp(client, server)) and not road.out(ping(client, server))
    assert not road.back(ping(server, client)), "neither lets anything begin here"
    cloud.change(server, security_groups=(dns.id,))
    assert not road.out(tcp(client, server)) and road.out(udp(client, server))


# What rules say


@story
def protocols_have_numbers_and_icmp_has_types_and_codes(cloud: Cloud) -> None:
    for name, values, within, without in (
        ("tcp", {"protocol": TCP}, [tcp], [udp, icmp]),
        ("udp", {"protocol": UDP}, [udp], [tcp, icmp]),
        ("gre", {"protocol": GRE}, [lambda a, b: other(a, b, GRE)], [lambda a, b: other(a, b, 46), tcp]),
        ("icmp", {"protocol": ICMP}, [icmp, lambda a, b: icmp(a, b, 13)], [tcp, udp]),
        ("ping", {"protocol": ICMP, "port_range_min": 8}, [icmp],
         [lambda a, b: icmp(a, b, 13)]),
        ("plain ping", {"protocol": ICMP, "port_range_min": 8, "port_range_max": 0}, [icmp],
         [lambda a, b: icmp(a, b, 13)]),
        ("odd ping", {"protocol": ICMP, "port_range_min": 8, "port_range_max": 1}, [], [icmp]),
        ("ipv6", {"ethertype": "IPv6"}, [], [tcp, udp, icmp]),
    ):  # fmt: skip
        client, server = two_ports(cloud, cloud.security_group(name, values), f"net of {name}")
        road = Road(cloud, client, server)
        for build in within:
            assert road.out(build(client, server)), name
        for build in without:
            assert not road.out(build(client, server)), name


@story
def port_ranges_hold_their_ends_and_nothing_beyond(cloud: Cloud) -> None:
    for protocol, build, field in ((TCP, tcp, "tcp_dst"), (UDP, udp, "udp_dst")):
        values = {"protocol": protocol, "port_range_min": 8001, "port_range_max": 8190}
        client, server = two_ports(cloud, cloud.security_group(field, values), f"net of {field}")
        road = Road(cloud, client, server)
        for number, passes in ((8000, 0), (8001, 1), (8002, 1), (8128, 1), (8190, 1), (8191, 0), (8192, 0)):
            packet = build(client, server).but(**{field: number})
            assert road.out(packet) == bool(passes), (field, number)
        assert not road.out(build(client, server, 9, 8001)), "it is the server's port that counts"


@story
def egress_rules_bind_who_begins(cloud: Cloud) -> None:
    group = cloud.security_group("careful", {**EGRESS, "protocol": TCP, "port_range_min": 80, "port_range_max": 80})
    client, server = two_ports(cloud, group)
    road = Road(cloud, server, client, ("hv2", "hv1"))
    assert road.out(tcp(server, client)) and road.back(reply(tcp(server, client)))
    assert not road.out(tcp(server, client, 81)) and not road.out(udp(server, client, 80))
    assert not road.back(tcp(client, server))


@story
def prefixes_name_who_is_at_the_other_end(cloud: Cloud) -> None:
    group = cloud.security_group(
        "picky", {"remote_ip_prefix": "10.0.0.8/30"}, {**EGRESS, "remote_ip_prefix": "10.0.0.13/32"}
    )
    network = cloud.network("red")
    server = cloud.port("server", network, "10.0.0.20", "hv2", security_groups=(group.id,))
    for last, comes_in, goes_out in ((7, 0, 0), (8, 1, 0), (11, 1, 0), (12, 0, 0), (13, 0, 1), (14, 0, 0)):
        port = cloud.port(f"client{last}", network, f"10.0.0.{last}", "hv1")
        road = Road(cloud, port, server)
        assert road.out(ping(port, server)) == bool(comes_in), last
        assert road.back(tcp(server, port)) == bool(goes_out), last


@story
def a_remote_group_is_all_addresses_of_its_members_wherever_they_are(cloud: Cloud) -> None:
    friends = cloud.security_group("friends", EGRESS)
    group = cloud.security_group("server", {"remote_group_id": "friends", "protocol": ICMP})
    client, server = two_ports(cloud, group)
    road = Road(cloud, client, server)
    assert not road.out(ping(client, server))
    client = cloud.change(client, security_groups=(OPEN, friends.id))
    assert road.out(ping(client, server)) and not road.out(tcp(client, server))
    assert not road.back(ping(server, client))
    cloud.change(client, allowed_address_pairs=(AddressPair("172.16.0.0/12", client.mac_address),))
    assert road.out(ping(client, server).but(ipv4_src="172.16.3.4"))
    # A member need not be up here: what it was, another port may speak for.
    elsewhere = cloud.network("blue")
    cloud.port("guest", elsewhere, "192.0.2.77", security_groups=(friends.id,))
    cloud.change(client, allowed_address_pairs=(AddressPair("192.0.2.0/24", client.mac_address),),
                 security_groups=(OPEN,))  # fmt: skip
    assert road.out(ping(client, server).but(ipv4_src="192.0.2.77"))
    assert not road.out(ping(client, server).but(ipv4_src="192.0.2.78"))


@story
def an_address_group_is_a_list_that_rules_share(cloud: Cloud) -> None:
    offices = cloud.address_group("offices", "10.0.0.11/32", "198.51.100.0/24", "2001:db8::/64")
    group = cloud.security_group(
        "server", {"remote_address_group_id": "offices"}, {**EGRESS, "remote_address_group_id": "offices"}
    )
    client, server = two_ports(cloud, group)
    road = Road(cloud, client, server)
    assert road.out(ping(client, server)) and road.back(tcp(server, client))
    cloud.change(offices, addresses=("198.51.100.0/24",))
    assert not road.out(ping(client, server)) and not road.back(tcp(server, client))
    cloud.change(client, allowed_address_pairs=(AddressPair("198.51.100.0/25", client.mac_address),))
    assert road.out(ping(client, server).but(ipv4_src="198.51.100.9"))


# Connections


@story
def related_errors_pass_with_their_connection_only(cloud: Cloud) -> None:
    client, server = two_ports(cloud, cloud.security_group("dns", {"protocol": UDP, "port_range_min": 53}))
    road = Road(cloud, client, server)
    asked, unasked = udp(client, server), udp(client, server, udp_src=41000)

    def error(about: Packet) -> Packet:
        return packets.icmp_error(about, server.mac_address, client.mac_address, address(server))

    assert not road.back(error(asked)), "nobody has asked yet"
    assert road.out(asked)
    assert road.back(error(asked)) and not road.back(error(unasked))
    assert not road.back(icmp(server, client, 3, 3)), "an error that quotes nothing"
    assert not road.back(icmp(server, client, 0)), "an echo reply that nobody asked for"


@story
def a_rule_that_goes_ends_its_connections_in_both_directions_and_no_others(cloud: Cloud) -> None:
    for at in ("hv2", "hv1"):
        group = cloud.security_group(f"server at {at}")
        rules = {number: cloud.rule(group, protocol=TCP, port_range_min=number) for number in (80, 81)}
        client, server = two_ports(cloud, group, f"net at {at}", at)
        road = Road(cloud, client, server, ("hv1", at))
        web, other_web = tcp(client, server, 80), tcp(client, server, 81)
        for packet in (web, other_web):
            assert road.out(packet) and road.back(reply(packet)) and road.out(packet)
        cloud.delete(rules[80])
        assert not road.out(web) and not road.back(reply(web))
        assert road.out(other_web) and road.back(reply(other_web))
        again = cloud.rule(group, protocol=TCP, port_range_min=80)
        assert road.out(web) and road.back(reply(web))
        wide = cloud.rule(group, protocol=TCP)
        cloud.delete(again)
        assert road.out(web) and road.back(reply(web)), "another rule permits it as well"
        cloud.delete(wide)
        assert not road.out(web) and not road.back(reply(web))


@story
def an_egress_rule_that_goes_ends_what_was_begun_by_it(cloud: Cloud) -> None:
    group = cloud.security_group("server", {"protocol": TCP})
    rule = cloud.rule(group, "egress")
    client, server = two_ports(cloud, group)
    road = Road(cloud, client, server)
    begun_here, begun_there = tcp(server, client), tcp(client, server, 22)
    assert road.back(begun_here) and road.out(reply(begun_here))
    assert road.out(begun_there) and road.back(reply(begun_there))
    cloud.delete(rule)
    assert not road.back(begun_here) and not road.out(reply(begun_here))
    assert road.out(begun_there) and road.back(reply(begun_there))


@story
def a_member_that_goes_loses_its_connections_in_both_directions_and_no_others_do(cloud: Cloud) -> None:
    group = cloud.security_group("default", EGRESS, {"remote_group_id": "default"})
    network = cloud.network("red")
    one, two, three = (
        cloud.port(f"red{n}", network, f"10.0.0.1{n}", f"hv{n}", security_groups=(group.id,)) for n in (1, 2, 3)
    )
    going, staying = Road(cloud, one, three, ("hv1", "hv3")), Road(cloud, two, three, ("hv2", "hv3"))
    for road, port in ((going, one), (staying, two)):
        assert road.out(tcp(port, three)) and road.back(reply(tcp(port, three)))
    assert going.back(tcp(three, one, 22)) and going.out(reply(tcp(three, one, 22)))
    cloud.change(one, security_groups=(OPEN,))
    assert not going.out(tcp(one, three)) and not going.back(reply(tcp(one, three)))
    assert staying.out(tcp(two, three)) and staying.back(reply(tcp(two, three)))
    assert going.back(tcp(three, one, 22)) and going.out(reply(tcp(three, one, 22))), "that was the egress rule's"
    cloud.change(one, security_groups=(group.id,))
    assert going.out(tcp(one, three)) and going.back(reply(tcp(one, three)))


@story
def what_comes_in_on_a_physical_network_is_filtered_as_well(cloud: Cloud) -> None:
    group = cloud.security_group("web", EGRESS, {"protocol": TCP, "port_range_min": 80})
    port = cloud.port("server", cloud.network("lab", "flat"), "10.0.0.11", "hv1", security_groups=(group.id,))
    out = packets.udp(port.mac_address, STRANGER, address(port), "10.0.0.99")
    for packet, passes in (
        (packets.tcp(STRANGER, port.mac_address, "10.0.0.99", address(port)), True),
        (packets.tcp(STRANGER, port.mac_address, "10.0.0.99", address(port), tcp_dst=22), False),
        (packets.icmp_echo(STRANGER, port.mac_address, "10.0.0.99", address(port)), False),
        (packets.udp(STRANGER, port.mac_address, "10.0.0.99", address(port), udp_src=67, udp_dst=68), True),
        (packets.ipv6(STRANGER, port.mac_address), False),
        (packets.unknown_ethertype(STRANGER, port.mac_address), False),
        (reply(out), False),
    ):
        assert reached(cloud.inject_physical("physnet2", packet)) == ["server@hv1"] * passes, packet
    assert cloud.inject("server@hv1", out).on_physical
    assert reached(cloud.inject_physical("physnet2", reply(out))) == ["server@hv1"]


# Broadcast and multicast


@story
def each_receiver_filters_its_own_copy_of_a_broadcast(cloud: Cloud) -> None:
    discard = cloud.security_group("discard", {"protocol": UDP, "port_range_min": 9})
    network, one, two = pair(cloud)
    near = {
        name: cloud.port(name, network, f"10.0.0.{last}", at, security_groups=groups)
        for name, last, at, groups in (
            ("willing", 21, "hv1", (discard.id,)),
            ("deaf", 22, "hv1", ()),
            ("far-willing", 23, "hv2", (discard.id,)),
            ("far-deaf", 24, "hv2", ()),
        )
    }
    willing = ["far-willing@hv2", f"{two.id}@hv2", "willing@hv1"]
    assert reached(cloud.inject(f"{one.id}@hv1", hello(one))) == sorted(willing)
    to_group = packets.multicast(one.mac_address, address(one))
    assert reached(cloud.inject(f"{one.id}@hv1", to_group)) == [f"{two.id}@hv2"]
    assert reached(cloud.inject(f"{one.id}@hv1", to_group.but(udp_dst=9))) == sorted(willing)
    who_has = ask(one, "10.0.0.99")
    everybody = sorted([*(f"{name}@{'hv2' if 'far' in name else 'hv1'}" for name in near), f"{two.id}@hv2"])
    assert reached(cloud.inject(f"{one.id}@hv1", who_has)) == everybody
    assert nothing(cloud.inject("willing@hv1", hello(near["willing"]))), "a sender without an egress rule"


# Stateless groups


@story
def a_stateless_group_permits_packets_and_no_connections(cloud: Cloud) -> None:
    group = cloud.security_group("server", {"protocol": UDP, "port_range_min": 53}, stateful=False)
    client, server = two_ports(cloud, group)
    road = Road(cloud, client, server)
    query = udp(client, server)
    assert road.out(query) and not road.out(tcp(client, server)) and not road.out(udp(client, server, 54))
    assert not road.back(reply(query)), "an answer needs a rule of its own"
    cloud.rule(group, "egress", protocol=UDP, remote_ip_prefix="10.0.0.11/32")
    assert road.back(reply(query)) and not road.back(tcp(server, client))
    code = cloud.rule(group, protocol=ICMP, port_range_min=8, port_range_max=1)
    assert not road.out(ping(client, server))
    cloud.change(code, port_range_max=0)
    cloud.rule(group, protocol=TCP, port_range_min=80, port_range_max=89)
    assert road.out(ping(client, server)) and not road.out(icmp(client, server, 13))
    assert road.out(tcp(client, server, 88)) and not road.out(tcp(client, server, 90))
    # Beside a stateful group: what that one permits has its answers for nothing.
    stateful = cloud.security_group("ssh", {"protocol": TCP, "port_range_min": 22})
    cloud.change(server, security_groups=(group.id, stateful.id))
    assert road.out(tcp(client, server, 22)) and road.back(reply(tcp(client, server, 22)))
    assert road.out(query) and road.back(reply(query)) and not road.back(reply(tcp(client, server, 88)))


@story
def what_one_ports_stateless_group_permits_is_not_permitted_for_another(cloud: Cloud) -> None:
    group = cloud.security_group("free", {}, EGRESS, stateful=False)
    network = cloud.network("red")
    free = {"security_groups": (group.id,)}
    sender = cloud.port("sender", network, "10.0.0.11", "hv1", **free)
    for name, last, values in (("a", 12, {}), ("b", 13, free), ("c", 14, {}), ("d", 15, free)):
        target = cloud.port(name, network, f"10.0.0.{last}", "hv1", **{"security_groups": (), **values})
        assert let_in(cloud, "sender@hv1", udp(sender, target), f"{name}@hv1") == bool(values), name
    assert reached(cloud.inject("sender@hv1", hello(sender))) == ["b@hv1", "d@hv1"]


@story
def a_stateless_group_knows_remote_groups(cloud: Cloud) -> None:
    cloud.security_group("friends")
    group = cloud.security_group("server", {"remote_group_id": "friends"}, stateful=False)
    also = cloud.security_group("also", {"remote_group_id": "friends", "protocol": TCP})
    client, server = two_ports(cloud, group)
    road = Road(cloud, client, server)
    assert not road.out(udp(client, server))
    client = cloud.change(client, security_groups=(OPEN, "friends"))
    assert road.out(udp(client, server)) and not road.back(reply(udp(client, server)))
    cloud.change(server, security_groups=(also.id,))
    assert not road.out(udp(client, server)) and road.out(tcp(client, server))
    assert road.back(reply(tcp(client, server)))


# Isolation, fragments


@story
def tenants_with_the_same_addresses_share_no_connections(cloud: Cloud) -> None:
    roads = {}
    for name in ("red", "blue"):
        group = cloud.security_group(f"group of {name}", {"protocol": TCP})
        network: Network = cloud.network(name)
        client, server = (
            cloud.port(f"{name}{n}", network, f"10.0.0.1{n}", "hv1", mac_address=f"fa:16:3e:00:00:0{n}", **values)
            for n, values in ((1, {}), (2, {"security_groups": (group.id,)}))
        )
        roads[name] = Road(cloud, client, server, ("hv1", "hv1"))
    packet = tcp(client, server)
    assert roads["red"].out(packet) and roads["red"].back(reply(packet))
    assert not roads["blue"].back(reply(packet)), "the other tenant's connection is none of its"
    assert roads["blue"].out(packet) and roads["blue"].back(reply(packet))


@story
def fragments_fare_as_their_datagram_does(cloud: Cloud) -> None:
    group = cloud.security_group("dns", {"protocol": UDP, "port_range_min": 53, "port_range_max": 60})
    client, server = two_ports(cloud, group)
    here, there = f"{client.id}@hv1", f"{server.id}@hv2"
    assert reached(cloud.inject(here, *packets.in_two(udp(client, server)))) == [there, there]
    assert reached(cloud.inject(here, *packets.in_two(ping(client, server)))) == []
    assert reached(cloud.inject(there, *packets.in_two(reply(udp(client, server))))) == [here, here]
    assert reached(cloud.inject(here, *packets.in_two(udp(client, server, 61)))) == []


def no_instance_is_a_dhcp_server_in_fragments_either(cloud: Cloud) -> None:
    """Not in the list of stories: a real switch keeps what is left of a datagram, and lets it go in a later story."""
    for kind in ("stateful", "stateless"):
        group = cloud.security_group(kind, EGRESS, {}, stateful=kind == "stateful")

        def pair_of(what: str, kind: str = kind, group: SecurityGroup = group) -> tuple[Port, Port, str, str]:
            # Fragments of one pair's datagrams would be taken for those of others.
            client, sender = two_ports(cloud, group, f"{kind}-{what}")
            return client, sender, f"{client.id}@hv1", f"{sender.id}@hv2"

        client, sender, there, here = pair_of("any")
        assert reached(cloud.inject(here, *packets.in_two(udp(sender, client, 5000)))) == [there, there]
        client, sender, there, here = pair_of("offer")
        assert reached(cloud.inject(here, *packets.in_two(udp(sender, client, 68)))) == []
        client, sender, there, here = pair_of("asked")
        assert reached(cloud.inject(there, *packets.in_two(udp(client, sender, 67, 68)))) == [here, here]
        assert reached(cloud.inject(here, *packets.in_two(udp(sender, client, 68, 67)))) == []
        client, sender, there, here = pair_of("one")
        assert reached(cloud.inject(here, packets.in_two(udp(sender, client, 68))[0])) == [], "others may be to come"


@story
def a_stateless_group_that_asks_for_ports_permits_no_fragments(cloud: Cloud) -> None:
    group = cloud.security_group("dns", {"protocol": UDP, "port_range_min": 53, "port_range_max": 60}, stateful=False)
    client, server = two_ports(cloud, group)
    here, there = f"{client.id}@hv1", f"{server.id}@hv2"
    assert reached(cloud.inject(here, *packets.in_two(udp(client, server)))) == [], "they do not show their ports"
    cloud.rule(group, protocol=UDP)
    assert reached(cloud.inject(here, *packets.in_two(udp(client, server)))) == [there, there]
