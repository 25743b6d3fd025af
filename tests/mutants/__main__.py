"""Undo each fix in a copy of the tree, and see that its test notices: `make mutants`.

`NN-name.patch` undoes what complaint NN got; `test_cNN_…` of tests/complaints must then fail, and
`bN-name.patch` the same for `test_bN_…`. A letter after NN is for a fix of two halves.
`sN-name.patch` and `lN-name.patch` undo a guard of the voters; `test_sN_…` and `test_lN_…` of
tests/fallback, named after the property that it guards, must then fail. `pN-name.patch` undoes what
a random play of tests/bouncer is to notice, `test_pN_…`. Words on the command line choose patches
by their start.

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
from itertools import groupby
from operator import itemgetter
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATCHES = Path(__file__).parent
COPIED = ("bouncer", "storage", "fallback", "tests", "pyproject.toml")
COMPLAINTS = "tests/complaints"
ELSEWHERE = {"s": "tests/fallback", "l": "tests/fallback", "p": "tests/bouncer"}
HANGS_S = 120.0  # a mutant that hangs is noticed, too
FAILED = 1  # pytest: "Tests were collected and run but some of the tests failed"


def marker(patch: Path) -> str:
    """How the names of the tests begin that must notice."""
    number = patch.name.partition("-")[0]
    return f"test_c{number[:2]}_" if number[0].isdigit() else f"test_{number}_"


def tests_of(patch: Path) -> tuple[str, str]:
    """Where these tests are, and how their names begin."""
    return ELSEWHERE.get(patch.name[0], COMPLAINTS), marker(patch)


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


def play(tree: Path, folder: str, names: Sequence[str]) -> str:
    """ "passed", "failed", or what was wrong with the run itself."""
    files = [
        str(path)
        for path in sorted((tree / folder).rglob("test_*.py"))
        if any(f"def {name}" in path.read_text("utf-8") for name in names)
    ]
    if not files:
        return f"could not be tested: no {' or '.join(names)}"
    command = (sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider")
    chosen = ("-m", "not outage", "-k", " or ".join(names), "--hypothesis-profile=mutant")
    try:
        done = run((*command, *chosen, *files), tree)
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
        folder, name = tests_of(patch)
        found = play(tree, folder, [name])
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
        chosen_tests = sorted({tests_of(patch) for patch in patches})
        for tests_in, named in groupby(chosen_tests, key=itemgetter(0)):
            print(f"{tests_in} without a mutant:", flush=True, end=" ")
            found = play(tree, tests_in, [name for _, name in named])
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
