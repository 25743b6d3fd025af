"""A client of one user under one name, judged by what its owner can read.

Whatever it does, the lines of one visit are the list of what was said, from some place on: where
its last visit ended in good order, or, where that broke, a place between what it had confirmed and
what it had read. Anything else is lost, doubled or out of order.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio

from bouncer.hub.keeping import FIRST_SIGHT_ROWS
from bouncer.irc.wire import LineReader, Message
from tests.complaints.venue import GONE, PASSWORD, PATIENCE_S, Cable, until

if TYPE_CHECKING:
    from tests.bouncer.conversation import Play

PLAIN: frozenset[str] = frozenset()
DIALECTS = (
    PLAIN,
    frozenset({"server-time"}),
    frozenset({"znc.in/self-message", "message-tags"}),
    frozenset({"server-time", "batch", "echo-message"}),
    frozenset({"server-time", "message-tags", "batch", "echo-message"}),
    frozenset({"server-time", "message-tags", "batch", "echo-message", "labeled-response",
               "draft/multiline", "draft/event-playback"}),
    frozenset({"server-time", "message-tags", "batch", "labeled-response", "draft/multiline"}),
)  # fmt: skip
STAMP = re.compile(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] ")


@dataclass
class Said:
    text: str
    visit: Visit | None  # who of us said it


@dataclass
class Spoken:
    """What one says in one go, and what its network has answered."""

    label: str
    left: int  # lines without an answer
    lines: list[str] = field(default_factory=list)  # the commands of its answers
    refused: list[str] = field(default_factory=list)


@dataclass(eq=False)
class Visit:
    """One connection of a client. What it is sent may begin anywhere in `begins` of the list."""

    caps: frozenset[str]
    begins: range
    stream: trio.abc.Stream
    cable: Cable
    reader: LineReader = field(default_factory=LineReader)  # half a line outlives a stall
    reading: trio.CancelScope = field(default_factory=trio.CancelScope)
    seen: list[str] = field(default_factory=list)  # texts, as they can be read
    refusals: list[str] = field(default_factory=list)  # the texts that it was told of
    answers: list[tuple[str, str]] = field(default_factory=list)  # label and command
    answered: int = 0  # how many it had seen when it last answered a confirming PING,
    confirmed: int = 0  # and of these, how many when that answer had surely arrived
    pings: int = 0  # our own,
    pongs: int = 0  # and the answers to them
    welcome: bool = False
    caught_up: bool = False
    stalled: bool = False
    goodbye: str = ""  # the bouncer's ERROR,
    ended: bool = False  # and its end of the connection
    spoken: dict[str, Spoken] = field(default_factory=dict)  # by the text
    owed_refusals: list[str] = field(default_factory=list)
    owed_answers: dict[str, set[str]] = field(default_factory=dict)  # by the label: any of these
    _turn: trio.Lock = field(default_factory=trio.Lock)  # PONGs and what is said

    def to_say(self, texts: list[str], *, as_one: bool) -> list[str]:
        """The lines by which it says these texts to #ops."""
        if not (as_one and "draft/multiline" in self.caps and len(texts) > 1):
            tags = [self._speaks([text]) for text in texts]
            return [f"{tag}PRIVMSG #ops :{text}" for tag, text in zip(tags, texts, strict=True)]
        tag = self._speaks(texts)
        lines = [f"@batch=b PRIVMSG #ops :{text}" for text in texts]
        return [f"{tag}BATCH +b draft/multiline #ops", *lines, "BATCH -b"]

    def _speaks(self, texts: list[str]) -> str:
        label = f"x{len(self.spoken)}" if "labeled-response" in self.caps else ""
        spoken = Spoken(label, len(texts))
        self.spoken |= dict.fromkeys(texts, spoken)
        return f"@label={label} " if label else ""

    def is_answered(self, text: str, *, refused: bool = False) -> None:
        """It is owed what its dialect tells of that; under one label all at once."""
        spoken = self.spoken[text]
        spoken.left -= 1
        if refused:
            spoken.refused.append(text)
            spoken.lines.append("404")
        elif "echo-message" in self.caps:
            spoken.lines.append("PRIVMSG")
        if not spoken.left or not spoken.label:
            self.owed_refusals += spoken.refused
            spoken.refused = []
        if not spoken.left and spoken.label:
            lines = spoken.lines if len(spoken.lines) < 2 else ["BATCH"]
            self.owed_answers[spoken.label] = {*lines} or {"ACK"}
            if not self.caught_up:  # what it says comes back to it in its turn, without the label
                self.owed_answers[spoken.label] |= {"ACK", "404"}

    def has_answers(self) -> bool:
        """One for each label; that of several lines may have begun."""
        told = dict(self.answers)
        return (
            len(told) == len(self.answers)
            and told.keys() >= self.owed_answers.keys()
            and all(told[label] in self.owed_answers.get(label, {"BATCH"}) for label in told)
        )

    def has_refusals(self) -> bool:
        """Of its own words; those of an answer that has only begun may wait for its end."""
        begun = [text for spoken in self._open() for text in spoken.refused]
        told, owed = len(self.refusals), self.owed_refusals
        return self.refusals == (owed + begun)[:told] and told >= len(owed)

    def _open(self) -> list[Spoken]:
        return list({id(each): each for each in self.spoken.values() if each.left}.values())

    async def send(self, *lines: str) -> None:
        async with self._turn:
            await self.stream.send_all("".join(f"{line}\r\n" for line in lines).encode())


class Person:
    """A client under one name, over any number of visits. It has the list up to `read`, and is
    known to have it up to `confirmed`."""

    def __init__(self, play: Play, name: str) -> None:
        self.play = play
        self.name = f"{play.name}-{name}"
        self.world = play.world
        self.login = f"alice/net@{self.name}"
        self.visit: Visit | None = None
        self.is_known = False  # to the bouncer, which gives it the newest few at first sight
        self.confirmed = self.read = 0

    # --- what it does ---

    async def comes(self, caps: frozenset[str]) -> None:
        client = self.world.muster.stranger()
        if not self.is_known:
            self.confirmed = self.read = max(0, len(self.world.said) - FIRST_SIGHT_ROWS)
            self.is_known = True
        begins = range(self.confirmed, self.read + 1)
        visit = self.visit = Visit(caps, begins, client.stream, client.cable)
        wanted = [f"CAP REQ :{' '.join(sorted(caps))}"] if caps else []
        await self.says(
            f"PASS {self.login}:{PASSWORD}", "CAP LS 302", "NICK me", "USER u 0 * :u", *wanted,
            "CAP END",
        )  # fmt: skip
        self.world.nursery.start_soon(self._read, visit)
        await until(lambda: visit.welcome)  # its backlog may still be on its way

    async def says(self, *lines: str) -> None:
        assert self.visit is not None
        await self.visit.send(*lines)

    async def leaves(self, *, by_quit: bool) -> None:
        """A clean end: what it was sent counts as read."""
        visit = await self._settled()
        async with self._going():
            await (visit.send("QUIT") if by_quit else visit.stream.aclose())
        self.confirmed = self.read

    async def stalls(self) -> None:
        """It stops reading and answering; the connection stands. One that has not caught up yet
        would not be dropped: its backlog just waits."""
        visit = await self._settled()
        await until(self.is_live)
        visit.stalled = True
        visit.cable.hold()
        visit.reading.cancel()

    def is_live(self) -> bool:
        """It has caught up."""
        muster = self.world.muster
        [number] = [each.id for each in muster.hub.clients.values() if each.name == self.name]
        assert self.visit is not None
        self.visit.caught_up = bool(muster.session.clients.by_id[number].live)
        return self.visit.caught_up

    async def wakes(self) -> None:
        """It reads on: all of it was only waiting in buffers."""
        assert self.visit is not None
        self._reads_on(self.visit)
        await self.sees_all()

    def _reads_on(self, visit: Visit) -> None:
        visit.stalled, visit.reading = False, trio.CancelScope()
        visit.cable.flow()
        self.world.nursery.start_soon(self._read, visit)

    async def was_dropped(self, *, reads: bool) -> None:
        """The bouncer has let this stalled one go, and with all that it had for it where that still
        `reads`."""
        visit, self.visit = self.visit, None
        assert visit is not None
        if reads:
            self._reads_on(visit)
            await until(lambda: visit.ended)
            assert visit.goodbye.startswith("You read too slowly")
            self._has_read_in_part(visit)
        visit.cable.cut()
        self._is_as_confirmed(visit)

    def _has_read_in_part(self, visit: Visit) -> None:
        """What it has read is where it should begin, without a gap."""
        count = len(visit.seen)
        begun = [self._readable(visit, place)[:count] for place in visit.begins]
        assert visit.seen in begun, f"{self.login} {sorted(visit.caps)} reads otherwise"
        if visit.seen:
            self.read = max(self.read, self._place(visit.seen[-1]))

    async def vanishes(self) -> None:
        """Its connection breaks; what waited for a stalled one is lost."""
        visit = self.visit
        assert visit is not None
        if not visit.stalled:
            await self._settled()
        await self.is_gone()
        self._is_as_confirmed(visit)

    def _is_as_confirmed(self, visit: Visit) -> None:
        """Its connection has broken: it is known to have what it has confirmed."""
        if visit.confirmed:
            self.confirmed = max(self.confirmed, self._place(visit.seen[visit.confirmed - 1]))

    def _place(self, text: str) -> int:
        """Where the list goes on behind this text."""
        return [said.text for said in self.world.said].index(text) + 1

    async def is_gone(self) -> None:
        assert self.visit is not None
        cable = self.visit.cable
        async with self._going():
            cable.cut()

    @asynccontextmanager
    async def _going(self) -> AsyncIterator[None]:
        """Inside it goes; afterwards the bouncer has noticed."""
        visit, self.visit = self.visit, None
        assert visit is not None
        clients = self.world.muster.hub.clients
        before = len(clients)
        yield
        await until(lambda: len(clients) < before)
        visit.reading.cancel()

    async def _settled(self) -> Visit:
        """Everything has been read, and every PONG of ours has been heard."""
        visit = self.visit
        assert visit is not None
        await self.sees_all()
        answered = visit.answered
        await self.asks()
        await until(lambda: self.has_answer)
        visit.confirmed = answered
        return visit

    async def asks(self) -> None:
        assert self.visit is not None
        self.visit.pings += 1
        await self.visit.send("PING :settled")

    @property
    def has_answer(self) -> bool:
        """All that it was told before has come."""
        return self.visit is not None and self.visit.pongs == self.visit.pings

    # --- what it reads ---

    async def _read(self, visit: Visit) -> None:
        with suppress(*GONE), visit.reading:
            while data := await visit.stream.receive_some(65_536):
                for line in visit.reader.feed(bytes(data)):
                    await self._take(visit, line)
            visit.ended = True

    async def _take(self, visit: Visit, line: str) -> None:
        message = Message.parse(line)
        if label := message.tags.get("label"):
            visit.answers.append((label, message.command))
        if message.command == "PING":
            await visit.send(f"PONG :{message.params[-1]}")
            visit.answered = len(visit.seen)
        elif message.command == "001":
            visit.welcome = True
        elif message.command == "PONG":
            visit.pongs += 1
        elif message.command == "ERROR":
            visit.goodbye = message.params[-1]
        elif message.command == "404":
            visit.refusals.append(message.params[-1])
        elif message.command == "PRIVMSG":
            self._understand(visit, message)

    def _understand(self, visit: Visit, message: Message) -> None:
        """In its own dialect: tags where it knows them, else the time in the text."""
        tags, text, caps = message.tags, message.params[-1], visit.caps
        stamp = STAMP.match(text)
        if stamp is not None:
            text = text[stamp.end() :]
        if not text.startswith(f"{self.play.name}-"):  # of an earlier play
            return
        msgid = tags.get("msgid", "")
        in_its_dialect = (
            ("time" in tags) == ("server-time" in caps)
            and not ("time" in tags and stamp)
            and bool(msgid) == ("message-tags" in caps)
            and (bool(caps) or not tags)
            and (not msgid or self.world.msgids.setdefault(text, msgid) == msgid)
        )
        visit.seen.append(text if in_its_dialect else f"wrongly said: {message}")

    async def sees_all(self) -> None:
        """Wait until it has caught up. It has read what was said then."""
        with trio.fail_after(PATIENCE_S):
            while True:
                live = self.is_live()
                await self.asks()
                await until(lambda: self.has_answer)
                if live:
                    break
        self.must_be_right()

    def must_be_right(self) -> None:
        """It has read what was said, and nothing else."""
        visit = self.visit
        assert visit is not None
        faults = []
        rights = [self._readable(visit, place) for place in visit.begins]
        if visit.seen not in rights:
            faults.append(f"reads {visit.seen}, not {' or '.join(map(str, rights))}")
        if not visit.has_answers():
            faults.append(f"has the answers {visit.answers}, not {visit.owed_answers}")
        # where nothing tells whose words were refused, others may be told
        if self.world.network.answers_all and not visit.has_refusals():
            faults.append(f"is told that these are refused: {visit.refusals}")
        assert not faults, f"{self.login} {sorted(visit.caps)} {'; '.join(faults)}"
        self.read = len(self.world.said)

    def _readable(self, visit: Visit, place: int) -> list[str]:
        """The list from `place` on, as this visit can read it: what it says itself comes back only
        by echo-message."""
        echo = "echo-message" in visit.caps
        return [s.text for s in self.world.said[place:] if echo or s.visit is not visit]
