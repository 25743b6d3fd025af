"""The import directions that keep the parts apart: storage <- bouncer <- fallback."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IO = {"trio", "socket", "ssl", "sqlalchemy", "alembic", "time", "threading", "subprocess", "os"}
FORBIDDEN = {
    "storage": {"bouncer", "fallback"},
    "bouncer": {"fallback"},
    "bouncer/irc": {"storage", "fallback"} | IO,
}
PURE_MODULES = [
    "bouncer/session",
    "bouncer/mesh/heartbeat.py",
    "bouncer/mesh/peers.py",
    "fallback/watch",
    "fallback/incident",
    "fallback/speaker",
    "fallback/claims",
    "fallback/tables.py",
    "fallback/voter.py",
]
AT_A_DISTANCE = IO - {"os"}  # who reads its own file of keys (`bouncer/mesh/keys`) asks nobody else


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def ours(path: Path) -> Iterator[Path]:
    """The modules of this project that a file imports, but for what is imported for types alone."""
    tree = ast.parse(path.read_text())
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in set(ast.walk(tree)) - for_types:
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            places = [ROOT / name.replace(".", "/") for name in names]
            files = [f for p in places for f in (p.with_suffix(".py"), p / "__init__.py")]
            yield from (file for file in files if file.exists())


def reached(paths: list[Path]) -> set[Path]:
    """These files and all that is imported because of them."""
    seen, ahead = set(paths), list(paths)
    while ahead:
        new = set(ours(ahead.pop())) - seen
        seen |= new
        ahead += new
    return seen


def storage_modules(path: Path) -> set[str]:
    """The modules of storage that a file imports."""
    tree = ast.walk(ast.parse(path.read_text()))
    names = {node.module for node in tree if isinstance(node, ast.ImportFrom) and node.module}
    return {name for name in names if name.partition(".")[0] == "storage"}


def python_files(place: str) -> list[Path]:
    """Every module of a package, or the one module of that name."""
    path = ROOT / place
    return sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_imports_go_one_way_only(folder: str) -> None:
    files = python_files(folder)
    assert files, f"{folder} holds no module"
    wrong = {str(f.relative_to(ROOT)): set(imported(f)) & FORBIDDEN[folder] for f in files}
    assert not {name: names for name, names in wrong.items() if names}


@pytest.mark.parametrize("place", PURE_MODULES)
def test_deciders_import_no_io(place: str) -> None:
    files = python_files(place)
    assert files, f"{place} holds no module"
    wrong = {str(f.relative_to(ROOT)): set(imported(f)) & IO for f in files}
    assert not {name: names for name, names in wrong.items() if names}


@pytest.mark.parametrize("place", [*PURE_MODULES, "bouncer/irc"])
def test_deciders_reach_no_io_by_what_they_import(place: str) -> None:
    files = reached(python_files(place))
    wrong = {str(f.relative_to(ROOT)): set(imported(f)) & AT_A_DISTANCE for f in files}
    assert not {name: names for name, names in wrong.items() if names}


def test_sessions_know_of_storage_only_its_values() -> None:
    """Rows and records are plain values; every other module of storage brings the database."""
    used = {name for path in python_files("bouncer/session") for name in storage_modules(path)}
    assert used <= {"storage.message", "storage.records"}
    for name in used:
        (path,) = python_files(name.replace(".", "/"))
        assert not set(imported(path)) & IO
