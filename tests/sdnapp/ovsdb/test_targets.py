"""How addresses are written for Open vSwitch and for people."""

from sdnapp.ovsdb.targets import address_text, target


def test_addresses_are_written_as_people_do() -> None:
    assert address_text(("192.0.2.1", 5)) == "192.0.2.1:5"
    assert address_text(("2001:db8::1", 5, 0, 0)) == "[2001:db8::1]:5"
    assert address_text(("::ffff:192.0.2.1", 5, 0, 0)) == "192.0.2.1:5"


def test_targets() -> None:
    assert target("192.0.2.1", 6640) == "tcp:192.0.2.1:6640"
    assert target("2001:db8::1", 6640) == "tcp:[2001:db8::1]:6640"
    assert target("192.0.2.1", 6640, secure=True) == "ssl:192.0.2.1:6640"
