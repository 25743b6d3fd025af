"""The bouncer as one nursery tree: store, hubs, listeners, admin socket, beacon, signals.

Cancelling the tree is the shutdown; a goodbye with a time limit comes before it, and the store,
outside of it, commits what is left.
"""

from __future__ import annotations

import gc
import signal
import ssl
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial

import structlog
import trio

from bouncer import admin, chores, config, machine, metrics
from bouncer.alone import alone
from bouncer.config import Config, ConfigError, Listen
from bouncer.connections import identd, listeners
from bouncer.connections.downstream import Door as ClientDoor
from bouncer.connections.identd import Idents
from bouncer.connections.intake import Intake
from bouncer.connections.strangers import Strangers
from bouncer.connections.supervise import Gate
from bouncer.connections.wire_log import WireLog
from bouncer.control.actors import OPERATOR, Actor, Door
from bouncer.control.command import Desk
from bouncer.control.live import NetworkStatus
from bouncer.control.registry import dispatch
from bouncer.database import lost_mesh_key, open_database
from bouncer.figures import figures
from bouncer.hub import keeping
from bouncer.hub.beside import Beside, Work
from bouncer.hub.endurance import Endurance
from bouncer.hub.hub import Hub
from bouncer.hub.opschannel import OpsChannel
from bouncer.login.auth import Authenticator
from bouncer.login.passwords import Hasher
from bouncer.mesh.beacon import Beacon, Site, VoterStatus
from bouncer.mesh.keys import MeshKey
from bouncer.push import webpush
from bouncer.push.pushing import Sender, way_out
from bouncer.session.effects import OpsCommand
from bouncer.session.session import Session
from bouncer.tls.certificates import CertificateFault, Standing
from bouncer.tls.contexts import ServerTls, paths, server_tls
from bouncer.tls.policies import Policies
from bouncer.tls.renewals import Renewals
from storage import accounts
from storage.errors import NotFound, StorageError, Taken
from storage.records import User
from storage.store import Store
from storage.trouble import Trouble

MESH_KEY = "mesh.key"
GOODBYE_S = 3.0  # TERM to the end takes at most 5 s, with the last commit

log = structlog.get_logger("bouncer")


def run(config: Config, *, ready: Callable[[Store], None] = lambda _store: None) -> None:
    """Serve until TERM or INT. `ready` is called once clients can connect.

    Raises ListenFault, CertificateFault, KeyFault or StorageError when it cannot begin.
    """
    machine.settle_in()

    def serving(store: Store) -> None:
        # What was made until now stays: no collection needs to look at it again.
        gc.freeze()
        gc.enable()
        ready(store)

    trio.run(partial(serve, config, ready=serving), strict_exception_groups=True)


async def serve(config: Config, *, ready: Callable[[Store], None] = lambda _store: None) -> None:
    """The same as a task."""
    with alone(config.data_dir) as lockless:
        if lockless:
            log.warning("not locked", reason=lockless)
        tls = server_tls(config) if any(listen.tls for listen in config.listen) else None
        async with open_database(config) as store:
            await store.be_alone()
            if lost := await store.read(lost_mesh_key, config):
                log.error("mesh key made anew", reason=lost)
            await Bouncer(config, store, tls).run(ready)


class Bouncer:
    """The running bouncer: what the control commands call `Live`."""

    def __init__(
        self,
        config: Config,
        store: Store,
        tls: ServerTls | None,
        sender: Sender | None = None,
    ) -> None:
        self.config = config
        self.store = store
        self.tls = tls
        self.hubs: dict[str, Hub] = {}
        self.ops = OpsChannel(self.hubs, lambda: self.config)
        self._endurance = Endurance(self.hubs, self._hub, self._user)
        self._beside = Beside(self.hubs)
        hasher = Hasher()
        self.desk = Desk(store, config, hasher, live=self)
        self.authenticator = Authenticator(store, hasher, config.limits)
        self.beacon = Beacon(
            store,
            MeshKey.load_or_make(config.mesh.key or config.data_dir / MESH_KEY),
            address=config.mesh.address,
            site=self._site,
            tell_ops=self.ops.tell,
        )
        self._sender = sender or Sender(
            webpush.VapidKey.load_or_make(config.data_dir / webpush.KEY_FILE),
            f"mailto:postmaster@{config.server_name}",
            way_out,
            ssl.create_default_context,
        )
        self._gate = Gate(config.limits.connects_per_min)
        self._idents = Idents()
        self._intake = Intake(store.together)
        self._cursors = keeping.Cursors(store)
        self._wire_log = WireLog()
        self._policies = Policies(store)
        self._found: dict[int, keeping.Found] = {}  # by user, for hubs that begin with the start
        self._started_at = trio.current_time()
        self._nursery: trio.Nursery | None = None
        self.renewals = Renewals(tls, self.ops.tell)
        self.not_reloaded = ""
        store.on_trouble(self._store_trouble)

    async def run(self, ready: Callable[[Store], None]) -> None:
        # First the socket, or another serves this data.
        with admin.listening(self.config.admin_socket) as control, closing(self.beacon):
            await self._run(control, ready)

    async def _run(self, control: trio.SocketListener, ready: Callable[[Store], None]) -> None:
        config = self.config
        door = ClientDoor(
            config.server_name,
            self.authenticator,
            self.hubs.get,
            lambda: self.config.told_caps,
            self._wire_log,
            self._intake.follow,
            strangers=Strangers(machine.open_files() // 2),  # the rest is for networks and clients
        )
        opened = [(listen, await listeners.open_listeners(listen)) for listen in config.listen]
        at = config.ident.listen
        ident = await listeners.open_listeners(Listen(address=at, tls=False)) if at else None
        self.beacon.bind()
        async with trio.open_nursery() as self._nursery:
            nursery = self._nursery
            await nursery.start(self._handle_signals)
            if config.metrics is not None:  # before the networks: where it fails, nobody has come
                await nursery.start(metrics.serve, config.metrics, partial(figures, self))
            nursery.start_soon(self._intake.run)
            await self._start_all(nursery)
            for listen, sockets in opened:
                nursery.start_soon(listeners.serve, listen, sockets, door, self.tls)
            await nursery.start(admin.serve, control, self._operator_says)
            await nursery.start(self.beacon.run)
            if ident is not None:
                nursery.start_soon(identd.serve, ident, self._idents)
            nursery.start_soon(self._stay_alone)
            nursery.start_soon(chores.tick, self.hubs)
            nursery.start_soon(chores.save_cursors, self._cursors)
            nursery.start_soon(chores.redact_owed, self.store)
            nursery.start_soon(chores.merge, self.store)
            nursery.start_soon(chores.prune, self.store, lambda: self.config.history.keep_s)
            nursery.start_soon(self.renewals.watch)
            log.info("serving", addresses=[str(listen.address) for listen in config.listen])
            ready(self.store)
            nursery.start_soon(self.authenticator.get_ready)

    # --- users ---

    async def _start_all(self, nursery: trio.Nursery) -> None:
        """All at once, by what one look at the store has found: they are many."""
        await self._policies.load()
        everybody = await keeping.everybody(self.store)
        self._found = {user.id: found for user, found in everybody}
        await self._endurance.begin([user for user, _ in everybody], nursery)

    def _hub(self, user: User) -> Hub:
        return Hub(
            user,
            self.store,
            self,
            server_name=self.config.server_name,
            gate=self._gate,
            default_rate=self.config.limits.upstream_lines_per_s,
            ops=self.ops.of(user),
            chathistory_max=self.config.limits.chathistory_max,
            defaults=self.config.user_defaults,
            idents=self._idents,
            sender=self._sender,
            cursors=self._cursors,
            wire_log=self._wire_log,
            policies=self._policies,
            found=self._found.pop(user.id, None),
            follow=self._intake.follow,
            is_crowded=self._intake.is_crowded,
        )

    async def refresh(self, user_name: str) -> None:
        try:
            user = await self._user(user_name)
        except NotFound:
            if hub := self.hubs.pop(user_name, None):
                await hub.stop("The user was removed")
            return
        if hub := self.hubs.get(user.name):
            await hub.refresh(user)
        elif not self._endurance.is_coming(user.name):
            assert self._nursery is not None
            await self._endurance.start(user, self._nursery)

    async def _user(self, name: str) -> User:
        return await self.store.read(accounts.get_user, name)

    # --- what commands ask of us ---

    async def beside(self, name: str, actor: Actor, work: Work) -> list[str]:
        assert self._nursery is not None
        return await self._beside.carry_out(self._nursery, name, actor, work)

    @property
    def uptime_s(self) -> float:
        return trio.current_time() - self._started_at

    async def roster_changed(self) -> None:
        self.beacon.roster_changed()

    async def reload(self) -> list[str]:
        """Configuration and certificates; drops no connection. What waits for a restart."""
        try:
            waiting = await self._reload()
        except ValueError as fault:
            self.not_reloaded = " | ".join(str(fault).splitlines())
            raise
        self.not_reloaded = ""
        return waiting

    async def _reload(self) -> list[str]:
        fresh, waiting = config.reloaded(self.config, config.load(self.config.source))
        if self.tls is not None:
            certificate, key = paths(fresh)
            self.tls.reload(certificate, key)
        self.config = fresh
        self.desk = replace(self.desk, config=fresh)
        self._gate.per_min = fresh.limits.connects_per_min
        self.authenticator.limits = fresh.limits
        for hub in list(self.hubs.values()):
            hub.networks.listen_for_ops(self.ops.of(hub.user))
            if hub.networks.configure(fresh.limits, fresh.user_defaults):
                await hub.refresh(hub.user)
        log.info("reloaded", waiting_for_a_restart=waiting)
        return waiting

    async def quote(self, user_name: str, network: str, line: str) -> bool:
        hub = self.hubs.get(user_name)
        return hub is not None and hub.networks.quote(network, line)

    async def notice(self, text: str) -> None:
        for hub in self.hubs.values():
            hub.notify(text)

    def debug(self, user_name: str | None) -> None:
        if user_name is None:
            self._wire_log.end()
        else:
            self._wire_log.begin(user_name)

    def policy_dropped(self, host: str) -> None:
        self._policies.forget(host)

    def network_status(self, user_name: str) -> list[NetworkStatus]:
        hub = self.hubs.get(user_name)
        return hub.networks.status() if hub else []

    def clients(self, user_name: str) -> list[str]:
        hub = self.hubs.get(user_name)
        return [client.name for client in hub.clients.values()] if hub else []

    def shows(self, user_name: str, fingerprint: str) -> bool:
        hub = self.hubs.get(user_name)
        return hub is not None and fingerprint in (c.fingerprint for c in hub.clients.values())

    def mesh_status(self) -> str:
        return self.beacon.summary()

    def voters(self) -> list[VoterStatus]:
        return self.beacon.status()

    def certificate(self) -> Standing | None:
        return self.renewals.standing()

    def acknowledge(self, who: str) -> str:
        return self.renewals.acknowledge(who)

    async def _operator_says(self, line: str) -> list[str]:
        return await dispatch(line, OPERATOR, self.desk)

    async def carry_out(self, user: User, network: str, words: str | Sequence[str]) -> list[str]:
        actor = Actor(Door.SERVICE, user=user.name, admin=user.admin, network=network)
        return await dispatch(words, actor, self.desk)

    async def answer_ops(self, session: Session, command: OpsCommand) -> tuple[str, list[str]]:
        return command.message.params[0], await self.ops.answer(self.desk, session, command)

    # --- the beacon's questions ---

    def _site(self) -> Site:
        return Site(self.ops.state(), int(self.tls.served.not_after) if self.tls else 0)

    def _store_trouble(self, trouble: Trouble | None) -> None:
        """History cannot be written, or can be again: everybody hears it at once."""
        text = f"HISTORY: {trouble}" if trouble else "HISTORY: the database can be written again"
        self.ops.tell(text)
        for hub in self.hubs.values():
            hub.notify(text)

    # --- tasks ---

    async def _handle_signals(
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        signals = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        with trio.open_signal_receiver(*signals) as received:
            task_status.started()
            async for number in received:
                if number != signal.SIGHUP:
                    break
                try:
                    await self.reload()
                except (ConfigError, CertificateFault, StorageError) as error:
                    log.error("not reloaded, what was stays", reason=str(error))
                    self.ops.tell(f"nothing was reloaded, what was stays: {error}")
        log.info("stopping")
        await self._say_goodbye()
        assert self._nursery is not None
        self._nursery.cancel_scope.cancel()

    async def _stay_alone(self) -> None:
        try:
            await self.store.stay_alone()
        except Taken as error:
            log.error("stopping", reason=str(error))
            await self._say_goodbye()
            raise

    async def _say_goodbye(self) -> None:
        with trio.move_on_after(GOODBYE_S):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(partial(self.beacon.say_stopping, wait_s=1.0))
                for hub in self.hubs.values():
                    hub.say_goodbye("The bouncer is stopping")
                for hub in self.hubs.values():
                    nursery.start_soon(hub.gone)
        await self._cursors.save()
