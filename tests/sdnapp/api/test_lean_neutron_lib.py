"""The controller loads no database layer that it does not use; whoever needs neutron-lib's gets it."""

import subprocess
import sys

HEAVY = ("sqlalchemy", "oslo_db", "osprofiler", "pecan", "mako", "jinja2")
PROGRAM = f"""
import sys
import sdnapp.api.wsgi
loaded = [name for name in {HEAVY!r} if name in sys.modules]
assert not loaded, loaded
from neutron_lib.db import api
assert api.CONTEXT_READER, "the real one"
import neutron_lib.db.api
assert neutron_lib.db.api is api
"""


def test_the_api_needs_no_database_layer() -> None:
    subprocess.run([sys.executable, "-W", "ignore", "-c", PROGRAM], check=True, timeout=60)
