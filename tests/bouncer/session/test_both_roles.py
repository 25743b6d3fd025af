"""What a network's capabilities are for clients: for those that have negotiated them, for those
that have not, and for what we answer later. The sentence of the specification stands at each.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from bouncer.irc.caps import DOWNSTREAM_OFFERED, UPSTREAM_WANTED
from bouncer.irc.people import User
from bouncer.irc.wire import Message
from bouncer.session.effects import NetworkCaps
from tests.bouncer.session.dialogue import MODERN, Dialogue

ISUPPORT = "CHANTYPES=# PREFIX=(ohv)@%+"


class Case(NamedTuple):
    """`says` comes from a network that has `cap`: a client with it is told `told`, one without
    `plain`; `known` is what a client that enters later learns of it."""

    cap: str
    sentence: str
    says: str
    told: list[str]
    plain: list[str]
    known: tuple[str, str] = ("", "")


CASES = [
    Case(
        "account-notify",
        "clients will get the ACCOUNT message to designate the account name changes for clients on "
        "common channels with them",
        ":bob!b@h ACCOUNT bobby",
        [":bob!b@h ACCOUNT bobby"],
        [],
        ("WHO bob %na", "354 me bob bobby"),
    ),
    Case(
        "account-tag",
        "The tag MUST be added by the ircd to all commands sent by a user",
        "@account=bobby :bob!b@h PRIVMSG #ops :hi",
        ["@account=bobby :bob!b@h PRIVMSG #ops :hi"],
        [":bob!b@h PRIVMSG #ops :hi"],
    ),
    Case(
        "away-notify",
        "clients will be sent an AWAY message when a user sharing a channel with them sets, "
        "changes or removes their away state",
        ":bob!b@h AWAY :lunch",
        [":bob!b@h AWAY lunch"],
        [],
        ("WHO bob %nf", "354 me bob G"),
    ),
    Case(
        "chghost",
        "servers SHOULD send fallback messages to simulate the client reconnecting [...] to "
        "restore membership and user channel modes",
        ":bob!b@h CHGHOST bo cloak.test",
        [":bob!b@h CHGHOST bo cloak.test"],
        [
            ":bob!b@h QUIT :Changing host",
            ":bob!bo@cloak.test JOIN #ops",
            ":irc.test MODE #ops +oh bob bob",
        ],
        ("WHO bob %uhn", "354 me bo cloak.test bob"),
    ),
    Case(
        "extended-join",
        "the JOIN message will designate the account name of the user when they join a channel",
        ":carol!c@h JOIN #ops caz :Carol C",
        [":carol!c@h JOIN #ops caz :Carol C"],
        [":carol!c@h JOIN #ops"],
        ("WHO carol %nar", "354 me carol caz :Carol C"),
    ),
    Case(
        "invite-notify",
        "it would like to be notified when users are invited to channels",
        ":bob!b@h INVITE carol #ops",
        [":bob!b@h INVITE carol #ops"],
        [],
    ),
    Case(
        "setname",
        "The SETNAME message MUST NOT be sent to clients which do not have the [...] capability "
        "negotiated.",
        ":bob!b@h SETNAME :Bob the Second",
        [":bob!b@h SETNAME :Bob the Second"],
        [],
        ("WHO bob %nr", "354 me bob :Bob the Second"),
    ),
    Case(
        "multi-prefix",
        "send all possible prefixes which apply to a user in NAMES and WHO output. These prefixes "
        "MUST be in order of 'rank', from highest to lowest.",
        ":irc.test 352 me #ops b h irc.test bob H*@% :0 Bob",
        [":irc.test 352 me #ops b h irc.test bob H*@% :0 Bob"],
        [":irc.test 352 me #ops b h irc.test bob H*@ :0 Bob"],
        ("NAMES #ops", "353 me = #ops :@me @%bob"),
    ),
    Case(
        "userhost-in-names",
        "to contain the full hostmask (nick!user@host) of every user listed",
        ":irc.test 353 me = #ops :bob!b@h",
        [":irc.test 353 me = #ops :bob!b@h"],
        [":irc.test 353 me = #ops :bob"],
        ("WHO bob %uhn", "354 me b h bob"),
    ),
    Case(
        "server-time",
        'Servers "MUST NOT do so before acknowledging the client capability using CAP ACK"',
        "@time=2011-10-19T16:40:51.620Z :bob!b@h PART #ops",
        ["@time=2011-10-19T16:40:51.620Z :bob!b@h PART #ops"],
        [":bob!b@h PART #ops"],
    ),
    Case(
        "standard-replies",
        "This capability allows servers to send arbitrary standard replies other than ones enabled "
        "by a specific specification.",
        ":irc.test NOTE * OPER_MESSAGE :Maintenance at noon",
        [":irc.test NOTE * OPER_MESSAGE :Maintenance at noon"],
        [":irc.test NOTICE me :Maintenance at noon"],
    ),
    Case(
        "batch",
        "Client MAY ignore the type and process messages one by one.",
        "@batch=x :bob!b@h QUIT :good bye",
        [":bob!b@h QUIT :good bye"],
        [":bob!b@h QUIT :good bye"],
    ),
]


def here(cap: str) -> Dialogue:
    """A network with `cap`, and with bob, whose host and prefixes are known."""
    talk = Dialogue()
    talk.connect(cap, ISUPPORT)
    talk.says(":bob!b@h JOIN #ops", ":irc.test MODE #ops +oh bob bob")
    talk.heard()
    return talk


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.cap)
def test_a_capability_of_the_network(case: Case) -> None:
    assert case.cap in UPSTREAM_WANTED
    assert case.sentence
    talk = here(case.cap)
    talk.attach(1, {case.cap})
    talk.attach(2, ())
    talk.says(case.says)
    assert talk.seen(1) == case.told
    assert talk.seen(2) == case.plain
    asks, answer = case.known
    if asks:
        talk.attach(3, {"multi-prefix"})
        talk.types(3, asks)
        assert talk.heard() == []
        assert talk.seen(3)[0] == f":muster.test {answer}"


@pytest.mark.parametrize("cap", [cap for cap, row in DOWNSTREAM_OFFERED.items() if row.needs])
def test_what_only_a_network_knows_is_offered_with_it(cap: str) -> None:
    """capability-negotiation: "The NEW subcommand signals that the server supports one or more new
    capabilities, and may be sent at any time." """
    talk = Dialogue()
    talk.connect()
    talk.attach(1, MODERN)
    talk.others.clear()
    talk.says(f":irc.test CAP me NEW :{cap}")
    assert f"CAP REQ {cap}" in talk.heard()
    talk.says(f":irc.test CAP me ACK :{cap}")
    assert talk.others[-1] == NetworkCaps(frozenset({cap}))
    talk.says(f":irc.test CAP me DEL :{cap}")
    assert talk.others[-1] == NetworkCaps(frozenset())


def test_a_host_that_changes_leaves_ones_own_place_and_hidden_ones_alone() -> None:
    """chghost: "to other clients who share channels with the target client": for oneself, and for
    who is in no channel of ours, nobody plays a reconnect."""
    talk = here("chghost")
    talk.attach(1, ())
    talk.says(":me!user@host CHGHOST me cloak.test", ":stranger!s@h CHGHOST s cloak.test")
    assert talk.seen(1) == []
    assert talk.session.state.mask == "me!me@cloak.test"


def test_a_standard_reply_is_for_who_asked() -> None:
    """standard-replies: "<command>: Indicates the user command which this reply is related to" """
    talk = here("")
    talk.attach(1, {"standard-replies"})
    talk.attach(2, ())
    talk.attach(3, {"standard-replies"})
    fail = ":irc.test FAIL REGISTER BAD_ACCOUNT_NAME * :No such name"
    talk.types(1, "REGISTER * * hunter2")
    talk.says(fail)
    assert (talk.seen(1), talk.seen(2), talk.seen(3)) == ([fail], [], [])
    talk.types(2, "REGISTER * * hunter2")
    talk.says(fail)
    assert (talk.seen(1), talk.seen(3)) == ([], [])
    assert talk.seen(2) == [":irc.test NOTICE me :REGISTER: No such name"]


def test_a_specification_brings_its_own_standard_replies() -> None:
    """setname: "The server MUST use the FAIL spec to notify the client of failed SETNAME
    commands." """
    talk = here("setname")
    talk.attach(1, {"setname"})
    talk.types(1, "SETNAME :x")
    fail = ":irc.test FAIL SETNAME INVALID_REALNAME :Realname is not valid"
    talk.says(fail)
    assert talk.seen(1) == [fail]


def test_who_without_multi_prefix_gets_the_highest_from_us_too() -> None:
    talk = here("away-notify")
    for client, caps, flags in ((1, (), "H@"), (2, {"multi-prefix"}, "H@%")):
        for nick in ("me", "bob"):
            talk.says(f":irc.test 352 me #ops u h irc.test {nick} H@% :0 Me")
        talk.attach(client, caps)
        talk.types(client, "WHO #ops %nf")
        bob = [Message.parse(line).params for line in talk.seen(client) if " bob " in line]
        assert bob == [("me", "bob", flags)]
        talk.session.state.users["bob"] = User("bob")  # whose host we do not know
        talk.types(client, "WHO #ops %nf")
        assert talk.heard() == ["WHO #ops"]
        talk.says(":irc.test 352 me #ops b h irc.test bob H@% :0 Bob")
        talk.says(":irc.test 315 me #ops :End")
        assert talk.seen(client)[0] == f":irc.test 354 me bob {flags}"


@pytest.mark.parametrize(
    ("fields", "theirs", "ours"),
    [
        ("%tcnf,152", "152 #ops bob H*@%", "152 #ops bob H*@"),
        ("%fn", "bob H@%", "bob H@"),
        ("%cnu", "#ops b bob@%", "#ops b bob@%"),
    ],
)
def test_whox_of_the_network_without_multi_prefix_has_the_highest(
    fields: str, theirs: str, ours: str
) -> None:
    """multi-prefix: "When requested, the multi-prefix client capability will cause the IRC server
    to send all possible prefixes which apply to a user in NAMES, WHO and WHOIS output." """
    talk = Dialogue()
    talk.connect("multi-prefix", "CHANTYPES=# PREFIX=(ohv)@%+ WHOX")
    for client, caps, told in ((1, (), ours), (2, {"multi-prefix"}, theirs)):
        talk.attach(client, caps)
        talk.types(client, f"WHO #ops {fields}")
        assert talk.heard() == [f"WHO #ops {fields}"]
        talk.says(f":irc.test 354 me {theirs}", ":irc.test 315 me #ops :End")
        assert talk.seen(client)[0] == f":irc.test 354 me {told}"


def test_whois_without_multi_prefix_has_the_highest_of_each_channel() -> None:
    """Of names that a prefix could begin, too: `+`, `!` and `&` begin channels as well."""
    talk = Dialogue()
    talk.connect("multi-prefix", "CHANTYPES=#&+! PREFIX=(yqaohv)!~&@%+")
    channels = "#plain @#one @%+#three +modeless @+modeless &local !ABCDEsafe &@&local "
    highest = "#plain @#one @#three +modeless @+modeless &local !ABCDEsafe &&local "
    for client, caps, told in ((1, (), highest), (2, {"multi-prefix"}, channels)):
        talk.attach(client, caps)
        talk.types(client, "WHOIS bob")
        talk.says(f":irc.test 319 me bob :{channels}", ":irc.test 318 me bob :End")
        assert talk.seen(client)[0] == f":irc.test 319 me bob :{told}"


@pytest.mark.parametrize("line", ["PRIVMSG #ops hi", "@+typing=active TAGMSG #ops"])
def test_what_one_says_has_ones_account_where_the_network_does_not_echo_it(line: str) -> None:
    """account-tag: "The tag MUST be added by the ircd to all commands sent by a user (e.g. PRIVMSG,
    MODE, NOTICE, and all others).\""""
    talk = here("account-tag message-tags")
    for client in (1, 2):
        talk.attach(client, {"account-tag", "message-tags", "echo-message"})
    for account in ("alice", None):
        if account:
            talk.says(":irc.test 900 me me!user@host alice :You are now logged in as alice")
        else:
            talk.says(":irc.test 901 me me!user@host :You are now logged out")
        talk.types(1, line)
        for client in (1, 2):
            assert Message.parse(talk.seen(client)[-1]).tags.get("account") == account
