"""Clause by clause of RFC 2131 and its companions: a client's frame in, a reply or a refusal out.

Frames are written and replies read by os-ken's packet library.
"""

import pytest

from sdnapp.dhcp.responder import LEAST_DATAGRAM, Reason, respond
from tests.sdnapp.dhcp.messages import (
    ACK,
    DECLINE,
    DISCOVER,
    INFORM,
    MAC,
    NAK,
    OFFER,
    PAIR_MAC,
    RELEASE,
    REQUEST,
    address,
    read,
    request,
    service,
)
from topology.addressing import SERVICE_MAC
from topology.values import DhcpOption, FixedIP, Route

SERVICE = service()
OURS, SECOND, FOREIGN = "10.0.0.5", "10.2.3.4", "10.0.0.66"
EVERYBODY = ("ff:ff:ff:ff:ff:ff", "255.255.255.255")


def ask(message_type=None, options=None, to=SERVICE, **fields):
    return read(respond(request(message_type, options, **fields), to))


def refused(frame, to=SERVICE) -> Reason:
    refusal = respond(frame, to)
    assert not isinstance(refusal, bytes)
    return refusal.reason


def _destination(reply):
    return reply.ethernet.dst, reply.ipv4.dst


def _extra(*options):
    return service(port={"extra_dhcp_opts": tuple(DhcpOption(name, value) for name, value in options)})


# RFC 2131 section 4.3.1: DISCOVER


@pytest.mark.parametrize(
    "wanted, offered", [(None, OURS), (OURS, OURS), (SECOND, SECOND), (FOREIGN, OURS), ("0.0.0.0", OURS)]
)
def test_discover_is_offered_the_wanted_address_if_it_is_the_ports(wanted, offered):
    reply = ask(DISCOVER, {50: address(wanted)} if wanted else {})
    assert (reply.type, reply.dhcp.yiaddr) == (OFFER, offered)
    assert reply.options[54] == address("10.0.0.1" if offered == OURS else "10.2.0.1")
    assert reply.options[1] == address("255.255.255.0" if offered == OURS else "255.255.0.0")


def test_headers_and_fields_of_an_offer():
    reply = ask(DISCOVER, secs=9, hops=3)
    assert reply.ethernet.src == SERVICE_MAC
    assert (reply.ipv4.src, reply.ipv4.ttl, reply.ipv4.flags) == ("10.0.0.1", 64, 2)
    assert (reply.udp.src_port, reply.udp.dst_port) == (67, 68)
    message = reply.dhcp
    assert (message.op, message.xid, message.chaddr, message.secs, message.hops) == (2, 0x1234ABCD, MAC, 0, 0)
    assert (message.ciaddr, message.siaddr, message.giaddr) == ("0.0.0.0",) * 3
    assert reply.order[:2] == [53, 54]


def test_a_reply_is_no_shorter_than_bootp_allows():
    assert ask(REQUEST, {50: address(FOREIGN)}).udp.total_length - 8 == 300


# RFC 2131 section 4.3.2: REQUEST, the four states of a client


@pytest.mark.parametrize(
    "options, fields, type_, yiaddr",
    [
        ({54: "10.0.0.1", 50: OURS}, {}, ACK, OURS),
        ({54: "10.2.0.1", 50: SECOND}, {}, ACK, SECOND),
        ({54: "10.0.0.1", 50: FOREIGN}, {}, NAK, "0.0.0.0"),
        ({50: OURS}, {}, ACK, OURS),
        ({50: SECOND}, {}, ACK, SECOND),
        ({50: FOREIGN}, {}, NAK, "0.0.0.0"),
        ({}, {"ciaddr": OURS, "src": OURS, "dst": "10.0.0.1"}, ACK, OURS),
        ({}, {"ciaddr": SECOND, "src": SECOND, "dst": "10.2.0.1"}, ACK, SECOND),
        ({}, {"ciaddr": FOREIGN, "src": FOREIGN, "dst": "10.0.0.1"}, NAK, "0.0.0.0"),
        ({}, {"ciaddr": OURS, "src": OURS}, ACK, OURS),
        ({}, {"ciaddr": FOREIGN, "src": FOREIGN}, NAK, "0.0.0.0"),
        # Clients that fill in more than they should.
        ({50: FOREIGN}, {"ciaddr": OURS, "src": OURS}, ACK, OURS),
        ({54: "10.0.0.1"}, {"ciaddr": OURS, "src": OURS}, ACK, OURS),
        ({54: "10.0.0.1", 50: SECOND}, {"ciaddr": OURS}, ACK, SECOND),
    ],
    ids=[
        "selecting",
        "selecting-second",
        "selecting-foreign",
        "init-reboot",
        "init-reboot-second",
        "init-reboot-foreign",
        "renewing",
        "renewing-second",
        "renewing-foreign",
        "rebinding",
        "rebinding-foreign",
        "renewing-with-requested-address",
        "renewing-with-server-id",
        "selecting-with-ciaddr",
    ],
)
def test_request(options, fields, type_, yiaddr):
    reply = ask(REQUEST, {code: address(text) for code, text in options.items()}, **fields)
    assert (reply.type, reply.dhcp.yiaddr) == (type_, yiaddr)


def test_another_servers_client_is_left_alone():
    assert refused(request(REQUEST, {54: address("10.0.0.2"), 50: address(OURS)})) is Reason.OTHER_SERVER


@pytest.mark.parametrize("options", [{}, {54: b"\n\0\0\1"}])
def test_a_request_for_no_address_is_refused(options):
    assert refused(request(REQUEST, options)) is Reason.NO_ADDRESS


def test_an_ack_repeats_ciaddr_and_an_offer_does_not():
    assert ask(REQUEST, ciaddr=OURS).dhcp.ciaddr == OURS
    assert ask(DISCOVER, ciaddr=OURS).dhcp.ciaddr == "0.0.0.0"


def test_a_nak_says_only_why():
    reply = ask(REQUEST, {50: address(FOREIGN), 55: b"\1\3\6", 61: b"\1id"})
    assert reply.options == {
        53: bytes((NAK,)),
        54: address("10.0.0.1"),
        61: b"\1id",
        56: b"10.0.0.66 is not this port's address",
    }
    assert reply.dhcp.siaddr == "0.0.0.0"


def test_a_nak_names_the_server_that_the_client_chose():
    assert ask(REQUEST, {54: address("10.2.0.1"), 50: address(FOREIGN)}).options[54] == address("10.2.0.1")


def test_without_a_gateway_a_client_still_selects_and_rebinds():
    served = service(subnet={"gateway_ip": None})
    offer = ask(DISCOVER, to=served)
    assert (offer.options[54], offer.ipv4.src) == (address("169.254.169.253"), "169.254.169.253")
    assert ask(REQUEST, {54: offer.options[54], 50: address(OURS)}, to=served).type == ACK
    assert ask(REQUEST, ciaddr=OURS, src=OURS, to=served).type == ACK


# RFC 2131 section 4.1: where replies go


@pytest.mark.parametrize(
    "message_type, options, fields, destination",
    [
        (DISCOVER, {}, {}, (MAC, OURS)),
        (DISCOVER, {}, {"flags": 0x8000}, EVERYBODY),
        (REQUEST, {50: OURS}, {}, (MAC, OURS)),
        (REQUEST, {50: OURS}, {"flags": 0x8000}, EVERYBODY),
        (DISCOVER, {}, {"ciaddr": FOREIGN, "flags": 0x8000}, (MAC, FOREIGN)),
        (REQUEST, {}, {"ciaddr": OURS}, (MAC, OURS)),
        (REQUEST, {}, {"ciaddr": OURS, "flags": 0x8000}, (MAC, OURS)),
        (REQUEST, {50: FOREIGN}, {}, EVERYBODY),
        (REQUEST, {}, {"ciaddr": FOREIGN}, EVERYBODY),
        (INFORM, {}, {"ciaddr": "10.0.0.77", "flags": 0x8000}, (MAC, "10.0.0.77")),
    ],
)
def test_destination(message_type, options, fields, destination):
    reply = ask(message_type, {code: address(text) for code, text in options.items()}, **fields)
    assert _destination(reply) == destination
    assert reply.dhcp.flags == fields.get("flags", 0)


# RFC 2131 section 4.3.5: INFORM


@pytest.mark.parametrize("fields", [{"ciaddr": OURS, "src": OURS}, {"src": OURS}], ids=["ciaddr", "source-only"])
def test_inform_tells_all_but_a_lease(fields):
    reply = ask(INFORM, {55: b"\x33\x3a\x3b\1"}, **fields)
    assert (reply.type, reply.dhcp.yiaddr, reply.dhcp.ciaddr) == (ACK, "0.0.0.0", fields.get("ciaddr", "0.0.0.0"))
    assert _destination(reply) == (MAC, OURS)
    assert not {51, 58, 59} & set(reply.options)
    assert {1, 3, 6, 26, 54} <= set(reply.options)


@pytest.mark.parametrize(
    "ciaddr, router", [(SECOND, "10.2.0.1"), ("10.2.255.7", "10.2.0.1"), ("10.0.0.100", "10.0.0.1")]
)
def test_inform_is_answered_for_the_subnet_of_the_address(ciaddr, router):
    assert ask(INFORM, ciaddr=ciaddr).options[3] == address(router)


def test_inform_from_one_of_several_addresses_in_a_subnet_is_told_of_that_one():
    served = service(port={"fixed_ips": (FixedIP("sub-1", OURS), FixedIP("sub-1", "10.0.0.6"))})
    assert ask(INFORM, to=served, ciaddr="10.0.0.6").options[12] == b"host-10-0-0-6"


def test_inform_from_elsewhere_is_refused():
    assert refused(request(INFORM, ciaddr="10.0.1.5")) is Reason.NOT_ON_LINK
    assert refused(request(INFORM)) is Reason.NO_ADDRESS


# What gets no answer


@pytest.mark.parametrize(
    "frame, reason",
    [
        (request(RELEASE, {54: address("10.0.0.1")}, ciaddr=OURS, src=OURS), Reason.RELEASED),
        (request(DECLINE, {54: address("10.0.0.1"), 50: address(OURS)}), Reason.DECLINED),
        (request(DECLINE), Reason.DECLINED),
        (request(DISCOVER, giaddr="10.0.0.9"), Reason.RELAYED),
        (request(DISCOVER, chaddr="fa:16:3e:00:00:02"), Reason.FOREIGN_CLIENT),
        (request(), Reason.NO_MESSAGE_TYPE),
        (request(OFFER), Reason.UNEXPECTED_TYPE),
        (request(ACK), Reason.UNEXPECTED_TYPE),
        (request(NAK), Reason.UNEXPECTED_TYPE),
        (request(0), Reason.UNEXPECTED_TYPE),
        (request(13), Reason.UNEXPECTED_TYPE),
        (request(DISCOVER, op=2), Reason.NOT_A_REQUEST),
        (request(DISCOVER, dst_port=68), Reason.NOT_A_REQUEST),
        (request(DISCOVER)[:-8], Reason.MALFORMED),
        (b"", Reason.MALFORMED),
    ],
)
def test_refused(frame, reason):
    assert refused(frame) is reason


def test_a_refusal_has_a_detail_for_people():
    assert respond(request(DISCOVER, chaddr="fa:16:3e:00:00:02"), SERVICE).detail == "chaddr fa:16:3e:00:00:02"
    assert respond(request(DISCOVER)[:60], SERVICE).detail == "IPv4 total length does not fit a DHCP message"


def test_an_allowed_pairs_mac_is_a_client_too():
    reply = ask(DISCOVER, chaddr=PAIR_MAC)
    assert (reply.type, reply.ethernet.dst, reply.dhcp.chaddr) == (OFFER, PAIR_MAC, PAIR_MAC)


# RFC 6842: the client identifier


@pytest.mark.parametrize("client_id", [b"\1\xfa\x16\x3e\0\0\1", b"", b"x" * 255])
def test_the_client_identifier_is_echoed(client_id):
    for message_type, wanted in ((DISCOVER, OURS), (REQUEST, OURS), (REQUEST, FOREIGN), (REQUEST, "255.255.255.254")):
        reply = ask(message_type, {50: address(wanted), 61: client_id})
        assert reply.options[61] == client_id
        assert reply.ipv4.total_length <= LEAST_DATAGRAM
    assert ask(INFORM, {61: client_id}, ciaddr=OURS).options[61] == client_id


def test_no_client_identifier_is_made_up():
    assert 61 not in ask(DISCOVER).options
    assert 61 not in ask(REQUEST, {50: address(FOREIGN)}).options


# RFC 2131 section 4.3.1, RFC 3442, RFC 2132: options


def test_options_come_in_the_order_asked_then_the_rest():
    order = ask(DISCOVER, {55: b"\x0f\x79\x03\x01\x2a\x0f\x35\x36"}).order
    assert order[:5] == [53, 54, 15, 3, 1]
    assert {51, 58, 59, 26, 6, 28, 12} == set(order[5:])
    assert len(order) == len(set(order))


def test_what_a_client_needs_comes_unasked():
    assert {51, 1, 3, 26, 6} <= set(ask(REQUEST, {50: address(OURS), 55: b"\x0f"}).order)


def test_classless_routes_hold_the_default_route_and_249_goes_to_who_asks():
    served = service(subnet={"host_routes": (Route("10.9.0.0/16", "10.0.0.9"),)})
    routes = b"\x10\n\x09\n\0\0\x09\0\n\0\0\1"
    plain = ask(DISCOVER, to=served)
    assert plain.options[121] == routes
    assert 249 not in plain.options
    windows = ask(DISCOVER, {55: b"\x01\x79\xf9\x03"}, to=served)
    assert windows.options[121] == windows.options[249] == routes
    assert windows.order[2:6] == [1, 121, 249, 3]


def test_boot_fields_and_options():
    extras = [("server-ip-address", "10.0.0.7"), ("bootfile-name", "pxelinux.0"), ("150", "10.0.0.8")]
    for reply in (ask(DISCOVER, to=_extra(*extras)), ask(REQUEST, {50: address(OURS)}, to=_extra(*extras))):
        assert reply.dhcp.siaddr == "10.0.0.7"
        assert reply.dhcp.boot_file.rstrip("\0") == "pxelinux.0"
        assert reply.dhcp.sname.rstrip("\0") == "10.0.0.7"
        assert (reply.options[66], reply.options[67], reply.options[150]) == (b"10.0.0.7", b"pxelinux.0", b"\n\0\0\x08")


# RFC 2132 section 9.10: the client's maximum message size

LARGE = [("bootfile-name", "b" * 120), ("root-path", "r" * 120), ("40", "n" * 120), ("43", ":".join(["aa"] * 60))]


@pytest.mark.parametrize(
    "stated, mtu, limit",
    [(None, 1442, 576), (0, 1442, 576), (575, 1442, 576), (600, 1442, 600), (1500, 700, 700), (65535, 1442, 1442)],
)
def test_a_reply_keeps_to_the_size_that_the_client_takes(stated, mtu, limit):
    served = service(
        network={"mtu": mtu}, port={"extra_dhcp_opts": tuple(DhcpOption(name, value) for name, value in LARGE)}
    )
    options = {} if stated is None else {57: stated.to_bytes(2, "big")}
    reply = ask(DISCOVER, options, to=served)
    assert reply.ipv4.total_length <= limit
    whole = dict(served.leases[0].options)
    assert all(whole.get(code, octets) == octets for code, octets in reply.options.items() if code not in (53, 54))
    left_out = [len(octets) + 2 for code, octets in whole.items() if code not in reply.options]
    assert all(reply.ipv4.total_length + size > limit for size in left_out)
    assert bool(left_out) == (limit < 900)
    assert {51, 1, 3, 26, 6} <= set(reply.options)


def test_what_was_asked_outlives_what_was_not_and_both_give_way_to_what_is_needed():
    assert {17, 40} & set(ask(DISCOVER, {55: b"\x11"}, to=_extra(*LARGE)).options) == {17}
    assert {17, 40} & set(ask(DISCOVER, {55: b"\x28"}, to=_extra(*LARGE)).options) == {40}
    # Of the 308 octets for options the two would leave 5.
    large = _extra(("root-path", "r" * 150), ("40", "n" * 140))
    told = set(ask(DISCOVER, {55: b"\x11\x28"}, to=large).options)
    assert {51, 1, 3, 26, 6} <= told
    assert {17, 40} & told == {17}


def test_the_last_octet_is_used_and_none_more():
    totals = {}
    for size in range(1, 240):
        reply = ask(DISCOVER, {55: b"\x11"}, to=_extra(("root-path", "r" * size)))
        totals[size] = reply.ipv4.total_length
        assert reply.options.get(17, b"r" * size) == b"r" * size
        assert reply.ipv4.total_length <= LEAST_DATAGRAM
    assert LEAST_DATAGRAM in totals.values()


def test_routes_beyond_255_octets_are_split_and_too_many_are_left_out():
    def with_routes(count):
        return service(
            subnet={"host_routes": tuple(Route(f"10.{n}.0.0/16", "10.0.0.9") for n in range(100, 100 + count))}
        )

    whole = ask(DISCOVER, {57: b"\x05\xdc"}, to=with_routes(40))
    assert len(whole.options[121]) == 40 * 7 + 5
    assert whole.order.count(121) == 2
    fallback = ask(DISCOVER, to=with_routes(40))
    assert 121 not in fallback.options
    assert fallback.options[3] == address("10.0.0.1")
