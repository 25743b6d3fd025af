"""Channels that their network renames. Quotes: IRCv3 channel-rename."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bouncer.hub.errands import errand_of
from bouncer.irc.wire import Message
from bouncer.session.effects import KeepMark, RenameChannel
from bouncer.session.events import ChannelsWanted
from storage import accounts
from storage.message import Renamed, Row
from storage.records import Channel, Network, User
from storage.store import open_store
from tests.bouncer.session.dialogue import MODERN, Dialogue, texts

CAP = "draft/channel-rename"
RENAME = ":bob!b@h RENAME #ops #Team :Typo fix"


def connected() -> Dialogue:
    talk = Dialogue()
    talk.connect(CAP)
    talk.says(":bob!b@h TOPIC #ops :what we do")
    talk.attach(1, MODERN | {CAP})
    talk.attach(2, ())
    return talk


def test_who_does_not_know_renames_sees_the_channel_left_and_entered() -> None:
    """ "Send the client a PART message for the old channel name, with part message matching the
    rename reason if given"; "Send the client a JOIN message followed by the usual messages that
    would be sent if the client had joined the new channel normally" """
    talk = connected()
    talk.says(RENAME)
    (line,) = talk.seen(1)
    assert line.endswith(":bob!b@h RENAME #ops #Team :Typo fix")
    seen = [Message.parse(line) for line in talk.seen(2)]
    assert [m.command for m in seen] == ["PART", "JOIN", "332", "333", "353", "366"]
    assert seen[0].params == ("#ops", "Typo fix")
    assert {m.params[0] if m.command == "JOIN" else m.params[-2] for m in seen[1:3]} == {"#Team"}
    assert sorted(seen[4].params[-1].split()) == ["@me", "bob"]
    talk.says(":bob!b@h PRIVMSG #Team :hi")
    assert texts(talk.seen(2)) == ["hi"]


def test_another_case_alone_is_not_shown_as_leaving() -> None:
    """ "This fallback SHOULD NOT be used if the rename only changes the case of the channel name,
    as defined by the casemapping in use on the server." """
    talk = connected()
    talk.says(":bob!b@h RENAME #ops #OPS :")
    assert len(talk.seen(1)) == 1
    assert talk.seen(2) == []
    assert talk.session.wanted == {"#ops": ("#OPS", "")}


def test_a_renamed_channel_is_wanted_by_its_new_name_with_its_settings() -> None:
    """ "A channel rename preserves all channel state, such as membership, mode and topic." """
    talk = connected()
    talk.event(ChannelsWanted((("#ops", "k"),), (Channel(1, "#ops", detached=True),)))
    talk.seen(2)
    talk.says(RENAME)
    assert RenameChannel("#ops", "#Team") in talk.others
    assert talk.session.wanted == {"#team": ("#Team", "k")}
    assert list(talk.session.state.channels) == ["#team"]
    talk.says(":bob!b@h PRIVMSG #Team :nobody sees this")
    assert talk.seen(2) == [], "it is detached still"
    talk.passes(120_000)
    assert not [line for line in talk.heard() if line.startswith("JOIN")]


def test_the_one_who_renames_has_it_as_the_answer() -> None:
    talk = connected()
    talk.attach(3, MODERN | {"labeled-response"})
    talk.types(3, "@label=r RENAME #ops #Team")
    sent, ping = talk.heard()
    assert sent == "RENAME #ops #Team"
    talk.says(":me!user@host RENAME #ops #Team :")
    talk.says(f":irc.test PONG irc.test {ping.removeprefix('PING ')}")
    seen = talk.seen(3)
    assert seen[0].startswith("@label=r ")
    assert "PART #ops" in seen[1]
    assert "PART #ops" in "".join(talk.seen(2))


@pytest.mark.parametrize("line", ["RENAME #else #Team :", "RENAME #ops", "RENAME #ops : :"])
def test_what_is_no_rename_of_ours_changes_nothing(line: str) -> None:
    talk = connected()
    talk.says(f":bob!b@h {line}")
    assert talk.session.wanted == {"#ops": ("#ops", "")}
    assert list(talk.session.state.channels) == ["#ops"]
    assert talk.seen(2) == []


def test_what_was_renamed_while_we_were_away_is_joined_by_its_new_name() -> None:
    """ "send a FAIL JOIN CHANNEL_RENAMED message to clients attempting to join the old channel
    name" """
    talk = connected()
    talk.says(":bob!b@h KICK #ops me :for a moment")
    talk.passes(70_000)
    assert "JOIN #ops" in talk.heard()
    talk.says("FAIL JOIN CHANNEL_RENAMED #ops #Team :The channel has been renamed")
    assert talk.heard() == ["JOIN #Team"]
    assert RenameChannel("#ops", "#Team") in talk.others
    talk.says("FAIL JOIN CHANNEL_RENAMED #unknown #x :The channel has been renamed")
    assert talk.heard() == []


def test_what_was_said_and_noted_goes_along() -> None:
    """ "A channel rename preserves all channel state" """
    talk = Dialogue()
    talk.connect(CAP)
    session = talk.session
    session.markers.move("#ops", 5_000)
    session.marks.put("#ops", "#ops", "soju.im/pinned", "1")
    session.marks.put("#team", "#team", "soju.im/muted", "1")
    talk.attach(1, MODERN | {CAP, "draft/read-marker", "draft/metadata-2"})
    talk.types(1, "METADATA * SUB soju.im/pinned")
    talk.seen(1)
    before, after = ":bob!b@h PRIVMSG #ops :before", ":bob!b@h PRIVMSG #Team :after"
    kept = talk.says(before, RENAME, after).keep
    assert [type(each) for each in kept] == [Row, Renamed, Row]
    assert kept[1] == Renamed(1, "#ops", "#team", "#Team")
    assert session.marks.of("#ops") == {}
    assert session.marks.of("#team") == {"soju.im/pinned": "1", "soju.im/muted": "1"}
    assert talk.others[-3:] == [
        KeepMark("#ops", "soju.im/pinned", ""),
        KeepMark("#team", "soju.im/pinned", "1"),
        RenameChannel("#ops", "#Team"),
    ]
    said = [str(Message.parse(line)._replace(raw_tags="")) for line in talk.seen(1)]
    assert said == [
        before,
        ":muster.test METADATA #ops soju.im/pinned *",
        ":muster.test METADATA #Team soju.im/pinned * 1",
        RENAME,
        ":muster.test MARKREAD #Team timestamp=1970-01-01T00:00:05.000Z",
        after,
    ]


async def test_the_store_keeps_it_with_its_settings(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path}/muster.db") as store:
        owner = await store.run(accounts.add_user, User("bob"))
        net = await store.run(accounts.add_network, Network(owner.id, "net", "irc://irc.test"))
        ops = Channel(net.id, "#ops", key="k", always_notify=True)
        ops = await store.run(accounts.put_channel, ops)
        await store.run(accounts.put_channel, Channel(net.id, "#team"))
        for old, new in (("#ops", "#Team"), ("#Team", "#TEAM")):
            errand = errand_of(RenameChannel(old, new), store, net.id)
            assert errand is not None
            await errand()
            (kept,) = await store.read(accounts.list_channels, net.id)
            assert replace(kept, id=ops.id) == replace(ops, name=new)


def test_others_hear_a_channel_by_the_name_that_its_network_gives_it() -> None:
    talk = Dialogue()
    talk.connect()
    talk.attach(1, MODERN)
    talk.attach(2, ())
    talk.types(1, "PRIVMSG #OPS :shouted", "PRIVMSG BOB :there")
    assert [line.split()[1] for line in talk.heard()] == ["#OPS", "BOB"]
    assert [row.name for row in talk.kept] == ["#ops", "bob"]
    assert talk.seen(2) == [":me!user@host PRIVMSG #ops :shouted"]
