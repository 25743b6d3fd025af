"""Small capabilities towards clients, one sentence of their specification at each test."""

from __future__ import annotations

import pytest

from bouncer.irc.wire import Message
from bouncer.session.events import Attached, CapsChanged
from tests.bouncer.session.dialogue import MODERN, Dialogue, texts

LABELS = MODERN | {"labeled-response"}


def said(talk: Dialogue, client: int = 1) -> list[Message]:
    return [Message.parse(line) for line in talk.seen(client)]


def commands(lines: list[str]) -> list[str]:
    return [Message.parse(line).command for line in lines]


# --- no-implicit-names ---


@pytest.mark.parametrize("cap", ["draft/no-implicit-names", "soju.im/no-implicit-names"])
def test_no_names_after_a_join_for_those_who_do_not_want_them(cap: str) -> None:
    """no-implicit-names: "servers MUST NOT send an implicit NAMES reply after sending a JOIN
    message. Servers MUST reply to explicit NAMES commands sent by the client as usual." """
    talk = Dialogue()
    talk.connect()
    assert "366" not in commands(talk.attach(1, {cap}))
    assert "366" in commands(talk.attach(2, ()))
    talk.types(1, "JOIN #ops", "JOIN #new")
    talk.heard()
    talk.joined("#new")
    assert [c for c in commands(talk.seen(1)) if c in ("JOIN", "353", "366")] == ["JOIN"]
    assert "366" in commands(talk.seen(2))
    talk.types(1, "NAMES #new")
    assert talk.heard() == []
    assert commands(talk.seen(1)) == ["353", "366"]
    talk.types(1, "NAMES #elsewhere")
    assert talk.heard() == ["NAMES #elsewhere"]
    talk.says(":irc.test 353 me = #elsewhere :x", ":irc.test 366 me #elsewhere :End")
    assert commands(talk.seen(1)) == ["353", "366"]
    assert talk.seen(2) == []


# --- extended-isupport ---


def test_isupport_is_said_again_and_in_its_batch() -> None:
    """extended-isupport: "The server MUST group all RPL_ISUPPORT messages inside a draft/isupport
    batch when the batch and draft/extended-isupport capabilities are enabled." """
    talk = Dialogue()
    talk.connect()
    talk.attach(1, {"batch", "draft/extended-isupport"})
    talk.types(1, "ISUPPORT")
    opening, *inside, closing = said(talk)
    assert opening.params[1:] == ("draft/isupport",)
    assert {m.command for m in inside} == {"005"}
    assert {m.tags["batch"] for m in inside} == {opening.params[0][1:]}
    assert "CHANTYPES=#" in [word for m in inside for word in m.params]
    assert closing.params == ("-" + opening.params[0][1:],)
    talk.attach(2, ())
    talk.types(2, "ISUPPORT")
    assert {m.command for m in said(talk, 2)} == {"005"}
    assert talk.heard() == []


# --- pre-away ---


def test_a_client_that_is_away_from_the_start_counts_as_nobody() -> None:
    """pre-away: "an AWAY message consisting of the single character *, as indicating that the user
    is not present for an unspecified reason"; "treated as though the connection did not exist" """
    talk = Dialogue()
    talk.connect()
    talk.down[1] = []
    talk.event(Attached(1, "", "me", frozenset({"draft/pre-away"}), 0, away="*"))
    assert talk.session.upkeep.presence.idle == {1}
    assert talk.heard() == []
    talk.down[2] = []
    talk.event(Attached(2, "", "me", frozenset({"draft/pre-away"}), 0, away="Gone to lunch"))
    assert talk.session.upkeep.presence.by_hand == "Gone to lunch"


# --- client-only tags ---


def test_tags_without_a_text_reach_the_network_and_the_users_other_clients() -> None:
    """message-tags: "This message MUST be delivered to targets in the same way as PRIVMSG and
    NOTICE messages [...] honouring [...] echo-message"; "Servers MUST NOT deliver TAGMSG
    to clients that haven't negotiated the message tags capability"; "Tags without the client-only
    prefix MUST be removed by the server before being relayed" """
    talk = Dialogue()
    talk.connect("message-tags")
    for client, caps in ((1, MODERN), (2, MODERN), (3, ()), (4, {"message-tags"})):
        talk.attach(client, caps)
    talk.types(1, "@+typing=active;time=x TAGMSG #ops", "@account=root TAGMSG #ops")
    assert talk.heard() == ["@+typing=active TAGMSG #ops"]
    assert [m.tags["+typing"] for m in said(talk, 1)] == ["active"]  # it has echo-message
    assert [m.source for m in said(talk, 2)] == ["me!user@host"]
    assert talk.seen(3) == []
    assert len(talk.seen(4)) == 1
    talk.types(4, "@+typing=done TAGMSG #ops")
    assert talk.seen(4) == []


def test_the_echo_of_a_tagmsg_is_not_told_to_a_sender_without_echo() -> None:
    talk = Dialogue()
    talk.connect("echo-message message-tags")
    talk.attach(1, {"message-tags"})
    talk.attach(2, LABELS)
    talk.types(1, "@+typing=active TAGMSG #ops")
    talk.says("@+typing=active :me!user@host TAGMSG #ops")
    assert talk.seen(1) == []
    assert len(talk.seen(2)) == 1
    talk.types(2, "@label=t;+typing=done TAGMSG #ops")
    assert talk.seen(2) == []
    talk.says("@+typing=done :me!user@host TAGMSG #ops")
    assert [m.tags["label"] for m in said(talk, 2)] == ["t"]


def test_where_the_network_has_no_tags_clients_are_told_so() -> None:
    """modern.ircdocs.horse: the CLIENTTAGDENY token tells which client-only tags are cut off."""
    talk = Dialogue()
    talk.connect()
    assert "CLIENTTAGDENY=*" in " ".join(talk.attach(1))
    talk.types(1, "@+typing=active TAGMSG #ops")
    assert talk.heard() == talk.seen(1) == []
    talk.connect("message-tags")
    assert "CLIENTTAGDENY" not in " ".join(talk.attach(2))


def test_a_reply_keeps_its_tags_in_history() -> None:
    talk = Dialogue()
    talk.connect("message-tags")
    talk.attach(1)
    talk.types(1, "@+draft/reply=abc;+typing=done PRIVMSG #ops :yes")
    assert talk.heard() == ["@+draft/reply=abc;+typing=done PRIVMSG #ops yes"]
    assert talk.kept[0].tags == "+draft/reply=abc;+typing=done"


@pytest.mark.parametrize("theirs", ["", "echo-message"])
def test_a_ctcp_question_is_echoed_but_not_kept(theirs: str) -> None:
    """echo-message: "servers MUST send PRIVMSG and NOTICE messages back to the client that sent
    them" """
    talk = Dialogue()
    talk.connect(theirs)
    for client, caps in ((1, MODERN), (2, ())):
        talk.attach(client, caps)
    talk.types(1, "PRIVMSG bob :\x01VERSION\x01")
    if theirs:
        talk.says(":me!user@host PRIVMSG bob :\x01VERSION\x01")
    assert texts(talk.seen(1)) == ["\x01VERSION\x01"]
    assert talk.seen(2) == []
    assert talk.kept == []


# --- multiline ---

MULTILINE = LABELS | {"draft/multiline"}


def test_a_message_of_several_lines_is_said_line_by_line() -> None:
    """multiline: "servers MUST deliver the component messages without using a multiline BATCH.
    Servers MUST NOT send blank lines to clients that have not negotiated the multiline capability.
    Any tags that would have been added to the batch [...] MUST be included on the first message
    line to be sent." """
    talk = Dialogue()
    talk.connect("message-tags")
    talk.attach(1, MULTILINE)
    talk.types(
        1,
        "@label=m;+draft/reply=x BATCH +123 draft/multiline #ops",
        "@batch=123 PRIVMSG #ops hello",
        "@batch=123 PRIVMSG #ops :",
        "@batch=123 privmsg #ops :how is ",
        "@batch=123;draft/multiline-concat PRIVMSG #ops :everyone?",
    )
    assert talk.heard() == talk.seen(1) == []
    talk.types(1, "BATCH -123")
    assert talk.heard() == [
        "@+draft/reply=x PRIVMSG #ops hello",
        "PRIVMSG #ops :how is ",
        "PRIVMSG #ops everyone?",
    ]
    assert [row.text for row in talk.kept] == ["hello", "how is ", "everyone?"]
    opening, *inside, _closing = said(talk)
    # "Servers MUST only include the label tag on the opening BATCH command"
    assert opening.tags == {"label": "m"}
    assert [m.params[-1] for m in inside] == ["hello", "how is ", "everyone?"]


@pytest.mark.parametrize(
    ("lines", "answer"),
    [
        (["@batch=1 PRIVMSG #bar hello"], "MULTILINE_INVALID_TARGET #ops #bar"),
        (["@batch=1 PRIVMSG #ops :" + "x" * 400] * 21, "MULTILINE_MAX_BYTES 8192"),
        (["@batch=1 PRIVMSG #ops x"] * 51, "MULTILINE_MAX_LINES 50"),
        (["@batch=1 PRIVMSG #ops :", "BATCH -1"], "MULTILINE_INVALID"),
    ],
)
def test_a_wrong_batch_is_refused_once_and_said_nowhere(lines: list[str], answer: str) -> None:
    """multiline: "Servers MUST use FAIL messages from the standard replies framework" """
    talk = Dialogue()
    talk.connect()
    talk.attach(1, MULTILINE)
    talk.types(1, "@label=w BATCH +1 draft/multiline #ops", *lines, "BATCH -1")
    first = talk.seen(1)[0]
    assert first.startswith(f"@label=w :muster.test FAIL BATCH {answer} :")
    assert talk.heard() == []
    talk.types(1, "PRIVMSG #ops :still here")
    assert talk.heard() == ["PRIVMSG #ops :still here"]


def test_the_end_of_a_batch_that_is_not_open_is_refused_to_its_label() -> None:
    talk = Dialogue()
    talk.connect()
    talk.attach(1, MULTILINE)
    talk.types(1, "@label=e BATCH -1")
    (answer,) = talk.seen(1)
    assert answer.startswith("@label=e :muster.test FAIL BATCH MULTILINE_INVALID :")


# --- passed through ---


def test_bots_are_shown_as_such() -> None:
    """bot-mode: "they are given a special numeric as part of their WHOIS response, [...] and
    servers may include the bot tag on that client's outgoing messages"; "The value of the BOT
    token is the mode character which is used to enable bot mode" """
    talk = Dialogue()
    talk.connect("message-tags", isupport="CHANTYPES=# PREFIX=(ov)@+ BOT=B")
    assert "BOT=B" in " ".join(talk.attach(1))
    talk.says("@bot :robo!r@h PRIVMSG #ops :beep")
    assert "bot" in said(talk)[0].tags
    talk.types(1, "MODE me +B", "WHOIS robo")
    assert talk.heard() == ["MODE me +B", "WHOIS robo"]
    talk.says(":irc.test 335 me robo :is a bot")
    assert [m.params for m in said(talk)] == [("me", "robo", "is a bot")]


@pytest.mark.parametrize("theirs", ["", " UTF8ONLY"])
def test_clients_may_rely_on_utf8(theirs: str) -> None:
    """utf8-only: "Servers publishing this token MUST NOT relay content [...] containing non-UTF-8
    data to clients": whatever a network sends, we say it in UTF-8."""
    talk = Dialogue()
    talk.connect(isupport=f"CHANTYPES=# PREFIX=(ov)@+{theirs}")
    assert " ".join(talk.attach(1)).count(" UTF8ONLY ") == 1


def test_self_message_shows_own_private_messages_to_old_clients() -> None:
    """znc.in/self-message: own messages come with our own source and their target."""
    talk = Dialogue()
    talk.connect()
    talk.attach(1)
    talk.attach(2, {"znc.in/self-message"})
    talk.types(1, "PRIVMSG bob :only you")
    assert talk.seen(2) == [":me!user@host PRIVMSG bob :only you"]
    assert texts(talk.attach(3, {"znc.in/self-message"}))[-1].endswith("only you")


def test_server_time_by_its_first_name() -> None:
    talk = Dialogue()
    talk.connect("server-time")
    talk.attach(1, {"znc.in/server-time-iso"})
    talk.says("@time=2026-01-02T03:04:05.678Z :bob!b@h PRIVMSG #ops :hi")
    assert talk.seen(1) == ["@time=2026-01-02T03:04:05.678Z :bob!b@h PRIVMSG #ops :hi"]
    talk.event(CapsChanged(1, frozenset()))
    talk.says(":bob!b@h PRIVMSG #ops :hi")
    assert talk.seen(1) == [":bob!b@h PRIVMSG #ops :hi"]


def test_batches_by_their_first_name() -> None:
    """ZNC called them `znc.in/batch` before they were specified; clients ask for that still."""
    talk = Dialogue()
    talk.connect()
    talk.says(":bob!b@h PRIVMSG #ops :missed")
    kinds = [command for command in commands(talk.attach(1, {"znc.in/batch"})) if command.isalpha()]
    assert kinds == ["JOIN", "BATCH", "PRIVMSG", "BATCH"]
    assert "BATCH" not in commands(talk.attach(2, ()))


# --- from state, or refused, where the network lacks it ---


def test_hosts_are_in_names_once_they_are_known() -> None:
    """userhost-in-names "extends the NAMES reply messages (RPL_NAMREPLY) to contain the full
    hostmask (nick!user@host) of every user listed": of those whose hosts we know."""
    talk = Dialogue()
    talk.connect()
    talk.says(":carol!c@host JOIN #ops")
    talk.attach(1, {"userhost-in-names", "multi-prefix"})
    talk.types(1, "NAMES #ops")
    names = next(m.params[3] for m in said(talk) if m.command == "353")
    assert sorted(names.split()) == ["@me!user@host", "bob", "carol!c@host"]


@pytest.mark.parametrize("caps", ["", "setname"])
def test_a_realname_is_changed_where_the_network_can(caps: str) -> None:
    """setname: "If the server rejects the change for any other reason, it MUST send a FAIL message
    indicating this: FAIL SETNAME CANNOT_CHANGE_REALNAME" """
    talk = Dialogue()
    talk.connect(caps)
    talk.attach(1, {"setname", "standard-replies"})
    talk.types(1, "SETNAME :Bruce Wayne")
    if caps:
        assert talk.heard() == ["SETNAME :Bruce Wayne"]
        talk.says(":me!user@host SETNAME :Bruce Wayne")
        assert talk.seen(1) == [":me!user@host SETNAME :Bruce Wayne"]
    else:
        assert talk.heard() == []
        assert said(talk)[0].params[:2] == ("SETNAME", "CANNOT_CHANGE_REALNAME")


def test_batches_of_the_network_are_taken_apart() -> None:
    """batch: "Client MAY ignore the type and process messages one by one." """
    talk = Dialogue()
    talk.connect("batch")
    talk.attach(1, ())
    talk.says(
        ":irc.test BATCH +x netsplit a b",
        "@batch=x :bob!b@h QUIT :a b",
        ":irc.test BATCH -x",
    )
    assert talk.seen(1) == [":bob!b@h QUIT :a b"]


def test_who_has_no_account_has_no_tag_of_it() -> None:
    """account-tag: "If the user is not identified to any services account, the tag MUST NOT be
    sent." Some servers send it empty."""
    talk = Dialogue()
    talk.connect("account-tag message-tags")
    talk.attach(1, {"account-tag"})
    talk.says("@account= :bob!b@h PRIVMSG #ops :hi", "@account :bob!b@h PRIVMSG #ops :hi")
    assert talk.seen(1) == [":bob!b@h PRIVMSG #ops :hi"] * 2
