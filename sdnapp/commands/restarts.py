"""``sdnapp restarts``: what it took to bring each chassis in sync, and whether anything was dark."""

import argparse
from typing import Any

from sdnapp.commands.client import Client
from sdnapp.commands.output import show_json, table


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser("restarts", parents=[common], help="show what restarts changed on chassis")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print a row for each time that a chassis was brought in sync, newest first."""
    document = Client(given.url).get("sdnapp", "restarts")
    if given.json:
        show_json(document)
        return 0
    if not document["restarts"]:
        print("no chassis has been brought in sync since the controller started")
        return 0
    titles = ("at", "chassis", "occasion", "read", "added", "changed", "removed", "refused", "ms", "dark")
    print(table(titles, [_cells(row) for row in document["restarts"]]))
    return 0


def _cells(row: dict[str, Any]) -> list[Any]:
    dark = row["dark"]
    if row["lacking"]:
        owners = ", ".join(row["owners"])
        dark += f": {row['lacking']} flows were lacking, of {owners}"
    numbers = (row[each] for each in ("read", "added", "changed", "removed", "refused", "milliseconds"))
    return [row["at"][:19], row["hostname"] or row["chassis"], row["occasion"], *numbers, dark]
