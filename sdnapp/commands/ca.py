"""``sdnapp ca issue NAME``: certificates for the controller and for chassis, from a small authority for labs."""

import argparse
from pathlib import Path
from typing import Any

from sdnapp.commands.errors import CommandError
from sdnapp.commands.output import show_json


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    group = commands.add_parser("ca", help="issue certificates for TLS, in labs")
    actions = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    parser = actions.add_parser(
        "issue",
        parents=[common],
        help="issue a certificate",
        description="Issues a certificate and a key. The first one makes the authority, too: keep its key to yourself.",
    )
    parser.add_argument("name", metavar="NAME", help="of a chassis, its system id; of the controller, any")
    parser.add_argument(
        "--address", action="append", default=[], metavar="HOST", help="where clients reach it: an address or a name"
    )
    parser.add_argument(
        "--directory", type=Path, default=Path("sdnapp-ca"), metavar="DIR", help="where all is kept (sdnapp-ca)"
    )
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Issue a certificate and print where it is."""
    from sdnapp.certificates import CertificateError, issue

    try:
        made = issue(given.directory, given.name, tuple(given.address))
    except CertificateError as error:
        raise CommandError(str(error)) from error
    files = {"tls_cert": str(made.cert), "tls_key": str(made.key), "tls_ca": str(made.ca)}
    if given.json:
        show_json(files)
        return 0
    for option, file in files.items():
        print(f"{option.ljust(8)} {file}")
    print("Controller: options of these names. Chassis: sdnapp chassis init with --tls-cert, --tls-key and --tls-ca.")
    return 0
