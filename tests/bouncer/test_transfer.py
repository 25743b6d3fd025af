"""History in, out, to another database and under another key, by the command line as processes."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from bouncer import admin
from storage import accounts
from storage.backup import seal_anew
from storage.messages import Row, since
from storage.store import open_store
from storage.vault import add_key, new_key
from tests.bouncer.importers.soju_file import say, soju_database
from tests.real.disk import small_disk
from tests.storage.cluster import Cluster, binaries, running_cluster

BOUNCER = str(Path(sys.executable).with_name("bouncer"))
TOML = """
data_dir = "data"
[[listen]]
address = "unix:irc.sock"
"""
SAID = 1500


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "bouncer.toml").write_text(TOML)
    monkeypatch.delenv("MUSTER_CONFIG", raising=False)
    return tmp_path


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    programs = binaries()
    if programs is None:
        pytest.skip("no PostgreSQL server is installed (Debian: apt install postgresql)")
    with running_cluster(programs) as running:
        yield running


def bouncer(site: Path, *words: str, given: str = "", expect: int = 0) -> str:
    """What the command printed, both streams."""
    done = subprocess.run(
        [BOUNCER, *words],
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        cwd=site,
    )
    assert done.returncode == expect, done.stdout
    assert "Traceback" not in done.stdout
    return done.stdout


@contextlib.contextmanager
def running(site: Path) -> Iterator[None]:
    with subprocess.Popen([BOUNCER, "run"], cwd=site, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 30
            while not admin.answers(site / "data" / "bouncer.sock"):
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield
        finally:
            process.kill()


def url_of(site: Path) -> str:
    return f"sqlite:///{site / 'data' / 'muster.db'}"


async def rows_of(url: str, site: Path, network: str) -> list[Row]:
    key = (site / "data" / "secrets.key").read_bytes()
    async with open_store(url, key=key) as store:
        (user,) = await store.read(accounts.list_users)
        found = await store.read(accounts.get_network, user.id, network)
        return await store.read(since, found.id, -(1 << 62), 100_000)


async def passwords_of(url: str, key: bytes) -> list[str]:
    async with open_store(url, key=key) as store:
        return [network.password for network in await store.read(accounts.list_networks)]


async def fill(site: Path) -> None:
    key = (site / "data" / "secrets.key").read_bytes()
    async with open_store(url_of(site), key=key) as store:
        (network,) = await store.read(accounts.list_networks)
        start = store.last_id + 1
        rows = [
            Row(
                store.next_id(),
                network.id,
                "#ops",
                "#Ops",
                1_700_000_000_000 + n * 1000,
                f"i{n}",
                "PRIVMSG",
                "bob!b@example.net",
                "account=bob",
                "",
                f"line {n} ünïcode",
            )
            for n in range(SAID)
        ]
        assert rows[0].id == start
        assert await store.append(rows)


@pytest.fixture(scope="module")
def filled_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Alice with a network whose password is a secret, and what was said there."""
    site = tmp_path_factory.mktemp("filled")
    (site / "bouncer.toml").write_text(TOML)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MUSTER_CONFIG", raising=False)
        bouncer(site, "user", "add", "alice", "--password-stdin", given="hunter2\n")
        words = ("network", "add", "alice", "home", "irc+insecure://127.0.0.1:1")
        more = ("--enabled", "false", "--server-password-stdin")
        bouncer(site, *words, *more, given="open sesame\n")
    trio.run(fill, site)
    return site / "data"


@pytest.fixture
def filled(site: Path, filled_once: Path) -> None:
    shutil.copytree(filled_once, site / "data")


@pytest.mark.usefixtures("filled")
async def test_everything_moves_to_postgresql(site: Path, cluster: Cluster) -> None:
    before = await rows_of(url_of(site), site, "home")
    target = cluster.new_database()
    short = target.replace("+psycopg", "")
    with running(site):
        said = bouncer(site, "history", "move", short, expect=1)
        assert "a bouncer is running on this database; stop it" in said
    said = bouncer(site, "history", "move", short)
    assert said.startswith("1,500 messages")
    assert f"write into {site}/bouncer.toml:\n  [database]\n" in said
    table = said[said.index("  [database]") : said.index("secrets.key")]
    assert await rows_of(target, site, "home") == before
    assert await rows_of(url_of(site), site, "home") == before, "the old one is as it was"

    twice = bouncer(site, "history", "move", target, expect=1)
    assert twice == "bouncer: the target database is not empty; name a new one\n"
    (site / "bouncer.toml").write_text(TOML + table)
    assert bouncer(site, "history", "stats", "alice").startswith("home #Ops: 1,500 messages")
    assert "all is well" in bouncer(site, "check")
    with running(site):
        assert "alice: 1 network" in bouncer(site, "user", "list")
    key = (site / "data" / "secrets.key").read_bytes()
    assert await passwords_of(target, key) == ["open sesame"]
    same = bouncer(site, "history", "move", short, expect=2)
    assert "is the database that is in use" in same


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://muster@127.0.0.1:1/none", "nothing was moved: a database cannot be reached"),
        ("mysql://muster@localhost/muster", "mysql is not supported; use sqlite or postgresql"),
        ("nonsense", "'nonsense' is not a database URL"),
    ],
)
async def test_where_nothing_can_be_moved_to(url: str, said: str, site: Path) -> None:
    assert "there is no database" in bouncer(site, "history", "move", url, expect=1)
    assert not (site / "data" / "muster.db").exists()
    bouncer(site, "user", "add", "alice")
    assert said in bouncer(site, "history", "move", url, expect=1)


@pytest.mark.usefixtures("filled")
async def test_the_key_is_changed_and_an_interrupted_change_goes_on(site: Path) -> None:
    path = site / "data" / "secrets.key"
    url = url_of(site)
    first = path.read_bytes()
    with running(site):
        assert "is running" in bouncer(site, "history", "rekey", expect=1)
    assert path.read_bytes() == first
    assert bouncer(site, "history", "rekey").startswith("1 secrets are sealed with the new key")
    second = path.read_bytes()
    assert second != first
    assert len(second.split()) == 1
    assert path.stat().st_mode & 0o777 == 0o600
    assert await passwords_of(url, second) == ["open sesame"]

    # Ended after its first step, and after its second: the file opens everything each time.
    add_key(path)
    assert await passwords_of(url, path.read_bytes()) == ["open sesame"]
    third = path.read_bytes().split()[0]
    async with open_store(url, key=path.read_bytes()) as store:
        assert await store.run(seal_anew) == 1
    assert await passwords_of(url, path.read_bytes()) == ["open sesame"]
    bouncer(site, "history", "rekey")
    assert path.read_bytes().split() == [third]
    assert await passwords_of(url, third) == ["open sesame"]


@pytest.mark.usefixtures("filled")
async def test_a_key_that_opens_nothing_is_not_changed(site: Path) -> None:
    """It would bury the right one, which may still be put back."""
    path = site / "data" / "secrets.key"
    right = path.read_bytes()
    path.write_bytes(new_key())
    wrong = path.read_bytes()
    said = bouncer(site, "history", "rekey", expect=1)
    assert "does not open the stored passwords" in said
    # a unit would try for ever after another code
    assert "put back the one" in bouncer(site, "run", expect=2)
    assert path.read_bytes() == wrong
    path.write_bytes(right)
    bouncer(site, "history", "rekey")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("run",), 2),
        (("user", "list"), 2),
        (("history", "rekey"), 1),
        (("history", "export", "alice", "home", "--out", "x", "--format", "json"), 1),
    ],
)
@pytest.mark.usefixtures("filled")
async def test_a_lost_key_is_not_made_anew(words: tuple[str, ...], code: int, site: Path) -> None:
    path = site / "data" / "secrets.key"
    path.rename(site / "copy")
    said = bouncer(site, *words, expect=code)
    assert f"{path} is missing, and sqlite:///{site}/data/muster.db holds 1 secret" in said
    assert "put it back from your backup, or give them up" in said
    assert not path.exists()
    shutil.copy(site / "copy", path)
    bouncer(site, "user", "list")


@pytest.mark.parametrize("wrong", [None, new_key()], ids=["missing", "another"])
@pytest.mark.usefixtures("filled")
async def test_what_a_lost_key_sealed_is_given_up_by_an_own_word(
    wrong: bytes | None, site: Path
) -> None:
    bouncer(site, "channel", "add", "alice", "home", "#ops", "--key", "k3y")
    path = site / "data" / "secrets.key"
    path.unlink()
    if wrong is not None:
        path.write_bytes(wrong)
    said = bouncer(site, "history", "rekey", "--forget")
    assert "forgotten: server password of alice's network home\n" in said
    assert "forgotten: a channel's key of alice's network home\n" in said
    assert await passwords_of(url_of(site), path.read_bytes()) == [""]
    assert "home" in bouncer(site, "network", "list", "alice")
    assert "#ops" in bouncer(site, "channel", "list", "alice", "home")
    assert "forgotten" not in bouncer(site, "history", "rekey", "--forget")


@pytest.mark.usefixtures("filled")
async def test_what_finds_no_room_is_told_as_cut_and_leaves_no_litter(site: Path) -> None:
    small = site / "small"
    small.mkdir()
    with small_disk(small, "32k"):
        for form in ("json", "text"):
            out = small / form
            words = ("history", "export", "alice", "home", "--format", form, "--out", str(out))
            said = bouncer(site, *words, expect=1)
            assert said == f"bouncer: {out} is not complete: No space left on device\n"
            shutil.rmtree(out) if out.is_dir() else out.unlink()
        said = bouncer(site, "history", "backup", str(small / "copy.db"), expect=1)
        assert "the disk is full" in said
        assert list(small.iterdir()) == []


async def test_a_soju_is_imported_exported_and_backed_up(site: Path) -> None:
    path = site / "main.db"
    with contextlib.closing(soju_database(path)) as database:
        for n in range(300):
            at = f"2024-01-01T00:00:{n // 10:02}.000Z"
            say(database, 1, at, f"@time={at};msgid=i{n} :bob!b@h PRIVMSG #Ops :line {n}")
        database.commit()
    said = bouncer(site, "import", "soju", str(path))
    assert said.startswith("1 users, 2 networks, 1 channels, 0 clients and 300 messages came in\n")
    assert "and 0 messages came in" in bouncer(site, "import", "soju", str(path))

    out = site / "out"
    with running(site):  # the user's networks are no real ones; nothing comes in meanwhile
        words = ("history", "export", "alice", "libera", "--out", str(out))
        assert "300 messages written" in bouncer(site, *words)
        (log,) = out.rglob("*.log")
        assert (log.name, log.read_text().splitlines()[0]) == (
            "2024-01-01.log",
            "[00:00:00] <bob> line 0",
        )
        file = site / "out.jsonl"
        words = ("history", "export", "alice", "libera", "#OPS", "--format", "json")
        bouncer(site, *words, "--out", str(file))
        found = [json.loads(line) for line in file.read_text().splitlines()]
        assert [each["text"] for each in found] == [f"line {n}" for n in range(300)]

        copy = site / "copy.db"
        assert f"{copy}: " in bouncer(site, "history", "backup", str(copy))
        assert "exists; name another file" in bouncer(
            site, "history", "backup", str(copy), expect=1
        )
    with contextlib.closing(sqlite3.connect(copy)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        (count,) = database.execute("SELECT count(*) FROM messages").fetchone()
        assert count >= 300


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to act for another user")
def test_what_root_makes_belongs_to_the_bouncers_user() -> None:
    """A file of root's among them, and the bouncer could not start any more."""
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder)
        site.chmod(0o711)
        (site / "bouncer.toml").write_text(TOML)
        old = site / "soju.db"
        with contextlib.closing(soju_database(old)) as database:
            database.commit()
        old.chmod(0o600)  # root's alone
        (site / "data").mkdir(mode=0o700)
        os.chown(site / "data", pwd.getpwnam("nobody").pw_uid, -1)
        import_and_look(site, old)


def import_and_look(site: Path, old: Path) -> None:
    data, nobody = site / "data", pwd.getpwnam("nobody").pw_uid
    bouncer(site, "import", "soju", str(old))
    for words in (
        ("history", "export", "alice", "libera", "--out", str(site / "out")),
        ("history", "backup", str(site / "backup.db")),
        ("check",),
    ):
        for each in data.glob("*-search*"):  # as one does who restores a backup
            each.unlink()
        done = subprocess.run([BOUNCER, *words], cwd=site, capture_output=True, text=True)
        # nobody may be unable to read this installation
        assert done.returncode == 0 or "who cannot read" in done.stderr, done
        owners = {each.name: each.stat().st_uid for each in data.iterdir()}
        assert {"muster.db", "secrets.key"} <= owners.keys()
        assert set(owners.values()) == {nobody}, (words, owners)


@pytest.mark.parametrize("command", ["export", "backup", "move", "rekey"])
def test_each_has_its_help(command: str, site: Path) -> None:
    said = bouncer(site, "history", command, "--help")
    assert f"usage: bouncer history {command}" in said
    assert not (site / "data").exists()
