"""CAP with a network, as dialogues. Quotes are from IRCv3 capability-negotiation."""

from __future__ import annotations

from bouncer.irc.caps import (
    DOWNSTREAM_OFFERED,
    MAX_AVAILABLE,
    UPSTREAM_WANTED,
    CapNegotiation,
    Offer,
    offered,
    parse_caps,
)
from bouncer.irc.wire import MAX_LINE, Message


class Talk:
    """A server's lines in, our answers out."""

    def __init__(self, *wanted: str) -> None:
        self.caps = CapNegotiation(wanted)
        assert [str(line) for line in self.caps.start()] == ["CAP LS 302"]

    def says(self, line: str) -> list[str]:
        return [str(answer) for answer in self.caps.receive(Message.parse(line))]


def test_what_is_wanted_and_there_is_asked_for() -> None:
    talk = Talk("batch", "server-time", "echo-message")
    assert talk.says("CAP * LS :server-time multi-prefix batch=x tls") == [
        "CAP REQ :batch server-time"
    ]
    assert not talk.caps.settled
    assert talk.says("CAP * ACK :batch server-time ") == []  # "MUST ignore trailing whitespace"
    assert talk.caps.settled
    assert talk.caps.enabled == {"batch": "x", "server-time": ""}


def test_a_list_in_several_lines_is_awaited() -> None:
    """
    "This lets clients know that more CAP lines are incoming, so that it can delay capability
    negotiation until it has seen all available server capabilities."""
    talk = Talk("a", "b")
    assert talk.says("CAP * LS * :a x y") == []
    assert not talk.caps.settled
    assert talk.says("CAP * LS :b z") == ["CAP REQ :a b"]


def test_one_unknown_capability_costs_only_itself() -> None:
    # "The capability identifier set must be accepted as a whole, or rejected entirely."
    talk = Talk("a", "b", "c")
    assert talk.says("CAP * LS :a b c") == ["CAP REQ :a b c"]
    assert talk.says("CAP * NAK :a b c") == ["CAP REQ a", "CAP REQ b", "CAP REQ c"]
    assert talk.says("CAP * ACK :a") == []
    assert talk.says("CAP * NAK :b") == []
    assert talk.says("CAP * ACK :c") == []
    assert talk.caps.settled
    assert set(talk.caps.enabled) == {"a", "c"}


def test_sasl_is_asked_for_alone() -> None:
    talk = Talk("a", "sasl")
    assert talk.says("CAP * LS :sasl=PLAIN a") == ["CAP REQ sasl", "CAP REQ a"]
    talk.says("CAP * NAK :a")
    talk.says("CAP * ACK :sasl")
    assert talk.caps.enabled == {"sasl": "PLAIN"}


def test_a_long_list_is_asked_for_in_lines_that_can_be_answered() -> None:
    """
    "Clients SHOULD ensure that their list of requested capabilities is not too long to be
    replied to with a single ACK or NAK message."""
    names = [f"vendor.example/capability-{n}" for n in range(60)]
    talk = Talk(*names)
    for start in range(0, 60, 10):
        more = "* " if start < 50 else ""
        lines = talk.says(f"CAP * LS {more}:{' '.join(names[start : start + 10])}")
    assert len(lines) > 3
    for line in lines:
        answer = line.replace("REQ", "ACK")
        assert len(f":a.long.server.name {answer}") + 30 < MAX_LINE
        talk.says(f"CAP * {answer.removeprefix('CAP ')}")
    assert talk.caps.settled
    assert set(talk.caps.enabled) == set(names)


def test_nothing_to_ask_for_settles_at_once() -> None:
    talk = Talk("a")
    assert talk.says("CAP * LS :") == []
    assert talk.caps.settled


def test_capabilities_come_and_go_later() -> None:
    """
    "Clients that support CAP NEW messages SHOULD respond with a CAP REQ message if they wish to
    enable one or more of the newly-offered capabilities."""
    talk = Talk("away-notify", "sasl")
    talk.says("CAP * LS :tls")
    assert talk.says("CAP me NEW :away-notify extended-join sasl=PLAIN") == [
        "CAP REQ sasl", "CAP REQ away-notify",
    ]  # fmt: skip
    talk.says("CAP me ACK :away-notify")
    talk.says("CAP me ACK :sasl")
    assert talk.says("CAP me NEW :away-notify sasl=PLAIN,EXTERNAL") == []
    assert talk.caps.enabled["sasl"] == "PLAIN,EXTERNAL"
    assert talk.says("CAP me DEL :away-notify nonsense") == []
    assert set(talk.caps.enabled) == {"sasl"}


def test_what_we_did_not_ask_for_is_not_enabled() -> None:
    talk = Talk("a")
    talk.says("CAP * LS :a b")
    talk.says("CAP * ACK :a b")
    talk.says("CAP * ACK :-a")
    assert talk.caps.enabled == {}


def test_a_server_cannot_fill_memory_or_keep_us_asking() -> None:
    talk = Talk("a")
    for n in range(100):
        talk.says("CAP * LS * :" + " ".join(f"x{n}-{i}" for i in range(100)))
    assert len(talk.caps.available) == MAX_AVAILABLE
    talk = Talk("a", "b")
    talk.says("CAP * LS :a b")
    asked = sum(len(talk.says("CAP * NAK :a b")) for _ in range(50))
    assert asked == 2
    assert sum(len(talk.says("CAP * NEW :a b")) for _ in range(50)) <= 50


def test_a_value_may_hold_an_equals_sign() -> None:
    assert parse_caps(" a=b=c  d= e ") == {"a": "b=c", "d": "", "e": ""}


def test_every_offer_says_where_it_comes_from() -> None:
    bare = offered()
    assert "server-time" in bare
    assert "SCRAM-SHA-256" in bare["sasl"].split(",")
    assert "away-notify" not in bare  # only the network knows who is away
    assert "away-notify" in offered({"away-notify"})
    table = {"later": Offer(served=False)}
    assert "later" not in offered(table=table)
    assert offered(serving={"later": "7"}, table=table) == {"later": "7"}
    assert "sasl" in UPSTREAM_WANTED
    for name, row in DOWNSTREAM_OFFERED.items():
        assert row.needs <= set(UPSTREAM_WANTED), f"{name} needs what we never ask for"
