"""The status socket: one word in, its lines out."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
import trio
import trio.testing

from fallback.report import serve_status
from tests.fallback.voters import until

SLOW_S = 0.7  # a client on a busy machine


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        (b"check\n", "the check"),
        (b"status\n", "the status"),
        (b"nonsense\n", "the status"),
        (b"\xff" * 50, "the status"),
        (b"", "the status"),
    ],
)
@pytest.mark.parametrize("after_s", [0.0, SLOW_S])
async def test_whoever_asks_slowly_gets_what_they_asked_for(
    word: bytes, answer: str, after_s: float, tmp_path: Path, nursery: trio.Nursery
) -> None:
    path = tmp_path / "sock"
    answers = {"status": lambda: ["the status"], "check": lambda: ["the check"]}
    nursery.start_soon(serve_status, path, answers)
    with trio.fail_after(5):
        client = None
        while client is None:  # until it listens
            with suppress(OSError):
                client = await trio.open_unix_socket(str(path))
            await trio.sleep(0.01)
        async with client:
            await trio.sleep(after_s)
            if word:
                await client.send_all(word)
            else:
                await client.send_eof()
            said = b"".join([bytes(chunk) async for chunk in client])
    assert said.decode() == f"{answer}\n"


async def test_sockets_made_at_once_leave_the_umask_as_it_was(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    """It is the whole process's: a file that another task makes meanwhile would get it, too."""
    before, names = os.umask(0o022), "abcdefgh"
    try:
        for name in names:
            nursery.start_soon(serve_status, tmp_path / name, {"status": list})
        await until(lambda: all((tmp_path / name).exists() for name in names))
        await trio.testing.wait_all_tasks_blocked(0.1)
        assert os.umask(0o022) == 0o022
        assert (tmp_path / names[0]).stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)
