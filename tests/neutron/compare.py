"""Asks real Neutron and ours the same and shows where they differ: ``python -m tests.neutron.compare``.

Differences on purpose are in ``differences.toml``, each under a subject that ``docs/api-differences.md`` explains. Any
other difference, and an entry that no answer bears out, makes the command exit with 1.
"""

import argparse
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.neutron.asking import Server, differences
from tests.neutron.corpus import STORIES
from tests.neutron.reference import running_neutron
from tests.sdnapp.api.clients import end, python

KNOWN = Path(__file__).with_name("differences.toml")
DOCUMENT = Path(__file__).parents[2] / "docs" / "api-differences.md"


@dataclass(frozen=True)
class Difference:
    """One respect in which two answers to a request differ."""

    request: str
    what: str
    ours: str
    theirs: str


@dataclass(frozen=True)
class Known:
    """A difference on purpose. Each text is a part of what it stands for; an empty one is any.

    ``subject`` is what the row of the document is called. ``by_chance``: some runs do not have it.
    """

    subject: str
    request: str = ""
    what: str = ""
    ours: str = ""
    theirs: str = ""
    by_chance: bool = False

    def covers(self, found: Difference) -> bool:
        """Return whether this is that difference."""
        return (
            self.request in found.request
            and (not self.what or self.what == found.what)
            and self.ours in found.ours
            and self.theirs in found.theirs
        )


def known_differences(text: str, document: str) -> tuple[Known, ...]:
    """Return the differences on purpose. Raises ValueError for one that the document does not explain."""
    known = tuple(Known(**each) for each in tomllib.loads(text)["difference"])
    subjects = {line.split("|")[1].strip() for line in document.splitlines() if line.startswith("|")}
    if unexplained := sorted({each.subject for each in known} - subjects):
        raise ValueError(f"{DOCUMENT.name} has no row for {unexplained}")
    return known


@contextmanager
def running_ours() -> Iterator[str]:
    """Serve an empty API of ours with one live chassis, ``node1``; yield its address."""
    process = python("tests.sdnapp.api.serve")
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        end(process)


def asked(stories: Sequence[str]) -> Iterator[tuple[str, list[Difference]]]:
    """Yield the title of each request and how the answers to it differ."""
    with running_neutron() as theirs, running_ours() as ours:
        servers = Server(ours), Server(theirs)
        for story in STORIES:
            if stories and story.__name__ not in stories:
                continue
            for ask in story():
                mine, other = (server.answer(ask) for server in servers)
                yield ask.title, [Difference(ask.title, *each) for each in differences(mine, other)]


def shown(found: Difference, width: int = 220) -> str:
    """Return a difference as lines of a table."""
    texts = (found.request, f"{found.what}: ours", f"{found.what}: Neutron's")
    values = ("", found.ours, found.theirs)
    lines = [f"{text}  {value}".rstrip() for text, value in zip(texts, values, strict=True)]
    return "\n    ".join(line if len(line) <= width else f"{line[: width - 3]}..." for line in lines)


def main() -> None:
    """Compare, print, and exit with 1 if there is anything new."""
    parser = argparse.ArgumentParser(prog="./run compare", description=__doc__.partition("\n")[0])
    parser.add_argument("story", nargs="*", help=f"all, unless named: {', '.join(each.__name__ for each in STORIES)}")
    parser.add_argument("--known", action="store_true", help="show the differences on purpose as well")
    options = parser.parse_args()
    known = known_differences(KNOWN.read_text(), DOCUMENT.read_text())
    requests, used, new = 0, Counter[Known](), 0
    for _, found in asked(options.story):
        requests += 1
        for each in found:
            reason = next((entry for entry in known if entry.covers(each)), None)
            used.update([reason] if reason else [])
            new += reason is None
            if reason is None or options.known:
                print(f"{'known' if reason else 'NEW  '} {shown(each)}", flush=True)
    print(f"\n{'differences':>11}  on purpose: subject")
    for subject in dict.fromkeys(each.subject for each in known):
        print(f"{sum(used[each] for each in known if each.subject == subject):11}  {subject}")
    unused = [] if options.story else [each for each in known if not used[each] and not each.by_chance]
    for each in unused:
        print(f"no answer bears out: {each}")
    print(f"{requests} requests, {used.total()} differences on purpose, {new} new")
    sys.exit(1 if new or unused else 0)


if __name__ == "__main__":
    main()
