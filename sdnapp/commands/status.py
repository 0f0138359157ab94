"""``sdnapp status``: chassis, sessions, and what is not realised, and why."""

import argparse
from typing import Any

from sdnapp.commands.client import Client
from sdnapp.commands.output import show_json, table


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser("status", parents=[common], help="show what is not realised, and why")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print the status."""
    document = Client(given.url).get("sdnapp", "status")
    if given.json:
        show_json(document)
        return 0
    ports, chassis = document["ports"], document["chassis"]
    alive = sum(row["alive"] for row in chassis)
    hostnames = {row["id"]: row["hostname"] for row in chassis}
    print(
        f"Revision {document['revision']}: {document['networks']} networks, "
        f"{ports['active']} of {ports['total']} ports active, {alive} of {len(chassis)} chassis alive."
    )
    _section(
        "",
        ("chassis", "hostname", "alive", "state", "confirmed", "ports"),
        [[row[key] for key in ("id", "hostname", "alive", "state", "confirmed_revision", "ports")] for row in chassis],
    )
    _section(
        "Ports that are not active:",
        ("port", "name", "network", "host", "reason"),
        [
            [row["port_id"], row["name"], row["network"], hostnames.get(row["host"]) or row["host"], row["reason"]]
            for row in document["unrealized"]
        ],
    )
    _section(
        "Floating IPs that are not active:",
        ("address", "floating ip", "router", "reason"),
        [
            [row[key] for key in ("address", "floatingip_id", "router_id", "reason")]
            for row in document.get("floating_ips", [])
        ],
    )
    _section(
        "Interfaces that claim a port that does not exist:",
        ("chassis", "interface", "iface-id"),
        [
            [hostnames.get(row["chassis"]) or row["chassis"], row["interface"], row["port_id"]]
            for row in document.get("strangers", [])
        ],
    )
    _section(
        "Flows that switches refused:",
        ("chassis", "owner", "reason"),
        [[row[key] for key in ("chassis", "owner", "reason")] for row in document["rejected"]],
    )
    _section(
        "What yields no flows, by a fault of the controller's:",
        ("unit", "of", "error"),
        [[row["unit"], " ".join(row["of"]), row["error"]] for row in document["failed"]],
    )
    return 0


def _section(title: str, titles: tuple[str, ...], rows: list[list[Any]]) -> None:
    if rows:
        print(f"\n{title}" if title else "")
        print(table(titles, rows))
