"""A small IRC client for assertions: what it heard, in order, and what it says.

It keeps every line, answers PING by itself, and fails with what it heard instead.
"""

from __future__ import annotations

import base64
import re
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from bouncer.irc.wire import LineReader, Message
from tests.real.certificates import trusting_all
from tests.real.netns import connected

HEAR_S = 10.0
LINE_LIMIT = 1 << 20  # a test's client is not the one to complain about long lines
LINES_KEPT = 1_000_000  # a flood in a test is below this


def like(pattern: str, text: str) -> bool:
    """Whether text matches a pattern in which only '*' is special."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None


@dataclass
class Peer:
    """A connected client. `heard` is everything so far; `hears` moves a cursor along it."""

    stream: trio.abc.Stream
    nick: str = ""
    answers_ping: bool = True
    heard: list[Message] = field(default_factory=list)
    closed: bool = False
    server_certificate: bytes = b""  # DER, where the connection is TLS
    _reading: trio.Event = field(default_factory=trio.Event)
    _cursor: int = 0
    _news: trio.Event = field(default_factory=trio.Event)
    _writing: trio.Lock = field(default_factory=trio.Lock)
    _syncs: int = 0

    async def says(self, *lines: str) -> None:
        """Send lines; CRLF is added."""
        async with self._writing:
            await self.stream.send_all("".join(f"{line}\r\n" for line in lines).encode())

    async def says_bytes(self, data: bytes) -> None:
        async with self._writing:
            await self.stream.send_all(data)

    async def hears(
        self, command: str, *params: str, source: str = "*", within_s: float = HEAR_S
    ) -> Message:
        """Wait for the next message like this; '*' in a pattern stands for anything.

        `params` may be fewer than the message has. Raises AssertionError with what came instead.
        """
        begun = self._cursor
        with trio.move_on_after(within_s):
            while True:
                while self._cursor < len(self.heard):
                    message = self.heard[self._cursor]
                    self._cursor += 1
                    if _matches(message, command, params, source):
                        return message
                if self.closed:
                    break
                await self._news.wait()
        instead = "\n".join(f"  {message}" for message in self.heard[begun:][-40:])
        state = "closed" if self.closed else f"after {within_s:g} s"
        raise AssertionError(
            f"{self.nick or 'peer'} did not hear {command} {' '.join(params)} ({state}), but:\n"
            f"{instead or '  nothing'}"
        )

    async def has_heard(
        self, command: str, *params: str, source: str = "*", within_s: float = HEAR_S
    ) -> Message:
        """Like `hears`, but anything heard so far counts too and the cursor stays: for messages
        whose order does not matter. Returns the last one."""
        with trio.move_on_after(within_s):
            while not self.all(command, *params, source=source) and not self.closed:
                await self._news.wait()
        found = self.all(command, *params, source=source)
        if not found:
            heard = "\n".join(f"  {message}" for message in self.heard[-40:])
            raise AssertionError(f"{self.nick} did not hear {command} {params}, but:\n{heard}")
        return found[-1]

    def all(self, command: str, *params: str, source: str = "*") -> list[Message]:
        """Everything heard so far that is like this."""
        return [m for m in self.heard if _matches(m, command, params, source)]

    def texts(self, target: str = "*", command: str = "PRIVMSG") -> list[str]:
        """The texts of all messages to `target` heard so far, in order."""
        return [m.params[1] for m in self.all(command, target) if len(m.params) > 1]

    async def sync(self, within_s: float = HEAR_S) -> None:
        """PING and wait for its PONG: all that the server sent before has then been heard."""
        self._syncs += 1
        token = f"sync-{id(self)}-{self._syncs}"
        begun = self._cursor
        await self.says(f"PING {token}")
        with trio.fail_after(within_s):
            while not any(m.command == "PONG" and token in m.params for m in self.heard[begun:]):
                if self.closed:
                    raise AssertionError(f"{self.nick or 'peer'} was closed")
                await self._news.wait()

    async def is_closed(self, within_s: float = HEAR_S) -> None:
        """Wait for the other side's end."""
        with trio.fail_after(within_s):
            while not self.closed:
                await self._news.wait()

    def pause(self) -> None:
        """Read nothing more: the other side's queue fills."""
        self._reading = trio.Event()

    def resume(self) -> None:
        self._reading.set()

    def forget(self) -> None:
        """Drop what was heard, so that `all` and `texts` speak of what follows."""
        self.heard.clear()
        self._cursor = 0

    async def register(
        self,
        nick: str,
        *,
        password: str = "",
        user: str = "",
        caps: Iterable[str] = (),
        plain: tuple[str, str] | None = None,
        within_s: float = HEAR_S,
    ) -> None:
        """Register up to 001 and the end of MOTD. `plain` is (login, password) by SASL PLAIN."""
        wanted = list(dict.fromkeys([*caps, *(["sasl"] if plain else [])]))
        self.nick = nick
        if wanted:
            await self.says("CAP LS 302")
        if password:
            await self.says(f"PASS :{password}")
        await self.says(f"NICK {nick}", f"USER {user or nick} 0 * :{nick}")
        if wanted:
            await self.says(f"CAP REQ :{' '.join(wanted)}")
            await self.hears("CAP", "*", "ACK", within_s=within_s)
            if plain:
                await self.authenticate(*plain)
            await self.says("CAP END")
        welcome = await self.hears("001", within_s=within_s)
        self.nick = welcome.params[0]
        await self.hears_any("376", "422", within_s=within_s)

    async def authenticate(self, login: str, password: str) -> None:
        """SASL PLAIN; AssertionError unless 903."""
        await self.says("AUTHENTICATE PLAIN")
        await self.hears("AUTHENTICATE", "+")
        answer = base64.b64encode(f"{login}\0{login}\0{password}".encode()).decode()
        await self.says(f"AUTHENTICATE {answer}")
        await self.hears("903")

    async def hears_any(self, *commands: str, within_s: float = HEAR_S) -> Message:
        """Wait for the next message with one of these commands."""
        return await self.hears("|".join(commands), within_s=within_s)

    async def hears_nick(self, nick: str, within_s: float = HEAR_S) -> None:
        """Wait until somebody with this nick is on the network."""
        with trio.fail_after(within_s):
            while True:
                await self.says(f"ISON {nick}")
                answer = await self.hears("303", within_s=within_s)
                if nick.lower() in answer.params[-1].lower().split():
                    return
                await trio.sleep(0.1)

    async def hears_member(self, channel: str, nick: str, within_s: float = HEAR_S) -> None:
        """Wait until somebody with this nick is in a channel that we can look into."""
        with trio.fail_after(within_s):
            while True:
                begun = len(self.heard)
                await self.says(f"WHO {channel}")
                await self.hears("315", within_s=within_s)
                who = [m.params for m in self.heard[begun:] if m.command == "352"]
                if any(nick == params[5] for params in who):
                    return
                await trio.sleep(0.1)

    async def hears_voice(self, channel: str, nick: str, within_s: float = HEAR_S) -> None:
        """Wait until a person in a channel is voiced, by MODE or as NAMES shows it."""
        with trio.fail_after(within_s):
            while True:
                await self.says(f"NAMES {channel}")
                names = await self.hears("353", "*", "*", channel, within_s=within_s)
                if f"+{nick}" in names.params[-1].split():
                    return
                await trio.sleep(0.2)

    async def join(self, channel: str, within_s: float = HEAR_S) -> None:
        """JOIN and wait for the end of names."""
        await self.says(f"JOIN {channel}")
        await self.hears("366", "*", channel, within_s=within_s)

    async def run_reader(self) -> None:
        reader = LineReader(LINE_LIMIT)
        self.resume()
        try:
            while chunk := await self._read():
                for line in reader.feed(chunk):
                    if line:
                        self._take(Message.parse(line))
                        if self.answers_ping and self.heard[-1].command == "PING":
                            await self.says(f"PONG :{self.heard[-1].params[-1]}")
                self._tell()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # an end like any other: tests ask `closed`
        finally:
            self.closed = True
            self._tell()

    async def _read(self) -> bytes:
        await self._reading.wait()
        return bytes(await self.stream.receive_some(65536))

    def _take(self, message: Message) -> None:
        assert len(self.heard) < LINES_KEPT
        if message.command == "NICK" and message.nick == self.nick:
            self.nick = message.params[0]
        self.heard.append(message)

    def _tell(self) -> None:
        self._news.set()
        self._news = trio.Event()


def _matches(message: Message, command: str, params: tuple[str, ...], source: str) -> bool:
    return (
        (command == "*" or message.command in command.split("|"))
        and len(message.params) >= len(params)
        and all(like(p, q) for p, q in zip(params, message.params, strict=False))
        and like(source, message.source)
    )


@asynccontextmanager
async def peer(
    host: str,
    port: int,
    *,
    tls: bool | ssl.SSLContext = False,
    netns: str | None = None,
    timeout_s: float = HEAR_S,
) -> AsyncIterator[Peer]:
    """A client connected to a literal address, in a namespace; closed at the block's end.

    Raises OSError when it cannot connect. The end is abrupt: say QUIT for a polite one.
    """
    raw = await trio.to_thread.run_sync(connected, host, port, netns, timeout_s)
    raw.setblocking(False)
    stream: trio.abc.Stream = trio.SocketStream(trio.socket.from_stdlib_socket(raw))
    certificate = b""
    if tls:
        context = tls if isinstance(tls, ssl.SSLContext) else trusting_all()
        secure = trio.SSLStream(stream, context, server_hostname=host, https_compatible=True)
        with trio.fail_after(timeout_s):
            await secure.do_handshake()
        certificate = secure.getpeercert(binary_form=True) or b""
        stream = secure
    made = Peer(stream, server_certificate=certificate)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.run_reader)
        try:
            yield made
        finally:
            nursery.cancel_scope.cancel()
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(stream)
