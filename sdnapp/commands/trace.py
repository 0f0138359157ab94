"""``sdnapp trace``: the road of a packet through the flows, and with ``--live`` what Open vSwitch says about it."""

import argparse
from typing import Any

from sdnapp.commands import live_trace
from sdnapp.commands.client import Client
from sdnapp.commands.errors import CommandError
from sdnapp.commands.live_trace import Step
from sdnapp.commands.output import cell, show_json, table
from sdnapp.hostnames import names


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "trace", parents=[common], help="follow a packet from a port, or from outside, to an address"
    )
    sender = parser.add_mutually_exclusive_group(required=True)
    sender.add_argument("--port", metavar="PORT", help="the port that sends, by id or name")
    sender.add_argument(
        "--from-outside",
        metavar="NETWORK",
        help="let a host outside send: on this external, flat or VLAN network, by id or name",
    )
    parser.add_argument("--to", required=True, metavar="ADDRESS", help="IPv4 address that is sent to")
    parser.add_argument(
        "--source", metavar="ADDRESS", help="with --from-outside: who sends, if not the network's upstream router"
    )
    parser.add_argument(
        "--via",
        metavar="ADDRESS",
        help="with --from-outside: the address on that network by which it goes to another one, where several do",
    )
    sent = parser.add_mutually_exclusive_group()
    for protocol in ("tcp", "udp"):
        sent.add_argument(f"--{protocol}", metavar="NUMBER", help=f"send {protocol.upper()} to this port, and no ping")
    parser.add_argument("--answer", action="store_true", help="follow also what is answered, back to the sender")
    parser.add_argument(
        "--live",
        action="store_true",
        help="also ask this machine's Open vSwitch (run it as root on the chassis where the packet begins); "
        "exit status 1 where it disagrees",
    )
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print the trace; return 1 if Open vSwitch disagrees with it."""
    client = Client(given.url)
    protocol = "tcp" if given.tcp is not None else "udp" if given.udp is not None else None
    sent = {"protocol": protocol, "to_port": given.tcp if given.tcp is not None else given.udp}
    begins = {"port": given.port, "from_outside": given.from_outside, "source": given.source, "via": given.via}
    asked = {**begins, "to": given.to, **sent, "answer": "true" if given.answer else None}
    document = client.get("sdnapp", "trace", query=asked)
    if not given.live:
        if given.json:
            show_json(document)
        else:
            _show(document)
        return 0
    if not given.json:
        _show(document)
    source = document["from"]["chassis"]
    if source is None:
        raise CommandError("--live has no Open vSwitch to ask: the packet comes to no chassis")
    live_trace.check_is_local(source)
    tables = client.get("sdnapp", "flows", source)["tables"]
    live = live_trace.ask(document["bridge"], document["live_flow"], {each["number"]: each["name"] for each in tables})
    expected = live_trace.expected_steps(document["steps"], source)
    difference = live_trace.first_difference(expected, live)
    owners = {int(flow["cookie"], 16): flow["owner"] for each in tables for flow in each["flows"]}
    if given.json:
        steps = [
            {
                "table": step.table,
                "cookie": None if step.cookie is None else f"{step.cookie:#018x}",
                "owner": None if step.cookie is None else owners.get(step.cookie),
            }
            for step in live
        ]
        show_json({**document, "live": {"steps": steps, "agrees": difference is None, "first_difference": difference}})
    else:
        _show_live(source, expected, live, owners, difference)
    return 0 if difference is None else 1


def _show(document: dict[str, Any]) -> None:
    _show_road(document)
    if "answer" in document and document["answer"] is None:
        print("\nNo host that might answer has got it.")
    elif "answer" in document:
        print("\nThe answer:")
        _show_road(document["answer"])


def _show_road(document: dict[str, Any]) -> None:
    shown = names(document.get("hostnames", {}))
    if document["steps"]:
        print(
            table(
                ("chassis", "table", "owner", "match", "actions"),
                [
                    (
                        shown.get(step["chassis"], step["chassis"]),
                        step["table"],
                        step["owner"] or "no match",
                        step["match"] or "any",
                        step["actions"],
                    )
                    for step in document["steps"]
                ],
            )
        )
        print()
    print(f"{document['verdict']}: {cell(document['explanation'])}")


def _show_live(
    chassis: str,
    expected: list[Step],
    live: list[Step],
    owners: dict[int, str],
    difference: int | None,
) -> None:
    def row(step: Step) -> tuple[str, str, str]:
        if step.cookie is None:
            return step.table, "no match", "-"
        return step.table, owners.get(step.cookie, "a flow that is not ours"), f"{step.cookie:#018x}"

    print(f"\nOpen vSwitch on {chassis}:")
    print(table(("table", "owner", "cookie"), map(row, live)))
    if difference is None:
        print("\nOpen vSwitch agrees.")
        return
    print(f"\nOpen vSwitch disagrees at step {difference + 1}:")
    for who, steps in (("expected", expected), ("Open vSwitch", live)):
        print(f"  {who:<12}  {'  '.join(row(steps[difference])) if difference < len(steps) else 'had ended'}")
