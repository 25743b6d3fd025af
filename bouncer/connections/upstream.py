"""One session's connection to its network: dialled, held, sent to at a polite pace, dialled again.

Whole chunks are handed to the hub; while it has too much to do they are not read, which pauses TCP.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from enum import StrEnum

import structlog
import trio

from bouncer.connections.bucket import Bucket
from bouncer.connections.dial import DialError, ServerAddress, describe, dial
from bouncer.connections.identd import Idents
from bouncer.connections.intake import Follow, alone
from bouncer.connections.send_queue import BURST_LINES, SendQueue
from bouncer.connections.supervise import Ending, Gate, Patience
from bouncer.connections.wire_log import Tap, closed_tap
from bouncer.hub.errands import Errand
from bouncer.irc.registration.upstream import is_ban
from bouncer.irc.wire import LineReader, Message
from bouncer.session.effects import DropNetwork, WantsTls
from bouncer.session.events import Connected, Event, FromNetwork, Lost
from bouncer.session.session import Session
from bouncer.session.transport import ident_of
from bouncer.tls.policies import Policies

REGISTRATION_S = 60.0  # from the open stream to 001
GOODBYE_S = 2.0

log = structlog.get_logger("upstream")


Dialer = Callable[..., Awaitable[trio.abc.Stream]]  # as `dial`


class State(StrEnum):
    CONNECTING = "connecting"
    CONNECTED = "connected"
    WAITING = "waiting"  # for the next try
    STOPPED = "stopped"  # trying again is of no use until somebody acts


class Upstream:
    """Keeps one session connected. `run` ends only when cancelled or stopped for good.

    `post` has an event decided, and waits for room; `hand` does so at once where there is some, and
    else says how, to be waited for before the next. `follow` reads the connection.
    """

    def __init__(
        self,
        session: Session,
        post: Callable[[Event], Awaitable[None]],
        hand: Callable[[Event], Errand | None],
        *,
        gate: Gate,
        default_rate: float,
        follow: Follow = alone,
        idents: Idents | None = None,
        policies: Policies | None = None,
        dial: Dialer = dial,
        became: Callable[[], None] = lambda: None,
        tap: Tap | None = None,
    ) -> None:
        self.session = session
        self.state = State.WAITING
        self.error = ""
        self.since = trio.current_time()
        self._post = post
        self._hand = hand
        self._follow = follow
        self._gate = gate
        self._idents = idents or Idents()
        self._policies = policies
        self._address: ServerAddress | None = None  # of this connection
        self._tls_port: int | None = None  # where it says to go instead
        self._tls_s: int | None = None  # for how long it wants to be gone to by TLS alone
        self._dial = dial
        self._tap = tap or closed_tap()
        self._became = became  # told when `state` or `error` may have changed
        self._default_rate = default_rate
        self._queue: SendQueue | None = None
        self._unsent = 0  # messages that waited for their turn when the connection ended
        self._scope: trio.CancelScope | None = None
        self._registration: trio.CancelScope | None = None
        self._ending: Ending | None = None
        self._ended = trio.Event()
        self._running = trio.CancelScope()

    # --- what the hub asks for ---

    def put(self, messages: Sequence[Message]) -> list[Message]:
        """Send `messages` at the network's pace; give back those that could not be queued."""
        return self._queue.put(messages) if self._queue else list(messages)

    @property
    def is_waiting(self) -> bool:  # not all has been sent
        return self._queue is not None and self._queue.is_waiting

    def registered(self) -> None:
        """The network has let us in: the registration's time limit is over."""
        self._become(State.CONNECTED)
        self._tell("connected", nick=self.session.state.nick)
        if self._registration is not None:
            self._registration.deadline = math.inf

    def drop(self, effect: DropNetwork) -> None:
        """Close the connection for the reason given."""
        self._end(Ending(effect.reason, effect.silent, effect.permanent, effect.banned))

    async def wants_tls(self, effect: WantsTls) -> None:
        """The network has said so, by IRCv3 sts."""
        if effect.duration_s is not None:
            self._tls_s = effect.duration_s
            await self._keep_policy()
        elif effect.port is not None:
            self._tls_port = effect.port
            self._end(Ending("it wants to be connected to by TLS"))

    def say_goodbye(self, text: str) -> None:
        """QUIT; the connection closes when it is sent."""
        if self._queue is not None:
            self._queue.close(Message("QUIT", (text,)))

    async def stop(self, text: str) -> None:
        """QUIT, give that a moment to leave, and end `run`."""
        self.say_goodbye(text)
        with trio.move_on_after(GOODBYE_S):
            await self.ended()
        self._running.cancel()

    async def ended(self) -> None:
        """Wait until the connection of this moment is closed."""
        if self._queue is not None:
            await self._ended.wait()

    # --- the loop ---

    async def run(self) -> None:
        with self._running:
            await self._keep_connected()

    async def _keep_connected(self) -> None:
        network = self.session.network
        patience = Patience()
        try:
            address = ServerAddress.parse(network.uri)
        except ValueError as error:
            self._become(State.STOPPED, str(error))
            return
        while True:
            await self._pass_gate(address)
            self._become(State.CONNECTING, self.error)
            opened_at = trio.current_time()
            self._unsent = 0
            try:
                self._address = self._to_dial(address)
                stream = await self._dial(
                    self._address,
                    source=network.source_address or None,
                    pin=network.fingerprint,
                    client_certificate=network.certificate,
                    proxy=network.proxy,
                )
            except DialError as error:
                ending = Ending(str(error))
            else:
                with self._idents.known(stream, ident_of(network)):
                    ending = await self._hold(stream, self._address)
            self._tell("disconnected", reason=ending.reason)
            # who stopped it has told so, and may have gone there anew: to post is no checkpoint
            await trio.lowlevel.checkpoint_if_cancelled()
            delay_s: float | None = 0.0
            if self._tls_port is None:
                delay_s = patience.after(ending, trio.current_time() - opened_at)
            self._become(State.STOPPED if delay_s is None else State.WAITING, ending.reason)
            await self._post(Lost(ending.reason, ending.refused, delay_s, self._unsent))
            if delay_s is None:
                return
            await trio.sleep(delay_s)

    def _to_dial(self, address: ServerAddress) -> ServerAddress:
        """The network's address, or that where it wants to be gone to by TLS."""
        port, self._tls_port, self._tls_s = self._tls_port, None, None
        if port is not None:
            return replace(address, tls=True, port=port)
        return self._policies.applied(address) if self._policies else address

    async def _keep_policy(self) -> None:
        if self._policies and self._address and self._tls_s is not None:
            await self._policies.keep(self._address, self._tls_s)

    async def _pass_gate(self, address: ServerAddress) -> None:
        if not address.is_loopback:
            source = self.session.network.source_address
            await trio.sleep(self._gate.delay((source, address.host), trio.current_time()))

    def _become(self, state: State, error: str = "") -> None:
        if state is not self.state:
            self.since = trio.current_time()
        self.state, self.error = state, error
        self._became()

    def _tell(self, event: str, **more: str) -> None:
        log.info(event, user=self._tap.user, network=self.session.network.name, **more)

    def _end(self, ending: Ending) -> None:
        self._ending = self._ending or ending
        if self._scope is not None:
            self._scope.cancel()

    # --- one connection ---

    async def _hold(self, stream: trio.abc.Stream, address: ServerAddress) -> Ending:
        """Run one connection to its end. Errors of the stream become its Ending."""
        rate = self.session.network.rate
        if rate is None:
            rate = 0.0 if address.is_loopback else self._default_rate
        bucket = Bucket(rate, BURST_LINES)
        self._queue = SendQueue(bucket, self._tap, lambda: self.session.state.isupport.linelen)
        self._ended = trio.Event()
        self._ending = None
        broken: Ending | None = None
        try:
            await self._post(Connected(tls=address.tls))
            with trio.CancelScope() as self._scope:
                await self._converse(stream)
        except* (OSError, trio.BrokenResourceError, trio.ClosedResourceError) as group:
            error = group.exceptions[0]
            silent = isinstance(error, TimeoutError) or "timed out" in str(error)
            broken = Ending(describe(error), silent=silent and self.session.is_registered)
        finally:
            self._unsent = self._queue.unsent()
            self._queue = None
            self._scope = None
            self._ended.set()
            with trio.CancelScope(deadline=trio.current_time() + GOODBYE_S, shield=True):
                await trio.aclose_forcefully(stream)
                await self._keep_policy()  # "MUST reschedule the expiry time when closing": sts
        if self._ending is not None:  # we have closed it, and know why
            return self._ending
        if goodbye := self.session.goodbye:
            return Ending(goodbye, banned=is_ban(goodbye))
        return broken or Ending("closed by the server")

    async def _converse(self, stream: trio.abc.Stream) -> None:
        queue = self._queue
        assert queue is not None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._limit_registration)
            nursery.start_soon(queue.drain_into, stream)
            await self._read(stream)
            nursery.cancel_scope.cancel()

    async def _limit_registration(self) -> None:
        with trio.CancelScope(deadline=trio.current_time() + REGISTRATION_S) as scope:
            self._registration = scope
            await trio.sleep_forever()
        if scope.cancelled_caught:
            self._end(Ending(f"it did not let us in within {REGISTRATION_S:.0f} s"))

    async def _read(self, stream: trio.abc.Stream) -> None:
        reader = LineReader()

        def take(data: bytes) -> Errand | None:
            lines = reader.feed(data)
            if self._tap.is_open:
                self._tap.note("in", lines)
            return self._hand(FromNetwork(lines)) if lines else None

        while (errand := await self._follow(stream, take)) is not None:
            await errand()
