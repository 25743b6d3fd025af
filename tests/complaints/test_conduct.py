"""What driving soju and ZNC with a server's test suite has shown: do better. Nine points.

Each docstring is the point; "modern" is modern.ircdocs.horse.
"""

from __future__ import annotations

from pathlib import Path

from bouncer.irc.caps import offered
from bouncer.irc.registration import DownstreamRegistration
from bouncer.irc.wire import Message
from bouncer.login import passwords
from bouncer.session.events import Connected, Lost
from storage.records import Network
from tests.bouncer.session.dialogue import MODERN, Dialogue
from tests.complaints import venue
from tests.complaints.venue import running_bouncer, running_network

SERVER = "muster.test"
NET = Network(1, "net", "irc+insecure://irc.test", id=1, nick="me", auto_away=True)


def registering() -> DownstreamRegistration:
    return DownstreamRegistration(SERVER, offered())


def said(registration: DownstreamRegistration, *lines: str) -> list[Message]:
    answers = [registration.receive(Message.parse(line)) for line in lines]
    return [item for answer in answers for item in answer if isinstance(item, Message)]


async def test_b1_numerics_carry_the_client_s_nick_after_registration(tmp_path: Path) -> None:
    """Numerics carry the client's nick, never `*`, after registration."""
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        client = await muster.client("alice/net", venue.MODERN)
        await client.says(
            "PRIVMSG", "NICK", "CAP", "CAP LS", "CAP LIST", "CAP REQ :batch", "CAP what",
            "AUTHENTICATE PLAIN", "PASS x", "USER a b c d", "SERVER x", "JOIN", "MOTD",
            "ISUPPORT", "PRIVMSG #ops :", "x" * 9_000, "PING done",
        )  # fmt: skip
        await client.hears("PONG")
        (start,) = [n for n, line in enumerate(client.lines) if " 001 " in line]
        messages = [Message.parse(line) for line in client.lines[start:]]
        numerics = [m for m in messages if m.command.isdigit() or m.command == "CAP"]
        assert len({m.command for m in numerics}) > 10
        assert {m.params[0] for m in numerics} == {"me"}


def test_b2_900_comes_before_903() -> None:
    """900 comes before 903. sasl-3.1: "a 900 and 903 numeric will be sent"."""
    us = registering()
    said(us, "CAP LS 302", "NICK me", "USER u 0 * :u", "CAP REQ sasl", "AUTHENTICATE PLAIN")
    us.receive(Message.parse("AUTHENTICATE AGFsaWNlAHB3"))  # \0alice\0pw
    numerics = [item.command for item in us.accept("alice") if isinstance(item, Message)]
    assert numerics == ["900", "903"]


def test_b3_a_single_labelled_reply_is_not_wrapped() -> None:
    """A single labelled reply is not wrapped in a batch. labeled-response: "If a response consists
    of more than one message, a batch MUST be used"; ours, the network's and one from the store."""
    for network_caps in ("", "batch labeled-response"):
        talk = Dialogue()
        talk.connect(network_caps)
        talk.attach(1, {*MODERN, "labeled-response"})
        talk.types(1, "@label=a PING x")
        (pong,) = map(Message.parse, talk.seen(1))
        assert (pong.command, pong.tags["label"]) == ("PONG", "a")
        talk.heard()
        talk.types(1, "@label=b USERHOST bob")
        (asked,) = talk.heard()
        tags = f"@{Message.parse(asked).raw_tags} " if network_caps else ""
        talk.says(f"{tags}:irc.test 302 me :bob=+b@h")
        (answer,) = talk.seen(1)
        assert Message.parse(answer).command == "302"
        assert Message.parse(answer).tags["label"] == "b"


def test_b4_away_keeps_its_text() -> None:
    """AWAY keeps its text on the way up, also when it was said before the network was there."""
    talk = Dialogue([], NET)
    talk.connect()
    talk.attach(1, ())
    talk.heard()
    talk.types(1, "AWAY :gone fishing until 5")
    assert talk.heard() == ["AWAY :gone fishing until 5"]
    talk.event(Lost("closed by the server"))
    talk.event(Connected(tls=False))
    talk.says(":irc.test CAP * LS :", ":irc.test 001 me :Welcome", ":irc.test 422 me :no MOTD")
    assert "AWAY :gone fishing until 5" in talk.heard()


def test_b5_passwords_over_72_bytes_work() -> None:
    """Passwords over 72 bytes work: bcrypt would cut them there."""
    long = "a" * 72
    stored = passwords.make(f"{long} and its end").password_hash
    assert passwords.verify(stored, f"{long} and its end")
    assert not passwords.verify(stored, f"{long} and another")
    assert not passwords.verify(stored, long)


def test_b6_pong_names_the_configured_server() -> None:
    """PONG names the configured server. modern: "<server> is the name of the server"."""
    (before,) = said(registering(), "PING token")
    talk = Dialogue()
    talk.connect()
    talk.attach(1, ())
    talk.types(1, "PING token")
    (after,) = talk.seen(1)
    for pong in (before, Message.parse(after)):
        assert (pong.source, pong.params) == (SERVER, (SERVER, "token"))


def test_b7_cap_replies_before_registration_use_an_asterisk() -> None:
    """CAP replies before registration use `*`, also once NICK was said."""
    us = registering()
    for line in ("CAP LS 302", "CAP REQ batch", "CAP REQ nonsense", "CAP LIST"):
        for name in ("NICK me", "USER u 0 * :u"):
            answers = said(us, name, line)
            assert answers
            assert {answer.params[0] for answer in answers} == {"*"}


def test_b8_nobody_is_told_what_they_did_not_ask() -> None:
    """No answers to questions the client did not ask (a MODE reply after its JOIN)."""
    talk = Dialogue()
    talk.connect()
    talk.attach(1, MODERN)
    talk.heard()
    talk.types(1, "JOIN #new")
    assert talk.heard() == ["JOIN #new"]
    talk.joined("#new")
    assert talk.heard() == []
    told = {Message.parse(line).command for line in talk.seen(1)}
    assert told == {"JOIN", "353", "366"}
    assert not {"324", "329", "221"} & {
        Message.parse(line).command for line in talk.attach(2, MODERN)
    }


def test_b9_a_ping_before_registration_is_answered() -> None:
    """A PING before registration is answered."""
    for before in ((), ("CAP LS 302",), ("NICK me",)):
        us = registering()
        said(us, *before)
        assert [m.command for m in said(us, "PING here")] == ["PONG"]
