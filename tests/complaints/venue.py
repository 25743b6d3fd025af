"""A whole bouncer in this process: a real store on disk, a network on loopback, clients in memory.

Nothing of it is replaced but the far ends, so a complaint is played as people meet it.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import trio
from trio.testing import lockstep_stream_pair, memory_stream_pair

from bouncer import config
from bouncer.app import Bouncer
from bouncer.connections import downstream
from bouncer.connections.upstream import State
from bouncer.database import open_database
from bouncer.irc.wire import LineReader, Message
from bouncer.login import passwords
from bouncer.push.pushing import Sender
from storage import accounts
from storage.records import Channel, Network, User

SERVER = "muster.test"
PASSWORD = "correct-horse-battery"
PATIENCE_S = 5.0  # what anything here may take
STEP_S = 0.002
MODERN = ("server-time", "message-tags", "batch", "echo-message")
GONE = (trio.BrokenResourceError, trio.ClosedResourceError)


async def until(holds: Callable[[], object]) -> None:
    with trio.fail_after(PATIENCE_S):
        while not holds():  # noqa: ASYNC110  # what is waited for has no event to wait on
            await trio.sleep(STEP_S)


class FakeNetwork:
    """Lets everybody in with bob in every channel, and notes what it hears."""

    def __init__(self) -> None:
        self.port = 0
        self.heard: list[str] = []
        self.streams: list[trio.abc.Stream] = []
        self.ignores_quit = False
        self._turn = trio.Lock()  # answers and what the test says

    @property
    def uri(self) -> str:
        return f"irc+insecure://127.0.0.1:{self.port}"

    async def serve(self, stream: trio.abc.Stream) -> None:
        self.streams.append(stream)
        reader = LineReader()
        with suppress(*GONE):
            while data := await stream.receive_some(4096):
                for line in reader.feed(bytes(data)):
                    self.heard.append(line)
                    message = Message.parse(line)
                    if message.command == "QUIT" and not self.ignores_quit:
                        await stream.aclose()
                        return
                    if said := self.answers(message):
                        async with self._turn:
                            await stream.send_all("".join(f"{e}\r\n" for e in said).encode())
        if stream in self.streams:
            self.streams.remove(stream)

    def answers(self, message: Message) -> list[str]:
        match message.command, message.params:
            case "CAP", ("LS", *_):
                return [":irc.test CAP * LS :"]
            case "USER", _:
                return [
                    ":irc.test 001 me :Welcome me!user@host",
                    ":irc.test 005 me CHANTYPES=# PREFIX=(ov)@+ :are supported by this server",
                    ":irc.test 422 me :no MOTD",
                ]
            case "JOIN", (names, *_):
                return [
                    line
                    for name in names.split(",")
                    for line in (
                        f":me!user@host JOIN {name}",
                        f":irc.test 353 me = {name} :me @bob",
                        f":irc.test 366 me {name} :End",
                    )
                ]
            case "PRIVMSG", ("NickServ", _):
                return [":NickServ!n@services NOTICE me :You are now identified for me."]
            case "PING", (token, *_):
                return [f":irc.test PONG irc.test {token}"]
        return []

    async def says(self, *lines: str) -> None:
        await self.says_octets("".join(f"{line}\r\n" for line in lines).encode())

    async def says_octets(self, data: bytes) -> None:
        async with self._turn:
            await self.streams[-1].send_all(data)

    async def bob(self, *texts: str) -> None:
        await self.says(*(f":bob!b@h PRIVMSG #ops :{text}" for text in texts))

    async def hears(self, text: str) -> str:
        """The first line with `text` in it, once it has come."""
        await until(lambda: any(text in line for line in self.heard))
        return next(line for line in self.heard if text in line)


class Cable(trio.abc.HalfCloseableStream):
    """A client's stream as the bouncer has it: one that takes nothing while it is held, and that
    can be cut without a goodbye."""

    def __init__(self, stream: trio.abc.HalfCloseableStream) -> None:
        self._stream = stream
        self._is_cut = False
        self._reading = trio.CancelScope()
        self._flows = trio.Event()
        self.flow()

    def hold(self) -> None:
        """The client has stopped reading, and all buffers on the way are full."""
        self._flows = trio.Event()

    def flow(self) -> None:
        self._flows.set()

    def cut(self) -> None:
        self._is_cut = True
        self._reading.cancel()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        with trio.CancelScope() as self._reading:
            if self._is_cut:
                raise trio.BrokenResourceError
            return await self._stream.receive_some(max_bytes)
        raise trio.BrokenResourceError

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._flows.wait()
        await self._stream.send_all(data)

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()


class Client:
    """One client; what it reads stands in `lines`. A slow one reads only when told to."""

    def __init__(self, stream: trio.abc.Stream, cable: Cable) -> None:
        self.stream = stream
        self.cable = cable
        self.lines: list[str] = []
        self.ended = False
        self.confirms = True  # answers PINGs
        self._reader = LineReader()
        self._turn = trio.Lock()  # PONGs and what the test says

    async def read(self, upto: str = "") -> None:
        """Read to the end, or no further than a line with `upto` in it."""
        with suppress(*GONE):
            while data := await self.stream.receive_some(65_536):
                for line in self._reader.feed(bytes(data)):
                    if line.startswith("PING"):
                        if self.confirms:
                            await self.says(line.replace("PING", "PONG", 1))
                    else:
                        self.lines.append(line)
                if upto and any(upto in line for line in self.lines):
                    return
        self.ended = True

    async def says(self, *lines: str) -> None:
        async with self._turn:
            await self.stream.send_all("".join(f"{line}\r\n" for line in lines).encode())

    async def hears(self, text: str) -> str:
        """The first line with `text` in it, once it has come."""
        await until(lambda: any(text in line for line in self.lines))
        return next(line for line in self.lines if text in line)

    @property
    def texts(self) -> list[str]:
        """What was said in conversations, the service apart."""
        messages = [Message.parse(line) for line in self.lines]
        return [
            m.params[-1]
            for m in messages
            if m.command in ("PRIVMSG", "NOTICE") and m.nick != "BouncerServ"
        ]


class Muster:
    """The bouncer under test, and the way in for clients."""

    def __init__(self, bouncer: Bouncer, nursery: trio.Nursery, ended: trio.Event) -> None:
        self.bouncer = bouncer
        self.store = bouncer.store
        self.ended = ended
        self._nursery = nursery
        self.door = downstream.Door(
            SERVER,
            bouncer.authenticator,
            bouncer.hubs.get,
            lambda: bouncer.config.told_caps,
            bouncer._wire_log,
        )

    @property
    def hub(self):  # type: ignore[no-untyped-def]
        return self.bouncer.hubs["alice"]

    @property
    def session(self):  # type: ignore[no-untyped-def]
        return self.hub.links["net"].session

    @property
    def is_connected(self) -> bool:
        upstream = self.hub.links["net"].upstream
        return upstream is not None and upstream.state is State.CONNECTED

    def stranger(self, *, slow: bool = False) -> Client:
        """A connection that has said nothing yet."""
        near, far = lockstep_stream_pair() if slow else memory_stream_pair()
        cable = Cable(far)
        self._nursery.start_soon(self.serve, cable)
        return Client(near, cable)

    async def serve(self, stream: trio.abc.Stream) -> None:
        await downstream.serve(stream, self.door, peer="192.0.2.1")

    async def client(
        self, login: str = "alice/net", caps: Iterable[str] = (), *, reads: bool = True
    ) -> Client:
        client = self.stranger(slow=not reads)
        wanted = " ".join(caps)
        lines = [f"PASS {login}:{PASSWORD}", "CAP LS 302", "NICK me", "USER u 0 * :u"]
        lines += [f"CAP REQ :{wanted}"] if wanted else []
        await client.says(*lines, "CAP END")
        if reads:
            self._nursery.start_soon(client.read)
            await client.hears(" 001 ")
        else:
            with trio.fail_after(PATIENCE_S):
                await client.read(upto=" 366 ")
        return client

    async def vanish(self, client: Client) -> None:
        """The client's machine is gone: nothing of what was sent is known to have arrived."""
        await self.gone(client, clean=False)

    async def gone(self, client: Client, *, clean: bool = True) -> None:
        before = len(self.hub.clients)
        if clean:
            await client.says("QUIT")
        else:
            client.cable.cut()
        await until(lambda: len(self.hub.clients) < before)

    async def term(self) -> None:
        """As the service manager stops it."""
        signal.raise_signal(signal.SIGTERM)
        await self.ended.wait()


@asynccontextmanager
async def running_network(network: FakeNetwork | None = None) -> AsyncIterator[FakeNetwork]:
    network = network or FakeNetwork()
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, network.serve, 0, host="127.0.0.1"))
        network.port = listeners[0].socket.getsockname()[1]
        yield network
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def running_bouncer(
    folder: Path,
    network: FakeNetwork,
    *,
    channels: Iterable[str] = ("#ops",),
    sender: Sender | None = None,
    **settings: object,
) -> AsyncIterator[Muster]:
    """A bouncer on the database of `folder`, with alice on `net`; `settings` change the network."""
    tables = {
        "server_name": SERVER,
        "data_dir": str(folder),
        "listen": [{"address": "unix:irc.sock"}],
    }
    conf = config.parse(tables, folder / "bouncer.toml")
    async with open_database(conf) as store:
        if not await store.read(accounts.list_users):
            hashed = passwords.make(PASSWORD)
            alice = User("alice", password_hash=hashed.password_hash, scram=hashed.scram)
            alice = await store.run(accounts.add_user, alice)
            net = Network(alice.id, "net", network.uri, nick="me")
            net = await store.run(accounts.add_network, replace(net, **settings))
            for name in channels:
                await store.run(accounts.put_channel, Channel(net.id, name))
        bouncer = Bouncer(conf, store, None, sender)
        ended = trio.Event()

        async def run(*, task_status: trio.TaskStatus[None]) -> None:
            await bouncer.run(lambda _store: task_status.started())
            ended.set()

        async with trio.open_nursery() as nursery:
            await nursery.start(run)
            muster = Muster(bouncer, nursery, ended)
            await until(lambda: muster.is_connected and muster.session.ready)
            await until(lambda: len(muster.session.state.channels) == len(tuple(channels)))
            yield muster
            nursery.cancel_scope.cancel()
