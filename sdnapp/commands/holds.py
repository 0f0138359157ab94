"""``sdnapp holds``: the longest holds of the controller's event loop in the last minute, and whose they were."""

import argparse
from typing import Any

from sdnapp.commands.client import Client
from sdnapp.commands.output import show_json, table


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "holds", parents=[common], help="show for how long single jobs held the controller's event loop"
    )
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print a row for each, longest first: by the clock, and then by the job's own processor time."""
    document = Client(given.url).get("sdnapp", "holds")
    if given.json:
        show_json(document)
        return 0
    if not document["holds"]:
        print("no job has held the event loop for longer than a millisecond in the last minute")
        return 0
    titles = ("longest by", "ms", "processor ms", "seconds ago", "job")
    names = ("by", "milliseconds", "processor_milliseconds", "seconds_ago", "job")
    print(table(titles, [[row[name] for name in names] for row in document["holds"]]))
    return 0
