"""``sdnapp``: reads the command line and runs one command. Exit status 0, 1 for a failure, 2 for wrong usage."""

import argparse
import os
import sys
from collections.abc import Sequence

from sdnapp.commands import (
    apply,
    ca,
    chassis,
    chassis_init,
    drops,
    export,
    flows,
    gateways,
    holds,
    limit_connections,
    restarts,
    status,
    trace,
    wait,
)
from sdnapp.commands.client import DEFAULT_URL
from sdnapp.commands.errors import CommandError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    given = parser().parse_args(arguments)
    given.url = getattr(given, "url", None) or os.environ.get("SDNAPP_URL") or DEFAULT_URL
    given.json = getattr(given, "json", False)
    try:
        result: int = given.run(given)
        # What cannot be written shows here, and not in a traceback when the interpreter ends.
        sys.stdout.flush()
    except CommandError as error:
        print(f"sdnapp: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read us, such as `head`, has seen enough. Nothing may be written any more, also not at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return result


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    # Accepted before and after the command, as people write them anywhere.
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--url",
        default=argparse.SUPPRESS,
        help=f"where the controller's API is (default: SDNAPP_URL in the environment, or {DEFAULT_URL})",
    )
    common.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON, for programs")
    whole = argparse.ArgumentParser(prog="sdnapp", description="Operate an sdnapp network.", parents=[common])
    whole.add_argument("--version", action=_Version)
    commands = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)
    group = commands.add_parser("chassis", help="set up, list and show chassis (hypervisors)")
    actions = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    chassis_init.add(actions, common)
    limit_connections.add(actions, common)
    chassis.add(actions, common)
    for command in (ca, status, flows, trace, drops, gateways, restarts, holds, wait, apply, export):
        command.add(commands, common)
    return whole


class _Version(argparse.Action):
    """Prints the version. What finds it is loaded only then, as each command should start at once."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help="print the version")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import PackageNotFoundError, version

        try:
            found = version("sdnapp")
        except PackageNotFoundError:
            found = "(not installed)"
        print(f"sdnapp {found}")
        parser.exit()
