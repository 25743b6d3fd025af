"""What the attributes that a client gives a network become. Quotes: soju.im/bouncer-networks."""

from __future__ import annotations

import pytest

from bouncer.control.bouncer_networks import adding, changing
from bouncer.irc.bouncer_networks import AddNetwork, ChangeNetwork
from bouncer.irc.standard_replies import Refused


@pytest.mark.parametrize(
    ("given", "name", "uri"),
    [
        ({"host": "irc.test"}, "irc.test", "ircs://irc.test:6697"),
        ({"host": "irc.test", "tls": "0"}, "irc.test", "irc+insecure://irc.test:6667"),
        ({"host": "irc.test", "tls": "", "port": ""}, "irc.test", "ircs://irc.test:6697"),
        ({"host": "IRC.Test", "port": "7000"}, "IRC.Test", "ircs://irc.test:7000"),
        ({"host": "2001:db8::1", "name": ""}, "2001-db8--1", "ircs://[2001:db8::1]:6697"),
        ({"host": "h", "name": "x"}, "x", "ircs://h:6697"),
    ],
)
def test_where_a_new_network_is(given: dict[str, str], name: str, uri: str) -> None:
    """ "If the client doesn't specify the tls attribute, the server SHOULD use the default 1. If
    the client doesn't specify the port attribute, the server SHOULD use the default 6697 if tls=1
    or 6667 if tls=0." """
    found, words = adding(AddNetwork(given))
    assert found == name
    assert words == ["network", "add", "--", name, uri]


@pytest.mark.parametrize(
    ("known", "given", "uri"),
    [
        ("ircs://a:6697", {"host": "b"}, "ircs://b:6697"),
        ("ircs://a:6697", {"tls": "0"}, "irc+insecure://a:6667"),
        ("ircs://a:7000", {"tls": "0"}, "irc+insecure://a:7000"),
        ("ircs://a:7000", {"port": ""}, "ircs://a:6697"),
        ("irc+insecure://a", {"port": "7000"}, "irc+insecure://a:7000"),
        ("ircs://a?address=192.0.2.1", {"port": "7000"}, "ircs://a:7000?address=192.0.2.1"),
        ("ircs://a?address=192.0.2.1", {"host": "b"}, "ircs://b:6697"),
        ("unix:/run/s", {"host": "b", "tls": "1"}, "ircs://b:6697"),
        ("gopher://a", {"host": "b"}, "ircs://b:6697"),
    ],
)
def test_where_a_changed_network_is(known: str, given: dict[str, str], uri: str) -> None:
    assert changing(ChangeNetwork("4", given), "net", known) == ["network", "set", "--", "net", uri]


def test_everything_else_is_an_option() -> None:
    given = {"nickname": "al", "username": "u", "realname": "-- A B", "pass": "x=y", "name": "-n"}
    assert changing(ChangeNetwork("4", given), "net", "ircs://a") == [
        "network", "set", "--nick=al", "--ident=u", "--realname=-- A B", "--server-password=x=y",
        "--name=-n", "--", "net",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        *(("host", text) for text in ("", "a b", "a/b", "a@b", "a?address=::1", "a#b", "[::1]")),
        *(("port", text) for text in ("0", "65536", "-1", "x", "١", "999999")),
        *(("tls", text) for text in ("2", "yes")),
        *(("name", text) for text in ("", "a/b", "a b", "a@b")),
        *(("nickname", text) for text in ("1a", "a b", "a!b")),
        ("username", "a b"),
        ("realname", "a\nb"),
        ("pass", "a\r\nQUIT"),
    ],
)
def test_a_value_that_will_not_do_is_refused(attribute: str, value: str) -> None:
    """ "FAIL BOUNCER INVALID_ATTRIBUTE <subcommand> <netid> <attribute> :Invalid attribute
    value" """
    with pytest.raises(Refused) as refused:
        changing(ChangeNetwork("4", {attribute: value}), "net", "ircs://a")
    reply = refused.value.reply("muster.test")
    assert reply.params[1:5] == ("INVALID_ATTRIBUTE", "CHANGENETWORK", "4", attribute)
    assert reply.params[5].startswith("Invalid attribute value")
