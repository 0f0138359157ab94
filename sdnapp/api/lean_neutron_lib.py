"""neutron-lib without its database layer.

Whoever imports ``neutron_lib`` gets SQLAlchemy, oslo.db, osprofiler and Pecan with it: a third of this process's memory
and half of the time that it takes to import everything. Nothing here has such a database. So an empty module stands in
for the one that needs them while neutron-lib is imported; whoever asks for it later gets the real one.
"""

import importlib
import sys
from types import ModuleType

_DATABASE = "neutron_lib.db.api"


def load() -> None:
    """Import neutron-lib, if nobody has done so yet."""
    if "neutron_lib" in sys.modules:
        return
    sys.modules[_DATABASE] = ModuleType(_DATABASE)
    try:
        importlib.import_module("neutron_lib")
    finally:
        del sys.modules[_DATABASE]
