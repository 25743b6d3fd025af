"""What a command line should not hold: passwords, which everybody on the machine can read there and
which shells remember. And what it names: key files.

Passwords are read from standard input, one a line, or asked for where that is a terminal. Standard
library only: most commands are for a running bouncer, and wait for no import.
"""

from __future__ import annotations

import getpass
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from bouncer.cli import FAILED, WRONG_USE, Exit, are, own_words

LINE = "-"  # in the place of a line of IRC: it comes from standard input
STDIN = "-stdin"  # after an option's name: its value comes from there
PASSWORD, SERVER_PASSWORD = "--password", "--server-password"
SECRETS = {flag: flag for flag in (PASSWORD, SERVER_PASSWORD)} | {
    "-password": PASSWORD, "-pass": SERVER_PASSWORD,  # as soju has them
}  # fmt: skip
PROXY, CONNECT_COMMAND = "--proxy", "--connect-command"
MAY_HOLD_ONE = (PROXY, CONNECT_COMMAND, "--key")
FROM_STDIN = {flag + STDIN: flag for flag in (PASSWORD, SERVER_PASSWORD, *MAY_HOLD_ONE)}
_LOGINS = ("--sasl-plain", "--sasl-scram")
_ALL_READ = "everybody on this machine can read a command line"
_PROXY_PASSWORD = re.compile(r"\w+://[^/@]*:[^/]*@")


def outside_words(words: Sequence[str], named: int = 1) -> list[str]:
    """The words with what stands outside of them put in; `named` of them name the user."""
    if are(words, "user", "run"):
        return [*words[:3], *outside_words(_of_znc(words[3:]), 0)]
    result: list[str] = []
    left = list(words)
    sasl = _sasl_password(words, named)
    while left:
        if len(result) >= own_words(result, named):
            return result + _line(left)
        word = left.pop(0)
        flag, equals, value = word.partition("=")
        if word in FROM_STDIN:
            if not sasl:
                result += [FROM_STDIN[word], _read_secret(FROM_STDIN[word])]
        elif secret := _secret(flag):
            raise _readable(flag, secret)
        elif (held := _holder(flag)) and _holds(held, value if equals else "".join(left[:1])):
            raise _readable(f"the password in {held}", held)
        elif flag == "--ssh-key" and (equals or left):
            for line in _key_lines(value if equals else left.pop(0)):
                result += ["--ssh-key", line]
        else:
            result.append(word)
    return [*result, *_login_password(words), *_new_password(words, named), *sasl]


def _of_znc(words: Sequence[str]) -> Sequence[str]:
    """ZNC's words that may hold a password, as the command which each is."""
    name, rest = "".join(words[:1]).casefold(), words[1:]
    if name == "setpassword":
        if any(word[:1] != "-" for word in rest):
            raise _readable("PASSWORD", PASSWORD)
        return ["user", "passwd", *rest]
    return ["network", "quote", *rest] if name == "quote" else words


def _line(words: list[str]) -> list[str]:
    """The line of IRC that a command ends with."""
    if words == [LINE]:
        return [_read_secret("LINE")]
    if _is_secret_line(" ".join(words)):
        raise Exit(WRONG_USE, f"LINE: {_ALL_READ}; write {LINE} for it, and it is read from stdin")
    return words


def _is_secret_line(line: str) -> bool:
    from bouncer.irc.wire import Message, ProtocolError
    from bouncer.session.secrets import is_secret_line

    try:
        return is_secret_line(Message.parse(line.removeprefix("/")))
    except ProtocolError:
        return False


def _holder(flag: str) -> str:
    """The option which this is, or begins, that may hold a secret in its value; "" for none."""
    whole = f"-{flag}" if flag[1:2] != "-" else flag  # as soju has them
    begun = (each for each in (PROXY, CONNECT_COMMAND) if each.startswith(whole))
    return next(begun, "") if len(whole) > 3 else ""


def _holds(flag: str, value: str) -> bool:
    return bool(_PROXY_PASSWORD.match(value)) if flag == PROXY else _is_secret_line(value)


def _sasl_password(words: Sequence[str], named: int) -> list[str]:
    """Of `sasl set-plain [USER] NETWORK LOGIN PASSWORD`, where it has its place in the line."""
    if not are(words, "sasl", "set-plain"):
        return []
    places = sum(word[:1] != "-" or word.startswith("-network=") for word in words)
    if places > named + 4:
        raise _readable("PASSWORD", PASSWORD)
    if places < named + 4:
        return []
    return [*(() if "--" in words else ("--",)), _read_secret(PASSWORD)]


def _login_password(words: Sequence[str]) -> list[str]:
    """Of `network add … --sasl-plain LOGIN`: at a terminal it is asked for. A known login may have
    one that is kept."""
    flags = [word.partition("=")[0] for word in words]
    is_login = any(len(flag) > 7 and each.startswith(flag) for flag in flags for each in _LOGINS)
    if not are(words, "network") or not is_login or PASSWORD + STDIN in words:
        return []
    if not sys.stdin.isatty():
        return []
    given = getpass.getpass("password of the login (nothing: the one that is kept): ")
    return [f"{PASSWORD}={given}"] if given else []


def _new_password(words: Sequence[str], named: int) -> list[str]:
    """What `user passwd` is to be told beside its words: at a terminal it is asked for."""
    if not are(words, "user", "passwd") or len(words) < named + 2:
        return []
    if any(word[:1] == "-" for word in words):
        return []
    if not sys.stdin.isatty():  # a script: one is made and shown, as by `user add`
        return ["--generate"]
    given = getpass.getpass("new password (nothing: one is made and shown): ")
    if not given:
        return ["--generate"]
    if getpass.getpass("the same again: ") != given:
        raise Exit(FAILED, "user passwd: nothing was changed; the two are not the same")
    return [f"{PASSWORD}={given}"]


def _readable(what: str, secret: str) -> Exit:
    return Exit(
        WRONG_USE,
        f"{what}: {_ALL_READ}; use {secret}{STDIN}",
    )


def _secret(flag: str) -> str:
    """The option that takes a secret which this is, or begins; "" for none."""
    begun = (each for each in SECRETS.values() if len(flag) > 3 and each.startswith(flag))
    return SECRETS.get(flag) or next(begun, "")


def _read_secret(flag: str) -> str:
    what = flag.removeprefix("--").replace("-", " ").lower()
    if sys.stdin.isatty():
        return getpass.getpass(f"{what}: ")
    line = sys.stdin.readline()
    if not line.strip("\r\n"):
        raise Exit(
            WRONG_USE, f"{what}: standard input holds no line; pipe one in, or say it at a terminal"
        )
    return line.rstrip("\r\n")


def _key_lines(text: str) -> list[str]:
    """The public keys in a file; a key itself is taken as it is."""
    if text.startswith(("ssh-", "ecdsa-", "sk-")) and " " in text:
        return [text]
    try:
        content = Path(text).expanduser().read_text("utf-8", "replace")
    except OSError as error:
        raise Exit(
            WRONG_USE, f"--ssh-key {text}: {error.strerror}; name the file ending in .pub"
        ) from None
    lines = [line.strip() for line in content.splitlines()]
    keys = [line for line in lines if line and not line.startswith("#")]
    if not keys or "PRIVATE KEY" in content:
        raise Exit(WRONG_USE, f"--ssh-key {text}: is no public key; name the file ending in .pub")
    return keys
