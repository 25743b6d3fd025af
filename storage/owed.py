"""Messages that are still to be deleted, for the database could not be written: kept in a small
file beside it, so that a restart forgets none.

The file has all of its size from the beginning and is written in place: a disk that is full, which
is the usual reason, has this room still. A line of JSON for each message; blank ones fill it up.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from storage.ownership import give_like

log = logging.getLogger(__name__)

MOST = 1_000  # full: the oldest is given up, and its message stays
ROOM_BYTES = 128 << 10  # what goes beyond is owed until the next restart alone


class Redaction(NamedTuple):
    """Which message: as `Store.redact` is told."""

    network_id: int
    target: str
    msgid: str


class Owed:
    """In the order in which they were asked for. Without a path in memory alone."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._failing = False
        self._writing = threading.Lock()
        self._wanted = dict.fromkeys(_read(path)) if path is not None else {}
        if path is not None:
            with suppress(OSError):  # said when it is needed
                if not path.exists() or path.stat().st_size < ROOM_BYTES:
                    _write(path, list(self._wanted))

    def __contains__(self, redaction: Redaction) -> bool:
        return redaction in self._wanted

    def first(self) -> Redaction | None:
        return next(iter(self._wanted), None)

    def add(self, redaction: Redaction) -> None:
        self._wanted[redaction] = None
        if len(self._wanted) > MOST:
            del self._wanted[next(iter(self._wanted))]

    def settle(self, redaction: Redaction) -> None:
        self._wanted.pop(redaction, None)

    def write(self) -> None:
        """Bring the file up to date; called in a thread. That it cannot be is logged, once."""
        if self._path is None:
            return
        with self._writing:
            try:
                _write(self._path, list(self._wanted))
            except OSError as error:
                if not self._failing:
                    log.error(
                        "%s cannot be written: what is to be deleted is forgotten at a restart "
                        "(%s)",
                        self._path,
                        error.strerror,
                    )
                self._failing = True
            else:
                self._failing = False


def _read(path: Path) -> list[Redaction]:
    """What of the file can be understood."""
    try:
        text = path.read_bytes().decode(errors="replace")
    except OSError:
        return []
    found = []
    for line in filter(None, text.split("\n")):
        try:
            network_id, target, msgid = json.loads(line)
            found.append(Redaction(int(network_id), str(target), str(msgid)))
        except (ValueError, TypeError):
            continue  # cut by a power failure
    return found[-MOST:]


def _write(path: Path, wanted: list[Redaction]) -> None:
    content = b""
    for redaction in wanted:
        line = json.dumps(redaction).encode() + b"\n"
        if len(content) + len(line) <= ROOM_BYTES:
            content += line
    number = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    with open(number, "wb") as file:
        file.write(content.ljust(ROOM_BYTES, b"\n"))
        file.flush()
        os.fsync(number)
    give_like(path, path.parent)
