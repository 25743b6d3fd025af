"""Tests, benchmarks and drills. They and what they start run from bytecode, as an installed Muster
does: an environment that forbids it in the tree would have every start compile everything again.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_VENV = Path(__file__).parents[1] / ".venv"

if _VENV.is_dir():
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(_VENV / "bytecode")
    sys.dont_write_bytecode, sys.pycache_prefix = False, os.environ["PYTHONPYCACHEPREFIX"]
