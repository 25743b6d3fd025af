"""A terminal (tmux) of its own for a program that wants one: typed into like by a person."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.real.process import Program, found, until

WIDTH, HEIGHT = 240, 60
START_S = 15.0


@dataclass(frozen=True, slots=True)
class Terminal:
    """A tmux server with one window."""

    socket: Path
    server: Program

    def types(self, text: str) -> None:
        """Type a line and press Enter."""
        self._tmux("send-keys", "-t", "main", "-l", "--", text)
        self._tmux("send-keys", "-t", "main", "Enter")

    def screen(self) -> str:
        """What the terminal shows now."""
        return self._tmux("capture-pane", "-t", "main", "-p")

    @property
    def alive(self) -> bool:
        """Whether the program still runs in its window."""
        done = subprocess.run(
            [found("tmux"), "-S", self.socket, "has-session", "-t", "main"],
            capture_output=True,
            check=False,
            timeout=10,
        )
        return done.returncode == 0

    async def shows(self, text: str, within_s: float = 10.0) -> None:
        """Wait until `text` stands on the screen."""
        await until(lambda: text in self.screen(), within_s, f"{text!r} on the screen")

    def _tmux(self, *words: str) -> str:
        done = subprocess.run(
            [found("tmux"), "-S", self.socket, *words],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
        return done.stdout

    async def open(self, words: Sequence[str | Path], env: Mapping[str, str]) -> None:
        """Run the program in the window."""
        await until(self.socket.exists, START_S, f"tmux starts: {self.server.output}")
        given = [f"{name}={value}" for name, value in env.items()]
        line = ["env", *given, *map(str, words)]
        size = ("-x", str(WIDTH), "-y", str(HEIGHT))
        self._tmux("new-session", "-d", "-s", "main", *size, "--", *line)
        self._tmux("set-option", "-t", "main", "status", "off")


@contextmanager
def terminal(folder: Path, netns: str | None = None) -> Iterator[Terminal]:
    """A tmux server with its socket in FOLDER; its program is hung up on at the block's end."""
    folder.mkdir(parents=True, exist_ok=True)
    socket = folder / "tmux"
    words: list[str | Path] = [found("tmux"), "-D", "-S", socket, "-f", "/dev/null"]
    env = {"TERM": "screen", "LC_ALL": "C.UTF-8"}
    with Program(words, log=folder / "tmux.log", netns=netns, env=env) as server:
        yield Terminal(socket, server)
