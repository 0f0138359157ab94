"""The cloud that Tempest tests: a real ``osken-manager sdnapp``, and before it Keystone as Tempest needs it.

``python -m tests.tempest.cloud`` prints a configuration for Tempest, the last line ``# end``, then serves until its
standard input ends. There is one chassis, ``node1``, and an external network.
"""

import eventlet

eventlet.monkey_patch()

import sys  # noqa: E402
import tempfile  # noqa: E402
from collections.abc import Callable, Iterable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

from eventlet import tpool, wsgi  # noqa: E402
from webob.client import send_request_app  # noqa: E402

from sdnapp.sqlite_storage import open_storage  # noqa: E402
from tests.real_ovs.running_controller import RunningController  # noqa: E402
from tests.tempest.identity import ADMIN, PREFIX, REGION, Identity, Wsgi  # noqa: E402
from topology.store import Store  # noqa: E402
from topology.values import Chassis  # noqa: E402

# What is not written here has Tempest's defaults.
_CONFIGURATION = """\
[DEFAULT]
log_file = tempest.log

[auth]
use_dynamic_credentials = true
create_isolated_networks = false
admin_username = {admin}
admin_password = {admin}
admin_project_name = {admin}
admin_domain_name = Default

[identity]
auth_version = v3
uri_v3 = {url}{prefix}/v3
region = {region}
v3_endpoint_type = public

[network]
public_network_id = {public}
build_timeout = 20
floating_network_name = public

[network-feature-enabled]
ipv6 = false
api_extensions = {extensions}

[neutron_plugin_options]
available_type_drivers = geneve,vxlan,vlan,flat
provider_vlans = physnet1
agent_availability_zone = nova
q_agent = ovs

[service_available]
neutron = true
nova = false
glance = false
cinder = false
swift = false
horizon = false

[oslo_concurrency]
lock_path = locks
"""


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="sdnapp-store-") as directory:
        url = f"sqlite://{Path(directory) / 'store.sqlite'}"
        store = Store(open_storage(url))
        with store.transaction() as tx:
            tx.put(Chassis("c1", hostname="node1", encap_ip="192.0.2.1", encap_types=("geneve",)))
        store.close()
        networks = ("--sdnapp-vlan-ranges", "physnet1:100:199", "--sdnapp-external-network-type", "vlan")
        # One class makes more routers before it deletes any.
        options = ("--sdnapp-store-url", url, "--sdnapp-quota-router", "-1", *networks)
        with RunningController(*options) as controller:
            extensions = [each["alias"] for each in controller.call("GET", "/v2.0/extensions")["extensions"]]
            external = {"router:external": True} if "external-net" in extensions else {}
            public = controller.create("network", name="public", **external)["id"]
            controller.create("subnet", network_id=public, ip_version=4, cidr="198.51.100.0/24", enable_dhcp=False)
            listener = eventlet.listen(("127.0.0.1", 0))
            values = {
                "url": f"http://127.0.0.1:{listener.getsockname()[1]}",
                "admin": ADMIN,
                "prefix": PREFIX,
                "region": REGION,
                "public": public,
                "extensions": ",".join(sorted(extensions)),
            }
            print(_CONFIGURATION.format(**values), end="# end\n", flush=True)
            eventlet.spawn(wsgi.server, listener, Identity(sent_to(controller.api_port)), log_output=False)
            tpool.execute(sys.stdin.buffer.read)


def sent_to(port: int) -> Wsgi:
    """Return an application that passes each request on to a server on the loopback."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ |= {"SERVER_NAME": "127.0.0.1", "SERVER_PORT": str(port)}
        answer: Iterable[bytes] = send_request_app(environ, start_response)
        return answer

    return app


if __name__ == "__main__":
    main()
