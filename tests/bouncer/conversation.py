"""Several clients of one user, each in its own dialect, against the plain list of what was said.

A client is judged by what its owner can read. Whatever it does, the lines of one visit are the list
from some place on: the place where its last visit ended in good order, or, where that broke, one
between what it had confirmed and what it had read. Anything else is lost, doubled or out of order.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import trio

from bouncer.hub.keeping import FIRST_SIGHT_ROWS
from bouncer.irc.wire import LineReader, Message
from tests.complaints.venue import GONE, PASSWORD, Cable, FakeNetwork, Muster, until

PLAIN: frozenset[str] = frozenset()
DIALECTS = (
    PLAIN,
    frozenset({"server-time"}),
    frozenset({"znc.in/self-message", "message-tags"}),
    frozenset({"server-time", "batch", "echo-message"}),
    frozenset({"server-time", "message-tags", "batch", "echo-message"}),
    frozenset({"server-time", "message-tags", "batch", "echo-message", "labeled-response",
               "draft/multiline", "draft/event-playback"}),
)  # fmt: skip
OUTBOX_OCTETS = 300_000  # of each client: a page of the backlog fits
FLOOD_LINES, FLOOD_OCTETS = 100, 400  # one part of a flood
STAMP = re.compile(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] ")


class EchoingNetwork(FakeNetwork):
    """One with times, msgids and echoes of its own."""

    CAPS = "batch echo-message labeled-response message-tags server-time"

    def __init__(self) -> None:
        super().__init__()
        self._count = 0

    def tags(self) -> str:
        self._count += 1
        return f"@time=2026-01-02T03:04:05.{self._count % 1000:03}Z;msgid=net-{self._count} "

    def answers(self, message: Message) -> list[str]:
        match message.command, message.params:
            case "CAP", ("LS", *_):
                return [f":irc.test CAP * LS :{self.CAPS}"]
            case "CAP", ("REQ", wanted):
                return [f":irc.test CAP me ACK :{wanted}"]
            case "PRIVMSG", (target, text):
                label = message.tags.get("label")
                tags = self.tags().replace("@", f"@label={label};" if label else "@", 1)
                return [f"{tags}:me!user@host PRIVMSG {target} :{text}"]
        return super().answers(message)

    async def bob(self, *texts: str) -> None:
        await self.says(*(f"{self.tags()}:bob!b@h PRIVMSG #ops :{text}" for text in texts))


class LabellingNetwork(EchoingNetwork):
    """One that echoes nothing: what it has of us it answers to the label."""

    CAPS = "batch labeled-response message-tags server-time"

    def answers(self, message: Message) -> list[str]:
        if message.command == "PRIVMSG":
            return [f"@label={message.tags['label']} :irc.test ACK"]
        return super().answers(message)


@dataclass
class Said:
    text: str
    visit: Visit | None  # who of us said it


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
    answered: int = 0  # how many it had seen when it last answered a confirming PING,
    confirmed: int = 0  # and of these, how many when that answer had surely arrived
    pongs: int = 0  # answers to our own PINGs
    welcome: bool = False
    stalled: bool = False
    goodbye: str = ""  # the bouncer's ERROR,
    ended: bool = False  # and its end of the connection
    _turn: trio.Lock = field(default_factory=trio.Lock)  # PONGs and what is said

    async def send(self, *lines: str) -> None:
        async with self._turn:
            await self.stream.send_all("".join(f"{line}\r\n" for line in lines).encode())


class World:
    """The bouncer, its network, the clients, and the model: `said`."""

    def __init__(self, muster: Muster, network: FakeNetwork, nursery: trio.Nursery) -> None:
        self.muster = muster
        self.network = network
        self.nursery = nursery
        self.plays = 0
        self.said: list[Said] = []
        self.msgids: dict[str, str] = {}

    def play(self) -> Play:
        self.plays += 1
        self.said, self.msgids = [], {}
        return Play(self, f"p{self.plays}")


class Play:
    """One example: clients with names of its own, so that nothing before it counts."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.clients: dict[int, Person] = {}
        self.witness = Person(self, "witness")

    async def begin(self) -> None:
        await self.witness.comes(DIALECTS[4])

    async def end(self) -> None:
        for person in (*self.clients.values(), self.witness):
            if person.visit is not None:
                await person.is_gone()

    def person(self, number: int) -> Person:
        return self.clients.setdefault(number, Person(self, f"c{number}"))

    def texts(self, count: int, octets: int = 0) -> list[str]:
        begun = len(self.world.said)
        return [f"{self.name}-{begun + n} words".ljust(octets, ".") for n in range(count)]

    async def said_by(self, person: Person | None, count: int, octets: int = 0) -> None:
        """The network (None) or a client says some lines in one go."""
        texts = self.texts(count, octets)
        self.world.said += [Said(text, person.visit if person else None) for text in texts]
        await self._say(person, texts)
        await self.all_see()

    async def said_at_once(self, person: Person, count: int) -> None:
        """Both speak: which comes first is the bouncer's choice, one and the same for all."""
        texts = self.texts(2 * count)
        mine, theirs = texts[:count], texts[count:]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._say, person, mine)
            nursery.start_soon(self._say, None, theirs)
        assert self.witness.visit is not None
        witness = self.witness.visit
        await until(lambda: set(texts) <= set(witness.seen))
        order = [text for text in witness.seen if text in set(texts)]
        assert [text for text in order if text in mine] == mine
        assert [text for text in order if text in theirs] == theirs
        self.world.said += [Said(t, person.visit if t in mine else None) for t in order]
        await self.all_see()

    async def flood(self, *, reads: bool) -> None:
        """More is said than may wait for those that have stalled."""
        people = [p for p in self.clients.values() if p.visit is not None and p.visit.stalled]
        clients = self.world.muster.hub.clients
        left = len(clients) - len(people)
        while len(clients) > left:  # in parts, so that those who read keep up
            await self.said_by(None, FLOOD_LINES, FLOOD_OCTETS)
        for person in people:
            await person.was_dropped(reads=reads)

    async def _say(self, person: Person | None, texts: list[str]) -> None:
        if person is None:
            await self.world.network.bob(*texts)
        else:
            assert person.visit is not None
            label = "@label=x " if "labeled-response" in person.visit.caps else ""
            await person.says(*(f"{label}PRIVMSG #ops :{text}" for text in texts))

    async def all_see(self) -> None:
        for person in (self.witness, *self.clients.values()):
            if person.visit is not None and not person.visit.stalled:
                await person.sees_all()


class Person:
    """A client under one name, over any number of visits. It has the list up to `read`, and is
    known to have it up to `confirmed`."""

    def __init__(self, play: Play, name: str) -> None:
        self.play = play
        self.world = play.world
        self.login = f"alice/net@{play.name}-{name}"
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
        await until(self._is_live)
        visit.stalled = True
        visit.cable.hold()
        visit.reading.cancel()

    def _is_live(self) -> bool:
        muster, name = self.world.muster, self.login.rpartition("@")[2]
        [number] = [each.id for each in muster.hub.clients.values() if each.name == name]
        return bool(muster.session.clients.by_id[number].live)

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
        answered, pongs = visit.answered, visit.pongs
        await self.says("PING :settled")
        await until(lambda: visit.pongs > pongs)
        visit.confirmed = answered
        return visit

    # --- what it reads ---

    async def _read(self, visit: Visit) -> None:
        with suppress(*GONE), visit.reading:
            while data := await visit.stream.receive_some(65_536):
                for line in visit.reader.feed(bytes(data)):
                    await self._take(visit, line)
            visit.ended = True

    async def _take(self, visit: Visit, line: str) -> None:
        message = Message.parse(line)
        if message.command == "PING":
            await visit.send(f"PONG :{message.params[-1]}")
            visit.answered = len(visit.seen)
        elif message.command == "001":
            visit.welcome = True
        elif message.command == "PONG":
            visit.pongs += 1
        elif message.command == "ERROR":
            visit.goodbye = message.params[-1]
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
        """Wait until it has read what was said, and nothing else."""
        visit = self.visit
        assert visit is not None
        rights = [self._readable(visit, place) for place in visit.begins]
        with suppress(trio.TooSlowError):
            await until(lambda: visit.seen in rights)
        assert visit.seen in rights, f"{self.login} {sorted(visit.caps)} reads otherwise"
        self.read = len(self.world.said)

    def _readable(self, visit: Visit, place: int) -> list[str]:
        """The list from `place` on, as this visit can read it: what it says itself comes back only
        by echo-message."""
        echo = "echo-message" in visit.caps
        return [s.text for s in self.world.said[place:] if echo or s.visit is not visit]
