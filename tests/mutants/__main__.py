"""Undo each fix in a copy of the tree, and see that its test notices: `make mutants`.

`NN-name.patch` undoes what complaint NN got; `test_cNN_…` of tests/complaints must then fail, and
`bN-name.patch` the same for `test_bN_…`. A letter after NN is for a fix of two halves. Words on the
command line choose patches by their start.

Exit 1 when a mutant survives, or a patch no longer applies: then write it anew.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATCHES = Path(__file__).parent
COPIED = ("bouncer", "storage", "fallback", "tests", "pyproject.toml")
TESTS = "tests/complaints"
HANGS_S = 120.0  # a mutant that hangs is noticed, too
FAILED = 1  # pytest: "Tests were collected and run but some of the tests failed"


def marker(patch: Path) -> str:
    """How the names of the tests begin that must notice."""
    number = patch.name.partition("-")[0]
    return f"test_{number if number[0] == 'b' else f'c{number[:2]}'}_"


def copy_tree(to: Path) -> None:
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, to / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, to / name)


def run(command: Sequence[str], tree: Path) -> subprocess.CompletedProcess[str]:
    # no bytecode: a mutant of the same size, made within a second, would pass for the original
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(tree)}
    return subprocess.run(
        command, cwd=tree, env=environment, capture_output=True, text=True, timeout=HANGS_S
    )


def play(tree: Path, tests: str) -> str:
    """ "passed", "failed", or what was wrong with the run itself."""
    command = (sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", TESTS)
    try:
        done = run((*command, "-k", tests), tree)
    except subprocess.TimeoutExpired:
        return "failed"
    if done.returncode in (0, FAILED):
        return "failed" if done.returncode else "passed"
    return f"could not be tested: {done.stdout.strip().splitlines()[-1:]}"


def verdict(patch: Path, tree: Path) -> str:
    """ "red", or the fault."""
    applied = run(("git", "apply", str(patch)), tree)
    if applied.returncode:
        return f"NO LONGER APPLIES: {applied.stderr.strip().splitlines()[0]}"
    try:
        found = play(tree, marker(patch))
    finally:
        run(("git", "apply", "--reverse", str(patch)), tree)
    return {"failed": "red", "passed": "SURVIVED"}.get(found, found.upper())


def main(chosen: Sequence[str]) -> int:
    patches = [
        patch
        for patch in sorted(PATCHES.glob("*.patch"))
        if not chosen or patch.name.startswith(tuple(chosen))
    ]
    faults = 0
    with tempfile.TemporaryDirectory(prefix="muster-mutants-") as folder:
        tree = Path(folder)
        copy_tree(tree)
        print(f"{TESTS} without a mutant:", flush=True, end=" ")
        found = play(tree, " or ".join(sorted({marker(patch) for patch in patches})))
        print(found)
        if found != "passed":
            return 1
        for patch in patches:
            begun = time.monotonic()
            found = verdict(patch, tree)
            faults += found != "red"
            print(f"{time.monotonic() - begun:5.1f} s  {patch.stem:32} {found}", flush=True)
    print(f"{len(patches)} mutants, {faults} of them not noticed")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
