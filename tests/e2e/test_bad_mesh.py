"""Bad input at a voter's port, UDP and TCP: no crash, no growth, and the heartbeat goes on."""

from __future__ import annotations

import random
import socket
import ssl
from pathlib import Path

import trio

from tests.e2e.test_bad_input import GROWTH_MB, rss_mb
from tests.real.certificates import trusting_all
from tests.real.muster import bouncer
from tests.real.peer import peer
from tests.real.ports import free_port
from tests.real.voter import voter

MEGABYTE = 1 << 20


async def test_a_voter_s_port_takes_anything(tmp_path: Path) -> None:
    port = free_port()
    async with (
        bouncer(tmp_path / "b") as muster,
        voter(tmp_path / "hel", "hel", muster, f"127.0.0.1:{port}", role="witness") as witness,
    ):
        await witness.reports("watch WATCHING")
        before = rss_mb(witness.program)
        noise = random.Random(4)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("127.0.0.1", port))
            for size in (0, 1, 7, 16, 64, 512, 1200, 1201, 9000, 60000):
                for _ in range(200):
                    data = noise.randbytes(size)
                    sock.send(data)
                    sock.send(b"\x01" + data[1:])  # as if it were of our format
                await trio.sleep(0.05)
        for data in (
            b"",
            noise.randbytes(MEGABYTE),
            b"x" * (10 * MEGABYTE),
            b"\xff" * 5 + b"\0" * MEGABYTE,
            b"\r\n" * 100_000,
            b"NICK a\r\nUSER a 0 * :a\r\n",
        ):
            for tls in (False, True):
                try:
                    async with peer("127.0.0.1", port, tls=trusting_all() if tls else False) as one:
                        with trio.move_on_after(20):
                            await one.says_bytes(data)
                except* (OSError, ssl.SSLError, trio.BrokenResourceError):
                    pass  # hanging up on a stranger is a fair answer
        async with trio.open_nursery() as nursery:  # more connections than it keeps
            for _ in range(100):
                nursery.start_soon(_hold, port)
        status = await witness.reports("linked")
        assert "watch WATCHING" in status, status
        assert rss_mb(witness.program) - before < GROWTH_MB
        assert "Traceback" not in witness.program.output, witness.program.output[-4000:]


async def _hold(port: int) -> None:
    try:
        stream = await trio.open_tcp_stream("127.0.0.1", port)
    except OSError:
        return
    async with stream:
        await trio.sleep(2)
