"""``sdnapp chassis list`` and ``sdnapp chassis show ID``: hypervisors, and how they are connected."""

import argparse
from typing import Any

from sdnapp.commands.client import Client
from sdnapp.commands.output import cell, show_json, table


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Declare the commands."""
    listing = commands.add_parser("list", parents=[common], help="list all chassis")
    listing.set_defaults(run=run_list)
    showing = commands.add_parser("show", parents=[common], help="show one chassis with its sessions and ports")
    add_chassis(showing)
    showing.set_defaults(run=run_show)


def run_list(given: argparse.Namespace) -> int:
    """Print a line for each chassis."""
    document = Client(given.url).get("sdnapp", "chassis")
    if given.json:
        show_json(document)
        return 0
    if not document["chassis"]:
        print("no chassis has connected: `sdnapp chassis init --controller ADDRESS` on a hypervisor brings one")
        return 0
    titles = ("id", "hostname", "encap ip", "encap types", "alive", "ovsdb", "openflow", "flows", "ports")
    print(
        table(
            titles,
            [
                (
                    row["id"],
                    row["hostname"],
                    row["encap_ip"],
                    row["encap_types"],
                    row["alive"],
                    _session(row["ovsdb"]),
                    _session(row["openflow"]),
                    row["openflow"].get("flows"),
                    len(row["ports"]),
                )
                for row in document["chassis"]
            ],
        )
    )
    return 0


def run_show(given: argparse.Namespace) -> int:
    """Print all that is known of one chassis."""
    document = Client(given.url).get("sdnapp", "chassis", given.chassis)
    if given.json:
        show_json(document)
        return 0
    row = document["chassis"]
    ovsdb, openflow = row["ovsdb"], row["openflow"]
    lines = [
        ("id", row["id"]),
        ("hostname", row["hostname"]),
        ("datapath id", row["datapath_id"]),
        ("bridge", row["bridge"]),
        ("encap ip", row["encap_ip"]),
        ("encap types", row["encap_types"]),
        ("bridge mappings", row["bridge_mappings"]),
        ("gateway", row["gateway"]),
        ("alive", row["alive"]),
        ("ovsdb", _session(ovsdb)),
        ("ovsdb address", ovsdb.get("address")),
        ("openflow", _session(openflow)),
        ("openflow address", openflow.get("address")),
        ("openflow since", openflow.get("since")),
        ("confirmed revision", row["confirmed_revision"]),
        ("flows", openflow.get("flows")),
        ("flow changes sent", openflow.get("flow_mods_sent")),
        ("flows rejected", openflow.get("rejected")),
        ("last error", openflow.get("last_error")),
        *(("problem", problem) for problem in ovsdb.get("problems", [])),
        *(("port", port) for port in row["ports"]),
    ]
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        print(f"{name.ljust(width)}  {cell(value)}")
    return 0


def add_chassis(parser: argparse.ArgumentParser) -> None:
    """Declare the argument that names a chassis."""
    parser.add_argument(
        "chassis", type=_name, metavar="CHASSIS", help="its id or host name, as `sdnapp chassis list` shows them"
    )


def _name(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty: name one that `sdnapp chassis list` shows")
    return text


def _session(session: dict[str, Any]) -> str:
    """Say in a word or two how a session stands."""
    if not session["connected"]:
        return "no"
    if problems := session.get("problems"):
        return f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
    return str(session.get("state", "yes"))
