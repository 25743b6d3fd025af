"""A session between a scripted network and scripted clients: what each says and hears."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count

from bouncer.connections.send_queue import on_the_wire
from bouncer.irc.wire import Message
from bouncer.session.dialect import CHAT
from bouncer.session.effects import Effect, Effects, PlayBack, Recall
from bouncer.session.events import (
    Attached,
    Connected,
    Detached,
    Event,
    FromClient,
    FromNetwork,
    PageRead,
    Recalled,
    Tick,
)
from bouncer.session.session import TICK_MS, Session
from storage.messages import Row
from storage.records import Network

PAGE = 50
MODERN = frozenset({"server-time", "message-tags", "batch", "echo-message", "account-tag"})


class Dialogue:
    """Performs effects in the order the hub does: keep, tell, then the rest. No I/O, no clock."""

    def __init__(self, channels: Iterable[str] = ("#ops",), network: Network | None = None) -> None:
        self.network = network or Network(1, "net", "irc+insecure://irc.test", id=1, nick="me")
        self.session = Session(
            self.network,
            [(name, "") for name in channels],
            server_name="muster.test",
            new_id=count(1).__next__,
            ops_channel="#ops",
        )
        self.now_ms = 1_800_000_000_000
        self.kept: list[Row] = []  # what was said,
        self.events: list[Row] = []  # and what happened
        self.up: list[str] = []  # what the network has heard and nobody has looked at
        self.down: dict[int, list[str]] = {}
        self.put_ids: dict[int, int] = {}
        self.others: list[Effect] = []

    def event(self, event: Event) -> Effects:
        self.now_ms += 1
        effects = self.session.receive(event, self.now_ms)
        rows = [row for row in effects.keep if isinstance(row, Row)]
        self.kept += [row for row in rows if row.command in CHAT]
        self.events += [row for row in rows if row.command not in CHAT]
        for client, lines in effects.to_clients.items():
            if client in self.down:
                self.down[client] += lines
        self.put_ids.update(effects.sent_ids)
        for message in effects.to_network:
            self.up += [str(line) for line in on_the_wire(message)]
        for other in effects.others:
            if isinstance(other, PlayBack):
                self._read_page(other)
            elif isinstance(other, Recall):
                self._recall(other)
            else:
                self.others.append(other)
        return effects

    def _read_page(self, wanted: PlayBack) -> None:
        rows = [row for row in self.kept if row.id > wanted.after_id]
        if wanted.target:
            rows = [r for r in rows if r.target == wanted.target and r.id <= wanted.upto_id]
            page = PageRead(wanted.client, rows[-PAGE:], wanted.upto_id, False, wanted.target)
        else:
            page = PageRead(wanted.client, rows[:PAGE], wanted.upto_id, len(rows) >= PAGE)
        self.event(page)

    def _recall(self, wanted: Recall) -> None:
        rows = [row for row in self.kept if row.target == wanted.target]
        rows = [row for row in rows if wanted.from_ms < row.time_ms < wanted.to_ms]
        self.event(Recalled(wanted.reference, rows))

    def passes(self, ms: int) -> None:
        """Let so much time pass."""
        for _ in range(ms // TICK_MS):
            self.now_ms += TICK_MS
            self.event(Tick())

    # --- the network ---

    def connect(self, caps: str = "", isupport: str = "CHANTYPES=# PREFIX=(ov)@+") -> None:
        """Register; every channel that is wanted is joined, with bob in it."""
        self.greeted(caps, isupport)
        self.says(":irc.test 422 me :no MOTD")
        for line in self.heard():
            if line.startswith("JOIN "):
                for name in line.split(" ")[1].split(","):
                    self.joined(name)

    def greeted(self, caps: str = "", isupport: str = "CHANTYPES=# PREFIX=(ov)@+") -> None:
        """Register, but for the end of the greeting."""
        self.event(Connected(tls=False))
        self.says(f":irc.test CAP * LS :{caps}")
        if caps:
            assert f"CAP REQ :{' '.join(sorted(caps.split()))}" in self.heard() or self.up == []
            self.says(f":irc.test CAP me ACK :{caps}")
        self.says(
            ":irc.test 001 me :Welcome me!user@host",
            f":irc.test 005 me {isupport} :are supported by this server",
        )

    def joined(self, name: str) -> None:
        self.says(
            f":me!user@host JOIN {name}",
            f":irc.test 353 me = {name} :@me bob",
            f":irc.test 366 me {name} :End",
        )

    def says(self, *lines: str) -> Effects:
        return self.event(FromNetwork(list(lines)))

    def heard(self) -> list[str]:
        """What the network has heard since the last look."""
        lines, self.up = self.up, []
        return lines

    # --- clients ---

    def attach(
        self,
        client: int,
        caps: Iterable[str] = MODERN,
        *,
        name: str = "",
        delivered_id: int = 0,
    ) -> list[str]:
        """Let a client in; what it is greeted with."""
        self.down[client] = []
        self.event(Attached(client, name, "me", frozenset(caps), delivered_id))
        return self.seen(client)

    def types(self, client: int, *lines: str) -> Effects:
        return self.event(FromClient(client, [Message.parse(line) for line in lines]))

    def seen(self, client: int) -> list[str]:
        """What the client has been told since the last look, our confirming PINGs apart."""
        lines, self.down[client] = self.down[client], []
        return [line for line in lines if not line.startswith("PING :muster-")]

    def leaves(self, client: int, *, clean: bool = True) -> int:
        """The client is gone; up to which message it is known to have everything."""
        self.others.clear()
        self.event(Detached(client, self.put_ids[client] if clean else 0))
        del self.down[client]
        (delivered,) = self.others
        return delivered.message_id  # type: ignore[union-attr]


def texts(lines: Iterable[str]) -> list[str]:
    """The texts of the messages among `lines`."""
    messages = [Message.parse(line) for line in lines]
    return [m.params[-1] for m in messages if m.command in ("PRIVMSG", "NOTICE")]
