"""MONITOR for clients on every network: one list to the network for all of them.

A network without MONITOR, or whose list is full, is asked by ISON; people in our channels are seen
anyway. Who asks is told what is known at once, and the rest when the network has said it. Sources:
IRCv3 monitor, extended-monitor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from bouncer.irc.caps import filled
from bouncer.irc.monitor import MonitorList
from bouncer.irc.numerics import RPL_MONOFFLINE, RPL_MONONLINE
from bouncer.irc.wire import Message
from bouncer.session import ours
from bouncer.session.clients import Client
from bouncer.session.effects import Effects

if TYPE_CHECKING:
    from bouncer.session.session import Session

POLLING = -3  # in the place of a client's number: our ISON
ISON_MS = 60_000  # between looks where there is no MONITOR
LIST_ROOM = 400  # octets of nicks in one line
EXTENDED = ("extended-monitor", "draft/extended-monitor")
# What is told of somebody we share no channel with only to those who watch them.
ABOUT_PEOPLE = frozenset({"ACCOUNT", "AWAY", "CHGHOST", "SETNAME"})


class Monitoring:
    """Who is watched by whom on one network. Bounded by the clients' lists, of 100 each."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}  # folded nick: as it was first written
        self._watchers: dict[str, set[int]] = {}
        self._known: dict[str, str] = {}  # the mask of who is online, '' for who is not
        self._polled: set[str] = set()  # by ISON, for the network's list has no room for them
        self._asked_ms = 0

    def lost(self) -> None:
        """The network is gone, and with it what we knew."""
        self._known.clear()
        self._polled.clear()

    def welcomed(self, session: Session, out: Effects) -> None:
        """A new connection: it has no list yet."""
        self._ask(session, list(self._names.values()), out)

    def refold(self, session: Session) -> None:
        """The network folds names otherwise than before."""
        fold = session.state.fold
        watchers: dict[str, set[int]] = {}
        for folded, name in self._names.items():
            watchers.setdefault(fold(name), set()).update(self._watchers[folded])
        self._watchers = watchers
        self._known = {fold(self._names[old]): mask for old, mask in self._known.items()}
        self._polled = {fold(self._names[old]) for old in self._polled}
        self._names = {fold(name): name for name in self._names.values()}
        for client in session.clients.by_id.values():
            if client.monitor is not None:
                client.monitor.refold()

    def tick(self, session: Session, out: Effects) -> None:
        if session.ready and session.now_ms - self._asked_ms >= ISON_MS:
            self._poll(session, out)

    def command(self, session: Session, client: Client, message: Message, out: Effects) -> None:
        """A client's MONITOR."""
        if client.monitor is None:
            client.monitor = MonitorList(lambda nick: session.state.fold(nick))
        before = dict(client.monitor.targets)
        online = partial(self._online, session)
        server = session.server_name
        for line in client.monitor.command(message.params, client.nick, server, online):
            out.tell(client.id, str(line))
        after = client.monitor.targets
        new = [name for folded, name in after.items() if folded not in before]
        self.watch(session, client.id, new, out)
        self.unwatch(session, client.id, [n for f, n in before.items() if f not in after], out)

    def left(self, session: Session, client: Client, out: Effects) -> None:
        if client.monitor is not None:
            self.unwatch(session, client.id, client.monitor.targets.values(), out)

    def watch(self, session: Session, watcher: int, nicks: Iterable[str], out: Effects) -> None:
        """Have the network tell when these come and go."""
        new = []
        for nick in nicks:
            folded = session.state.fold(nick)
            watchers = self._watchers.setdefault(folded, set())
            if not watchers or watcher == ours.OURS:  # the session wants to hear it again
                self._names[folded] = nick
                new.append(nick)
                if user := session.state.user_named(nick):  # as who asks is told already
                    self._known[folded] = user.mask
            watchers.add(watcher)
        self._ask(session, new, out)

    def unwatch(self, session: Session, watcher: int, nicks: Iterable[str], out: Effects) -> None:
        gone = []
        for nick in nicks:
            folded = session.state.fold(nick)
            watchers = self._watchers.get(folded, set())
            watchers.discard(watcher)
            if not watchers and self._watchers.pop(folded, None) is not None:
                gone.append(self._names.pop(folded))
                self._known.pop(folded, None)
                self._polled.discard(folded)
        if session.ready and session.state.isupport.monitor:
            out.to_network += _lists("-", gone)

    def _ask(self, session: Session, nicks: list[str], out: Effects) -> None:
        if not session.ready or not nicks:
            return
        if session.state.isupport.monitor:
            out.to_network += _lists("+", nicks)
        else:
            self._poll(session, out, nicks)

    def _poll(self, session: Session, out: Effects, nicks: Iterable[str] | None = None) -> None:
        """Ask by ISON for those whom we do not see and the network does not watch."""
        self._asked_ms = session.now_ms
        if nicks is None:
            here = session.state.isupport.monitor
            nicks = [n for f, n in self._names.items() if not here or f in self._polled]
        unseen = [nick for nick in nicks if session.state.user_named(nick) is None]
        for text in filled(unseen, LIST_ROOM):
            ours.ask(session, Message("ISON", (text,)), out, asker=POLLING)

    def _online(self, session: Session, nick: str) -> str | None:
        """The mask of who is online, '' for who is not, None where that is not known yet."""
        if not session.ready:
            return ""
        user = session.state.user_named(nick)
        return user.mask if user is not None else self._known.get(session.state.fold(nick))

    # --- what the network tells ---

    def heard(self, session: Session, message: Message, out: Effects) -> None:
        """730, 731 and 734."""
        names = message.params[-1].split(",") if len(message.params) > 1 else []
        if message.command == "734":  # <limit> <targets> :Monitor list is full.
            names = message.params[2].split(",") if len(message.params) > 3 else []
            folded = {session.state.fold(name) for name in names} & self._names.keys()
            self._polled |= folded
            self._poll(session, out, [self._names[each] for each in sorted(folded)])
            return
        for name in names:
            self._is(session, name, name if message.command == "730" else "", out)

    def polled(self, session: Session, asked: str, here: str, out: Effects) -> None:
        """The answer to our ISON about `asked`: these are online."""
        online = {session.state.fold(nick): nick for nick in here.split()}
        for nick in asked.split():
            self._is(session, nick, online.get(session.state.fold(nick), ""), out)

    def seen(self, session: Session, message: Message, out: Effects) -> None:
        """Somebody comes, goes or changes their nick before our eyes, where no MONITOR tells."""
        if not self._names or session.state.isupport.monitor:
            return
        if message.command == "NICK" and message.params:
            mask = message.params[0] + message.source[len(message.nick) :]
            self._is(session, message.nick, "", out)
            self._is(session, message.params[0], mask, out)
        else:
            mask = "" if message.command == "QUIT" else message.source
            self._is(session, message.nick, mask, out)

    def _is(self, session: Session, name: str, mask: str, out: Effects) -> None:
        """Take in where somebody is, and tell those who watch them where that is news."""
        nick = name.partition("!")[0]
        folded = session.state.fold(nick)
        if folded not in self._names:
            return
        known = self._known.get(folded)
        self._known[folded] = mask
        if known is not None and bool(known) == bool(mask):
            return
        for watcher in self._watchers[folded]:
            client = session.clients.by_id.get(watcher)
            if client is not None:
                numeric, who = (RPL_MONONLINE, mask) if mask else (RPL_MONOFFLINE, nick)
                line = Message(numeric, (client.nick, who), session.server_name)
                out.tell(client.id, str(line))

    def watchers(self, session: Session, nick: str) -> frozenset[int]:
        """The clients that are told more of somebody whom they watch: extended-monitor."""
        watching = self._watchers.get(session.state.fold(nick), ())
        return frozenset(
            client.id
            for client in session.clients.by_id.values()
            if client.id in watching and not client.dialect.caps.isdisjoint(EXTENDED)
        )


def _lists(sign: str, nicks: Iterable[str]) -> Iterator[Message]:
    for text in filled(nicks, LIST_ROOM):
        yield Message("MONITOR", (sign, text.replace(" ", ",")))
