"""Lines from the network and from clients: kept, told to the right ones, in their dialect."""

from __future__ import annotations

import pytest

from bouncer.irc.wire import Message
from bouncer.session.effects import (
    DropClient,
    DropNetwork,
    ForgetChannel,
    OpsCommand,
    RememberChannel,
    ServiceCommand,
)
from bouncer.session.events import BotSays, ChannelsWanted, Lost
from bouncer.session.session import DEAD_MS, QUIET_MS
from tests.bouncer.session.dialogue import MODERN, Dialogue, texts


def test_a_line_is_kept_and_told_with_its_time_and_msgid() -> None:
    talk = Dialogue()
    talk.connect("server-time message-tags")
    talk.attach(1)
    talk.says("@time=2026-01-02T03:04:05.678Z;msgid=abc;+x=y :bob!b@h PRIVMSG #ops :hello there")
    (row,) = talk.kept
    assert (row.target, row.name, row.msgid, row.tags) == ("#ops", "#ops", "abc", "+x=y")
    assert row.time_ms == 1767323045678
    assert talk.seen(1) == [
        "@time=2026-01-02T03:04:05.678Z;msgid=abc;+x=y :bob!b@h PRIVMSG #ops :hello there"
    ]


def test_a_client_without_capabilities_gets_plain_lines() -> None:
    talk = Dialogue()
    talk.connect("server-time message-tags account-tag")
    talk.attach(1, caps=())
    talk.says("@time=2026-01-02T03:04:05.678Z;account=bob :bob!b@h PRIVMSG #ops :hello")
    assert talk.seen(1) == [":bob!b@h PRIVMSG #ops :hello"]


def test_a_line_without_msgid_gets_a_stable_one() -> None:
    talk = Dialogue()
    talk.connect()
    talk.attach(1)
    talk.says(":bob!b@h PRIVMSG #ops :once")
    live = Message.parse(talk.seen(1)[0]).tags["msgid"]
    again = [Message.parse(line) for line in talk.attach(2)]
    (played,) = [m for m in again if m.command == "PRIVMSG"]
    assert played.tags["msgid"] == live


@pytest.mark.parametrize("event", ["PRIVMSG #ops :hi", "NOTICE #ops :hi", "TOPIC #ops :hi"])
@pytest.mark.parametrize("msgid", [r"a\nPING\s:x", r"a\r\nPING\s:x", r"a\sb", r"a\:b=c"])
def test_a_msgid_cannot_end_the_tag_or_the_line_that_it_is_told_in(event: str, msgid: str) -> None:
    talk = Dialogue()
    talk.connect("message-tags")
    talk.attach(1)
    talk.says(f"@msgid={msgid} :bob!b@h {event}")
    (line,) = talk.seen(1)
    assert not {"\r", "\n"} & set(line)
    told = Message.parse(line)
    assert told.command == event.split()[0]
    assert set(told.tags) <= {"time", "msgid"}
    assert not {" ", ";", "\n"} & set("".join(row.msgid for row in talk.kept))


def test_a_chunk_is_told_in_its_order_to_every_dialect() -> None:
    talk = Dialogue()
    talk.connect("server-time message-tags account-tag", "CHANTYPES=# PREFIX=(ov)@+ STATUSMSG=@+")
    talk.attach(1)
    talk.attach(2, ())
    talk.says(
        "@time=2026-01-02T03:04:05.001Z;msgid=a :bob!b@h PRIVMSG #ops :1",
        "@time=2026-01-02T03:04:05.002Z;msgid=b;account=eve :eve!e@h NOTICE #ops :2",
        "@account=eve;time=2026-01-02T03:04:05.003Z :eve!e@h PRIVMSG #ops :3",
        ":eve!e@h JOIN #ops",
        "@time=2026-13-02T03:04:05.004Z;msgid=c :bob!b@h PRIVMSG #ops :4",
        ":irc.test NOTICE me :5",
        ":bob!b@h PRIVMSG #ops :\x01VERSION\x01",
        ":bob!b@h PRIVMSG @#ops :6",
        ":me!user@host PRIVMSG #ops :7",
        "@time=2026-01-02T03:04:05.008Z;msgid=d;batch=x :bob!b@h PRIVMSG #ops :8",
        ":bob!b@h PRIVMSG me :9",
    )
    said = ["1", "2", "3", "#ops", "4", "5", "\x01VERSION\x01", "6", "7", "8", "9"]
    for client in (1, 2):
        heard = [Message.parse(line) for line in talk.seen(client)]
        assert [m.params[-1] for m in heard if m.command != "PING"] == said
    assert [row.text for row in talk.kept] == ["1", "2", "3", "4", "6", "7", "8", "9"]
    assert [row.msgid for row in talk.kept] == ["a", "b", "", "c", "", "", "d", ""]
    assert talk.kept[3].time_ms == talk.now_ms  # there is no such month
    assert talk.kept[6].tags == ""  # no batch of the network's


def test_a_private_message_belongs_to_the_conversation_with_its_sender() -> None:
    talk = Dialogue()
    talk.connect()
    talk.says(":Bob!b@h PRIVMSG me :psst")
    (row,) = talk.kept
    assert (row.target, row.name, row.addressee) == ("bob", "Bob", "me")


def test_statusmsg_belongs_to_its_channel() -> None:
    talk = Dialogue()
    talk.connect(isupport="CHANTYPES=# PREFIX=(ov)@+ STATUSMSG=@+")
    talk.attach(1, caps=())
    talk.says(":bob!b@h NOTICE @#ops :operators only")
    assert talk.kept[0].target == "#ops"
    assert talk.seen(1) == [":bob!b@h NOTICE @#ops :operators only"]


def test_a_servers_notice_is_told_and_not_kept() -> None:
    talk = Dialogue()
    talk.connect()
    talk.attach(1, caps=())
    talk.says(":irc.test NOTICE me :maintenance at noon")
    assert talk.seen(1) == [":irc.test NOTICE me :maintenance at noon"]
    assert not talk.kept


def test_an_own_message_reaches_the_other_clients_and_the_sender_only_by_echo() -> None:
    talk = Dialogue()
    talk.connect()
    for client, caps in ((1, ()), (2, ()), (3, ("echo-message",))):
        talk.attach(client, caps)
    talk.types(1, "PRIVMSG #ops :from one")
    talk.types(3, "PRIVMSG #ops :from three")
    assert talk.heard() == ["PRIVMSG #ops :from one", "PRIVMSG #ops :from three"]
    assert texts(talk.seen(1)) == ["from three"]
    assert texts(talk.seen(2)) == ["from one", "from three"]
    assert texts(talk.seen(3)) == ["from one", "from three"]
    assert [row.text for row in talk.kept] == ["from one", "from three"]


def test_where_the_network_echoes_its_echo_is_what_is_kept() -> None:
    """IRCv3 echo-message: "If servers apply any modifications to these messages, they MUST send the
    final version of the message back to the originating client." """
    talk = Dialogue()
    talk.connect("echo-message message-tags")
    talk.attach(1, caps=())
    talk.attach(2, caps=())
    talk.types(1, "PRIVMSG #ops :with a filter")
    assert not talk.kept
    talk.says("@msgid=n1 :me!user@host PRIVMSG #ops :with a filter")
    assert [row.msgid for row in talk.kept] == ["n1"]
    assert talk.seen(1) == []
    assert texts(talk.seen(2)) == ["with a filter"]


def test_an_own_private_message_is_hidden_from_clients_that_cannot_show_it() -> None:
    talk = Dialogue()
    talk.connect()
    talk.attach(1)
    talk.attach(2, caps=())
    talk.attach(3, caps=("znc.in/self-message",))
    talk.types(1, "PRIVMSG bob :only you")
    assert texts(talk.seen(2)) == []
    assert texts(talk.seen(3)) == ["only you"]
    assert texts(talk.attach(4, caps=())) == []


@pytest.mark.parametrize(
    "line",
    [
        "PRIVMSG NickServ :IDENTIFY hunter2",
        "PRIVMSG NickServ :  IDENTIFY hunter2",
        "PRIVMSG &bitlbee :identify hunter2",
        "PRIVMSG &bitlbee :account add jabber me@example.org hunter2",
        "PRIVMSG &bitlbee :id hunter2",
        "PRIVMSG &bitlbee :root: acc add jabber me@example.org hunter2",
        "PRIVMSG root :register hunter2",
        "PRIVMSG nickserv@services.test :identify me hunter2",
        "PRIVMSG agent :claim alice abcd-efgh",
        "PRIVMSG agent :proof QUJD",
        "NICKSERV IDENTIFY hunter2",
    ],
)
@pytest.mark.parametrize("caps", ["", "echo-message"])
def test_what_must_not_be_kept_reaches_the_network_and_nobody_else(line: str, caps: str) -> None:
    talk = Dialogue()
    talk.connect(caps)
    talk.attach(1)
    talk.attach(2)
    talk.types(1, line)
    assert talk.heard() == [line]
    if caps and line.startswith("PRIVMSG"):
        talk.says(f":me!user@host {line}")
    assert not talk.kept
    assert talk.seen(1) == talk.seen(2) == []


def test_a_join_of_a_channel_we_are_in_is_answered_from_state() -> None:
    """Without the JOIN: clients that rejoin by themselves would show it twice."""
    talk = Dialogue()
    talk.connect()
    burst = talk.attach(1, caps=())
    assert [line.split()[1] for line in burst].count("JOIN") == 1
    talk.types(1, "JOIN #ops")
    assert talk.heard() == []
    assert [line.split()[1] for line in talk.seen(1)] == ["353", "366"]


def test_a_join_is_remembered_with_its_key_once_the_network_lets_us_in() -> None:
    talk = Dialogue()
    talk.connect()
    talk.attach(1)
    talk.types(1, "JOIN #new,#closed sesame")
    assert talk.heard() == ["JOIN #new,#closed sesame"]
    talk.says(":irc.test 473 me #closed :Cannot join (+i)")
    talk.joined("#new")
    assert talk.others[-1:] == [RememberChannel("#new", "sesame")]
    talk.types(1, "PART #new")
    assert talk.heard() == ["PART #new"]
    assert talk.others[-1:] == [ForgetChannel("#new")]


def test_channels_changed_by_a_command_are_joined_and_left_at_once() -> None:
    talk = Dialogue(["#ops", "#old"])
    talk.connect()
    talk.event(ChannelsWanted((("#ops", ""), ("#fresh", "key"))))
    assert talk.heard() == ["JOIN #fresh key", "PART #old"]


def test_the_service_is_answered_and_not_the_network() -> None:
    talk = Dialogue()
    talk.connect()
    talk.attach(1)
    talk.types(1, "PRIVMSG BouncerServ :help", "PRIVMSG *status :ListNetworks")
    assert talk.heard() == []
    assert talk.others[-2:] == [
        ServiceCommand(1, "BouncerServ", "help"),
        ServiceCommand(1, "*status", "ListNetworks"),
    ]
    assert not talk.kept


def test_bot_commands_are_heard_in_the_ops_channel_alone() -> None:
    talk = Dialogue(["#ops", "#other"])
    talk.connect("account-tag")
    talk.says("@account=bob :bob!b@h PRIVMSG #ops :!status", ":bob!b@h PRIVMSG #other :!status")
    (command,) = [other for other in talk.others if isinstance(other, OpsCommand)]
    assert (command.message.params, command.account) == (("#ops", "!status"), "bob")
    talk.attach(1)
    talk.others.clear()
    talk.says(":irc.test 900 me me!user@host alice :You are now logged in as alice")
    talk.types(1, "PRIVMSG #other :!status", "PRIVMSG #ops :!roster")  # the bot's own user
    (command,) = [other for other in talk.others if isinstance(other, OpsCommand)]
    assert (command.message.params, command.account) == (("#ops", "!roster"), "alice")
    talk.heard()
    talk.event(BotSays("#ops", ["UP 41d"]))
    assert talk.heard() == ["NOTICE #ops :UP 41d"]
    assert texts(talk.seen(1))[-1] == "UP 41d"


def test_nothing_is_sent_to_a_network_that_is_not_there() -> None:
    talk = Dialogue()
    talk.attach(1, caps=())
    talk.types(1, "PRIVMSG #ops :anybody?", "WHOIS bob")
    assert talk.heard() == []
    said = texts(talk.seen(1))
    assert "PRIVMSG was not sent: net is not connected now" in said
    assert "WHOIS was not sent: net is not connected now" in said


def test_a_lost_connection_is_told_and_the_channels_come_back() -> None:
    talk = Dialogue()
    talk.connect()
    talk.attach(1, caps=())
    talk.event(Lost("reset by peer"))
    assert texts(talk.seen(1)) == ["The connection to net was lost: reset by peer"]
    talk.connect()
    assert "JOIN #ops" in [line.partition(" ")[2] for line in talk.seen(1)]


def test_what_still_waited_for_a_lost_connection_is_told() -> None:
    """It is kept and shown as said; irc2: "ERROR :Closing Link: … (Excess Flood)" and the like."""
    talk = Dialogue()
    talk.connect()
    talk.attach(1, caps=())
    talk.event(Lost("reset by peer", unsent=3))
    assert texts(talk.seen(1))[1:] == ["The last messages, 3 of them, did not reach net"]


def test_a_changed_nick_is_told_to_every_client() -> None:
    talk = Dialogue()
    talk.connect()
    talk.attach(1, caps=())
    talk.says(":me!user@host NICK me_")
    assert talk.seen(1) == [":me!user@host NICK me_"]
    talk.types(1, "WHO")
    talk.types(1, "PRIVMSG")
    assert talk.seen(1) == [":muster.test 461 me_ PRIVMSG :Not enough parameters"]


@pytest.mark.parametrize(
    ("line", "needs", "shown"),
    [
        (":bob!b@h AWAY :lunch", "away-notify", True),
        (":bob!b@h ACCOUNT bobby", "account-notify", True),
        (":bob!b@h SETNAME :Bob the Second", "setname", True),
        (":bob!b@h INVITE carol #ops", "invite-notify", True),
        ("@+typing=active :bob!b@h TAGMSG #ops", "message-tags", True),
    ],
)
def test_a_client_gets_only_what_it_has_negotiated(line: str, needs: str, shown: bool) -> None:
    talk = Dialogue()
    talk.connect()
    talk.attach(1, caps=())
    talk.attach(2, caps=(needs,))
    talk.says(line)
    assert talk.seen(1) == []
    assert bool(talk.seen(2)) is shown


def test_extended_join_is_cut_for_clients_without_it() -> None:
    talk = Dialogue()
    talk.connect("extended-join")
    talk.attach(1, caps=())
    talk.attach(2, caps=("extended-join",))
    talk.says(":carol!c@h JOIN #ops carol :Carol")
    assert talk.seen(1) == [":carol!c@h JOIN #ops"]
    assert talk.seen(2) == [":carol!c@h JOIN #ops carol Carol"]


def test_names_are_said_in_each_clients_dialect() -> None:
    talk = Dialogue()
    talk.connect("multi-prefix userhost-in-names")
    talk.attach(1, caps=())
    talk.attach(2, caps=("multi-prefix",))
    talk.says(":irc.test 353 me = #ops :@+bob!b@h carol!c@h")
    assert talk.seen(1) == [":irc.test 353 me = #ops :@bob carol"]
    assert talk.seen(2) == [":irc.test 353 me = #ops :@+bob carol"]


def test_a_silent_network_is_pinged_and_then_dropped() -> None:
    talk = Dialogue()
    talk.connect()
    talk.passes(QUIET_MS + 1_000)
    assert talk.heard() == ["PING muster"]
    talk.says(":irc.test PONG irc.test muster")
    talk.passes(DEAD_MS - 1_000)
    assert not any(isinstance(each, DropNetwork) for each in talk.others)
    talk.passes(1_000)
    dropped = talk.others[-1]
    assert isinstance(dropped, DropNetwork)
    assert dropped.silent


@pytest.mark.parametrize("step_ms", [-86_400_000, 86_400_000])
def test_a_clock_that_is_set_silences_nobody(step_ms: int) -> None:
    """Neither is a network dropped for it, nor does a silent one stay."""
    talk = Dialogue()
    talk.connect()
    talk.attach(1)
    talk.says(":bob!b@h PRIVMSG #ops :before")
    talk.now_ms += step_ms
    talk.passes(1_000)
    assert not any(isinstance(each, DropNetwork) for each in talk.others)
    talk.down[1].clear()
    talk.says(":bob!b@h PRIVMSG #ops :after")
    assert any(line.startswith("PING :muster-") for line in talk.down[1])
    talk.passes(DEAD_MS)
    assert any(isinstance(each, DropNetwork) for each in talk.others)


def test_quit_ends_the_client_and_not_the_connection() -> None:
    talk = Dialogue()
    talk.connect()
    talk.attach(1)
    talk.types(1, "QUIT :bye", "PRIVMSG #ops :too late")
    assert DropClient(1, "bye", clean=True) in talk.others


@pytest.mark.parametrize("command", ["USER a b c d", "PASS x", "SERVER x", "ERROR x", "BATCH +x y"])
def test_registration_and_server_commands_never_reach_the_network(command: str) -> None:
    talk = Dialogue()
    talk.connect()
    talk.attach(1, MODERN)
    talk.types(1, command)
    assert talk.heard() == []
    assert talk.seen(1)[0].split()[1] in ("462", "421")


def test_who_comes_later_learns_who_set_the_topic_and_when() -> None:
    """modern, RPL_TOPICWHOTIME: "Sent to a client to let them know who set the topic [...] and when
    they set it"."""
    talk = Dialogue()
    talk.connect()
    talk.says(":bob!b@h TOPIC #ops :maintenance")
    set_at = talk.now_ms // 1000
    told = [line for line in talk.attach(1) if " 332 " in line or " 333 " in line]
    assert told == [
        ":muster.test 332 me #ops :maintenance",
        f":muster.test 333 me #ops bob!b@h {set_at}",
    ]
