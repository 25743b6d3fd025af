"""Lines that several clients are told: one list for all of them, until one is told otherwise."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bouncer.session.effects import Effects
from tests.bouncer.session.dialogue import MODERN, Dialogue

GROUPS = ((1, 2, 3), (4, 5), (6,))
STEPS = st.one_of(
    st.tuples(st.just("all"), st.sampled_from(GROUPS)),
    st.tuples(st.just("one"), st.integers(1, 7)),
    st.tuples(st.just("take"), st.integers(1, 7)),
)


@given(st.lists(STEPS, max_size=30))
def test_who_shares_a_list_hears_what_it_is_told_and_no_more(
    steps: list[tuple[str, tuple[int, ...] | int]],
) -> None:
    out = Effects()
    told: dict[int, list[str]] = {}
    for number, (how, who) in enumerate(steps):
        line = f"line {number}"
        if isinstance(who, tuple):
            out.tell_all(who, [line])
            for client in who:
                told.setdefault(client, []).append(line)
        elif how == "one":
            out.tell(who, line)
            told.setdefault(who, []).append(line)
        else:
            assert out.take(who) == told.pop(who, [])
        assert out.to_clients == told


def test_clients_of_one_dialect_share_what_is_said() -> None:
    """It is rendered once, and gathered once, however many they are."""
    talk = Dialogue()
    talk.connect("server-time message-tags")
    for client in (1, 2):
        talk.attach(client, MODERN)
    talk.attach(3, ())
    assert "PING" in talk.says(":bob!b@h PRIVMSG #ops :zero").to_clients[1][-1]  # each its own
    told = talk.says(":bob!b@h PRIVMSG #ops :one", ":bob!b@h PRIVMSG #ops :two").to_clients
    assert told[1] is told[2]
    assert [line.rpartition(":")[2] for line in told[1]] == ["one", "two"]
    assert told[3] is not told[1]
    assert [line.rpartition(":")[2] for line in told[3]] == ["one", "two"]
