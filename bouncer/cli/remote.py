"""Control commands from the command line: over the admin socket, or else on the database.

Standard library only until it is known that no bouncer runs.
"""

from __future__ import annotations

import shlex
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from bouncer import alone, place
from bouncer.cli import DONE, FAILED, WRONG_USE, Exit, own_words, part
from bouncer.cli.explain import explained, here
from bouncer.cli.outside import outside_words

BETWEEN_S = 6.0  # so long is a bouncer in its data and not to be spoken to: it ends within 5 s
LOOK_S = 0.1
ANSWER_S = 60.0  # so long may nothing come: a bouncer that is at work says so four times
# As admin.py says them.
WRONG = "wrong use: "
WORKING = "WORKING"
Look = Callable[[Path], None]
HELP = frozenset({"--help", "-h"})


def ctl(words: list[str], config: Path | None) -> int:
    """Any control command, for a running bouncer only."""
    if len(words) == 1 and " " in words[0]:  # `bouncer ctl 'network list alice'`
        try:
            words = shlex.split(words[0])
        except ValueError:
            raise Exit(WRONG_USE, f"ctl: a quote in {words[0]!r} is not closed") from None
    if not words or _asks_for_help(words):
        return _explain(words, config)
    path = _socket(config)
    answer = ask_running(path, outside_words(words))
    if answer is None:
        raise Exit(FAILED, why_nobody(path))
    return show(answer)


def why_nobody(path: Path) -> str:
    try:
        alone.look(path.parent)
    except alone.Occupied as error:
        return f"nobody listens at {path}: {error}"
    return f"no bouncer is running (nobody listens at {path}); `bouncer run` starts it"


def control(words: list[str], config: Path | None) -> int:
    """A control command, for the running bouncer or else on its database."""
    if _asks_for_help(words):
        return _explain(words, config)
    path = _socket(config)
    words = outside_words(words)
    answer = ask_running(path, words)
    if answer is not None:
        return show(answer)
    return int(part("direct").control(words, config))


def _asks_for_help(words: list[str]) -> bool:
    return not HELP.isdisjoint(words[: own_words(words)])


def _explain(words: list[str], config: Path | None) -> int:
    words = [word for word in words if word not in HELP]
    answer = None
    with suppress(Exit):  # where there is none for us to ask help is the same
        answer = over_socket(_socket(config), ["help", *words])
    if answer is not None:
        return show([*explained(words, answer[:-1]), answer[-1]])
    for line in explained(words, part("direct").explain(words)):
        print(line)
    return DONE


def _socket(config: Path | None) -> Path:
    try:
        return place.admin_socket(config)
    except place.Misplaced as error:
        raise Exit(WRONG_USE, str(error)) from None


def ask_running(path: Path, words: list[str], look: Look = alone.look) -> list[str] | None:
    """The same as `over_socket`; of a bouncer that is beginning or ending it waits for that."""
    until_s = time.monotonic() + BETWEEN_S
    while (answer := over_socket(path, words)) is None and time.monotonic() < until_s:
        try:
            look(path.parent)
        except alone.Occupied:
            time.sleep(LOOK_S)
        else:
            break
    return answer


def over_socket(path: Path, words: list[str]) -> list[str] | None:
    """The reply lines, the last one `OK` or `ERROR …`; None when no bouncer listens at `path`.

    A socket that a killed bouncer left behind counts as none.
    """
    line = shlex.join(words)
    if "\n" in line or "\r" in line:
        raise Exit(WRONG_USE, "a control command is one line; take the line break out")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(ANSWER_S)
        try:
            connection.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            return None
        except PermissionError:
            raise Exit(
                FAILED, f"{path}: not yours to use; run this as the bouncer's user, or as root"
            ) from None
        except OSError as error:
            raise Exit(FAILED, f"{path}: {error.strerror or error}") from None
        try:
            return _ask(connection, line)
        except TimeoutError:
            raise Exit(FAILED, f"the bouncer has said nothing for {ANSWER_S:.0f} s") from None
        except OSError as error:
            raise Exit(FAILED, f"the bouncer went away: {error.strerror or error}") from None


def _ask(connection: socket.socket, line: str) -> list[str]:
    connection.sendall(line.encode("utf-8", "surrogateescape") + b"\n")
    lines: list[str] = []
    with connection.makefile("r", encoding="utf-8", errors="replace", newline="\n") as replies:
        for reply in replies:
            if reply == f"{WORKING}\n":
                continue
            lines.append(reply.removesuffix("\n"))
            if lines[-1] == "OK" or lines[-1].startswith("ERROR "):
                return lines
    raise Exit(FAILED, "the bouncer went away before it had answered")


def show(answer: list[str]) -> int:
    """Print a reply, and give the exit code it means."""
    *lines, last = answer
    for line in lines:
        print(line)
    if last == "OK":
        return DONE
    text = last.removeprefix("ERROR ")
    raise Exit(WRONG_USE if text.startswith(WRONG) else FAILED, here(text.removeprefix(WRONG)))
