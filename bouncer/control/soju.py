"""The flags that soju's users know, with their single dash: each is an option or argument of ours.

They may be written with the commands of the registry, which know soju's words for themselves
(`create`, `update`, `delete`, `status`). A flag without a counterpart says what takes its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from bouncer.control.grammar import Short


@dataclass(frozen=True, slots=True)
class Flags:
    """The flags of some commands: `means` is an option, or an argument in capitals."""

    commands: tuple[str, ...]
    means: tuple[tuple[str, str], ...]
    says: tuple[tuple[str, str], ...] = ()


def _flags(commands: str, means: str, **says: str) -> Flags:
    pairs = (each.split("=") for each in means.split())
    return Flags(
        tuple(commands.split(", ")),
        tuple((f"-{name}", meaning) for name, meaning in pairs),
        tuple((f"-{name.replace('_', '-')}", text) for name, text in says.items()),
    )


_CONNECTION = """addr=URI username=--ident pass=--server-password realname=--realname certfp=--pin
    nick=--nick auto-away=--auto-away enabled=--enabled connect-command=--connect-command"""
_NO_PASSWORD = "who has no password logs in by certificate, `certfp add` says which; nothing to set"
_USER = "username={} password=--password admin=--admin nick=--nick realname=--realname"

FLAGS = (
    _flags("network add", f"name=NAME {_CONNECTION}"),
    _flags("network set", f"name=--name {_CONNECTION}"),
    _flags(
        "channel add, channel set",
        """detached=--detached relay-detached=--relay-detached reattach-on=--reattach-on
        detach-after=--detach-after detach-on=--detach-on""",
    ),
    _flags(
        "channel list, sasl status, sasl set-plain, sasl reset, certfp fingerprint",
        "network=NETWORK",
    ),
    _flags(
        "certfp generate",
        "network=NETWORK key-type=--key-type",
        bits="RSA keys have 3072 bits here; leave it out",
    ),
    _flags(
        "user add",
        f"{_USER.format('NAME')} enabled=--enabled",
        disable_password=_NO_PASSWORD,
    ),
    _flags(
        "user set",
        f"{_USER.format('USER')} enabled=--enabled",
        disable_password=_NO_PASSWORD,
    ),
)


def short(command: str) -> Mapping[str, Short]:
    """What single-dash words mean behind a command; nothing where it knows none."""
    return _BY_COMMAND.get(command, _NONE)


def _by_command() -> dict[str, dict[str, Short]]:
    found: dict[str, dict[str, Short]] = {}
    for flags in FLAGS:
        for command in flags.commands:
            known = found.setdefault(command, {})
            known |= {name: Short(becomes=meaning) for name, meaning in flags.means}
            known |= {name: Short(says=text) for name, text in flags.says}
    return found


_NONE: Mapping[str, Short] = MappingProxyType({})
_BY_COMMAND = _by_command()
