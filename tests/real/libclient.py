"""The `irc` library's own client in a thread of its own: a peer that shares no code with ours."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import irc.client
import irc.connection

from tests.real.certificates import trusting_all
from tests.real.chatclient import Account, Said
from tests.real.process import until

STEP_S = 0.05
START_S = 10.0


@dataclass
class LibClient:
    """A running client of the library. `said` is the conversation per target."""

    reactor: irc.client.Reactor
    connection: irc.client.ServerConnection
    said: dict[str, list[Said]] = field(default_factory=dict)
    events: list[irc.client.Event] = field(default_factory=list)
    failure: BaseException | None = None
    _orders: list[Callable[[], object]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _end: threading.Event = field(default_factory=threading.Event)

    def message(self, target: str, text: str) -> None:
        self._ask(lambda: self.connection.privmsg(target, text))

    def join(self, channel: str) -> None:
        self._ask(lambda: self.connection.join(channel))

    def raw(self, line: str) -> None:
        self._ask(lambda: self.connection.send_raw(line))

    def quit(self) -> None:
        """Say so; the server closes. The library's own `disconnect` closes at once, over what has
        not been read yet: for the server that is a broken connection."""
        self._ask(lambda: self.connection.quit("bye"))

    async def gone(self, within_s: float = 10.0) -> None:
        """Wait until it has ended after `quit`."""
        await until(lambda: not self.connected, within_s, "the library's client is gone")

    @property
    def connected(self) -> bool:
        return bool(self.connection.is_connected())

    def texts(self, target: str) -> list[str]:
        with self._lock:
            return [said.text for said in self.said.get(target, [])]

    async def shows(self, target: str, text: str, within_s: float = 10.0) -> None:
        await until(lambda: text in self.texts(target), within_s, f"{text!r} in {target}")

    async def shows_like(self, target: str, end: str, within_s: float = 10.0) -> None:
        """Wait until a line of this conversation ends like this: backlog may bear a time."""
        await until(
            lambda: any(text.endswith(end) for text in self.texts(target)),
            within_s,
            f"…{end!r} in {target}",
        )

    async def happens(self, kind: str, target: str = "", within_s: float = 10.0) -> None:
        """Wait for an event of this type of the library (of this target, where given)."""
        await until(
            lambda: any(
                e.type == kind and target in ("", e.target, *e.arguments) for e in self._heard()
            ),
            within_s,
            f"the library's event {kind} {target}",
        )

    def _heard(self) -> list[irc.client.Event]:
        with self._lock:
            return list(self.events)

    def _ask(self, order: Callable[[], object]) -> None:
        with self._lock:
            self._orders.append(order)

    def _hear(self, _connection: irc.client.ServerConnection, event: irc.client.Event) -> None:
        with self._lock:
            self.events.append(event)
            if event.type in ("pubmsg", "privmsg", "pubnotice", "privnotice"):
                source = event.source.nick if hasattr(event.source, "nick") else str(event.source)
                target = event.target if irc.client.is_channel(event.target) else source
                self.said.setdefault(target, []).append(Said(source, event.arguments[0]))

    def _run(self) -> None:
        try:
            while not self._end.is_set():
                with self._lock:
                    orders, self._orders = self._orders, []
                for order in orders:
                    order()
                self.reactor.process_once(STEP_S)
                if not self.connected:
                    time.sleep(STEP_S)  # the library does not wait where it has no socket
        except BaseException as error:  # the border of the thread: shown by the block's end
            self.failure = error


@contextmanager
def libclient(account: Account) -> Iterator[LibClient]:
    """Connect by the library (blocking, in this thread), then run it in a thread.

    Raises irc.client.ServerConnectionError when it cannot connect, and at the end whatever the
    library raised meanwhile.
    """
    reactor = irc.client.Reactor()
    connection = reactor.server()
    made = LibClient(reactor, connection)
    reactor.add_global_handler("all_events", made._hear, -10)
    wrapper = irc.connection.identity
    if account.tls:
        context = trusting_all()
        if account.certificate:
            context.load_cert_chain(account.certificate.certificate, account.certificate.key)

        def wrapper(plain):  # type: ignore[no-untyped-def]
            return context.wrap_socket(plain, server_hostname=account.host)

    connection.connect(
        account.host,
        account.port,
        account.nick,
        password=account.password or None,
        username=account.username,
        ircname="A Person",
        connect_factory=irc.connection.Factory(wrapper=wrapper, ipv6=":" in account.host),
        sasl_login=account.sasl[0] if account.sasl else None,
    )
    thread = threading.Thread(target=made._run, name="irc library", daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made._end.set()
        thread.join(START_S)
        connection.disconnect()
    if made.failure is not None:
        raise made.failure
