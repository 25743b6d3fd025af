"""The status socket: one word in, its lines out."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
import trio

from fallback.report import serve_status

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
