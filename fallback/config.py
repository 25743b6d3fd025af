"""fallback.toml as frozen models. Every fault is found at once, each a line that says what to do.

The place where people meet stands here and nowhere else: it is never part of the roster. Nothing
here opens a file but the configuration itself; whether keys and passwords are usable is check.py's
business.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from bouncer import place
from bouncer.config import ConfigError, ListenOn, MetricsOn, Table
from bouncer.connections.dial import AddressError, ServerAddress
from bouncer.durations import seconds_of
from bouncer.mesh.keys import KeyFault, PublicKey
from bouncer.mesh.roster import voter_name
from fallback.senses.selfcheck import TICK_S
from fallback.timings import NAMES, Solo, Timings

VARIABLE = "MUSTER_FALLBACK_CONFIG"
HERE = Path("fallback.toml")
SYSTEM = Path("/etc/muster/fallback.toml")
DATABASE_FILE = "fallback.db"
KEY_FILE = "mesh.key"
SOCKET_FILE = "fallback.sock"
DEFAULT_DATA = Path("/var/lib/muster-fallback")
MOVED_FOR_DAYS = 14  # a changed place is announced together with the old one this long

_SECONDS = re.compile(r"\d{1,9}(?:\.\d+)?")


def _read_server(value: object) -> ServerAddress:
    if isinstance(value, ServerAddress):
        return value
    try:
        return ServerAddress.parse(str(value))
    except AddressError as error:
        raise ValueError(str(error)) from None


def _read_key(value: object) -> PublicKey:
    if isinstance(value, PublicKey):
        return value
    try:
        return PublicKey.parse(str(value))
    except KeyFault as error:
        raise ValueError(str(error)) from None


def _read_channel(value: object) -> str:
    text = str(value)
    if text[:1] not in ("#", "&", "+", "!") or len(text) < 2 or re.search(r"[ ,\a]", text):
        raise ValueError(f'"{text}" is not a channel; write it with its "#", no spaces')
    return text


def _read_name(value: object) -> str:
    return voter_name(str(value))


def _blank_is_none(value: object) -> object:
    return None if value == "" else value  # the printed form has the line, to be filled in


Server = Annotated[ServerAddress, BeforeValidator(_read_server)]
Key = Annotated[PublicKey, BeforeValidator(_read_key)]
Channel = Annotated[str, BeforeValidator(_read_channel)]
Name = Annotated[str, BeforeValidator(_read_name)]
File = Annotated[Path | None, BeforeValidator(_blank_is_none)]


class NetworkConfig(Table):
    """One public network: who we are there, and where people meet."""

    name: Name
    addresses: tuple[Server, ...] = Field(min_length=1)
    nick: str = Field(min_length=1, max_length=30)
    alternate: str = ""  # '' : the nick with "_" added
    account: str = ""
    password_file: File = None
    certificate: File = None  # PEM, certificate and key: SASL EXTERNAL, or CertFP
    pin: str = ""  # sha256:HEX of the server's certificate, instead of the trust store
    owner: str = "an operations team"  # stands in the realname: networks ask who runs a bot
    lobby: Channel
    room: Channel
    room_key: str = ""
    former_lobby: str = ""
    former_room: str = ""
    moved: date | None = None  # when the place changed; announced with the old one for 14 days
    public_resolver: bool = True

    @model_validator(mode="after")
    def _consistent(self) -> NetworkConfig:
        if self.lobby.casefold() == self.room.casefold():
            raise ValueError("lobby and room are the same channel; the room is the private one")
        if (self.former_lobby or self.former_room) and self.moved is None:
            raise ValueError("moved is missing; write the day of the move, as 2026-11-22")
        if self.password_file and not self.account:
            raise ValueError("account is missing; name the account of password_file")
        return self

    @property
    def second_nick(self) -> str:
        return self.alternate or self.nick + "_"


class PushConfig(Table):
    """Where the announcement is pushed, beside the line: an https URL that takes a POST."""

    url: str = Field(repr=False)  # the topic is a secret of sorts
    token_file: File = None  # sent as a bearer token

    @field_validator("url")
    @classmethod
    def _https(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            good = parts.scheme == "https" and bool(parts.hostname) and (parts.port or 443) > 0
        except ValueError:
            good = False
        if not good or not value.isascii() or re.search(r"\s", value):
            raise ValueError('is no https URL; write "https://ntfy.example.net/TOPIC"')
        return value


class Landmark(Table):
    """An outside address by which this voter judges its own uplink."""

    kind: Literal["dns", "ntp", "tcp"]
    address: ListenOn


class Config(Table):
    """The whole file. `source` is the file it came from."""

    name: Name
    role: Literal["agent", "witness"] = "agent"
    data_dir: Path = DEFAULT_DATA
    primary: tuple[Server, ...] = Field(min_length=1, max_length=4)
    primary_key: Key
    mesh: ListenOn
    metrics: MetricsOn | None = None  # loopback only
    announce_nicks: Literal["room", "lobby"] = "room"
    announce_home: bool = False  # the bouncer is up, its home IRC server is not
    network: tuple[NetworkConfig, ...] = ()
    push: tuple[PushConfig, ...] = Field(default=(), max_length=4)
    landmark: tuple[Landmark, ...] = Field(default=(), max_length=16)
    landmarks: int = Field(default=3, ge=1, le=16)  # how many must be fresh
    timings: dict[str, float | int | str] = Field(default_factory=dict)
    source: Path | None = Field(default=None, exclude=True)

    @field_validator("primary")
    @classmethod
    def _pinned(cls, value: tuple[ServerAddress, ...]) -> tuple[ServerAddress, ...]:
        for address in value:
            if not re.fullmatch(r"[0-9.]+|[0-9A-Fa-f:.]+", address.host):
                raise ValueError(
                    f"{address} is a name; write the IP address: in an outage the primary's "
                    "DNS is gone too"
                )
        return value

    @field_validator("timings")
    @classmethod
    def _known_timings(cls, value: dict[str, float | int | str]) -> dict[str, float | int | str]:
        read_timings(value)
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Config:
        for table in ("network", "push"):
            if self.role == "witness" and getattr(self, table):
                raise ValueError(
                    f'a witness never speaks: remove [[{table}]], or set role = "agent"'
                )
        names = [network.name for network in self.network]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"[[network]] {name} is there twice; keep one")
        marks = [f"{landmark.kind} {landmark.address}" for landmark in self.landmark]
        for mark in marks:
            if marks.count(mark) > 1:
                raise ValueError(f"[[landmark]] {mark} is there twice; take another: one counts")
        if self.landmark and len(self.landmark) + len(self.network) < self.landmarks:
            raise ValueError(
                f"landmarks = {self.landmarks} can never be reached; add [[landmark]]s (5 are good)"
            )
        return self

    @property
    def key_file(self) -> Path:
        return self.data_dir / KEY_FILE

    @property
    def database_file(self) -> Path:
        return self.data_dir / DATABASE_FILE

    @property
    def socket(self) -> Path:
        return self.data_dir / SOCKET_FILE

    def waits(self) -> Timings:
        return replace(
            read_timings(self.timings),
            landmarks_needed=self.landmarks,
            announce_home=self.announce_home,
        )


def read_timings(values: Mapping[str, float | int | str]) -> Timings:
    """`[timings]` by the specification's names, numbers in seconds or "20s", "5min".

    `profile = "fast"` starts from 6 s/12 s. Raises ValueError.
    """
    changes: dict[str, Any] = {}
    profile = values.get("profile", "default")
    if profile not in ("default", "fast"):
        raise ValueError(f'profile "{profile}" is not known; write "default" or "fast"')
    for name, value in values.items():
        if name == "profile":
            continue
        if name not in NAMES:
            raise ValueError(f"{name} is not known here (known: {', '.join(NAMES)})")
        if name == "solo":
            if value not in ("announce", "ask"):
                raise ValueError(f'solo = "{value}" is not known; write "announce" or "ask"')
            changes["solo"] = Solo(value)
        elif name == "k":
            if not isinstance(value, int) or not 1 <= value <= 5:
                raise ValueError("k is a number of voters; write 1 to 5")
            changes["k"] = value
        else:
            changes[NAMES[name]] = read_duration(name, value)
    timings = replace(Timings.fast() if profile == "fast" else Timings(), **changes)
    if not timings.heartbeat_s < timings.suspect_s < timings.declare_s:
        raise ValueError("these must rise: heartbeat, suspect, declare")
    if timings.vote_ttl_s <= timings.vote_every_s:
        raise ValueError("vote_ttl must be more than 1s: voters vote each second")
    if timings.self_stall_s <= TICK_S:
        raise ValueError(f"self_stall must be more than {TICK_S:g}s: a voter looks that often")
    return timings


def read_duration(name: str, value: object) -> float:
    """Seconds from a number or from "20s", "5min", "1h". Raises ValueError."""
    text = str(value).strip()
    seconds = float(text) if _SECONDS.fullmatch(text) else seconds_of(text)
    if not seconds or isinstance(value, bool):
        raise ValueError(f'{name} = "{value}" is not a duration; write seconds, or "20s", "5min"')
    return seconds


def find(option: Path | None, environ: Mapping[str, str] = os.environ) -> Path:
    """The file to read: --config, $MUSTER_FALLBACK_CONFIG, ./, /etc/muster/. Raises ConfigError."""
    named = option or (Path(environ[VARIABLE]) if environ.get(VARIABLE) else None)
    for path in (named,) if named else (HERE, SYSTEM):
        try:
            if place.is_there(path):
                return path
        except place.Misplaced as error:
            raise ConfigError([str(error)]) from None
    if named:
        raise ConfigError([f"{named}: no such file; correct the path"])
    raise ConfigError(
        [f"no {HERE} here and no {SYSTEM}; `bouncer agent add` at the primary prints one"]
    )


def load(option: Path | None = None) -> Config:
    """The configuration in force. Raises ConfigError with one line per fault."""
    path = find(option)
    try:
        tables = place.read_toml(path)
    except place.Misplaced as error:
        raise ConfigError([str(error)]) from None
    return parse(tables, path)


def parse(tables: Mapping[str, object], source: Path) -> Config:
    """Validate the tables read from `source`; relative paths stand beside it."""
    folder = source.resolve().parent
    try:
        config = Config.model_validate(tables)
    except ValidationError as error:
        raise ConfigError([_fault_line(source, fault) for fault in error.errors()]) from None

    def absolute(path: Path | None) -> Path | None:
        return (folder / path).resolve() if path else None

    networks = tuple(
        network.model_copy(
            update={
                "password_file": absolute(network.password_file),
                "certificate": absolute(network.certificate),
            }
        )
        for network in config.network
    )
    push = tuple(
        hook.model_copy(update={"token_file": absolute(hook.token_file)}) for hook in config.push
    )
    data = (folder / config.data_dir).resolve()
    return config.model_copy(
        update={"source": source, "data_dir": data, "network": networks, "push": push}
    )


_ADVICE = {
    "missing": "is missing; add it",
    "extra_forbidden": "is not known here; remove it, or correct its spelling",
    "literal_error": "is not one of the choices; write {expected}",
    "too_short": "is empty; fill it in",
    "string_too_short": "is empty; fill it in",
    "string_type": "is not text; put it in quotes",
    "int_type": "is not a whole number; write one without quotes",
    "tuple_type": "is not a list; write [ … ] or [[ … ]]",
}


def _fault_line(source: Path, fault: Any) -> str:
    key = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in fault["loc"])
    if fault["type"] == "value_error":
        text = str(fault["ctx"]["error"])
    elif advice := _ADVICE.get(fault["type"]):
        text = advice.format(**fault.get("ctx", {}))
    else:
        text = fault["msg"]
    return f"{source}: {key.lstrip('.') or 'the file'}: {text}"
