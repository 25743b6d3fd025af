"""Processes under measurement: starting, stopping, and what /proc says of them."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
STOP_S = 10.0
REST_S = 0.3  # a process that uses hardly any CPU for so long rests,
LONG_REST_S = (
    2.5  # and for so long has done what it put off (Muster's index waits for two seconds),
)
REST_TICKS = 1  # "hardly any"


class Failed(RuntimeError):
    """The process under measurement did not do what it should. Its text says what."""


def cpu_s(pid: int) -> float:
    """User and system time of a process and all its threads, from /proc/PID/stat, proc(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def settled_cpu_s(pid: int, rest_s: float = REST_S, timeout_s: float = 30.0) -> float:
    """`cpu_s` once the process rests; with LONG_REST_S work put off is counted too."""
    deadline = time.monotonic() + timeout_s
    used = cpu_s(pid)
    while time.monotonic() < deadline:
        before = used
        time.sleep(rest_s)
        used = cpu_s(pid)
        if used - before <= REST_TICKS / TICKS_PER_S:
            break
    return used


def rss_kib(pid: int) -> float:
    """Resident memory, VmRSS of /proc/PID/status."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return float(line.split()[1])
    raise Failed(f"process {pid} is gone")


def disk_octets(folder: Path) -> int:
    """The size of what a folder keeps; SQLite's logs, bounded and passing, are not counted."""
    return sum(
        path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(("-wal", "-shm"))
    )


def allow_many_files() -> None:
    """Idle users take two descriptors each; children inherit the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


class Daemon:
    """One running process; its output goes to a file, whose end is quoted when it fails."""

    def __init__(self, command: list[str], log: Path, user: str | None = None) -> None:
        self._log = log
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=ROOT, user=user
            )
        self.pid = self._process.pid

    def await_port(self, port: int, timeout_s: float = 30.0) -> None:
        """Wait until it accepts connections. Raises Failed when it ends or takes too long."""
        deadline = time.monotonic() + timeout_s
        while not accepts(port):
            self.check()
            if time.monotonic() > deadline:
                raise Failed(f"does not listen after {timeout_s:.0f} s: {self.last_words()}")
            time.sleep(0.005)

    def check(self) -> None:
        """Raises Failed when the process has ended."""
        if (code := self._process.poll()) is not None:
            raise Failed(f"ended with {code}: {self.last_words()}")

    def last_words(self) -> str:
        text = self._log.read_text(errors="replace").strip()
        return " | ".join(text.splitlines()[-3:]) or "(it said nothing)"

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
