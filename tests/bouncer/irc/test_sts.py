"""IRCv3 sts: its value, and how clients are told of it. Quotes: the specification."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncer.irc.caps import TOLD, offered
from bouncer.irc.sts import MAX_DURATION_S, MAX_PORT, Policy
from tests.bouncer.irc.newcomer import Client

STS = "duration=2592000,port=6697"


@pytest.mark.parametrize(
    ("value", "policy"),
    [
        (STS, Policy(2_592_000, 6697)),
        ("port=6697", Policy(None, 6697)),
        # "Clients MUST ignore every token with a key that they don't understand."
        ("preload,duration=0,x=y", Policy(0, None)),
        ("port=0,duration=-1", Policy()),
        ("port=66000,duration=٣", Policy()),
        ("", Policy()),
    ],
)
def test_a_policy_is_read(value: str, policy: Policy) -> None:
    assert Policy.parse(value) == policy


@given(st.text(alphabet="durationpt=,0123456789 ٣-"))
def test_any_value_is_a_policy(value: str) -> None:
    duration_s, port = Policy.parse(value)
    assert duration_s is None or 0 <= duration_s <= MAX_DURATION_S
    assert port is None or 0 < port <= MAX_PORT


def test_clients_are_told_of_it_where_it_is_configured() -> None:
    """ "this capability MUST be made available as an optional configuration setting" """
    assert "sts" not in offered()
    lines = Client(offered(serving={"sts": STS})).says("CAP LS 302")
    assert lines[0].startswith(f"CAP * LS * :sts={STS} sasl=")
    # "the capability has a REQUIRED value", and only version 302 knows values
    assert "sts" not in " ".join(Client(offered(serving={"sts": STS})).says("CAP LS"))


@pytest.mark.parametrize("name", sorted(TOLD))
def test_what_is_only_told_cannot_be_requested(name: str) -> None:
    """sts: "Clients MUST NOT request this capability (CAP REQ). Servers MAY reply with a CAP NAK
    message if a client requests this capability"; soju.im/account-required: "servers MUST reject
    any CAP REQ command including this capability" """
    client = Client(offered(serving={"sts": STS}))
    assert name in " ".join(client.says("CAP LS 302"))
    assert client.says(f"CAP REQ :batch {name}") == [f"CAP * NAK :batch {name}"]
    assert client.us.caps == {"cap-notify"}


def test_it_is_never_taken_back_while_a_client_is_there() -> None:
    """ "Servers MUST NOT send CAP DEL to disable this capability" """
    client = Client(offered(serving={"sts": STS}))
    client.says("CAP LS 302")
    client.us.nick = "al"
    changed = offered({"away-notify"}, serving={"sts": STS})
    assert client.told([*client.us.change_offer(changed)]) == ["CAP * NEW :away-notify"]
