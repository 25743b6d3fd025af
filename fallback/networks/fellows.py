"""The other agents on the public networks: who they are there, and letting them into the room.

Their nicks come over the mesh, which knows its peers; what is said
on the network proves nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

import trio

from bouncer.irc.wire import Message
from bouncer.mesh.heartbeat import Kind, write_body
from fallback.mesh.gossip import PresentSaid
from fallback.mesh.port import Mesh
from fallback.networks.announcer import Announcer

PRESENT_EVERY_S = 10.0
LET_IN_EVERY_S = 30.0  # one that does not come, or gets no rank, takes no turns of people's


class Fellows:
    """`agents` names the agents of the roster besides us."""

    def __init__(
        self,
        agents: Callable[[], list[str]],
        *,
        mesh: Mesh,
        announcers: Mapping[str, Announcer],
    ) -> None:
        self._agents = agents
        self._mesh = mesh
        self._announcers = announcers
        self.every_s = PRESENT_EVERY_S
        self._nicks: dict[tuple[str, str], str] = {}  # (agent, network) -> its nick there
        self._let_in_at: dict[tuple[str, str], float] = {}  # the same -> when we tried last

    async def run(self) -> None:
        """Tell the other agents our nicks, again and again."""
        while True:
            nicks_now = {
                name: one.state.nick[:64] for name, one in self._announcers.items() if one.joined
            }
            if nicks_now:
                body = write_body(PresentSaid(nicks_now))
                for agent in self._agents():
                    self._mesh.send(agent, Kind.PRESENT, body)
            await trio.sleep(self.every_s)

    def named(self, network: str, nick: str) -> Iterator[str]:
        """The agents that stand there under this nick: one, or none."""
        fold = self._announcers[network].state.fold
        for (agent, where), known in self._nicks.items():
            if where == network and fold(known) == fold(nick):
                yield agent

    def renamed(self, network: str, old: str, new: str) -> None:
        """NICK seen on the connection that it named: its line must be known for its own before
        the mesh tells, which may be cut."""
        for agent in list(self.named(network, old)):
            self._nicks[agent, network] = new

    def in_room(self, network: str) -> set[str]:
        """The agents that are in the room, so that they hear what is said there."""
        announcer = self._announcers[network]
        room = announcer.state.channel(announcer.config.room)
        members = room.members if room else {}
        return {
            agent
            for (agent, where), nick in self._nicks.items()
            if where == network and announcer.state.fold(nick) in members
        }

    def told(self, agent: str, where: dict[str, str]) -> None:
        """Another agent tells its nicks: invite it, or make it operator."""
        for network, nick in where.items():
            announcer = self._announcers.get(network)
            if announcer is None:
                continue
            self._nicks[agent, network] = nick
            room = announcer.state.channel(announcer.config.room)
            tried_at, now = self._let_in_at.get((agent, network), -math.inf), trio.current_time()
            if room is None or not announcer.is_op or now < tried_at + LET_IN_EVERY_S:
                continue
            self._let_in_at[agent, network] = now
            if announcer.state.fold(nick) not in room.members:
                announcer.command(Message("INVITE", (nick, announcer.config.room)))
            else:
                self.welcome(network, nick)

    def welcome(self, network: str, nick: str) -> None:
        """Make a fellow agent operator of the room, so that it can go on without us."""
        announcer = self._announcers[network]
        room = announcer.state.channel(announcer.config.room)
        member = room.members.get(announcer.state.fold(nick)) if room else None
        fellow = any(self.named(network, nick))
        if fellow and announcer.is_op and member is not None and "@" not in member.prefixes:
            announcer.command(Message("MODE", (announcer.config.room, "+o", nick)))
