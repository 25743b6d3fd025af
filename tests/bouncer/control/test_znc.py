"""The words of ZNC."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from bouncer.control import znc
from bouncer.control.actors import OPERATOR, Actor, Door
from bouncer.control.grammar import ControlError, WrongUse
from bouncer.control.registry import dispatch
from tests.bouncer.control.cases import (
    ALICE,
    CHANNEL,
    LIBERA,
)
from tests.bouncer.desks import Noted, open_desk

ZNC_BEFORE = (ALICE, "user add bob", LIBERA, CHANNEL, "ignore add alice libera *@spam.example")
ZNC_REST = {
    "AddNetwork": "oftc ircs://irc.oftc.net",
    "DelNetwork": "libera",
    "SetNick": "ally",
    "Quote": "WHOIS bob",
    "AddUser": "dave",
    "DelUser": "bob",
    "AddIgnore": "troll",
    "DelIgnore": "*@spam.example",
    "SetPassword": "correct-horse",
    "Broadcast": "going down at 5",
    "AddTrustedServerFingerprint": "sha256:" + "ab" * 32,
    "SetBindHost": "192.0.2.1",
}


@pytest.mark.parametrize("word", znc.WORDS, ids=lambda word: word.name)
async def test_the_words_of_znc_work_or_say_what_takes_their_place(
    word: znc.Word, tmp_path: Path
) -> None:
    alice = Actor(Door.SERVICE, user="alice", admin=True, network="libera")
    rest = shlex.split(ZNC_REST.get(word.name, "'#ops'")) if znc.REST in word.becomes else []
    async with open_desk(tmp_path, Noted()) as desk:
        for line in ZNC_BEFORE:
            await dispatch(line, OPERATOR, desk)
        if word.says:
            with pytest.raises(ControlError, match=re.escape(word.says)):
                await dispatch([word.name], alice, desk)
            return
        assert await dispatch([word.name.lower(), *rest], alice, desk)
        if rest:
            with pytest.raises(WrongUse, match=r"say what; it is `[a-z]+ [^{}]*…[^{}]*` here"):
                await dispatch([word.name], alice, desk)
        if znc.HERE in word.becomes and not rest:
            nowhere = replace(alice, network="")
            with pytest.raises(WrongUse, match="say which network"):
                await dispatch([word.name], nowhere, desk)
            assert await dispatch([word.name, "libera"], nowhere, desk)
        with pytest.raises(WrongUse, match="there is no"):
            await dispatch([word.name, *rest], OPERATOR, desk)  # for the service alone


async def test_disconnect_does_not_read_as_connect(tmp_path: Path) -> None:
    alice = Actor(Door.SERVICE, user="alice", network="libera")
    async with open_desk(tmp_path, Noted()) as desk:
        for line in ZNC_BEFORE:
            await dispatch(line, OPERATOR, desk)
        for word, on in ("Disconnect", "false"), ("Connect", "true"):
            said = await dispatch(word, alice, desk)
            assert said == [f"network libera of alice changed: enabled {on}"]


@pytest.mark.parametrize("network", ["libera", ""])
async def test_a_text_is_sent_as_it_was_typed(network: str, tmp_path: Path) -> None:
    alice = Actor(Door.SERVICE, user="alice", admin=True, network=network)
    here = "" if network else "libera "
    async with open_desk(tmp_path, live := Noted()) as desk:
        for line in ZNC_BEFORE:
            await dispatch(line, OPERATOR, desk)
        await dispatch(f"""quote {here}PRIVMSG #ops :it's "so"  --really""", alice, desk)
        await dispatch('Broadcast it\'s "late"', alice, desk)
    assert live.quoted == [("alice", "libera", """PRIVMSG #ops :it's "so"  --really""")]
    assert live.notices == ['it\'s "late"']
