"""IRCv3 chathistory on a real store, and what a client gets that could fetch and does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from bouncer.irc.wire import Message
from bouncer.session.arrival import FETCH_MS
from bouncer.session.clients import MAX_PAGE_ENDS
from bouncer.session.effects import Lookup, PlayBack
from bouncer.session.events import Tick
from bouncer.session.lookups import ReadHistory
from storage import messages
from tests.bouncer.session.dialogue import MODERN, Dialogue, texts
from tests.bouncer.session.stored import Stored, stored

FETCHING = MODERN | {"draft/chathistory"}
EVENTS = FETCHING | {"draft/event-playback", "extended-join"}
TIME = "2026-01-02T03:04:05.678Z"
SAID = [f"line {n}" for n in range(500)]


async def say_500_of_one_millisecond(talk: Stored, msgids: bool) -> None:
    talk.connect("message-tags server-time")
    talk.says(
        *(
            f"@time={TIME}{f';msgid=x{n}' if msgids else ''} :bob!b@h PRIVMSG #ops :{text}"
            for n, text in enumerate(SAID)
        )
    )
    await talk.settle()
    talk.attach(1, FETCHING)


def page(lines: list[str]) -> list[tuple[str, str]]:
    """(msgid, text) of each message of an answer, which is one batch."""
    messages = [Message.parse(line) for line in lines]
    assert messages[0].params[1:] == ("chathistory", "#ops")
    assert messages[-1].params[0] == "-" + messages[0].params[0][1:]
    return [(m.tags["msgid"], m.params[-1]) for m in messages[1:-1]]


async def test_who_pages_on_from_a_page_it_has_is_searched_no_place(tmp_path: Path) -> None:
    async with stored(tmp_path) as talk:
        await say_500_of_one_millisecond(talk, msgids=True)
        (first, _), *_, (last, _) = page(await talk.ask(1, "CHATHISTORY LATEST #ops * 7"))
        for asked in (f"BEFORE #ops msgid={first}", f"BETWEEN #ops msgid={last} msgid={first}"):
            talk.types(1, f"CHATHISTORY {asked} 7")
        asked_for = [other.question for other in talk.others if isinstance(other, Lookup)]
        numbers = [question.numbers for question in asked_for if isinstance(question, ReadHistory)]
        rows = await talk.store.read(messages.latest, talk.network.id, "#ops", 7)
        ends = rows[0].id, rows[-1].id
        assert numbers == [ends[:1], ends[::-1]]
        client = talk.session.clients.by_id[1]
        for row in rows * MAX_PAGE_ENDS:
            client.has_page([row._replace(msgid=f"{row.msgid}{len(client.page_ends)}")])
        assert len(client.page_ends) <= MAX_PAGE_ENDS


@pytest.mark.parametrize("msgids", [True, False], ids=["msgids of the network", "our own"])
@pytest.mark.parametrize("size", [1, 7, 100, 500])
async def test_pages_by_msgid_return_every_message_of_one_millisecond(
    tmp_path: Path, msgids: bool, size: int
) -> None:
    """ "Servers SHOULD provide clients with a consistent message order [...] which determinately
    orders any two messages (even if they share a timestamp); this will allow BEFORE, AFTER, and
    BETWEEN queries that use msgids for pagination to function as expected." """
    async with stored(tmp_path) as talk:
        await say_500_of_one_millisecond(talk, msgids)
        said = SAID if size > 1 else SAID[-20:]
        newest = page(await talk.ask(1, f"CHATHISTORY LATEST #ops * {size}"))
        seen = newest
        while len(seen) < len(said):
            seen = (
                page(await talk.ask(1, f"CHATHISTORY BEFORE #ops msgid={seen[0][0]} {size}")) + seen
            )
        assert [text for _, text in seen] == said
        first, last = seen[0], seen[-1]
        forth = [first]
        while more := page(
            await talk.ask(1, f"CHATHISTORY AFTER #ops msgid={forth[-1][0]} {size}")
        ):
            forth += more
        assert forth == seen
        between = [first]
        while more := page(
            await talk.ask(
                1, f"CHATHISTORY BETWEEN #ops msgid={between[-1][0]} msgid={last[0]} {size}"
            )
        ):
            between += more
        assert between == seen[:-1]
        back = [last]
        while more := page(
            await talk.ask(
                1, f"CHATHISTORY BETWEEN #ops msgid={back[0][0]} msgid={first[0]} {size}"
            )
        ):
            back = more + back
        assert back == seen[1:]
        for known in (0, len(seen) // 2, len(seen) - 1):
            latest = page(
                await talk.ask(1, f"CHATHISTORY LATEST #ops msgid={seen[known][0]} {size}")
            )
            assert latest == seen[known + 1 :][-size:]
        for middle in (0, len(seen) // 2, len(seen) - 1):
            around = page(
                await talk.ask(1, f"CHATHISTORY AROUND #ops msgid={seen[middle][0]} {size}")
            )
            assert seen[middle] in around
            assert len(around) == size
            start = len(SAID) - len(seen) + seen.index(around[-1]) - size + 1
            assert [text for _, text in around] == SAID[start : start + size]


@pytest.mark.parametrize("command", ["BEFORE", "AFTER", "LATEST"])
async def test_a_timestamp_is_exclusive_where_its_millisecond_fits(
    tmp_path: Path, command: str
) -> None:
    """ "before and excluding the given timestamp", "after and excluding" """
    async with stored(tmp_path) as talk:
        talk.connect("message-tags server-time")
        for n, second in enumerate((4, 5, 5, 6)):
            talk.says(f"@time=2026-01-02T03:04:0{second}.000Z :bob!b@h PRIVMSG #ops :{n}")
        talk.attach(1, FETCHING)
        lines = await talk.ask(
            1, f"CHATHISTORY {command} #ops timestamp=2026-01-02T03:04:05.000Z 10"
        )
        assert texts(lines) == (["0"] if command == "BEFORE" else ["3"])


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("AROUND timestamp=2026-01-02T03:04:05.000Z 3", ["0", "1", "2"]),
        ("AROUND timestamp=2026-01-02T03:04:05.500Z 2", ["2", "3"]),
        ("BETWEEN timestamp=2026-01-02T03:04:04.000Z timestamp=2026-01-02T03:04:06.000Z 9", "12"),
        ("BETWEEN timestamp=2026-01-02T03:04:06.000Z timestamp=2026-01-02T03:04:04.000Z 1", "2"),
        ("BETWEEN timestamp=2026-01-02T03:04:03.000Z timestamp=2026-01-02T03:04:06.000Z 2", "01"),
        ("BETWEEN timestamp=2026-01-02T03:04:05.000Z timestamp=2026-01-02T03:04:05.000Z 9", ""),
    ],
)
async def test_times_also_stand_in_the_middle_and_at_both_ends(
    tmp_path: Path, asked: str, answer: list[str] | str
) -> None:
    """ "The returned messages MUST start from and exclude the first message selector, while
    finishing on and excluding the second - this may be forwards or backwards in time." """
    async with stored(tmp_path) as talk:
        talk.connect("message-tags server-time")
        for n, second in enumerate((4, 5, 5, 6)):
            talk.says(f"@time=2026-01-02T03:04:0{second}.000Z :bob!b@h PRIVMSG #ops :{n}")
        talk.attach(1, FETCHING)
        subcommand, rest = asked.split(" ", 1)
        assert texts(await talk.ask(1, f"CHATHISTORY {subcommand} #ops {rest}")) == list(answer)


@pytest.mark.parametrize("size", [3, 4, 7])
async def test_pages_by_time_return_all_where_a_millisecond_fits(tmp_path: Path, size: int) -> None:
    """A client that knows no msgids asks from the millisecond that it has seen last, which may be
    cut, and leaves out what it has."""
    async with stored(tmp_path) as talk:
        talk.connect("message-tags server-time")
        said = [f"{ms}.{n}" for ms in range(100, 130) for n in range(3)]
        for text in said:
            time = f"2026-01-02T03:04:05.{text[:3]}Z"
            talk.says(f"@time={time} :bob!b@h PRIVMSG #ops :{text}")
        talk.attach(1, FETCHING)
        seen: list[str] = []
        ms = 131
        while ms > 100:
            asked = f"CHATHISTORY BEFORE #ops timestamp=2026-01-02T03:04:05.{ms}Z {size}"
            found = texts(await talk.ask(1, asked))
            seen = [text for text in found if text not in seen] + seen
            ms = min(int(found[0][:3]) + 1, ms - 1)
        assert seen == said


async def test_no_content_is_an_empty_batch(tmp_path: Path) -> None:
    """ "If no content exists to return, the server SHOULD return an empty batch in order to avoid
    the client waiting for a reply." """
    async with stored(tmp_path) as talk:
        talk.connect()
        talk.attach(1, FETCHING)
        opening, closing = map(Message.parse, await talk.ask(1, "CHATHISTORY LATEST #ops * 10"))
        assert (opening.command, closing.command) == ("BATCH", "BATCH")


async def test_the_batch_names_the_target_as_the_network_does(tmp_path: Path) -> None:
    """ "take a single additional parameter, the canonical name of the target being queried" """
    async with stored(tmp_path) as talk:
        talk.connect()
        talk.attach(1, FETCHING)
        opening, _ = map(Message.parse, await talk.ask(1, "CHATHISTORY LATEST #OPS * 10"))
        assert opening.params[1:] == ("chathistory", "#ops")


async def test_targets_are_listed_by_their_latest_message(tmp_path: Path) -> None:
    """ "it lists channels the user has visible history in, together with users with which the user
    has exchanged direct messages, ordered by the time of the latest message" """
    async with stored(tmp_path) as talk:
        talk.connect("server-time")
        talk.says(
            "@time=2026-01-02T03:04:07.000Z :bob!b@h PRIVMSG #ops :a",
            "@time=2026-01-02T03:04:06.000Z :Bob!b@h PRIVMSG me :b",
            "@time=2026-01-02T03:04:09.000Z :bob!b@h PART #ops :an event is no message",
        )
        talk.attach(1, FETCHING)
        lines = await talk.ask(
            1,
            "CHATHISTORY TARGETS timestamp=2026-01-02T00:00:00.000Z "
            "timestamp=2026-01-03T00:00:00.000Z 10",
        )
        messages = [Message.parse(line) for line in lines]
        assert messages[0].params[1:] == ("draft/chathistory-targets",)
        assert [m.params for m in messages[1:-1]] == [
            ("TARGETS", "Bob", "2026-01-02T03:04:06.000Z"),
            ("TARGETS", "#ops", "2026-01-02T03:04:07.000Z"),
        ]


async def test_the_answer_carries_the_label(tmp_path: Path) -> None:
    async with stored(tmp_path) as talk:
        talk.connect()
        talk.attach(1, FETCHING | {"labeled-response"})
        lines = await talk.ask(1, "@label=h CHATHISTORY LATEST #ops * 10")
        assert [Message.parse(line).tags.get("label") for line in lines] == ["h", None]


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("", "INVALID_PARAMS *"),
        ("FROB #ops * 10", "INVALID_PARAMS FROB"),
        ("BEFORE #ops timestamp=yesterday 10", "INVALID_PARAMS BEFORE timestamp=yesterday"),
        ("LATEST #ops * many", "INVALID_PARAMS LATEST many"),
        ("BEFORE #ops x=1 10", "INVALID_MSGREFTYPE BEFORE #ops x=1"),
        ("BEFORE #ops msgid=nowhere 10", "INVALID_TARGET BEFORE #ops"),
    ],
)
async def test_what_is_wrong_is_said_as_a_fail(tmp_path: Path, asked: str, answer: str) -> None:
    """ "the INVALID_PARAMS error code SHOULD be returned" """
    async with stored(tmp_path) as talk:
        talk.connect()
        talk.attach(1, FETCHING)
        (line,) = await talk.ask(1, f"CHATHISTORY {asked}")
        assert line.startswith(f":muster.test FAIL CHATHISTORY {answer} :")


def test_the_tokens_tell_the_limit_and_the_selectors() -> None:
    """ "CHATHISTORY MUST be sent to the client to state the maximum number of messages";
    "MSGREFTYPES SHOULD be sent" """
    talk = Dialogue()
    talk.connect(isupport="CHANTYPES=# PREFIX=(ov)@+ CHATHISTORY=50 MSGREFTYPES=timestamp")
    tokens = [w for line in talk.attach(1, FETCHING) if " 005 " in line for w in line.split()]
    assert "CHATHISTORY=1000" in tokens
    assert "MSGREFTYPES=msgid,timestamp" in tokens
    assert "CHATHISTORY=50" not in tokens


HAPPENED = [
    ":carol!c@h JOIN #ops carol :Carol C",
    ":carol!c@h PRIVMSG #ops :hello",
    ":me!user@host MODE #ops +v carol",
    ":carol!c@h TOPIC #ops :new  topic ",
    ":carol!c@h NICK caz",
    "@+draft/react=:);+draft/reply=x :bob!b@h TAGMSG #ops",
    "@+typing=active :bob!b@h TAGMSG #ops",
    ":me!user@host KICK #ops bob :out  you go",
    ":caz!c@h PART #ops :bye",
    ":caz!c@h JOIN #ops * :Carol C",
    ":caz!c@h QUIT :gone",
]


async def test_events_come_back_to_clients_with_event_playback_alone(tmp_path: Path) -> None:
    """ "If the client has not negotiated the draft/event-playback capability, the server MUST NOT
    send any lines other than PRIVMSG and NOTICE in the reply batch"; else it "SHOULD send
    additional lines [...] including but not limited to TAGMSG, JOIN, PART, QUIT, MODE, TOPIC, and
    NICK" """
    async with stored(tmp_path) as talk:
        talk.connect("extended-join message-tags")
        talk.attach(1, FETCHING)
        talk.attach(2, EVENTS)
        live = talk.says(*HAPPENED).to_clients[2]
        assert texts(await talk.ask(1, "CHATHISTORY LATEST #ops * 50")) == ["hello"]
        assert len(await talk.ask(1, "CHATHISTORY LATEST #ops * 50")) == 3
        back = [Message.parse(line) for line in await talk.ask(2, "CHATHISTORY LATEST #ops * 50")]
        said = [Message.parse(line) for line in live if "+typing" not in line]
        assert [m._replace(raw_tags="") for m in back[1:-1]] == [
            m._replace(raw_tags="") for m in said
        ]
        assert [m.tags["msgid"] for m in back[1:-1]] == [m.tags["msgid"] for m in said]


async def test_what_has_only_tags_comes_back_to_clients_with_tags_alone(tmp_path: Path) -> None:
    """message-tags: "Servers MUST NOT deliver TAGMSG to clients that haven't negotiated the message
    tags capability." """
    async with stored(tmp_path) as talk:
        talk.connect("message-tags")
        talk.attach(1, EVENTS - {"message-tags"})
        talk.says("@+draft/react=x :bob!b@h TAGMSG #ops", ":bob!b@h TOPIC #ops :new")
        back = [Message.parse(line) for line in await talk.ask(1, "CHATHISTORY LATEST #ops * 50")]
        assert [m.command for m in back[1:-1]] == ["TOPIC"]


async def test_a_quit_is_seen_in_every_channel_shared(tmp_path: Path) -> None:
    async with stored(tmp_path) as talk:
        talk.connect()
        talk.joined("#dev")
        talk.attach(1, EVENTS)
        talk.says(":bob!b@h QUIT :gone")
        for name in ("#ops", "#dev"):
            lines = await talk.ask(1, f"CHATHISTORY LATEST {name} * 5")
            assert sum(" QUIT " in line for line in lines) == 1
            msgid = Message.parse(next(line for line in lines if " QUIT " in line)).tags["msgid"]
            assert len(await talk.ask(1, f"CHATHISTORY AROUND {name} msgid={msgid} 1")) == 3


async def test_events_are_in_no_ordinary_playback_and_no_search(tmp_path: Path) -> None:
    async with stored(tmp_path) as talk:
        talk.connect()
        talk.attach(1, MODERN | {"soju.im/search"})
        talk.says(":bob!b@h PART #ops :disk", ":bob!b@h PRIVMSG me :disk full")
        assert texts(await talk.ask(1, "SEARCH text=disk")) == ["disk full"]
        assert [line for line in talk.attach(2, MODERN) if " PART " in line] == []


def test_a_client_that_fetches_is_played_nothing() -> None:
    """ "if a client requests this capability, the server (or bouncer) SHOULD NOT play back any
    history that would otherwise be sent automatically" """
    talk = Dialogue()
    talk.connect()
    talk.says(":bob!b@h PRIVMSG #ops :missed")
    assert texts(talk.attach(1, FETCHING)) == []
    talk.types(1, "CHATHISTORY LATEST #ops * 10")
    talk.now_ms += FETCH_MS
    talk.event(Tick())
    assert texts(talk.seen(1)) == []
    talk.says(":bob!b@h PRIVMSG #ops :live")
    assert texts(talk.seen(1)) == ["live"]


def test_a_client_that_could_fetch_and_does_not_gets_its_backlog_once() -> None:
    """Clients negotiate playback and never ask: thelounge#4464."""
    talk = Dialogue()
    talk.connect()
    said = [f"missed {n}" for n in range(120)]
    talk.says(*(f":bob!b@h PRIVMSG #ops :{text}" for text in said))
    talk.attach(1, FETCHING)
    talk.says(":bob!b@h PRIVMSG #ops :live")
    assert texts(talk.seen(1)) == ["live"]
    talk.now_ms += FETCH_MS
    talk.event(Tick())
    assert texts(talk.seen(1)) == said
    talk.now_ms += FETCH_MS
    talk.event(Tick())
    assert texts(talk.seen(1)) == []
    assert talk.leaves(1) == talk.kept[-1].id


def test_the_cursor_of_a_client_that_has_not_fetched_stays() -> None:
    talk = Dialogue()
    talk.connect()
    talk.says(":bob!b@h PRIVMSG #ops :missed")
    talk.attach(1, FETCHING)
    talk.says(":bob!b@h PRIVMSG #ops :live")
    assert not [line for line in talk.down[1] if line.startswith("PING")]
    assert talk.leaves(1) == 0
    assert not [other for other in talk.others if isinstance(other, PlayBack)]


async def test_znc_playback_plays_what_was_asked_for(tmp_path: Path) -> None:
    """ZNC's playback module: `PLAY <buffers> [<from> [<to>]]`, times in seconds."""
    async with stored(tmp_path) as talk:
        talk.connect("server-time")
        for second, target in ((5, "#ops"), (6, "me"), (7, "#ops"), (8, "#ops")):
            talk.says(f"@time=2026-01-02T03:04:0{second}.500Z :bob!b@h PRIVMSG {target} :{second}")
        talk.attach(1, MODERN | {"znc.in/playback"})
        from_s = 1767323045.5  # 03:04:05.500
        play = f"PRIVMSG *playback :PLAY * {from_s} {from_s + 2}"
        assert texts(await talk.ask(1, play)) == ["7", "6"] or texts(await talk.ask(1, play)) == [
            "6",
            "7",
        ]
        assert texts(await talk.ask(1, f"PRIVMSG *playback :PLAY #o* {from_s}")) == ["7", "8"]
        lines = await talk.ask(1, "PRIVMSG *playback :PLAY bob 0")
        assert Message.parse(lines[0]).params[1:] == ("znc.in/playback", "bob")
        assert talk.heard() == []
        assert "PLAY" in texts(await talk.ask(1, "PRIVMSG *playback :FROB"))[0]


def test_without_its_capability_playback_is_a_nick_like_any_other() -> None:
    talk = Dialogue()
    talk.connect()
    talk.attach(1)
    talk.types(1, "PRIVMSG *playback :PLAY * 0")
    assert talk.heard() == ["PRIVMSG *playback :PLAY * 0"]
