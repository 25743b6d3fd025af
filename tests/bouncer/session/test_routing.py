"""Whom a reply of the network is for, and what is answered here because no network can."""

from __future__ import annotations

import pytest

from bouncer.session.effects import ForgetChannel, RememberChannel
from bouncer.session.events import Tick
from bouncer.session.routing import PATIENCE_MS
from tests.bouncer.session.dialogue import Dialogue, texts


def test_replies_go_to_the_client_that_asked() -> None:
    talk = Dialogue()
    talk.connect()
    talk.attach(1, caps=())
    talk.attach(2, caps=())
    talk.types(1, "WHOIS bob")
    talk.types(2, "LIST")
    talk.says(
        ":irc.test 311 me bob b h * :Bob",
        ":irc.test 318 me bob :End of WHOIS",
        ":irc.test 322 me #ops 2 :topic",
        ":irc.test 323 me :End of LIST",
    )
    assert [line.split()[1] for line in talk.seen(1)] == ["311", "318"]
    assert [line.split()[1] for line in talk.seen(2)] == ["322", "323"]


@pytest.mark.parametrize(
    ("silent", "asked", "reply"),
    [
        ("MODE me +i", "MODE #ops", "324 me #ops +nt"),
        ("MODE #ops +o bob", "MODE #ops", "324 me #ops +nt"),
        ("MODE #ops +o bob", "MODE me", "221 me +i"),
        ("MODE #other +o bob", "MODE #ops b", "368 me #ops :End of ban list"),
        ("TOPIC #ops :as it was", "TOPIC #ops", "332 me #ops :as it was"),
        ("WHOIS ghost", "WHOIS bob", "318 me bob :End of WHOIS"),
    ],
)
def test_what_has_no_answer_takes_none_from_who_asks_next(
    silent: str, asked: str, reply: str
) -> None:
    talk = Dialogue()
    talk.connect()
    talk.attach(1, caps=())
    talk.types(1, silent)
    talk.leaves(1)
    talk.attach(2, caps=())
    talk.types(2, asked)
    talk.says(f":irc.test {reply}")
    assert talk.seen(2) == [f":irc.test {reply}"]


def test_all_that_is_asked_of_as_many_channels_as_networks_allow_is_remembered() -> None:
    """irssi asks how each stands, who is there, and who is banned; Libera.Chat allows 250."""
    asked = [
        f"{question}{number}{rest}"
        for number in range(250)
        for question, rest in (("MODE #c", ""), ("WHO #c", ""), ("MODE #c", " b"))
    ]
    talk = Dialogue()
    talk.connect()
    talk.attach(1, ())
    talk.attach(2, ())
    talk.types(1, *asked)
    for number in range(250):
        talk.says(
            f":irc.test 324 me #c{number} +nt",
            f":irc.test 352 me #c{number} u h irc.test bob H :0 Bob",
            f":irc.test 315 me #c{number} :The end",
            f":irc.test 368 me #c{number} :The end",
        )
    assert len(talk.seen(1)) == 1_000
    assert talk.seen(2) == []


@pytest.mark.parametrize("label", ["", "@label=l "])
@pytest.mark.parametrize(
    ("asked", "targmax", "answers"),
    [
        ("NAMES #x,#Y", "", ["366 me #x", "366 me #y"]),
        ("WHOIS bob,zed", "", ["311 me bob b h *", "318 me bob", "401 me zed", "318 me zed"]),
        ("WHOIS bob,zed", "", ["311 me bob b h *", "401 me zed", "318 me bob,zed"]),  # irc2
        ("NAMES #x,#y", " TARGMAX=NAMES:1", ["366 me #x"]),  # solanum
        ("PART #x,#y", "", ["442 me #x", "442 me #y"]),
    ],
)
def test_an_answer_about_several_ends_with_the_last_of_them(
    label: str, asked: str, targmax: str, answers: list[str]
) -> None:
    talk = Dialogue()
    talk.connect(isupport=f"CHANTYPES=#{targmax}")
    talk.attach(1, {"labeled-response", "batch"} if label else ())
    talk.attach(2, ())
    talk.types(1, f"{label}{asked}")
    pings = [line.split()[1] for line in talk.heard() if line.startswith("PING")]
    talk.says(*(f":irc.test {line} :the end" for line in answers))
    talk.says(*(f":irc.test PONG irc.test {token}" for token in pings))
    seen = [line for line in talk.seen(1) if " BATCH " not in line]
    assert [line.split(":irc.test ")[1] for line in seen] == [f"{a} :the end" for a in answers]
    assert talk.seen(2) == []
    assert not talk.session.routing._open


def test_who_asks_more_than_may_be_sent_at_once_hears_all_answers_alone() -> None:
    """A client that enters 60 channels asks of each of them; a network takes a line in 2 s."""
    channels = [f"#c{number}" for number in range(60)]
    talk = Dialogue(channels)
    talk.connect()
    talk.attach(1, ())
    talk.attach(2, ())
    talk.types(1, *(f"WHO {name}" for name in channels))
    for name in channels:
        for _ in range(2):
            talk.now_ms += 1_000
            talk.event(Tick(waiting=name != channels[-1]))
        talk.says(f":irc.test 352 me {name} u h irc.test bob H :0 Bob")
        talk.says(f":irc.test 315 me {name} :The end")
    assert len(talk.seen(1)) == 120
    assert talk.seen(2) == []
    talk.types(1, "WHO #c1")
    talk.now_ms += PATIENCE_MS + 1
    talk.event(Tick())
    talk.says(":irc.test 315 me #c1 :The end")
    assert talk.seen(2) == [":irc.test 315 me #c1 :The end"], "nobody waits for ever"


@pytest.mark.parametrize("numeric", ["401", "404", "408", "439", "440", "486", "492", "494"])
def test_an_error_about_a_message_goes_to_who_said_it(numeric: str) -> None:
    """401 and 404 of all servers; 408 of bahamut: no colours; 439 of ircu and UnrealIRCd: too many
    at once; 440: services are down; 486: registered nicks alone; 492 of InspIRCd: no CTCP; 494 of
    solanum: the answer could not be heard."""
    talk = Dialogue()
    talk.connect()
    talk.attach(1, caps=())
    talk.attach(2, caps=())
    talk.types(1, "WHOIS bob", "FROB other")
    talk.types(2, "PRIVMSG ghost :boo")
    talk.says(f":irc.test {numeric} me ghost :Not sent")
    assert talk.seen(1) == []
    assert talk.seen(2) == [f":irc.test {numeric} me ghost :Not sent"]


# What old servers answer, as it came from them.
ANSWERS = {
    "ircd-hybrid 8.2.43": [
        ("KICK #ops nobodyhere", [":hy1 401 me nobodyhere :No such nick/channel"]),
        ("MODE #ops +zZ", [":hy1 468 me #ops :Only servers can change that mode"]),
        ("KILL carol :x", [":hy1 481 me :Permission denied - You are not an IRC operator"]),
        ("REHASH", [":hy1 481 me :Permission denied - You are not an IRC operator"]),
        ("JOIN badname", [":hy1 479 me badname :Illegal channel name"]),
        ("AWAY :x", [":hy1 429 me :Too many aways - Flood protection activated"]),
        ("LIST", [":hy1 498 me :Not now"]),  # of no row, and nothing else ends this answer
        ("ACCEPT *", [":hy1 281 me bob", ":hy1 282 me :End of /ACCEPT list."]),
        (
            "LUSERS",
            [
                ":hy1 251 me :There are 0 users and 7 invisible on 2 servers",
                ":hy1 254 me 3 :channels formed",
                ":hy1 255 me :I have 5 clients and 1 servers",
                ":hy1 265 me :Current local users: 5  Max: 5",
                ":hy1 266 me :Current global users: 7  Max: 7",
                ":hy1 250 me :Highest connection count: 6 (5 clients) (16 connections received)",
            ],
        ),
    ],
    "u2.10.12.10": [
        ("MODE #ops +vv nobody noone", [
            ":iu1 401 me nobody :No such nick",
            ":iu1 401 me noone :No such nick",
        ]),
        ("TIME no.such.server", [":iu1 481 me :Permission Denied: Insufficient privileges"]),
        ("SILENCE", [":iu1 272 me me :End of Silence List"]),
    ],
    "irc2.11.2p3": [
        ("USERS", [":ir1 265 me 3 6 :Current local users 3, max 6"]),
        ("SUMMON x", [":ir1 445 me :SUMMON has been disabled"]),
        ("SERVLIST", [":ir1 235 me * * :End of service listing"]),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("command", "answer"),
    [each for answers in ANSWERS.values() for each in answers],
    ids=[f"{kind}: {command}" for kind, answers in ANSWERS.items() for command, _ in answers],
)
def test_answers_of_old_servers_go_to_the_client_that_asked(
    command: str, answer: list[str]
) -> None:
    talk = Dialogue()
    talk.connect()
    talk.attach(1, caps=())
    talk.attach(2, caps=())
    talk.attach(3, {"labeled-response", "batch"})
    talk.types(1, "MODE #dev -b nobody!*@*")  # has no answer where nothing is changed
    talk.types(2, command)
    talk.says(*answer)
    assert talk.seen(2) == answer
    talk.passes(61_000)  # what has no end is over by then
    talk.heard()
    talk.types(3, f"@label=x {command}")
    ping = [line.split(" ")[1] for line in talk.heard() if line.startswith("PING muster-end")]
    talk.says(*answer, *(f":irc.test PONG irc.test {token}" for token in ping))
    told = [line for line in talk.seen(3) if not line.startswith(":BouncerServ")]
    assert told[0].startswith("@label=x ")
    assert [line.partition(" ")[2] for line in told if "BATCH" not in line] == answer
    assert talk.seen(1) == talk.seen(2) == []


def test_what_nobody_asked_for_goes_to_everybody_whatever_is_open() -> None:
    """irc2: a nick collision, and a channel entered by ourselves."""
    talk = Dialogue([])
    talk.connect()
    talk.attach(1, caps=())
    talk.attach(2, caps=())
    talk.types(1, "WALLOPS :has no answer where it is let")
    unasked = [
        ":ir1 043 me 000AAAAAD :nickname collision, forcing nick change to your unique ID.",
        ":ir1 353 me = #x :me",
        ":ir1 366 me #x :End of NAMES list.",
    ]
    talk.says(*unasked)
    assert talk.seen(1) == talk.seen(2) == unasked


@pytest.mark.parametrize("nick", [":", ":a b", "1st", "#ops", "a!b"])
def test_what_is_no_nick_is_not_wanted_where_the_network_cannot_refuse_it(nick: str) -> None:
    talk = Dialogue()
    talk.attach(1, caps=())
    talk.types(1, f"NICK {nick}")
    assert talk.seen(1) == [":muster.test 432 me * :Erroneous nickname"]
    assert talk.session.network.nick == "me"
    assert talk.others == []


def test_what_is_no_channel_is_not_remembered_where_the_network_cannot_refuse_it() -> None:
    talk = Dialogue()
    talk.attach(1, caps=())
    talk.types(1, "JOIN bob", "JOIN :#a b,#c")
    said = talk.seen(1)
    assert said[:2] == [
        ":muster.test 403 me bob :No such channel",
        ":muster.test 403 me #a_b :No such channel",
    ]
    assert [each.name for each in talk.others if isinstance(each, RememberChannel)] == ["#c"]


def test_a_channel_that_is_left_is_forgotten_as_it_was_kept() -> None:
    """The store folds ASCII alone; most networks have {}| as the small letters of []\\."""
    talk = Dialogue(["#a[1]"])
    talk.connect()
    talk.attach(1)
    talk.types(1, "PART #A{1}")
    assert [each.name for each in talk.others if isinstance(each, ForgetChannel)] == ["#a[1]"]


def test_that_somebody_types_to_the_service_is_for_nobody() -> None:
    talk = Dialogue()
    talk.connect(caps="message-tags")
    talk.attach(1)
    talk.types(1, "@+typing=active TAGMSG BouncerServ", "@+typing=active TAGMSG bob")
    assert talk.heard() == ["@+typing=active TAGMSG bob"]


def test_a_client_need_not_know_the_key_that_we_know() -> None:
    talk = Dialogue([])
    talk.connect()
    talk.attach(1, caps=())
    talk.types(1, "JOIN #vault secret")
    talk.joined("#vault")
    talk.says(":bob!b@h KICK #vault me :out")
    talk.heard()
    talk.types(1, "JOIN #vault")
    assert talk.heard() == ["JOIN #vault secret"]


@pytest.mark.parametrize(("said", "heard"), [
    ("\x0304red\x03 and \x02bold\x02", "red and bold"),  # a channel without colours, as +c makes it
    ("a long text that is cut", "a long text th"),
    ("дом", "до\ufffd"),
])  # fmt: skip
def test_an_echo_that_was_changed_on_the_way_is_still_known(said: str, heard: str) -> None:
    """echo-message: "If servers apply any modifications to these messages, they MUST send the final
    version of the message back to the originating client." """
    talk = Dialogue()
    talk.connect("echo-message")
    talk.attach(1, caps=())
    talk.attach(2, caps=())
    talk.types(1, f"PRIVMSG #ops :{said}")
    talk.says(f":me!user@host PRIVMSG #ops :{heard}")
    assert texts(talk.seen(1)) == [], "it has no echo-message and shows what it says itself"
    assert texts(talk.seen(2)) == [heard]
    talk.says(f":me!user@host PRIVMSG #ops :{said}")
    assert texts(talk.seen(1)) == [said], "said elsewhere, for the echo has come"


def test_that_somebody_else_is_away_is_no_part_of_a_whois() -> None:
    """RFC 2812: 301 is "used with the AWAY command", and "sent to any client sending a PRIVMSG to a
    client which is away"."""
    talk = Dialogue()
    talk.connect()
    for client in (1, 2):
        talk.attach(client, ())
    talk.types(1, "PRIVMSG carol :here?")
    talk.types(2, "WHOIS bob", "WHOIS d*", "WHOIS irc.test erin")
    away = [f":irc.test 301 me {nick} :Out to lunch" for nick in ("carol", "bob", "dave", "erin")]
    talk.says(away[0], away[1], ":irc.test 318 me bob :End")
    assert talk.seen(1) == [away[0]]
    talk.says(away[2], ":irc.test 318 me d* :End", away[3])
    assert [line for line in talk.seen(2) if " 301 " in line] == away[1:]
    assert talk.seen(1) == []


@pytest.mark.parametrize(
    ("theirs", "mine", "error"),
    [
        ("MODE #ops +n", "MODE #ops +z", ":irc.test 472 me z :is unknown mode char to me"),
        ("MODE #ops +n", "KICK #ops nobody", ":irc.test 441 me nobody #ops :They aren't there"),
        ("MODE #ops +v bob", "MODE #ops +o carol", ":irc.test 441 me carol #ops :Not on channel"),
    ],
)
def test_an_error_is_for_who_has_named_all_that_it_names(
    theirs: str, mine: str, error: str
) -> None:
    """A MODE that changes nothing has no answer, and stays open before those that have one."""
    talk = Dialogue()
    talk.connect()
    for client in (1, 2):
        talk.attach(client, ())
    talk.types(1, theirs)
    talk.types(2, mine)
    talk.says(error)
    assert (talk.seen(1), talk.seen(2)) == ([], [error])


@pytest.mark.parametrize(
    ("letter", "end"), [("b", "368"), ("+b", "368"), ("I", "347"), ("e", "349"), ("q", "729")]
)
def test_a_list_is_for_who_has_asked_for_it(letter: str, end: str) -> None:
    talk = Dialogue()
    talk.connect()
    for client in (1, 2):
        talk.attach(client, ())
    talk.types(1, "MODE #ops +n", "MODE #ops +biqe x!*@*")  # they are set, and nothing comes of it
    talk.types(2, f"MODE #ops {letter}")
    talk.says(f":irc.test {end} me #ops :End of list")
    assert (len(talk.seen(1)), len(talk.seen(2))) == (0, 1)


def test_what_has_happened_to_one_of_several_leaves_the_others_to_be_answered() -> None:
    talk = Dialogue()
    talk.connect()
    for client in (1, 2):
        talk.attach(client, ())
    talk.types(1, "PART #ops,#elsewhere")
    talk.types(2, "INVITE bob #ops")
    refused = ":irc.test 442 me #elsewhere :You're not on that channel"
    talk.says(":me!user@host PART #ops", refused, refused.replace("#elsewhere", "#ops"))
    assert (len(talk.seen(1)), len(talk.seen(2))) == (2, 2)
