"""One target under atheris: ``python -m tests.fuzz.fuzzer TARGET [LIBFUZZER OPTIONS] [CORPUS...]``."""

import sys

import atheris

# Only what was instrumented while it was imported tells which branches an input takes.
with atheris.instrument_imports(
    include=[
        "sdnapp.dhcp",
        "sdnapp.openflow.messages",
        "sdnapp.openflow.meter_messages",
        "sdnapp.ovsdb.jsonrpc",
        "sdnapp.ovsdb.rows",
        "sdnapp.ovsdb.replica",
        "sdnapp.router_icmp",
    ]
):
    from tests.fuzz.targets import TARGETS

if __name__ == "__main__":
    atheris.Setup([sys.argv[0], *sys.argv[2:]], TARGETS[sys.argv[1]])
    atheris.Fuzz()
