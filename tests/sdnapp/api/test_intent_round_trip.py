"""Any intent: applied twice it is applied once; what is exported changes nothing here, and makes the same elsewhere."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sdnapp.api.services import Settings
from tests.sdnapp.api.stand_ins import ADMIN, Api, documents

names = st.sampled_from(["", "a", "b", "same"])
maybe = st.booleans()


def some(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=values)


tags = st.lists(st.sampled_from(["x", "y", "z"]), unique=True)
described = {"name": names, "description": names, "tags": tags}
pairs = st.sampled_from([{"ip_address": "10.9.0.0/16"}, {"ip_address": "10.8.0.7", "mac_address": "fa:16:3e:00:00:01"}])
options = st.sampled_from([{"opt_name": name, "opt_value": "1400"} for name in ("mtu", "tftp-server", "domain-name")])
ports = some(
    **described,
    admin_state_up=maybe,
    device_id=names,
    port_security_enabled=st.just(True),
    allowed_address_pairs=st.lists(pairs, unique_by=lambda each: each["ip_address"], max_size=2),
    extra_dhcp_opts=st.lists(options, unique_by=lambda each: each["opt_name"], max_size=2),
    security_groups=st.sampled_from([[], ["default"]]),
    **{"binding:profile": st.sampled_from([{}, {"a": 1}]), "binding:vnic_type": st.sampled_from(["normal", "direct"])},
)
subnets = some(
    **described,
    enable_dhcp=maybe,
    gateway_ip=st.sampled_from([None, 1, 254]),
    dns_nameservers=st.sampled_from([[], ["192.0.2.1", "192.0.2.2"]]),
    host_routes=st.sampled_from([[], [{"destination": "10.7.0.0/16", "nexthop": "10.0.0.9"}]]),
    service_types=st.just([]),
)
networks = some(
    **described,
    admin_state_up=maybe,
    shared=maybe,
    mtu=st.sampled_from([0, 1300]),
    subnets=st.lists(subnets, max_size=2),
    ports=st.lists(ports, max_size=3),
    **{"router:external": maybe, "provider:network_type": st.sampled_from(["geneve", "vxlan"])},
)
policies = st.fixed_dictionaries(
    {"target_tenant": st.sampled_from(["blue", "green"]), "action": st.just("access_as_shared")}
)


rules = st.sampled_from(
    [
        {"direction": "egress"},
        {"direction": "egress", "ethertype": "IPv6"},
        {"direction": "egress", "description": "why"},
        {"direction": "ingress", "remote_group": "default"},
        {"direction": "ingress", "remote_group": "group1"},
        {"direction": "ingress", "ethertype": "IPv6", "protocol": "icmp"},
        {"direction": "ingress", "protocol": "tcp", "port_range_min": 1, "port_range_max": 65535},
        {"direction": "ingress", "protocol": "tcp", "port_range_min": 80, "port_range_max": 81},
        {"direction": "ingress", "protocol": 17, "remote_ip_prefix": "10.0.0.1/8"},
        {"direction": "ingress", "remote_address_group": "offices"},
    ]
)
some_rules = st.lists(rules, unique_by=lambda rule: str(rule | {"description": ""}), max_size=4)
groups = some(description=names, tags=tags, stateful=maybe, security_group_rules=some_rules)


def via(subnet: dict[str, Any], last: int) -> str:
    """Return an address in a subnet by its last number."""
    return str(subnet["cidr"]).replace("0/24", str(last))


@st.composite
def routers_of(draw: st.DrawFn, made: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Draw routers that join the subnets of some networks, each in one way, and routes over their interfaces."""
    free = [subnet for network in made for subnet in network.get("subnets", ())]
    found = []
    for router in draw(st.lists(some(**described, admin_state_up=maybe), max_size=2)):
        joined = [subnet for subnet in free if draw(maybe)]
        free = [subnet for subnet in free if subnet not in joined]
        for subnet in joined:
            interface = {"subnet": subnet["cidr"]}
            if subnet.get("gateway_ip", "") is None or draw(maybe):
                interface["ip_address"] = via(subnet, draw(st.sampled_from([2, 30])))
            router.setdefault("interfaces", []).append(interface)
        prefixes = draw(st.lists(st.sampled_from(["10.7.0.0/16", "10.6.0.0/16"]), unique=True)) if joined else []
        if prefixes:
            hop = st.sampled_from([via(subnet, 77) for subnet in joined])
            router["routes"] = [{"destination": prefix, "nexthop": draw(hop)} for prefix in prefixes]
        found.append(router)
    return found


@st.composite
def intents(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the document of a project that can be made: prefixes differ, and what is referred to has one name."""
    made = draw(st.lists(networks, max_size=4))
    for number, network in enumerate(made):
        for other, subnet in enumerate(network.get("subnets", ())):
            if subnet.get("gateway_ip"):
                subnet["gateway_ip"] = f"10.{number}.{other}.{subnet['gateway_ip']}"
            subnet["cidr"] = f"10.{number}.{other}.0/24"
        for other, port in enumerate(network.get("ports", ())):
            if draw(maybe):
                port["mac_address"] = f"52:54:00:00:{number:02}:{other:02}"
            if network.get("subnets") and draw(maybe):
                port["fixed_ips"] = draw(st.sampled_from([[], [{"ip_address": f"10.{number}.0.{100 + other}"}]]))
    document: dict[str, Any] = {"project": "red", "networks": made}
    if routers := draw(routers_of(made)):
        document["routers"] = routers
    if draw(maybe):
        addresses = st.lists(st.sampled_from(["192.0.2.0/24", "10.0.0.1/32", "2001:db8::/32"]), unique=True)
        document["address_groups"] = [{"name": "offices", **draw(some(addresses=addresses, description=names))}]
        document["security_groups"] = [{"name": name, **draw(groups)} for name in ("group1", "group2")]
        if draw(maybe):
            document["security_groups"].append({"name": "default", **draw(groups)})
        for port in (port for network in made for port in network.get("ports", ())):
            if draw(maybe):
                # One: stateful and stateless ones do not go together.
                port["security_groups"] = [draw(st.sampled_from(["group1", "group2", "default"]))]
    if draw(maybe):
        document["address_scopes"] = [{"name": "scope", "shared": draw(maybe)}]
        pool = {"name": "pool", "prefixes": ["172.16.0.0/12"], **draw(some(min_prefixlen=st.sampled_from([16, 24])))}
        document["subnetpools"] = [pool | ({"address_scope": "scope"} if draw(maybe) else {})]
        document["networks"] = [*made, {"name": "pooled", "subnets": [{"subnetpool": "pool", "prefixlen": 26}]}]
        targets = draw(st.lists(policies, unique_by=lambda each: each["target_tenant"], max_size=2))
        document["rbac_policies"] = [{"object_type": "network", "object": "pooled", **each} for each in targets]
    if draw(maybe):
        document["quotas"] = {"network": draw(st.integers(10, 20))}
    return document


def apply(api: Api, document: dict[str, Any]) -> list[Any]:
    answer = api.call("POST", "/sdnapp/apply", document, ADMIN)
    assert answer.status == 200, (answer.body, document)
    return list(answer.body["changes"])


def export(api: Api) -> dict[str, Any]:
    return dict(api.call("GET", "/sdnapp/export?project=red", who=ADMIN).body)


@settings(max_examples=60, deadline=None)
@given(intents())
def test_any_intent_survives(document: dict[str, Any]) -> None:
    here, elsewhere = Api(Settings()), Api(Settings())
    apply(here, document)
    before = documents(here.store)
    assert apply(here, document) == []
    exported = export(here)
    assert apply(here, exported) == []
    assert documents(here.store) == before
    apply(elsewhere, exported)
    assert export(elsewhere) == exported


@settings(max_examples=40, deadline=None)
@given(intents(), intents())
def test_any_intent_becomes_any_other(first: dict[str, Any], second: dict[str, Any]) -> None:
    """Except where the rules forbid it, and then nothing has changed."""
    api = Api()
    apply(api, first)
    revision = api.store.revision
    answer = api.call("POST", "/sdnapp/apply", second, ADMIN)
    if answer.status == 200:
        assert apply(api, second) == []
        assert apply(api, export(api)) == []
    else:
        assert api.store.revision == revision
