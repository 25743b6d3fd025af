"""stderr with a reader who hangs or is gone: a program that serves goes on, and ends in time."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bouncer.cli import remote
from bouncer.spool import END_S, MAX_OCTETS
from tests.bouncer.program import BOUNCER, TOML
from tests.real.unread import unread

BEGIN = """
import sys, structlog
from bouncer import logs
logs.set_up("json", waits=False)
log = structlog.get_logger("x")
"""
MUCH = f"""
for number in range(2 * {MAX_OCTETS} // 1000):
    log.info("serving", number=number, more="m" * 1000)
print("goes on", flush=True)
"""
AND_THEN = """
sys.stdin.readline()
log.info("it flows again")
"""
GOES_ON = "goes on\n"


@contextmanager
def script(*parts: str, stderr: int) -> Iterator[subprocess.Popen[str]]:
    words = [sys.executable, "-c", "".join((BEGIN, *parts))]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=stderr, text=True) as process:
        stuck = threading.Timer(20, process.kill)
        stuck.start()
        try:
            yield process
        finally:
            stuck.cancel()
            process.kill()


def test_what_finds_no_room_is_counted_and_told_when_it_flows_again() -> None:
    with unread() as (reader, end), script(MUCH, AND_THEN, stderr=end) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        os.close(end)
        assert process.stdout.readline() == GOES_ON
        text = b""
        while not text.endswith(b"\n") or b"left out" not in text[-1000:]:
            text += os.read(reader, 1 << 16)
        process.stdin.write("\n")
        process.stdin.flush()
        while chunk := os.read(reader, 1 << 16):
            text += chunk
    *lines, last = [json.loads(line) for line in text.lstrip(b".").splitlines()]
    number = 0
    for each in lines:
        if "left out" in each["event"]:
            assert each["level"] == "warning"
            number += each["lines"]
        else:
            assert each["number"] == number, "each stands in its place, or is counted there"
            number += 1
    assert (number, last["event"]) == (2 * MAX_OCTETS // 1000, "it flows again")


def test_an_end_does_not_wait_for_a_reader_who_hangs() -> None:
    with unread() as (_, end), script(MUCH, "raise RuntimeError", stderr=end) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == GOES_ON
        began = time.monotonic()
        assert process.wait(30) == 1
        assert time.monotonic() - began < END_S + 5


def test_an_end_waits_for_one_who_reads() -> None:
    """Also what is written last: why it ended."""
    with script("for _ in range(999): log.info('x')\n1 / 0", stderr=subprocess.PIPE) as process:
        _, text = process.communicate(timeout=30)
    assert text.count("\n{") == 998
    assert "ZeroDivisionError" in text.splitlines()[-1]


def test_a_reader_who_is_gone_ends_nothing() -> None:
    reader, end = os.pipe()
    os.close(reader)
    with script(MUCH, stderr=end) as process:
        os.close(end)
        assert process.communicate()[0] == GOES_ON
        assert process.wait() == 0


def test_a_bouncer_serves_on_and_ends_in_time(tmp_path: Path) -> None:
    (tmp_path / "muster.toml").write_text(TOML)
    with (
        unread() as (_, end),
        subprocess.Popen(
            [BOUNCER, "run", "--config", "muster.toml"],
            cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=end,
        ) as process,
    ):  # fmt: skip
        try:
            while (status := asked(tmp_path / "data" / "bouncer.sock")) is None:
                assert process.poll() is None
                time.sleep(0.05)
            assert status[-1] == "OK"
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(10)
                client.connect(str(tmp_path / "irc.sock"))
                client.sendall(b"CAP LS 302\r\n")
                assert b"CAP * LS" in client.recv(4096)
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0
        finally:
            process.kill()


def asked(path: Path) -> list[str] | None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if (reply := remote.over_socket(path, ["status"])) is not None:
            return reply
        time.sleep(0.05)
    pytest.fail("it does not serve")
