"""Answers of networks as they are in use: each is for who asked, and what we know we answer.

The numerics are those that solanum, InspIRCd, UnrealIRCd and ircu send.
"""

from __future__ import annotations

import pytest

from bouncer.irc.wire import Message
from bouncer.session.answers import Answer
from bouncer.session.effects import Effects, RememberChannel
from bouncer.session.events import Lost
from storage.records import Network
from tests.bouncer.session.dialogue import Dialogue
from tests.bouncer.session.test_labels import LABELS


def two(caps: str = "") -> Dialogue:
    """Two clients that have negotiated nothing."""
    talk = Dialogue()
    talk.connect(caps)
    talk.attach(1, caps=())
    talk.attach(2, caps=())
    talk.heard()
    return talk


ANSWERS = {
    "LUSERS": ["251 me :There are 5 users", "252 me 1 :operators", "254 me 3 :channels",
               "255 me :I have 5 clients", "265 me 5 9 :local", "266 me 5 9 :global",
               "250 me :Highest connection count"],
    "WHOIS bob": ["311 me bob b h * :Bob", "344 me bob NL :is connecting from the Netherlands",
                  "309 me bob :is a helper", "999 me bob :has something new", "318 me bob :End"],
    "WHOWAS bob": ["314 me bob b h * :Bob", "998 me bob :had something new", "369 me bob :End"],
    "STATS u": ["242 me :Server Up 3 days", "250 me :Highest", "219 me u :End of STATS"],
    "STATS k": ["225 me d h * :banned", "223 me z h :banned", "219 me k :End of STATS"],
    "MODE #ops +o carol": ["441 me carol #ops :They are not on that channel"],
    "MODE #ops +k": ["525 me #ops :Key is not well-formed"],
    "MODE #ops +b x": ["697 me #ops x b :is set already"],
    "MODE #ops +q x": ["499 me #ops :You are not the owner"],
    "HELPOP": ["290 me :Help", "292 me :more", "294 me :End of HELPOP"],
    "NICK other": ["435 me other #ops :Cannot change nickname while banned on channel"],
    "LIST": ["321 me Channel :Users", "322 me #a 5 :topic", "323 me :End of LIST"],
}  # fmt: skip


@pytest.mark.parametrize("asked", ANSWERS)
def test_the_whole_answer_is_for_who_asked(asked: str) -> None:
    talk = two()
    talk.types(2, asked)
    told = [f":irc.test {line}" for line in ANSWERS[asked]]
    talk.says(*told)
    assert talk.seen(1) == []
    assert [Message.parse(line) for line in talk.seen(2)] == [Message.parse(line) for line in told]


def test_what_nobody_asked_is_for_everybody() -> None:
    talk = two()
    talk.says(":irc.test 999 me bob :has something new", ":irc.test 441 me carol #ops :not there")
    assert len(talk.seen(1)) == len(talk.seen(2)) == 2


@pytest.mark.parametrize("caps", ["", "batch labeled-response"])
def test_an_answer_may_take_as_long_as_it_goes_on(caps: str) -> None:
    """A list of all channels of a large network comes in parts, as fast as it is read."""
    talk = two(caps)
    talk.types(2, "LIST")
    tags, inner = "", ""
    if caps:
        (asked,) = talk.heard()
        tags, inner = f"@{asked.split(' ')[0][1:]} ", "@batch=x "
        talk.says(f"{tags}:irc.test BATCH +x labeled-response")
    for n in range(5):
        talk.passes(40_000)
        talk.says(f"{inner}:irc.test 322 me #c{n} 1 :", ":irc.test PONG irc.test muster")
    assert talk.seen(1) == []
    assert len(talk.seen(2)) == 5


# --- modes ---


def test_modes_that_are_known_are_told_without_the_network() -> None:
    """Clients ask for them when they enter, each for each channel."""
    talk = two()
    talk.types(1, "MODE #ops", "MODE me")
    assert talk.heard() == ["MODE #ops", "MODE me"]
    told = [":irc.test 324 me #ops +lnk 5 key", ":irc.test 329 me #ops 1700000000"]
    talk.says(*told, ":irc.test 221 me +i", ":bob!b@h MODE #ops -l+m")
    talk.types(2, "MODE #OPS", "MODE me", "MODE #ops b")
    assert talk.heard() == ["MODE #ops b"]
    assert talk.seen(2)[-3:] == [
        ":muster.test 324 me #ops +nkm key",
        ":muster.test 329 me #ops 1700000000",
        ":muster.test 221 me +i",
    ]


def test_modes_are_asked_for_where_the_channel_was_entered_anew() -> None:
    talk = two()
    talk.says(":irc.test 324 me #ops +n")
    talk.says(":me!user@host PART #ops")
    talk.joined("#ops")
    talk.types(1, "MODE #ops", "MODE #elsewhere")
    assert talk.heard() == ["MODE #ops", "MODE #elsewhere"]


# --- where the network puts us ---


def test_a_channel_that_we_were_put_in_before_the_greeting_ended_is_shown() -> None:
    talk = Dialogue([])
    talk.connect()
    talk.attach(1, caps=())
    talk.greeted()
    talk.joined("#lobby")
    talk.seen(1)
    talk.says(":irc.test 376 me :End of MOTD")
    seen = [line.split(" ", 2)[1:] for line in talk.seen(1)]
    assert ["JOIN", "#lobby"] in seen
    assert any(command == "353" for command, _ in seen)


# --- where no network is ---


@pytest.mark.parametrize("network", [Dialogue([]).network, Network(1, "", "")])
@pytest.mark.parametrize("caps", [(), ("labeled-response", "batch")])
def test_what_clients_ask_by_themselves_is_answered(
    network: Network, caps: tuple[str, ...]
) -> None:
    """mIRC and HexChat ask ISON and WHO every minute, and USERHOST at a start: an excuse to their
    user for each of these would never end."""
    talk = Dialogue([], network)
    talk.attach(1, caps)
    label = "@label=x " if caps else ""
    asked = ("ISON bob carol", "WHO #ops", "WHO #ops %tcn,1", "USERHOST me")
    talk.types(1, *(label + line for line in asked))
    assert [line.removeprefix(label) for line in talk.seen(1)] == [
        ":muster.test 303 me :",
        ":muster.test 315 me #ops :End of WHO list",
        ":muster.test 315 me #ops :End of WHO list",
        ":muster.test 302 me :",
    ]
    assert talk.heard() == []


def test_what_mirc_asks_of_the_protocol_is_between_it_and_us() -> None:
    """NAMESX and UHNAMES in 005 make clients say PROTOCTL, which would count for all of us."""
    talk = two()
    talk.types(1, "PROTOCTL NAMESX UHNAMES")
    assert talk.heard() == talk.seen(1) == []
    talk.event(Lost("gone"))
    talk.seen(1)
    talk.types(1, "PROTOCTL NAMESX")
    assert talk.seen(1) == []


@pytest.mark.parametrize("caps", ["setname", "setname batch labeled-response"])
def test_a_realname_that_the_network_refuses_is_refused_to_who_wanted_it(caps: str) -> None:
    """setname: "The server MUST use the FAIL spec to notify the client of failed SETNAME
    commands." """
    talk = Dialogue()
    talk.connect(caps)
    for client in (1, 2):
        talk.attach(client, {"setname", "labeled-response", "batch"})
    talk.heard()
    talk.types(2, "@label=x SETNAME :too long a name")
    asked, *fence = talk.heard()
    tags = asked.partition(" ")[0] + " " if asked[:1] == "@" else ""
    talk.says(f"{tags}:irc.test FAIL SETNAME INVALID_REALNAME :Realname is not valid")
    talk.says(*(f":irc.test PONG irc.test {line.split(' ')[1]}" for line in fence))
    assert talk.seen(1) == []
    (line,) = talk.seen(2)
    assert line.startswith("@label=x")
    assert "FAIL SETNAME INVALID_REALNAME" in line


def test_a_key_that_was_never_answered_is_not_kept_for_another_connection() -> None:
    talk = Dialogue([])
    talk.connect()
    talk.attach(1, caps=())
    talk.types(1, "JOIN #vault wrong")
    assert talk.heard() == ["JOIN #vault wrong"]
    talk.event(Lost("gone"))
    talk.connect()
    talk.others.clear()
    talk.joined("#vault")
    assert RememberChannel("#vault", "") in talk.others


@pytest.mark.parametrize(
    ("asked", "changed", "heard"),
    [
        ("MODE #ops", "MODE #ops +v bob", ":me!user@host MODE #ops +v bob"),
        ("MODE #ops b", "MODE #ops +b x!*@*", ":me!user@host MODE #ops +b x!*@*"),
        ("TOPIC #ops", "TOPIC #ops :new", ":me!user@host TOPIC #ops :new"),
    ],
)
def test_a_change_is_no_answer_to_who_asks_how_it_stands(
    asked: str, changed: str, heard: str
) -> None:
    """What people do goes before what their clients ask: it is answered first, too."""
    talk = Dialogue()
    talk.connect()
    for client in (1, 2):
        talk.attach(client, LABELS)
    talk.types(1, f"@label=q {asked}")
    talk.types(2, f"@label=c {changed}")
    pings = [line.split()[1] for line in talk.heard() if line.startswith("PING")]
    talk.says(heard, f":irc.test PONG irc.test {pings[-1]}")
    (change,), (seen,) = talk.seen(2), talk.seen(1)
    assert change.startswith("@label=c;")
    assert (heard in change, heard in seen, "label" in seen) == (True, True, False)
    numeric = {"MODE #ops": "324", "MODE #ops b": "368"}.get(asked, "331")
    talk.says(f":irc.test {numeric} me #ops x", f":irc.test PONG irc.test {pings[0]}")
    (answer,) = talk.seen(1)
    assert answer == f"@label=q :irc.test {numeric} me #ops x"


def test_what_comes_after_the_end_of_an_answer_is_told_without_its_label() -> None:
    """ "Servers MUST include the tag in exactly one logical message": labeled-response."""
    out = Effects()
    answer = Answer(1, "x", "m1", "muster.test")
    answer.begin([], out)
    answer.close(out)
    answer.say(":irc.test NOTICE me :late", out)
    assert out.take(1) == ["@label=x :muster.test ACK", ":irc.test NOTICE me :late"]
