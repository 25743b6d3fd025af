"""The `bouncer` command as a process of its own."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

BOUNCER = str(Path(sys.executable).with_name("bouncer"))
TOML = """
data_dir = "data"
[[listen]]
address = "127.0.0.1:0"
[[listen]]
address = "unix:irc.sock"
"""


def bouncer(
    *words: str, given: str = "", cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BOUNCER, *words], input=given, capture_output=True, text=True, timeout=60, cwd=cwd
    )


@contextlib.contextmanager
def running(site: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [BOUNCER, "run", *options],
        cwd=site,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            deadline = time.monotonic() + 30
            while not _answers(site / "data" / "bouncer.sock"):
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield process
        finally:
            process.kill()


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0
