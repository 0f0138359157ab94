"""Makes this machine a chassis (``sdnapp chassis init``): tells its Open vSwitch who it is and where the controller is.

All else is done by the controller when the switch has connected. What is not named stays as it is, so that the command
may be repeated.
"""

import json
import re
import socket
import subprocess
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from sdnapp.ovsdb import settings
from sdnapp.ovsdb.complaints import complaint
from sdnapp.ovsdb.naming import OWNED, is_owned
from sdnapp.ovsdb.provisioning import MAX_BACKOFF
from sdnapp.ovsdb.targets import DEFAULT_PORT, target
from sdnapp.ovsdb.versions import Version, version_of
from sdnapp.tls import Credentials

Run = Callable[..., "subprocess.CompletedProcess[str]"]

_TIMEOUT = 10
"""Seconds that ovs-vsctl may take."""
_FAR_AWAY = "192.0.2.1"
"""An address that is nobody's (RFC 5737): its route is the default route. No packet is sent there."""


class InitError(Exception):
    """The chassis could not be set up; the text names the fix."""


@dataclass(frozen=True)
class Initialized:
    """What the machine's Open vSwitch now has: the manager's target, and every setting of ours, set now or before.

    ``version`` is that of the Open vSwitch.
    """

    manager: str
    settings: tuple[tuple[str, str], ...]
    version: Version


def init_chassis(
    controller: str,
    *,
    encap_ip: str | None = None,
    encap_type: str | None = None,
    bridge_mappings: str | None = None,
    gateway: bool | None = None,
    system_id: str | None = None,
    tls: Credentials | None = None,
    run: Run = subprocess.run,
) -> Initialized:
    """Connect this machine's Open vSwitch to the controller. Raises InitError.

    ``controller`` is a host name or an address, with ``:PORT`` where it is not 6640. Without ``encap_ip``, and if none
    is set yet, tunnels use the address from which the controller is reached; an empty one means no tunnels. With
    ``tls`` the switch shows that certificate, which must be in the name of its system-id.
    """
    address, port = _resolve(controller)
    given = {
        settings.SYSTEM_ID: system_id,
        settings.ENCAP_IP: encap_ip,
        settings.ENCAP_TYPE: encap_type,
        settings.BRIDGE_MAPPINGS: bridge_mappings,
        settings.GATEWAY: None if gateway is None else str(gateway).lower(),
    }
    wanted = {key: value.strip() for key, value in given.items() if value is not None}
    present: dict[str, str] = next((row["external_ids"] for row in _read(run, "Open_vSwitch", "external_ids")), {})
    for problem in settings.read_settings({**present, **wanted})[1]:
        if problem.key in wanted:
            raise InitError(f"--{problem.key.removeprefix('sdnapp-')} {problem.fault}")
    defaults: dict[str, Callable[[], str]] = {
        settings.SYSTEM_ID: lambda: str(uuid.uuid4()),
        settings.HOSTNAME: socket.gethostname,
        settings.ENCAP_IP: lambda: source_address(address),
    }
    wanted |= {key: make() for key, make in defaults.items() if not (present.get(key) or key in wanted)}
    manager = target(address, port, secure=tls is not None)
    commands = _manager_commands(run, manager)
    if tls is not None:
        commands += ["--", "set-ssl", str(tls.key), str(tls.cert), str(tls.ca)]
    if wanted:
        commands += ["--", "set", "Open_vSwitch", ".", *(_assignment(key, value) for key, value in wanted.items())]
    if commands:
        _vsctl(run, "--no-wait", *commands)
    known = {**present, **wanted}
    return Initialized(manager, tuple((key, known[key]) for key in _KEYS if key in known), _version(run))


_KEYS = (
    settings.SYSTEM_ID,
    settings.HOSTNAME,
    settings.ENCAP_IP,
    settings.ENCAP_TYPE,
    settings.BRIDGE,
    settings.BRIDGE_MAPPINGS,
    settings.GATEWAY,
    settings.DATAPATH_TYPE,
)


def source_address(destination: str) -> str:
    """Return the IPv4 address from which this machine reaches the destination. Raises InitError.

    To itself a machine speaks over loopback, where no other finds it: then the default route tells.
    """
    for candidate in (destination, _FAR_AWAY):
        try:
            with socket.socket(_family(candidate), socket.SOCK_DGRAM) as probe:
                # Connecting a datagram socket asks for the route, and sends nothing.
                probe.connect((candidate, 9))
                source = ip_address(probe.getsockname()[0])
        except OSError:
            continue
        if source.version == 4 and not source.is_loopback:
            return str(source)
    raise InitError(
        f"the route to {destination} does not tell which address of this machine tunnels shall use: "
        "name it with --encap-ip ADDRESS"
    )


def _resolve(controller: str) -> tuple[str, int]:
    """Return the controller's address and port: Open vSwitch resolves names only if it was built to."""
    host, port = controller.strip(), str(DEFAULT_PORT)
    if host.startswith("[") and "]" in host:
        host, _, rest = host[1:].partition("]")
        port = rest.removeprefix(":") or port
    elif host.count(":") == 1:
        host, _, port = host.partition(":")
    if not host or host.startswith("[") or not port.isascii() or not port.isdecimal() or not 0 < int(port) < 65536:
        raise InitError(f"--controller {controller!r} is no HOST or HOST:PORT")
    try:
        found = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise InitError(f"--controller {host}: no address found for it ({error}): name an address instead") from None
    return str(found[0][4][0]), int(port)


def _read(run: Run, table: str, *columns: str) -> list[dict[str, Any]]:
    """Return the rows of a table, with maps as dictionaries and the ids of rows as text."""
    document = json.loads(_vsctl(run, "--format=json", f"--columns={','.join(columns)}", "list", table))
    return [{name: _plain(cell) for name, cell in zip(columns, row, strict=True)} for row in document["data"]]


def _plain(cell: Any) -> Any:
    if isinstance(cell, list) and cell[0] == "map":
        return dict(cell[1])
    if isinstance(cell, list) and cell[0] == "uuid":
        return cell[1]
    return cell


def _manager_commands(run: Run, target: str) -> list[str]:
    """Return commands that add the manager, and remove those that an earlier run added, as two would fight.

    Managers of others stay, with their connections.
    """
    commands: list[str] = []
    present = False
    for manager in _read(run, "Manager", "_uuid", "target", "external_ids"):
        if manager["target"] == target:
            present = True
        elif is_owned(manager["external_ids"]):
            commands += ["--", "remove", "Open_vSwitch", ".", "manager_options", manager["_uuid"]]
    if not present:
        marks = (f"external_ids:{key}={value}" for key, value in OWNED.items())
        row = [f"target={json.dumps(target)}", f"max_backoff={MAX_BACKOFF}", *marks]
        commands += ["--", "--id=@manager", "create", "Manager", *row]
        commands += ["--", "add", "Open_vSwitch", ".", "manager_options", "@manager"]
    return commands


def _version(run: Run) -> Version:
    found = re.search(r"\(Open vSwitch\) (\S+)", _vsctl(run, "--version"))
    return version_of(found[1] if found else None)


def _assignment(key: str, value: str) -> str:
    # ovs-vsctl takes a JSON string as a string, whatever is in it.
    return f"external_ids:{key}={json.dumps(value)}"


def _vsctl(run: Run, *arguments: str) -> str:
    try:
        done = run(["ovs-vsctl", f"--timeout={_TIMEOUT}", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise InitError("Open vSwitch is not installed: apt install openvswitch-switch") from None
    if done.returncode == 0:
        return done.stdout
    reason = complaint(done)
    if "Permission denied" in reason:
        raise InitError(f"Open vSwitch lets only root change its settings: sudo sdnapp chassis init ... ({reason})")
    if "database connection failed" in reason:
        raise InitError(f"Open vSwitch does not run: systemctl start openvswitch-switch ({reason})")
    raise InitError(f"ovs-vsctl: {reason}")


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
