"""What is imported is declared, also where another package would bring it along."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = {"bouncer", "fallback", "storage", "tests"}
# pydantic's other half: released with it, and its documents import error types from there.
HALVES = {"pydantic-core": "pydantic"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def imported(folder: str) -> Iterator[tuple[str, str]]:
    """(top-level package, file) of every absolute import below a folder."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        place = str(path.relative_to(ROOT))
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from ((alias.name.partition(".")[0], place) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0], place


def names(requirements: list[str]) -> set[str]:
    return {normal(re.split(r"[\s\[<>=!~;]", each, maxsplit=1)[0]) for each in requirements}


def normal(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def whole(name: str) -> str:
    return HALVES.get(normal(name), normal(name))


def undeclared(folder: str, declared: set[str]) -> set[tuple[str, str]]:
    found = packages_distributions()
    return {
        (package, place)
        for package, place in imported(folder)
        if package not in OURS
        and package not in sys.stdlib_module_names
        and not {whole(each) for each in found.get(package, [package])} & declared
    }


@pytest.mark.parametrize("folder", ["storage", "bouncer", "fallback"])
def test_the_programs_import_only_what_is_declared(folder: str) -> None:
    extras = PROJECT["optional-dependencies"]
    declared = PROJECT["dependencies"] + extras["postgres"] + extras["soju"]
    assert not undeclared(folder, names(declared))


def test_the_tests_import_only_what_is_declared() -> None:
    extras = [each for extra in PROJECT["optional-dependencies"].values() for each in extra]
    assert not undeclared("tests", names(PROJECT["dependencies"] + extras))
