"""A client binds to a network before its registration is complete. Quotes: bouncer-networks."""

from __future__ import annotations

from base64 import b64encode

import pytest

from bouncer.irc.login import Login
from tests.bouncer.irc.newcomer import Client

BEGIN = ("CAP LS 302", "NICK al", "USER al 0 * :Al", "CAP REQ :sasl soju.im/bouncer-networks")
NETWORKS = {"4": "libera", "7": "oftc"}


def logged_in(login: str = "alice") -> Client:
    """A client that is about to end its registration."""
    client = Client()
    client.says(
        "CAP LS 302", "NICK al", "USER al 0 * :Al", "CAP REQ :sasl soju.im/bouncer-networks"
    )
    secret = b64encode(f"\0{login}\0pw".encode()).decode()
    client.says("AUTHENTICATE PLAIN", f"AUTHENTICATE {secret}")
    client.accepted("alice", NETWORKS)
    return client


def test_a_network_is_bound_before_registration() -> None:
    """ "The BIND subcommand selects an upstream network to bind to for the
    lifetime of the current connection. Clients can only send it before the connection
    registration completes." """
    client = logged_in()
    assert client.says("BOUNCER bind 7", "CAP END") == []
    assert client.us.complete
    assert client.us.login == Login("alice", "oftc", None)


def test_the_bound_network_overrides_that_of_the_login() -> None:
    client = logged_in("alice/libera@phone")
    client.says("BOUNCER BIND 7", "CAP END")
    assert client.us.login == Login("alice", "oftc", "phone")


def test_nothing_is_bound_before_the_login() -> None:
    """ "If a client sends a BIND subcommand before authentication, the server
    MAY reply with: FAIL BOUNCER ACCOUNT_REQUIRED BIND :Authentication required" """
    client = Client()
    client.says("CAP LS 302", "CAP REQ soju.im/bouncer-networks")
    assert client.says("BOUNCER BIND 4") == [
        "FAIL BOUNCER ACCOUNT_REQUIRED BIND :Authentication required"
    ]
    assert client.us.bound_network is None


def test_a_bind_that_came_with_the_login_waits_for_it() -> None:
    client = Client()
    client.says(
        "CAP LS 302", "NICK al", "USER al 0 * :Al", "CAP REQ :sasl soju.im/bouncer-networks"
    )
    secret = b64encode(b"\0alice\0pw").decode()
    lines = ("AUTHENTICATE PLAIN", f"AUTHENTICATE {secret}", "BOUNCER BIND 4", "CAP END")
    assert client.says(*lines) == ["AUTHENTICATE +"]
    assert [line[:3] for line in client.accepted("alice", NETWORKS)] == ["900", "903"]
    assert client.us.complete
    assert client.us.login.network == "libera"


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("BIND 5", "INVALID_NETID BIND 5 :Network not found"),
        ("BIND libera", "INVALID_NETID BIND libera :Network not found"),
        ("BIND", "INVALID_PARAMS BIND :Not enough parameters"),
        ("UNBIND 4", "UNKNOWN_COMMAND UNBIND :Unknown subcommand"),
    ],
)
def test_a_bind_that_is_wrong(line: str, answer: str) -> None:
    """ "If a client sends a subcommand with an invalid network ID, the server
    MUST reply with: FAIL BOUNCER INVALID_NETID <subcommand> <netid> :Network not found" """
    client = logged_in("alice/libera")
    assert client.says(f"BOUNCER {line}") == [f"FAIL BOUNCER {answer}"]
    client.says("CAP END")
    assert client.us.login.network == "libera"


def test_networks_are_listed_after_registration_alone() -> None:
    assert logged_in().says("BOUNCER LISTNETWORKS") == ["451 * :You have not registered"]


def test_without_the_capability_nothing_is_bound() -> None:
    """ "The soju.im/bouncer-networks capability MUST be negotiated." """
    assert Client().says("BOUNCER BIND 4") == ["451 * :You have not registered"]
