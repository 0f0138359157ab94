"""``kill -9`` at any moment loses no acknowledged commit and leaves no half of one."""

import random
import re
import signal
import subprocess
import sys
import time

from sdnapp.sqlite_storage import SqliteStorage
from topology.store import Store
from topology.values import Claim, Counter

ROUNDS = 20
ROWS = 5

WRITER = f"""
import sys
from pathlib import Path
from sdnapp.sqlite_storage import SqliteStorage
from topology.allocation import claim_lowest, next_number
from topology.store import Store

store = Store(SqliteStorage(Path(sys.argv[1])))
while True:
    with store.transaction() as tx:
        number = next_number(tx, "transaction", 32)
        for _ in range({ROWS}):
            claim_lowest(tx, "row", [(1, 1 << 40)], f"transaction/{{number}}")
    print(number, flush=True)
"""


def test_kill_at_random_moments(tmp_path):
    path, dice = tmp_path / "store.sqlite", random.Random(1)
    acknowledged = 0
    for _ in range(ROUNDS):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
            first = writer.stdout.readline()
            assert first, "the writer must start"
            # A moment drawn at random, not a wait for a condition.
            time.sleep(dice.uniform(0, 0.05))
            writer.send_signal(signal.SIGKILL)
            lines = re.findall(r"(\d+)\n", first + writer.stdout.read())
        acknowledged = int(lines[-1])
        storage = SqliteStorage(path)
        store = Store(storage)
        number = store.get(Counter, "transaction").value
        assert acknowledged <= number <= acknowledged + 1, "at most the commit in flight may be there unacknowledged"
        owners = [row.owner for row in sorted(store.all(Claim), key=lambda row: row.value)]
        assert owners == [f"transaction/{n}" for n in range(1, number + 1) for _ in range(ROWS)]
        assert store.revision == number
        store.close()
    assert acknowledged >= ROUNDS
