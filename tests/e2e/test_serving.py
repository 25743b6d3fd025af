"""The bouncer's daily work on real sockets: networks of all kinds, several clients, signals."""

from __future__ import annotations

import re
import signal
import subprocess
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
import trio

from tests.e2e.site import CHANNEL, NETWORK, site, unstamped
from tests.real.certificates import make
from tests.real.lab import lab
from tests.real.muster import BIN, PASSWORD, bouncer, command
from tests.real.needs import NETNS, missing, require
from tests.real.netns import connected
from tests.real.ngircd import ngircd
from tests.real.peer import peer
from tests.real.process import Program, until

TERM_S = 5.0  # "TERM stops cleanly within 5 s"


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"], ids=["ipv4", "ipv6"])
async def test_a_network_is_reached(tmp_path: Path, tls: bool, host: str) -> None:
    async with (
        site(tmp_path, tls=tls, host=host) as here,
        here.bouncer.attached("alice/work@laptop") as alice,
    ):
        await alice.hears("JOIN", CHANNEL)
        await alice.hears("366", "alice", CHANNEL)
        await here.bob_says("hello alice")
        await alice.hears("PRIVMSG", CHANNEL, "*hello alice", source="bob!*")
        await alice.says(f"PRIVMSG {CHANNEL} :hello bob")
        await here.bob.hears("PRIVMSG", CHANNEL, "hello bob", source="alice!*")


async def test_a_certificate_nobody_trusts_is_refused_and_said(tmp_path: Path) -> None:
    require("ngircd")
    certificate = make(tmp_path, "unknown")
    async with (
        ngircd(tmp_path / "n", certificate=certificate) as server,
        bouncer(tmp_path / "b") as muster,
    ):
        await muster.add_user("alice")
        await muster.add_network("alice", NETWORK, f"ircs://127.0.0.1:{server.tls_port}")
        async with muster.attached("alice/work") as alice:
            await alice.hears("NOTICE", "alice", "*not trusted*")
        async with peer("127.0.0.1", server.port) as bob:
            await bob.register("bob")
            await bob.says("ISON alice")
            assert "alice" not in (await bob.hears("303")).params[-1]


async def test_several_clients_share_one_nick(tmp_path: Path) -> None:
    """ "serves several clients of a user at once … own messages to the other clients too"."""
    async with site(tmp_path) as here:
        login = "alice/work"
        async with (
            here.bouncer.attached(f"{login}@laptop") as laptop,
            here.bouncer.attached(
                f"{login}@phone", caps=["server-time", "message-tags", "batch", "echo-message"]
            ) as phone,
            here.bouncer.attached(f"{login}@tablet", tls=False) as tablet,
        ):
            everyone = (laptop, phone, tablet)
            for client in everyone:
                await client.hears("366", "alice", CHANNEL)
            await here.bob.says(f"TOPIC {CHANNEL} :the topic")
            for client in everyone:
                await client.hears("TOPIC", CHANNEL, "the topic", source="bob!*")
            await laptop.says(f"PRIVMSG {CHANNEL} :from the laptop")
            await here.bob.hears("PRIVMSG", CHANNEL, "from the laptop")
            for client in (phone, tablet):
                await client.hears("PRIVMSG", CHANNEL, "*from the laptop", source="alice!*")
            await phone.says(f"PRIVMSG {CHANNEL} :from the phone")
            await here.bob.hears("PRIVMSG", CHANNEL, "from the phone")
            for client in everyone:  # the phone too: it negotiated echo-message
                await client.hears("PRIVMSG", CHANNEL, "*from the phone", source="alice!*")
            await here.bob_says("to all of you")
            for client in everyone:
                message = await client.hears("PRIVMSG", CHANNEL, "*to all of you", source="bob!*")
                tagged = "msgid" in message.tags and "time" in message.tags
                assert tagged == (client is phone)
            await laptop.sync()
            # "echo-message … servers MUST NOT send it to clients that have not requested it"
            assert unstamped(laptop.texts(CHANNEL)) == ["from the phone", "to all of you"]
            await tablet.says("NICK alicia")
            for client in everyone:
                await client.hears("NICK", "alicia")
            await tablet.says(f"PART {CHANNEL}")
            for client in everyone:
                await client.hears("PART", CHANNEL)


async def test_each_client_has_a_backlog_of_its_own(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        for name in ("laptop", "phone"):
            async with here.bouncer.attached(f"alice/work@{name}") as client:
                await client.hears("366", "alice", CHANNEL)
                await client.says("QUIT")
                await client.is_closed()
        await here.bob_says("one", "two")
        async with here.bouncer.attached("alice/work@laptop") as laptop:
            await laptop.hears("PRIVMSG", CHANNEL, "*two")
            await laptop.sync()
            await laptop.says("QUIT")
            await laptop.is_closed()
        await here.bob_says("three")
        async with here.bouncer.attached("alice/work@laptop") as laptop:
            await laptop.hears("PRIVMSG", CHANNEL, "*three")
            await laptop.sync()
            assert unstamped(laptop.texts(CHANNEL)) == ["three"]
        async with here.bouncer.attached("alice/work@phone") as phone:
            await phone.hears("PRIVMSG", CHANNEL, "*three")
            await phone.sync()
            assert unstamped(phone.texts(CHANNEL)) == ["one", "two", "three"]


async def test_term_says_goodbye_within_five_seconds(tmp_path: Path) -> None:
    """ "TERM stops cleanly within 5 s (clients get ERROR, networks get QUIT, …)"."""
    async with site(tmp_path) as here, here.bouncer.attached("alice/work@laptop") as alice:
        await alice.hears("366", "alice", CHANNEL)
        await here.bob_says("last words")
        await alice.hears("PRIVMSG", CHANNEL, "*last words")
        took = await here.bouncer.program.terminate(TERM_S)
        assert took < TERM_S
        assert here.bouncer.program.returncode == 0
        await alice.hears("ERROR")
        quits = await here.bob.hears("QUIT", source="alice!*")
        assert "Connection reset" not in str(quits)
        rows = await here.bouncer.history("alice", NETWORK)
        assert [row.text for row in rows if row.command == "PRIVMSG"] == ["last words"]


async def test_hup_reloads_without_dropping_anyone(tmp_path: Path) -> None:
    """ "HUP reloads configuration and certificates without dropping a connection"."""
    async with site(tmp_path) as here:
        before = make(tmp_path, "before")
        config = here.bouncer.config
        tables = f'\n[tls]\ncertificate = "{before.certificate}"\nkey = "{before.key}"\n'
        config.write_text(config.read_text() + tables)
        await here.bouncer.program.terminate()
        await here.bouncer.start()
        await here.held()
        async with here.bouncer.attached("alice/work@laptop") as alice:
            assert alice.server_certificate == before.der
            after = make(tmp_path, "after")
            before.certificate.write_bytes(after.certificate.read_bytes())
            before.key.write_bytes(after.key.read_bytes())
            here.bouncer.reload()
            await _serves(here.bouncer.tls_port, after.der)
            await here.bob_says("still here?")
            await alice.hears("PRIVMSG", CHANNEL, "*still here?")
            config.write_text("this is no configuration")
            here.bouncer.reload()
            await here.bouncer.program.prints("not reloaded, what was stays")
            await here.bob_says("and still?")
            await alice.hears("PRIVMSG", CHANNEL, "*and still?")
            await _serves(here.bouncer.tls_port, after.der)
        assert not here.bob.all("QUIT", source="alice!*")[1:]  # the first was our own restart


async def _serves(port: int, der: bytes) -> None:
    with trio.fail_after(10):
        while True:
            async with peer("127.0.0.1", port, tls=True) as client:
                if client.server_certificate == der:
                    return
            await trio.sleep(0.1)


async def test_a_lost_network_comes_back(tmp_path: Path) -> None:
    """ "first retry within 2 s": a network that ended in order is there again soon."""
    async with site(tmp_path) as here, here.bouncer.attached("alice/work@laptop") as alice:
        await alice.hears("366", "alice", CHANNEL)
        here.server.kill()
        await alice.hears("NOTICE")
        await here.server.start()
        async with peer("127.0.0.1", here.server.port) as carol:
            await carol.register("carol")
            await carol.hears_nick("alice", within_s=30)
            await carol.join(CHANNEL)
            await carol.hears_member(CHANNEL, "alice")
            alice.forget()
            await carol.says(f"PRIVMSG {CHANNEL} :welcome back")
            await alice.hears("PRIVMSG", CHANNEL, "welcome back", source="carol!*")


async def test_a_network_can_be_changed_while_the_bouncer_runs(tmp_path: Path) -> None:
    """ "go through the admin socket when a bouncer is live and act at once"."""
    async with site(tmp_path) as here:
        await here.bouncer.cli("network", "set", "alice", NETWORK, "--enabled", "false")
        await here.bob.hears("QUIT", source="alice!*")
        await here.bouncer.cli("network", "set", "alice", NETWORK, "--enabled", "true")
        await here.held()
        await here.bouncer.cli("network", "remove", "alice", NETWORK)
        await here.bob.hears("QUIT", source="alice!*")


async def test_the_first_minute(tmp_path: Path) -> None:
    """ "With no config at all: … user `admin` with a password printed once"."""
    require("ngircd")
    with ExitStack() as stack:
        # Two fixed ports: in a namespace of its own nobody else has them.
        netns = None
        if not missing("ip", "nft", "nsenter", "setpriv", NETNS):
            netns = stack.enter_context(lab()).host("home").netns
        words: list[str | Path] = [BIN / "bouncer", "run"]
        program = Program(words, log=tmp_path / "log", cwd=tmp_path, netns=netns)
        password = await _first_start(stack.enter_context(program), tmp_path, netns)
        program.log.unlink()
        program.start()
        await program.listens(partial(connected, "127.0.0.1", 6697, netns, 1), 20)
        await program.prints("serving")  # a password was printed before that
        assert password not in program.output
        assert not re.search(r"(?i)password:?\s+\S{8,}", program.output)  # "printed once"
        program.send(signal.SIGTERM)
        assert await program.ended() == 0


async def _first_start(program: Program, folder: Path, netns: str | None) -> str:
    match = await program.prints(r"(?i)password:?\s+(\S+)", 30)
    password = match[1]
    for client in ("irssi", "weechat", "hexchat"):
        assert client in program.output.lower(), f"copy-paste lines for {client}"
    await program.listens(partial(connected, "127.0.0.1", 6697, netns, 1), 20)
    await until((folder / "var" / "bouncer.sock").exists, 20, "the admin socket")
    async with (
        ngircd(folder / "n", netns=netns, port=7667 if netns else 0) as server,
        peer("127.0.0.1", server.port, netns=netns) as bob,
    ):
        await bob.register("bob")
        await bob.join(CHANNEL)
        uri = f"irc+insecure://127.0.0.1:{server.port}"
        add = ("network", "add", "admin", NETWORK, uri, "--nick", "admin", "--join", CHANNEL)
        await command("bouncer", *add, cwd=folder)
        await bob.hears("JOIN", CHANNEL, source="admin!*", within_s=20)
        async with peer("127.0.0.1", 6697, tls=True, netns=netns) as admin:
            await admin.register("admin", password=f"admin/work:{password}")
            await admin.hears("366", "admin", CHANNEL)
            await admin.says(f"PRIVMSG {CHANNEL} :it works")
            await bob.hears("PRIVMSG", CHANNEL, "it works", source="admin!*")
    await program.terminate()
    return password


def test_a_wrong_configuration_ends_with_2(tmp_path: Path) -> None:
    """ "2 wrong use, configuration or a missing prerequisite"."""
    (tmp_path / "bouncer.toml").write_text('listen = "nonsense"\nsurprise = 1\n')
    for verb in ("run", "check"):
        done = subprocess.run(
            [BIN / "bouncer", verb], cwd=tmp_path, capture_output=True, text=True, timeout=30,
            check=False,
        )  # fmt: skip
        assert done.returncode == 2
        lines = (done.stdout + done.stderr).strip().splitlines()
        assert len(lines) == 2, lines  # one for each fault
        assert any("listen" in line for line in lines)
        assert any("surprise" in line for line in lines)
        assert PASSWORD not in done.stdout
