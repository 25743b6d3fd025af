"""The status socket: one word in, its lines out."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trio.testing

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
        await trio.testing.wait_all_tasks_blocked()
        async with await trio.open_unix_socket(str(path)) as client:
            await trio.sleep(after_s)
            if word:
                await client.send_all(word)
            else:
                await client.send_eof()
            said = b"".join([bytes(chunk) async for chunk in client])
    assert said.decode() == f"{answer}\n"
