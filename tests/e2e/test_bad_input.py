"""Bad input on live sockets, from client and from network: a clear error, no crash, no growth.

"random bytes, oversized lines, 10 MB without newline, empty lines, every command with no
parameters"
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import trio

from tests.e2e.site import CHANNEL, NETWORK, Site, site
from tests.real.floodserver import flood_server
from tests.real.muster import bouncer
from tests.real.peer import Peer
from tests.real.process import Program

GROWTH_MB = 30  # beyond what a warm process moves by itself
MEGABYTE = 1 << 20
FETCHING = ["batch", "draft/chathistory"]

# RFC 1459, RFC 2812, IRCv3, and words of services: all that a client might say.
COMMANDS = """
PASS NICK USER SERVICE OPER SQUIT SERVER JOIN PART MODE TOPIC NAMES LIST INVITE KICK PRIVMSG NOTICE
MOTD LUSERS VERSION STATS LINKS TIME CONNECT TRACE ADMIN INFO SERVLIST SQUERY WHO WHOIS WHOWAS KILL
PING PONG ERROR AWAY REHASH DIE RESTART SUMMON USERS WALLOPS USERHOST ISON CAP AUTHENTICATE BATCH
TAGMSG MONITOR METADATA CHATHISTORY MARKREAD SEARCH BOUNCER REDACT SETNAME ACCOUNT CHGHOST ACK FAIL
WARN NOTE STARTTLS WEBPUSH REGISTER VERIFY RENAME KNOCK SILENCE HELP RULES MAP PROTOCTL 001 353 433
000 999 X
""".split()  # noqa: SIM905


def rss_mb(program: Program) -> float:
    """What the program holds in memory now."""
    for line in Path(f"/proc/{program.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS")


async def serves(here: Site) -> None:
    """The bouncer lives, and relays."""
    assert here.bouncer.program.running, here.bouncer.program.output[-4000:]
    async with here.bouncer.attached("alice/work@check") as alice:
        await alice.hears("366", "alice", CHANNEL)
        await here.bob_says("are you there?")
        await alice.hears("PRIVMSG", CHANNEL, "*are you there?")
    assert "Traceback" not in here.bouncer.program.output, here.bouncer.program.output[-6000:]


async def pour(client: Peer, data: bytes) -> None:
    """Send as much of it as the other side takes."""
    try:
        with trio.move_on_after(20):
            for start in range(0, len(data), 65536):
                await client.says_bytes(data[start : start + 65536])
    except trio.BrokenResourceError:
        pass  # it hung up: a fair answer


async def test_a_stranger_s_bytes(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        await serves(here)
        before = rss_mb(here.bouncer.program)
        noise = random.Random(1)
        for data in (
            noise.randbytes(MEGABYTE),
            b"\r\n" * 100_000,
            b"\n" * 100_000,
            b"\0" * 100_000,
            b"x" * (10 * MEGABYTE),
            b"@" + b"a" * (10 * MEGABYTE) + b" PING x\r\n",
            b"NICK " + b"n" * MEGABYTE + b"\r\n",
            b"CAP REQ :" + b"a " * 100_000 + b"\r\n",
            b"AUTHENTICATE " + b"A" * MEGABYTE + b"\r\n",
            b"CAP LS 302\r\nCAP REQ sasl\r\nAUTHENTICATE PLAIN\r\n"
            + (b"AUTHENTICATE " + b"A" * 400 + b"\r\n") * 10_000,
            "PRIVMSG\u3000#x :\u2028\x1d\r\n".encode() * 10_000,
            b"\xff\xfe\xc0\x80 \xed\xa0\x80 :\xf5\r\n" * 10_000,
        ):
            for tls in (False, True):
                async with here.bouncer.connect(tls=tls) as stranger:
                    await pour(stranger, data)
        await serves(here)
        assert rss_mb(here.bouncer.program) - before < GROWTH_MB


@pytest.mark.outage  # a minute of waiting
async def test_a_stranger_who_says_nothing_is_let_go(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.bouncer.connect(tls=False) as silent:
        await silent.is_closed(within_s=90)


async def test_every_command_with_no_parameters(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        for words in ((), ("",), (":",), (":",) * 3, ("*",) * 20, ("#", "\x01"), ("1e999", "-1")):
            async with here.bouncer.connect() as stranger:
                await stranger.says(*(" ".join((c, *words)) for c in COMMANDS if c != "QUIT"))
                await trio.sleep(0.1)
            async with here.bouncer.attached("alice/work@odd") as alice:
                for verb in COMMANDS:
                    if verb in ("PART", "JOIN") and words == ("*",) * 20:
                        continue
                    await alice.says(" ".join((verb, *words)))
                await alice.sync()
                assert not alice.closed
        await serves(here)


async def test_a_logged_in_client_s_bytes(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        await serves(here)
        before = rss_mb(here.bouncer.program)
        noise = random.Random(3)
        for data in (
            noise.randbytes(MEGABYTE).replace(b"QUIT", b"PONG"),
            b"\r\n" * 100_000,
            b"x" * (10 * MEGABYTE),
            f"PRIVMSG {CHANNEL} :".encode() + b"y" * MEGABYTE + b"\r\n",
        ):
            async with here.bouncer.attached("alice/work@odd") as alice:
                await pour(alice, data)
        await serves(here)
        assert rss_mb(here.bouncer.program) - before < GROWTH_MB


HOSTILE = {
    "noise": [random.Random(5).randbytes(MEGABYTE)],
    "no newline": [b"x" * (10 * MEGABYTE)],
    "empty lines": [b"\r\n" * 200_000],
    "long line": [b":a!b@c PRIVMSG #flood :" + b"z" * MEGABYTE + b"\r\n"],
    "long tags": [b"@" + b"t=1;" * 300_000 + b" :a!b@c PRIVMSG #flood :tagged\r\n"],
    "no parameters": [f":{s} {c}\r\n".encode() for c in COMMANDS for s in ("a!b@c", "alice")],
    "endless names": [
        b":flood.example.net 353 alice = #flood :" + b"nick%d " % n * 30 + b"\r\n"
        for n in range(3000)
    ],
    "endless joins": [b":n%d!u@h JOIN #flood\r\n" % n for n in range(20_000)],
    "endless channels": [b":alice!me@h JOIN #c%d\r\n" % n for n in range(20_000)],
    "endless isupport": [
        b":flood.example.net 005 alice " + b" ".join(b"K%d=%d" % (n, n) for n in range(i, i + 12))
        + b" :are\r\n"
        for i in range(0, 100_000, 12)
    ],
    "mode storms": [b":a!b@c MODE #flood " + b"+o-v" * 50 + b" x" * 100 + b"\r\n"] * 1000,
    "nick lies": [b":alice!a@b NICK :\r\n", b":alice!a@b NICK\r\n", b":!@ NICK x\r\n"],
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
async def test_a_hostile_network(tmp_path: Path, kind: str) -> None:
    """The user's other network and their clients notice nothing."""
    async with flood_server() as flood, site(tmp_path) as here:
        await serves(here)
        before = rss_mb(here.bouncer.program)
        flood.raw = [b"".join(HOSTILE[kind])]
        uri = f"irc+insecure://127.0.0.1:{flood.port}"
        await here.bouncer.add_network("alice", "hostile", uri, "--join", "#flood")
        with trio.fail_after(30):
            await flood.joined.wait()
        await trio.sleep(1)
        await serves(here)
        assert rss_mb(here.bouncer.program) - before < GROWTH_MB


async def test_a_client_that_reads_nothing(tmp_path: Path) -> None:
    """ "A client whose outbox overflows is disconnected with a clear ERROR and catches up from
    history; it slows nobody else."
    """
    async with flood_server() as flood, bouncer(tmp_path / "b") as muster:
        flood.chunk_s = 0.005
        flood.padding = " and so on" * 38
        flood.most = lines = 60_000  # 24 MB: more than the outbox and what the kernel holds
        await muster.add_user("alice")
        uri = f"irc+insecure://127.0.0.1:{flood.port}"
        await muster.add_network("alice", NETWORK, uri, "--nick", "alice", "--join", "#flood")
        async with (
            muster.attached("alice/work@reader", tls=False) as reader,
            # One that could fetch follows live at once, another only when it has caught up.
            muster.attached("alice/work@sleeper", tls=False, caps=FETCHING) as sleeper,
        ):
            with trio.fail_after(60):
                await flood.joined.wait()
            before = rss_mb(muster.program)
            sleeper.pause()
            flood.flooding.set()
            await muster.program.prints("client dropped", within_s=90)
            sleeper.resume()
            await sleeper.is_closed(within_s=60)
            assert sleeper.heard[-1].command == "ERROR"
            await reader.hears("PRIVMSG", "#flood", f"*line {lines - 1:07d}*", within_s=90)
            assert rss_mb(muster.program) - before < 2 * GROWTH_MB
            had = len(sleeper.texts("#flood"))
            assert had < lines
        async with muster.attached("alice/work@sleeper", tls=False) as sleeper:
            await sleeper.hears("PRIVMSG", "#flood", f"*line {lines - 1:07d}*", within_s=60)
            assert len(sleeper.texts("#flood")) >= lines - had
