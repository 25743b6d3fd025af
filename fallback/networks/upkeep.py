"""Whether an agent would be heard and obeyed on a public network; looked at in peacetime, too.

What lapses is found before it is needed: the account unknown to services, the room without our
rights or its modes, a lobby that is nobody's or does not let us speak. Ops are told of what stands
for five minutes, and that it is mended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import trio

from bouncer.irc.split import join_entries
from bouncer.irc.wire import Message
from fallback.disk import Disk, DiskFault
from fallback.findings import Finding, Worries, fail, ok, warn
from fallback.mesh.notes import MAX_NOTE
from fallback.networks.announcer import Announcer
from fallback.networks.outgoing import Priority
from fallback.networks.venue import ROOM_MODES

LOOK_EVERY_S = 60.0
DISK_S = 5.0
ASK_EVERY_S = 24 * 3600.0  # whose the channels are


def about_network(announcer: Announcer) -> Iterator[Finding]:
    """How it stands on one network, worst first."""
    name, place, state = announcer.name, announcer.config, announcer.state
    if not announcer.joined:
        why = announcer.error or "wait a minute"
        yield fail(f"{name}: not there", f"{announcer.standing.value}; {why}")
        return
    if announcer.is_muted:
        yield fail(f"{name}: cannot speak in {place.lobby}", "unban and voice the agent there")
    if place.account and not announcer.identified:
        yield fail(f"{name}: services do not know us", "correct account and password_file")
    if state.nick != place.nick:
        yield warn(f"{name}: nick is {state.nick}", f"who holds {place.nick}?")
    letter = state.isupport.tokens.get("BOT")
    if letter and letter not in state.umodes:
        yield warn(f"{name}: not marked as a bot", f"does the network refuse user mode {letter}?")
    yield from _about_lobby(announcer)
    yield from _about_room(announcer)


def _about_lobby(announcer: Announcer) -> Iterator[Finding]:
    name, lobby = announcer.name, announcer.config.lobby
    channel = announcer.state.channel(lobby)
    own = channel.members.get(announcer.state.folded_nick) if channel else None
    if channel and own and "m" in channel.modes and not own.prefixes:
        yield fail(f"{name}: {lobby} is moderated", "give the agent a voice, or it is not heard")
    for each in (lobby, announcer.config.room):
        if announcer.venue.is_nobodys(each):
            yield fail(f"{name}: {each} is not registered", "register it, or somebody takes it")


def _about_room(announcer: Announcer) -> Iterator[Finding]:
    name, place, state = announcer.name, announcer.config, announcer.state
    room = state.channel(place.room)
    if room is None:
        yield fail(f"{name}: not in {place.room}", announcer.error or "invite the agent")
        return
    if not announcer.is_op:
        yield fail(
            f"{name}: not an operator of {place.room}",
            "give its account the rights (ChanServ), or op it: else no one can be voiced",
        )
    missing = [letter for letter in ROOM_MODES if letter not in room.modes]
    if missing:
        yield warn(f"{name}: {place.room} lacks +{''.join(missing)}", "set it")
    else:
        known = f", known to services as {place.account}" if announcer.identified else ""
        yield ok(f"{name}: in {place.lobby} and {place.room} as {state.nick}{known}")


class Upkeep:
    """Run it as a task. `more` is what else is to be watched, `on_disk` what has to be read from
    there."""

    def __init__(
        self,
        announcers: Mapping[str, Announcer],
        more: Callable[[], Iterator[Finding]],
        tell_ops: Callable[[str], None],
        on_disk: Callable[[], Iterator[Finding]] = lambda: iter(()),
    ) -> None:
        self._announcers = announcers
        self._more = more
        self._tell_ops = tell_ops
        self._worries = Worries()
        self._asked_at: dict[str, float] = {}
        self._on_disk = on_disk
        self._disk = Disk(1)  # one look waits for one that hangs

    async def run(self) -> None:
        while True:
            on_disk = await self.look_at_disk()
            self.look(trio.current_time(), on_disk)
            await trio.sleep(LOOK_EVERY_S)

    async def look_at_disk(self, within_s: float = DISK_S) -> list[Finding]:
        """In a thread: a disk that hangs must not stop the voter's own loop."""
        try:
            return await self._disk.do(lambda: list(self._on_disk()), within_s, alike="look")
        except DiskFault:
            return [fail("disk: it does not answer", "see to it: what is done is not remembered")]

    def look(self, now: float, on_disk: Iterable[Finding] = ()) -> None:
        """Look once, at `now` in trio's time."""
        found = [*on_disk, *self._more()]
        for announcer in self._announcers.values():
            found += about_network(announcer)
            self._ask(announcer, now)
        for text in join_entries(self._worries.look(found, now), MAX_NOTE):
            self._tell_ops(text)

    def _ask(self, announcer: Announcer, now: float) -> None:
        """Ask services whose the channels are, once a day, where they know us."""
        asked_at = self._asked_at.get(announcer.name, float("-inf"))
        if announcer.joined and announcer.identified and now >= asked_at + ASK_EVERY_S:
            self._asked_at[announcer.name] = now
            for channel in (announcer.config.lobby, announcer.config.room):
                question = Message("PRIVMSG", ("ChanServ", f"INFO {channel}"))
                announcer.command(question, Priority.ROSTER)
