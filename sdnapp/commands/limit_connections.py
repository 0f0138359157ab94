"""``sdnapp chassis limit-connections``: bounds how many connections this machine's switch remembers for each port.

For switches that cannot be told by the controller (``sdnapp.ovsdb.connection_limit``). A switch forgets it when it
stops: run this after each start.
"""

import argparse
import subprocess
import time
from typing import Any

from sdnapp.commands.errors import CommandError
from sdnapp.commands.output import show_json
from sdnapp.ovsdb.complaints import complaint
from sdnapp.ovsdb.settings import CONNECTIONS_PER_PORT

KERNEL = "system@"
TIMEOUT = 10
"""Seconds that ovs-appctl may take, and that a switch which has just been started has to set its datapath up."""
LIMITED_BY_DATABASE = "limits are set via database"
"""What Open vSwitch 3.3 and later say where the controller has set a limit."""
AT_ONCE = 8192
"""Zones named by one command."""


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "limit-connections",
        parents=[common],
        help="let no port of this machine fill the table of connections",
        description="Tells this machine's Open vSwitch how many connections it may remember for each port. From Open "
        "vSwitch 3.3 on (3.5 in user space) the controller does that; on others, run this after each start of the "
        "switch.",
    )
    parser.add_argument(
        "--each",
        type=_positive,
        default=CONNECTIONS_PER_PORT,
        metavar="N",
        help=f"connections of each port (default: {CONNECTIONS_PER_PORT})",
    )
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Limit every datapath of this machine, and print which there are."""
    datapaths = _datapaths()
    for datapath in datapaths:
        if datapath.startswith(KERNEL):
            # The kernel counts each zone by itself, whatever its limit comes from.
            _appctl("dpctl/ct-set-limits", datapath, f"default={given.each}")
        else:
            _limit_each_zone(datapath, given.each)
    if given.json:
        show_json({"datapaths": datapaths, "connections_per_port": given.each})
    else:
        print(f"{', '.join(datapaths)}: at most {given.each} connections for each port, until the switch stops")
    return 0


def _limit_each_zone(datapath: str, limit: int) -> None:
    """Name each zone that a port may get: the datapath in user space counts zones that are not named as one."""
    from topology.placement import ZONES

    for first, last in ZONES:
        for start in range(first, last + 1, AT_ONCE):
            zones = range(start, min(start + AT_ONCE, last + 1))
            _appctl("dpctl/ct-set-limits", datapath, *(f"zone={zone},limit={limit}" for zone in zones))


def _datapaths() -> list[str]:
    """Return the names of the datapaths, as soon as there are any."""
    deadline = time.monotonic() + TIMEOUT
    while not (found := _appctl("dpctl/dump-dps").split()):
        if time.monotonic() > deadline:
            raise CommandError("Open vSwitch has no bridge yet: run `sdnapp chassis init` first")
        time.sleep(0.2)
    return found


def _appctl(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["ovs-appctl", f"--timeout={TIMEOUT}", *arguments], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise CommandError("Open vSwitch is not installed: apt install openvswitch-switch") from None
    if done.returncode == 0:
        return done.stdout
    reason = complaint(done)
    if LIMITED_BY_DATABASE in reason:
        raise CommandError(
            f"{arguments[1]}: the controller limits connections there, by its option connections_per_port; this "
            "command is for older switches"
        )
    if "ermission denied" in reason:
        raise CommandError(f"Open vSwitch obeys only root: sudo sdnapp chassis limit-connections ({reason})")
    raise CommandError(f"Open vSwitch cannot be told: {reason}")


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 0 < int(text) < 1 << 32:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of connections from 1 to {(1 << 32) - 1}")
    return int(text)
