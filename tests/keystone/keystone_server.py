"""Run by the Python that has Keystone: serves its API on a port of the loopback; prints the port.

Ends with its standard input. ``real_keystone`` starts it, with the configuration file and the port as arguments.
"""

import os
import sys
import threading

import waitress


def main(settings: str, port: int) -> None:
    sys.argv[1:] = []
    os.environ["OS_KEYSTONE_CONFIG_FILES"] = settings
    from keystone.wsgi.api import application

    # One thread: SQLite locks the whole database for each writer.
    server = waitress.create_server(application, host="127.0.0.1", port=port, threads=1)
    threading.Thread(target=server.run, daemon=True).start()
    print(server.effective_port, flush=True)
    os.dup2(2, 1)  # nobody reads there any more
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
