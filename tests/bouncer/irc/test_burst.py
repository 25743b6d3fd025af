"""A client is greeted as by the network's own server: what it parses is what we know."""

from __future__ import annotations

from bouncer.irc.burst import channel_burst, registration_burst
from bouncer.irc.state import NetworkState
from bouncer.irc.wire import MAX_LINE, Message
from tests.bouncer.irc.talk import ENTERING, GREETING, network, says

SERVER = "bouncer.example"


def shown(lines: list[Message]) -> list[str]:
    return [str(line) for line in lines]


def test_the_greeting_runs_from_001_to_the_message_of_the_day() -> None:
    lines = registration_burst(network(GREETING), "me", SERVER, "muster 1", ())
    assert [line.command for line in lines] == [
        "001", "002", "003", "004", "005", "375", "372", "376", "221",
    ]  # fmt: skip
    assert all(line.source == SERVER and line.params[0] == "me" for line in lines)
    # The form "Welcome to the <network> Network, <nick>[!<user>@<host>]".
    assert lines[0].params[1] == "Welcome to the Example network, me!ident@host.example"
    assert lines[3].params == ("me", SERVER, "muster-1", "iosw", "biklmnopstv", "bkloveI")
    assert lines[-1].params == ("me", "+i")


def test_a_network_without_a_message_of_the_day() -> None:
    lines = registration_burst(network(":s 001 me :hi"), "me", SERVER, "muster", ())
    assert lines[-1].command == "422"


def test_before_the_network_is_up_a_client_is_greeted_all_the_same() -> None:
    lines = registration_burst(NetworkState("me"), "me", SERVER, "muster", (), {"BOT": "B"})
    assert [line.command for line in lines] == ["001", "002", "003", "004", "005", "422"]


def test_a_greeting_teaches_another_state_the_same() -> None:
    first = network(GREETING)
    second = NetworkState("other")
    for line in registration_burst(first, "me", SERVER, "muster", ()):
        second.receive(Message.parse(str(line)))
    assert second.isupport.tokens == first.isupport.tokens
    assert (second.nick, second.mask, second.motd) == (first.nick, first.mask, first.motd)
    assert second.umodes == first.umodes


def test_a_channel_is_entered_with_topic_and_names() -> None:
    state = network(GREETING, ENTERING)
    assert shown(channel_burst(state, state.channels["#ops"], SERVER, ())) == [
        ":me!ident@host.example JOIN #ops",
        ":bouncer.example 332 me #ops :Keep calm",
        ":bouncer.example 333 me #ops alice!a@h 1700000000",
        ":bouncer.example 353 me = #ops :me @alice +bob",
        ":bouncer.example 366 me #ops :End of /NAMES list",
    ]


def test_no_topic_no_332() -> None:
    """Spec: "If the channel has no topic, no RPL_TOPIC is sent" on joining."""
    state = network(GREETING, ":me!i@h JOIN #dev", ":s 331 me #dev :none")
    commands = [m.command for m in channel_burst(state, state.channels["#dev"], SERVER, ())]
    assert commands == ["JOIN", "353", "366"]


def test_extended_join_names_the_account_and_the_realname() -> None:
    """
    "the penultimate parameter is an asterisk" where "the user has not logged in to an account"."""
    state = network(GREETING, ENTERING)
    (join, *_) = channel_burst(state, state.channels["#ops"], SERVER, {"extended-join"})
    assert join.params == ("#ops", "*", "me")
    says(state, ":s 900 me me!i@h acct :now\n:me!i@h SETNAME :My Name")
    (join, *_) = channel_burst(state, state.channels["#ops"], SERVER, {"extended-join"})
    assert join.params == ("#ops", "acct", "My Name")


def names(state: NetworkState, *caps: str) -> str:
    lines = channel_burst(state, state.channels["#ops"], SERVER, caps)
    return " ".join(line.params[3] for line in lines if line.command == "353")


def test_prefixes_and_hosts_as_the_client_asked_for_them() -> None:
    state = network(
        GREETING, ENTERING, ":s MODE #ops +v alice", ":s 352 me #ops u h s alice H :0 A"
    )
    assert names(state) == "me @alice +bob"
    assert names(state, "multi-prefix") == "me @+alice +bob"
    assert names(state, "userhost-in-names") == "me!ident@host.example @alice!u@h +bob"


def test_no_implicit_names() -> None:
    """
    "servers MUST NOT send implicit RPL_NAMREPLY and RPL_ENDOFNAMES" after a JOIN."""
    state = network(GREETING, ENTERING)
    for cap in ("draft/no-implicit-names", "soju.im/no-implicit-names"):
        lines = channel_burst(state, state.channels["#ops"], SERVER, {cap})
        assert [line.command for line in lines] == ["JOIN", "332", "333"]


def test_secret_and_private_channels_are_marked() -> None:
    """Spec: "=" for public, "@" for secret, "*" for private channels: RPL_NAMREPLY."""
    state = network(GREETING, ENTERING)
    for modes, symbol in (("+n", "="), ("+s", "@"), ("-s+p", "*")):
        says(state, f":s MODE #ops {modes}")
        lines = channel_burst(state, state.channels["#ops"], SERVER, ())
        assert [line.params[1] for line in lines if line.command == "353"] == [symbol]


def test_many_names_take_lines_of_512_octets() -> None:
    state = network(GREETING, ":me!i@h JOIN #ops")
    for n in range(100):
        says(state, f":s 353 me = #ops :@+nickname{n}!user@some.long.host.example")
    caps = ("multi-prefix", "userhost-in-names")
    lines = channel_burst(state, state.channels["#ops"], SERVER, caps)
    assert all(len(line.encode()) <= MAX_LINE for line in lines)
    assert len(names(state, *caps).split(" ")) == 101
    assert max(len(line.encode()) for line in lines) > 450


def test_a_topic_of_unknown_age_has_no_333() -> None:
    state = network(GREETING, ENTERING, ":bob!b@h TOPIC #ops :New")
    commands = [m.command for m in channel_burst(state, state.channels["#ops"], SERVER, ())]
    assert commands == ["JOIN", "332", "353", "366"]


def test_005_comes_in_a_batch_for_those_who_asked() -> None:
    """
    "The server MUST NOT send any unbatched RPL_ISUPPORT message while both of these capabilities
    are enabled": extended-isupport."""
    caps = {"batch", "draft/extended-isupport"}
    lines = registration_burst(network(GREETING), "me", SERVER, "muster", caps)
    assert [line.command for line in lines][4:7] == ["BATCH", "005", "BATCH"]
    assert lines[5].tags == {"batch": lines[4].params[0][1:]}
