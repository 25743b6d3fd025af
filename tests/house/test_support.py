"""docs/support.md says what is: its capabilities are the code's, its code and its tests exist."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from operator import attrgetter
from pathlib import Path
from pkgutil import resolve_name

import pytest

from bouncer.irc.caps import DOWNSTREAM_OFFERED, UPSTREAM_WANTED
from tests.house.peers import FROM_NETWORKS, ROLES, SOJU, TO_CLIENTS, ZNC
from tests.house.support import PROMISED

TESTS = Path(__file__).parents[1]
ROWS = [row for _, rows in PROMISED for row in rows]


@cache
def known_tests() -> Counter[str]:
    """How often each name of a test stands in the tree."""
    text = "\n".join(path.read_text() for path in TESTS.rglob("test_*.py"))
    return Counter(re.findall(r"^(?:async )?def (test_\w+)", text, flags=re.MULTILINE))


@cache
def quoting_tests() -> frozenset[str]:
    """The tests that quote somebody."""
    found = set()
    for path in TESTS.rglob("test_*.py"):
        for body in re.split(r"^(?:async )?def ", path.read_text(), flags=re.MULTILINE):
            said = re.search(r'"""(.*?)"""|# (".*)', body, re.DOTALL)
            if said and '"' in (said[1] or said[2]):
                found.add(body.partition("(")[0])
    return frozenset(found | {ROLES})  # each of its cases has a sentence


@pytest.mark.parametrize(
    ("name", "tests"),
    [*TO_CLIENTS.items(), *((f"of a network: {n}", t) for n, t in FROM_NETWORKS.items())],
)
def test_a_capability_is_shown_with_its_sentence(name: str, tests: str) -> None:
    if not name.startswith("znc.in/"):  # for which there is none
        assert quoting_tests() & set(tests.split())


def test_the_capabilities_are_those_of_the_code() -> None:
    assert list(TO_CLIENTS) == list(DOWNSTREAM_OFFERED)
    assert sorted(FROM_NETWORKS) == sorted(UPSTREAM_WANTED)
    assert SOJU.keys() <= DOWNSTREAM_OFFERED.keys(), "soju has one that Muster lacks"
    assert ZNC.keys() <= DOWNSTREAM_OFFERED.keys(), "ZNC has one that Muster lacks"


@pytest.mark.parametrize(
    "names",
    [*TO_CLIENTS.values(), *FROM_NETWORKS.values(), *(row.shown for row in ROWS)],
    ids=[
        *(f"to {n}" for n in TO_CLIENTS),
        *(f"of {n}" for n in FROM_NETWORKS),
        *(r.what for r in ROWS),
    ],
)
def test_what_is_shown_by_a_test_is(names: str) -> None:
    assert names.split()
    for name in names.split():
        assert known_tests()[name] == 1, f"{name} is there {known_tests()[name]} times"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.what)
def test_what_does_it_is_there(row) -> None:  # type: ignore[no-untyped-def]
    module, _, name = row.code.partition(":")
    first, _, rest = name.partition(".")
    found = resolve_name(f"{module}:{first}")
    if rest:
        attrgetter(rest)(found)
    assert all((row.what, row.muster, row.soju, row.znc))


def test_no_row_is_there_twice() -> None:
    assert Counter(row.what for row in ROWS).most_common(1)[0][1] == 1
