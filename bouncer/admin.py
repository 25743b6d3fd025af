"""The admin socket: one shell-quoted command a line in, reply lines out, the last `OK` or `ERROR`.

While a command takes its time `WORKING` comes every so often: who asked need not know which do.

The socket is 0600: whoever can open it is the machine's operator. Passwords travel as arguments
over it, so neither its lines nor its replies are ever logged.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog
import trio

from bouncer.control.grammar import ControlError, WrongUse

MAX_LINE = 65_536  # octets of one command; a longer one is refused and ends the connection
MAX_CONNECTIONS = 32  # at once; full: the next is told so and closed
IDLE_S = 600.0  # a connection that says nothing for so long is closed
READ_CHUNK = 16_384
WRONG_USE = "wrong use: "  # how the text after ERROR begins when nothing was tried
WORKING = "WORKING"
WORKING_S = 15.0

Dispatch = Callable[[str], Awaitable[list[str]]]

log = structlog.get_logger("admin")


class SocketTaken(OSError):
    """Another bouncer listens there already. Its text is the operator's message."""


async def serve(
    listener: trio.SocketListener,
    dispatch: Dispatch,
    *,
    task_status: trio.TaskStatus[list[trio.SocketListener]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer who comes until cancelled; `dispatch` answers a line or raises ControlError."""
    limit = trio.CapacityLimiter(MAX_CONNECTIONS)

    async def handle(stream: trio.SocketStream) -> None:
        try:
            limit.acquire_nowait()
        except trio.WouldBlock:
            await stream.send_all(b"ERROR too many control connections; close one\n")
            return
        try:
            await _answer_lines(stream, dispatch)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # whoever asked has left
        finally:
            limit.release()

    await trio.serve_listeners(handle, [listener], task_status=task_status)


@contextmanager
def listening(path: Path) -> Iterator[trio.SocketListener]:
    """Listen at `path`; who comes waits for `serve`.

    A socket that a dead bouncer left behind is replaced. Raises SocketTaken for a living one.
    """
    listener = _listen(path)
    ours = _made(path)
    try:
        yield listener
    finally:
        with suppress(FileNotFoundError):
            if _made(path) == ours:  # and not that of a bouncer that has begun meanwhile
                path.unlink()
        listener.socket.close()


def _made(path: Path) -> tuple[int, int]:
    """Which file it is, and since when: a number that has become free is given again."""
    found = path.stat()
    return found.st_ino, found.st_mtime_ns


def _listen(path: Path) -> trio.SocketListener:
    if path.exists():
        if not stat.S_ISSOCK(path.stat().st_mode):
            raise SocketTaken(f"{path}: is no socket; move it away")
        if answers(path):
            raise SocketTaken(f"{path}: a bouncer is running here already; stop it first")
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)  # there must be no moment in which others could connect
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(16)
    listener.setblocking(False)
    return trio.SocketListener(trio.socket.from_stdlib_socket(listener))


def answers(path: Path) -> bool:
    """Whether somebody listens at `path`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True  # busy or not ours: somebody's in any case
        return True


async def _answer_lines(stream: trio.SocketStream, dispatch: Dispatch) -> None:
    rest = b""
    while True:
        while b"\n" not in rest:
            if len(rest) > MAX_LINE:
                await stream.send_all(f"ERROR {WRONG_USE}the line is too long\n".encode())
                return
            chunk = b""
            with trio.move_on_after(IDLE_S):
                chunk = await stream.receive_some(READ_CHUNK)
            if not chunk:
                return
            rest += chunk
        line, _, rest = rest.partition(b"\n")
        if line.strip():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_say_working, stream)
                answer = await _answer(line, dispatch)
                nursery.cancel_scope.cancel()
            await stream.send_all(answer)


async def _say_working(stream: trio.SocketStream) -> None:
    with suppress(trio.BrokenResourceError):  # whoever asked has left; the command is carried out
        while True:
            await trio.sleep(WORKING_S)
            await stream.send_all(f"{WORKING}\n".encode())


async def _answer(line: bytes, dispatch: Dispatch) -> bytes:
    """The reply to one line. A command that breaks is reported and breaks nothing else."""
    try:
        lines = await dispatch(line.decode("utf-8", "surrogateescape").strip())
    except WrongUse as error:
        return _last(f"ERROR {WRONG_USE}{error}")
    except ControlError as error:
        return _last(f"ERROR {error}")
    except Exception:
        log.exception("control command failed")
        return _last("ERROR the bouncer failed at this; its log says more")
    return b"".join(_body(each) for each in lines) + _last("OK")


def _last(text: str) -> bytes:
    return " ".join(text.splitlines()).encode("utf-8", "replace") + b"\n"


def _body(text: str) -> bytes:
    """A reply line that nobody can take for the last one."""
    text = " ".join(text.splitlines())
    if text in ("OK", WORKING) or text.startswith("ERROR"):
        text = " " + text
    return text.encode("utf-8", "replace") + b"\n"
