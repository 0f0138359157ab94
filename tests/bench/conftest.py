"""The emulated fabric's modules live in ``mininet/``, which is no package: it would hide the real Mininet."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "mininet"))
