"""``sdnapp chassis init``: makes the machine on which it runs a chassis of a controller."""

import argparse
import errno
import os
import socket
import sys
from pathlib import Path
from typing import Any

from sdnapp.commands.errors import CommandError
from sdnapp.commands.output import show_json
from sdnapp.ovsdb.versions import counts_zones_apart, limits_zones
from sdnapp.tls import Credentials


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "init",
        parents=[common],
        help="make this machine a chassis",
        description="Tells this machine's Open vSwitch where the controller is; the controller sets up all else. "
        "What is not named stays as it is, so the command may be repeated.",
    )
    parser.add_argument("--controller", required=True, metavar="HOST[:PORT]", help="the controller (port 6640)")
    parser.add_argument(
        "--encap-ip",
        metavar="IP",
        help="this machine's address for tunnels (default: the one that reaches the controller)",
    )
    parser.add_argument("--encap-type", metavar="TYPE", help="geneve, vxlan, or both with a comma in between")
    parser.add_argument(
        "--bridge-mappings", metavar="NETWORK:BRIDGE,...", help="physical networks and the bridges that lead to them"
    )
    parser.add_argument(
        "--gateway",
        action=argparse.BooleanOptionalAction,
        help="let this chassis carry traffic between tenants and the outside",
    )
    parser.add_argument("--system-id", metavar="ID", help="name of the chassis (default: the one it has, or a new one)")
    parser.add_argument("--tls-cert", metavar="FILE", help="connect by TLS, with this certificate")
    parser.add_argument("--tls-key", metavar="FILE", help="the key of the same")
    parser.add_argument("--tls-ca", metavar="FILE", help="the authority of the controller's")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Set this machine up and print what its Open vSwitch now has."""
    from sdnapp.ovsdb.local import InitError, init_chassis

    try:
        done = init_chassis(
            given.controller,
            encap_ip=given.encap_ip,
            encap_type=given.encap_type,
            bridge_mappings=given.bridge_mappings,
            gateway=given.gateway,
            system_id=given.system_id,
            tls=_credentials(given.tls_cert, given.tls_key, given.tls_ca),
        )
    except InitError as error:
        raise CommandError(str(error)) from error
    settings = dict(done.settings)
    if (address := settings.get("sdnapp-encap-ip")) and not _is_ours(address):
        print(
            f"sdnapp: note: no interface of this machine has {address} now; tunnels carry nothing until one has. "
            f"If it is wrong: sdnapp chassis init --controller {given.controller} --encap-ip ADDRESS",
            file=sys.stderr,
        )
    if not counts_zones_apart(done.version):
        older = "3.5, and may forward in user space" if limits_zones(done.version) else "3.3"
        print(
            f"sdnapp: note: this Open vSwitch is older than {older}. So that no instance fills the table of "
            "connections, which all share, run this after each of its starts: sdnapp chassis limit-connections "
            "(docs/security.md)",
            file=sys.stderr,
        )
    if given.json:
        show_json({"manager": done.manager, "settings": settings})
        return 0
    print(f"{settings.get('system-id')} is now a chassis of the controller at {done.manager}:")
    width = max(map(len, settings))
    for name, value in settings.items():
        print(f"  {name.ljust(width)}  {value}")
    print("`sdnapp chassis list` on the controller shows it as soon as it has connected.")
    return 0


def _credentials(*files: str | None) -> Credentials | None:
    if not any(files):
        return None
    paths = [Path(file).absolute() for file in files if file]
    if len(paths) < len(files):
        raise CommandError("--tls-cert, --tls-key and --tls-ca belong together: give all three")
    for path in paths:
        if not os.access(path, os.R_OK):
            raise CommandError(f"{path} cannot be read: name a certificate or key that `sdnapp ca issue` has made")
    return Credentials(*paths)


def _is_ours(address: str) -> bool:
    """Tell whether an interface of this machine has an IPv4 address: nothing else can be bound to."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError as error:
            return error.errno != errno.EADDRNOTAVAIL
    return True
