"""ZNC's own command `ZNC [*module] text…`, as clients that know ZNC speak to its modules."""

from __future__ import annotations

from pathlib import Path

from bouncer.session.arrival import FETCH_MS
from bouncer.session.effects import ServiceCommand
from bouncer.session.events import Tick
from tests.bouncer.session.dialogue import MODERN, Dialogue, texts
from tests.bouncer.session.stored import stored

PLAYBACK = MODERN | {"znc.in/playback"}


def test_who_asks_for_each_channel_gets_all_that_it_missed_at_once_and_once() -> None:
    """The Lounge asks for what it shows, by the second; for private messages it never asks."""
    talk = Dialogue()
    talk.connect()
    talk.says(":bob!b@h PRIVMSG #ops :one", ":bob!b@h PRIVMSG me :two")
    talk.attach(1, PLAYBACK)
    talk.types(1, "ZNC *playback PLAY #ops 0")
    assert sorted(texts(talk.seen(1))) == ["one", "two"]
    talk.types(1, "ZNC *playback PLAY bob 0", "ZNC *playback PLAY #ops 1800000000")
    talk.passes(FETCH_MS)
    talk.event(Tick())
    assert texts(talk.seen(1)) == []
    assert talk.heard() == []
    assert talk.leaves(1) >= talk.kept[-1].id


async def test_who_asks_for_everything_gets_what_it_asks_for(tmp_path: Path) -> None:
    async with stored(tmp_path) as talk:
        talk.connect("server-time")
        for second in (5, 6, 7):
            talk.says(f"@time=2026-01-02T03:04:0{second}.500Z :bob!b@h PRIVMSG #ops :{second}")
        talk.attach(1, PLAYBACK)
        assert texts(await talk.ask(1, "ZNC *playback PLAY * 1767323045.5")) == ["6", "7"]


async def test_a_bracket_in_a_nick_is_no_wildcard(tmp_path: Path) -> None:
    """ZNC's wildcards are `*` and `?`; nicks may have brackets, which ASCII folding leaves so."""
    async with stored(tmp_path) as talk:
        talk.connect(isupport="CHANTYPES=# CASEMAPPING=ascii")
        talk.says(":bob[w]!b@h PRIVMSG me :one", ":bobw!b@h PRIVMSG me :two")
        talk.attach(1, PLAYBACK)
        assert texts(await talk.ask(1, "PRIVMSG *playback :PLAY bob[w] 0")) == ["one"]
        assert texts(await talk.ask(1, "PRIVMSG *playback :PLAY bob?w* 0")) == ["one"]


def test_every_other_word_is_for_the_status_module() -> None:
    talk = Dialogue()
    talk.connect()
    talk.attach(1)
    talk.others.clear()
    talk.types(1, "ZNC ListNetworks", "ZNC *status :network list", "ZNC help network add")
    assert talk.others == [
        ServiceCommand(1, "*status", "ListNetworks"),
        ServiceCommand(1, "*status", "network list"),
        ServiceCommand(1, "*status", "help network add"),
    ]
    assert talk.heard() == []
