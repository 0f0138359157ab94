"""``sdnapp export``: prints the whole intent of a project, as ``sdnapp apply`` takes it."""

import argparse
from typing import Any

from sdnapp.commands import apply
from sdnapp.commands.client import Client
from sdnapp.commands.output import show_json


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser("export", parents=[common], help="print a project as a file for `sdnapp apply`")
    parser.add_argument("--project", help="whose (default: the caller's own)")
    apply.add_member(parser)
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print the file."""
    from sdnapp.commands import intent_file  # other commands start sooner without YAML

    document = Client(given.url, apply.headers(given)).get("sdnapp", "export", query={"project": given.project})
    if given.json:
        show_json(document)
    else:
        print(intent_file.write(document), end="")
    return 0
