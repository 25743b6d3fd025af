"""One voter as one nursery tree: mesh, senses, deciders, and for an agent its public networks.

Cancelling the tree is the shutdown. Whatever must survive is on disk already.
"""

from __future__ import annotations

import errno
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import structlog
import trio

from bouncer import metrics
from bouncer.connections import supervise
from bouncer.mesh.datagrams import Where
from bouncer.mesh.heartbeat import Ack, Kind, write_body
from bouncer.mesh.keys import KeyFault, MeshKey
from bouncer.mesh.peers import Heard
from bouncer.mesh.roster import Roster
from fallback import check, claims, company, incident, report, voter, watch
from fallback.calling import about_role, as_called, silent
from fallback.conduct import Conduct
from fallback.config import Config
from fallback.credentials import read_hooks, read_secrets
from fallback.desk.frontdesk import FrontDesk
from fallback.desk.reception import Reception
from fallback.findings import Finding
from fallback.journal import Journal
from fallback.lock import Fault as Fault, Hindrance as Hindrance, take_lock
from fallback.mesh.agreement import about_settings, our_settings
from fallback.mesh.gossip import SettingsSaid
from fallback.mesh.hearing import Hearing
from fallback.mesh.pairing import Pairing
from fallback.mesh.port import PRIMARY, Mesh
from fallback.mesh.relay import Relay
from fallback.mesh.rosters import Rosters
from fallback.networks.announcer import Announcer
from fallback.networks.upkeep import Upkeep
from fallback.push import Pusher
from fallback.senses import names
from fallback.senses.landmarks import Landmarks
from fallback.senses.probes import Probes
from fallback.senses.selfcheck import Pulse
from storage.incidents import Incidents, IncidentsError

GOODBYE_S = 2.0
WITHDRAW_S = 10.0  # for the last lines, at their pace
AWHILE_S = 0.1
CERTIFICATE_LOOK_S = 20.0
CERTIFICATE_AGAIN_S = 24 * 3600.0  # an ended one is told once a day
LAST_RANK = 16  # of an agent the roster does not name (yet)

log = structlog.get_logger("fallback")


class Voter:
    """A whole voter, wired; one per process. `config` is the file as the roster lets it be."""

    def __init__(self, config: Config) -> None:
        self.file = config
        self._lock = take_lock(config)
        with ExitStack() as unless_whole:  # its process may try again
            unless_whole.callback(self._lock.close)
            try:
                self.key = MeshKey.load(config.key_file)
                self.incidents = Incidents(config.database_file)
            except KeyFault as fault:
                raise Fault(f"{fault}; `fallback key` makes one") from None
            except IncidentsError as error:
                raise (Hindrance if error.passes else Fault)(str(error)) from None
            unless_whole.callback(self.incidents.close)
            self._wire(config)
            unless_whole.pop_all()

    def _wire(self, config: Config) -> None:
        waits = config.waits()
        self.pulse = Pulse(waits.self_stall_s)
        self.journal = Journal(self.incidents, config.name, secrets.token_hex(8), self.pulse.now)
        networks = tuple(network.name for network in config.network)
        self.remembered = self.journal.remember(networks)
        self.rosters = Rosters(
            config.primary_key, self.remembered.roster, self.journal, self._roster_came
        )
        self.config = config = as_called(config, self.roster)
        if self.config != self.file:
            log.warning("the roster calls this agent a witness: it votes, and speaks nowhere")
            networks, self.remembered = (), silent(self.remembered)
        self.pairing = Pairing(config.name, self.key.public)
        self.mesh = Mesh(
            self.key, config.primary_key, config.mesh, heard=self._heard, roster=self.rosters.put
        )
        self.probes = Probes(config.primary, self.pulse.now, self._answered)
        self.announcers = {
            network.name: Announcer(network, read_secrets(network)) for network in config.network
        }
        if self.roster is not None:
            self._know(self.roster)
        self.conduct = Conduct(
            self.key,
            self._first_state(networks),
            pulse=self.pulse,
            journal=self.journal,
            mesh=self.mesh,
            probes=self.probes,
            announcers=self.announcers,
            roster=lambda: self.roster,
        )
        self.landmarks = Landmarks(
            config.landmark,
            self.pulse.now,
            fresh_s=waits.landmark_fresh_s,
            needed=waits.landmarks_needed,
            changed=self._self_check,
            irc={name: announcer.ping for name, announcer in self.announcers.items()},
        )
        performer = self.conduct.performer
        performer.landmarks = self.landmarks
        front = FrontDesk(
            self.conduct,
            me=config.name,
            org=config.primary_key,
            journal=self.journal,
            mesh=self.mesh,
            announcers=self.announcers,
            roster=lambda: self.roster,
            now=self.pulse.now,
            nicks_in_lobby=config.announce_nicks == "lobby",
        )
        self.relay = Relay(
            self.key,
            me=config.name,
            org=front.org,
            primary_key=config.primary_key,
            now=self.pulse.now,
            roster=lambda: self.roster,
            state=lambda: self.conduct.state.incident,
            journal=self.journal,
            repeating=performer.repeating,
            others=performer.other_agents,
            put=self.conduct.put,
            revoked=lambda evidence, admin: self.conduct.put_claim(
                claims.PeerRevoked(evidence, admin)
            ),
            tell_ops=performer.tell_ops,
        )
        performer.pass_on = self.relay.pass_on
        self.reception = Reception(
            self.conduct,
            me=config.name,
            front=front,
            relay=self.relay,
            pulse=self.pulse,
            journal=self.journal,
            mesh=self.mesh,
            announcers=self.announcers,
            roster=lambda: self.roster,
            last_number=self.remembered.stored.last_number,
        )
        self.conduct.front = front
        self.reception.full_status = self.status
        performer.began = self.reception.announced
        performer.took_over = self.reception.took_over
        for announcer in self.announcers.values():
            announcer.listen(self.reception)
            announcer.is_needed = lambda: bool(self.conduct.incident_id)
        self.hearing = Hearing(
            self.mesh,
            config.primary_key,
            now=self.pulse.now,
            roster=lambda: self.roster,
            state=lambda: self.conduct.state,
            answered_at=lambda: self.probes.answered_at,
            probe=self.probes.ask_now,
            put=self.conduct.put,
            put_claim=self.conduct.put_claim,
            received=performer.repeating.received,
            present=self.reception.fellows.told,
            ack=self._ack,
            order=self.relay.take,
            declared=self.relay.declared,
            dismissed=self.pairing.told,
        )
        performer.notice_kept = self.hearing.notices.persisted
        performer.tell_bouncer = self.hearing.notes.put
        self.pusher = Pusher(read_hooks(config))
        performer.push = self.pusher.put
        self.mesh.greeting = lambda: write_body(self._settings())
        on_disk = partial(check.about_storage, config)
        self.upkeep = Upkeep(self.announcers, self.worries, performer.tell_ops, on_disk)
        self._nursery: trio.Nursery | None = None
        self._withdraws = False
        self.stopped = trio.Event()

    def _first_state(self, networks: tuple[str, ...]) -> voter.VoterState:
        config, roster = self.config, self.roster
        waits = replace(config.waits(), k=roster.k) if roster else config.waits()
        if config.role == "witness":
            return voter.witness(config.name, waits)
        rank = roster.rank(config.name) if roster else None
        return voter.agent(config.name, LAST_RANK if rank is None else rank, networks, waits)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled or stopped. Raises Fault."""
        resolver = names.remember_answers(self.config)
        serving = False
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                try:
                    await nursery.start(self.mesh.run)
                except OSError as error:  # another has the port, or the address is yet to come
                    never = error.errno == errno.EACCES
                    text = f"mesh {self.config.mesh}: {error.strerror}"
                    raise (Fault if never else Hindrance)(text) from None
                nursery.start_soon(self.journal.run)
                nursery.start_soon(self.rosters.run)
                nursery.start_soon(self.conduct.run, self.remembered.kept, self.remembered.stored)
                nursery.start_soon(keep_running, "probes", self.probes.run)
                nursery.start_soon(keep_running, "landmarks", self.landmarks.run)
                nursery.start_soon(keep_running, "reception", self.reception.run)
                nursery.start_soon(keep_running, "orders", self.relay.run)
                nursery.start_soon(keep_running, "push", self.pusher.run)
                nursery.start_soon(keep_running, "upkeep", self.upkeep.run)
                nursery.start_soon(self._watch_certificate)
                for announcer in self.announcers.values():
                    nursery.start_soon(keep_running, announcer.name, announcer.run)
                answers = {"status": self.status, "check": lambda: check.running_findings(self)}
                tell = partial(report.serve_status, self.config.socket, answers)
                nursery.start_soon(keep_running, "status", tell)
                if self.config.metrics is not None:
                    figures = partial(metrics.serve, self.config.metrics, self.figures)
                    nursery.start_soon(keep_running, "metrics", figures)
                log.info("serving", name=self.config.name, role=self.config.role)
                serving = True
                task_status.started()
            if not serving:  # told to stop while it was beginning
                task_status.started()
        finally:
            self._nursery = None
            self.journal.close()
            await resolver.end()
            self._lock.close()
            self.stopped.set()

    async def withdraw(self) -> None:
        """We are to speak no more: say so where we have announced; other agents go on."""
        self._withdraws = True
        self.conduct.put(incident.Dismissed(still_votes=True))
        for _ in range(round(WITHDRAW_S / AWHILE_S)):
            await trio.sleep(AWHILE_S)
            unsaid = any(one.joined and len(one.outgoing) for one in self.announcers.values())
            if not (self.conduct.waiting or self.conduct.incident_id or unsaid):
                break

    async def stop(self, why: str = "stopping") -> None:
        """Say goodbye to the networks, within a bound, then end `run`."""
        with trio.move_on_after(GOODBYE_S):
            for announcer in self.announcers.values():
                await announcer.goodbye(why)
        if self._nursery is not None:
            self._nursery.cancel_scope.cancel()

    async def _watch_certificate(self) -> None:
        """CERT: the primary is up and its certificate has ended. Ops are told, nobody else."""
        while True:
            ends = self.probes.certificate_ends
            if ends is not None and ends.timestamp() < self.pulse.now():
                self.conduct.performer.tell_ops(
                    f"the primary's certificate ended {ends:%Y-%m-%d %H:%M}Z"
                )
                await trio.sleep(CERTIFICATE_AGAIN_S)
            await trio.sleep(CERTIFICATE_LOOK_S)

    # -- from the mesh ----------------------------------------------------------------------------

    def _heard(self, heard: Heard, where: Where | None) -> None:
        # Who withdraws hears of no incident any more, and takes that for no silence.
        if not self._withdraws or heard.kind in (Kind.HEARTBEAT, Kind.MAINTENANCE):
            self.hearing.take(heard, where)

    def _answered(self, at: float) -> None:
        self.conduct.put(watch.Answered(at))

    def _self_check(self, check: watch.SelfCheck) -> None:
        # Nobody beats to a voter that was removed: its silence says nothing about the primary.
        self.conduct.put(replace(check, fresh=0) if self.dismissed else check)
        if self.dismissed:  # after the doubt: else its own verdict would open another at once
            self.conduct.put(incident.Dismissed())

    def _ack(self, ack: Ack, where: Where | None, brought: int) -> None:
        self.mesh.answer(PRIMARY, Kind.ACK, write_body(ack), where, brought)

    # -- the roster -------------------------------------------------------------------------------

    @property
    def roster(self) -> Roster | None:
        return self.rosters.held

    def _roster_came(self, roster: Roster) -> None:
        self._know(roster)
        self.conduct.roster_changed(roster)
        self.hearing.send_ack(None, 0)  # the bouncer need not wait for it

    def _know(self, roster: Roster) -> None:
        self.mesh.know(roster.voters, self.config.name, roster.dismissed)

    @property
    def dismissed(self) -> bool:
        """Whether we are a voter no more: then we neither vote nor announce."""
        return self.pairing.is_over(self.roster)

    @property
    def is_called_otherwise(self) -> bool:
        """Whether the roster has called us an agent or a witness since we began as the other."""
        return as_called(self.file, self.roster).role != self.config.role

    # -- what all voters must have alike ----------------------------------------------------------

    def _settings(self) -> SettingsSaid:
        return our_settings(self.config, self.conduct.state.timings.k)

    def disagreements(self) -> Iterator[Finding]:
        """Where another voter's file is not as ours is and must be."""
        told = self.hearing.settings
        theirs = {name: told[name] for name in self.mesh.others if name in told}
        return about_settings(self._settings(), theirs)

    def worries(self) -> Iterator[Finding]:
        """What ops are told of when it lasts, besides the public networks."""
        if self.roster is not None:
            yield from check.about_pairing(self.config, self.roster, self.key.public)
            yield from about_role(self.file, self.roster)
        yield from company.about_company(self)
        last, waits = self.hearing.last, self.conduct.state.timings
        if last is not None and self.pulse.now() < last.at + waits.suspect_s:  # else it is away
            yield from company.about_link(self.mesh)
        yield from check.about_skew(self.hearing.notices.ahead_s)
        yield from self.disagreements()

    # -- for the operator -------------------------------------------------------------------------

    def status(self) -> list[str]:
        return report.status_lines(self)

    def figures(self) -> str:
        return report.metrics_text(self)


async def keep_running(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """A task's border: a fault in what faces the outside must not end the watch or the mesh."""
    delays = supervise.backoff(longest_s=60.0)
    while True:
        try:
            await run()
        except* Exception:  # also where it strikes as we are cancelled
            log.exception("a task failed and is started again", task=name)
        await trio.sleep(next(delays))
