"""Being in the wanted channels: after the login, under the rate limit, again after refusals."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bouncer.irc.known import MAX_CHANNELS
from bouncer.session.effects import ForgetChannel, RememberChannel
from bouncer.session.events import ChannelsWanted, Connected, Lost, Tick
from bouncer.session.places import ANSWER_MS, CHECK_MS, LONGEST_MS, REFUSED_MS
from bouncer.session.services import LONGEST_HOLD_MS
from storage.records import Network
from tests.bouncer.session.dialogue import Dialogue, texts

NET = Network(1, "net", "irc+insecure://irc.test", id=1, nick="me")
REFUSED = ":irc.test 477 me #ops :Cannot join channel (+r) - you need to be identified"


def welcome(talk: Dialogue, isupport: str = "CHANTYPES=#") -> list[str]:
    """Register and enter nothing; what the network has heard since."""
    talk.event(Connected(tls=False))
    talk.says(":irc.test CAP * LS :")
    talk.heard()
    talk.says(
        ":irc.test 001 me :Welcome me!user@host",
        f":irc.test 005 me {isupport} :are supported by this server",
        ":irc.test 422 me :no MOTD",
    )
    return talk.heard()


def pass_time(talk: Dialogue, ms: int) -> list[str]:
    """Let time pass second by second, the network answering PINGs; what it has heard."""
    heard: list[str] = []
    for _ in range(max(1, ms // 1_000)):
        talk.now_ms += min(ms, 1_000)
        talk.event(Tick())
        talk.says(":irc.test PONG irc.test muster")
        heard += [line for line in talk.heard() if not line.startswith("PING")]
    return heard


def test_joins_wait_for_the_login_to_services() -> None:
    """Joined before it is identified, a host is shown that a cloak would hide (irssi#595)."""
    talk = Dialogue(["#ops"], replace(NET, sasl_login="alice", sasl_password="hunter2"))
    assert welcome(talk) == ["PRIVMSG NickServ :IDENTIFY alice hunter2"]
    assert pass_time(talk, 3_000) == []
    talk.says(":irc.test 900 me me!user@host alice :You are now logged in as alice")
    assert talk.heard() == ["JOIN #ops"]


def test_joins_wait_no_longer_than_a_bounded_delay() -> None:
    talk = Dialogue(["#ops"], replace(NET, sasl_password="hunter2"))
    welcome(talk)
    assert pass_time(talk, LONGEST_HOLD_MS - 2_000) == []
    assert pass_time(talk, 3_000) == ["JOIN #ops"]


def test_a_login_that_fails_holds_nothing_up() -> None:
    talk = Dialogue(["#ops"], replace(NET, sasl_password="hunter2"))
    welcome(talk)
    talk.says(":NickServ!n@services NOTICE me :Invalid password for me.")
    assert talk.heard() == ["JOIN #ops"]


def test_joins_also_wait_for_a_login_among_the_connect_commands() -> None:
    net = replace(NET, connect_commands=("MODE me +x", "PRIVMSG NickServ :IDENTIFY hunter2"))
    talk = Dialogue(["#ops"], net)
    assert welcome(talk) == ["MODE me +x", "PRIVMSG NickServ :IDENTIFY hunter2"]
    talk.says(":services MODE me :+r")
    assert talk.heard() == ["JOIN #ops"]


def test_many_channels_are_joined_in_few_lines() -> None:
    talk = Dialogue([f"#channel-{number:03}" for number in range(100)], NET)
    joins = welcome(talk)
    assert len(joins) < 5
    assert all(len(line) <= 510 for line in joins)
    assert sum(line.count("#") for line in joins) == 100


def test_a_refused_join_is_told_once_and_tried_again_with_growing_delays() -> None:
    talk = Dialogue(["#ops"], NET)
    welcome(talk)
    talk.attach(1, caps=())
    talk.says(REFUSED)
    assert texts(talk.seen(1)) == [
        "#ops cannot be joined: Cannot join channel (+r) - you need to be identified; "
        "tried again in 2 min"
    ]
    at: list[int] = []
    begun = talk.now_ms
    for _ in range(4 * 3600):
        if pass_time(talk, 1_000) == ["JOIN #ops"]:
            at.append(talk.now_ms - begun)
            talk.says(REFUSED)
    gaps = [later - earlier for earlier, later in zip([0, *at], at, strict=False)]
    assert abs(gaps[0] - REFUSED_MS) <= 2 * CHECK_MS
    assert gaps == sorted(gaps)
    assert abs(gaps[-1] - LONGEST_MS) <= 2 * CHECK_MS  # and never given up
    assert texts(talk.seen(1)) == []
    talk.says(":me!user@host JOIN #ops")
    assert pass_time(talk, 2 * LONGEST_MS) == []


@pytest.mark.parametrize("numeric", ["495", "500", "519", "926"])
def test_refusals_that_one_server_alone_has_are_told_in_the_same_way(numeric: str) -> None:
    """InspIRCd: 495 (+J), 926 (CBAN); UnrealIRCd: 500 (+j), 519 (+A)."""
    talk = Dialogue(["#ops"], NET)
    welcome(talk)
    talk.attach(1, caps=())
    talk.types(1, "WHOIS bob")
    talk.says(f":irc.test {numeric} me #ops :Not now")
    assert texts(talk.seen(1)) == ["#ops cannot be joined: Not now; tried again in 2 min"]


def test_a_login_opens_what_was_closed_to_strangers() -> None:
    talk = Dialogue(["#ops"], NET)
    welcome(talk)
    talk.says(REFUSED)
    talk.says(":irc.test 900 me me!user@host alice :You are now logged in as alice")
    assert talk.heard() == ["JOIN #ops"]


def test_a_kick_and_a_split_are_got_over() -> None:
    """After a split or a kick a bouncer that only remembers stays outside in silence
    (sopel#1335)."""
    talk = Dialogue(["#ops", "#other"], NET)
    talk.connect()
    talk.says(":bob!b@h KICK #ops me :out")
    assert pass_time(talk, ANSWER_MS - 5_000) == []
    assert pass_time(talk, 15_000) == ["JOIN #ops"]


@pytest.mark.parametrize(
    ("modes", "key"),
    [("+k new", "new"), ("-k *", ""), ("+ok-l bob new", "new"), ("+k *", "old"), ("+o bob", "old")],
)
def test_a_key_that_is_changed_while_we_are_there_is_the_one_to_come_back_with(
    modes: str, key: str
) -> None:
    """RFC 2811 section 4: "k - set/remove the channel key (password)"; some servers hide it."""
    talk = Dialogue([], NET)
    talk.connect()
    talk.attach(1, caps=())
    talk.types(1, "JOIN #vault old", "JOIN #other")
    for name in ("#vault", "#other"):
        talk.joined(name)
    talk.others.clear()
    talk.says(f":bob!b@h MODE #vault {modes}", ":bob!b@h MODE me +i", ":bob!b@h MODE #nowhere +k x")
    kept = [o for o in talk.others if isinstance(o, RememberChannel)]
    assert kept == ([] if key == "old" else [RememberChannel("#vault", key)])
    talk.heard()
    talk.event(Lost("gone"))
    assert f"JOIN #vault,#other {key}".rstrip() in welcome(talk)


def test_an_invitation_is_followed_at_once() -> None:
    talk = Dialogue(["#ops"], NET)
    welcome(talk)
    talk.says(":irc.test 473 me #ops :Cannot join channel (+i)")
    talk.says(":bob!b@h INVITE me #ops")
    assert talk.heard() == ["JOIN #ops"]


def test_a_join_without_an_answer_is_repeated_with_patience() -> None:
    talk = Dialogue(["#ops"], NET)
    welcome(talk)
    assert pass_time(talk, ANSWER_MS) == []
    assert pass_time(talk, 20_000) == ["JOIN #ops"]
    assert 3 <= len(pass_time(talk, 4 * LONGEST_MS)) <= 10


def test_what_a_client_asked_is_answered_to_the_client() -> None:
    talk = Dialogue([], NET)
    welcome(talk)
    talk.attach(1, caps=())
    talk.attach(2, caps=())
    talk.types(1, "JOIN #secret")
    talk.says(":irc.test 473 me #secret :Cannot join channel (+i)")
    assert talk.seen(1) == [":irc.test 473 me #secret :Cannot join channel (+i)"]
    assert talk.seen(2) == []
    assert talk.heard() == ["JOIN #secret"]
    assert pass_time(talk, LONGEST_MS) == []  # it is not wanted: nobody was let in


def test_what_a_client_joins_in_one_line_goes_in_as_few_as_the_network_takes() -> None:
    """Old servers take two seconds for each line; the answers are still told apart."""
    talk = Dialogue([], NET)
    talk.connect(isupport="CHANTYPES=# TARGMAX=JOIN:2")
    talk.attach(1, caps=())
    talk.attach(2, caps=())
    talk.types(1, "JOIN #a,#b,#c,#d k1,,k3")
    assert talk.heard() == ["JOIN #a,#c k1,k3", "JOIN #b,#d"]
    refused = [f":irc.test 475 me {name} :Cannot join channel (+k)" for name in ("#c", "#b")]
    talk.says(":me!user@host JOIN #a", refused[0], refused[1], ":me!user@host JOIN #d")
    assert [line for line in talk.seen(1) if "475" in line] == refused
    assert not any("475" in line for line in talk.seen(2))
    assert talk.session.wanted == {"#a": ("#a", "k1"), "#d": ("#d", "")}
    talk.types(1, "JOIN #a\x07,#e")
    assert talk.heard() == ["JOIN #a\x07", "JOIN #e"], "the network says what is wrong with it"


def test_who_was_refused_does_not_hear_of_our_own_tries() -> None:
    talk = Dialogue(["#ops"], NET)
    welcome(talk)
    talk.says(REFUSED)
    talk.attach(1, caps=())
    talk.types(1, "JOIN #ops")
    talk.says(REFUSED)
    assert talk.seen(1) == [REFUSED]
    talk.heard()
    assert "JOIN #ops" in pass_time(talk, 2 * REFUSED_MS)
    talk.says(REFUSED)
    assert talk.seen(1) == []


def test_a_channel_that_is_wanted_no_more_is_left_alone() -> None:
    talk = Dialogue(["#ops"], NET)
    welcome(talk)
    talk.says(REFUSED)
    talk.event(ChannelsWanted(()))
    talk.heard()
    assert pass_time(talk, LONGEST_MS) == []


def test_a_channel_that_we_are_kept_out_of_need_not_be_left() -> None:
    """The network would answer with an error that nobody has asked for."""
    talk = Dialogue(["#ops", "#closed"], NET)
    welcome(talk)
    talk.joined("#ops")
    talk.says(REFUSED.replace("#ops", "#closed"))
    talk.event(ChannelsWanted(()))
    assert talk.heard() == ["PART #ops"]


def test_who_joins_0_leaves_all_channels_for_good() -> None:
    """RFC 2812 section 3.2.1: "a special request to leave all channels the user is currently a
    member of"."""
    talk = Dialogue(["#ops", "#dev"], NET)
    talk.connect()
    talk.attach(1, caps=())
    talk.types(1, "JOIN 0")
    assert talk.heard() == ["JOIN 0"]
    talk.says(":me!user@host PART #ops", ":me!user@host PART #dev")
    assert {ForgetChannel("#ops"), ForgetChannel("#dev")} <= set(talk.others)
    assert pass_time(talk, LONGEST_MS) == []


def test_there_are_no_channels_to_leave_where_the_network_is_not_there() -> None:
    talk = Dialogue(["#ops"], NET)
    talk.attach(1, caps=())
    talk.types(1, "JOIN 0")
    assert talk.seen(1) == [":muster.test 403 me 0 :No such channel"]
    assert talk.heard() == []


def test_a_key_that_is_told_to_who_was_invited_is_the_one_to_come_back_with() -> None:
    talk = Dialogue(["#ops", "#shut"], NET)
    talk.connect()
    talk.says(":bob!b@h KICK #shut me", ":irc.test 324 me #shut +k <key>")
    talk.says(":irc.test 324 me #ops +nk sesame", ":irc.test 324 me #ops +k *")
    assert talk.session.wanted == {"#ops": ("#ops", "sesame"), "#shut": ("#shut", "")}
    assert RememberChannel("#ops", "sesame") in talk.others


def test_what_services_say_amid_the_greeting_lets_us_in_nowhere() -> None:
    """The login, which joins wait for, is said when the greeting is over."""
    talk = Dialogue(["#ops"], replace(NET, sasl_password="hunter2"))
    talk.greeted()
    talk.heard()
    talk.says(":NickServ!s@services. NOTICE me :This nickname is registered.")
    assert talk.heard() == []
    talk.says(":irc.test 422 me :no MOTD")
    assert talk.heard() == ["PRIVMSG NickServ :IDENTIFY hunter2"]


def test_a_channel_left_while_the_network_is_away_is_left_before_all_clients() -> None:
    talk = Dialogue(["#ops"], NET)
    talk.connect()
    talk.attach(1, caps=())
    talk.attach(2, caps=())
    talk.event(Lost("reset"))
    talk.seen(1), talk.seen(2)
    talk.types(1, "PART #OPS :enough", "PART #never")
    assert talk.seen(1) == talk.seen(2) == [":me PART #ops"]


def test_a_network_cannot_have_channels_kept_without_end() -> None:
    talk = Dialogue([], NET)
    talk.connect()
    for number in range(MAX_CHANNELS + 5):
        talk.says(f":me!user@host JOIN #c{number}", f":me!user@host PART #c{number}")
    talk.says(":me!user@host JOIN :#a b")
    assert sum(isinstance(each, RememberChannel) for each in talk.others) == MAX_CHANNELS
    assert len(talk.session.wanted) == MAX_CHANNELS


def test_a_client_cannot_either_while_the_network_is_away() -> None:
    talk = Dialogue([], NET)
    talk.attach(1, caps=())
    talk.types(1, *(f"JOIN #c{number}" for number in range(MAX_CHANNELS)))
    talk.seen(1)
    talk.types(1, "JOIN #one-more,#c0")
    refused, joined = talk.seen(1)
    assert refused == ":muster.test 405 me #one-more :You have joined too many channels"
    assert "#c0 is joined when it is" in joined
    assert len(talk.session.wanted) == MAX_CHANNELS
