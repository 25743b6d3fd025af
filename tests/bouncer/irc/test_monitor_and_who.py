"""MONITOR and WHO answered by us. Quotes: IRCv3 monitor, whox."""

from __future__ import annotations

import pytest

from bouncer.irc.casemap import CaseMapping
from bouncer.irc.monitor import MonitorList
from bouncer.irc.who import WhoRequest, extended, is_known, parse_who, who_lines
from bouncer.irc.wire import MAX_LINE, Message
from tests.bouncer.irc.talk import ENTERING, GREETING, network, says

ONLINE = {"alice": "alice!a@h", "bob": "bob!b@h"}


class Client:
    def __init__(self, limit: int = 5) -> None:
        self.list = MonitorList(CaseMapping.RFC1459.fold, limit)

    def says(self, line: str) -> list[str]:
        params = Message.parse(line).params
        lines = self.list.command(params, "me", "s", lambda nick: ONLINE.get(nick.lower(), ""))
        return [str(answer).removeprefix(":s ") for answer in lines]


def test_targets_are_added_with_their_status() -> None:
    client = Client()
    assert client.says("MONITOR + alice,carol,Bob,ALICE") == [
        "730 me alice!a@h,bob!b@h",
        "731 me carol",
    ]
    # "Targets already in the list MUST NOT be added again."
    assert client.says("MONITOR + alice") == []
    assert "ALICE" in client.list
    assert client.says("MONITOR L") == ["732 me alice,carol,Bob", "733 me :End of MONITOR list"]
    assert client.says("monitor s") == ["730 me alice!a@h,bob!b@h", "731 me carol"]


def test_targets_are_removed_in_silence() -> None:
    client = Client()
    client.says("MONITOR + alice,bob,carol")
    assert client.says("MONITOR - BOB,nobody") == []
    assert client.says("MONITOR L")[0] == "732 me alice,carol"
    assert client.says("MONITOR C") == []
    assert client.says("MONITOR L") == ["733 me :End of MONITOR list"]


def test_a_full_list_says_what_it_did_not_take() -> None:
    """
    "734 <nick> <limit> <targets> :Monitor list is full."."""
    client = Client(limit=2)
    assert client.says("MONITOR + a,b,c,d") == [
        "731 me a,b",
        "734 me 2 c,d :Monitor list is full.",
    ]
    assert len(client.list.targets) == 2


def test_nonsense_is_ignored() -> None:
    client = Client()
    for line in ("MONITOR", "MONITOR +", "MONITOR :", "MONITOR + ,,", "MONITOR X a", "MONITOR -"):
        assert client.says(line) == []
    client.says("MONITOR + " + "x" * 200)
    assert client.list.targets == {}


def test_long_lists_take_several_lines() -> None:
    client = Client(limit=100)
    client.says("MONITOR + " + ",".join(f"a-rather-long-nick-{n}" for n in range(100)))
    lines = client.says("MONITOR L")
    assert len(lines) > 3
    assert all(len(f":s {line}\r\n") <= MAX_LINE for line in lines)


def test_who_as_clients_ask_it() -> None:
    assert parse_who(()) == WhoRequest("")
    assert parse_who(("#c",)) == WhoRequest("#c")
    assert parse_who(("#c", "o")) == WhoRequest("#c", operators=True)
    # "the order of fields is fixed", and the query type is three digits at most
    assert parse_who(("#c", "%nuhat,42")) == WhoRequest("#c", "tuhna", "42")
    assert parse_who(("#c", "%tn")) == WhoRequest("#c", "tn", "0")
    assert parse_who(("#c", "o%tn,12345")) == WhoRequest("#c", "tn", "0", operators=True)


def test_who_of_a_channel() -> None:
    state = network(GREETING, ENTERING)
    assert not is_known(state, WhoRequest("#ops", "nh"))  # hosts are missing
    says(
        state,
        ":s 352 me #ops a h.a s alice G@ :0 Alice A\n:s 354 me 793 #ops b h.b bob H+ acct :Bob B",
    )
    assert is_known(state, WhoRequest("#OPS", "nh"))
    assert not is_known(state, WhoRequest("#ops", "nr"))  # nobody has told our own realname
    plain = [str(line) for line in who_lines(state, WhoRequest("#ops"), "bnc")]
    assert plain == [
        ":bnc 352 me #ops ident host.example irc.example me H :0 ",
        ":bnc 352 me #ops a h.a irc.example alice G@ :0 Alice A",
        ":bnc 352 me #ops b h.b irc.example bob H+ :0 Bob B",
        ":bnc 315 me #ops :End of WHO list",
    ]
    lines = who_lines(state, parse_who(("#ops", "%tcuhnfar,7")), "bnc")
    assert str(lines[2]) == ":bnc 354 me 7 #ops b h.b bob H+ acct :Bob B"
    assert str(lines[1]) == ":bnc 354 me 7 #ops a h.a alice G@ 0 :Alice A"


@pytest.mark.parametrize(
    ("version", "trailing"),
    [("2.11.2p3", "0 000A Alice  A"), ("u2.10.12.10", "3 Alice  A"), ("ngircd-26.1", "0 Alice  A")],
)
def test_a_realname_without_what_irc2_puts_before_it(version: str, trailing: str) -> None:
    """irc2.11.2p3: ":ir1.example.net 352 alice #x ~dave 127.0.0.1 ir1.example.net dave H :0 000A
    dave": the identifier of the server comes first."""
    who = f":s 352 me #ops a h.a s alice H :{trailing}"
    state = network(GREETING, ENTERING, f":s 004 me s {version} aoOirw abeiIklmnoOpqrRstv", who)
    user = state.user_named("alice")
    assert user is not None
    assert user.realname == "Alice  A"
    line = extended(state, parse_who(("#ops", "%nr")), Message.parse(who), ())
    assert str(line) == ":s 354 me alice :Alice  A"


def test_who_of_a_person_and_of_nobody() -> None:
    state = network(GREETING, ENTERING, ":s 352 me #ops a h.a s alice H@ :0 Alice A")
    assert is_known(state, WhoRequest("alice", "nhr"))
    (line, end) = who_lines(state, WhoRequest("ALICE"), "bnc")
    assert str(line) == ":bnc 352 me * a h.a irc.example alice H :0 Alice A"
    assert not is_known(state, WhoRequest("nobody", "n"))
    assert [m.command for m in who_lines(state, WhoRequest("nobody"), "bnc")] == ["315"]
    assert end.command == "315"
