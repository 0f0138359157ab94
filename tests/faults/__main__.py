"""``./run faults [--seed S] [--count N]``: plants faults, and writes into docs/isolation.md how many were noticed."""

import argparse
import sys
from collections import Counter
from pathlib import Path
from random import Random

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.faults.planting import Outcome, judge, plant, table_of, traffic
from tests.random_clouds import attacks, clouds

DOCUMENT = Path(__file__).parents[2] / "docs" / "isolation.md"
MARK = "<!-- What follows is written by ./run faults. -->"
FAULTS_A_CLOUD = 10
Found = Counter[tuple[str, str, Outcome]]
"""How many faults, by table, by what was done, and by what became of them."""


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="run faults", description="Plant faults in flows; count those noticed.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=200, metavar="N", help="how many faults, rounded up to tens")
    options = parser.parse_args()
    found = plant_many(options.seed, -(-options.count // FAULTS_A_CLOUD))
    report = f"`./run faults --seed {options.seed} --count {options.count}`:\n\n{told(found)}"
    print(report)
    DOCUMENT.write_text(DOCUMENT.read_text().partition(MARK)[0] + f"{MARK}\n\n{report}")
    return 0


def plant_many(number: int, examples: int) -> Found:
    """Plant ten faults, one at a time, in each of some random clouds."""
    found, random, left = Found(), Random(number), [examples]

    @seed(number)
    @settings(
        max_examples=examples, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=HealthCheck
    )
    @given(cloud=clouds(), drawn=st.lists(attacks, min_size=37, max_size=37))
    def in_a_cloud(cloud, drawn) -> None:
        if not left[0]:
            return
        left[0] -= 1
        sent = list(traffic(cloud, drawn))
        for _ in range(FAULTS_A_CLOUD):
            fault = plant(cloud, random)
            found[table_of(fault), fault.done, judge(cloud, sent, fault)] += 1

    in_a_cloud()
    return found


def told(found: Found) -> str:
    """Return the shares as Markdown."""
    noticed, met = _noticed(found), found.total() - sum(n for key, n in found.items() if key[2] is Outcome.UNMET)
    text = f"{noticed} of {found.total()} faults were noticed ({noticed / max(1, found.total()):.0%}); of those whose "
    text += f"flow any packet met, {noticed} of {met} ({noticed / max(1, met):.0%}).\n\n"
    for at, name in ((0, "table"), (1, "what was done")):
        text += f"| {name} | faults | {' | '.join(Outcome)} |\n|---|---|{'---|' * len(Outcome)}\n"
        for each in sorted({key[at] for key in found}):
            of = Counter(dict.fromkeys(Outcome, 0))
            for key, number in found.items():
                of[key[2]] += number if key[at] == each else 0
            text += f"| {each} | {of.total()} | {' | '.join(str(of[outcome]) for outcome in Outcome)} |\n"
        text += "\n"
    return text.rstrip("\n") + "\n"


def _noticed(found: Found) -> int:
    return sum(number for key, number in found.items() if key[2] in (Outcome.FORBIDDEN, Outcome.LOST))


if __name__ == "__main__":
    sys.exit(main())
