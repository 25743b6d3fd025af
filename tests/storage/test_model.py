"""Whatever is done to history, it equals a plain list of what was said."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from itertools import count

import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage import messages
from storage.messages import FIRST_POSITION, LAST_POSITION, Position, Row
from storage.retention import Keep
from storage.search import search
from storage.store import Store, open_store
from tests.storage import model
from tests.storage.model import add_network, place, said

since_said = partial(messages.since, events=False)

TARGETS = ("#ops", "#dev", "bob")
NICKS = ("alice", "bob", "Carol[]")
VOCABULARY = ("disk", "full", "db1", "ÜBER", "ёж", "x9", "-", "10.0.0.1", "\x0304red\x03")
SERIAL = count()

times = st.integers(0, 12).map(lambda n: n * 500)  # few, so that many messages share one
texts = st.lists(st.sampled_from(VOCABULARY), max_size=4).map(" ".join)


@dataclass(frozen=True)
class Append:
    lines: list[tuple[str, int, str, str, str]]


@dataclass(frozen=True)
class Prune:
    before_ms: int


@dataclass(frozen=True)
class CatchUp:
    pass


@dataclass(frozen=True)
class Redact:
    which: int


@dataclass(frozen=True)
class Page:
    target: str
    limit: int
    start_ms: int = 0
    backward: bool = field(default=True)


@dataclass(frozen=True)
class Search:
    text: str
    sender: str
    target: str
    from_ms: int | None
    to_ms: int | None
    limit: int


lines = st.tuples(
    st.sampled_from(TARGETS),
    times,
    texts,
    st.sampled_from(NICKS),
    st.sampled_from(("PRIVMSG", "PRIVMSG", "NOTICE", "JOIN", "TAGMSG")),
)
steps = st.one_of(
    st.builds(Append, st.lists(lines, min_size=1, max_size=30)),
    st.builds(Prune, times),
    st.builds(CatchUp),
    st.builds(Redact, st.integers(0, 40)),
    st.builds(Page, st.sampled_from(TARGETS), st.integers(1, 7), times, st.booleans()),
    st.builds(
        Search,
        texts,
        st.sampled_from(("", "", *NICKS)),
        st.sampled_from(("", *TARGETS)),
        st.none() | times,
        st.none() | times,
        st.integers(1, 9),
    ),
)


class Checked:
    """A store and the list it must equal, on a network of their own."""

    def __init__(self, store: Store, network: int) -> None:
        self.store = store
        self.network = network
        self.rows: list[Row] = []

    async def do(self, step: object) -> None:
        match step:
            case Append(lines):
                rows = [
                    said(
                        self.store,
                        self.network,
                        text,
                        at,
                        target,
                        source=f"{nick}!u@h",
                        command=command,
                        msgid=f"id{next(SERIAL)}" if at % 1000 else "",
                    )
                    for target, at, text, nick, command in lines
                ]
                assert await self.store.append(rows)
                self.rows += rows
            case Prune(before_ms):
                gone = [row for row in self.rows if row.time_ms < before_ms]
                assert await self.store.prune(Keep(age_s=0), now_ms=before_ms) == len(gone)
                self.rows = [row for row in self.rows if row.time_ms >= before_ms]
            case CatchUp():
                await self.store.catch_up()
            case Redact(which) if self.rows:
                row = self.rows.pop(which % len(self.rows))
                msgid = messages.msgid_of(row)
                assert await self.store.redact(self.network, row.target, msgid) == row
            case Page(target, limit, start_ms, backward):
                await self.page(target, limit, start_ms, backward)
            case Search(text, sender, target, from_ms, to_ms, limit):
                where = (text, sender, target, from_ms, to_ms, limit)
                if not text.strip(" -"):
                    where = ("", *where[1:])
                found = await self.store.read(search, self.network, *where)
                assert found == model.search(self.rows, *where)

    async def page(self, target: str, limit: int, start_ms: int, backward: bool) -> None:
        """Walk through a buffer page by page: nothing is missing, nothing comes twice."""
        read, expected = (
            (messages.before, model.before) if backward else (messages.after, model.after)
        )
        position = (Position.before_ms if backward else Position.after_ms)(start_ms)
        for _ in range(200):
            page = await self.store.read(read, self.network, target, position, limit)
            assert page == expected(self.rows, target, position, limit)
            if len(page) < limit:
                return
            position = Position(*place(page[0 if backward else -1]))

    async def between(self, row: Row, other: Row, mine: list[Row]) -> None:
        """What lies between two messages, counted from the first named."""
        first, second = Position(*place(row)), Position(*place(other))
        low, high = sorted((first, second))
        inside = [each for each in mine if low < place(each) < high]
        got = await self.store.read(messages.between, self.network, row.target, first, second, 3)
        assert got == (inside[:3] if first <= second else inside[-3:])

    async def check_all(self) -> None:
        assert await self.store.read(messages.since, self.network, 0, 10_000) == self.rows
        for target in TARGETS:
            mine = sorted((row for row in self.rows if row.target == target), key=place)
            got = await self.store.read(messages.latest, self.network, target, 10_000)
            assert got == mine
            for row in mine[:3]:
                around = await self.store.read(
                    messages.around, self.network, target, Position(*place(row)), 5
                )
                index = mine.index(row)
                assert row in around
                assert around == mine[mine.index(around[0]) :][: len(around)]
                assert len(around) == min(5, len(mine))
                found = await self.store.read(
                    messages.find_msgid, self.network, target, messages.msgid_of(row)
                )
                assert found == Position(*place(row))
                assert mine[index] == row
                for other in mine[-2:]:
                    await self.between(row, other, mine)
        await self.page("#ops", 3, LAST_POSITION.time_ms, True)
        await self.page("#dev", 3, FIRST_POSITION.time_ms, False)
        said = [row for row in self.rows if row.command in ("PRIVMSG", "NOTICE")]
        assert await self.store.read(since_said, self.network, 0, 10_000) == said
        newest = {
            target: max(row.time_ms for row in said if row.target == target)
            for target in {row.target for row in said}
        }
        listed = await self.store.read(messages.targets, self.network, -1, 1 << 50, 100)
        assert dict(listed) == newest
        assert [at for _, at in listed] == sorted(newest.values())


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(steps, max_size=15))
def test_history_equals_the_list_of_what_was_said(url: str, script: list[object]) -> None:
    async def main() -> None:
        async with open_store(url) as store:
            # What earlier examples left would be pruned with ours, and counted.
            await store.prune(Keep(age_s=0), now_ms=1 << 50)
            checked = Checked(store, await add_network(store, f"n{next(SERIAL)}"))
            for step in script:
                await checked.do(step)
            await checked.check_all()

    trio.run(main)
