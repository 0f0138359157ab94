"""Security groups, their rules, address groups, and the templates of rules."""

from collections.abc import Iterator
from typing import Any

from tests.neutron.asking import BLUE, MEMBER, READER, STRANGER, Ask
from tests.neutron.requesting import NOWHERE, bodies_of, delete, get, post, put

IN: dict[str, Any] = {"security_group_id": "{rg}", "direction": "ingress"}


def groups() -> Iterator[Ask]:
    """Security groups: attributes, the default group, use by ports, who may do what."""
    yield post("security-groups", MEMBER, "g", name="g", description="first")
    yield get("security-groups/{g}", MEMBER)
    yield get("security-groups/{g}", STRANGER)
    yield get(f"security-groups/{NOWHERE}")
    yield get("security-groups/x")
    yield post("security-groups", READER, name="x")
    yield put("security-groups/{g}", READER, name="x")
    yield put("security-groups/{g}", STRANGER, name="x")
    yield delete("security-groups/{g}", READER)
    yield delete("security-groups/{g}", STRANGER)
    yield from bodies_of(
        "POST",
        "security-groups",
        (
            {},
            {"name": "g"},
            {"name": "default"},
            {"name": "Default"},
            {"name": "n" * 256},
            {"name": "a", "stateful": False},
            {"name": "a", "stateful": "maybe"},
            {"name": "a", "tags": ["x"]},
            {"name": "a", "tenant_id": BLUE},
            {"name": "a", "shared": True},
            {"name": "a", "security_group_rules": []},
            {"name": "a", "id": NOWHERE},
            {"name": "a", "nope": 1},
        ),
    )
    yield from bodies_of(
        "PUT",
        "security-groups/{g}",
        (
            {"name": "h", "description": "d"},
            {"name": "default"},
            {"stateful": False},
            {"stateful": True},
            {"tenant_id": BLUE},
            {"security_group_rules": []},
            {"nope": 1},
            {},
        ),
        MEMBER,
    )
    yield get("security-groups?name=default&fields=name&fields=description&fields=stateful", MEMBER)
    for query in ("name=h", "name=", "description=d", "stateful=true", "shared=false", "nope=1", "sort_key=nope"):
        yield get(f"security-groups?fields=name&name=h&{query}", MEMBER)
    yield post("networks", MEMBER, "gn")
    yield post("ports", MEMBER, "gp", network_id="{gn}", security_groups=["{g}"])
    yield delete("security-groups/{g}", MEMBER)
    yield put("security-groups/{g}", MEMBER, stateful=False)
    for given in (["{g}", "{g}"], [NOWHERE], ["x"], "x", [7], None, []):
        yield put("ports/{gp}", MEMBER, security_groups=given)
    yield get("ports?security_groups={g}&fields=name", MEMBER)
    yield delete("ports/{gp}", MEMBER)
    yield delete("networks/{gn}", MEMBER)
    yield delete("security-groups/{g}", MEMBER)
    yield delete("security-groups/{g}", MEMBER)


def rules() -> Iterator[Ask]:
    """Rules: directions, protocols, ports, prefixes, remote groups, the same twice."""
    yield post("security-groups", MEMBER, "rg", name="rg")
    yield post("security-groups", MEMBER, "ro", name="ro")
    yield post("address-groups", MEMBER, "ra", name="ra", addresses=["192.0.2.0/24"])
    yield post("security-group-rules", MEMBER, "rr", **IN, protocol="tcp", port_range_min=22, port_range_max=22)
    yield get("security-group-rules/{rr}", MEMBER)
    yield get("security-group-rules/{rr}", STRANGER)
    yield get(f"security-group-rules/{NOWHERE}")
    yield post("security-group-rules", READER, **IN, protocol="udp")
    yield post("security-group-rules", STRANGER, **IN, protocol="udp")
    yield delete("security-group-rules/{rr}", READER)
    yield delete("security-group-rules/{rr}", STRANGER)
    tcp = IN | {"protocol": "tcp"}
    yield from bodies_of(
        "POST",
        "security-group-rules",
        (
            IN,
            {"security_group_id": "{rg}", "direction": "egress"},
            {"security_group_id": "{rg}", "direction": "egress", "protocol": "tcp"},
            {"security_group_id": "{rg}"},
            {"direction": "ingress"},
            IN | {"security_group_id": NOWHERE},
            IN | {"security_group_id": "x"},
            IN | {"direction": "up"},
            IN | {"ethertype": "IPv6"},
            IN | {"ethertype": "ipv4"},
            IN | {"ethertype": "IPX"},
            tcp | {"port_range_min": 22, "port_range_max": 22},
            tcp | {"port_range_min": 22, "port_range_max": 22, "description": "again"},
            tcp | {"port_range_min": 80, "port_range_max": 22},
            tcp | {"port_range_min": 80},
            tcp | {"port_range_max": 80},
            tcp | {"port_range_min": 0, "port_range_max": 80},
            tcp | {"port_range_min": 1, "port_range_max": 65535},
            tcp | {"port_range_min": 1, "port_range_max": 65536},
            tcp | {"port_range_min": "80", "port_range_max": "80"},
            tcp | {"port_range_min": "x", "port_range_max": 80},
            IN | {"port_range_min": 80, "port_range_max": 80},
            IN | {"protocol": "TCP"},
            IN | {"protocol": 6},
            IN | {"protocol": "6"},
            IN | {"protocol": 0},
            IN | {"protocol": 255},
            IN | {"protocol": 256},
            IN | {"protocol": -1},
            IN | {"protocol": "nope"},
            IN | {"protocol": "any"},
            IN | {"protocol": "icmp"},
            IN | {"protocol": "icmp", "port_range_min": 8},
            IN | {"protocol": "icmp", "port_range_min": 8, "port_range_max": 0},
            IN | {"protocol": "icmp", "port_range_max": 0},
            IN | {"protocol": "icmp", "port_range_min": 256},
            IN | {"protocol": "icmpv6"},
            IN | {"protocol": "icmpv6", "ethertype": "IPv6"},
            IN | {"protocol": "ipv6-icmp", "ethertype": "IPv6", "port_range_min": 128},
            IN | {"protocol": "vrrp"},
            IN | {"protocol": "vrrp", "port_range_min": 1, "port_range_max": 2},
            IN | {"protocol": "sctp", "port_range_min": 1, "port_range_max": 2},
            IN | {"remote_ip_prefix": "10.0.0.0/8"},
            IN | {"remote_ip_prefix": "10.0.0.1/8"},
            IN | {"remote_ip_prefix": "10.0.0.1"},
            IN | {"remote_ip_prefix": "0.0.0.0/0"},
            IN | {"remote_ip_prefix": "2001:db8::/32"},
            IN | {"remote_ip_prefix": "2001:db8::/32", "ethertype": "IPv6"},
            IN | {"remote_ip_prefix": "junk"},
            IN | {"remote_group_id": "{ro}"},
            IN | {"remote_group_id": NOWHERE},
            IN | {"remote_group_id": "x"},
            IN | {"remote_group_id": "{ro}", "remote_ip_prefix": "10.0.0.0/8"},
            IN | {"remote_address_group_id": "{ra}"},
            IN | {"remote_address_group_id": NOWHERE},
            IN | {"remote_address_group_id": "{ra}", "remote_group_id": "{ro}"},
            IN | {"normalized_cidr": "10.0.0.0/8"},
            IN | {"tenant_id": BLUE},
            IN | {"nope": 1},
        ),
    )
    for query in ("direction=ingress", "protocol=tcp", "ethertype=IPv4", "remote_group_id={ro}", "nope=1"):
        of_group = "security_group_id={rg}&sort_key=direction&sort_dir=asc"
        yield get(f"security-group-rules?{of_group}&fields=direction&fields=protocol&{query}", MEMBER)
    yield Ask("POST", "security-group-rules", raw=b'{"security_group_rules": []}')
    yield post("security-group-rules", MEMBER, "rx", **IN, remote_group_id="{ro}")
    yield delete("security-groups/{ro}", MEMBER)
    yield post("security-group-rules", MEMBER, "ry", **IN, remote_address_group_id="{ra}")
    yield delete("address-groups/{ra}", MEMBER)
    yield delete("security-group-rules/{ry}", MEMBER)
    yield delete("address-groups/{ra}", MEMBER)
    yield delete("security-group-rules/{rx}", MEMBER)
    yield delete("security-group-rules/{rr}", MEMBER)
    yield delete("security-group-rules/{rr}", MEMBER)
    yield delete("security-groups/{rg}", MEMBER)
    yield delete("security-groups/{ro}", MEMBER)


def address_groups() -> Iterator[Ask]:
    """Address groups: their addresses, added and taken one by one, and who may do what."""
    yield post("address-groups", MEMBER, "ag", name="ag", description="first", addresses=["192.0.2.0/24"])
    yield get("address-groups/{ag}", MEMBER)
    yield get("address-groups/{ag}", STRANGER)
    yield get(f"address-groups/{NOWHERE}")
    yield post("address-groups", READER, name="x")
    yield put("address-groups/{ag}", READER, name="x")
    yield put("address-groups/{ag}", STRANGER, name="x")
    yield delete("address-groups/{ag}", STRANGER)
    odd: tuple[Any, ...] = (
        ["10.0.0.0/8"],
        ["10.0.0.1/8"],
        ["10.0.0.1"],
        ["10.0.0.0/8", "10.0.0.0/8"],
        ["2001:db8::/32"],
        ["2001:DB8:0::/32"],
        ["10.0.0.0/33"],
        ["junk"],
        [7],
        [None],
        "x",
        {},
        None,
        [],
    )
    yield from bodies_of("POST", "address-groups", [{"name": "a", "addresses": each} for each in odd])
    yield from bodies_of(
        "POST",
        "address-groups",
        ({}, {"name": "a"}, {"name": "a", "shared": True}, {"name": "a", "tenant_id": BLUE}, {"nope": 1}),
    )
    yield from bodies_of(
        "PUT",
        "address-groups/{ag}",
        ({"name": "b", "description": "d"}, {"addresses": []}, {"tenant_id": BLUE}, {"nope": 1}, {}),
        MEMBER,
    )
    for action in ("add_addresses", "remove_addresses"):
        path = f"address-groups/{{ag}}/{action}"
        for addresses in odd:
            yield put(path, MEMBER, addresses=addresses)
        for body in ({}, {"nope": 1}, {"addresses": ["10.0.0.0/8"], "nope": 1}):
            yield put(path, MEMBER, **body)
        for raw in (b"", b"[]", b"7", b'{"address_group": {"addresses": []}}'):
            yield Ask("PUT", path, raw=raw)
        for who in (READER, STRANGER):
            yield put(path, who, addresses=["10.0.0.0/8"])
        yield put(f"address-groups/{NOWHERE}/{action}", MEMBER, addresses=["10.0.0.0/8"])
    for query in ("name=b", "shared=false", "nope=1", "addresses=x"):
        yield get(f"address-groups?fields=name&{query}", MEMBER)
    yield from _shared("address_group", "address-groups/{ag}", "agp")
    for action in ("add_addresses", "remove_addresses"):
        yield put(f"address-groups/{{ag}}/{action}", STRANGER, addresses=["10.0.0.0/8"])
    yield delete("rbac-policies/{agp}", MEMBER)
    yield delete("address-groups/{ag}", MEMBER)
    yield delete("address-groups/{ag}", MEMBER)


def shared_groups() -> Iterator[Ask]:
    """A security group that is another project's, and shared."""
    yield post("security-groups", MEMBER, "sg", name="sg")
    yield from _shared("security_group", "security-groups/{sg}", "sgp")
    yield post("security-group-rules", STRANGER, security_group_id="{sg}", direction="ingress")
    yield get("security-groups?name=sg&fields=name&fields=shared", STRANGER)
    yield delete("rbac-policies/{sgp}", MEMBER)
    yield delete("security-groups/{sg}", MEMBER)


def _shared(object_type: str, path: str, policy: str) -> Iterator[Ask]:
    """Share what is at a path with another project, who shows it and tries to change and delete it."""
    given = {"object_type": object_type, "object_id": path.partition("/")[2], "action": "access_as_shared"}
    yield post("rbac-policies", MEMBER, policy, **given, target_tenant=BLUE)
    yield get(f"{path}?fields=name", STRANGER)
    yield put(path, STRANGER, name="mine")
    yield delete(path, STRANGER)
