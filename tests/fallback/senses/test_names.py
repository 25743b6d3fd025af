"""Names of public hosts: the last good answer is kept, over restarts too."""

from __future__ import annotations

import os
import resource
import signal
import socket
from pathlib import Path

import pytest
import trio

from fallback.senses.names import FILE, MAX_NAMES, SETTLE_S, RememberingResolver
from tests.fallback.voters import until


async def ask(resolver: RememberingResolver, host: bytes) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = await resolver.getaddrinfo(host, 6697)
    return found


async def asked_and_kept(path: Path, host: bytes) -> list[tuple[object, ...]]:
    resolver = RememberingResolver(path)
    found = await ask(resolver, host)
    await resolver.end()
    return found


async def test_a_good_answer_is_kept_for_when_there_is_none(tmp_path: Path) -> None:
    path = tmp_path / FILE
    answer = await asked_and_kept(path, b"localhost")
    assert answer
    # The file as another name's: a lookup of `.invalid` always fails (RFC 6761 section 6.4).
    path.write_text(path.read_text("utf-8").replace("localhost", "kept.invalid"), "utf-8")
    assert await ask(RememberingResolver(path), b"kept.invalid") == answer


async def test_a_name_never_found_stays_unknown(tmp_path: Path) -> None:
    with pytest.raises(socket.gaierror):
        await ask(RememberingResolver(tmp_path / FILE), b"never.invalid")


@pytest.mark.parametrize("kept", ["", "[]", "{", '{"a": 5}', "\x00"])
async def test_a_broken_file_is_as_none(kept: str, tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_text(kept, "utf-8")
    assert await ask(RememberingResolver(path), b"localhost")


async def test_it_keeps_so_many_and_no_more(tmp_path: Path) -> None:
    resolver = RememberingResolver(tmp_path / FILE)
    for port in range(MAX_NAMES + 10):
        await resolver.getaddrinfo(b"127.0.0.1", port)
    assert len(resolver._known) == MAX_NAMES


async def test_a_full_disk_loses_no_answer_that_was_kept(tmp_path: Path) -> None:
    path = tmp_path / FILE
    await asked_and_kept(path, b"localhost")
    kept = path.read_text("utf-8")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
        assert await asked_and_kept(path, b"127.0.0.1")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert path.read_text("utf-8") == kept


async def test_a_disk_that_hangs_holds_up_no_lookup_and_gets_the_latest(tmp_path: Path) -> None:
    path = tmp_path / FILE
    os.mkfifo(path.with_suffix(".new"))  # whoever opens it to write waits for a reader
    resolver = RememberingResolver(path)
    with trio.fail_after(30):
        assert await ask(resolver, b"localhost")
        for port in (6697, 6698, 6699):
            assert await resolver.getaddrinfo(b"127.0.0.1", port)
    reader = os.open(path.with_suffix(".new"), os.O_RDONLY | os.O_NONBLOCK)
    await until(path.is_file)  # the thread goes on
    os.close(reader)
    kept = path.read_text("utf-8")
    assert all(f"127.0.0.1' {port} " in kept for port in (6697, 6698, 6699))


async def test_an_end_waits_for_a_disk_that_hangs_no_longer_than_its_bound(tmp_path: Path) -> None:
    path = tmp_path / FILE
    os.mkfifo(path.with_suffix(".new"))
    resolver = RememberingResolver(path)
    assert await ask(resolver, b"localhost")
    with trio.fail_after(SETTLE_S + 10):
        await resolver.end()
    assert await ask(resolver, b"127.0.0.1"), "it answers on, and keeps no more"
    reader = os.open(path.with_suffix(".new"), os.O_RDONLY | os.O_NONBLOCK)
    await until(path.exists)
    os.close(reader)
