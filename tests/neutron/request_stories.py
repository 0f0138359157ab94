"""Lists, and requests that are wrong whatever the resource."""

from collections.abc import Iterator
from dataclasses import replace

from sdnapp.api.extensions import EXTENSIONS
from tests.neutron.asking import BLUE, MEMBER, READER, RED, STRANGER, Ask
from tests.neutron.requesting import NOWHERE, delete, get, post, put


def lists() -> Iterator[Ask]:
    """Filters, fields, sorting and pages."""
    for name in ("l1", "l2", "l3"):
        yield post("networks", MEMBER, name, name=name, description="listed")
    yield post("networks", MEMBER, "l4", description="listed")
    for query in (
        "sort_key=name&sort_dir=desc",
        "sort_key=name&sort_dir=asc&limit=2",
        "sort_key=name&sort_dir=asc&limit=2&marker={l2}",
        "sort_key=name&sort_dir=asc&limit=2&marker={l3}&page_reverse=True",
        "sort_key=name&sort_dir=asc&limit=0",
        "sort_key=name&sort_dir=asc&limit=1000",
        "limit=-1",
        "limit=x",
        f"limit=1&marker={NOWHERE}",
        "sort_key=name",
        "sort_key=nope&sort_dir=asc",
        "sort_key=name&sort_dir=up",
        "sort_key=name&sort_dir=asc&sort_key=id&sort_dir=asc",
        "name=l1",
        "name=l1&name=l2&sort_key=name&sort_dir=asc",
        "name=",
        "name=nope",
        "admin_state_up=true&name=l1",
        "admin_state_up=maybe",
        "shared=False&name=l1",
        "status=ACTIVE&name=l1",
        "mtu=1450&name=l1",
        "mtu=x",
        "tenant_id=" + RED + "&name=l1",
        "project_id=" + BLUE,
        "nope=1",
        "changed_since=2020-01-01T00:00:00Z&name=l1",
        "provider:network_type=geneve&name=l1",
        "revision_number=x",
        "id=x",
    ):
        yield get(f"networks?description=listed&fields=name&{query}", MEMBER)
    yield get("networks?description=listed&fields=name&provider:network_type=geneve&name=l1")
    yield post("subnets", MEMBER, "ls", network_id="{l1}", ip_version=4, cidr="10.3.0.0/24")
    yield post("ports", MEMBER, "lp", network_id="{l1}", name="lp", fixed_ips=[{"ip_address": "10.3.0.77"}])
    for query in (
        "fixed_ips=ip_address%3D10.3.0.77",
        "fixed_ips=ip_address_substr%3D3.0.7",
        "fixed_ips=ip_address_substr%3D9.9.9",
        "fixed_ips=subnet_id%3D{ls}",
        "fixed_ips=junk",
        "fixed_ips=nope%3D1",
        "fixed_ips=ip_address%3Djunk",
        "device_id=",
        "device_owner=",
        "mac_address=junk",
        "network_id={l2}",
        "security_groups=x",
        "binding:host_id=node1",
    ):
        yield get(f"ports?network_id={{l1}}&fields=name&{query}", MEMBER)
    for query in ("cidr=10.3.0.0/24", "cidr=10.3.0.77/24", "cidr=junk", "ip_version=4", "ip_version=x", "gateway_ip="):
        yield get(f"subnets?network_id={{l1}}&fields=cidr&{query}", MEMBER)
    yield get("network-ip-availabilities/{l1}")
    yield get("network-ip-availabilities/{l1}", MEMBER)
    yield get("network-ip-availabilities?network_name=l1")
    yield get("network-ip-availabilities?nope=1")
    yield get(f"network-ip-availabilities/{NOWHERE}")
    yield delete("ports/{lp}")
    for name in ("l1", "l2", "l3", "l4"):
        yield delete(f"networks/{{{name}}}")


def revisions() -> Iterator[Ask]:
    """Requests that hold only for one revision of an object, and headers that say so wrongly."""
    yield post("networks", MEMBER, "vn", name="vn")
    yield post("subnets", MEMBER, "vs", network_id="{vn}", ip_version=4, cidr="10.90.0.0/24")
    yield post("routers", MEMBER, "vr", name="vr")
    yield post("ports", MEMBER, "vp", network_id="{vn}")
    yield post("security-groups", MEMBER, "vg", name="vg")
    yield post("address-groups", MEMBER, "va", name="va")
    stale = "revision_number=999"
    for path in ("networks/{vn}", "subnets/{vs}", "routers/{vr}", "ports/{vp}", "security-groups/{vg}"):
        for said in (stale, "revision_number=-1", "revision_number=x", "revision_number=", "revision_number", "*"):
            yield replace(put(path, MEMBER, name="v"), if_match=said)
            yield replace(get(f"{path}?fields=name", MEMBER), if_match=said)
    yield post("security-group-rules", MEMBER, "vu", security_group_id="{vg}", direction="ingress", protocol="tcp")
    for ask in (
        put("routers/{vr}/add_router_interface", MEMBER, subnet_id="{vs}"),
        put("routers/{vr}/add_extraroutes", MEMBER, routes=[]),
        put("routers/{vr}/tags/x", MEMBER),
        put("address-groups/{va}", MEMBER, name="v"),
        delete("networks/{vn}", STRANGER),
        delete("networks/{vn}", READER),
        *(delete(path, MEMBER) for path in ("subnets/{vs}", "ports/{vp}", "routers/{vr}", "security-groups/{vg}")),
        *(delete(path, MEMBER) for path in ("security-group-rules/{vu}", "address-groups/{va}")),
    ):
        yield replace(ask, if_match=stale)
    for path in ("routers/{vr}", "ports/{vp}", "networks/{vn}", "security-groups/{vg}", "address-groups/{va}"):
        yield delete(path)


_COLLECTIONS = (
    *("networks", "subnets", "ports", "subnetpools", "address-scopes", "rbac-policies", "routers", "floatingips"),
    *("security-groups", "security-group-rules", "default-security-group-rules", "address-groups", "agents"),
    *("network-ip-availabilities", "availability_zones", "service-providers", "extensions", "quotas"),
)


def collections() -> Iterator[Ask]:
    """Each collection with what no list may be asked, and with methods that it may not have."""
    for path in _COLLECTIONS:
        for query in (
            "nope=1",
            "limit=x",
            "limit=-1",
            "limit=1&marker=nope",
            f"limit=1&marker={NOWHERE}",
            "sort_key=nope&sort_dir=asc",
            "sort_key=id",
            "sort_key=id&sort_dir=up",
            "sort_dir=asc",
            f"id={NOWHERE}&fields=nope",
            f"id={NOWHERE}&limit=5",
            f"id={NOWHERE}&limit=5&page_reverse=True",
            f"id={NOWHERE}&sort_key=id&sort_dir=desc&sort_key=project_id&sort_dir=asc",
            "tenant_id=nobody&project_id=nobody&fields=tenant_id",
        ):
            yield get(f"{path}?{query}")
        for method in ("HEAD", "OPTIONS", "PATCH", "PUT", "DELETE"):
            yield Ask(method, path)
        for method in ("HEAD", "OPTIONS", "PATCH", "POST"):
            yield Ask(method, f"{path}/{NOWHERE}")


def discovery() -> Iterator[Ask]:
    """What clients ask first."""
    for path in ("/", "/v2.0", "/v2.0/", "/v2.0/extensions/", "/v2", "/v3", "/v2.0/v2.0"):
        for method in ("GET", "HEAD", "OPTIONS"):
            yield Ask(method, path)
    for alias in EXTENSIONS:
        yield get(f"extensions/{alias}")


def requests() -> Iterator[Ask]:
    """Bodies, methods and paths that are wrong whatever the resource."""
    yield get("/")
    yield get("extensions/nope")
    yield get("nopes")
    yield get("networks/x/nope")
    yield Ask("PATCH", "networks")
    yield Ask("PUT", "networks", {"name": "x"})
    yield delete("networks")
    yield Ask("POST", f"networks/{NOWHERE}", {"name": "x"})
    for raw in (
        b"",
        b"{",
        b"null",
        b"[]",
        b"7",
        b'"x"',
        b"{}",
        b'{"network": null}',
        b'{"network": []}',
        b'{"network": "x"}',
        b'{"networks": []}',
        b'{"networks": {}}',
        b'{"networks": [7]}',
        b'{"networks": [{"name": 7}]}',
        b'{"networks": [{"network": {"name": 7}}]}',
        b'{"port": {}}',
        b'{"network": {"name": NaN}}',
        b'{"network": {"name": "\xff"}}',
    ):
        yield Ask("POST", "networks", raw=raw)
    yield Ask("DELETE", f"networks/{NOWHERE}", raw=b"{}")
    yield get("availability_zones")
    yield get("availability_zones?nope=1")
    yield get("service-providers")
    yield get("agents/nope")
    yield get("agents", MEMBER)
    yield get("agents?alive=maybe")
    yield get("agents?nope=1")
