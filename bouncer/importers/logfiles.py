"""Log files into history: newest day first, a note per file of how many of its lines are done."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, tzinfo
from itertools import islice
from pathlib import Path

import trio

from bouncer.importers.loglines import FOLD, Conversation, Fold, rows_of
from bouncer.irc.wire import decode
from storage.imports import add_older, progress_of
from storage.messages import Row
from storage.store import Store

CHUNK_LINES = 20_000  # per transaction; a file of a day rarely has more
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
        name = decode(os.fsencode(window.name))  # file systems know no encoding
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


def _lines(data: bytes) -> list[str]:
    """A line still being written has no newline yet: it is for the next run."""
    return [decode(line.translate(None, b"\r\0")) for line in data.split(b"\n")[:-1]]


async def import_logs(
    store: Store, files: list[LogFile], zone: tzinfo | None, report: Report, progress: Progress
) -> None:
    """Read what earlier runs have not. Interrupted anywhere, the next run goes on there."""
    total = sum(log.path.stat().st_size for log in files)
    done = 0
    for log in sorted(files, key=lambda log: log.day, reverse=True):
        progress(f"{log.path.parent.name} {log.day}", done, total)
        data = await trio.to_thread.run_sync(log.path.read_bytes)
        done += len(data)
        seen = int(await store.read(progress_of, log.note) or 0)
        lines = _lines(data)
        beside: set[str] = set()
        if log.beside is not None:
            beside.update(_lines(await trio.to_thread.run_sync(log.beside.read_bytes)))
        if seen >= len(lines):
            continue
        rows = rows_of(lines, log.day, zone, log.conversation)
        for row in islice(rows, seen):
            del row  # read for the milliseconds of what follows in the same second
        while seen < len(lines):
            chunk: list[Row | None] = list(islice(rows, CHUNK_LINES))
            texts = lines[seen : seen + len(chunk)]
            seen += len(chunk)
            new = [
                row
                for row, text in zip(chunk, texts, strict=True)
                if row is not None and text not in beside
            ]
            report.messages += await store.run(add_older, new, log.note, str(seen))
    progress("", total, total)
