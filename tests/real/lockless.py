"""The command lines on a file system without locks."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_WITHOUT = """
import errno, fcntl, os, sys
def flock(held, how):
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
fcntl.flock = flock
from {program}.cli import main
sys.exit(main())
"""


def without_locks(program: str) -> list[str]:
    """What to run `program` with."""
    return [sys.executable, "-c", _WITHOUT.format(program=program)]


@contextmanager
def serving(words: Sequence[str], cwd: Path) -> Iterator[str]:
    """It runs for as long; what it has said until it served."""
    with subprocess.Popen(words, cwd=cwd, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if "serving" in line:
                break
        try:
            yield said
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate()
