"""Control commands from the command line: over the admin socket, or else on the database.

Standard library only until it is known that no bouncer runs. What must not stand in a process's
arguments (passwords) or is not in this machine's registry (key files) is read here.
"""

from __future__ import annotations

import getpass
import shlex
import socket
import sys
from pathlib import Path

from bouncer import place
from bouncer.cli import DONE, FAILED, WRONG_USE, Exit, are, own_words

ANSWER_S = 60.0  # so long may nothing come: a bouncer that is at work says so four times
# As admin.py says them.
WRONG = "wrong use: "
WORKING = "WORKING"
STDIN_PASSWORD = "--password-stdin"
STDIN_OPTIONS = {
    STDIN_PASSWORD: "--password",
    "--server-password-stdin": "--server-password",
}
HELP = frozenset({"--help", "-h"})
SECRETS = {"--password": "--password", "--server-password": "--server-password"} | {
    "-password": "--password", "-pass": "--server-password",  # as soju has them
}  # fmt: skip


def ctl(words: list[str], config: Path | None) -> int:
    """Any control command, for a running bouncer only."""
    if len(words) == 1 and " " in words[0]:  # `bouncer ctl 'network list alice'`
        try:
            words = shlex.split(words[0])
        except ValueError:
            raise Exit(WRONG_USE, f"ctl: a quote in {words[0]!r} is not closed") from None
    if _asks_for_help(words):
        return _explain(words)
    path = _socket(config)
    answer = over_socket(path, outside_words(words) or ["help"])
    if answer is None:
        raise Exit(FAILED, f"no bouncer is running (nobody listens at {path}); `bouncer run`")
    return show(answer)


def control(words: list[str], config: Path | None) -> int:
    """A control command, for the running bouncer or else on its database."""
    if _asks_for_help(words):
        return _explain(words)
    path = _socket(config)
    words = outside_words(words)
    answer = over_socket(path, words)
    if answer is not None:
        return show(answer)
    from bouncer.cli import direct

    return direct.control(words, config)


def _asks_for_help(words: list[str]) -> bool:
    return not HELP.isdisjoint(words[: own_words(words)])


def _explain(words: list[str]) -> int:
    from bouncer.cli import direct

    return direct.explain([word for word in words if word not in HELP])


def _socket(config: Path | None) -> Path:
    try:
        return place.admin_socket(config)
    except place.Misplaced as error:
        raise Exit(WRONG_USE, str(error)) from None


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
    raise Exit(WRONG_USE if text.startswith(WRONG) else FAILED, text.removeprefix(WRONG))


def outside_words(words: list[str]) -> list[str]:
    """The words with what stands outside the line put in: passwords from standard input, one a
    line, and the keys in the files that --ssh-key names."""
    result: list[str] = []
    left = list(words)
    last: list[str] = []
    if are(words, "sasl", "set-plain"):  # its password has its place in the line
        if sum(word[:1] != "-" for word in words) > 5:
            raise _readable("PASSWORD", "--password")
        if STDIN_PASSWORD in left:
            left.remove(STDIN_PASSWORD)
            last = ["--", _read_secret("password")]
    while left:
        if len(result) >= own_words(result):
            return result + left
        word = left.pop(0)
        flag, equals, value = word.partition("=")
        if word in STDIN_OPTIONS:
            result += [STDIN_OPTIONS[word], _read_secret(STDIN_OPTIONS[word][2:])]
        elif secret := _secret(flag):
            raise _readable(flag, secret)
        elif flag == "--ssh-key" and (equals or left):
            for line in _key_lines(value if equals else left.pop(0)):
                result += ["--ssh-key", line]
        else:
            result.append(word)
    return result + _new_password(words) + last


def _readable(what: str, secret: str) -> Exit:
    return Exit(
        WRONG_USE, f"{what}: everybody on this machine can read a command line; use {secret}-stdin"
    )


def _secret(flag: str) -> str:
    """The option that takes a secret which this is, or begins; "" for none."""
    begun = (each for each in SECRETS.values() if len(flag) > 3 and each.startswith(flag))
    return SECRETS.get(flag) or next(begun, "")


def _new_password(words: list[str]) -> list[str]:
    """What `user passwd` is to be told beside its words: at a terminal it is asked for."""
    if not are(words, "user", "passwd") or len(words) < 3 or any(w[:1] == "-" for w in words):
        return []
    if not sys.stdin.isatty():  # a script: one is made and shown, as by `user add`
        return ["--generate"]
    given = getpass.getpass("new password (nothing: one is made and shown): ")
    if not given:
        return ["--generate"]
    if getpass.getpass("the same again: ") != given:
        raise Exit(FAILED, "user passwd: nothing was changed; the two are not the same")
    return [f"--password={given}"]


def _read_secret(what: str) -> str:
    if sys.stdin.isatty():
        return getpass.getpass(f"{what.replace('-', ' ')}: ")
    line = sys.stdin.readline()
    if not line.strip("\r\n"):
        raise Exit(WRONG_USE, f"--{what}-stdin: standard input holds no line; pipe one in")
    return line.rstrip("\r\n")


def _key_lines(text: str) -> list[str]:
    """The public keys in a file; a key itself is taken as it is."""
    if text.startswith(("ssh-", "ecdsa-", "sk-")) and " " in text:
        return [text]
    try:
        content = Path(text).expanduser().read_text("utf-8", "replace")
    except OSError as error:
        raise Exit(WRONG_USE, f"--ssh-key {text}: {error.strerror}") from None
    lines = [line.strip() for line in content.splitlines()]
    keys = [line for line in lines if line and not line.startswith("#")]
    if not keys or "PRIVATE KEY" in content:
        raise Exit(WRONG_USE, f"--ssh-key {text}: is no public key; name the file ending in .pub")
    return keys
