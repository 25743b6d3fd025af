"""One public network: in peacetime it idles in lobby and room, labelled a bot; in need it speaks.

The connection is held all the time, so that a message costs less than a second. It logs in by
SASL, or, where there is none, tells the services afterwards and waits a moment before it joins.
What is said goes through `Outgoing`; only PONG, registration and joins go at once.
"""

from __future__ import annotations

import math
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import cycle

import structlog
import trio

from bouncer.connections.dial import dial
from bouncer.irc.caps import UPSTREAM_WANTED
from bouncer.irc.registration import UpstreamRegistration
from bouncer.irc.state import NetworkState
from bouncer.irc.wire import Message
from fallback.config import NetworkConfig
from fallback.networks import ourselves as us
from fallback.networks.hall import Hall, Nobody, Standing
from fallback.networks.login import AGAIN_S, SASL_S, Login
from fallback.networks.ourselves import Secrets
from fallback.networks.outgoing import Outgoing, Priority
from fallback.networks.reading import SIGN_S, Reading
from fallback.networks.refusals import Refusal, What, read_refusal
from fallback.networks.retries import Retries
from fallback.networks.venue import Venue
from fallback.senses.pings import Pings

REGISTER_S = 60.0
IDENTIFY_S = 8.0  # how long services may take to recognise us before we join without
ENTER_AGAIN_S, JOIN_AGAIN_S = 5.0, 20.0  # until we are in; and then what still refuses us
REGAIN_S = 60.0
UNUSED = frozenset({"away-notify", "labeled-response", "draft/multiline"})
WANTED = tuple(name for name in UPSTREAM_WANTED if name not in UNUSED)

log = structlog.get_logger("announcer")


class Announcer:
    """Run it as a task. `say` and its kin never wait."""

    def __init__(self, config: NetworkConfig, secret: Secrets) -> None:
        self.config = config
        self.state = NetworkState(config.nick)
        self.venue = Venue(config, self.state)
        self.outgoing = Outgoing()
        self.standing, self.error = Standing.WAITING, ""
        self.sasl_s, self.identify_s, self.sign_s = SASL_S, IDENTIFY_S, SIGN_S
        self.log_in_again_s, self.regain_s = AGAIN_S, REGAIN_S
        self.enter_again_s, self.look_again_s = ENTER_AGAIN_S, JOIN_AGAIN_S
        self.is_needed: Callable[[], bool] = lambda: False  # an incident is open
        self._secret = secret
        self._hall: Hall = Nobody()
        self._stream: trio.abc.Stream | None = None
        self._direct_send, self._direct = trio.open_memory_channel[Message](256)
        self._wake = trio.Event()
        self._registration: UpstreamRegistration | None = None
        self._was_joined = False
        self._pings = Pings()
        self._login: Login | None = None
        self._entered = trio.Event()
        self._tried_second_nick = False
        self._muted_until: float | None = None

    def listen(self, hall: Hall) -> None:
        """From here on `hall` hears what happens on this network."""
        self._hall = hall

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def joined(self) -> bool:
        return self.standing is Standing.JOINED

    # -- saying -----------------------------------------------------------------------------------

    def say(self, targets: tuple[str, ...], text: str, priority: Priority) -> None:
        """A line to channels or people: one message where the network takes several targets."""
        most = self.state.isupport.targmax("PRIVMSG") if self.joined else 1
        at_once = most is None or most >= len(targets)
        for target in (",".join(targets),) if at_once else targets:
            self._put(Message("PRIVMSG", (target, text)), priority)

    def _put(self, message: Message, priority: Priority) -> None:
        self.outgoing.put(message, priority)
        self._wake.set()

    def notice(self, nick: str, text: str, *, source: str = "") -> None:
        """A reply to somebody; `source` (host or account) is whose turn it takes."""
        self.ask(Message("NOTICE", (nick, text)), source=source or nick)

    def ask(self, message: Message, *, source: str) -> None:
        """What the network is asked for somebody's sake; in their turn, like a reply."""
        self.outgoing.reply(message, source)
        self._wake.set()

    def command(self, message: Message, priority: Priority = Priority.VERIFY) -> None:
        """MODE, INVITE, KICK: within the rate budget like every line."""
        self._put(message, priority)

    def renamed(self, old: str, new: str) -> None:
        """What waits for a person follows them to their new nick; without one, it is dropped. Else
        an INVITE, a voice or a challenge would reach whoever takes the nick next."""
        self.outgoing.follow(old, new, self.state.fold)

    @property
    def tells_accounts(self) -> bool:
        """Whether the network tells by itself, with each line, of which account its sender is."""
        return self._registration is not None and "account-tag" in self._registration.caps

    @property
    def identified(self) -> bool:
        """Whether services know us."""
        return self._login is not None and self._login.identified

    @property
    def is_op(self) -> bool:
        """Whether the room obeys us."""
        return self.venue.is_op

    @property
    def is_muted(self) -> bool:
        return self._muted_until is not None

    async def goodbye(self, why: str) -> None:
        """QUIT, where we are in: a network should not see a mere timeout."""
        stream = self._stream
        if stream is not None:
            with suppress(
                trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError
            ):
                await stream.send_all(Message("QUIT", (why,)).encode())

    async def ping(self) -> bool:
        """PING, and whether the PONG came: this network as a landmark. Raises OSError if it is
        not connected. The caller sets the time limit."""
        if self._registration is None or not self._registration.registered:
            raise OSError("not connected")
        return await self._pings.ask(self._send)

    def ask_sign(self) -> None:
        """What was said matters: a connection that shows no life now is gone."""
        self._send(Message("PING", ("said",)))
        self._reading.expect(self.sign_s)

    def _send(self, message: Message) -> None:
        with suppress(trio.WouldBlock):  # full: the connection hangs and will be found dead
            self._direct_send.send_nowait(message)

    # -- the connection ---------------------------------------------------------------------------

    async def run(self) -> None:
        """Connect, and again, until cancelled."""
        retries = Retries()
        for address in cycle(self.config.addresses):
            self.standing, self.error = Standing.CONNECTING, ""
            started = trio.current_time()
            try:
                stream = await dial(
                    address, pin=self.config.pin, client_certificate=self._secret.certificate
                )
                await self._converse(stream)
            except* (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
                self.error = self.error or "the connection broke"
            except* (OSError, ssl.SSLError) as group:
                self.error = self.error or str(group.exceptions[0])
            finally:
                failure = self._registration.failure if self._registration else None
                self._ended()
            held_s, banned = trio.current_time() - started, bool(failure and failure.banned)
            pause_s, more_s = retries.after(self.error, held_s, banned=banned)
            log.info("network lost", network=self.name, error=self.error)
            await trio.sleep(pause_s)
            with trio.move_on_after(more_s):
                while not self.is_needed():  # noqa: ASYNC110 - a state without events
                    await trio.sleep(1.0)

    def _ended(self) -> None:
        self.standing = Standing.WAITING
        self._registration = None
        self._stream = None
        self._login = None
        self.outgoing.clear()
        if self._was_joined:
            self._was_joined = False
            self._hall.lost(self.name)

    async def _converse(self, stream: trio.abc.Stream) -> None:
        """From the open stream to its end."""
        self.state = NetworkState(self.config.nick)
        self.venue = Venue(self.config, self.state)
        self._muted_until, self._tried_second_nick = None, False
        self._entered = trio.Event()
        self._direct_send, self._direct = trio.open_memory_channel[Message](256)
        registration = self._registration = UpstreamRegistration(
            us.identity(self.config, self._secret), WANTED
        )
        login = self._login = Login(self.config, self._secret, registration, self._send_all)
        self._stream, self._reading = stream, Reading(stream)
        self.error = ""
        async with stream, trio.open_nursery() as nursery:
            for message in registration.start():
                self._send(message)
            nursery.start_soon(self._write_direct, stream)
            nursery.start_soon(self._write_paced)
            nursery.start_soon(self._enter, login)
            await self._read(registration)
            nursery.cancel_scope.cancel()

    async def _read(self, registration: UpstreamRegistration) -> None:
        while True:
            for message in await self._reading.some():
                self._take(message, registration)
                if registration.failure is not None:
                    self.error = registration.failure.text
                    if not registration.registered:
                        return

    def _take(self, message: Message, registration: UpstreamRegistration) -> None:
        refusal = read_refusal(message, self.state)
        if refusal and refusal.what is What.NICK and self._use_second_nick(registration):
            return
        for reply in registration.receive(message):
            self._send(reply)
        if message.command == "001":
            self.state = NetworkState(registration.nick)
            self.venue = Venue(self.config, self.state)
        self.state.receive(message)
        if registration.registered:
            self._entered.set()
        handler = _HANDLERS.get(message.command)
        if handler is not None:
            handler(self, message)
        if refusal is not None:
            self._refused(refusal, message)
        self._hall.received(self.name, message)

    def _use_second_nick(self, registration: UpstreamRegistration) -> bool:
        if registration.registered:
            return True  # our own try to regain it: later again
        if self._tried_second_nick:
            return False
        self._tried_second_nick = True
        registration.nick = self.config.second_nick
        self._send(Message("NICK", (self.config.second_nick,)))
        return True

    async def _write_direct(self, stream: trio.abc.Stream) -> None:
        async for message in self._direct:
            await stream.send_all(message.encode())
            if message.command == "PRIVMSG":
                self._hall.sent(self.name, message)

    async def _write_paced(self) -> None:
        """One task for all that is said, so that the budget holds."""
        while True:
            self._wake = trio.Event()
            while self.joined and (message := self.outgoing.take(trio.current_time())):
                await self._direct_send.send(message)
            waits = self.joined and len(self.outgoing)
            wait_s = self.outgoing.wait_s(trio.current_time()) if waits else math.inf
            with trio.move_on_after(wait_s):
                await self._wake.wait()

    # -- entering ---------------------------------------------------------------------------------

    async def _enter(self, login: Login) -> None:
        """Register, identify, join; then keep the nick, the modes and the connection."""
        self.error = "the network did not let us in within a minute"
        with trio.fail_after(REGISTER_S):
            await login.let_us_in(self._entered, self.sasl_s)
        self.standing = Standing.IDENTIFYING
        self.error = ""
        self.error = await login.be_known(self.identify_s)
        self._send_all(us.label(self.state))
        self.standing = Standing.JOINING
        last_regain = trio.current_time()
        while True:
            self._send_all(self.venue.moves(time.time(), identified=self.identified))
            await trio.sleep(self.look_again_s if self.joined else self.enter_again_s)
            self.error = self.venue.waited() or self.error
            self._check_joined()
            self._send(Message("PING", ("alive",)))
            now = trio.current_time()
            login.again(now, self.log_in_again_s)
            if self._muted_until is not None and now > self._muted_until:
                self._speak_again()
            if now - last_regain > self.regain_s:
                last_regain = now
                self._send_all(us.regain(self.config, self._secret, self.state.nick))

    def _send_all(self, messages: list[Message]) -> None:
        for message in messages:
            self._send(message)

    def _check_joined(self) -> None:
        if self.venue.stands and not self._was_joined:
            self._was_joined = True
            self.standing = Standing.JOINED
            self._hall.joined(self.name)
            self._wake.set()
        elif self._was_joined and not self.venue.in_lobby:
            self._was_joined = False
            self.standing = Standing.JOINING
            self._hall.lost(self.name)

    # -- what the network says --------------------------------------------------------------------

    def _on_join(self, message: Message) -> None:
        if self.state.is_me(message.nick) and message.params:
            self._send_all(self.venue.entered(message.params[0]))
            if not self.venue.refused:
                self.error = ""
        self._check_joined()

    def _refused(self, refusal: Refusal, message: Message) -> None:
        fold, now = self.state.fold, trio.current_time()
        place = self.venue.configured(refusal.target)
        match refusal.what:
            case What.ENTRY:
                self._send_all(self.venue.refuses(message, identified=self.identified))
                self.error = f"{place}: {refusal.why}"
                self._check_joined()
            case What.SPEECH if place == self.config.lobby:  # another agent takes this network
                self.error = f"{place}: {refusal.why}"
                log.warning("muted", network=self.name, why=refusal.why)
                self._muted_until = now + refusal.wait_s
                self._hall.silenced(self.name)
            case What.TOO_MANY:
                log.info("writes to too many people", network=self.name, wait_s=refusal.wait_s)
                self.outgoing.hold(refusal.target, now, refusal.wait_s, fold)
                self._wake.set()
            case What.PERSON:
                log.info("cannot be written to", network=self.name, why=refusal.why)
                self.outgoing.follow(refusal.target, "", fold)

    def _on_invite(self, message: Message) -> None:
        if len(message.params) >= 2:
            room = self.venue.configured(message.params[1]) == self.config.room
            self._send_all(self.venue.moves(time.time()) if room else [])

    def _on_modes(self, message: Message) -> None:
        self._send_all(self.venue.modes_seen(message, identified=self.identified))

    def _on_recognised(self, _message: Message) -> None:
        late = not self.identified and self.standing in (Standing.JOINING, Standing.JOINED)
        if self._login is not None:
            self._login.recognised()
        if late:  # after we gave up waiting: what refused us may let us in now, or obey us
            self.error = ""
            self._send_all(self.venue.moves(time.time()))
            self._send(Message("MODE", (self.config.room,)))

    def _on_own_mode(self, message: Message) -> None:
        """User mode r (or R) says that services know us: OFTC and others without 900."""
        if message.params and self.state.is_me(message.params[0]):
            if self.state.umodes & {"r", "R"}:
                self._on_recognised(message)
        else:
            if self.state.nick in message.params[2:]:
                self._speak_again()
            self._on_modes(message)

    def _on_notice(self, message: Message) -> None:
        self.venue.notice_seen(message)
        if self._login is not None:
            self._login.notice_seen(message)

    def _speak_again(self) -> None:
        """Our own rank in the lobby changed, or some time has passed: we may be heard again."""
        if self._muted_until is not None:
            self._muted_until = None
            if self.joined:
                self._hall.joined(self.name)


Handler = Callable[[Announcer, Message], None]
_A = Announcer
_HANDLERS: dict[str, Handler] = {
    "PONG": lambda ours, message: ours._pings.answered(message),
    "JOIN": _A._on_join,
    "PART": lambda ours, _message: ours._check_joined(),
    "KICK": lambda ours, _message: ours._check_joined(),
    "INVITE": _A._on_invite,
    "MODE": _A._on_own_mode,
    "324": _A._on_modes,
    "366": _A._on_modes,
    "900": _A._on_recognised,
    "NOTICE": _A._on_notice,
}
