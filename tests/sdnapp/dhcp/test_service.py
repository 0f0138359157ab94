"""From rows to what DHCP says to a port."""

import logging
from dataclasses import replace

import pytest

from sdnapp.dhcp.service import DhcpSettings, dhcp_service
from tests.sdnapp.dhcp.messages import MAC, NETWORK, PAIR_MAC, PORT, SECOND_SUBNET, SUBNET, address, service
from topology.values import DhcpOption, FixedIP, Route


def _said(**rows) -> dict[int, bytes]:
    return dict(service(**rows).leases[0].options)


def _extra(*options: tuple[str, str]) -> dict:
    return {"extra_dhcp_opts": tuple(DhcpOption(name, value) for name, value in options)}


def test_everything_that_rows_say():
    lease = service().leases[0]
    assert lease.address == address("10.0.0.5")
    assert lease.server_id == address("10.0.0.1")
    assert dict(lease.options) == {
        51: (86400).to_bytes(4, "big"),
        1: address("255.255.255.0"),
        3: address("10.0.0.1"),
        26: (1442).to_bytes(2, "big"),
        6: address("192.0.2.53") + address("192.0.2.54"),
        58: (43200).to_bytes(4, "big"),
        59: (75600).to_bytes(4, "big"),
        28: address("10.0.0.255"),
        15: b"openstacklocal",
        12: b"host-10-0-0-5",
    }
    assert (lease.siaddr, lease.sname, lease.file) == (bytes(4), b"", b"")


def test_each_served_address_has_a_lease_in_the_order_of_the_row():
    found = service()
    assert [lease.address for lease in found.leases] == [address("10.0.0.5"), address("10.2.3.4")]
    assert found.leases[1].server_id == address("10.2.0.1")
    assert dict(found.leases[1].options)[1] == address("255.255.0.0")
    assert found.macs == {bytes.fromhex(mac.replace(":", "")) for mac in (MAC, PAIR_MAC)}
    assert (found.port_id, found.mtu) == ("port-1", 1442)


def test_an_address_without_dhcp_is_passed_over():
    assert [lease.address for lease in service(subnet={"enable_dhcp": False}).leases] == [address("10.2.3.4")]


@pytest.mark.parametrize(
    "port, network, subnets",
    [
        (replace(PORT, fixed_ips=()), NETWORK, [SUBNET]),
        (PORT, NETWORK, []),
        (PORT, NETWORK, [replace(SUBNET, enable_dhcp=False)]),
        (
            replace(PORT, fixed_ips=(FixedIP("sub-6", "2001:db8::5"),)),
            NETWORK,
            [replace(SUBNET, id="sub-6", cidr="2001:db8::/64", ip_version=6, gateway_ip="2001:db8::1")],
        ),
        (replace(PORT, admin_state_up=False), NETWORK, [SUBNET]),
        (PORT, replace(NETWORK, admin_state_up=False), [SUBNET]),
    ],
    ids=["no-address", "no-subnet", "no-dhcp", "ipv6", "port-down", "network-down"],
)
def test_nothing_to_say(port, network, subnets):
    assert dhcp_service(port, network, subnets, DhcpSettings()) is None


def test_equal_rows_make_an_equal_and_hashable_value():
    assert service() == service()
    assert len({service(), service(), service(port={"dns_name": "web"})}) == 2


@pytest.mark.parametrize(
    "rows, code, octets",
    [
        ({"port": {"dns_name": "web"}}, 12, b"web"),
        ({"network": {"dns_domain": "red.example.org."}}, 15, b"red.example.org"),
        ({"settings": {"domain": ""}}, 15, None),
        ({"network": {"mtu": 9000}}, 26, (9000).to_bytes(2, "big")),
        ({"subnet": {"dns_nameservers": ()}}, 6, None),
        ({"subnet": {"dns_nameservers": ()}, "settings": {"dns_servers": ("192.0.2.9",)}}, 6, address("192.0.2.9")),
        ({"subnet": {"dns_nameservers": ("0.0.0.0",)}, "settings": {"dns_servers": ("192.0.2.9",)}}, 6, None),
        ({"subnet": {"dns_nameservers": ("2001:db8::9", "192.0.2.7")}}, 6, address("192.0.2.7")),
        ({"subnet": {"gateway_ip": None}}, 3, None),
        ({"subnet": {"gateway_ip": "10.0.0.5"}}, 3, None),
        ({"subnet": {"cidr": "10.0.0.4/31"}}, 28, None),
        ({"subnet": {"cidr": "10.0.0.4/30"}}, 28, address("10.0.0.7")),
        ({"subnet": {"cidr": "10.0.0.5/32"}}, 1, address("255.255.255.255")),
        ({"settings": {"lease_seconds": 80}}, 59, (70).to_bytes(4, "big")),
        ({"settings": {"lease_seconds": 0xFFFFFFFF}}, 58, None),
        ({"settings": {"lease_seconds": 0xFFFFFFFF}}, 59, None),
    ],
)
def test_one_row_one_option(rows, code, octets):
    assert _said(**rows).get(code) == octets


@pytest.mark.parametrize("gateway", [None, "10.0.0.5"], ids=["none", "the-port-itself"])
def test_without_a_gateway_the_server_has_a_link_local_name(gateway):
    assert service(subnet={"gateway_ip": gateway}).leases[0].server_id == address("169.254.169.253")


ROUTE = Route("10.9.0.0/16", "10.0.0.9")
ROUTE_OCTETS, DEFAULT_OCTETS = b"\x10\n\x09\n\0\0\x09", b"\0\n\0\0\1"


@pytest.mark.parametrize(
    "rows, octets",
    [
        ({}, None),
        ({"subnet": {"host_routes": (ROUTE,)}}, ROUTE_OCTETS + DEFAULT_OCTETS),
        ({"subnet": {"host_routes": (ROUTE,), "gateway_ip": None}}, ROUTE_OCTETS),
        ({"subnet": {"host_routes": (Route("0.0.0.0/0", "10.0.0.9"),)}}, b"\0\n\0\0\x09"),
        ({"subnet": {"host_routes": (Route("2001:db8::/32", "2001:db8::1"),), "gateway_ip": None}}, None),
        ({"subnet": {"host_routes": (ROUTE,)}, "port": _extra(("router", "10.0.0.2"))}, ROUTE_OCTETS + b"\0\n\0\0\2"),
        ({"subnet": {"host_routes": (ROUTE,)}, "port": _extra(("router", ""))}, ROUTE_OCTETS),
        (
            {"subnet": {"host_routes": (ROUTE,)}, "port": _extra(("121", "10.8.0.0/16,10.0.0.8"))},
            b"\x10\n\x08\n\0\0\x08",
        ),
        ({"subnet": {"host_routes": (ROUTE,)}, "port": _extra(("classless-static-route", ""))}, None),
    ],
)
def test_classless_routes(rows, octets):
    said = _said(**rows)
    assert said.get(121) == octets
    assert said.get(249) == octets


def test_extra_options_override_and_add():
    said = _said(
        port=_extra(("mtu", "1300"), ("router", ""), ("42", "192.0.2.123"), ("lease-time", "100"), ("T2", "90"))
    )
    assert said[26] == (1300).to_bytes(2, "big")
    assert 3 not in said
    assert said[42] == address("192.0.2.123")
    assert [int.from_bytes(said[code], "big") for code in (51, 58, 59)] == [100, 50, 90]


def test_extra_options_of_ipv6_are_not_ours():
    assert _said(port={"extra_dhcp_opts": (DhcpOption("bootfile-name", "pxelinux.0", 6),)}) == _said()


def test_an_extra_option_that_is_wrong_is_logged_and_left_out(caplog):
    with caplog.at_level(logging.WARNING):
        said = _said(port=_extra(("mtu", "huge"), ("42", "192.0.2.123")))
    assert said[26] == (1442).to_bytes(2, "big")
    assert 42 in said
    assert "port port-1" in caplog.text
    assert "mtu" in caplog.text


BOOT = address("10.0.0.7")


@pytest.mark.parametrize(
    "extras, siaddr, sname, options",
    [
        ([("server-ip-address", "10.0.0.7")], BOOT, b"10.0.0.7", {66: b"10.0.0.7"}),
        (
            [("next-server", "10.0.0.7"), ("66", "boot.example.org")],
            BOOT,
            b"boot.example.org",
            {66: b"boot.example.org"},
        ),
        ([("tftp-server", "10.0.0.7")], BOOT, b"10.0.0.7", {66: b"10.0.0.7"}),
        ([("tftp-server", "boot.example.org")], bytes(4), b"boot.example.org", {66: b"boot.example.org"}),
        ([("150", "10.0.0.7,10.0.0.8")], BOOT, b"", {150: BOOT + address("10.0.0.8")}),
        ([("tftp-server", "x" * 64)], bytes(4), b"", {66: b"x" * 64}),
    ],
)
def test_boot_server(extras, siaddr, sname, options):
    lease = service(port=_extra(*extras)).leases[0]
    assert (lease.siaddr, lease.sname) == (siaddr, sname)
    assert {code: octets for code, octets in lease.options if code in (66, 150)} == options


@pytest.mark.parametrize("name, in_header", [("pxelinux.0", b"pxelinux.0"), ("x" * 127, b"x" * 127), ("x" * 128, b"")])
def test_boot_file(name, in_header):
    lease = service(port=_extra(("bootfile-name", name))).leases[0]
    assert lease.file == in_header
    assert dict(lease.options)[67] == name.encode()


def test_subnets_of_the_port_suffice():
    assert dhcp_service(PORT, NETWORK, [SUBNET], DhcpSettings()).leases == service().leases[:1]
    assert dhcp_service(PORT, NETWORK, iter([SUBNET, SECOND_SUBNET]), DhcpSettings()) == service()


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"lease_seconds": 0}, "lease_seconds: .* from 1 to"),
        ({"lease_seconds": 1 << 32}, "lease_seconds: .* from 1 to"),
        ({"dns_servers": ("192.0.2.1", "dns.example.org")}, "dns_servers: .* IPv4 addresses"),
        ({"domain": "no domain"}, "domain: .* domain name"),
    ],
)
def test_settings_that_cannot_be_announced(settings, said):
    with pytest.raises(ValueError, match=said):
        DhcpSettings(**settings)
