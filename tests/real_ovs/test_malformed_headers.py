"""IPv4 headers that make no sense, on real Open vSwitch: what is dropped, and under which reason it is counted."""

import struct
from collections.abc import Iterator

import pytest

from flows import packets
from tests.real_ovs.frames import checksum, to_bytes
from tests.real_ovs.ovs_dummy import missing, version
from tests.real_ovs.real_cloud import RealChassis, RealCloud, real_chassis

pytestmark = pytest.mark.ovs

SENDER, RECEIVER = "fa:16:3e:00:00:01", "fa:16:3e:00:00:02"
GOOD = to_bytes(packets.tcp(SENDER, RECEIVER, "10.0.0.11", "10.0.0.12"))
LENGTH = len(GOOD) - 14
LEAVE_CHECKSUMS = (((3, 2), (3, 3, 5)), ((3, 4), (3, 4, 3)), ((3, 5), (3, 5, 1)))
"""From which Open vSwitch to which, not included, connection tracking in user space left out checksums of headers."""
Setting = tuple[RealCloud, RealChassis]


@pytest.fixture(scope="module")
def setting() -> Iterator[Setting]:
    """Two ports on one chassis, whose security group permits everything."""
    if absent := missing():
        pytest.skip(f"needs Open vSwitch: {', '.join(absent)} not found")
    with real_chassis() as chassis:
        cloud = RealCloud(chassis)
        network = cloud.network("red")
        cloud.port("sender", network, "10.0.0.11", "hv1", mac_address=SENDER)
        cloud.port("receiver", network, "10.0.0.12", "hv1", mac_address=RECEIVER)
        yield cloud, chassis["hv1"]
        cloud.clear()


def with_bytes(place: int, new: bytes) -> bytes:
    """The good frame with other bytes at a place of its IPv4 header, and the checksum that goes with them."""
    header = bytearray(GOOD[14:34])
    header[place : place + len(new)] = new
    header[10:12] = bytes(2)
    header[10:12] = struct.pack("!H", checksum(bytes(header)))
    return GOOD[:14] + bytes(header) + GOOD[34:]


def with_length(length: int) -> bytes:
    return with_bytes(2, struct.pack("!H", length))


def reasons(setting: Setting, frame: bytes) -> set[str]:
    """Send a frame; return what for it is counted. Nobody may get it."""
    cloud, chassis = setting
    before = chassis.counted()
    assert cloud.inject_frame("sender@hv1", frame).deliveries == []
    return {reason for _, reason in chassis.counted() - before}


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(with_bytes(0, b"\x40"), id="a header of no words"),
        pytest.param(with_bytes(0, b"\x44"), id="a header of four words"),
        pytest.param(with_bytes(0, b"\x4f"), id="a header longer than the packet"),
        pytest.param(with_length(0), id="a total length of nothing"),
        pytest.param(with_length(19), id="a total length below the header's"),
        pytest.param(with_length(LENGTH + 1), id="a total length beyond the frame"),
        pytest.param(GOOD[:30], id="a frame that ends within the header"),
    ],
)
def test_a_header_that_makes_no_sense_is_malformed(setting: Setting, frame: bytes) -> None:
    assert reasons(setting, frame) == {"malformed"}


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(with_length(20), id="nothing after the header"),
        pytest.param(with_length(LENGTH - 1), id="an end within the TCP header"),
    ],
)
def test_what_connection_tracking_cannot_read_belongs_to_no_connection(setting: Setting, frame: bytes) -> None:
    assert reasons(setting, frame) == {"egress_rules"}


def test_a_wrong_checksum_is_dropped_or_left_for_who_gets_it(setting: Setting) -> None:
    cloud, chassis = setting
    frame = GOOD[:24] + b"\xde\xad" + GOOD[26:]
    if any(first <= version() < mended for first, mended in LEAVE_CHECKSUMS):
        # Nobody makes it right on the way.
        receiver = cloud.interface_of("receiver@hv1")
        assert cloud.inject_frame("sender@hv1", frame).deliveries and chassis.ovs.sent(receiver)[-1] == frame
    else:
        assert reasons(setting, frame) == {"egress_rules"}


@pytest.mark.parametrize("number", [0, 6, 15])
def test_the_version_is_not_looked_at(setting: Setting, number: int) -> None:
    cloud, _ = setting
    walk = cloud.inject_frame("sender@hv1", with_bytes(0, bytes([number << 4 | 5])))
    assert [place for place, _ in walk.deliveries] == ["receiver@hv1"]
