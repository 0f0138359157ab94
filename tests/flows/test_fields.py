"""Fields are parsed from what people write and written back the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.fields import FIELDS, mac_to_int, parse, show
from topology.addressing import int_to_mac


@pytest.mark.parametrize(
    ("name", "text", "value", "mask"),
    [
        ("eth_src", "fa:16:3e:00:00:01", 0xFA163E000001, None),
        ("eth_dst", "01:00:00:00:00:00/01:00:00:00:00:00", 1 << 40, 1 << 40),
        ("ipv4_src", "10.0.0.5", 0x0A000005, None),
        ("ipv4_src", "10.0.0.5/24", 0x0A000000, 0xFFFFFF00),
        ("ipv4_src", "10.0.0.5/255.255.0.0", 0x0A000000, 0xFFFF0000),
        ("ipv4_src", "10.0.0.5/32", 0x0A000005, None),
        ("arp_spa", "0.0.0.0/0", 0, 0),
        ("udp_dst", 67, 67, None),
        ("vlan_vid", 0x1FFF, 0x1FFF, None),
        ("tcp_dst", "0x1f40/0xffc0", 8000, 0xFFC0),
        ("ip_frag", "3/3", 3, 3),
        ("ct_state", "+trk-inv", 0x20, 0x30),
        ("ct_state", "+trk+new-inv-rpl", 0x21, 0x39),
    ],
)
def test_parse(name, text, value, mask):
    assert parse(FIELDS[name], text) == (value, mask)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("eth_src", "fa:16:3e:00:00"),
        ("eth_src", "fa:16:3e:00:00:0g"),
        ("ipv4_src", "10.0.0.256"),
        ("ipv4_src", "10.0.0.0/33"),
        ("ipv4_src", "2001:db8::1"),
        ("udp_dst", 1 << 16),
        ("udp_dst", -1),
        ("udp_dst", "67"),
        ("vlan_vid", 1 << 13),
        ("tcp_dst", "1/0x10000"),
        ("tcp_dst", "/3"),
        ("ct_state", "trk"),
        ("ct_state", "+trk,-inv"),
        ("ct_state", "+seen"),
    ],
)
def test_what_does_not_fit_is_refused(name, value):
    with pytest.raises(ValueError):
        parse(FIELDS[name], value)


def test_errors_name_the_field():
    with pytest.raises(ValueError, match="udp_dst has 16 bits, 0x10000 does not fit"):
        parse(FIELDS["udp_dst"], 1 << 16)


def test_show():
    assert show(FIELDS["ipv4_src"], 0x0A000000, 0xFFFFFF00) == "10.0.0.0/255.255.255.0"
    assert show(FIELDS["eth_type"], 0x0800) == "0x800"
    assert show(FIELDS["udp_dst"], 67) == "67"
    assert show(FIELDS["ct_state"], 0x21, 0x31) == "+new-inv+trk"
    assert show(FIELDS["eth_dst"], 1 << 40, 1 << 40) == "01:00:00:00:00:00/01:00:00:00:00:00"


@given(st.integers(0, (1 << 48) - 1))
def test_mac_addresses_survive_being_written(value):
    assert mac_to_int(int_to_mac(value)) == value
    assert mac_to_int(int_to_mac(value).upper()) == value


@given(st.integers(0, (1 << 32) - 1), st.integers(0, 32))
def test_prefixes_survive_being_written(address, length):
    value, mask = parse(FIELDS["ipv4_dst"], f"{show(FIELDS['ipv4_dst'], address)}/{length}")
    assert parse(FIELDS["ipv4_dst"], show(FIELDS["ipv4_dst"], value, mask)) == (value, mask)
    full = (1 << 32) - 1
    assert value == address & (full if mask is None else mask)


@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)
def test_prerequisites_are_fields_with_values_that_fit(field):
    for needed, value in field.needs:
        assert not value >> FIELDS[needed].bits
        assert set(FIELDS[needed].needs) <= set(field.needs), "prerequisites of prerequisites are listed too"
