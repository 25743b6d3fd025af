"""A ZNC that was run and talked through comes over: people, credentials, logs; once."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest
import trio
from cryptography.hazmat.decrepit.ciphers.algorithms import Blowfish
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from hypothesis import given
from hypothesis import strategies as st

from bouncer.importers.savebuff import open_buffer
from bouncer.importers.znc import import_znc
from bouncer.importers.zncconf import BadConfig, parse_config, parse_registry, parse_server
from bouncer.login.passwords import verify
from storage import accounts, messages
from storage.errors import StorageError
from storage.records import Network
from storage.search import search
from storage.store import Store
from tests.real import needs
from tests.real.netns import connected
from tests.real.ngircd import ngircd
from tests.real.peer import Peer, peer
from tests.real.ports import free_port
from tests.real.process import Program

CONFIG = """\
// made by the test
Version = 1.8.2
<Listener l>
    Host = 127.0.0.1
    Port = {port}
    IPv4 = true
    IPv6 = false
    SSL = false
    AllowIRC = true
</Listener>
<User alice>
    Admin      = true
    Nick       = alice
    Ident      = al
    RealName   = Alice of Ops
    LoadModule = log
    <Network home>
        Server = 127.0.0.1 {server}
        LoadModule = perform
        LoadModule = savebuff{savebuff}
        LoadModule = nickserv
        LoadModule = sasl
        JoinDelay = 0
        <Chan #ops>
            Key = sesame
        </Chan>
        <Chan #quiet>
            Detached = true
        </Chan>
    </Network>
    <Network off>
        Nick = alice2
        Server = irc.example.net +6697 letmein
        IRCConnectEnabled = false
    </Network>
    <Pass password>
        Hash = {hash}
        Method = SHA256
        Salt = pepper
    </Pass>
</User>
"""


def test_the_configuration_is_read() -> None:
    root = parse_config(CONFIG.format(port=1, server=2, hash="x", savebuff=""))
    (user,) = root.inner("User")
    assert (user.name, user.get("nick"), user.is_true("Admin")) == ("alice", "alice", True)
    home, off = user.inner("Network")
    assert home.modules() == {"perform", "savebuff", "nickserv", "sasl"}
    assert [chan.name for chan in home.inner("Chan")] == ["#ops", "#quiet"]
    assert parse_server(off.get("Server")) == ("ircs://irc.example.net:6697", "letmein")
    assert parse_server("2001:db8::1 6667") == ("irc+insecure://[2001:db8::1]:6667", "")
    assert parse_server("unix:/run/ircd.sock") == ("unix:/run/ircd.sock", "")
    # ZNC: "if (!uPort) uPort = 6667"
    assert parse_server("irc.example.net +") == ("ircs://irc.example.net:6667", "")
    assert parse_server("irc.example.net x y") == ("irc+insecure://irc.example.net:6667", "y")
    stored = "Perform MODE%20;alice%20;%2b;i%0a;\nPassword %c3;%a9;\n"
    assert parse_registry(stored) == {"Perform": "MODE alice +i\n", "Password": "é"}
    for wrong in ("<User a>\n", "</User>\n", "nonsense\n", "<User a>\n</Network>\n"):
        with pytest.raises(BadConfig, match=r"line|never closed"):
            parse_config(wrong)


async def test_what_is_no_znc_directory_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be read"):
        await import_znc(store, tmp_path, lambda *_: None)


async def test_nul_is_no_part_of_what_is_brought_in(store: Store, tmp_path: Path) -> None:
    """PostgreSQL takes none."""
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "znc.conf").write_bytes(b"<User al>\nRealName = Al\0\xefce\n</User>\n")
    await import_znc(store, tmp_path, lambda *_: None)
    assert (await store.read(accounts.get_user, "al")).realname == "Al\xefce"
    assert parse_registry("Perform MODE%20;%00;al\n") == {"Perform": "MODE al"}


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that an unprivileged ZNC can use: as root it would wait for half a minute."""
    folder = Path(tempfile.mkdtemp(prefix="muster-znc-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@asynccontextmanager
async def znc(folder: Path, server: int, savebuff: str = "") -> AsyncIterator[tuple[Program, int]]:
    port = free_port()
    (folder / "configs").mkdir()
    digest = sha256(b"wonderlandpepper").hexdigest()
    text = CONFIG.format(port=port, server=server, hash=digest, savebuff=savebuff)
    (folder / "configs" / "znc.conf").write_text(text)
    words = ["znc", "-f", "-d", str(folder)]
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, "nobody")
        words = ["setpriv", "--reuid=nobody", "--clear-groups", "--", *words]
    environment = {"TZ": "UTC", "HOME": str(folder)}
    with Program(words, log=folder / "znc.log", env=environment) as program:
        await program.listens(partial(connected, "127.0.0.1", port, None, 1))
        yield program, port


async def talk(owner: Peer, other: Peer) -> None:
    """What is said through ZNC, by its owner and by another person."""
    await other.says("NICK bob", "USER b 0 * :Bob")
    await other.hears("001")
    await other.says("JOIN #ops sesame")
    await other.hears("366")
    await owner.says("PASS alice/home:wonderland", "NICK alice", "USER a 0 * :a")
    await owner.hears("001")
    for line in (
        "PRIVMSG *sasl :Set alice s3cret",
        "PRIVMSG *sasl :Mechanism PLAIN",
        "PRIVMSG *nickserv :Set n1ckpass",
        "PRIVMSG *perform :Add MODE alice +i",
        "PRIVMSG *status :JoinChan #ops",
    ):
        await owner.says(line)
    await owner.hears("353")
    await other.says("PRIVMSG #ops :the disk on db1 is full", "PRIVMSG #ops :\x01ACTION sighs\x01")
    await owner.hears("PRIVMSG", "#ops", "*sighs*")
    await owner.says("PRIVMSG #ops :on it", "PRIVMSG bob :a word in private")
    await other.hears("PRIVMSG", "*", "a word in private")
    await other.says("PRIVMSG alice :yes?", "TOPIC #ops :disk full", "NOTICE #ops :wall")
    await owner.hears("NOTICE", "#ops", "wall")
    await other.says("PART #ops :off")
    await owner.hears("PART", "#ops")


AWAY = ("while you were away", "{{no}} \\place", "\x01ACTION waves\x01")


async def talk_on(server: int) -> int:
    """What is said while the owner is away: of that ZNC keeps a buffer. The millisecond before."""
    async with peer("127.0.0.1", server) as other:
        await other.says("NICK bob", "USER b 0 * :Bob")
        await other.hears("001")
        await other.says("JOIN #ops sesame")
        await other.hears("366")
        begun_ms = time.time_ns() // 1_000_000
        await other.says(*(f"PRIVMSG #ops :{text}" for text in AWAY), "PRIVMSG alice :for later")
        await other.says("NOTICE #ops :the end", "NOTICE alice :the end", "PING x")
        await other.hears("PONG")
        await trio.sleep(1)  # ZNC reads it
    return begun_ms


async def test_a_znc_comes_over_once(store: Store, open_folder: Path, tmp_path: Path) -> None:
    needs.require("znc", "ngircd")
    async with (
        ngircd(tmp_path / "ircd") as server,
        znc(open_folder, server.port) as (program, port),
    ):
        async with peer("127.0.0.1", port) as owner, peer("127.0.0.1", server.port) as other:
            await talk(owner, other)
        await talk_on(server.port)
        await program.terminate()  # its modules write what they know
    steps: list[tuple[str, int, int]] = []
    report = await import_znc(store, open_folder, lambda *step: steps.append(step))

    (user,) = await store.read(accounts.list_users)
    assert (user.name, user.admin, user.realname) == ("alice", True, "Alice of Ops")
    assert verify(user.password_hash, "wonderland")
    home, off = await store.read(accounts.list_networks, user.id)
    assert (off.uri, off.password, off.enabled) == ("ircs://irc.example.net:6697", "letmein", False)
    assert off.nick == "alice2"
    assert (home.nick, home.ident) == ("alice", "al")
    assert (home.sasl_mechanism, home.sasl_login) == ("PLAIN", "alice")
    assert home.sasl_password == "s3cret"
    assert home.connect_commands == ("PRIVMSG NickServ :IDENTIFY n1ckpass", "MODE alice +i")
    ops, quiet = await store.read(accounts.list_channels, home.id)
    assert (ops.name, ops.key, quiet.detached) == ("#ops", "sesame", True)

    said = await store.read(messages.latest, home.id, "#ops", 100)
    chat = [(r.source.partition("!")[0], r.command, r.text) for r in said if r.source != "alice!"]
    for expected in (
        ("bob", "PRIVMSG", "the disk on db1 is full"),
        ("bob", "PRIVMSG", "\x01ACTION sighs\x01"),
        ("alice", "PRIVMSG", "on it"),
        ("bob", "TOPIC", ":disk full"),
        ("bob", "NOTICE", "wall"),
        ("bob", "PART", ":off"),
        *(("bob", "PRIVMSG", text) for text in AWAY),
    ):
        assert chat.count(expected) == 1, "the log and the buffer have it"
    private = await store.read(messages.latest, home.id, "bob", 10)
    assert [(r.source, r.addressee, r.text) for r in private] == [
        ("alice", "", "a word in private"),
        ("bob", "alice", "yes?"),
        ("bob", "alice", "for later"),
        ("bob", "alice", "the end"),
    ]
    assert len(await store.read(search, home.id, "disk db1")) == 1
    assert await store.read(messages.since, home.id, store.last_id, 10) == [], "no news"
    assert report.messages == len(await store.read(messages.since, home.id, 0, 1000))
    assert steps[-1][1] == steps[-1][2] or not steps[-1][2]

    await store.run(lambda c: accounts.change_network(c, home.id, nick="changed"))
    again = await import_znc(store, open_folder, lambda *_: None)
    assert (again.users, again.networks, again.channels, again.messages) == (0, 0, 0, 0)
    kept: list[Network] = await store.read(accounts.list_networks, user.id)
    assert kept[0].nick == "changed", "what was set since stays"


@pytest.mark.parametrize("argument", ["", " salt and pepper", " --ask-pass"])
async def test_buffers_come_without_a_log(
    store: Store, open_folder: Path, tmp_path: Path, argument: str
) -> None:
    """With times to the millisecond and hosts, which a log does not have."""
    needs.require("znc", "ngircd")
    async with (
        ngircd(tmp_path / "ircd") as server,
        znc(open_folder, server.port, argument) as (program, port),
    ):
        async with peer("127.0.0.1", port) as owner:
            await owner.says("PASS alice/home:wonderland", "NICK alice", "USER a 0 * :a")
            await owner.hears("001")
            await owner.hears("366", "alice", "#ops")
            if argument == " --ask-pass":
                await owner.says("PRIVMSG *savebuff :SetPass hunter2")
                await owner.hears("PRIVMSG", "*", "Password set*")
        begun_ms = await talk_on(server.port)
        await program.terminate()
    shutil.rmtree(open_folder / "users" / "alice" / "moddata" / "log")
    if argument == " --ask-pass":
        report = await import_znc(store, open_folder, lambda *_: None, "something else")
        assert report.messages == 0
        assert any("sealed with another password; give it with" in note for note in report.notes)
    for expected in (5, 0):
        report = await import_znc(store, open_folder, lambda *_: None, "hunter2")
        assert (report.messages, [n for n in report.notes if "savebuff" in n]) == (expected, [])
    (user,) = await store.read(accounts.list_users)
    home = (await store.read(accounts.list_networks, user.id))[0].id
    said = await store.read(messages.latest, home, "#ops", 100)
    assert [row.text for row in said] == [*AWAY, "the end"]
    assert all(row.source.startswith("bob!~b@") for row in said)
    assert min(row.time_ms for row in said) >= begun_ms, "the second had begun before"
    (private,) = await store.read(messages.latest, home, "bob", 100)
    assert (private.addressee, private.text) == ("alice", "for later")


@given(st.binary(), st.text())
def test_any_file_of_a_buffer_is_a_value(data: bytes, password: str) -> None:
    open_buffer(data, [password], "alice")


def sealed(text: bytes, password: str) -> bytes:
    """As savebuff seals it: each block under the one before, enciphered."""
    key = hashlib.md5(password.encode(), usedforsecurity=False).digest()
    cipher, block = Cipher(Blowfish(key), modes.ECB()).encryptor(), bytes(8)
    data = b""
    for start in range(0, len(text), 8):
        part = text[start : start + 8]
        block = bytes(a ^ b for a, b in zip(part, cipher.update(block)[: len(part)], strict=True))
        data += block
    return data


def test_what_no_database_holds_is_left_out_of_a_buffer() -> None:
    text = b"::__:CHANBUFF:__::#ops\n@1700000000,5 :bob PRIVMSG {target} :{text}\nhi\0 there\n"
    buffer = open_buffer(sealed(text, "x"), ["y", "x"], "alice")
    assert buffer is not None
    assert buffer.name == "#ops"
    assert [kept.line for kept in buffer.kept] == [":bob PRIVMSG alice :hi there"]


async def test_an_interrupted_import_goes_on_and_a_grown_log_adds_its_new_lines(
    store: Store, tmp_path: Path
) -> None:
    folder = tmp_path / "znc"
    (folder / "configs").mkdir(parents=True)
    config = CONFIG.format(port=1, server=6667, hash="x", savebuff="")
    (folder / "configs" / "znc.conf").write_text(config)
    logs = folder / "users" / "alice" / "moddata" / "log" / "home" / "#ops"
    logs.mkdir(parents=True)
    for day in range(1, 10):
        lines = [f"[00:00:{n // 10:02}] <bob> day {day} line {n}\n" for n in range(300)]
        (logs / f"2024-05-{day:02}.log").write_text("".join(lines))

    class Interrupted(Exception):
        pass

    def stop_in_the_middle(what: str, _done: int, _total: int) -> None:
        if what == "#ops 2024-05-05":
            raise Interrupted

    with pytest.raises(Interrupted):
        await import_znc(store, folder, stop_in_the_middle)
    with (logs / "2024-05-09.log").open("a") as file:
        file.write("[23:00:00] <bob> late\n[23:00:01] <bob> half a li")
    await import_znc(store, folder, lambda *_: None)
    (user,) = await store.read(accounts.list_users)
    home = (await store.read(accounts.list_networks, user.id))[0]
    rows = await store.read(messages.latest, home.id, "#ops", 10_000)
    expected = [f"day {day} line {n}" for day in range(1, 10) for n in range(300)]
    assert [row.text for row in rows] == [*expected, "late"]


async def test_a_day_in_two_places_comes_once_and_whole(store: Store, tmp_path: Path) -> None:
    """As where the module log was moved from the user to the network, or is loaded by both."""
    (tmp_path / "configs").mkdir()
    config = CONFIG.format(port=1, server=6667, hash="x", savebuff="")
    (tmp_path / "configs" / "znc.conf").write_text(config)
    home = tmp_path / "users" / "alice"
    of_network = home / "networks" / "home" / "moddata" / "log" / "#ops"
    of_user = home / "moddata" / "log" / "home" / "#ops"
    for place, seconds in ((of_user, range(6)), (of_network, range(4, 9))):
        place.mkdir(parents=True)
        lines = [f"[10:00:0{second}] <bob> line {second}\n" for second in seconds]
        (place / "2024-05-01.log").write_text("".join(lines))
    for expected in (9, 0):
        assert (await import_znc(store, tmp_path, lambda *_: None)).messages == expected
    (user,) = await store.read(accounts.list_users)
    network = (await store.read(accounts.list_networks, user.id))[0]
    rows = await store.read(messages.latest, network.id, "#ops", 20)
    assert [row.text for row in rows] == [f"line {second}" for second in range(9)]


async def test_what_cannot_come_over_is_said(store: Store, tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    config = CONFIG.format(port=1, server=6667, hash="x", savebuff="").replace("sasl", "keepnick")
    (tmp_path / "configs" / "znc.conf").write_text(config)
    config = config.replace("LoadModule = log", "LoadModule = log -sanitize /srv/$WINDOW.log")
    config = config.replace("Server = irc.example.net +6697 letmein", "Server =")
    (tmp_path / "configs" / "znc.conf").write_text(config)
    notes = (await import_znc(store, tmp_path, lambda *_: None)).notes
    assert "home: the module keepnick does not come over" in notes
    assert "alice/off: left out, it has no server" in notes
    assert any("alice: the module log is told to write otherwise (/srv" in note for note in notes)
