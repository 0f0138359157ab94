"""Runs ``openstack`` commands, one after another in one process: each takes a second to start.

Reads a JSON list of arguments from each line of standard input; answers [exit code, output, errors] in JSON.
"""

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout

from openstackclient import shell


def run(arguments: list[str]) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = shell.main(arguments)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
    return code, out.getvalue(), err.getvalue()


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)
