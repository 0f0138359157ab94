"""``sdnapp apply``: brings a project in line with a file, and says what that changes.

Exit status: 0 when the project is as the file says, 3 for a dry run that found differences; 1 and 2 as all commands.
"""

import argparse
import json
from typing import Any

from sdnapp.commands.client import Client, Refused
from sdnapp.commands.errors import CommandError
from sdnapp.commands.output import show_json

DIFFERS = 3
_SIGNS = {"create": "+", "update": "~", "delete": "-"}


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "apply",
        parents=[common],
        help="bring a project in line with a file",
        description="Create, change and delete until the project is as the file says: all of it, or nothing.",
        epilog="Exit status: 0 done, or nothing to do; 1 failed, and nothing was changed; 2 wrong usage; "
        "3 --dry-run found differences.",
    )
    parser.add_argument(
        "file", metavar="FILE", help="a file in YAML, as `sdnapp export` writes it; - for standard input"
    )
    parser.add_argument("--dry-run", action="store_true", help="change nothing, and print what would be changed")
    parser.add_argument("--keep", action="store_true", help="delete nothing that the file lacks")
    add_member(parser)
    parser.set_defaults(run=run)


def add_member(parser: argparse.ArgumentParser) -> None:
    """Declare the option that says as whom to speak."""
    parser.add_argument(
        "--member", metavar="PROJECT", help="act as a member of this project, and not as the administrator"
    )


def headers(given: argparse.Namespace) -> dict[str, str]:
    """Return the request headers that say as whom to speak."""
    return {"X-Project-Id": given.member, "X-Roles": "member"} if given.member else {}


def run(given: argparse.Namespace) -> int:
    """Apply the file. Raises CommandError, which names the line, and then nothing is changed."""
    from sdnapp.commands import intent_file  # other commands start sooner without YAML

    file = intent_file.read(given.file)
    if file.document is None:
        raise CommandError(f"{file.name}: is empty; to delete all that a project has, name the project")
    query = {"dry_run": "true" if given.dry_run else None, "keep": "true" if given.keep else None}
    try:
        answer = Client(given.url, headers(given)).post("sdnapp", "apply", body=file.document, query=query)
    except Refused as error:
        line = file.line(error.detail) if error.detail else None
        raise CommandError(f"{file.name}:{f'{line}:' if line else ''} {error}") from None
    if given.json:
        show_json(answer)
    else:
        print(_plan(answer))
    return DIFFERS if given.dry_run and answer["changes"] else 0


def _plan(answer: dict[str, Any]) -> str:
    changes = answer["changes"]
    lines = [line for change in changes for line in _lines(change)]
    if not changes:
        return f"project {answer['project']} is as the file says"
    counts = {verb: sum(change["action"] == verb for change in changes) for verb in _SIGNS}
    parts = (
        f"{count} to {verb}" if answer["dry_run"] else f"{count} {verb}d" for verb, count in counts.items() if count
    )
    return "\n".join([*lines, f"project {answer['project']}: {', '.join(parts)}"])


def _lines(change: dict[str, Any]) -> list[str]:
    """Return a change as people read it: ``~ port vm1 in network blue``, and below it what differs."""
    kind, _, parent = (change["in"] or "").partition(" ")
    shown = {
        name: values
        for name, values in change["attributes"].items()
        if change["action"] == "update" or (name not in ("name", kind) and values[1] != change["name"])
    }
    title = f"{_SIGNS[change['action']]} {change['resource']} {_text(change['name'])}"
    return [
        title + (f" in {kind} {_text(parent)}" if parent else ""),
        *(
            f"    {name}: {_text(new) if change['action'] == 'create' else f'{_text(old)} -> {_text(new)}'}"
            for name, (old, new) in shown.items()
        ),
    ]


def _text(value: Any) -> str:
    """Write a value on its line: plain words as they are, all else as JSON."""
    if isinstance(value, str) and value and value.isprintable() and value == value.strip():
        return value
    return json.dumps(value, ensure_ascii=False)
