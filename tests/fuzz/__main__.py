"""``./run fuzz [TARGET] [--seconds N]``: feeds parsers bytes that atheris makes up, guided by the code they reach.

What it learned is kept in ``.fuzz/TARGET`` for the next time. An input that a parser fails on is written to
``tests/fuzz/crashes/TARGET``, where the tests replay it from then on.
"""

import argparse
import subprocess
import sys
from pathlib import Path

KNOWLEDGE = Path(".fuzz")
HERE = Path(__file__).parent
LONGEST = 1500
"""Bytes of an input."""
HANGS = 10
"""Seconds after which an input counts as a finding."""


def main() -> int:
    """Run the command; return its exit status: 1 if a parser failed."""
    names = sorted(path.name for path in (HERE / "seeds").iterdir())
    parser = argparse.ArgumentParser(prog="run fuzz", description="Fuzz our parsers, guided by coverage.")
    parser.add_argument("target", nargs="?", choices=names, help="without it, all of them in turn")
    parser.add_argument("--seconds", type=int, default=60, metavar="N", help="for each target; 60 by default")
    options = parser.parse_args()
    failed = [name for name in ([options.target] if options.target else names) if not fuzz(name, options.seconds)]
    for name in failed:
        print(f"{name}: a parser failed; the input is in {HERE / 'crashes' / name}", file=sys.stderr)
    return 1 if failed else 0


def fuzz(name: str, seconds: int, learned: Path = KNOWLEDGE, crashes: Path = HERE / "crashes") -> bool:
    """Fuzz a target in a process of its own, which libFuzzer ends as it likes; return whether nothing was found."""
    corpus = learned / name
    corpus.mkdir(parents=True, exist_ok=True)
    (crashes / name).mkdir(parents=True, exist_ok=True)
    limits = [f"-max_total_time={seconds}", f"-max_len={LONGEST}", f"-timeout={HANGS}", "-rss_limit_mb=1024"]
    kept = f"-artifact_prefix={crashes / name}/"
    command = [sys.executable, "-m", "tests.fuzz.fuzzer", name, *limits, kept, str(corpus), str(HERE / "seeds" / name)]
    return subprocess.run(command, check=False, timeout=seconds + 120).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
