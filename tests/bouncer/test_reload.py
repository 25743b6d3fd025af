"""A configuration that is read again while serving: what it changes at once, and what waits."""

from __future__ import annotations

import signal
from pathlib import Path

from structlog.testing import capture_logs

from bouncer.app import MESH_KEY
from bouncer.config import Config, parse, reloaded
from bouncer.control.actors import OPERATOR
from bouncer.control.registry import dispatch
from bouncer.mesh.keys import MeshKey
from tests.complaints.venue import MODERN, SERVER, Muster, running_bouncer, running_network, until

PAIR = f"agent add fra 192.0.2.1:7000 {MeshKey(b'a' * 32).public} --primary ircs://192.0.2.9"


async def reload(muster: Muster, folder: Path, *tables: str) -> list[str]:
    text = f'server_name = "{SERVER}"\n' + "\n".join(tables)
    (folder / "bouncer.toml").write_text(text)
    return await dispatch("server reload", OPERATOR, muster.bouncer.desk)


SAME = ('data_dir = "."', '[[listen]]\naddress = "unix:irc.sock"')


async def test_what_waits_for_a_restart_is_told_and_not_half_taken(tmp_path: Path) -> None:
    """A voter paired now must be told the key by which this bouncer speaks now."""
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        told = await reload(muster, tmp_path, 'data_dir = "elsewhere"', '[mesh]\nkey = "other.key"')
        assert told[1:] == [
            "data_dir, database, listen, mesh: changed, and waiting for a restart",
        ]
        ours = MeshKey.load(tmp_path / MESH_KEY).public
        lines = await dispatch(PAIR, OPERATOR, muster.bouncer.desk)
        assert f'primary_key = "{ours}"' in lines
        assert not (tmp_path / "elsewhere").exists()
        assert not (tmp_path / "other.key").exists()
        assert len(await reload(muster, tmp_path, *SAME)) == 1


async def test_the_size_of_pages_changes_for_those_who_are_connected(tmp_path: Path) -> None:
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        client = await muster.client(caps=(*MODERN, "draft/chathistory"))
        await network.bob("one", "two", "three")
        await client.hears("three")
        await reload(muster, tmp_path, *SAME, "[limits]\nchathistory_max = 2")
        client.lines.clear()
        await client.says("CHATHISTORY LATEST #ops * 50", "PING :end")
        await client.hears("PONG")
        await client.hears("BATCH -")
        assert client.texts == ["two", "three"]


async def test_defaults_of_users_change_for_those_who_are_connected(tmp_path: Path) -> None:
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        await network.hears("AWAY :")
        network.heard.clear()
        await reload(muster, tmp_path, *SAME, "[user_defaults]\nauto_away = false")
        await network.hears("AWAY")


async def test_a_reload_that_changed_nothing_is_told_until_one_does(tmp_path: Path) -> None:
    """systemctl reload succeeds in any case."""
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        desk = muster.bouncer.desk
        (tmp_path / "bouncer.toml").write_text("[limits]\nchathistory_max = 'all'")
        assert not muster.bouncer.not_reloaded
        with capture_logs() as logged:
            signal.raise_signal(signal.SIGHUP)
            await until(lambda: any(each["event"] == "ops" for each in logged))
        (told,) = (each["text"] for each in logged if each["event"] == "ops")
        assert told.startswith("nothing was reloaded, what was stays: ")
        for command in ("status", "server status"):
            _, said = await dispatch(command, OPERATOR, desk)
            assert said.startswith(f"RELOAD: nothing was reloaded, what was stays: {tmp_path}/bou")
            assert "limits.chathistory_max" in said
        await reload(muster, tmp_path, *SAME)
        assert len(await dispatch("status", OPERATOR, desk)) == 1


def test_clients_are_not_sent_to_a_port_that_waits_for_a_restart(tmp_path: Path) -> None:
    plain = {"address": "127.0.0.1:6667", "tls": False}

    def with_tls(port: int) -> Config:
        listen = [plain, {"address": f"127.0.0.1:{port}"}]
        tls = {"certificate": "c.pem", "key": "k.pem", "sts_days": 1}
        return parse({"listen": listen, "tls": tls}, tmp_path / "bouncer.toml")

    taken, waiting = reloaded(with_tls(6697), with_tls(7000))
    assert waiting == ["listen"]
    assert "port=6697" in taken.told_caps["sts"]
    without = parse({"listen": [plain]}, tmp_path / "bouncer.toml")
    assert reloaded(without, with_tls(7000))[0].told_caps == {}
