"""What of a ZNC's configuration does not come over as it is: each is told."""

from __future__ import annotations

from pathlib import Path

from bouncer.importers.logfiles import Report
from bouncer.importers.savebuff import _kept, row_of
from bouncer.importers.znc import import_znc
from bouncer.irc.timestamps import format_time
from storage import accounts
from storage.records import Network
from storage.store import Store

PASS = "<Pass password>\nMethod = sha256\nHash = x\nSalt = y\n</Pass>\n"
PIN = ":".join(["AB"] * 32)


def user(name: str, *networks: str) -> str:
    inner = "".join(f"<Network {each}\n</Network>\n" for each in networks)
    return f"<User {name}>\nNick = {name[:9]}\n{PASS}{inner}</User>\n"


async def imported(store: Store, folder: Path, *users: str) -> Report:
    (folder / "configs").mkdir(exist_ok=True)
    (folder / "configs" / "znc.conf").write_text("".join(users))
    return await import_znc(store, folder, lambda *_: None)


async def test_the_first_server_is_taken_and_a_pin_that_is_one(
    store: Store, tmp_path: Path
) -> None:
    servers = "home>\nServer = a.example +6697\nServer = b.example 6667"
    short = "other>\nServer = c.example 6667\nTrustedServerFingerprint = d3:95"
    pinned = f"third>\nServer = d.example 6667\nTrustedServerFingerprint = {PIN}"
    report = await imported(store, tmp_path, user("alice", servers, short, pinned))
    assert report.notes == [
        "alice/home: of 2 servers the first is taken, a.example",
        "alice/other: of 1 trusted fingerprints none is taken, for none is of SHA-256; change it "
        "with: bouncer network set alice other --pin sha256:HEX",
    ]
    networks = {each.name: each for each in await store.read(accounts.list_networks)}
    assert networks["home"].uri == "ircs://a.example:6697"
    assert networks["other"].fingerprint == ""
    assert networks["third"].fingerprint == f"sha256:{'ab' * 32}"


async def test_nobody_comes_into_the_account_of_another(store: Store, tmp_path: Path) -> None:
    """ZNC's names differ by case; to log in, ours do not."""
    log = tmp_path / "users" / "carol@home" / "moddata" / "log" / "net" / "#ops"
    log.mkdir(parents=True)
    (log / "2024-05-01.log").write_text("[10:00:00] <bob> hello\n")
    net = "net>\nServer = a.example 6667"
    users = (user("Bob", net), user("bob", net.replace("net", "own")), user("carol@home", net))
    for _ in range(2):
        report = await imported(store, tmp_path, *users)
        assert report.notes == [
            "bob: left out, for upper and lower case are one here, and Bob is another user; give "
            "it another name in ZNC",
            "carol@home: is called carol_home here, for in a login @ is followed by the client",
        ]
        names = [each.name for each in await store.read(accounts.list_users)]
        assert sorted(names) == ["Bob", "carol_home"]
        assert {each.name for each in await store.read(accounts.list_networks)} == {"net"}
    assert report.messages == 0, "it came the first time"


def test_a_buffers_time_can_be_told() -> None:
    """A damaged one would end whoever plays it back."""
    form = ":bob!b@h PRIVMSG #ops :{text}"
    (kept,) = _kept([f"@{'9' * 11},999999 {form}", "x"], "alice")
    row = row_of(Network(1, "net", "", id=1), "#ops", kept)
    assert row is not None
    assert format_time(row.time_ms).endswith("Z")
    assert list(_kept([f"@{'9' * 12},1 {form}", "x"], "alice")) == []
