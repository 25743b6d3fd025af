"""Who a client says it is."""

from __future__ import annotations

import pytest

from bouncer.irc.login import MAX_PART, Login


@pytest.mark.parametrize(
    ("text", "login"),
    [
        ("alice", Login("alice")),
        ("alice/net", Login("alice", "net")),
        ("alice/net@pc", Login("alice", "net", "pc")),
        ("alice@pc/net", Login("alice", "net", "pc")),
        ("alice@pc", Login("alice", None, "pc")),
        ("alice/", Login("alice")),
        ("alice@", Login("alice")),
        ("alice/@pc", Login("alice", None, "pc")),
        ("", Login("")),
        ("/net", Login("", "net")),
        ("@pc", Login("", None, "pc")),
        ("alice/net/x", Login("alice", "net/x")),
        ("alice/net@pc@home", Login("alice", "net", "pc@home")),
    ],
)
def test_both_orders_are_understood(text: str, login: Login) -> None:
    assert Login.parse(text) == login


def test_a_login_is_written_in_one_way() -> None:
    assert str(Login.parse("alice@pc/net")) == "alice/net@pc"
    assert str(Login("alice")) == "alice"


def test_long_parts_are_cut() -> None:
    login = Login.parse("/".join(["a" * 5000, "b" * 5000]))
    assert len(login.user) == MAX_PART
    assert len(login.network or "") == MAX_PART
