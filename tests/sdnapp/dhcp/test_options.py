"""Names, numbers and values of extra_dhcp_opts, to octets; what is wrong is told with the fix."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdnapp.dhcp.options import NEXT_SERVER, check_option, encode


@pytest.mark.parametrize(
    "name, value, code, octets",
    [
        ("bootfile-name", "pxelinux.0", 67, b"pxelinux.0"),
        ("67", "http://10.0.0.2/boot.ipxe", 67, b"http://10.0.0.2/boot.ipxe"),
        ("tftp-server", "10.0.0.2", 66, b"10.0.0.2"),
        ("66", "boot.example.org", 66, b"boot.example.org"),
        ("tftp-server-address", "10.0.0.2, 10.0.0.3", 150, b"\n\0\0\2\n\0\0\3"),
        ("150", "10.0.0.2", 150, b"\n\0\0\2"),
        ("next-server", "10.0.0.2", NEXT_SERVER, b"\n\0\0\2"),
        ("server-ip-address", "10.0.0.2", NEXT_SERVER, b"\n\0\0\2"),
        ("255", "10.0.0.2", NEXT_SERVER, b"\n\0\0\2"),
        ("router", "10.0.0.2", 3, b"\n\0\0\2"),
        ("router", "", 3, b""),
        ("classless-static-route", "", 121, b""),
        ("dns-server", "10.0.0.2,192.0.2.1", 6, b"\n\0\0\2\xc0\0\2\1"),
        ("DNS-Server", "10.0.0.2", 6, b"\n\0\0\2"),
        ("domain-name", "cloud.example.org.", 15, b"cloud.example.org"),
        ("domain-search", "a.org,b", 119, b"\1a\3org\0\1b\0"),
        ("mtu", "1400", 26, b"\x05\x78"),
        ("26", "68", 26, b"\0\x44"),
        ("ntp-server", "10.0.0.2", 42, b"\n\0\0\2"),
        ("netmask", "255.255.128.0", 1, b"\xff\xff\x80\0"),
        ("time-offset", "-3600", 2, b"\xff\xff\xf1\xf0"),
        ("ip-forward-enable", "true", 19, b"\1"),
        ("router-discovery", "0", 31, b"\0"),
        ("static-route", "10.1.0.0,10.0.0.2", 33, b"\n\1\0\0\n\0\0\2"),
        ("lease-time", "600", 51, b"\0\0\2\x58"),
        ("T1", "300", 58, b"\0\0\1\x2c"),
        ("default-ttl", "64", 23, b"\x40"),
        # RFC 3442's own examples of widths.
        ("classless-static-route", "0.0.0.0/0,10.0.0.1", 121, b"\0\n\0\0\1"),
        (
            "classless-static-route",
            "10.0.0.0/8,10.0.0.1, 10.0.0.0/24,10.0.0.1,10.17.0.0/16,10.0.0.1",
            121,
            b"\x08\n\n\0\0\1\x18\n\0\0\n\0\0\1\x10\n\x11\n\0\0\1",
        ),
        ("121", "10.27.129.0/24,10.0.0.1", 121, b"\x18\n\x1b\x81\n\0\0\1"),
        ("249", "10.198.122.47/32,10.0.0.1", 249, b"\x20\n\xc6\x7a\x2f\n\0\0\1"),
        ("121", "10.229.0.128/25,10.0.0.1", 121, b"\x19\n\xe5\0\x80\n\0\0\1"),
        # Numbers that nothing is known of: the value tells its form.
        ("43", "01:04:c0:00:02:01:ff", 43, b"\1\4\xc0\0\2\1\xff"),
        ("224", "7", 224, b"\7"),
        ("224", "300", 224, b"\1\x2c"),
        ("224", "70000", 224, b"\0\1\x11\x70"),
        ("224", "10.0.0.2,10.0.0.3", 224, b"\n\0\0\2\n\0\0\3"),
        ("252", "http://wpad/wpad.dat", 252, b"http://wpad/wpad.dat"),
        ("224", "99999999999", 224, b"99999999999"),
    ],
)
def test_encode(name, value, code, octets):
    check_option(name, value)
    assert encode(name, value) == (code, octets)


@pytest.mark.parametrize(
    "name, value, said",
    [
        ("bootfile", "x", "no DHCP option 'bootfile'"),
        ("", "x", "no DHCP option ''"),
        ("0", "x", "no DHCP option '0'"),
        ("256", "x", "no DHCP option '256'"),
        ("-1", "x", "no DHCP option '-1'"),
        ("tag:ipxe,67", "x", "no DHCP option 'tag:ipxe,67'"),
        ("53", "5", "option 53 .* leave it out"),
        ("52", "1", "option 52 .* leave it out"),
        ("server-identifier", "10.0.0.1", "server-identifier .* leave it out"),
        ("client-id", "01:02", "client-id .* leave it out"),
        ("router", "10.0.0.300", "router: '10.0.0.300' is not valid; give IPv4 addresses"),
        ("dns-server", "", "dns-server: '' is not valid; give IPv4 addresses"),
        ("dns-server", "2001:db8::1", "give IPv4 addresses"),
        ("dns-server", "10.0.0.1,", "give IPv4 addresses"),
        ("next-server", "boot.example.org", "next-server: .* give an IPv4 address"),
        ("mtu", "67", "whole number from 68 to 65535"),
        ("mtu", "65536", "whole number from 68 to 65535"),
        ("mtu", "big", "whole number"),
        ("mtu", "1_400", "whole number"),
        ("mtu", "१४००", "whole number"),
        ("lease-time", "0", "from 1 to 4294967295"),
        ("lease-time", "9" * 5000, "from 1 to 4294967295"),
        ("time-offset", "2147483648", "from -2147483648 to 2147483647"),
        ("ip-forward-enable", "perhaps", "give 1 or 0"),
        ("netmask", "255.0.255.0", "give a netmask"),
        ("netmask", "24", "give an IPv4 address"),
        ("static-route", "10.1.0.0", "give pairs"),
        ("domain-name", "not a name", "give a domain name"),
        ("domain-name", "a..b", "give a domain name"),
        ("domain-name", "$(reboot)", "give a domain name"),
        ("domain-name", "x" * 64, "give a domain name"),
        ("domain-search", "a.org,", "give a domain name"),
        ("bootfile-name", "", "printable ASCII"),
        ("bootfile-name", "bøot", "printable ASCII"),
        ("bootfile-name", "a\nb", "printable ASCII"),
        ("classless-static-route", "10.0.0.0/8", "destinations"),
        ("classless-static-route", "10.0.0.1/8,10.0.0.1", "without host bits"),
        ("classless-static-route", "10.0.0.0/33,10.0.0.1", "destinations"),
        ("224", "ünknown", "option 224: .* printable ASCII"),
    ],
)
def test_what_is_refused_names_option_and_fix(name, value, said):
    with pytest.raises(ValueError, match=said):
        check_option(name, value)


_names = st.text(max_size=6) | st.integers(-1, 300).map(str) | st.sampled_from(["router", "mtu", "domain-search", "T1"])
_values = st.text(max_size=30) | st.text("0123456789.,:/ -abf", max_size=30)


@given(_names, _values)
def test_any_text_is_encoded_or_refused_with_a_value_error(name, value):
    try:
        code, octets = encode(name, value)
    except ValueError as error:
        assert name in str(error) or repr(name) in str(error)
    else:
        assert 0 < code <= NEXT_SERVER
        assert octets or (code in (3, 121) and not value)
