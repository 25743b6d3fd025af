"""One client that asks and waits for the answer: for pages of history, searches and attaching."""

from __future__ import annotations

import base64
import contextlib
import re
import socket
import time
from collections.abc import Callable, Iterator, Sequence

from tests.bench.corpus import NUMBER
from tests.bench.crowd import Login, NotServed

RECEIVE_OCTETS = 1 << 18
ANSWER_S = 30.0
_END = re.compile(rb"(?:@\S+ )?(?::\S+ )?(?:BATCH -|FAIL )")


class Dialogue:
    """A connected client. `hash_wait_s` is how long the verdict on its password took."""

    def __init__(self, connect: Callable[[], socket.socket], login: Login) -> None:
        self._login = login
        self._rest = b""
        self.caps: set[str] = set()
        self.hash_wait_s = 0.0
        self.began = time.monotonic()
        self._sock = connect()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.send("QUIT :done")
            self._sock.shutdown(socket.SHUT_WR)
        self._sock.close()

    def send(self, *lines: str) -> None:
        self._sock.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def blocks(self, timeout_s: float = ANSWER_S) -> Iterator[bytes]:
        """Whole lines as they come. Raises NotServed when nothing comes for so long."""
        self._sock.settimeout(timeout_s)
        while True:
            # A delayed ACK of ours would add 40 ms to whoever lets Nagle's algorithm wait for it.
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            try:
                data = self._sock.recv(RECEIVE_OCTETS)
            except TimeoutError:
                raise NotServed(f"no answer within {timeout_s:.0f} s") from None
            except OSError as error:
                raise NotServed(f"the connection broke: {error}") from None
            if not data:
                raise NotServed("the bouncer closed")
            data = self._rest + data
            cut = data.rfind(b"\n") + 1
            self._rest, block = data[cut:], data[:cut]
            if b"PING " in block:  # the search for one takes as long as an answer
                for token in re.findall(rb"(?m)^(?::\S+ )?PING (.*)\r$", block):
                    self._sock.sendall(b"PONG %b\r\n" % token)
            yield block

    def until(self, pattern: bytes, timeout_s: float = ANSWER_S) -> bytes:
        """Everything up to the block in which the pattern stands. Raises NotServed."""
        return self._until(re.compile(pattern).search, timeout_s)

    def _until(self, sought: Callable[[bytes], object], timeout_s: float) -> bytes:
        said = []
        for block in self.blocks(timeout_s):
            said.append(block)
            if sought(block):
                return b"".join(said)
        raise AssertionError("blocks() does not end")

    def register(self, wanted: Sequence[str]) -> None:
        """Negotiate what is offered of `wanted` and log in, by SASL PLAIN where there is SASL."""
        login = self._login
        self.send("CAP LS 302", f"NICK {login.nick}", f"USER {login.user} 0 * :bench")
        offered = self.until(rb"CAP \S+ LS (?!\* )")
        words = b" ".join(re.findall(rb" LS (?:\* )?:?(.*)\r\n", offered)).decode().split()
        self.caps = {word.partition("=")[0] for word in words}
        sasl = "sasl" in self.caps
        names = [name for name in (*wanted, *(["sasl"] if sasl else [])) if name in self.caps]
        if not sasl:
            self.send(f"PASS {login.user}:{login.password}")
        if names:
            self.send(f"CAP REQ :{' '.join(names)}")
            self.until(rb"CAP \S+ ACK ")
        if sasl:
            self.send("AUTHENTICATE PLAIN")
            self.until(rb"AUTHENTICATE \+\r\n")
            secret = f"\0{login.user}\0{login.password}".encode()
            asked_at = time.monotonic()
            self.send(f"AUTHENTICATE {base64.b64encode(secret).decode()}")
            verdict = self.until(rb" 90[3-7] ")
            self.hash_wait_s = time.monotonic() - asked_at
            if b" 903 " not in verdict:
                raise NotServed(f"login refused: {verdict!r}")
        self.send("CAP END")

    def state(self, channels: int) -> float:
        """Seconds from connect until the state of so many channels is complete.

        Call after `register`; the wait for the verdict on the password is not counted.
        """
        return self.until_count(rb" 366 ", channels) - self.began - self.hash_wait_s

    def until_count(self, pattern: bytes, count: int, timeout_s: float = ANSWER_S) -> float:
        """Read until the pattern came so often; returns when it was so."""
        sought = re.compile(pattern)
        for block in self.blocks(timeout_s):
            count -= len(sought.findall(block))
            if count <= 0:
                return time.monotonic()
        raise AssertionError("blocks() does not end")

    def batch(self, command: str) -> bytes:
        """Ask for one batch of history; returns all of it. Raises NotServed at a FAIL."""
        self.send(command)
        said = self._until(ends, ANSWER_S)
        if b"FAIL " in said and b"BATCH -" not in said:
            raise NotServed(said.decode(errors="replace").strip())
        return said

    def shown(self, count: int, timeout_s: float = ANSWER_S) -> list[int]:
        """Read until so many of the corpus' lines came, or none for a while; their numbers."""
        numbers: list[int] = []
        with contextlib.suppress(NotServed):
            for block in self.blocks(timeout_s):
                numbers += map(int, NUMBER.findall(block))
                if len(numbers) >= count:
                    break
        return numbers


def ends(block: bytes) -> bool:
    """Whether an answer ends in it: at its last line, nearly always. To search all of them for the
    end would take as long as many an answer does."""
    for word in (b"BATCH -", b"FAIL "):
        at = block.rfind(word)
        if at >= 0 and _END.match(block, block.rfind(b"\n", 0, at) + 1):
            return True
    return False


HISTORY_CAPS = (
    "server-time",
    "message-tags",
    "account-tag",
    "batch",
    "draft/chathistory",
    "soju.im/search",
)


@contextlib.contextmanager
def dialogue(
    connect: Callable[[], socket.socket], login: Login, wanted: Sequence[str]
) -> Iterator[Dialogue]:
    """A client that has sent its login. It leaves politely at the end."""
    client = Dialogue(connect, login)
    try:
        client.register(wanted)
        yield client
    finally:
        client.close()
