"""Log files into history: newest day first, a note per file of how many of its lines are done."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, tzinfo
from itertools import islice
from pathlib import Path

import trio

from bouncer.importers.loglines import FOLD, Conversation, Fold, rows_of
from bouncer.importers.texts import text_of
from storage.imports import add_older, progress_of
from storage.store import Store

# Per transaction, and held in memory; a file of a day rarely has more.
CHUNK_LINES = 20_000
CHUNK_BYTES = 4 << 20
LONGEST_LINE = 64 << 10  # octets, eight times the longest message; what is longer is left out
YEARS = range(1988, 2100)  # in which people talk by IRC; far beyond no time can be told

Progress = Callable[[str, int, int], None]  # what is being read, done, in all


@dataclass(slots=True)
class Report:
    """What an import brought, and what it left: a sentence each."""

    users: int = 0
    networks: int = 0
    channels: int = 0
    clients: int = 0
    messages: int = 0
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class LogFile:
    """A day of a conversation. `note` names it among all that was ever imported; what stands in the
    file `beside` too is left to that one."""

    path: Path
    day: date
    conversation: Conversation
    note: str
    beside: Path | None = None


def find_logs(folder: Path, network_id: int, own_nick: str, fold: Fold = FOLD) -> Iterable[LogFile]:
    """The files under `folder`: WINDOW/YYYY-MM-DD.log."""
    if not folder.is_dir():
        return
    for window in sorted(folder.iterdir()):
        if not window.is_dir():
            continue
        name = text_of(os.fsencode(window.name))  # file systems know no encoding
        conversation = Conversation(network_id, name, own_nick, fold)
        for path in window.iterdir():  # unlike a glob it says what may not be read
            if path.suffix != ".log":
                continue
            try:
                day = date.fromisoformat(path.stem)
            except ValueError:
                continue  # a file of somebody's own naming: the day cannot be known
            if day.year not in YEARS or not path.is_file():
                continue
            note = f"import/{network_id}/{name}/{path.name}"
            yield LogFile(path, day, conversation, note)


class LogReader:
    """The lines of a log of any size, some at a time: all but a last one that has no newline yet,
    for it is still being written and is for the next run. Used in a thread."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")

    def close(self) -> None:
        self._file.close()

    def some(self) -> list[str]:
        """The next lines; none at the end."""
        lines: list[str] = []
        until = self._file.tell() + CHUNK_BYTES
        while len(lines) < CHUNK_LINES and self._file.tell() < until:
            line = self._file.readline(LONGEST_LINE)
            if line.endswith(b"\n"):
                lines.append(text_of(line[:-1].replace(b"\r", b"")))
            elif self._ends():
                lines.append("")  # a line it is, though none that anybody has said
            else:
                break
        return lines

    def _ends(self) -> bool:
        """Go to the end of the line that has begun, if it has one."""
        while part := self._file.readline(LONGEST_LINE):
            if part.endswith(b"\n"):
                return True
        return False


def _all_lines(path: Path | None) -> set[str]:
    if path is None:
        return set()
    with closing(LogReader(path)) as reader:
        return {line for lines in iter(reader.some, []) for line in lines}


def _count_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(part.count(b"\n") for part in iter(lambda: file.read(CHUNK_BYTES), b""))


async def import_logs(
    store: Store, files: list[LogFile], zone: tzinfo | None, report: Report, progress: Progress
) -> None:
    """Read what earlier runs have not. Interrupted anywhere, the next run goes on there."""
    total = sum(log.path.stat().st_size for log in files)
    done = 0
    for log in sorted(files, key=lambda log: log.day, reverse=True):
        progress(f"{log.path.parent.name} {log.day}", done, total)
        done += log.path.stat().st_size
        seen = int(await store.read(progress_of, log.note) or 0)
        if not seen or seen < await trio.to_thread.run_sync(_count_lines, log.path):
            await _import_log(store, log, seen, zone, report)
    progress("", total, total)


async def _import_log(
    store: Store, log: LogFile, seen: int, zone: tzinfo | None, report: Report
) -> None:
    """What follows the first `seen` lines."""
    beside = await trio.to_thread.run_sync(_all_lines, log.beside)
    given: deque[str] = deque()
    rows = rows_of(iter(given.popleft, None), log.day, zone, log.conversation)
    with closing(await trio.to_thread.run_sync(LogReader, log.path)) as reader:
        number = 0
        while lines := await trio.to_thread.run_sync(reader.some):
            given += lines
            read = list(islice(rows, len(lines)))
            # Those before are read for the milliseconds of what follows in the same second.
            first = max(0, seen - number)
            number += len(lines)
            new = [
                row
                for row, text in zip(read[first:], lines[first:], strict=True)
                if row is not None and text not in beside
            ]
            if number > seen:
                report.messages += await store.run(add_older, new, log.note, str(number))
