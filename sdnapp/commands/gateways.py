"""``sdnapp gateways``: which chassis serve which routers' gateways, and who translates with which ports."""

import argparse
from typing import Any

from sdnapp.commands.client import Client
from sdnapp.commands.output import show_json, table
from sdnapp.hostnames import names


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "gateways",
        parents=[common],
        help="show which chassis lead routers outside, and with which source ports",
        description="Show a row for each router with a gateway: which chassis serve it, the preferred one first, and "
        "since when; how many of those that watch each one hear it (BFD); with which source ports of its addresses "
        "each chassis translates (idle: nobody there needs them now; deleted: the chassis is, and they rest), and for "
        "how many more there are blocks of snat_block_size. Below it, which routers lack source ports, and what to do.",
    )
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print a row for each router with a gateway."""
    document = Client(given.url).get("sdnapp", "gateways")
    if given.json:
        show_json(document)
        return 0
    if not document["gateways"]:
        print("no router has a gateway")
        return 0
    shown = names(document.get("hostnames", {}))
    rows = [_named(row, shown) for row in document["gateways"]]
    titles = ("router", "network", "address", "chassis", "since", "bfd", "source ports", "floating")
    print(table(titles, map(_cells, rows)))
    waiting = dict.fromkeys(_waits(each) for row in rows for each in row["chassis"] if each["awaited"])
    for trouble in (*waiting, *filter(None, map(_trouble, rows))):
        print(f"\n{trouble}")
    return 0


def _named(row: dict[str, Any], shown: dict[str, str]) -> dict[str, Any]:
    """Return a row with host names in place of the ids of chassis."""

    def name(chassis: str) -> str:
        return shown.get(chassis, chassis)

    chassis = [
        each
        | {"id": name(each["id"]), "bfd": {name(watcher): state for watcher, state in each["bfd"].items()}}
        | {"awaited": [name(witness) for witness in each.get("awaited", ())]}
        for each in row["chassis"]
    ]
    blocks = [each | {"chassis": name(each["chassis"])} for each in row["blocks"]]
    lacking = {key: [name(each) for each in row[key]] for key in ("short", "without_block")}
    return row | {"chassis": chassis, "blocks": blocks} | lacking


def _cells(row: dict[str, Any]) -> list[Any]:
    chassis = ", ".join(f"{each['id']} ({each['state']})" for each in row["chassis"])
    blocks = ", ".join(_ports(chassis, row) for chassis in dict.fromkeys(each["chassis"] for each in row["blocks"]))
    if row["blocks"]:
        blocks += f"; room for {row['blocks_left']} more" if row["blocks_left"] else "; no room for more"
    if row["without_block"]:
        blocks += f"; none left for {', '.join(row['without_block'])}"
    if row["short"]:
        blocks += f"; too few for {', '.join(row['short'])}"
    return [
        row["router_name"] or row["router_id"],
        row["network_name"] or row["network_id"],
        ", ".join(row["addresses"]),
        chassis or "none: see `sdnapp chassis init --gateway`",
        row["since"] or "-",
        ", ".join(filter(None, map(_heard, row["chassis"]))) or "-",
        blocks if row["enable_snat"] else "no translation",
        row["floating_ips"],
    ]


def _waits(chassis: dict[str, Any]) -> str:
    """Return why nobody takes the place of a chassis that is out, and what to do."""
    return (
        f"{chassis['id']} is out, and may go on answering ARP while it hears {' or '.join(chassis['awaited'])}, which "
        "cannot be told to withdraw: nobody else answers until they can be reached, or it is back.\nOf what is off for "
        "certain:\n  openstack network agent delete ID"
    )


def _trouble(row: dict[str, Any]) -> str:
    """Return what is wrong where a router lacks source ports, and what to do."""
    lacking, short, addresses = row["without_block"], row["short"], row["addresses"]
    if not (lacking or short) or not row["enable_snat"]:
        return ""
    router, network = row["router_name"] or row["router_id"], row["network_name"] or row["network_id"]
    told = []
    if lacking:
        told.append(
            f"All source ports of {', '.join(addresses)} are taken. What leaves by {router} from {', '.join(lacking)} "
            "is dropped (no_source_port); the other chassis go on."
        )
    if short:
        told.append(
            f"{', '.join(short)} cannot have more source ports of {', '.join(addresses)}: new connections by {router} "
            "to some destinations are dropped (no_source_port); those that there are go on."
        )
    named = " ".join(f"--fixed-ip ip-address={address}" for address in (*addresses, "ONE_MORE"))
    told.append(f"Give it one more address:\n  openstack router set {router} --external-gateway {network} {named}")
    if lacking and any(not each["in_use"] for each in row["blocks"]):
        told.append(
            "Or wait: ports that have been idle for 2 h 4 min are handed on, also those of chassis that are gone, as "
            "connections may live for so long."
        )
    return "\n".join(told)


def _heard(chassis: dict[str, Any]) -> str:
    """Return how many of those that watch a chassis hear it, and who does not."""
    states = chassis["bfd"]
    deaf = [f"{watcher} {state}" for watcher, state in states.items() if state != "up"]
    told = f"{chassis['id']} up {len(states) - len(deaf)}/{len(states)}" if states else ""
    return told + f" ({', '.join(deaf)})" * bool(deaf)


def _ports(chassis: str, row: dict[str, Any]) -> str:
    """Return a chassis and its blocks; the address of each where the router has several, and why none is needed."""
    blocks = [each for each in row["blocks"] if each["chassis"] == chassis]
    several = len(row["addresses"]) > 1
    told = (f"{each['address']}:" * several + f"{each['first_port']}-{each['last_port']}" for each in blocks)
    idle = " (deleted)" if blocks[0]["deleted"] else " (idle)"
    return f"{chassis}: {' '.join(told)}{idle * (not any(each['in_use'] for each in blocks))}"
