"""``sdnapp drops``: whose packets were dropped, where and why, as the switches have counted."""

import argparse
import sys
from typing import Any

from sdnapp.commands.client import Client
from sdnapp.commands.output import show_json, table
from sdnapp.hostnames import names


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser("drops", parents=[common], help="count dropped packets by port and reason")
    parser.add_argument("--port", metavar="PORT", help="only of this port, by id or name")
    parser.add_argument("--chassis", metavar="CHASSIS", help="only on this chassis, by id or host name")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print the counts."""
    document = Client(given.url).get("sdnapp", "drops", query={"port": given.port, "chassis": given.chassis})
    if given.json:
        show_json(document)
        return 0
    shown = names(document.get("hostnames", {}))
    columns = ("project_id", "port_id", "port_name", "reason", "packets")
    titles = ("chassis", "project", "port", "name", "reason", "packets")
    if document["drops"]:
        rows = [
            [shown.get(row["chassis"], row["chassis"]), *(row[column] for column in columns)]
            for row in document["drops"]
        ]
        print(table(titles, rows))
    else:
        print("nothing was dropped")
    for chassis in document["silent"]:
        print(f"{chassis} did not tell in time: try again, or see `sdnapp chassis show {chassis}`", file=sys.stderr)
    return 0
