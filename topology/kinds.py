"""The kinds of row that there are: how each is called in keys, and by what it is found.

An index maps a row to the keys under which it is: none where it does not belong there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from topology.gateway_values import (
    Alone,
    Fence,
    GatewayBinding,
    Neighbour,
    NoUpstream,
    Outage,
    Translation,
    VirtualAddress,
)
from topology.index import spans_of
from topology.values import (
    ROUTER_GATEWAY,
    ROUTER_INTERFACE,
    AddressGroup,
    AddressScope,
    Chassis,
    ChassisNote,
    Claim,
    Counter,
    DefaultSecurityGroupRule,
    FloatingIP,
    Network,
    Port,
    PortBinding,
    PortForwarding,
    Quota,
    RbacPolicy,
    Router,
    SecurityGroup,
    SecurityGroupRule,
    Subnet,
    SubnetPool,
)

KeysOf = Callable[[Any], tuple[Any, ...]]


@dataclass(frozen=True)
class Kind:
    """A kind of row: its name in keys, and its indexes (name to the index keys of a row)."""

    row: type[Any]
    name: str
    indexes: Mapping[str, KeysOf] = field(default_factory=dict)


KINDS: tuple[Kind, ...] = (
    Kind(
        Network,
        "network",
        {
            "every": lambda n: (True,),
            "name": lambda n: (n.name,) if n.name else (),
            "project": lambda n: (n.project_id,),
            "shared": lambda n: ("yes",) if n.shared else (),
            "external": lambda n: (n.external,),
            "transit": lambda n: (True,) if n.transit is not None else (),
            "tag": lambda n: n.tags,
        },
    ),
    Kind(
        Subnet,
        "subnet",
        {
            "every": lambda s: (True,),
            "name": lambda s: (s.name,) if s.name else (),
            "project": lambda s: (s.project_id,),
            "network": lambda s: (s.network_id,),
            "pool": lambda s: (s.subnetpool_id,) if s.subnetpool_id else (),
            "pool_project": lambda s: ((s.subnetpool_id, s.project_id),) if s.subnetpool_id else (),
            "tag": lambda s: s.tags,
        },
    ),
    Kind(
        AddressScope,
        "address_scope",
        {
            "every": lambda a: (True,),
            "name": lambda a: (a.name,) if a.name else (),
            "project": lambda a: (a.project_id,),
            "shared": lambda a: ("yes",) if a.shared else (),
        },
    ),
    Kind(
        SubnetPool,
        "subnetpool",
        {
            "every": lambda p: (True,),
            "name": lambda p: (p.name,) if p.name else (),
            "project": lambda p: (p.project_id,),
            "shared": lambda p: ("yes",) if p.shared else (),
            "scope": lambda p: (p.address_scope_id,) if p.address_scope_id else (),
            "default": lambda p: (p.ip_version,) if p.is_default else (),
            "tag": lambda p: p.tags,
        },
    ),
    Kind(
        RbacPolicy,
        "rbac_policy",
        {
            "every": lambda r: (True,),
            "project": lambda r: (r.project_id,),
            "object": lambda r: (r.object_id,),
            "grant": lambda r: ((r.object_id, r.target_project, r.action),),
            "to": lambda r: ((r.object_type, r.target_project, r.action),),
        },
    ),
    Kind(
        Port,
        "port",
        {
            "every": lambda p: (True,),
            "name": lambda p: (p.name,) if p.name else (),
            "project": lambda p: (p.project_id,),
            "network": lambda p: (p.network_id,),
            "subnet": lambda p: tuple({f.subnet_id for f in p.fixed_ips}),
            "address": lambda p: tuple({f.ip_address for f in p.fixed_ips}),
            "mac": lambda p: (p.mac_address,),
            "device": lambda p: (p.device_id,) if p.device_id else (),
            "name_prefix": lambda p: (p.id[:11],),
            "pair_address": lambda p: tuple({pair.ip_address.removesuffix("/32") for pair in p.allowed_address_pairs}),
            "security_group": lambda p: p.security_groups,
            "interface_of": lambda p: (p.device_id,) if p.device_owner == ROUTER_INTERFACE else (),
            "interface_on": lambda p: (p.network_id,) if p.device_owner == ROUTER_INTERFACE else (),
            "gateway_of": lambda p: (p.device_id,) if p.device_owner == ROUTER_GATEWAY else (),
            "gateway_on": lambda p: (p.network_id,) if p.device_owner == ROUTER_GATEWAY else (),
            "tag": lambda p: p.tags,
        },
    ),
    Kind(
        Router,
        "router",
        {
            "every": lambda r: (True,),
            "name": lambda r: (r.name,) if r.name else (),
            "project": lambda r: (r.project_id,),
            "tag": lambda r: r.tags,
        },
    ),
    Kind(
        SecurityGroup,
        "security_group",
        {
            "every": lambda g: (True,),
            "name": lambda g: (g.name,) if g.name else (),
            "project": lambda g: (g.project_id,),
            "shared": lambda g: ("yes",) if g.shared else (),
            "default": lambda g: (g.project_id,) if g.is_default else (),
            "tag": lambda g: g.tags,
        },
    ),
    Kind(
        SecurityGroupRule,
        "security_group_rule",
        {
            "every": lambda r: (True,),
            "project": lambda r: (r.project_id,),
            "security_group": lambda r: (r.security_group_id,),
            "content": lambda r: (r.content,),
            "remote_group": lambda r: (r.remote_group_id,) if r.remote_group_id else (),
            "remote_address_group": lambda r: (r.remote_address_group_id,) if r.remote_address_group_id else (),
        },
    ),
    Kind(DefaultSecurityGroupRule, "default_security_group_rule", {"every": lambda r: (True,)}),
    Kind(
        AddressGroup,
        "address_group",
        {
            "every": lambda a: (True,),
            "name": lambda a: (a.name,) if a.name else (),
            "project": lambda a: (a.project_id,),
            "shared": lambda a: ("yes",) if a.shared else (),
        },
    ),
    Kind(
        Chassis,
        "chassis",
        {
            "every": lambda c: (True,),
            "datapath": lambda c: (c.datapath_id,) if c.datapath_id else (),
            "hostname": lambda c: (c.hostname,),
        },
    ),
    Kind(ChassisNote, "chassis_note"),
    Kind(PortBinding, "binding", {"port": lambda b: (b.port_id,), "chassis": lambda b: (b.chassis_id,)}),
    Kind(
        FloatingIP,
        "floatingip",
        {
            "every": lambda f: (True,),
            "project": lambda f: (f.project_id,),
            "network": lambda f: (f.network_id,),
            "address": lambda f: (f.address,),
            "port": lambda f: (f.port_id,) if f.port_id else (),
            "router": lambda f: (f.router_id,) if f.router_id else (),
            "tag": lambda f: f.tags,
        },
    ),
    Kind(
        PortForwarding,
        "port_forwarding",
        {
            "every": lambda f: (True,),
            "floatingip": lambda f: (f.floatingip_id,),
            "port": lambda f: (f.port_id,),
            "outside": lambda f: spans_of(f.floatingip_id, f.protocol, f.external_first, f.external_last),
            "inside": lambda f: spans_of(f.port_id, f.protocol, f.internal_first, f.internal_last),
        },
    ),
    Kind(
        Translation,
        "translation",
        {"every": lambda t: (True,), "owner": lambda t: (t.owner,), "chassis": lambda t: (t.chassis_id,)},
    ),
    Kind(NoUpstream, "no_upstream", {"every": lambda n: (True,)}),
    Kind(Alone, "alone", {"every": lambda a: (True,)}),
    Kind(Outage, "outage", {"every": lambda o: (True,)}),
    Kind(Fence, "fence", {"every": lambda f: (True,)}),
    Kind(
        GatewayBinding,
        "gateway_binding",
        {"router": lambda b: (b.router_id,), "handover": lambda b: (True,) if b.former is not None else ()},
    ),
    Kind(Neighbour, "neighbour", {"every": lambda n: (True,), "network": lambda n: (n.network_id,)}),
    Kind(VirtualAddress, "virtual_address", {"every": lambda v: (True,)}),
    Kind(Quota, "quota", {"every": lambda q: (True,)}),
    Kind(Claim, "claim", {"owner": lambda c: (c.owner,)}),
    Kind(Counter, "counter"),
)
KIND_OF: dict[type[Any], Kind] = {kind.row: kind for kind in KINDS}
KIND_NAMED = {kind.name: kind for kind in KINDS}
