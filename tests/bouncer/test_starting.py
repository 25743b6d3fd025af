"""The start of many users."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import trio
from sqlalchemy import event

from bouncer import admin, config
from bouncer.app import Bouncer
from bouncer.connections.upstream import State
from bouncer.database import open_database
from storage import accounts
from storage.records import Network, User
from tests.complaints.venue import FakeNetwork, running_network, until


class CountingNetwork(FakeNetwork):
    """Knows how many connections have come."""

    came = 0

    async def serve(self, stream: trio.abc.Stream) -> None:
        self.came += 1
        await super().serve(stream)


async def statements_of_a_start(folder: Path, users: int) -> list[str]:
    """What the database is asked until so many users are connected."""
    folder.mkdir()
    tables = {"data_dir": str(folder), "listen": [{"address": "unix:irc.sock"}]}
    conf = config.parse(tables, folder / "bouncer.toml")
    asked: list[str] = []
    async with running_network() as network, open_database(conf) as store:
        for number in range(users):
            user = await store.run(accounts.add_user, User(f"user{number}"))
            # one that has been reached before
            there = Network(user.id, "net", network.uri, casemapping="rfc1459")
            await store.run(accounts.add_network, there)

        @event.listens_for(store._engines.reading, "before_cursor_execute")
        def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            asked.append(statement)

        bouncer = Bouncer(conf, store, None)

        def are_connected() -> bool:
            links = [link for hub in bouncer.hubs.values() for link in hub.links.values()]
            states = [link.upstream.state for link in links if link.upstream is not None]
            return states == [State.CONNECTED] * users

        async with trio.open_nursery() as nursery:
            nursery.start_soon(bouncer.run, lambda _store: None)
            await until(are_connected)
            nursery.cancel_scope.cancel()
    return asked


async def test_many_users_ask_the_database_no_more_than_one(tmp_path: Path) -> None:
    one = await statements_of_a_start(tmp_path / "one", 1)
    assert one
    assert await statements_of_a_start(tmp_path / "many", 12) == one


async def test_a_second_bouncer_goes_to_no_network(tmp_path: Path) -> None:
    """It would take the nicks there, each time that something starts it."""

    tables = {"data_dir": str(tmp_path), "listen": [{"address": "127.0.0.1:0", "tls": False}]}
    conf = config.parse(tables, tmp_path / "bouncer.toml")
    async with running_network(CountingNetwork()) as network:
        assert isinstance(network, CountingNetwork)
        async with open_database(conf) as store:
            user = await store.run(accounts.add_user, User("alice"))
            # one that has been reached before
            there = Network(user.id, "net", network.uri, casemapping="rfc1459")
            await store.run(accounts.add_network, there)
            first = Bouncer(conf, store, None)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(first.run, lambda _store: None)
                await until(lambda: network.came == 1)
                with pytest.raises(admin.SocketTaken):
                    await Bouncer(conf, store, None).run(lambda _store: None)
                async with await trio.open_tcp_stream("127.0.0.1", network.port):
                    await until(lambda: network.came >= 2)  # whoever came before is counted
                nursery.cancel_scope.cancel()
        assert network.came == 2


def test_garbage_is_collected_once_clients_are_served(tmp_path: Path) -> None:
    """The command line switches that off for the time of a start."""
    script = """
import gc, signal, sys
from pathlib import Path
from bouncer import app, config

def serving(_store):
    print(gc.isenabled(), gc.get_freeze_count() > 0, file=sys.stderr)
    signal.raise_signal(signal.SIGTERM)

gc.disable()
app.run(config.load(Path(sys.argv[1])), ready=serving)
"""
    conf = tmp_path / "bouncer.toml"
    conf.write_text('data_dir = "."\n[[listen]]\naddress = "unix:irc.sock"\n')
    words = [sys.executable, "-c", script, str(conf)]
    said = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert said.stderr == "True True\n", said
