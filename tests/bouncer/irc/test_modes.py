"""Mode strings: which letter takes an argument is the server's to say."""

from __future__ import annotations

import pytest

from bouncer.irc.isupport import ISupport
from bouncer.irc.modes import ModeChange, parse_modes, parse_user_modes


@pytest.fixture
def isupport() -> ISupport:
    isupport = ISupport()
    isupport.update(
        ["me", "CHANMODES=beI,k,lf,imnpst", "PREFIX=(qov)~@+", "are supported by this server"]
    )
    return isupport


def test_arguments_go_to_the_letters_that_take_them(isupport: ISupport) -> None:
    # The `irc` library takes an argument for "bklvohq" alone: here q and f would shift the rest.
    assert parse_modes(isupport, ["+qfo-lk", "alice", "5:1", "bob", "key"]) == [
        ModeChange(True, "q", "alice"),
        ModeChange(True, "f", "5:1"),
        ModeChange(True, "o", "bob"),
        ModeChange(False, "l", None),  # type C: "MUST NOT have a parameter when being unset"
        ModeChange(False, "k", "key"),
    ]


def test_a_list_may_be_asked_for_without_an_argument(isupport: ISupport) -> None:
    assert parse_modes(isupport, ["b"]) == [ModeChange(True, "b", None)]
    assert parse_modes(isupport, ["+be", "x!*@*"]) == [
        ModeChange(True, "b", "x!*@*"),
        ModeChange(True, "e", None),
    ]


def test_several_mode_strings_in_one_line(isupport: ISupport) -> None:
    assert parse_modes(isupport, ["+o", "bob", "-v+i", "bob"]) == [
        ModeChange(True, "o", "bob"),
        ModeChange(False, "v", "bob"),
        ModeChange(True, "i", None),
    ]


def test_an_argument_may_look_like_modes(isupport: ISupport) -> None:
    assert parse_modes(isupport, ["+k", "-o+v"]) == [ModeChange(True, "k", "-o+v")]


def test_arguments_nobody_wants_are_dropped(isupport: ISupport) -> None:
    assert parse_modes(isupport, ["+i", "x", "y"]) == [ModeChange(True, "i", None)]
    assert parse_modes(isupport, []) == []
    assert parse_modes(isupport, ["", ""]) == []
    assert parse_modes(isupport, ["+-+"]) == []


def test_user_modes_take_no_arguments() -> None:
    assert parse_user_modes(["+io-w", "o"]) == [
        ModeChange(True, "i"), ModeChange(True, "o"), ModeChange(False, "w"),
    ]  # fmt: skip
    assert parse_user_modes([]) == []
