"""What a session makes of BOUNCER. Quotes: soju.im/bouncer-networks."""

from __future__ import annotations

import pytest

from bouncer.irc.bouncer_networks import (
    CAP,
    NOTIFY,
    AddNetwork,
    Asked,
    ChangeNetwork,
    ListNetworks,
    RemoveNetwork,
)
from bouncer.session.effects import FollowNetworks, NetworkCommand
from bouncer.session.events import CapsChanged
from storage.records import Network
from tests.bouncer.session.dialogue import MODERN, Dialogue

CAPS = MODERN | {CAP, "labeled-response", "standard-replies"}


def attached(caps: frozenset[str] = CAPS, network: Network | None = None) -> Dialogue:
    talk = Dialogue(network=network)
    talk.attach(1, caps)
    talk.others.clear()
    return talk


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("listnetworks", ListNetworks()),
        ("DELNETWORK 44", RemoveNetwork("44")),
        ("ADDNETWORK name=x;host=h", AddNetwork({"name": "x", "host": "h"})),
        (
            r"CHANGENETWORK 44 :realname=Simon\sSer;pass=",
            ChangeNetwork("44", {"realname": "Simon Ser", "pass": ""}),
        ),
    ],
)
def test_what_is_asked_is_handed_on(line: str, asked: Asked) -> None:
    """ "It has a case-insensitive subcommand"; "Attributes are encoded in the message-tag
    format." """
    talk = attached()
    talk.types(1, f"@label=x BOUNCER {line}")
    assert talk.others == [NetworkCommand(1, asked, "x", batched=True)]
    assert talk.seen(1) == talk.heard() == []


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("BIND 42", "REGISTRATION_IS_COMPLETED BIND :Cannot bind to a network after registration"),
        ("FROB 42", "UNKNOWN_COMMAND FROB :Unknown subcommand"),
        ("ADDNETWORK name=x", "NEED_ATTRIBUTE ADDNETWORK host :It needs a host"),
        ("ADDNETWORK host=", "NEED_ATTRIBUTE ADDNETWORK host :It needs a host"),
        (
            "ADDNETWORK host=h;state=connected",
            "READ_ONLY_ATTRIBUTE ADDNETWORK * state :Read-only attribute",
        ),
        ("ADDNETWORK host=h;x=y", "UNKNOWN_ATTRIBUTE ADDNETWORK * x :Unknown attribute"),
        (
            "CHANGENETWORK 4 error=x",
            "READ_ONLY_ATTRIBUTE CHANGENETWORK 4 error :Read-only attribute",
        ),
        ("CHANGENETWORK 4 x=y", "UNKNOWN_ATTRIBUTE CHANGENETWORK 4 x :Unknown attribute"),
        ("CHANGENETWORK 4 :", "NEED_ATTRIBUTE CHANGENETWORK 4 :Name at least one attribute"),
        ("DELNETWORK", "INVALID_PARAMS DELNETWORK :Not enough parameters"),
    ],
)
def test_what_is_wrong_is_refused(line: str, answer: str) -> None:
    """ "FAIL BOUNCER <code> <subcommand> [context...] <description>"; "If the subcommand is
    ADDNETWORK, netid MUST be set to the special * value." """
    talk = attached()
    talk.types(1, f"@label=x BOUNCER {line}")
    assert talk.seen(1) == [f"@label=x :muster.test FAIL BOUNCER {answer}"]
    assert talk.others == talk.heard() == []


def test_without_the_capability_there_is_no_such_command() -> None:
    """ "The soju.im/bouncer-networks capability MUST be negotiated." """
    talk = attached(MODERN)
    talk.types(1, "BOUNCER LISTNETWORKS")
    assert talk.seen(1) == [":muster.test 421 me BOUNCER :Unknown command"]
    assert talk.others == talk.heard() == []


def test_the_bound_network_stands_in_isupport() -> None:
    """ "The server can advertise a BOUNCER_NETID token in its RPL_ISUPPORT message. Its optional
    value is the network ID bound for the current connection." """
    talk = Dialogue(network=Network(1, "net", "ircs://irc.test", id=42, nick="me"))
    assert "BOUNCER_NETID=42" in " ".join(talk.attach(1, CAPS))
    assert "BOUNCER_NETID" not in " ".join(talk.attach(2, MODERN))
    unbound = Dialogue(network=Network(1, "", ""))
    assert "BOUNCER_NETID" not in " ".join(unbound.attach(1, CAPS))


def test_a_client_that_picks_networks_itself_is_not_taught_how_to_log_in() -> None:
    talk = Dialogue(network=Network(1, "", ""))
    assert not [line for line in talk.attach(1, CAPS) if "log in as" in line]
    assert [line for line in talk.attach(2, MODERN) if "log in as" in line]


def test_who_wants_to_be_told_of_changes() -> None:
    """ "The soju.im/bouncer-networks-notify capability MAY be negotiated. This allows the client
    to signal that it is capable of receiving and correctly processing bouncer network
    notifications." """
    talk = Dialogue()
    talk.attach(1, CAPS | {NOTIFY})
    assert FollowNetworks(1, follows=True, batched=True) in talk.others
    talk.others.clear()
    talk.attach(2, {CAP})
    assert not [each for each in talk.others if isinstance(each, FollowNetworks)]
    talk.others.clear()
    talk.event(CapsChanged(2, frozenset({CAP, NOTIFY})))
    talk.event(CapsChanged(2, frozenset({CAP, NOTIFY, "batch"})))
    talk.event(CapsChanged(1, CAPS))
    assert talk.others == [
        FollowNetworks(2, follows=True, batched=False),
        FollowNetworks(1, follows=False, batched=True),
    ]


def test_a_password_is_not_shown_where_effects_are_logged() -> None:
    talk = attached()
    talk.types(1, "BOUNCER ADDNETWORK host=h;pass=sesame", "BOUNCER CHANGENETWORK 1 pass=sesame")
    assert "sesame" not in repr(talk.others)
