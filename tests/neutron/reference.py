"""Real Neutron beside ours, for comparison: its API server alone, on the loopback, over SQLite.

``with running_neutron() as url`` serves for as long as the block runs; ``python -m tests.neutron.reference`` prints the
address and serves until its standard input ends. Neutron has some two hundred packages of its own: they go to a virtual
environment in the cache directory, made at the first start.

Identity comes from the headers X-Project-Id, X-User-Id and X-Roles, as ours does in ``noauth``. There are no agents,
only the row of one that is alive: Open vSwitch on the host ``node1``.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.foreign_python import python_with

PACKAGES = ("neutron==29.0.*", "waitress==3.0.*")
_SERVER = Path(__file__).with_name("neutron_server.py")
# neutron_server's Context filter believes the headers; a token would need Keystone.
_PASTE = """\
[composite:neutron]
use = egg:Paste#urlmap
/: versions
/v2.0: api

[pipeline:api]
pipeline = request_id catch_errors context extensions resources

[app:versions]
paste.app_factory = neutron.pecan_wsgi.app:versions_factory

[filter:request_id]
paste.filter_factory = oslo_middleware:RequestId.factory

[filter:catch_errors]
paste.filter_factory = oslo_middleware:CatchErrors.factory

[filter:context]
paste.filter_factory = neutron.auth:NeutronKeystoneContext.factory

[filter:extensions]
paste.filter_factory = neutron.api.extensions:plugin_aware_extension_middleware_factory

[app:resources]
paste.app_factory = neutron.api.v2.router:APIRouter.factory
"""
_SETTINGS = """\
[DEFAULT]
core_plugin = ml2
service_plugins = router,port_forwarding,network_ip_availability,revisions,tag,timestamp
auth_strategy = noauth
transport_url = fake://
api_paste_config = {state}/paste.ini
state_path = {state}
network_auto_schedule = false
allow_automatic_dhcp_failover = false
dhcp_agent_notification = false
notify_nova_on_port_status_changes = false
notify_nova_on_port_data_changes = false
agent_down_time = 1000000
log_file = {state}/neutron.log

[database]
connection = sqlite:///{state}/neutron.sqlite

[oslo_concurrency]
lock_path = {state}

[ml2]
type_drivers = flat,vlan,geneve,vxlan
tenant_network_types = geneve
mechanism_drivers = openvswitch
extension_drivers = port_security,tag_ports_during_bulk_creation

[ml2_type_flat]
flat_networks = *

[ml2_type_vlan]
network_vlan_ranges = physnet1:100:199

[ml2_type_geneve]
vni_ranges = 1:2000
max_header_size = 30

[ml2_type_vxlan]
vni_ranges = 1:2000
"""


def python() -> Path:
    """Return the interpreter that has Neutron; install it if it is not there yet."""
    return python_with("neutron", PACKAGES)


@contextmanager
def running_neutron() -> Iterator[str]:
    """Serve an empty Neutron; yield its address. Raises RuntimeError with the end of its log if it does not start."""
    with neutron_process() as (url, _):
        yield url


@contextmanager
def neutron_process() -> Iterator[tuple[str, int]]:
    """Do the same; yield its address and its process id."""
    interpreter = python()
    with tempfile.TemporaryDirectory(prefix="neutron-") as state:
        (Path(state) / "paste.ini").write_text(_PASTE)
        settings = Path(state) / "neutron.conf"
        settings.write_text(_SETTINGS.format(state=state))
        with (Path(state) / "output").open("w+") as output:
            server = subprocess.Popen(
                [interpreter, "-W", "ignore", _SERVER, settings],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
            )
            assert server.stdin is not None and server.stdout is not None
            try:
                port = server.stdout.readline().strip()
                if not port:
                    output.seek(0)
                    raise RuntimeError(f"Neutron does not start:\n{output.read()[-4000:]}")
                yield f"http://127.0.0.1:{port}", server.pid
            finally:
                server.stdin.close()
                try:
                    server.wait(10)
                except subprocess.TimeoutExpired:
                    server.kill()
                    server.wait()
                server.stdout.close()


def main() -> None:
    with running_neutron() as url:
        print(url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
