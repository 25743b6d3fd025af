"""The harness's end of the fake network: starts its process and gives it orders."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from tests.bench.process import ROOT
from tests.bench.secure import Pair


class NetworkFailed(RuntimeError):
    """The fake network did not answer in time: what was awaited did not happen."""


class FakeNetwork:
    """A blast and a paced flood may run at once. Times are of `time.monotonic()`.

    `nicks` limits a flood to some connections; none means all.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._rest = b""
        self._early: dict[str, dict[str, Any]] = {}  # answers that came before they were awaited
        hello = self._answer("start", 10.0)
        self.port = int(hello["port"])
        self.session = str(hello["session"]).encode()

    def await_joined(self, pairs: int, timeout_s: float = 60.0) -> float:
        """Wait until so many (connection, channel) pairs stand; returns when it was so."""
        return float(self._ask({"do": "await", "joined": pairs}, timeout_s)["at"])

    def blast(self, lines: int, channels: Sequence[str], nicks: Sequence[str] = ()) -> None:
        """Say so many lines to every connection, as fast as it takes them. See `blasted`."""
        order = {"do": "blast", "lines": lines, "channels": list(channels)}
        self._tell({**order, "nicks": list(nicks)})

    def blasted(self, timeout_s: float = 120.0) -> tuple[float, float]:
        """When the last blast began and when its last octet was taken."""
        answer = self._answer("blast", timeout_s)
        return float(answer["began"]), float(answer["ended"])

    def pace(
        self,
        lines: int,
        rate: float,
        channels: Sequence[str],
        stamp_every: int = 0,
        nicks: Sequence[str] = (),
    ) -> None:
        """Say lines at a rate per second, a clock in every `stamp_every`th. See `paced`."""
        order = {"do": "pace", "lines": lines, "rate": rate, "channels": list(channels)}
        self._tell({**order, "stamp_every": stamp_every, "nicks": list(nicks)})

    def paced(self, timeout_s: float = 120.0) -> tuple[float, float]:
        """Wait for the end of a paced flood: when it began and ended."""
        answer = self._answer("pace", timeout_s)
        return float(answer["began"]), float(answer["ended"])

    def halt(self) -> int:
        """Stop a paced flood; returns how many lines it said."""
        return int(self._ask({"do": "halt"}, 10.0)["sent"])

    def next_number(self) -> int:
        """The number that the next line will carry."""
        return int(self._ask({"do": "count"}, 10.0)["next"])

    def pid(self) -> int:
        return self._process.pid

    def _tell(self, order: dict[str, Any]) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()

    def _ask(self, order: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        self._tell(order)
        return self._answer(str(order["do"]), timeout_s)

    def _answer(self, what: str, timeout_s: float) -> dict[str, Any]:
        deadline = time.monotonic() + timeout_s
        while what not in self._early:
            for line in self._lines(max(0.0, deadline - time.monotonic()), what):
                answer: dict[str, Any] = json.loads(line)
                self._early[answer["to"]] = answer
        return self._early.pop(what)

    def _lines(self, timeout_s: float, what: str) -> list[bytes]:
        assert self._process.stdout
        pipe = self._process.stdout.fileno()
        if not select.select([pipe], [], [], timeout_s)[0]:
            raise NetworkFailed(f"the network's {what!r} did not happen in time")
        data = os.read(pipe, 1 << 16)
        if not data:
            raise NetworkFailed("the fake network ended")
        *lines, self._rest = (self._rest + data).split(b"\n")
        return lines


@contextlib.contextmanager
def fake_network(members: int = 50, pair: Pair | None = None) -> Iterator[FakeNetwork]:
    """A network of its own process, gone at the end; over TLS with a pair."""
    command = [sys.executable, "-m", "tests.bench.server", str(members)]
    if pair:
        command += [str(pair.certificate), str(pair.key)]
    pipes = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipes, stdout=pipes, cwd=ROOT) as process:
        try:
            yield FakeNetwork(process)
        finally:
            process.kill()
