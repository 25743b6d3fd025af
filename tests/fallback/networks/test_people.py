"""Whom the agent can follow: through NICK, not beyond QUIT, and never by nick alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bouncer.irc.state import NetworkState
from fallback.claims import Gone
from fallback.networks.people import MAX_PEOPLE, People, why_gone


def people() -> People:
    return People("pub", NetworkState("fb"))


def test_a_number_goes_with_the_nick() -> None:
    known = people()
    alice, _ = known.meet("alice!a@host", shares=True)
    assert known.renamed("alice", "Alice_") == (alice, None)
    assert known.known("ALICE_") == alice
    assert known.known("alice") is None


def test_who_takes_a_nick_shows_that_its_former_holder_is_gone() -> None:
    """A server gives a nick to one at a time; of a stranger's QUIT we are not told."""
    known = people()
    alice, _ = known.meet("alice!a@host", shares=False)
    thief, _ = known.meet("mallory!m@evil", shares=True)
    assert known.renamed("mallory", "alice") == (thief, alice)
    assert known.known("alice") == thief
    assert known.renamed("alice", "Alice") == (thief, None), "the case alone is no other nick"


def test_a_nick_taken_after_quit_is_somebody_else() -> None:
    known = people()
    alice, _ = known.meet("alice!a@host", shares=True)
    assert known.gone("alice") == alice
    thief, _ = known.meet("alice!t@evil", shares=True)
    assert thief != alice


def test_without_a_shared_channel_another_host_is_somebody_else() -> None:
    """Nothing tells us of a stranger's QUIT: the host is all there is to follow."""
    known = people()
    alice, lost = known.meet("alice!a@host", shares=False)
    assert lost is None
    assert known.meet("alice!a@host", shares=False) == (alice, None)
    thief, lost = known.meet("alice!t@evil", shares=False)
    assert thief != alice
    assert lost == alice


def test_who_comes_into_a_channel_from_another_host_is_somebody_else() -> None:
    """Nothing told us of the first one's QUIT, for no channel was shared then."""
    known = people()
    alice, _ = known.meet("alice!a@host", shares=False)
    thief, lost = known.meet("alice!t@evil", shares=True)
    assert thief != alice
    assert lost == alice
    assert known.meet("alice!t@cloak", shares=True) == (thief, None)  # followed from now on


def test_who_was_written_to_before_coming_in_is_the_same() -> None:
    known = people()
    alice, _ = known.meet("alice!a@host", shares=False)
    assert known.meet("alice!a@host", shares=True) == (alice, None)


def test_a_changed_host_that_was_told_is_the_same() -> None:
    known = people()
    alice, _ = known.meet("alice!a@host", shares=True)
    known.moved_host("alice", "a@cloak")
    assert known.meet("alice!a@cloak", shares=False) == (alice, None)


def test_after_a_disconnect_nobody_is_known_and_numbers_go_on() -> None:
    known = people()
    before, _ = known.meet("alice!a@host", shares=True)
    known.clear(NetworkState("fb"))
    after, _ = known.meet("alice!a@host", shares=True)
    assert after.number > before.number


# A nick ends where the user name begins: "!" is in none (RFC 2812, 2.3.1).
NICKS = st.text(st.characters(exclude_characters="!"), min_size=1, max_size=4)


@given(st.lists(NICKS, max_size=100), st.integers(0, 10_000))
def test_numbers_are_never_given_twice(nicks: list[str], more: int) -> None:
    known, given_out = people(), set()
    for nick in nicks:
        connection, _ = known.meet(f"{nick}!u@{more}", shares=True)
        known.gone(nick)
        assert connection not in given_out
        given_out.add(connection)


def test_it_does_not_grow_without_bound() -> None:
    known = people()
    for number in range(MAX_PEOPLE + 100):
        known.meet(f"n{number}!u@h", shares=True)
    assert len(known._numbers) == MAX_PEOPLE


def test_a_split_is_told_from_a_quit() -> None:
    """RFC 1459 section 4.1.6: on a split the reason names the two servers."""
    assert why_gone("hub.example.net leaf.example.net") is Gone.SPLIT
    assert why_gone("bye bye") is Gone.QUIT
    assert why_gone("") is Gone.QUIT
