import json

import pytest
from hypothesis import given

from tests.topology.rows import any_row, network, port
from topology.documents import from_document, to_document
from topology.values import AddressRange, Chassis, FixedIP, Network, Port, Segment, Subnet


@given(any_row)
def test_what_is_written_is_read_back(row):
    again = from_document(type(row), to_document(row))
    assert again == row
    assert repr(again) == repr(row), "the types must be the same too"


def test_the_text_is_plain_json():
    document = json.loads(to_document(port(fixed_ips=(FixedIP("sub-1", "10.0.0.5"),))))
    assert document["fixed_ips"] == [{"subnet_id": "sub-1", "ip_address": "10.0.0.5"}]


def test_unknown_fields_are_ignored_and_missing_ones_take_their_default():
    text = '{"id":"n","project_id":"p","key":1,"segment":{"network_type":"flat","qos":1},"colour":"red"}'
    assert from_document(Network, text) == Network("n", "p", 1, Segment("flat"))


@pytest.mark.parametrize(
    ("kind", "document", "complaint"),
    [
        (Network, "{", "Expecting"),
        (Network, "[]", "Network"),
        (Network, "7", "Network"),
        (Network, '{"id":"n"}', "missing"),
        (Network, '{"id":7}', "id: 7"),
        (Network, '{"key":"1"}', "key: '1'"),
        (Network, '{"key":true}', "key: True"),
        (Network, '{"shared":1}', "shared: 1"),
        (Network, '{"segment":{"network_type":"vlan","segmentation_id":"x"}}', "segment: segmentation_id: 'x'"),
        (Network, '{"segment":null}', "segment: "),
        (Subnet, '{"allocation_pools":{"start":"10.0.0.1"}}', "allocation_pools: "),
        (Subnet, '{"allocation_pools":"ab"}', "allocation_pools: "),
        (Subnet, '{"dns_nameservers":[8]}', "dns_nameservers: 8"),
        (Chassis, '{"bridge_mappings":[["physnet1"]]}', "bridge_mappings: "),
        (Chassis, '{"tunnel_ports":[["geneve","one"]]}', "tunnel_ports: 'one'"),
    ],
)
def test_a_document_of_another_shape_is_refused_with_the_field(kind, document, complaint):
    with pytest.raises((ValueError, TypeError), match=f"(?i){complaint}"):
        from_document(kind, document)


@pytest.mark.parametrize(
    "row",
    [
        port(fixed_ips=[FixedIP("sub-1", "10.0.0.5")]),
        network(name=b"bytes"),
        network(name={"a": 1}),
        network(mtu=1450.5),
        Subnet("s", "p", "n", "10.0.0.0/24", allocation_pools=[AddressRange("10.0.0.1", "10.0.0.2")]),
    ],
)
def test_a_row_that_would_come_back_as_another_is_not_written(row):
    with pytest.raises(TypeError):
        to_document(row)


def test_every_kind_of_row_can_be_kept():
    from topology.kinds import KINDS

    for kind in KINDS:
        with pytest.raises(TypeError, match="missing"):
            from_document(kind.row, "{}")
    assert Port in {kind.row for kind in KINDS}
