"""What this machine's Open vSwitch does with a packet (``ofproto/trace``, ovs-vswitchd(8)), to compare with a trace.

Both are compared until a connection is looked up for the receiver: Open vSwitch then tells its trace nothing of how the
connection was begun, which is what security groups judge by.

``OVS_RUNDIR`` in the environment names another Open vSwitch than the machine's own, as for all ovs commands.
"""

import re
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sdnapp.commands.errors import CommandError

INGRESS_FILTER = "ingress_filter"
COPIES = "connections"
"""Where copies end that only count connections: Open vSwitch tells of them later."""
TIMEOUT = 10
"""Seconds that an ovs command may take."""

_BRIDGE = re.compile(r' *bridge\("([^"]*)"\)')
_CHECK = re.compile(r" *check_pkt_larger\(")
_TABLE = re.compile(r"( *)(\d+)\. (.*)")
_MISS = re.compile(r"No match\.|reg0=0x[12], priority 0$")
"""Of a miss after ``resubmit``, and of one after ``goto_table``, where Open vSwitch shows a flow of its own."""
_COOKIE = re.compile(r"(?:^|, )cookie (0x[0-9a-f]+)")


class Step(NamedTuple):
    """A table that the packet came to, by name, and the cookie of the flow that matched; None where none did."""

    table: str
    cookie: int | None


def check_is_local(chassis: str) -> None:
    """Raise CommandError, which says where to go, unless this machine is the chassis."""
    asked = f"--live asks the Open vSwitch where the packet begins, on chassis {chassis}: run the same command there"
    try:
        local = _run(
            "ovs-vsctl", f"--timeout={TIMEOUT}", "--if-exists", "get", "Open_vSwitch", ".", "external_ids:system-id"
        )
    except CommandError as error:
        raise CommandError(f"{asked}, as root ({error})") from error
    local = local.strip().strip('"')
    if local != chassis:
        raise CommandError(f"{asked}; this machine is {f'chassis {local}' if local else 'no chassis'}")


def ask(bridge: str, flow: str, names: Mapping[int, str]) -> list[Step]:
    """Return the steps of a packet through a bridge; ``names`` maps numbers of tables. Raises CommandError."""
    steps = parse(_run("ovs-appctl", f"--timeout={TIMEOUT}", "ofproto/trace", bridge, flow), bridge, names)
    return _comparable(steps)


def parse(output: str, bridge: str, names: Mapping[int, str]) -> list[Step]:
    """Return the steps on one bridge that the output of ``ofproto/trace`` tells.

    The output is a tree: where a packet passes to another bridge (patch port, tunnel), a headline names that bridge.
    Its steps stand at the depth of the first of them, or deeper; what follows at a lesser depth is the old bridge's.
    Where the size of the packet is checked, Open vSwitch tells first what it would do with a larger one, from the next
    action on, and then the same actions for this one.
    """
    steps: list[Step] = []
    bridges: list[tuple[int, str]] = []
    entered: str | None = None
    is_checked, of_larger = False, ""
    for line in output.splitlines():
        if is_checked:
            is_checked, of_larger = False, line
            continue
        if of_larger:
            of_larger = "" if line == of_larger else of_larger
            continue
        is_checked = _CHECK.match(line) is not None
        if headline := _BRIDGE.match(line):
            entered = headline[1]
        elif found := _TABLE.match(line):
            # A number of one digit has a blank in front, which is no indentation.
            depth = len(found[1]) // 4
            if entered is not None:
                bridges.append((depth, entered))
                entered = None
            while bridges and depth < bridges[-1][0]:
                bridges.pop()
            if bridges and bridges[-1][1] == bridge:
                steps.append(Step(names.get(int(found[2]), f"table {found[2]}"), _cookie(found[3])))
    return steps


def expected_steps(steps: Sequence[Mapping[str, Any]], chassis: str) -> list[Step]:
    """Return the steps of a trace on the chassis where it begins, until it leaves that."""
    found: list[Step] = []
    for step in steps:
        if step["chassis"] != chassis:
            break
        cookie = step.get("cookie")
        found.append(Step(step["table"], None if cookie is None else int(cookie, 16)))
    return _comparable(found)


def _comparable(steps: list[Step]) -> list[Step]:
    steps = [step for step in steps if step.table != COPIES]
    tables = [step.table for step in steps]
    return steps[: tables.index(INGRESS_FILTER)] if INGRESS_FILTER in tables else steps


def first_difference(expected: Sequence[Step], live: Sequence[Step]) -> int | None:
    """Return the position from which on the two differ, or None."""
    for position in range(max(len(expected), len(live))):
        if expected[position : position + 1] != live[position : position + 1]:
            return position
    return None


def _cookie(described: str) -> int | None:
    if _MISS.match(described):
        return None
    found = _COOKIE.search(described)
    # Open vSwitch does not mention a cookie of zero.
    return int(found[1], 16) if found else 0


def _run(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=2 * TIMEOUT, check=False)
    except FileNotFoundError:
        raise CommandError(f"{command[0]} is not installed here") from None
    except subprocess.TimeoutExpired:
        raise CommandError(f"{command[0]} did not answer within {2 * TIMEOUT} s") from None
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip() and "|WARN|" not in line]
        reason = said[0].removeprefix(f"{command[0]}: ") if said else f"exit status {done.returncode}"
        raise CommandError(f"{command[0]}: {reason}")
    return done.stdout
