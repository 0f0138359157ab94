"""What is dropped of fragments, on real Open vSwitch, on switches of its own: they keep what is left of datagrams."""

import pytest

from tests.real_ovs.ovs_dummy import missing
from tests.real_ovs.real_cloud import RealCloud, real_chassis
from tests.security_stories import no_instance_is_a_dhcp_server_in_fragments_either

pytestmark = pytest.mark.ovs


def test_no_instance_is_a_dhcp_server_in_fragments_either() -> None:
    if absent := missing():
        pytest.skip(f"needs Open vSwitch: {', '.join(absent)} not found")
    with real_chassis() as chassis:
        cloud = RealCloud(chassis)
        no_instance_is_a_dhcp_server_in_fragments_either(cloud)
        cloud.clear()
