"""``sdnapp wait``: returns when every live chassis has confirmed what was asked for so far."""

import argparse
from typing import Any

from sdnapp.commands.client import Client
from sdnapp.commands.errors import CommandError
from sdnapp.commands.output import show_json

TIMED_OUT = 408


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser("wait", parents=[common], help="wait until the switches hold what was asked for")
    parser.add_argument(
        "--revision", type=_revision, metavar="R", help="the store's revision (default: the present one)"
    )
    parser.add_argument("--timeout", type=_seconds, default=60.0, metavar="S", help="seconds to wait (default: 60)")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Wait, and say what was reached. Raises CommandError when it was not in time."""
    revision = None if given.revision is None else str(given.revision)
    query = {"wait": f"{given.timeout:g}", "revision": revision}
    document = Client(given.url).get("realized", query=query, accept=TIMED_OUT)
    if given.json:
        show_json(document)
        return 0 if document["realized"] else 1
    if not document["realized"]:
        raise CommandError(
            f"revision {document['revision']} is not confirmed after {given.timeout:g} s: "
            "`sdnapp status` shows which chassis lags"
        )
    print(f"revision {document['revision']} is confirmed by every live chassis")
    return 0


def _revision(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no revision: a whole number, as `sdnapp status` shows it")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0 to 3600")
    return seconds
