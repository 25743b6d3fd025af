"""`bouncer check`: one line per fault that says what to do, and nothing is changed."""

from __future__ import annotations

import contextlib
import datetime
import os
import pwd
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import trio
from structlog.testing import capture_logs

from bouncer import admin, app, cautions, check, config
from bouncer.control.actors import OPERATOR
from bouncer.control.command import Desk
from bouncer.control.grammar import ControlError
from bouncer.control.registry import dispatch
from bouncer.database import KEY_FILE, lost_mesh_key, open_database
from bouncer.login.passwords import Hasher
from bouncer.mesh.keys import MeshKey
from bouncer.tls import selfsigned
from storage import accounts
from storage.records import Agent
from storage.vault import new_key
from tests.bouncer.desks import open_desk
from tests.real.disk import damage, index_root, small_disk
from tests.storage.model import add_network, said

LOOPBACK = [{"address": "127.0.0.1:0", "tls": False}]


def settings(folder: Path, **tables: object) -> config.Config:
    given = {"data_dir": str(folder / "data"), "listen": LOOPBACK, **tables}
    return config.parse(given, folder / "bouncer.toml")


async def faults(folder: Path, **tables: object) -> list[str]:
    prefix = f"{folder}/bouncer.toml: "
    found = await check.faults(settings(folder, **tables))
    assert all(line.startswith(prefix) and "\n" not in line for line in found)
    return [line.removeprefix(prefix) for line in found]


async def test_a_fresh_configuration_has_no_fault_and_leaves_no_trace(tmp_path: Path) -> None:
    assert await faults(tmp_path, listen=[{"address": "127.0.0.1:0"}]) == []
    assert list(tmp_path.iterdir()) == []


async def test_a_used_one_has_none_either(tmp_path: Path) -> None:
    async with open_database(settings(tmp_path)):
        pass
    assert await faults(tmp_path) == []


async def test_what_works_and_had_better_not_is_a_warning(tmp_path: Path) -> None:
    chain, key = tmp_path / "c.pem", tmp_path / "k.pem"
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=3600)
    selfsigned.make(chain, key, ["irc.example.net"], start)
    tables = {
        "tls": {"certificate": str(chain), "key": str(key)},
        "listen": [{"address": "0.0.0.0:0", "tls": False}],
    }
    assert await faults(tmp_path, **tables) == []
    plain, urgent = await cautions.warnings(settings(tmp_path, **tables))
    assert plain.startswith("listen[1]: 0.0.0.0:0 is open to others without TLS")
    assert urgent.startswith("tls.certificate: certificate urgent: 49d left")
    assert await cautions.warnings(settings(tmp_path)) == []


async def test_lines_from_the_future_are_a_warning_until_they_are_dated_anew(
    tmp_path: Path,
) -> None:
    conf = settings(tmp_path)
    async with open_database(conf) as store:
        network = await add_network(store)
        await store.append([said(store, network, "x", int((time.time() + 86_400) * 1000))])
    [told] = await cautions.warnings(conf)
    assert "1 conversations hold lines that are dated in the future" in told
    assert "`bouncer history redate`" in told
    async with open_database(conf) as store:
        desk = Desk(store, conf, Hasher())
        behind = replace(desk, wall=lambda: 1_600_000_000.0)
        with pytest.raises(ControlError, match="years behind"):
            await dispatch(["history", "redate"], OPERATOR, behind)
        [said_of_it] = await dispatch(["history", "redate"], OPERATOR, desk)
        assert said_of_it.startswith("1 messages were dated in the future")
    assert await cautions.warnings(conf) == []


async def test_an_address_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        listen = [*LOOPBACK, {"address": address, "tls": False}]
        assert await faults(tmp_path, listen=listen) == [
            f"listen[2].address: {address} cannot be listened on: "
            "another program does already; stop it, or take another port"
        ]
        for key, tables in (
            ("ident.listen", {"ident": {"listen": address}}),
            ("metrics", {"metrics": address}),
        ):
            (fault,) = await faults(tmp_path, **tables)
            assert fault.startswith(f"{key}: {address} cannot be listened on: another program")
    with socket.socket(type=socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{other.getsockname()[1]}"
        (fault,) = await faults(tmp_path, mesh={"address": address})
        assert fault.startswith(f"mesh.address: {address} cannot be listened on: another program")


async def test_a_bouncer_that_runs_is_asked_and_its_addresses_are_no_fault(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    says = ["up 5s, 1 user, 0 clients, 0 of 0 networks connected"]

    async def answer(line: str) -> list[str]:
        assert line == "server status"
        return says

    with socket.socket() as ours, contextlib.ExitStack() as stack:
        ours.bind(("127.0.0.1", 0))
        ours.listen()
        listen = [{"address": f"127.0.0.1:{ours.getsockname()[1]}", "tls": False}]
        async with trio.open_nursery() as nursery:
            control = stack.enter_context(admin.listening(tmp_path / "data" / "bouncer.sock"))
            await nursery.start(admin.serve, control, answer)
            assert await faults(tmp_path, listen=listen) == []
            says.append("HISTORY: The database has no room: the disk is full.")
            assert await faults(tmp_path, listen=listen) == [
                "database.url: The database has no room: the disk is full."
            ]
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("192.0.2.1:6667", "this machine has no such address"),
        ("unix:nowhere/irc.sock", "is missing or not ours to write"),
        (f"unix:{'x' * 108}", "is longer than a socket's path may be"),
    ],
)
async def test_an_impossible_address_is_named(address: str, said: str, tmp_path: Path) -> None:
    (fault,) = await faults(tmp_path, listen=[{"address": address, "tls": False}])
    assert said in fault


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("missing", "No such file or directory; name the file that is there"),
        ("rubbish", "holds no PEM certificate"),
        ("other key", "is not the key of"),
        ("expired", "expired 2011"),
        ("future", "is valid only from 2"),
        ("open key", "everybody may read"),
    ],
)
async def test_an_unusable_certificate_is_named(harm: str, said: str, tmp_path: Path) -> None:
    chain, key = tmp_path / "c.pem", tmp_path / "k.pem"
    now = datetime.datetime.now(datetime.UTC)
    start = {"expired": now.replace(year=2001), "future": now.replace(year=now.year + 1, day=1)}
    selfsigned.make(chain, key, ["irc.example.net"], start.get(harm))
    match harm:
        case "missing":
            chain.unlink()
        case "rubbish":
            chain.write_text("rubbish")
        case "other key":
            selfsigned.make(tmp_path / "d.pem", key, ["irc.example.net"])
        case "open key":
            key.chmod(0o644)
    tls = {"certificate": str(chain), "key": str(key)}
    (fault,) = await faults(tmp_path, tls=tls, listen=[{"address": "127.0.0.1:0"}])
    assert fault.startswith("tls")
    assert said in fault


async def test_a_data_directory_open_to_all_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(0o755)
    (fault,) = await faults(tmp_path)
    assert "is open to everybody; chmod 700" in fault


@pytest.mark.parametrize("data_dir", ["file", "file/in/it"])
async def test_a_data_directory_that_is_a_file_is_named(data_dir: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    fault, *_ = await faults(tmp_path, data_dir=data_dir)
    assert fault == f"data_dir: {tmp_path}/file is no directory; name another"


async def test_a_damaged_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "muster.db").write_text("this is no database" * 100)
    (fault,) = await faults(tmp_path)
    assert fault.startswith("database.url: the database is damaged. Stop Muster and restore a ")


async def test_a_damage_that_no_start_would_find_is_named(tmp_path: Path) -> None:
    async with open_database(settings(tmp_path)):
        pass
    path = tmp_path / "data" / "muster.db"
    damage(path, index_root(path))
    (fault,) = await faults(tmp_path)
    assert fault.startswith("database.url: the database is damaged. Stop Muster and restore a ")


async def test_a_database_of_a_newer_release_is_named(tmp_path: Path) -> None:
    async with open_database(settings(tmp_path)):
        pass
    with contextlib.closing(sqlite3.connect(tmp_path / "data" / "muster.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
    (fault,) = await faults(tmp_path)
    assert fault.startswith("database.url: made by a newer release (schema 9999")


async def test_another_key_file_than_the_databases_or_none_is_named(tmp_path: Path) -> None:
    async with open_database(settings(tmp_path)) as store, open_desk(tmp_path / "x") as desk:
        from dataclasses import replace

        here = replace(desk, store=store)
        await dispatch("user add alice", OPERATOR, here)
        line = "network add alice libera ircs://x --sasl-plain a --password hunter2"
        await dispatch(line, OPERATOR, here)
    assert await faults(tmp_path) == []
    key = tmp_path / "data" / KEY_FILE
    key.write_bytes(new_key())
    (fault,) = await faults(tmp_path)
    assert fault.startswith("database.url: the key file does not open the stored passwords")
    key.unlink()
    (fault,) = await faults(tmp_path)
    assert fault.startswith(f"data_dir: {key} is missing, and sqlite:///")
    assert "holds 1 secret sealed with it" in fault
    assert "`bouncer history rekey --forget`" in fault
    assert not key.exists()
    key.write_bytes(b"")
    key.chmod(0o600)
    (fault,) = await faults(tmp_path)
    assert fault.startswith(f"data_dir: {key}: holds no Fernet keys")
    assert fault.endswith("put your copy of it back, or, without one, move it away")
    key.write_bytes(new_key())
    key.chmod(0o644)
    assert any("others may read" in fault for fault in await faults(tmp_path))


async def test_an_ops_bot_that_is_not_in_its_channel_is_a_warning(tmp_path: Path) -> None:
    conf = settings(tmp_path, ops={"user": "bot", "network": "home", "channel": "#Ops"})
    assert await cautions.warnings(conf) == []
    add = "channel add bot home '#Ops'"
    async with open_database(conf) as store:
        desk = Desk(store, conf, Hasher())
        for line in ("user add bot", "network add bot home ircs://irc.home.example"):
            await dispatch(line, OPERATOR, desk)
        [said] = await cautions.warnings(conf)
        assert said.startswith("ops.channel: bot is not in #Ops: nobody is heard or told there")
        assert f"`bouncer {add}`" in said
        await dispatch(f"{add.lower()} --key secret", OPERATOR, desk)
        assert await cautions.warnings(conf) == []
        await dispatch("channel set bot home '#ops' --enabled false", OPERATOR, desk)
        assert await cautions.warnings(conf) == [said]


async def test_an_ops_bot_without_its_user_is_named(tmp_path: Path) -> None:
    ops = {"user": "bot", "network": "home", "channel": "#ops"}
    assert await faults(tmp_path, ops=ops) == []  # before the first start nobody is there
    async with open_database(settings(tmp_path)):
        pass
    assert await faults(tmp_path, ops=ops) == [
        "ops.user: there is no user bot; `bouncer user add` makes one"
    ]


async def test_a_mesh_key_that_others_may_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "mesh.key").write_text("x")
    os.chmod(tmp_path / "data" / "mesh.key", 0o644)
    (fault,) = await faults(tmp_path)
    assert fault.startswith("mesh.key: ")


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """Not below pytest's own folder, which is closed."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become somebody else")
def test_root_is_told_what_the_bouncer_s_user_cannot_read(open_to_all: Path) -> None:
    """Root itself may read everything, and would find nothing wrong."""
    nobody = pwd.getpwnam("nobody")
    open_to_all.chmod(0o755)
    (open_to_all / "data").mkdir(mode=0o700)
    os.chown(open_to_all / "data", nobody.pw_uid, nobody.pw_gid)
    chain, key, conf = (open_to_all / name for name in ("c.pem", "k.pem", "bouncer.toml"))
    selfsigned.make(chain, key, ["irc.example.net"])
    conf.write_text(
        f'data_dir = "data"\n[tls]\ncertificate = "{chain}"\nkey = "{key}"\n'
        '[[listen]]\naddress = "127.0.0.1:0"\n'
    )
    conf.chmod(0o600)
    script = """
import os, sys, trio
from pathlib import Path
from bouncer import check, config

settings = config.load(Path(sys.argv[1]))
owner = settings.data_dir.stat().st_uid
print(*trio.run(check.faults, settings), sep="\\n")
print(*trio.run(check.faults, settings, lambda: os.setuid(owner)), sep="\\n")
"""
    words = [sys.executable, "-c", script, str(conf)]
    said = subprocess.run(words, capture_output=True, text=True)
    assert said.stdout.splitlines() == [
        "",
        f"{conf}: the bouncer's user cannot read it; chgrp it, and chmod 640",
        f"{conf}: tls: {key}: Permission denied; let the bouncer's user read it",
    ], said
    # The command becomes the owner, too; whom this installation itself may be closed to.
    bouncer = str(Path(sys.executable).with_name("bouncer"))
    told = subprocess.run([bouncer, "check", "--config", conf], capture_output=True, text=True)
    assert told.returncode == 2
    assert "cannot read" in told.stderr


async def test_a_disk_that_is_mounted_read_only_is_told_as_such(tmp_path: Path) -> None:
    """`chown`, which is the advice otherwise, would not help."""
    (tmp_path / "data").mkdir(mode=0o700)
    with small_disk(tmp_path / "data", "4m"):
        (tmp_path / "data").chmod(0o700)
        async with open_database(settings(tmp_path)):
            pass
        words = ["mount", "-o", "remount,ro", str(tmp_path / "data")]
        await trio.run_process(words)
        found = await faults(tmp_path)
    assert found[0] == (
        f"data_dir: {tmp_path}/data is not ours to write; its file system is mounted read-only; "
        "see why, and remount it"
    )
    assert all("chown" not in fault for fault in found)


async def test_a_lost_mesh_key_is_told_where_voters_know_it(tmp_path: Path) -> None:
    """The start makes another one: the voters would take the bouncer for a stranger."""
    conf = settings(tmp_path)
    async with open_database(conf) as store:
        assert await store.read(lost_mesh_key, conf) == ""
        voter = Agent("fra", "192.0.2.1:7000", str(MeshKey(b"a" * 32).public))
        await store.run(accounts.add_agent, voter)
        said = await store.read(lost_mesh_key, conf)
        assert said.startswith(f"{tmp_path}/data/mesh.key is missing, and the voters (fra) know")
    assert await faults(tmp_path) == [f"mesh.key: {said}"]
    with capture_logs() as logged:
        async with trio.open_nursery() as nursery:
            stop = nursery.cancel_scope.cancel
            nursery.start_soon(partial(app.serve, conf, ready=lambda _store: stop()))
    assert {"log_level": "error", "event": "mesh key made anew", "reason": said} in logged
    assert await faults(tmp_path) == []
