"""The bouncer's side of the mesh: says every second that it lives, and knows who listens.

It dials every voter: UDP heartbeats each second, and one TLS link that carries a heartbeat every
5 s and the roster. A voter that does not answer for five minutes is told to ops: from then on
nobody protects the site, or one less does.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable

import structlog
import trio

from bouncer.address import Address, refused
from bouncer.mesh import enrolment
from bouncer.mesh.attendant import Attendant, open_datagram
from bouncer.mesh.datagrams import Port, open_all, send_by
from bouncer.mesh.heartbeat import (
    MAX_ORDER,
    NO_NONCE,
    NONCE_OCTETS,
    Ack,
    DatagramFault,
    Heartbeat,
    Kind,
    Maintenance,
    OrderGiven,
    OrderKind,
    Received,
    acked_name,
    fitted,
    read_body,
    sign_statement,
    write_order,
)
from bouncer.mesh.keys import MeshKey
from bouncer.mesh.leaving import Leaving
from bouncer.mesh.peers import Heard, Peers
from bouncer.mesh.roster import PUSH_EVERY_S, Roster, Voter, sign_roster
from bouncer.mesh.voters import Announced, Site, Tracked, VoterStatus, summary
from bouncer.mesh.windows import Windows, Writes
from storage.errors import StorageError

BEAT_S = 1.0
UNPROTECTED_S = 300.0  # without an ack for so long, ops are told
ACK_WAIT_S = 5.0
RESEND_S = 0.3  # a notice or order that was not acked
RAISE_EVERY_S = 60.0  # the roster's version, above what a voter holds
MAX_AHEAD = 1_000_000  # versions: a voter that claims more is wrong, and can never use them up

__all__ = ["Announced", "Beacon", "Site", "VoterStatus"]

log = structlog.get_logger("beacon")


class Beacon:
    """One per bouncer. `run` it as a task; call the rest from the same event loop.

    `site` is asked before each heartbeat and must return at once; `tell_ops` takes one line and
    must not wait.
    """

    def __init__(
        self,
        store: Writes,
        key: MeshKey,
        *,
        address: Address | None = None,
        site: Callable[[], Site] = Site,
        tell_ops: Callable[[str], None] = lambda _text: None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._key = key
        self._address = address
        self._site = site
        self._tell_ops = tell_ops
        self._wall = wall
        self._peers = Peers(key, lambda: os.urandom(NONCE_OCTETS))
        self._boot = secrets.token_hex(8)
        self._sequence = 0
        self._voters: dict[str, Tracked] = {}
        self._changed = trio.Event()
        self._roster: Roster | None = None
        self._held = 0  # the highest version at a voter, where it is above ours
        self._raised_at = float("-inf")
        self._document: dict[str, bytes] = {}
        self._windows = Windows(store, key, self._boot, wall)
        self._ports: list[Port] = []
        self._acked = trio.Event()
        self._leaving = Leaving(store)
        self._attendant = Attendant(self._peers, self, self._take, self._leaving.told)

    # -- for the rest of the bouncer --------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Beat until cancelled; first sends nothing until the roster is read from the store."""
        await self._load_roster()
        await self._windows.load()
        try:
            self.bind()
            async with trio.open_nursery() as nursery:
                for port in self._ports:
                    nursery.start_soon(self._read, port)
                nursery.start_soon(self._beat)
                nursery.start_soon(self._keep_roster, nursery)
                task_status.started()
        finally:
            self.close()

    def close(self) -> None:
        """Give the ports back, if it has any."""
        for port in self._ports:
            port.close()
        self._ports = []

    def roster_changed(self) -> None:
        """Staff or voters changed in the store: sign and send the roster anew."""
        self._changed.set()

    def status(self) -> list[VoterStatus]:
        """Who protects the bouncer, by rank."""
        now = trio.current_time()
        return [one.status(now) for one in self._voters.values()]

    def summary(self) -> str:
        """One line for `!status`: `agents fra=OK hel=OK(w); hb 0.4s; roster v118 3h`, or ''."""
        return summary(self.status(), self._roster, round(self._wall() * 1000))

    @property
    def roster(self) -> Roster | None:
        """The roster as it was last signed; None before the first reading."""
        return self._roster

    def document(self, role: str) -> tuple[int, bytes] | None:
        """The version of the signed roster and its octets, as a voter of this role gets it."""
        return (self._roster.version, self._document[role]) if self._roster else None

    @property
    def windows(self) -> list[Maintenance]:
        """The maintenance windows in force or to come."""
        return self._windows.open

    async def announce_maintenance(
        self, begins_s: float, ends_s: float, why: str, *, wait_s: float = ACK_WAIT_S
    ) -> Announced:
        """Tell all voters of a window (epoch seconds). Raises ValueError for a bad one.

        Success may be claimed only when all have acked.
        """
        return await self._told(await self._windows.begin(begins_s, ends_s, why), wait_s)

    async def end_maintenance(self, id: str = "", *, wait_s: float = ACK_WAIT_S) -> Announced:
        """Take a window back: this one, the one in force, or the next. Raises ValueError."""
        return await self._told(await self._windows.end(id), wait_s)

    async def say_stopping(self, *, wait_s: float = 1.0) -> None:
        """The notice of a clean stop: 120 s, so that a mistaken one is announced after all."""
        notice = self._windows.stopping()
        if notice is not None:
            await self._told(notice, wait_s)

    async def order(
        self,
        what: OrderKind,
        admin: str,
        *,
        known_by: str,
        why: str = "",
        for_s: float = 0.0,
        wait_s: float = ACK_WAIT_S,
    ) -> tuple[int, int]:
        """Pass an admin's order to the agents; (received, agents) after `wait_s`.

        `admin` is a handle whose identity was checked here, `known_by` says how, for the agents'
        journals; `for_s` is for `hold`.
        """
        id = f"{what}:{secrets.token_hex(6)}"
        given_at = self._wall()
        order = OrderGiven(
            id, what, admin[:64], round(given_at * 1000), "bouncer", shown=known_by[:250],
            why=why[:100], for_s=for_s,
        )  # fmt: skip
        statement = sign_statement(self._key, Kind.ORDER, fitted(order, MAX_ORDER))
        agents = [one for one in self._voters.values() if one.voter.role == "agent"]
        with trio.move_on_after(wait_s):
            while pending := [one for one in agents if id not in one.held]:
                age_s = max(0.0, self._wall() - given_at)
                body = write_order(age_s, statement)
                for one in pending:
                    self._say(one, Kind.ORDER, body)
                await self._next_ack()
        return sum(id in one.held for one in agents), len(agents)

    # -- roster -----------------------------------------------------------------------------------

    async def _load_roster(self) -> None:
        wall_ms = round(self._wall() * 1000)
        roster, leaving = await self._store.run(enrolment.publish, self._key, wall_ms, self._held)
        self._roster = roster
        self._document = {
            "agent": sign_roster(self._key, roster),
            "witness": sign_roster(self._key, roster.for_witness()),
        }
        named = {voter.name: voter for voter in roster.voters} | leaving
        self._peers.replace({name: voter.public for name, voter in named.items()})
        self._leaving.wanted = {name: it for name, it in leaving.items() if name in self._known}

    async def _keep_roster(self, nursery: trio.Nursery) -> None:
        while True:
            self._track(nursery)
            with trio.move_on_after(PUSH_EVERY_S):
                await self._changed.wait()
            self._changed = trio.Event()  # before the reading: what changes meanwhile is read again
            try:
                await self._load_roster()
            except StorageError as error:  # the voters keep the last one; so do we
                log.error("roster not read", reason=str(error))
            for one in self._voters.values():
                one.pushed = -1

    def _see_version(self, one: Tracked, held: int) -> None:
        """A voter refuses a roster that is older than its own: ours has to be the newer one."""
        now = trio.current_time()
        if self._roster is None or not 0 < held - self._roster.version <= MAX_AHEAD:
            return
        if now < self._raised_at + RAISE_EVERY_S:
            return
        self._raised_at, self._held = now, held
        self._tell_ops(
            f"{one.voter.role} {one.voter.name} holds roster v{held}, ours was "
            f"v{self._roster.version}: was an older database put back? It is sent as v{held + 1}; "
            "see `staff list` and `agent list` for whom it has brought back"
        )
        self.roster_changed()

    def _track(self, nursery: trio.Nursery) -> None:
        """Start what is new, stop what was removed, tell the links of the new roster."""
        assert self._roster is not None
        wanted = {voter.name: voter for voter in self._roster.voters if voter.name in self._known}
        for name, one in list(self._voters.items()):
            if wanted.get(name) != one.voter:
                one.let_go()
                del self._voters[name]
        for name, voter in wanted.items():
            if name not in self._voters:
                one = self.track(voter, trio.current_time())
                nursery.start_soon(self._attendant.attend, one)
        self._voters = {name: self._voters[name] for name in wanted}
        for one in self._leaving.track(trio.current_time()):
            nursery.start_soon(self._attendant.attend, one)
        for one in self._voters.values():
            one.push.set()

    @property
    def _known(self) -> list[str]:
        return self._peers.names

    # -- datagrams --------------------------------------------------------------------------------

    def bind(self) -> None:
        """Take the ports to send from; `run` does so where nobody has. Raises OSError, its text for
        the operator."""
        try:
            self._ports = self._ports or open_all(self._address)
        except OSError as error:
            if self._address is None:
                raise
            raise OSError(f"mesh.address: {refused(self._address, error)}") from None

    async def _read(self, port: Port) -> None:
        async for batch in port.batches():
            for data, where in batch:
                if heard := open_datagram(self._peers, data):
                    if heard.reply and len(heard.reply) <= len(data):
                        port.send(heard.reply, where)
                    if heard.fresh and (one := self._voters.get(heard.peer)):
                        one.ways.heard(where, trio.current_time())
                    self._take(heard)

    def _take(self, heard: Heard) -> None:
        if heard.fresh:
            self._leaving.heard(heard.peer)
        one = self._voters.get(heard.peer)
        if not heard.fresh or one is None:
            return
        one.proven.set()
        one.speaks_as(self._peers.nonce_of(heard.peer))
        try:
            if heard.kind is Kind.RECEIVED:
                one.hold(read_body(Received, heard.body).id)
                self._acked.set()
            if heard.kind is not Kind.ACK:
                return
            one.ack = read_body(Ack, heard.body)
        except DatagramFault:
            return
        if one.ack.maintenance:
            one.hold(one.ack.maintenance)
        self._see_version(one, one.ack.roster)
        if one.ack.note and one.ack.noted > one.noted:
            one.noted = one.ack.noted
            self._tell_ops(f"{one.voter.role} {one.voter.name}: {one.ack.note}")
        one.acked_at = trio.current_time()
        self._acked.set()
        if one.told:
            one.told = False
            self._tell_ops(f"{one.voter.role} {one.voter.name} answers again ({one.ack.state})")

    def _send(self, one: Tracked, data: bytes) -> None:
        for where in one.ways.towards(trio.current_time()):
            send_by(self._ports, data, where)

    def _say(self, one: Tracked, kind: Kind, body: bytes) -> None:
        """By both ways: either may be closed."""
        self._send(one, self._peers.seal(one.voter.name, kind, body))
        if one.link is not None:
            one.by_link.append(self._peers.seal(one.voter.name, kind, body))
            one.push.set()

    async def _beat(self) -> None:
        next_at = trio.current_time()
        while True:
            now = trio.current_time()
            for one in list(self._voters.values()):
                self._send(one, self.datagram(one))
                self._tell_windows(one)
                self.watch_acks(one, now)
            self._windows.forget_old()
            next_at = max(next_at + BEAT_S, now)  # after a pause, no salvo
            await trio.sleep_until(next_at)

    def datagram(self, one: Tracked) -> bytes:
        """The next heartbeat for this voter, or a HELLO until its nonce is known."""
        nonce = self._peers.nonce_of(one.voter.name)
        if nonce == NO_NONCE:
            return self._peers.seal(one.voter.name, Kind.HELLO)
        site, window = self._site(), self._windows.in_force
        self._sequence += 1
        beat = Heartbeat(
            self._boot,
            self._sequence,
            nonce.hex(),
            round(self._wall() * 1000),
            home="up" if site.home == "up" else "down" if site.home == "down" else "none",
            certificate_ends_s=site.certificate_ends_s,
            roster=self._roster.version if self._roster else 0,
            maintenance=window.id if window else "",
            drill=site.drill,
        )
        statement = sign_statement(self._key, Kind.HEARTBEAT, beat)
        return self._peers.seal(one.voter.name, Kind.HEARTBEAT, statement)

    def track(self, voter: Voter, since: float) -> Tracked:
        """From here on this voter is beaten to; `since` in trio's time."""
        one = self._voters[voter.name] = Tracked(voter, since)
        return one

    def watch_acks(self, one: Tracked, now: float) -> None:
        """Tell ops, once, when this voter has not answered for five minutes."""
        silent_s = now - max(one.acked_at, one.since)
        if silent_s >= UNPROTECTED_S and not one.told:
            one.told = True
            self._tell_ops(
                f"{one.voter.role} {one.voter.name} has not answered for 5 min: "
                "it would not notice an outage; see `!status full`"
            )

    # -- maintenance ------------------------------------------------------------------------------

    async def _told(self, window: Maintenance, wait_s: float) -> Announced:
        name = acked_name(window)
        with trio.move_on_after(wait_s):
            while pending := [one for one in self._voters.values() if name not in one.held]:
                for one in pending:
                    self._tell_windows(one)
                await self._next_ack()
        acked = sum(name in one.held for one in self._voters.values())
        return Announced(window, acked, len(self._voters))

    async def _next_ack(self) -> None:
        self._acked = trio.Event()
        with trio.move_on_after(RESEND_S):
            await self._acked.wait()

    def _tell_windows(self, one: Tracked) -> None:
        """A notice is sent with each beat until the voter has acked that it holds it."""
        for _window, statement in self._windows.to_tell(one.held):
            self._say(one, Kind.MAINTENANCE, statement)
