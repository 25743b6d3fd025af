"""The first login: it costs no more than the next, for whoever else is there."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import trio

from bouncer import config
from bouncer.database import open_database
from bouncer.irc.sasl import MECHANISMS, Chunks, SaslLogin, authenticate, mechanism
from bouncer.irc.wire import LineReader, Message
from bouncer.login import passwords
from storage import accounts
from storage.records import User
from tests.real.process import Program

# A bouncer that says what its event loop loads, once nothing more is being loaded beside it.
LOADING = """
import importlib.abc, sys, threading, trio
from pathlib import Path
from bouncer import app, config

class Told(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if threading.current_thread() is threading.main_thread():
            print("loads", name, flush=True)

async def wait():
    while "scramp" not in sys.modules or sys.modules["scramp"].__spec__._initializing:
        await trio.sleep(0.01)
    print("ready", flush=True)

def serving(_store):
    sys.meta_path.insert(0, Told())
    trio.lowlevel.spawn_system_task(wait)

app.run(config.load(Path(sys.argv[1])), ready=serving)
"""


@pytest.mark.parametrize("name", MECHANISMS[:2])
async def test_no_login_has_others_wait_for_an_import(name: str, tmp_path: Path) -> None:
    conf = tmp_path / "bouncer.toml"
    conf.write_text('data_dir = "."\n[[listen]]\naddress = "unix:irc.sock"\n')
    hashed = passwords.make("sesame")
    async with open_database(config.load(conf)) as store:
        alice = User("alice", password_hash=hashed.password_hash, scram=hashed.scram)
        await store.run(accounts.add_user, alice)
    words = [sys.executable, "-c", LOADING, str(conf)]
    with Program(words, log=tmp_path / "log", cwd=tmp_path) as program:
        await program.prints("(?m)^ready$")
        with trio.fail_after(30):
            await log_in(await trio.open_unix_socket(str(tmp_path / "irc.sock")), name)
        said = program.output
    assert not re.findall("(?m)^loads .*", said)


async def log_in(stream: trio.SocketStream, name: str) -> None:
    """Alice logs in by this mechanism, and reads 903."""
    exchange = mechanism(name, SaslLogin(name, "alice", "sesame"))
    chunks, reader = Chunks(), LineReader()
    await stream.send_all(f"CAP REQ :sasl\r\nAUTHENTICATE {name}\r\n".encode())
    async with stream:
        async for data in stream:
            for line in map(Message.parse, reader.feed(data)):
                if line.command == "903":
                    return
                assert not line.command.startswith("90") or line.command == "900", line
                if line.command == "AUTHENTICATE":
                    challenge = chunks.feed(line.params[0])
                    assert challenge is not None
                    answers = authenticate(exchange.respond(challenge))
                    await stream.send_all("".join(f"{each}\r\n" for each in answers).encode())
    raise AssertionError("the connection has ended")
