"""One client's connection: registration and login, then its lines to the hub and back."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import structlog
import trio

from bouncer.connections.intake import READ_CHUNK, Follow, alone
from bouncer.connections.outbox import Outbox
from bouncer.connections.strangers import STRANGERS, Strangers
from bouncer.connections.wire_log import Tap, WireLog
from bouncer.hub.attachment import Attachment, TooManyClients
from bouncer.hub.errands import Errand
from bouncer.hub.hub import Hub
from bouncer.irc import caps
from bouncer.irc.labels import label_of, labelled
from bouncer.irc.registration import Attempt, DownstreamRegistration, ScramKeys
from bouncer.irc.wire import (
    MAX_CLIENT_TAGS,
    MAX_LINE,
    LineReader,
    Message,
    ProtocolError,
    encode_all,
)
from bouncer.login.auth import Authenticator, Refused
from bouncer.login.throttle import source_of
from bouncer.session.arrival import TOKENS
from bouncer.session.dialect import Dialect
from bouncer.session.events import CapsChanged, FromClient
from storage.errors import StorageError
from storage.records import User

OUTBOX_OCTETS = 8 * 1024 * 1024  # full: the client is dropped and catches up from history
CLIENT_LINE = MAX_CLIENT_TAGS + MAX_LINE
REGISTRATION_S = 60.0  # a client that has not logged in by then is dropped
KEEPALIVE_S = 60.0  # a client silent for so long is pinged,
SILENT_S = 180.0  # and dropped when it stays silent for so long: its cursor has not moved
GOODBYE_S = 3.0  # for the last lines of a connection,
LINGER_S = 30.0  # and for a client that was dropped to read what it has not read so far
HANDSHAKE = frozenset({"CAP", "AUTHENTICATE"})  # its commands that registration answers, always

log = structlog.get_logger("downstream")
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Door:
    """What a connection needs of the bouncer. `hub_of` gives a user's hub, `told_caps` the
    capabilities that the configuration switches on."""

    server_name: str
    authenticator: Authenticator
    hub_of: Callable[[str], Hub | None]
    told_caps: Callable[[], Mapping[str, str]]
    wire_log: WireLog = field(default_factory=WireLog)
    follow: Follow = alone
    outbox_octets: int = OUTBOX_OCTETS
    strangers: Strangers = field(default_factory=lambda: Strangers(STRANGERS))


async def serve(
    stream: trio.abc.Stream,
    door: Door,
    *,
    peer: str,
    fingerprint: str = "",
    is_known: Callable[[], None] = lambda: None,
) -> None:
    """Serve one client from its first octet to its last; errors of the stream end it quietly.
    `is_known` is called when it has logged in."""
    connection = Downstream(stream, door, peer, fingerprint, is_known)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(connection.write, nursery.cancel_scope)
            nursery.start_soon(connection.listen_no_more)
            await connection.read()
            connection.client.outbox.close()
            connection.leave()
            nursery.cancel_scope.deadline = trio.current_time() + LINGER_S
            await connection.linger()
    except* (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
        pass  # the client is gone; what it was sent is told by its cursor
    finally:
        with trio.CancelScope(deadline=trio.current_time() + GOODBYE_S, shield=True):
            connection.leave()
            await trio.aclose_forcefully(stream)


class Downstream:
    """The two directions of one client's stream."""

    def __init__(
        self,
        stream: trio.abc.Stream,
        door: Door,
        peer: str,
        fingerprint: str,
        is_known: Callable[[], None],
    ) -> None:
        self.stream = stream
        self._is_known = is_known
        self.door = door
        self.peer = peer
        tap = Tap(door.wire_log, peer)
        self.client = Attachment(next(_numbers), Outbox(door.outbox_octets), self._offer, tap=tap)
        self.client.fingerprint = fingerprint
        self.hub: Hub | None = None
        self.user: User | None = None
        # a policy is for the name that others connect to: this machine goes by another
        self._told_caps = door.told_caps() if source_of(peer) else {}
        self.registration = DownstreamRegistration(
            door.server_name, caps.offered(serving=self._told_caps), fingerprint, TOKENS
        )
        self._reader = LineReader(CLIENT_LINE)
        self._overlong = 0
        self._delivered_id = 0  # what a clean end has shown
        self._heard_at = 0.0
        self._listening = trio.CancelScope()
        self._has_quit = self._has_left = False

    async def write(self, scope: trio.CancelScope) -> None:
        """Send what is put in the outbox until it is closed, then end the connection."""
        await self.client.outbox.drain_into(self.stream)
        with trio.move_on_after(GOODBYE_S):
            if isinstance(self.stream, trio.abc.HalfCloseableStream):
                await self.stream.send_eof()
        if self.hub is None or self._has_quit:
            scope.cancel()  # else it may still be reading: see `linger`

    async def listen_no_more(self) -> None:
        """A client that is dropped may never say anything again: do not wait for that."""
        await self.client.outbox.closing.wait()
        self._listening.cancel()

    async def linger(self) -> None:
        """Throw away what a dropped client still says, until it ends: to close a socket with unread
        octets resets the connection, and the last lines never arrive."""
        while await self.stream.receive_some(READ_CHUNK):
            pass

    def _keep_nick(self) -> None:
        """Once it is attached, its session knows what it is called."""
        if link := self.client.link:
            known = link.session.clients.by_id.get(self.client.id)
            self.registration.nick = known.nick if known else self.registration.nick

    def _offer(self, network_caps: frozenset[str]) -> None:
        self._keep_nick()
        offered = caps.offered(network_caps, serving=self._told_caps)
        self.say(self.registration.change_offer(offered))

    def say(self, messages: list[Message]) -> None:
        self.client.tell(encode_all(messages))

    # --- reading ---

    async def read(self) -> None:
        """Read until the client ends or is dropped."""
        with trio.move_on_after(REGISTRATION_S) as limit:
            if not await self._register():
                return
        if limit.cancelled_caught:
            self.client.drop(f"Log in within {REGISTRATION_S:.0f} s")
            return
        self._is_known()
        await self._follow()
        self._delivered_id = self.client.delivered_id

    def leave(self) -> None:
        """Tell the hub that this client is gone, and what it is known to have."""
        if self.hub is not None and not self._has_left:
            self._has_left = True
            log.info("left", **self._who())
            self.hub.leave(self.client, self._delivered_id or self.client.quit_id)

    async def _lines(self) -> list[Message] | None:
        """The messages of the next chunk; None at the end of the stream."""
        data: bytes | bytearray = b""
        with trio.CancelScope() as self._listening:
            if not self.client.outbox.closed:
                data = await self.stream.receive_some(READ_CHUNK)
        return self._messages(bytes(data)) if data else None

    def _messages(self, data: bytes) -> list[Message]:
        """The messages of a chunk. What is wrong with its lines is said."""
        messages = []
        lines = self._reader.feed(data)
        if self.client.tap.is_open:
            self.client.tap.note("in", lines)
        for line in lines:
            try:
                messages.append(Message.parse(line))
            except ProtocolError as error:
                self._complain("421", "*", str(error))
        if self._reader.recoded and "standard-replies" in self.registration.caps:
            for line in self._reader.recoded:
                self._warn_of_encoding(line)
        if self._reader.overlong > self._overlong:
            self._overlong = self._reader.overlong
            self._complain("417", f"Input line was too long (limit {CLIENT_LINE} octets)")
        return messages

    def _warn_of_encoding(self, line: str) -> None:
        """It "had to be modified": utf8-only. What is no UTF-8 was read as Latin-1."""
        with suppress(ProtocolError):
            command = Message.parse(line).command
            text = "This line was not UTF-8 and was read as Latin-1; set your client to UTF-8"
            warning = Message("WARN", (command, "INVALID_UTF8", text), self.door.server_name)
            self.say([warning])

    def _complain(self, numeric: str, *params: str) -> None:
        self._keep_nick()
        nick = self.registration.nick or "*"
        self.say([Message(numeric, (nick, *params), self.door.server_name)])

    async def _register(self) -> bool:
        """Registration and login. False when it ended otherwise; the client has been told."""
        while (messages := await self._lines()) is not None:
            for index, message in enumerate(messages):
                await self._put_out(self.registration.receive(message))
                if self.registration.complete:
                    if not await self._attach():
                        return False
                    await self._hear(messages[index + 1 :])
                    return True
                if self.registration.closing:
                    self.client.outbox.close()
                if self.client.outbox.closed:
                    return False
        return False

    async def _log_in(self, attempt: Attempt) -> None:
        try:
            known = await self.door.authenticator.attempt(attempt, self.peer)
        except Refused as refused:
            log.info("login refused", peer=self.peer, user=refused.user, reason=str(refused))
            outputs = self.registration.refuse(str(refused))
        else:
            if isinstance(known, ScramKeys):
                outputs = self.registration.scram_keys(known)
            else:
                self.user = known
                self.client.tap.user = known.name
                hub = self.door.hub_of(known.name)
                names = hub.announcing.names() if hub is not None else {}
                outputs = self.registration.accept(known.name, names)
        await self._put_out(outputs)

    async def _put_out(self, outputs: list[Message | Attempt]) -> None:
        """Say the replies; check the login attempt that may be among them."""
        for output in outputs:
            if isinstance(output, Message):
                self.say([output])
            else:
                await self._log_in(output)

    async def _attach(self) -> bool:
        login = self.registration.login
        assert self.user is not None
        hub = self.door.hub_of(self.user.name)
        if hub is None:
            self.client.drop("Not possible at this moment; try again")
            return False
        self.client.user, self.client.name = self.user.name, login.client or ""
        enabled = frozenset(self.registration.caps)
        self.hub = hub  # first: who is cut off in between must be detached, too
        try:
            nick, away = self.registration.nick, self.registration.away or ""
            await hub.attach(self.client, login.network, nick, enabled, away)
        except KeyError:
            names = ", ".join(sorted(hub.links)) or "none yet: /msg BouncerServ help network"
            refusal = f"There is no network {login.network}; yours are: {names}"
        except TooManyClients as error:
            log.warning("not attached", user=self.user.name, reason=str(error))
            refusal = str(error)
        except StorageError as error:
            log.error("not attached", user=self.user.name, reason=str(error))
            refusal = f"History cannot be read now: {error}"
        else:
            log.info("attached", **self._who())
            return True
        self.hub = None
        self.client.drop(refusal)
        return False

    def _who(self) -> dict[str, str]:
        """What the log calls this client."""
        login = self.registration.login
        return {
            "user": self.client.user,
            "network": login.network or "",
            "client": self.client.name,
            "peer": self.peer,
        }

    async def _follow(self) -> None:
        """Everything after login."""
        self._heard_at, pinged_at = trio.current_time(), -math.inf
        while not self.client.outbox.closed:
            heard_at = self._heard_at
            silent_s = SILENT_S if pinged_at > heard_at else KEEPALIVE_S
            errand: Errand | None = None
            with trio.CancelScope(deadline=heard_at + silent_s) as self._listening:
                errand = await self.door.follow(self.stream, self._take)
                if errand is None:
                    return
            if errand is not None:
                await errand()
            elif self._heard_at > heard_at or self.client.outbox.closed:
                continue
            elif pinged_at > heard_at:
                self.client.drop(f"Ping timeout: {SILENT_S:.0f} s")
            else:
                pinged_at = trio.current_time()
                self.say([Message("PING", (self.door.server_name,))])

    def _take(self, data: bytes) -> Errand | None:
        """Hand a chunk to the hub; what must be waited for before the next."""
        if self.client.outbox.closed:
            return trio.lowlevel.checkpoint  # nothing that it says counts any more
        self._heard_at = trio.current_time()
        messages = self._messages(data)
        if any(message.command in HANDSHAKE for message in messages):
            return partial(self._hear, messages)
        return self._hand(messages)

    def _hand(self, messages: list[Message]) -> Errand | None:
        assert self.hub is not None
        assert self.client.link is not None
        if not messages:
            return None
        self._has_quit = self._has_quit or any(each.command == "QUIT" for each in messages)
        return self.hub.hand(self.client.link, FromClient(self.client.id, messages))

    async def _hear(self, messages: list[Message]) -> None:
        """Answer what belongs to registration; the hub hears the rest, each in its turn."""
        for is_ours, some in itertools.groupby(messages, lambda each: each.command in HANDSHAKE):
            if is_ours:
                for message in some:
                    await self._hear_handshake(message)
            elif (errand := self._hand([*some])) is not None:
                await errand()

    async def _hear_handshake(self, message: Message) -> None:
        assert self.hub is not None
        assert self.client.link is not None
        self._keep_nick()
        before = frozenset(self.registration.caps)
        label = label_of(message) if Dialect(before).labels else ""
        replies = self.registration.receive(message)
        if label:
            said = [reply for reply in replies if isinstance(reply, Message)]
            replies = [*labelled(label, said, self.door.server_name, "cap")]
        await self._put_out(replies)
        enabled = frozenset(self.registration.caps)
        if enabled != before:
            await self.hub.post(self.client.link, CapsChanged(self.client.id, enabled))
