"""Lobby and room as the network shows them: the room is private once it obeys us."""

from __future__ import annotations

from datetime import date

from bouncer.irc.state import NetworkState
from bouncer.irc.wire import Message
from fallback.config import NetworkConfig
from fallback.networks.venue import Venue

CONFIG = NetworkConfig.model_validate(
    {
        "name": "pub",
        "addresses": ["ircs://irc.example.net"],
        "nick": "fb",
        "lobby": "#Lobby",
        "room": "#room",
        "room_key": "sesame",
    }
)


NOW = 1_767_225_600.0  # 2026-01-01
DAY_S = 86_400.0


class Scene:
    """A venue on a network whose lines are pasted in."""

    def __init__(self, *tokens: str, **changes: object) -> None:
        self.state = NetworkState("fb")
        self.venue = Venue(CONFIG.model_copy(update=changes), self.state)
        self.hears(":s 001 fb :Welcome fb!~f@host", f":s 005 fb CHANTYPES=# {' '.join(tokens)} :ok")

    def hears(self, *lines: str, identified: bool = False) -> list[str]:
        """What is sent after the last of these lines."""
        sent: list[Message] = []
        for line in lines:
            message = Message.parse(line)
            self.state.receive(message)
            if message.command in ("MODE", "324", "366"):
                sent = self.venue.modes_seen(message, identified=identified)
        return [str(message) for message in sent]

    def is_in(self, *names: str, op: bool = False) -> None:
        for name in names:
            self.hears(
                f":fb!~f@host JOIN {name}",
                f":s 353 fb = {name} :{'@' if op else ''}fb",
                f":s 366 fb {name} :End",
            )


def test_it_joins_what_it_is_not_in() -> None:
    scene = Scene()
    assert [str(each) for each in scene.venue.moves(NOW)] == ["JOIN #Lobby", "JOIN #room sesame"]
    scene.is_in("#lobby")
    assert [str(each) for each in scene.venue.moves(NOW)] == ["JOIN #room sesame"]
    assert not scene.venue.stands


def test_after_a_move_it_stands_in_the_former_place_too_for_14_days() -> None:
    """ "Changing the place announces old and new for 14 days": most channels take nothing from
    outside."""
    scene = Scene(former_lobby="#old", former_room="#oldroom", moved=date(2026, 1, 1))
    scene.is_in("#lobby", "#room")
    assert [str(each) for each in scene.venue.moves(NOW)] == ["JOIN #old", "JOIN #oldroom"]
    scene.is_in("#OLD")
    assert scene.venue.stands
    assert not Scene(former_lobby="#old", moved=date(2026, 1, 1)).venue.stands
    assert [str(each) for each in scene.venue.moves(NOW + 14 * DAY_S)] == ["JOIN #oldroom"]
    assert [str(each) for each in scene.venue.moves(NOW + 15 * DAY_S)] == [
        "PART #old :moved to #Lobby"
    ]


def test_a_refused_room_does_not_silence_the_lobby() -> None:
    scene = Scene()
    scene.is_in("#lobby")
    refused = Message.parse(":s 473 fb #ROOM :Cannot join (+i)")
    assert scene.venue.refuses(refused, identified=False) == []
    assert scene.venue.stands
    asked = scene.venue.refuses(refused, identified=True)
    assert [str(each) for each in asked] == ["PRIVMSG ChanServ :INVITE #room"]


def test_as_operator_it_sets_what_is_missing_once() -> None:
    scene = Scene("INVEX")
    scene.is_in("#room", op=True)
    assert scene.hears(":s 324 fb #room +nts") == ["MODE #room +I *!~f@host", "MODE #room +im"]
    assert scene.hears(":s MODE #room +nt") == []


def test_identified_and_no_operator_it_asks_chanserv_now_and_then() -> None:
    """Services may be away just then; or somebody takes the rights away later."""
    scene, asked = Scene(), "PRIVMSG ChanServ :OP #room fb"
    scene.is_in("#lobby", "#room")
    assert scene.hears(":s 324 fb #room +nt", identified=True) == [asked]
    assert scene.hears(":s 324 fb #room +nt", identified=True) == []

    def again(now_s: float) -> list[str]:
        return [str(each) for each in scene.venue.moves(now_s)]

    assert again(NOW) == again(NOW + 299) == []
    assert again(NOW + 300) == [asked]
    assert again(NOW + 599) == []
    scene.hears(":ChanServ!s@services. MODE #room +o fb", identified=True)
    assert again(NOW + 900) == []
    assert scene.hears(":eve!e@h MODE #room -o fb", identified=True) == [asked]
    assert again(NOW + 1000) == []
    assert again(NOW + 1300) == [asked]


def test_it_leaves_other_channels_alone() -> None:
    scene = Scene()
    scene.is_in("#lobby", "#elsewhere", op=True)
    assert scene.hears(":s 324 fb #lobby +nt", ":s 324 fb #elsewhere +nt") == []


def test_with_whox_it_asks_who_is_who() -> None:
    scene = Scene("WHOX")
    assert [str(each) for each in scene.venue.entered("#lobby")][1].startswith("WHO #lobby %")


def test_alone_in_a_room_that_obeys_nobody_it_makes_it_anew() -> None:
    """RFC 1459 1.3: "the channel is created and the creating user becomes a channel operator". So
    it gets its rights back where no services are, once its own ghost is gone."""
    scene = Scene()
    scene.is_in("#lobby")
    scene.hears(":fb!~f@host JOIN #room", ":s 353 fb = #room :@ghost fb", ":s 366 fb #room :End")
    scene.hears(":s 324 fb #room +ims")
    assert scene.venue.moves(NOW, identified=False) == [], "somebody else is there"
    scene.hears(":ghost!g@h QUIT :Ping timeout")
    assert scene.venue.moves(NOW) == [], "services will give us the rights"
    moves = [str(each) for each in scene.venue.moves(NOW, identified=False)]
    assert moves == ["PART #room :making it anew", "JOIN #room sesame"]
    scene.hears(":s MODE #room +o fb")
    assert scene.venue.moves(NOW, identified=False) == []


def test_a_room_that_outlives_its_members_is_not_left() -> None:
    for modes in ("+imsr", "+imsP"):
        scene = Scene()
        scene.is_in("#lobby", "#room")
        assert scene.venue.moves(NOW, identified=False) == [], "its modes are not known yet"
        scene.hears(f":s 324 fb #room {modes}")
        assert scene.venue.moves(NOW, identified=False) == []
