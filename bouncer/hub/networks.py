"""The networks of one user, made to be those of the store: started, stopped, connected anew."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

import trio

from bouncer.config import Limits, UserDefaults
from bouncer.connections.identd import Idents
from bouncer.connections.intake import Follow
from bouncer.connections.supervise import Gate
from bouncer.connections.upstream import State, Upstream
from bouncer.connections.wire_log import Tap, WireLog
from bouncer.control.live import NetworkStatus
from bouncer.hub import keeping
from bouncer.hub.attachment import Link
from bouncer.hub.errands import Errand
from bouncer.irc.wire import Message
from bouncer.session.events import ChannelsWanted, Event, Lost, NetworkSet
from bouncer.session.screen import Screen
from bouncer.session.session import Session
from bouncer.tls.policies import Policies
from storage.records import Network, User
from storage.rows import folded
from storage.store import Store

# What a session takes over while it is connected; a change of anything else is a new connection.
TAKEN_OVER = (
    "name", "nick", "auto_away", "connect_commands", "casemapping", "keep_age_s", "keep_bytes",
)  # fmt: skip


def reconnects(known: Network, wanted: Network) -> bool:
    """Whether the change needs a new connection."""
    same = {name: getattr(wanted, name) for name in TAKEN_OVER}
    return replace(known, **same) != wanted


class Networks:
    """`links` are the sessions by the names of their networks. `post` and `hand` give a session an
    event (see `Upstream`), `changed` is told when a network, or the state of its connection, may
    have changed. `found` is what the store has, where that has been read already: the first
    `refresh` goes by it."""

    def __init__(
        self,
        links: dict[str, Link],
        store: Store,
        post: Callable[[Link, Event], Awaitable[None]],
        hand: Callable[[Link, Event], Errand | None],
        changed: Callable[[], None],
        *,
        server_name: str,
        gate: Gate,
        idents: Idents,
        default_rate: float,
        defaults: UserDefaults,
        ops: tuple[str, str] | None,
        chathistory_max: int,
        vapid: str,
        user_name: str,
        wire_log: WireLog,
        policies: Policies,
        found: keeping.Found | None = None,
        follow: Follow,
    ) -> None:
        self.links = links
        self.nursery: trio.Nursery | None = None  # where connections are held
        self.default_rate = default_rate  # lines per second, for networks without their own
        self.defaults = defaults  # where the user has said nothing
        self._store = store
        self._post = post
        self._hand = hand
        self._follow = follow
        self._changed = changed
        self._server_name = server_name
        self._gate = gate
        self._idents = idents
        self._ops = ops  # (network, channel) where the ops bot listens
        self._chathistory_max = chathistory_max  # messages of one answer; 0: no own limit
        self._refreshing = trio.Lock()  # one looks at the store and acts on it, then the next
        self._user_name = user_name
        self._wire_log = wire_log
        self._vapid = vapid  # our public key for Web Push
        self._policies = policies
        self._found = found

    async def refresh(self, user: User) -> list[Link]:
        """Make them those of the store; those that are gone."""
        async with self._refreshing:
            removed = await self._refresh(user)
        self._changed()
        return removed

    async def _refresh(self, user: User) -> list[Link]:
        found, self._found = self._found, None
        if found is None:
            found = await keeping.belongings_of(self._store, user)
        wanted = keeping.networks_of(user, found, auto_away=self.defaults.auto_away)
        here = {each.network.id for each in wanted}
        gone = [name for name, link in self.links.items() if link.session.network.id not in here]
        removed = [self.links.pop(name) for name in gone]
        for link in removed:
            await self._disconnect(link, "The network was removed")
        self._rename({each.network.id: each.network.name for each in wanted})
        for each in wanted:
            known = self.links.get(each.network.name)
            if known is None:
                self._add(each)
            else:
                await self._change(known, each)
        return removed

    def _rename(self, names: dict[int, str]) -> None:
        """Call every network as it is called now."""
        links = list(self.links.values())
        self.links.clear()
        for link in links:
            network = link.session.network
            self.links[names.get(network.id, network.name)] = link
        self.listen_for_ops(self._ops)

    def _add(self, wanted: keeping.Wanted) -> None:
        link = self.links[wanted.network.name] = Link(self.session(wanted))
        self._connect(link)

    async def _change(self, link: Link, wanted: keeping.Wanted) -> None:
        await self._post(link, ChannelsWanted(wanted.channels, wanted.settings, wanted.ignored))
        anew = reconnects(link.session.network, wanted.network)
        link.session.network = wanted.network
        if anew:
            await self._disconnect(link, "The network was changed")
            self._connect(link)
            return
        await self._post(link, NetworkSet(wanted.network))
        if link.upstream is None or link.upstream.state is State.STOPPED:
            self._connect(link)

    def session(self, wanted: keeping.Wanted) -> Session:
        network = wanted.network
        return Session(
            network,
            wanted.channels,
            server_name=self._server_name,
            new_id=self._store.next_id,
            ops_channel=self._ops_channel(network.name),
            chathistory_max=self._chathistory_max,
            noted=wanted.noted,
            vapid=self._vapid,
            screen=Screen(wanted.settings, wanted.ignored),
        )

    def no_network(self, user: User) -> Session:
        """For a connection that gives commands alone."""
        return self.session(keeping.Wanted(Network(user.id, "", ""), (), (), ()))

    async def post_to(self, network_id: int, event: Event) -> None:
        """Hand an event to the session of a network, if it is still there."""
        for link in list(self.links.values()):
            if link.session.network.id == network_id:
                await self._post(link, event)

    def _connect(self, link: Link) -> None:
        if not link.session.network.enabled:
            return
        assert self.nursery is not None
        link.upstream = Upstream(
            link.session,
            partial(self._post, link),
            partial(self._hand, link),
            follow=self._follow,
            gate=self._gate,
            default_rate=self.default_rate,
            idents=self._idents,
            became=self._changed,
            tap=Tap(self._wire_log, link.session.network.name, self._user_name),
            policies=self._policies,
        )
        self.nursery.start_soon(link.upstream.run)

    async def _disconnect(self, link: Link, reason: str) -> None:
        if link.upstream is not None:
            await link.upstream.stop(reason)
            link.upstream = None
            await self._post(link, Lost(reason))

    def say_goodbye(self, reason: str) -> None:
        """Tell every network that this is the end."""
        for link in self.links.values():
            if link.upstream is not None:
                link.upstream.say_goodbye(reason)

    async def gone(self) -> None:
        """Wait until every goodbye has been sent."""
        for link in list(self.links.values()):
            if link.upstream is not None:
                await link.upstream.ended()

    def let_go(self) -> None:
        """The hub has ended, and its parts hold each other. Those that were there at the start are
        beyond the reach of the garbage collector (`app.run`), so what is big goes by itself."""
        for link in self.links.values():
            link.upstream = None
        self.links.clear()

    def configure(self, limits: Limits, defaults: UserDefaults) -> bool:
        """Go by these from now on; whether a `refresh` is needed for that."""
        self.default_rate = limits.upstream_lines_per_s
        self._chathistory_max = limits.chathistory_max
        for link in self.links.values():
            link.session.chathistory_max = limits.chathistory_max
        changed, self.defaults = defaults != self.defaults, defaults
        return changed

    def listen_for_ops(self, ops: tuple[str, str] | None) -> None:
        """Make this user's connection the ops bot in (network, channel), or no longer."""
        self._ops = ops
        for name, link in self.links.items():
            link.session.ops_channel = self._ops_channel(name)

    def _ops_channel(self, network: str) -> str:
        """Where the ops bot listens on a network; "" for nowhere."""
        return self._ops[1] if self._ops and folded(self._ops[0]) == folded(network) else ""

    def status(self) -> list[NetworkStatus]:
        """How each network stands, by name."""
        now = trio.current_time()
        out = []
        for name, link in sorted(self.links.items()):
            upstream, session = link.upstream, link.session
            if upstream is None:
                out.append(NetworkStatus(name, "disabled"))
                continue
            nick = session.state.nick if session.ready else ""
            joined = len(session.state.channels) if session.ready else 0
            since_s = now - upstream.since
            out.append(
                NetworkStatus(name, upstream.state.value, nick, upstream.error, since_s, joined)
            )
        return out

    def quote(self, network: str, line: str) -> bool:
        """Send a line of IRC as it is; False where the network is not connected."""
        link = self.links.get(network)
        if link is None or link.upstream is None or not link.session.ready:
            return False
        return not link.upstream.put([Message.parse(line)])
