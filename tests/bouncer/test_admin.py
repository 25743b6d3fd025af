"""The admin socket: one line in, reply lines out, the last one OK or ERROR."""

from __future__ import annotations

import socket
import stat
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing

from bouncer import admin
from bouncer.cli import remote
from bouncer.control.actors import OPERATOR
from bouncer.control.grammar import ControlError, NotAllowed, WrongUse
from bouncer.control.registry import dispatch
from storage import accounts
from tests.bouncer.desks import open_desk
from tests.complaints.venue import until


async def answer(line: str) -> list[str]:
    match line.split():
        case ["echo", *words]:
            return words
        case ["forbidden"]:
            raise NotAllowed("that is for others")
        case ["break"]:
            raise ZeroDivisionError
        case ["tricky"]:
            return ["OK", "ERROR no", "two\nlines", "WORKING"]
        case ["fail"]:
            raise ControlError("it went\nwrong")
    raise WrongUse("say echo")


@asynccontextmanager
async def serving(path: Path) -> AsyncIterator[trio.SocketStream]:
    with admin.listening(path) as listener:
        async with trio.open_nursery() as nursery:
            await nursery.start(admin.serve, listener, answer)
            stream = await trio.open_unix_socket(str(path))
            async with stream:
                yield stream
            nursery.cancel_scope.cancel()


async def hear(stream: trio.SocketStream, lines: int) -> list[str]:
    data = b""
    with trio.fail_after(5):
        while data.count(b"\n") < lines:
            chunk = await stream.receive_some()
            assert chunk, f"closed after {data!r}"
            data += chunk
    return data.decode().splitlines()


async def test_many_commands_on_one_connection_each_ends_with_its_outcome(tmp_path: Path) -> None:
    async with serving(tmp_path / "s") as stream:
        await stream.send_all(b"echo a b\n\r\n\necho\r\nfail\nwhat\nforb")
        await stream.send_all(b"idden\nbreak\necho x\n")
        assert await hear(stream, 10) == [
            "a",
            "b",
            "OK",
            "OK",
            "ERROR it went wrong",
            "ERROR wrong use: say echo",
            "ERROR that is for others",
            "ERROR the bouncer failed at this; its log says more",
            "x",
            "OK",
        ]


async def test_a_reply_is_never_taken_for_the_outcome(tmp_path: Path) -> None:
    async with serving(tmp_path / "s") as stream:
        await stream.send_all(b"tricky\n")
        expected = [" OK", " ERROR no", "two lines", " WORKING", "OK"]
        assert await hear(stream, len(expected)) == expected


async def test_who_waits_hears_that_the_bouncer_is_at_work(
    tmp_path: Path, mock_clock: trio.testing.MockClock
) -> None:
    """However long it takes; and when they have left it goes on."""
    asked, done, ended = trio.Event(), trio.Event(), trio.Event()

    async def takes_long(_line: str) -> list[str]:
        asked.set()
        await done.wait()
        ended.set()
        return ["removed"]

    with admin.listening(tmp_path / "s") as listener:
        async with trio.open_nursery() as nursery:
            await nursery.start(admin.serve, listener, takes_long)
            async with await trio.open_unix_socket(str(tmp_path / "s")) as stream:
                await stream.send_all(b"prune\n")
                await asked.wait()
                for _ in range(3):
                    await trio.testing.wait_all_tasks_blocked()
                    mock_clock.jump(admin.WORKING_S)
                    assert await hear(stream, 1) == [admin.WORKING]
            for _ in range(3):
                await trio.testing.wait_all_tasks_blocked()
                mock_clock.jump(admin.WORKING_S)
            done.set()
            await ended.wait()
            nursery.cancel_scope.cancel()


def test_that_it_is_at_work_is_no_part_of_the_answer(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()

        def serve() -> None:
            with server.accept()[0] as connection:
                connection.sendall(f"{admin.WORKING}\nremoved\n{admin.WORKING}\nOK\n".encode())
                connection.recv(1 << 16)

        thread = threading.Thread(target=serve)
        thread.start()
        assert remote.over_socket(tmp_path / "s", ["prune"]) == ["removed", "OK"]
        thread.join()
    assert remote.ANSWER_S >= 4 * admin.WORKING_S


async def test_only_its_owner_may_open_it(tmp_path: Path) -> None:
    async with serving(tmp_path / "s"):
        assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600
    assert not (tmp_path / "s").exists()


async def test_a_line_without_end_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path / "s") as stream:
        await stream.send_all(b"x" * (admin.MAX_LINE + admin.READ_CHUNK))
        assert await hear(stream, 1) == ["ERROR wrong use: the line is too long"]
        assert await stream.receive_some() == b""


async def test_any_bytes_get_an_answer(tmp_path: Path) -> None:
    async with serving(tmp_path / "s") as stream:
        await stream.send_all(b"\xff\xfe\0 'open\n")
        assert await hear(stream, 1) == ["ERROR wrong use: say echo"]


async def test_octets_that_are_no_text_are_not_changed_into_some(tmp_path: Path) -> None:
    """A user would be added under a name that nobody has typed."""
    async with open_desk(tmp_path / "data") as desk:
        with admin.listening(tmp_path / "s") as listener:
            async with trio.open_nursery() as nursery:
                say = partial(dispatch, actor=OPERATOR, desk=desk)
                await nursery.start(admin.serve, listener, say)
                async with await trio.open_unix_socket(str(tmp_path / "s")) as stream:
                    await stream.send_all(b"user add m\xfcller\n")
                    (said,) = await hear(stream, 1)
                nursery.cancel_scope.cancel()
        assert said.startswith("ERROR wrong use: these words are no UTF-8")
        assert await desk.store.read(accounts.list_users) == []


async def test_too_many_connections_are_told_so(tmp_path: Path) -> None:
    async with serving(tmp_path / "s") as first:
        await first.send_all(b"echo\n")
        await hear(first, 1)
        served = admin.MAX_CONNECTIONS - 1
        others = [await trio.open_unix_socket(str(tmp_path / "s")) for _ in range(served + 9)]
        said: list[bytes] = []

        async def listen(stream: trio.SocketStream) -> None:
            said.append(bytes(await stream.receive_some()))

        async with trio.open_nursery() as nursery:
            for each in others:
                nursery.start_soon(listen, each)
            await until(lambda: len(said) == 9)
            nursery.cancel_scope.cancel()
        assert set(said) == {b"ERROR too many control connections; close one\n"}
        for each in others:
            await each.aclose()


async def test_a_dead_bouncers_socket_is_replaced_and_a_living_ones_is_not(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert not admin.answers(path)
    async with serving(path):
        with pytest.raises(admin.SocketTaken, match="running here already"):
            admin.listening(path).__enter__()
        assert path.exists()
    assert not path.exists()


async def test_the_socket_of_a_bouncer_that_began_meanwhile_stays(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as next_one:
        with admin.listening(path) as listener:
            listener.socket.close()  # it has ended, but for the last of its work
            path.unlink()
            next_one.bind(str(path))
        assert path.exists()


async def test_what_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("precious")
    with pytest.raises(admin.SocketTaken, match="is no socket"):
        admin.listening(tmp_path / "s").__enter__()
    assert (tmp_path / "s").read_text() == "precious"
