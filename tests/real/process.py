"""A real program under a test: started, listened to, and dead when its block ends.

Nothing outlives a run: each program leads its own process group, which is killed at the end of the
block; should the tests themselves be killed, the kernel kills it (PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import trio

from tests.real.needs import SEARCH_PATH, program

POLL_S = 0.05
END_S = 5.0


async def until(condition: Callable[[], object], within_s: float, what: str) -> None:
    """Wait until `condition()` holds. Raises AssertionError, naming `what`, after `within_s`."""
    deadline = trio.current_time() + within_s
    while not condition():
        if trio.current_time() > deadline:
            raise AssertionError(f"not within {within_s:g} s: {what}")
        await trio.sleep(POLL_S)


class Program:
    """One started program, its output (both streams) in `log`.

    `netns` names a network namespace to start it in. A context manager; started at construction
    and by `start`, so that the same object can be killed and started again.
    """

    def __init__(
        self,
        args: Sequence[str | Path],
        *,
        log: Path,
        netns: str | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.args = [str(word) for word in args]
        self.log = log
        self.netns = netns
        self.env = dict(env or {})
        self.cwd = cwd
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Program:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, now and in this thread: PDEATHSIG follows the thread that started it."""
        assert not self.running, f"{self.args[0]} runs already"
        words = [found("setpriv"), "--pdeathsig", "KILL", "--", *self.args]
        if self.netns:
            words = [found("nsenter"), f"--net=/run/netns/{self.netns}", "--", *words]
        environment = {**os.environ, "PATH": SEARCH_PATH, **self.env}
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=self.cwd,
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return None if self._process is None else self._process.poll()

    def send(self, which: signal.Signals) -> None:
        """Send a signal to the program alone."""
        assert self._process is not None
        self._process.send_signal(which)

    def kill(self) -> None:
        """kill -9 of the whole group, at once; harmless when it has ended."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(END_S)

    async def ended(self, within_s: float = END_S) -> int:
        """Wait for its end by itself; returns the exit code."""
        await until(lambda: not self.running, within_s, f"{self} ends")
        code = self.returncode
        assert code is not None
        return code

    async def terminate(self, within_s: float = END_S) -> float:
        """TERM, and wait for the end. Returns the seconds that it took."""
        begun = time.monotonic()
        self.send(signal.SIGTERM)
        await self.ended(within_s)
        return time.monotonic() - begun

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    async def prints(self, pattern: str, within_s: float = 10.0) -> re.Match[str]:
        """Wait until its output matches the regular expression; returns the first match."""
        deadline = trio.current_time() + within_s
        while True:
            alive = self.running  # asked first: the last words of a dead one count
            match = re.search(pattern, self.output, re.MULTILINE)
            if match:
                return match
            if not alive or trio.current_time() > deadline:
                state = "is running" if alive else f"ended with {self.returncode}"
                raise AssertionError(
                    f"{self} {state} and did not print {pattern!r}:\n{self.output[-4000:]}"
                )
            await trio.sleep(POLL_S)

    async def listens(self, connect: Callable[[], socket.socket], within_s: float = 10.0) -> None:
        """Wait until `connect()` gives a connected socket, while the program lives."""
        deadline = trio.current_time() + within_s
        while True:
            try:
                connect().close()
                return
            except OSError as error:
                if not self.running:
                    raise AssertionError(
                        f"{self} ended with {self.returncode}:\n{self.output[-4000:]}"
                    ) from error
                if trio.current_time() > deadline:
                    raise AssertionError(
                        f"{self} does not listen ({error}):\n{self.output[-4000:]}"
                    ) from error
            await trio.sleep(POLL_S)

    def __str__(self) -> str:
        return Path(self.args[0]).name


def found(name: str) -> str:
    """The path of a program that `needs.require` has already asked for."""
    path = program(name)
    assert path is not None, f"{name} is missing; needs.require({name!r}) first"
    return path
