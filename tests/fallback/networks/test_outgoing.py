"""What waits to be said: one line per two seconds, announcements first, replies by turns."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bouncer.irc.wire import Message
from fallback.networks.outgoing import LINE_EVERY_S, MAX_REPLIES, MAX_SOURCES, Outgoing, Priority


def line(text: str) -> Message:
    return Message("PRIVMSG", ("#room", text))


def drain(outgoing: Outgoing) -> list[str]:
    said, now = [], 1000.0
    while (message := outgoing.take(now)) is not None:
        said.append(message.params[1])
        now += LINE_EVERY_S
    return said


def test_at_most_one_line_per_two_seconds() -> None:
    """FALLBACK: "At most 1 line per 2 s and network"."""
    outgoing = Outgoing()
    for number in range(10):
        outgoing.put(line(str(number)), Priority.ANNOUNCE)
    times = [tenth / 10 for tenth in range(100) if outgoing.take(tenth / 10)]
    assert all(later - earlier >= 2 for earlier, later in pairwise(times))
    assert len(times) == 5


def test_who_does_not_speak_any_more_still_serves_whom_it_has_verified() -> None:
    """FALLBACK: "CLAIM … | FOLLOWING | keep journal, serve claims"."""
    outgoing = Outgoing()
    outgoing.put(line("the announcement"), Priority.ANNOUNCE)
    outgoing.put(Message("INVITE", ("alice", "#room")), Priority.VERIFY)
    outgoing.put(line("on call: bob"), Priority.ROSTER)
    outgoing.reply(Message("NOTICE", ("alice", "verified, invited to #room")), "host")
    outgoing.stop_talking()
    assert drain(outgoing) == ["#room", "verified, invited to #room"]


def test_what_waits_is_readdressed_or_dropped() -> None:
    """Nothing meant for one person may reach whoever takes their nick."""
    outgoing = Outgoing()
    for nick in ("alice", "bob"):
        outgoing.reply(Message("NOTICE", (nick, f"for {nick}")), f"host of {nick}")
        outgoing.put(Message("INVITE", (nick, f"room for {nick}")), Priority.VERIFY)
    outgoing.follow("alice", "", str.lower)
    assert drain(outgoing) == ["room for bob", "for bob"]
    assert not len(outgoing)


def test_announce_goes_before_verify_before_roster_before_replies() -> None:
    outgoing = Outgoing()
    outgoing.reply(line("reply"), "host")
    outgoing.put(line("roster"), Priority.ROSTER)
    outgoing.put(line("verify"), Priority.VERIFY)
    outgoing.put(line("announce"), Priority.ANNOUNCE)
    assert drain(outgoing) == ["announce", "verify", "roster", "reply"]


def test_replies_take_turns_by_source() -> None:
    outgoing = Outgoing()
    for text in ("a1", "a2", "a3"):
        outgoing.reply(line(text), "a")
    outgoing.reply(line("b1"), "b")
    assert drain(outgoing) == ["a1", "b1", "a2", "a3"]


@given(st.lists(st.tuples(st.integers(0, 600), st.text(max_size=3)), max_size=2000))
def test_no_flood_makes_it_grow(requests: list[tuple[int, str]]) -> None:
    outgoing = Outgoing()
    for source, text in requests:
        outgoing.reply(line(text), str(source))
    assert len(outgoing) <= MAX_SOURCES * MAX_REPLIES
    assert len(outgoing) + outgoing.dropped == len(requests)


def test_a_thousand_claims_do_not_delay_the_announcement() -> None:
    outgoing = Outgoing()
    for number in range(10_000):
        outgoing.reply(line("no"), str(number))
    outgoing.put(line("announce"), Priority.ANNOUNCE)
    first = outgoing.take(0.0)
    assert first is not None
    assert first.params[1] == "announce"


def test_what_was_refused_waits_and_leaves_first() -> None:
    out = Outgoing()
    out.reply(Message("NOTICE", ("al", "challenge")), "host")
    out.put(Message("INVITE", ("bo", "#room")), Priority.VERIFY)
    assert out.take(0.0) == Message("INVITE", ("bo", "#room"))
    assert out.take(2.0) == Message("NOTICE", ("al", "challenge"))
    out.reply(Message("NOTICE", ("ca", "later")), "elsewhere")
    out.hold("AL", 2.5, 60.0, str.casefold)
    out.hold("bo", 3.0, 60.0, str.casefold)
    assert out.take(30.0) is None
    assert out.wait_s(30.0) == 33.0
    out.put(Message("MODE", ("#room", "+v", "al")), Priority.VERIFY)
    assert out.wait_s(30.0) == 0.0, "a channel waits for nobody"
    assert out.take(30.0) == Message("MODE", ("#room", "+v", "al"))
    said = [str(out.take(63.0 + 2 * turn)) for turn in range(3)]
    assert said == ["INVITE bo #room", "NOTICE al challenge", "NOTICE ca later"]


def test_what_was_refused_does_not_reach_who_takes_the_nick_next() -> None:
    out = Outgoing()
    for at, nick, new in ((0.0, "al", ""), (2.0, "bo", "bobby")):
        out.reply(Message("NOTICE", (nick, "challenge")), nick)
        assert out.take(at) is not None
        out.follow(nick, new, str.casefold)
    for nick in ("al", "bo"):
        out.hold(nick, 3.0, 58.0, str.casefold)
    assert len(out) == 0
    out.hold("bobby", 3.0, 58.0, str.casefold)
    assert out.take(61.0) == Message("NOTICE", ("bobby", "challenge"))


def test_a_refusal_is_about_what_was_said_lately() -> None:
    out = Outgoing()
    out.reply(Message("NOTICE", ("al", "old")), "host")
    out.take(0.0)
    out.hold("al", 11.0, 60.0, str.casefold)
    assert len(out) == 0
