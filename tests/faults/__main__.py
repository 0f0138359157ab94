"""``./run faults [--seed S] [--count N] [--rules]``: plants faults, and tells docs/isolation.md how many were found."""

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.clouds import SimulatedCloud
from tests.faults.planting import ALL_TABLES, RULE_TABLES, plant
from tests.faults.search import Effect, Known, deep_stack, effect
from tests.isolation.clouds import filled
from tests.isolation.judge import Case, Judge
from tests.isolation.traffic import all_traffic

DOCUMENT = Path(__file__).parents[2] / "docs" / "isolation.md"
MARKS = {
    False: "<!-- What follows, to the next such line, is written by ./run faults. -->",
    True: "<!-- What follows is written by ./run faults --rules. -->",
}
FAULTS_A_CLOUD, EXAMPLES = 20, 3
Found = Counter[tuple[str, str, Effect]]
"""How many faults, by table, by what was done, and by what became of them."""


def main() -> int:
    """Run the command. Return 1 where something comes where it may not without any fault."""
    parser = argparse.ArgumentParser(prog="run faults", description="Plant faults in flows; count those found.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=600, metavar="N", help="how many faults, rounded up to twenties")
    parser.add_argument("--rules", action="store_true", help="only where rules of security groups are")
    options = parser.parse_args()
    tables = RULE_TABLES if options.rules else ALL_TABLES
    found, packets, amiss = plant_many(options.seed, -(-options.count // FAULTS_A_CLOUD), tables)
    command = f"./run faults --seed {options.seed} --count {options.count}{' --rules' if options.rules else ''}"
    report = f"`{command}`:\n\n{told(found, packets)}"
    print(report)
    DOCUMENT.write_text(written(DOCUMENT.read_text(), report, options.rules))
    for each in amiss:
        print(f"without any fault: {each}\n", file=sys.stderr)
    return int(bool(amiss))


def written(text: str, report: str, rules: bool) -> str:
    """Return the document with a report in the place of the last one of its kind."""
    before, mark, after = text.partition(MARKS[rules])
    following = "" if rules else "\n" + "".join(after.partition(MARKS[True])[1:])
    return f"{before}{mark}\n\n{report}{following}"


@deep_stack()
def plant_many(number: int, examples: int, tables: frozenset[str] = ALL_TABLES) -> tuple[Found, float, list[str]]:
    """Plant twenty faults, one at a time, in tables of each of some random clouds; return what became of them.

    Returns, too, how many packets were sent in a cloud on average, and what comes where it may not without any fault.
    Prints each harmful fault that is missed. What is planted has nothing to do with what is sent, so that traffic
    before and after a change is told by the same faults.
    """
    found, packets, amiss = Found(), 0, list[str]()
    for each in range(number, number + examples):
        cloud, planting = random_cloud(each), Random(each)
        cases: list[Case] = list(all_traffic(cloud, Judge(cloud), Random(each)))
        known = Known(cloud, cases)
        packets += sum(map(len, cases))
        for _ in range(FAULTS_A_CLOUD):
            fault = plant(cloud, planting, tables)
            became, packet = effect(known, fault, Random(each))
            found[fault.table, fault.done, became] += 1
            if packet:
                print(f"missed in cloud {each}: {fault}\n  {packet}\n", flush=True)
        amiss += [f"in cloud {each}: {packet}" for packet in known.amiss]
    return found, packets / examples, amiss


def random_cloud(number: int, empty: Callable[[], SimulatedCloud] = SimulatedCloud) -> SimulatedCloud:
    """Return the cloud of a number; what it is made of may be other than simulated."""
    made: list[SimulatedCloud] = []

    # The first example is the simplest one.
    @seed(number)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data())
    def make(data: st.DataObject) -> None:
        made.append(data.draw(filled(empty() if len(made) == EXAMPLES - 1 else SimulatedCloud())))

    make()
    return made[-1]


def told(found: Found, packets: float) -> str:
    """Return the shares as Markdown."""
    by_effect = Counter[Effect]()
    for (_, _, became), number in found.items():
        by_effect[became] += number
    caught, harmful = by_effect[Effect.FOUND], by_effect[Effect.FOUND] + by_effect[Effect.MISSED]
    text = (
        f"Of {found.total()} faults, {harmful} were seen to be harmful, and the traffic ({packets:.0f} packets a cloud "
    )
    text += f"on average) found {caught} of them: {caught / max(1, harmful):.0%}.\n\n"
    for at, name in ((1, "what was done"), (0, "table")):
        text += f"| {name} | faults | {' | '.join(Effect)} |\n|---|---|{'---|' * len(Effect)}\n"
        for each in sorted({key[at] for key in found}):
            of = Counter(dict.fromkeys(Effect, 0))
            for key, number in found.items():
                of[key[2]] += number if key[at] == each else 0
            text += f"| {each} | {of.total()} | {' | '.join(str(of[became]) for became in Effect)} |\n"
        text += "\n"
    return text.rstrip("\n") + "\n"


if __name__ == "__main__":
    sys.exit(main())
