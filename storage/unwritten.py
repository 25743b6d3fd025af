"""The file of messages that were shown while the database could not be written: it lies beside it,
and the next to open the database puts in what a process has left there, however that ended.

A line of JSON for each entry, in their order. What needs to wait no longer is blanked in place:
that takes no room, which a full disk would not have. A process locks the file for as long as
something of its own waits there, so that no other takes that in meanwhile.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import time
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection, select

from storage import schema
from storage.appender import Appender
from storage.message import Kept, Renamed, Row, repaired
from storage.ownership import give_like
from storage.trouble import cause_of, in_a_line

STEP_ROWS = 1_000
MOST_BYTES = 256 << 20  # beyond: memory alone. As many lines of 1,300 octets as the spill holds
SYNC_S = 1.0  # from a flush to the next one at least
SYNC_SHARE = 10  # and so often the time that the last one took, for it holds up the writer

# What an entry is, by the types of its values.
_KINDS: dict[tuple[type, ...], type[Row] | type[Renamed]] = {
    (int, int, str, str, int, *[str] * 6): Row,
    (int, str, str, str): Renamed,
}
log = logging.getLogger(__name__)


class Journal:
    """What of ours waits in the file: entries, counted from the first. Used by the writer's thread
    alone, and made with the first entry. Every method may raise OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None
        self._begin = self._end = 0  # octets: of what is ours
        self._starts = array("q")  # where each entry begins
        self._is_dirty = False
        self._sync_at = 0.0

    def __len__(self) -> int:
        return len(self._starts)

    def append(self, rows: Sequence[Kept]) -> None:
        """All of them, or none."""
        file = self._open()
        lines = [json.dumps(row).encode() + b"\n" for row in rows]
        data = b"".join(lines)
        if self._end + len(data) > MOST_BYTES:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        self._is_dirty = True
        try:
            _write(file, data, self._end)
        except OSError:
            with suppress(OSError):
                os.ftruncate(file, self._end)
            raise
        for line in lines:
            self._starts.append(self._end)
            self._end += len(line)

    def blank(self, first: int, last: int) -> None:
        """Take out the entries from `first` to before `last`; also when it fails they are not
        counted any more."""
        starts = self._starts
        if self._file is None or first >= len(starts):
            return
        begin, end = starts[first], starts[last] if last < len(starts) else self._end
        del starts[first:last]
        self._is_dirty = True
        _write(self._file, b" " * (end - begin - 1), begin)  # the end of a line stays one

    def sync(self, *, now: bool = False) -> None:
        """Have it outlive a power cut, where that is due."""
        begun = time.monotonic()
        if self._file is None or not self._is_dirty or (begun < self._sync_at and not now):
            return
        os.fsync(self._file)
        self._is_dirty = False
        ended = time.monotonic()
        self._sync_at = ended + max(SYNC_S, SYNC_SHARE * (ended - begun))

    def remove(self) -> None:
        """All is in the database: remove the file, or what of it is ours."""
        if self._file is None:
            return
        try:
            os.ftruncate(self._file, self._begin)
            if not self._begin:
                self.path.unlink(missing_ok=True)
        finally:
            self.close()

    def close(self) -> None:
        """Leave it as it is."""
        if self._file is not None:
            os.close(self._file)
        self._file = None
        del self._starts[:]
        self._is_dirty = False

    def _open(self) -> int:
        if self._file is None:
            file = _hold(self.path, os.O_RDWR | os.O_CREAT)
            try:
                give_like(self.path, self.path.parent)
                self._begin = os.fstat(file).st_size
                if self._begin:  # somebody else's, whose last line may have been cut
                    self._begin += _write(file, b"\n", self._begin)
            except OSError:
                os.close(file)
                raise
            self._file, self._end = file, self._begin
        return self._file


class Left:
    """What a process has left in the file. Empty where there is none, or who writes it is there
    still, and sees to it."""

    def __init__(self, path: Path | None, file: int | None) -> None:
        self._path = path
        self._file = file

    def take_in(self, connection: Connection) -> None:
        """Put it into the database, each once; then call `remove`, after the commit."""
        if self._file is None:
            return
        waiting = self._read()
        # They are committed in their order: what stands before one that is there has been, too, or
        # never could be. So a conversation that was renamed is not renamed again.
        done = 0
        for start in range(0, len(waiting), STEP_ROWS):
            step = waiting[start : start + STEP_ROWS]
            ids = schema.messages.c.id
            query = select(ids).where(ids.in_([row.id for row in step if isinstance(row, Row)]))
            known = set(connection.execute(query).scalars())
            for place, row in enumerate(step, start + 1):
                if isinstance(row, Row) and row.id in known:
                    done = place
        appender = Appender(connection)
        for start in range(done, len(waiting), STEP_ROWS):
            _insert(connection, appender, waiting[start : start + STEP_ROWS])
        if waiting:
            many = len(waiting)
            log.warning("%d messages that had waited in %s are in the database", many, self._path)

    def __bool__(self) -> bool:
        """Whether there was a file to take in."""
        return self._file is not None

    def remove(self) -> None:
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _read(self) -> list[Kept]:
        """A line that was cut, on a full disk, is none."""
        found: list[Kept] = []
        assert self._file is not None
        with open(self._file, "rb", closefd=False) as file:
            for line in file:
                try:
                    values = json.loads(line.decode(errors="replace"))
                    kind = _KINDS[tuple(map(type, values))]
                except (ValueError, TypeError, KeyError):
                    continue
                found.append(kind._make(values))
        return found


@contextmanager
def left_in(path: Path | None) -> Iterator[Left]:
    """What is left in the file, for as long as nobody else may take it in."""
    file = None
    if path is not None:
        with suppress(FileNotFoundError, BlockingIOError):
            file = _hold(path, os.O_RDWR)
    try:
        yield Left(path, file)
    finally:
        if file is not None:
            os.close(file)


def _hold(path: Path, flags: int) -> int:
    """The file, opened and locked. Raises BlockingIOError where another process has it."""
    while True:
        file = os.open(path, flags, 0o600)
        try:
            with suppress(FileNotFoundError):
                _lock(file)
                if os.path.samestat(os.fstat(file), os.stat(path)):
                    return file
        except OSError:
            os.close(file)
            raise
        os.close(file)  # who had it has removed it


def _lock(file: int) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # a file system without locks
        log.debug("the file of what waits cannot be locked")


def _write(file: int, data: bytes, place: int) -> int:
    """All of it; how much that is."""
    done = 0
    while done < len(data):
        done += os.pwrite(file, data[done:], place + done)
    return done


def _insert(connection: Connection, appender: Appender, rows: Sequence[Kept]) -> None:
    """What no database takes must keep out neither the others nor Muster."""
    try:
        with connection.begin_nested():
            appender.insert(rows)
    except Exception as error:
        appender.forget()
        if cause_of(error) is not None:
            raise
        if len(rows) > 1:
            for row in rows:
                _insert(connection, appender, [row])
        elif (fixed := repaired(rows[0])) != rows[0]:
            _insert(connection, appender, [fixed])
        else:
            log.error(
                "a message of network %s cannot be kept: %s", rows[0].network_id, in_a_line(error)
            )
