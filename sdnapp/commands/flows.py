"""``sdnapp flows CHASSIS``: what a chassis should hold, table by table, with the owner of each flow."""

import argparse
from typing import Any

from sdnapp.commands.chassis import add_chassis
from sdnapp.commands.client import Client
from sdnapp.commands.errors import CommandError
from sdnapp.commands.output import show_json, table


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser("flows", parents=[common], help="show the flows of a chassis, and why each is there")
    add_chassis(parser)
    parser.add_argument(
        "--owner", metavar="OWNER", help="only flows of this owner: port/ID, network/ID, or an id alone"
    )
    parser.add_argument("--table", metavar="TABLE", help="only this table, by name")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print the flows."""
    query = {"owner": given.owner, "table": given.table}
    document = Client(given.url).get("sdnapp", "flows", given.chassis, query=query)
    if given.table and not document["tables"]:
        raise CommandError(f"there is no table {given.table}: `sdnapp flows {given.chassis}` shows them all")
    if given.json:
        show_json(document)
        return 0
    filled = [each for each in document["tables"] if each["flows"]]
    for position, each in enumerate(filled):
        print(f"{'' if position == 0 else chr(10)}{each['name']} (table {each['number']})")
        print(
            table(
                ("priority", "owner", "match", "actions"),
                [(flow["priority"], flow["owner"], flow["match"] or "any", flow["actions"]) for flow in each["flows"]],
            )
        )
    if not filled:
        print(
            f"no flows of {given.owner}: see the owners with `sdnapp flows {given.chassis}`"
            if given.owner
            else "no flows"
        )
    return 0
