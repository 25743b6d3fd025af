"""Temporary nicks: FALLBACK.md §4's order, cut to the network's length, alike in each incident."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fallback.networks import nicks

KEY = bytes(range(32))
fold = str.casefold


def nick(held: dict[str, str | None], usual: tuple[str, ...] = ("alice", "ali")) -> str:
    return nicks.temp_nick("alice", usual, KEY, held, "alice-acc", fold)


def test_the_usual_nick_if_it_is_free() -> None:
    assert nick({}) == "alice"


def test_the_usual_nick_if_held_by_ones_own_account() -> None:
    assert nick({"alice": "Alice-Acc"}) == "alice"


def test_never_a_nick_held_by_somebody_else() -> None:
    assert nick({"alice": None}) == "ali"
    assert nick({"alice": "mallory", "ali": None}) == "alice_"


def test_then_the_tag_then_longer() -> None:
    taken: dict[str, str | None] = {"alice": None, "ali": None, "alice_": "alice-acc"}
    first = nick(taken)
    assert first == f"alice-{nicks.tag(KEY, 'alice')}"
    taken[first] = None
    assert nick(taken) == f"alice-{nicks.tag(KEY, 'alice', 3)}"


def test_the_tag_depends_on_organisation_and_person_only() -> None:
    assert nicks.tag(KEY, "alice") == nicks.tag(KEY, "Alice")
    assert nicks.tag(KEY, "alice", 6) != nicks.tag(bytes(32), "alice", 6)
    assert nicks.tag(KEY, "alice", 6) != nicks.tag(KEY, "bob", 6)


@given(st.text(max_size=40), st.integers(9, 30), st.binary(min_size=1, max_size=64))
def test_every_candidate_fits_the_network(handle: str, nicklen: int, key: bytes) -> None:
    """ "length from ISUPPORT (9 until 005)": also for handles that are no nicks at all."""
    for candidate, _ in nicks.candidates(handle, (), key, nicklen):
        assert 0 < len(candidate) <= nicklen
        assert not candidate[0].isdigit()
        assert " " not in candidate
        assert candidate.isascii()
