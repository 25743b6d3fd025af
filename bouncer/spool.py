"""Text for a reader who may hang: whoever writes goes on, and a thread waits in their place.

A paused terminal, a pager, a journal that stands still take nothing from a pipe; a program that
wrote to it itself would stop with them. What finds no room here is counted, and told once text
flows again.
"""

from __future__ import annotations

import atexit
import io
import os
import select
import threading
from collections.abc import Callable
from typing import TextIO

MAX_OCTETS = 1 << 20  # waiting; full: the newest is left out and counted
END_S = 1.0  # an end waits no longer for the reader


class Spool(io.TextIOBase):
    """Stands in for `file`, which is not to be used besides. `told` says as a line that so many
    lines were left out."""

    def __init__(self, file: TextIO, told: Callable[[int], str]) -> None:
        """Raises OSError where the file has no descriptor: then there is no such reader, either."""
        self._file = file
        self._descriptor = file.fileno()
        self._told = told
        self._turn = threading.Condition()
        self._waiting: list[bytes] = []
        self._octets = 0
        self._left_out = 0
        self._writing = False
        threading.Thread(target=self._run, name="spool", daemon=True).start()
        atexit.register(self.settle, END_S)

    def write(self, text: str) -> int:
        data = text.encode("utf-8", "backslashreplace")
        with self._turn:
            if self._octets + len(data) > MAX_OCTETS:
                self._left_out += text.count("\n")
            else:
                self._waiting.append(data)
                self._octets += len(data)
                self._turn.notify_all()
        return len(text)

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._file.isatty()

    def fileno(self) -> int:
        return self._descriptor

    def settle(self, within_s: float) -> None:
        """Wait until all is written, so long at most."""
        with self._turn:
            self._turn.wait_for(lambda: not (self._waiting or self._writing), within_s)

    def _run(self) -> None:
        while True:
            with self._turn:
                self._writing = False
                self._turn.notify_all()
                self._turn.wait_for(lambda: self._waiting)
                data = b"".join(self._waiting)
                left_out, self._left_out = self._left_out, 0
                self._waiting, self._octets, self._writing = [], 0, True
            try:
                self._write_out(data)
                if left_out:  # while all this waited, so they stood behind it
                    self._write_out(self._told(left_out).encode())
            except OSError:  # nobody reads any more: a terminal that is gone
                with self._turn:
                    self._left_out += left_out + data.count(b"\n")

    def _write_out(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:  # another program with the same terminal has set it so
                select.select([], [self._descriptor], [])
