"""Small rows for tests, and Hypothesis strategies for rows of every kind over few ids, so that histories collide."""

from hypothesis import strategies as st

from topology.values import (
    AddressPair,
    AddressRange,
    Chassis,
    Claim,
    Counter,
    DhcpOption,
    FixedIP,
    HostBinding,
    Network,
    Port,
    PortBinding,
    Route,
    Segment,
    Subnet,
)


def network(network_id="net-1", **values) -> Network:
    return Network(network_id, **{"project_id": "red", "key": 1, "segment": Segment("geneve", 100), **values})


def port(port_id="port-1", **values) -> Port:
    defaults = {"project_id": "red", "network_id": "net-1", "key": 1, "mac_address": "fa:16:3e:00:00:01"}
    return Port(port_id, **{**defaults, **values})


def claim(scope: str, value: int, owner: str = "port/1") -> Claim:
    return Claim(f"{scope}/{value}", scope, value, owner)


def _ids(prefix: str):
    return st.sampled_from([f"{prefix}-{n}" for n in range(4)])


_projects = st.sampled_from(["red", "blue"])
_text = st.text(max_size=5)
_macs = st.sampled_from(["fa:16:3e:00:00:01", "fa:16:3e:00:00:02"])
_addresses = st.sampled_from(["10.0.0.1", "10.0.0.2", "192.0.2.7"])


def _some(strategy, most=2):
    return st.lists(strategy, max_size=most).map(tuple)


_segments = st.builds(
    Segment, st.sampled_from(["geneve", "vlan", "flat"]), st.none() | st.integers(1, 9), st.none() | st.just("physnet1")
)
networks = st.builds(
    Network,
    id=_ids("net"),
    project_id=_projects,
    key=st.integers(1, 3),
    segment=_segments,
    name=_text,
    shared=st.booleans(),
)
subnets = st.builds(
    Subnet,
    id=_ids("sub"),
    project_id=_projects,
    network_id=_ids("net"),
    cidr=st.just("10.0.0.0/24"),
    gateway_ip=st.none() | _addresses,
    allocation_pools=_some(st.builds(AddressRange, _addresses, _addresses)),
    dns_nameservers=_some(_addresses),
    host_routes=_some(st.builds(Route, st.just("10.9.0.0/16"), _addresses)),
)
ports = st.builds(
    Port,
    id=_ids("port"),
    project_id=_projects,
    network_id=_ids("net"),
    key=st.integers(1, 3),
    mac_address=_macs,
    device_id=st.sampled_from(["", "vm-1", "vm-2"]),
    fixed_ips=_some(st.builds(FixedIP, _ids("sub"), _addresses), 3),
    allowed_address_pairs=_some(st.builds(AddressPair, _addresses, _macs)),
    extra_dhcp_opts=_some(st.builds(DhcpOption, _text, _text)),
    inactive_bindings=_some(st.builds(HostBinding, _ids("hv"))),
)
chassis = st.builds(
    Chassis,
    id=_ids("hv"),
    datapath_id=st.sampled_from(["", "00000000000000aa", "00000000000000bb"]),
    encap_ip=st.none() | _addresses,
    encap_types=_some(st.sampled_from(["geneve", "vxlan"])),
    bridge_mappings=_some(st.tuples(_text, _text)),
    tunnel_ports=_some(st.tuples(st.just("geneve"), st.integers(1, 9))),
)
bindings = st.builds(
    lambda port_id, chassis_id, ofport: PortBinding(
        f"{port_id}@{chassis_id}", port_id, chassis_id, ofport, "tap1", ofport
    ),
    _ids("port"),
    _ids("hv"),
    st.integers(1, 3),
)
claims = st.builds(claim, st.sampled_from(["ip:a", "ip:b/c"]), st.integers(0, 6), st.sampled_from(["port/1", "port/2"]))
counters = st.builds(Counter, st.sampled_from(["network", "port"]), st.integers(1, 5))

any_row = st.one_of(networks, subnets, ports, chassis, bindings, claims, counters)
