"""Whoever opens connections and says nothing takes so many and no more."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from structlog.testing import capture_logs

from bouncer import config
from bouncer.connections import listeners
from bouncer.connections.strangers import PER_SOURCE, TELL_EVERY_S, Strangers, TooMany
from tests.complaints.venue import PASSWORD, PATIENCE_S, running_bouncer, running_network, until

HERE, THERE = "192.0.2.1", "192.0.2.2"


def test_one_address_has_its_share_and_takes_no_others() -> None:
    strangers = Strangers(10 * PER_SOURCE)
    with ExitStack() as stack:

        def come(source: str | None) -> None:
            stack.enter_context(strangers.admitted(source, 0.0))

        for _ in range(PER_SOURCE):
            come(HERE)
        with pytest.raises(TooMany):
            come(HERE)
        come(THERE)
        for _ in range(PER_SOURCE + 1):
            come(None)
    with ExitStack() as stack:
        come(HERE)


def test_all_together_have_a_bound() -> None:
    strangers = Strangers(3)
    with ExitStack() as stack:
        for source in (HERE, THERE, None):
            stack.enter_context(strangers.admitted(source, 0.0))
        for source in (HERE, "192.0.2.3", None):
            with pytest.raises(TooMany), strangers.admitted(source, 0.0):
                pass


def test_who_has_logged_in_is_a_stranger_no_more() -> None:
    strangers = Strangers(1)
    with strangers.admitted(HERE, 0.0) as is_known:
        is_known()
        is_known()
        with strangers.admitted(HERE, 0.0), pytest.raises(TooMany), strangers.admitted(HERE, 0.0):
            pass


def test_the_log_is_told_once_in_a_while() -> None:
    strangers = Strangers(0)
    news = []
    for now in (0.0, 1.0, TELL_EVERY_S, TELL_EVERY_S + 1):
        with pytest.raises(TooMany) as refused, strangers.admitted(HERE, now):
            pass
        news.append(refused.value.is_news)
    assert news == [True, False, True, False]


async def test_a_listener_refuses_one_too_many_until_somebody_has_logged_in(
    tmp_path: Path,
) -> None:
    listen = {"address": "127.0.0.1:6667", "tls": False}
    conf = config.parse({"listen": [listen]}, tmp_path / "bouncer.toml")
    async with (
        running_network() as network,
        running_bouncer(tmp_path, network) as muster,
        trio.open_nursery() as nursery,
    ):
        door = replace(muster.door, strangers=Strangers(1))

        def connect() -> trio.SocketStream:
            near, far = map(trio.SocketStream, trio.socket.socketpair())
            nursery.start_soon(listeners._serve_one, conf.listen[0], door, None, far)
            return near

        with trio.fail_after(PATIENCE_S):
            first = connect()
            await first.send_all(b"CAP LS 302\r\n")
            assert b"CAP * LS" in await first.receive_some()
            with capture_logs() as logged:
                refused = connect()
                assert await refused.receive_some() == b""
            assert [each["event"] for each in logged] == ["connections refused"]
            login = f"PASS alice/net:{PASSWORD}\r\nNICK me\r\nUSER u 0 * :u\r\nCAP END\r\n"
            await first.send_all(login.encode())
            await until(lambda: len(muster.hub.clients) == 1)
            second = connect()
            await second.send_all(b"CAP LS 302\r\n")
            assert b"CAP * LS" in await second.receive_some()
            for each in (first, refused, second):
                with suppress(trio.BrokenResourceError):
                    await each.aclose()


def test_a_bouncer_takes_the_open_files_that_it_may_have() -> None:
    script = """
import resource
from bouncer import machine

_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
machine.settle_in()
wanted = machine.OPEN_FILES if hard < 0 else min(hard, machine.OPEN_FILES)
print(machine.open_files() == wanted)
"""
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert said.stdout == "True\n", said
