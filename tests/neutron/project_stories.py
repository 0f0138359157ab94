"""What projects cut, share, may have and say: subnet pools and address scopes, RBAC policies, quotas, tags."""

from collections.abc import Iterator
from typing import Any

from tests.neutron.asking import BLUE, MANAGER, MEMBER, READER, RED, STRANGER, Ask
from tests.neutron.requesting import NOWHERE, bodies_of, delete, get, post, put


def pools() -> Iterator[Ask]:
    """Subnet pools and address scopes, and subnets cut from pools."""
    yield post("address-scopes", MEMBER, "a", name="a", ip_version=4)
    yield get("address-scopes/{a}", MEMBER)
    yield get("address-scopes/{a}", STRANGER)
    yield get(f"address-scopes/{NOWHERE}")
    yield from bodies_of(
        "POST",
        "address-scopes",
        ({"name": "b", "ip_version": 6}, {"ip_version": 4}, {"name": "b"}, {"name": "b", "ip_version": 5}, {"nope": 1}),
    )
    yield post("address-scopes", MEMBER, name="c", ip_version=4, shared=True)
    yield put("address-scopes/{a}", name="aa")
    yield put("address-scopes/{a}", ip_version=6)
    yield put("address-scopes/{a}", shared=True)
    yield put("address-scopes/{a}", shared=False)
    yield post("subnetpools", MEMBER, "o", name="o", prefixes=["10.0.0.0/16"], default_prefixlen=24)
    yield get("subnetpools/{o}", MEMBER)
    yield get("subnetpools/{o}", STRANGER)
    base: dict[str, Any] = {"name": "p", "prefixes": ["10.8.0.0/16"]}
    yield from bodies_of(
        "POST",
        "subnetpools",
        (
            base,
            {"name": "p"},
            {"prefixes": ["10.8.0.0/16"]},
            base | {"prefixes": []},
            base | {"prefixes": ["junk"]},
            base | {"prefixes": ["10.8.0.0/16", "10.8.0.0/16"]},
            base | {"prefixes": ["10.8.0.0/17", "10.8.128.0/17"]},
            base | {"prefixes": ["10.8.0.0/16", "2001:db8::/32"]},
            base | {"prefixes": ["2001:db8::/32"]},
            base | {"prefixes": ["10.8.0.9/16"]},
            base | {"min_prefixlen": 20, "max_prefixlen": 28, "default_prefixlen": 24},
            base | {"min_prefixlen": 28, "max_prefixlen": 20},
            base | {"min_prefixlen": 20, "default_prefixlen": 18},
            base | {"max_prefixlen": 20, "default_prefixlen": 24},
            base | {"max_prefixlen": 33},
            base | {"min_prefixlen": -1},
            base | {"default_quota": 100},
            base | {"default_quota": -1},
            base | {"address_scope_id": "{a}"},
            base | {"address_scope_id": NOWHERE},
            base | {"prefixes": ["2001:db8::/32"], "address_scope_id": "{a}"},
            base | {"is_default": True},
            base | {"shared": True},
            base | {"tenant_id": BLUE},
            base | {"nope": 1},
        ),
    )
    yield from bodies_of("POST", "subnetpools", (base | {"is_default": True}, base | {"shared": True}), MEMBER)
    yield post("subnetpools", MEMBER, "w", **base, address_scope_id="{a}")
    yield post("subnetpools", MEMBER, name="y", prefixes=["10.8.4.0/24"], address_scope_id="{a}")
    yield delete("address-scopes/{a}")
    yield post("networks", MEMBER, "on")
    cut: dict[str, Any] = {"network_id": "{on}", "ip_version": 4, "subnetpool_id": "{o}"}
    yield post("subnets", MEMBER, "os", **cut)
    yield from bodies_of(
        "POST",
        "subnets",
        (
            cut | {"prefixlen": 26},
            cut | {"prefixlen": 4},
            cut | {"prefixlen": 33},
            cut | {"prefixlen": "x"},
            cut | {"cidr": "10.0.77.0/24"},
            cut | {"cidr": "10.0.0.0/24"},
            cut | {"cidr": "10.9.0.0/24"},
            cut | {"cidr": "10.0.78.0/24", "prefixlen": 24},
            cut | {"ip_version": 6},
            cut | {"subnetpool_id": "{w}"},
            {"network_id": "{on}", "ip_version": 4, "prefixlen": 24},
        ),
    )
    yield from bodies_of(
        "PUT",
        "subnetpools/{o}",
        (
            {"name": "oo", "description": "d"},
            {"prefixes": ["10.0.0.0/16", "10.1.0.0/16"]},
            {"prefixes": ["10.1.0.0/16"]},
            {"min_prefixlen": 30},
            {"max_prefixlen": 28},
            {"default_prefixlen": 26},
            {"default_quota": 1},
            {"address_scope_id": "{a}"},
            {"shared": True},
            {"is_default": True},
            {"is_default": False},
            {"nope": 1},
            {},
        ),
    )
    yield delete("subnetpools/{o}")
    yield delete("subnets/{os}")
    yield delete("subnetpools/{o}", STRANGER)
    yield delete("subnetpools/{o}")
    yield delete("subnetpools/{w}")
    yield delete("address-scopes/{a}")
    yield delete("networks/{on}")


def sharing() -> Iterator[Ask]:
    """RBAC policies."""
    yield post("networks", MEMBER, "r")
    base = {"object_type": "network", "object_id": "{r}", "action": "access_as_shared", "target_tenant": BLUE}
    yield post("rbac-policies", MEMBER, "g", **base)
    yield get("rbac-policies/{g}", MEMBER)
    yield get("rbac-policies/{g}", STRANGER)
    yield get(f"rbac-policies/{NOWHERE}")
    yield get("networks/{r}", STRANGER)
    yield post("ports", STRANGER, "rp", network_id="{r}")
    yield delete("rbac-policies/{g}", MEMBER)
    yield put("rbac-policies/{g}", MEMBER, target_tenant=RED)
    yield delete("ports/{rp}", STRANGER)
    for change in (
        {},
        {"target_tenant": "*"},
        {"object_type": "nope"},
        {"object_type": "port"},
        {"action": "access_as_nope"},
        {"object_id": NOWHERE},
        {"object_id": "x"},
        {"nope": 1},
    ):
        yield post("rbac-policies", MEMBER, **base | change)
    for missing in base:
        yield post("rbac-policies", **{name: value for name, value in base.items() if name != missing})
    yield post("rbac-policies", STRANGER, **base)
    yield put("rbac-policies/{g}", MEMBER, target_tenant="*")
    yield put("rbac-policies/{g}", MEMBER, action="access_as_external")
    yield put("rbac-policies/{g}", STRANGER, target_tenant=BLUE)
    yield delete("rbac-policies/{g}", STRANGER)
    yield delete("rbac-policies/{g}", MEMBER)
    yield post("networks", save="all", shared=True)
    yield get("rbac-policies?object_id={all}&fields=action&fields=target_tenant")
    yield get("networks/{all}", STRANGER)
    yield post("ports", STRANGER, "ap", network_id="{all}")
    yield put("networks/{all}", shared=False)
    yield delete("ports/{ap}")
    yield put("networks/{all}", shared=False)
    yield delete("networks/{all}")
    yield delete("networks/{r}")


def quotas() -> Iterator[Ask]:
    """Quotas with details and usage."""
    project = "c" * 32
    other = (project, "member,reader")
    for path in (f"quotas/{project}", f"quotas/{project}/default", f"quotas/{project}/details.json"):
        yield get(f"{path}?fields=network")
        yield get(f"{path}?fields=network", MANAGER)
        yield get(path, STRANGER)
    yield get("quotas/tenant")
    yield get("quotas/project")
    for limit in (1, -1, -2, "x", 1 << 40):
        yield put(f"quotas/{project}?fields=network", network=limit)
    yield put(f"quotas/{project}", nope=1)
    yield put(f"quotas/{project}", STRANGER, network=5)
    yield put(f"quotas/{project}", network=1)
    yield post("networks", other, "q")
    yield post("networks", other)
    yield Ask("POST", "networks", raw=b'{"networks": [{"name": "a"}, {"name": "b"}]}', who=other)
    yield put(f"quotas/{project}", network=0, check_limit=True)
    yield put(f"quotas/{project}", network=0, force=True)
    yield Ask("POST", "quotas", {"network": 1})
    yield delete("networks/{q}")
    yield delete(f"quotas/{project}", STRANGER)
    yield delete(f"quotas/{project}")
    yield delete(f"quotas/{project}")
    yield get("quotas", STRANGER)


def tagging() -> Iterator[Ask]:
    """Tags on an object, and lists by tags."""
    yield post("networks", MEMBER, "t", name="tagged")
    path = "networks/{t}/tags"
    yield get(path, MEMBER)
    yield Ask("PUT", path, raw=b'{"tags": ["b", "a"]}', who=MEMBER)
    yield Ask("PUT", f"{path}/c", who=MEMBER)
    yield Ask("PUT", f"{path}/c", who=MEMBER)
    yield get(f"{path}/c", MEMBER)
    yield get(f"{path}/nope", MEMBER)
    yield get(path, STRANGER)
    for raw in (b"", b"{}", b'{"tags": "x"}', b'{"tags": [1]}', b'{"tags": ["a", "a"]}', b'{"nope": []}', b"[]"):
        yield Ask("PUT", path, raw=raw, who=MEMBER)
    yield Ask("POST", path, raw=b'{"tags": ["d"]}', who=MEMBER)
    yield Ask("PUT", f"{path}/{'x' * 300}", who=MEMBER)
    yield Ask("PUT", f"{path}/z", who=STRANGER)
    yield Ask("PUT", f"{path}/z", who=READER)
    for query in ("tags=a,b", "tags=a&tags=z", "tags-any=a,z", "not-tags=a,b", "not-tags-any=z", "tags="):
        yield get(f"networks?name=tagged&fields=name&{query}", MEMBER)
    yield delete(f"{path}/c", MEMBER)
    yield delete(f"{path}/c", MEMBER)
    yield delete(path, READER)
    yield delete(path, MEMBER)
    yield get(f"networks/{NOWHERE}/tags")
    yield get("nopes/{t}/tags")
    yield delete("networks/{t}")
