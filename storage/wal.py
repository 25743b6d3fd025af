"""How much of SQLite's WAL is still to be copied back: read from its file.

The file's size does not tell: once all was copied the writer goes on from the file's beginning, and
what it wrote before is left behind. Source: SQLite, database file format, section 4.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

_HEADER = 32  # octets: magic, format, page size, sequence, two salts, two checksums
_FRAME_HEADER = 24  # octets: page number, size after a commit, two salts, two checksums
_SALTS = 8  # octets


class Wal(NamedTuple):
    """`salts` differ each time the writer begins at the beginning of the file."""

    salts: bytes
    octets: int  # written since then


EMPTY = Wal(b"", 0)


def read(path: Path) -> Wal:
    """EMPTY where there is none. A few octets are read, however long it is."""
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return EMPTY
    try:
        header = os.pread(file, _HEADER, 0)
        if len(header) < _HEADER:
            return EMPTY
        salts = header[16 : 16 + _SALTS]
        frame = _FRAME_HEADER + int.from_bytes(header[8:12])
        # The frames of now, with the salts of now, stand before those that are left from before.
        low, high = 0, max(0, os.fstat(file).st_size - _HEADER) // frame
        while low < high:
            middle = (low + high) // 2
            if os.pread(file, _SALTS, _HEADER + middle * frame + 8) == salts:
                low = middle + 1
            else:
                high = middle
        return Wal(salts, low * frame)
    finally:
        os.close(file)
