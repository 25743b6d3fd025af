"""Networks that do not do what all others do."""

from __future__ import annotations

import pytest

from bouncer.irc.wire import Message
from bouncer.session.events import Tick
from bouncer.session.session import GREETED_MS, TICK_MS
from tests.bouncer.session.dialogue import MODERN, Dialogue


def test_a_greeting_without_an_end_is_over_when_the_network_falls_silent() -> None:
    """RFC 2812 section 5.1: "The server sends Replies 001 to 004 to a user upon successful
    registration." Of a MOTD it says nothing, and some gateways have none, nor 422."""
    talk = Dialogue()
    talk.greeted()
    talk.attach(1, MODERN)
    talk.heard()
    talk.passes(GREETED_MS - TICK_MS)
    talk.says(":irc.test 251 me :There are 3 users")
    talk.passes(GREETED_MS - TICK_MS)
    assert not talk.session.ready
    talk.event(Tick())
    assert "JOIN #ops" in talk.heard()
    talk.joined("#ops")
    talk.says(":bob!b@h PRIVMSG #ops :hello")
    assert [row.text for row in talk.kept] == ["hello"]
    assert any("JOIN #ops" in line for line in talk.seen(1))
    talk.says(":irc.test 376 me :late")
    assert "JOIN #ops" not in talk.heard(), "once"


def test_that_who_is_invited_is_away_is_told_to_who_invites() -> None:
    talk = Dialogue()
    talk.connect()
    for client in (1, 2, 3):
        talk.attach(client, ())
    talk.types(1, "PRIVMSG bob :hi")
    talk.types(2, "INVITE zed #ops")
    talk.says(
        ":irc.test 301 me bob :lunch", ":irc.test 341 me zed #ops", ":irc.test 301 me zed :gone"
    )
    assert [line.split()[1:4] for line in talk.seen(1)] == [["301", "me", "bob"]]
    assert [line.split()[1] for line in talk.seen(2)] == ["341", "301"]
    assert talk.seen(3) == []


def test_where_one_is_invited_to_is_listed_to_who_asks() -> None:
    """modern.ircdocs.horse, INVITE: "Servers MAY allow the INVITE with no parameter, and reply with
    a list of channels the sender is invited to as RPL_INVITELIST (336) numerics, ending with a
    RPL_ENDOFINVITELIST (337) numeric." """
    talk = Dialogue()
    talk.connect()
    talk.attach(1, ())
    talk.attach(2, ())
    talk.types(1, "INVITE")
    assert talk.heard() == ["INVITE"]
    talk.says(":irc.test 336 me #here", ":irc.test 337 me :End of /INVITE list")
    assert [Message.parse(line).command for line in talk.seen(1)] == ["336", "337"]
    assert talk.seen(2) == []


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("PART #q", "442 me #q :You're not on that channel"),
        ("MODE #q +b", "442 me #q :You're not on that channel"),
        ("KNOCK #q", "480 me #q :Cannot knock"),
        ("JOIN #q", "439 me #q :Too many joins"),  # UnrealIRCd: of a message elsewhere
        ("CPRIVMSG bob #q :x", "482 me #q :You're not a channel operator"),  # ircu
        ("SQUERY s :t", "408 me s :No such service"),  # irc2
        ("RULES", "232 me :- be kind"),  # UnrealIRCd
        ("ETRACE", "262 me irc.test :End"),  # solanum
        ("WHOIS far.test bob", "402 me far.test :No such server"),
        ("PRIVMSG *.de :x", "413 me *.de :No toplevel domain specified"),
    ],
)
@pytest.mark.parametrize("label", ["", "@label=l "])
def test_a_reply_is_for_who_asked_also_where_it_mostly_answers_something_else(
    command: str, reply: str, label: str
) -> None:
    talk = Dialogue()
    talk.connect()
    talk.attach(1, MODERN | {"labeled-response"})
    talk.attach(2, ())
    talk.types(1, f"{label}{command}")
    talk.says(f":irc.test {reply}")
    for line in talk.heard():
        if line.startswith("PING "):
            talk.says(f":irc.test PONG irc.test {line.removeprefix('PING ')}")
    seen = [Message.parse(line) for line in talk.seen(1)]
    (told,) = [m for m in seen if m.command.isdigit()]
    assert told.command == reply[:3]
    if label and not command.startswith("PRIVMSG"):  # whose answer is its echo
        assert [m.tags.get("label") for m in seen] == ["l"]
    assert not [line for line in talk.seen(2) if reply[:3] in line]


def test_a_prefix_that_only_this_network_has_is_one_for_clients_too() -> None:
    """modern.ircdocs.horse, PREFIX: "The prefixes in this parameter are in descending order, from
    the prefix that gives the most privileges to the prefix that gives the least." """
    talk = Dialogue()
    talk.connect(isupport="CHANTYPES=# PREFIX=(fov)^@+")
    talk.attach(1, ())
    talk.attach(2, {"multi-prefix", "userhost-in-names"})
    names = ":irc.test 353 me = #ops :^@me ^bob!b@h @+zed"
    who = ":irc.test 352 me #ops u h irc.test me H^@ :0 Me"
    talk.says(names, who)
    assert talk.seen(1) == [
        ":irc.test 353 me = #ops :^me ^bob @zed",
        ":irc.test 352 me #ops u h irc.test me H^ :0 Me",
    ]
    assert talk.seen(2) == [names, who]
