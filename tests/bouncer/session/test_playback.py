"""Backlog: each client gets what it missed, once; the cursor moves on confirmed delivery only."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bouncer.irc.wire import Message
from bouncer.session.effects import PlayBack
from bouncer.session.events import Attached
from tests.bouncer.session.dialogue import MODERN, PAGE, Dialogue, texts


def test_each_client_gets_its_own_backlog() -> None:
    talk = Dialogue()
    talk.connect()
    talk.attach(1, name="desk")
    talk.attach(2, name="phone")
    talk.says(":bob!b@h PRIVMSG #ops :one")
    phone = talk.leaves(2)
    talk.says(":bob!b@h PRIVMSG #ops :two")
    desk = talk.leaves(1)
    talk.says(":bob!b@h PRIVMSG #ops :three")
    assert texts(talk.attach(3, name="phone", delivered_id=phone)) == ["two", "three"]
    assert texts(talk.attach(4, name="desk", delivered_id=desk)) == ["three"]


def test_more_than_a_page_comes_whole_and_in_order() -> None:
    talk = Dialogue()
    talk.connect()
    said = [f"line {n}" for n in range(PAGE * 3 + 7)]
    talk.says(*(f":bob!b@h PRIVMSG #ops :{text}" for text in said))
    assert texts(talk.attach(1)) == said
    assert texts(talk.attach(2, caps=("server-time",))) == said


def test_an_old_client_gets_the_time_in_the_text() -> None:
    talk = Dialogue()
    talk.connect("server-time")
    talk.says(
        "@time=2026-01-02T03:04:05.678Z :bob!b@h PRIVMSG #ops :hello",
        "@time=2026-01-02T03:04:06.000Z :bob!b@h PRIVMSG #ops :\x01ACTION waves\x01",
    )
    assert talk.attach(1, caps=())[-2:] == [
        ":bob!b@h PRIVMSG #ops :[2026-01-02 03:04:05] hello",
        ":bob!b@h PRIVMSG #ops :\x01ACTION [2026-01-02 03:04:06] waves\x01",
    ]


def test_a_batch_frames_each_conversation() -> None:
    """IRCv3 chathistory: "the batch MUST have type chathistory and take a single additional
    parameter, the canonical name of the target being queried"."""
    talk = Dialogue()
    talk.connect()
    talk.says(":bob!b@h PRIVMSG #ops :a", ":bob!b@h PRIVMSG me :b", ":bob!b@h PRIVMSG #ops :c")
    lines = [Message.parse(line) for line in talk.attach(1)]
    frames = [m.params for m in lines if m.command == "BATCH"]
    assert [frame[1:] for frame in frames] == [
        ("chathistory", "#ops"), (), ("chathistory", "bob"), ()
    ]  # fmt: skip
    inside = [m for m in lines if "batch" in m.tags]
    assert [m.params[-1] for m in inside] == ["a", "c", "b"]


def test_the_cursor_moves_on_a_pong_and_not_before() -> None:
    talk = Dialogue()
    talk.connect()
    talk.attach(1)
    talk.says(":bob!b@h PRIVMSG #ops :seen")
    (ping,) = [line for line in talk.down[1] if line.startswith("PING")]
    talk.types(1, ping.replace("PING", "PONG"))
    talk.says(":bob!b@h PRIVMSG #ops :lost on the way")
    assert talk.leaves(1, clean=False) == talk.kept[0].id


def test_a_pong_cannot_confirm_what_was_not_sent() -> None:
    talk = Dialogue()
    talk.connect()
    talk.attach(1)
    talk.says(":bob!b@h PRIVMSG #ops :one")
    talk.types(1, "PONG :muster-99999", "PONG :muster-", "PONG :muster-x", "PONG")
    assert talk.leaves(1, clean=False) <= talk.kept[0].id


def test_a_clean_end_confirms_everything() -> None:
    talk = Dialogue()
    talk.connect()
    talk.attach(1)
    talk.says(":bob!b@h PRIVMSG #ops :one", ":bob!b@h PRIVMSG #ops :two")
    assert talk.leaves(1) == talk.kept[1].id


def test_own_messages_are_not_played_back_to_the_client_that_said_them() -> None:
    talk = Dialogue()
    talk.connect()
    talk.attach(1, caps=())
    talk.types(1, "PRIVMSG #ops :mine")
    assert texts(talk.attach(2, caps=(), delivered_id=talk.leaves(1))) == []


class SlowDisk(Dialogue):
    """Pages are read when `reads` is called, and not before."""

    def __init__(self) -> None:
        super().__init__()
        self.wanted: list[PlayBack] = []

    def _read_page(self, wanted: PlayBack) -> None:
        self.wanted.append(wanted)

    def reads(self) -> None:
        while self.wanted:
            super()._read_page(self.wanted.pop(0))


def test_nor_when_they_were_said_while_it_still_caught_up() -> None:
    talk = SlowDisk()
    talk.connect()
    talk.says(":bob!b@h PRIVMSG #ops :missed")
    talk.attach(1, MODERN - {"echo-message"})
    talk.types(1, "PRIVMSG #ops :mine")
    talk.says(":bob!b@h PRIVMSG #ops :theirs")
    talk.reads()
    assert texts(talk.seen(1)) == ["missed", "theirs"]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("net"), st.integers(1, 3)),
        st.tuples(st.just("say"), st.integers(1, 3)),
        st.tuples(st.just("attach"), st.integers(1, 3)),
        st.tuples(st.just("read"), st.integers(1, 3)),
        st.tuples(st.just("leave"), st.integers(1, 3)),
        st.tuples(st.just("vanish"), st.integers(1, 3)),
        st.tuples(st.just("pong"), st.integers(1, 3)),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_nothing_is_lost_and_only_the_unconfirmed_is_repeated(
    steps: list[tuple[str, int]],
) -> None:
    """The model is the plain list of what was said. Each client, over all of its connections, has
    it whole and in order; a line comes again only after an end that confirmed nothing."""
    talk = Dialogue()
    talk.connect()
    said: list[str] = []
    cursors = dict.fromkeys((1, 2, 3), 0)
    got: dict[int, list[str]] = {1: [], 2: [], 3: []}
    pings: dict[int, list[str]] = {1: [], 2: [], 3: []}
    vanished: set[int] = set()
    known: set[int] = set()

    def read(client: int) -> None:
        lines, talk.down[client] = talk.down[client], []
        pings[client] += [line for line in lines if "PING :muster" in line]
        got[client] += texts(lines)

    def attach(client: int) -> None:
        known.add(client)
        talk.down[client] = []
        talk.event(Attached(client, "", "me", MODERN, cursors[client]))

    for step, client in steps:
        talk.now_ms += 700
        attached = client in talk.down
        match step:
            case "net":
                said.append(f"n{len(said)}")
                talk.says(f":bob!b@h PRIVMSG #ops :{said[-1]}")
            case "say" if attached:
                said.append(f"s{len(said)}")
                talk.types(client, f"PRIVMSG #ops :{said[-1]}")
            case "attach" if not attached:
                attach(client)
            case "read" if attached:
                read(client)
            case "leave" if attached:
                read(client)
                pings[client].clear()
                cursors[client] = talk.leaves(client)
            case "vanish" if attached:  # what it has not read is lost on the way
                vanished.add(client)
                pings[client].clear()
                cursors[client] = talk.leaves(client, clean=False)
            case "pong" if attached and pings[client]:
                talk.types(client, pings[client].pop(0).replace("PING", "PONG"))
    for client in known:
        if client not in talk.down:
            attach(client)
        read(client)
        assert list(dict.fromkeys(got[client])) == said
        if client not in vanished:
            assert got[client] == said


def test_who_wants_no_history_has_it_behind_them() -> None:
    """Once the switch is turned, what was said before is not played to it after all."""
    talk = Dialogue()
    talk.connect()
    talk.says(":bob!b@h PRIVMSG #ops :one", ":bob!b@h PRIVMSG #ops :two")
    talk.down[1] = []
    talk.event(Attached(1, "bot", "me", MODERN, 0, autoplay=False))
    assert texts(talk.seen(1)) == []
    assert talk.leaves(1) == talk.kept[-1].id
