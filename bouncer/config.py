"""bouncer.toml as frozen models. Every fault is found at once, each a line that says what to do.

Nothing here opens a file but the configuration itself: whether certificates and the database are
usable is check.py's business.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from bouncer import place
from bouncer.address import Address, ListenOn, MetricsOn
from bouncer.faults import ConfigError, Table, fault_lines
from bouncer.irc.sts import Policy

__all__ = ["Address", "Config", "ConfigError", "ListenOn", "MetricsOn", "Table", "load", "parse"]

DATABASE_FILE = "muster.db"
MOST = 100_000  # of what is counted: more than anybody wants, and databases can reckon with it
RELOADED = ("limits", "tls", "user_defaults", "history", "ops")  # without a restart
_ORIGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/\s?#]+")  # RFC 6454 section 6.2
_SERVER_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?")


def _read_network(value: object) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(str(value))
    except ValueError:
        raise ValueError(f'"{value}" is not a range; write "192.0.2.0/24"') from None


def _read_database_url(url: str) -> str:
    if not url.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
        raise ValueError('write "sqlite:///FILE" or "postgresql+psycopg://USER@HOST/NAME"')
    return url


Cidr = Annotated[ipaddress.IPv4Network | ipaddress.IPv6Network, BeforeValidator(_read_network)]


class Database(Table):
    # "" is SQLite in the data directory; finish() fills it in. Not shown: it may hold a password.
    url: Annotated[str, AfterValidator(_read_database_url)] = Field(default="", repr=False)
    synchronous: Literal["normal", "full"] = "normal"


class Tls(Table):
    """The certificate chain to serve. Without one, a self-signed certificate is made."""

    certificate: Path | None = None
    key: Path | None = None
    sts_days: int | None = Field(default=None, ge=0, le=3650)  # None: no policy is told

    @model_validator(mode="after")
    def _both_or_none(self) -> Tls:
        if (self.certificate is None) != (self.key is None):
            missing = "key" if self.key is None else "certificate"
            raise ValueError(f"{missing} is missing; name certificate and key, or neither")
        if self.sts_days is not None and self.certificate is None:
            raise ValueError("sts_days needs a certificate that clients trust; name it and its key")
        return self


class Listen(Table):
    address: ListenOn
    tls: bool = True  # a unix socket is plain unless it says otherwise
    client_certs: bool = False  # ask for a client certificate: SASL EXTERNAL
    websocket: bool = False
    origins: tuple[str, ...] = ()  # whose pages may connect beside those of our own host
    proxy_from: tuple[Cidr, ...] = ()  # who may tell us whom they forward

    @model_validator(mode="before")
    @classmethod
    def _plain_unix_socket(cls, value: Any) -> Any:
        if isinstance(value, dict) and str(value.get("address", "")).startswith("unix:"):
            return {"tls": False, **value}
        return value

    @model_validator(mode="after")
    def _certificates_need_tls(self) -> Listen:
        if self.client_certs and not self.tls:
            raise ValueError("client_certs needs tls; set tls = true, or drop client_certs")
        return self

    @field_validator("origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise ValueError(f'"{origin}" is no origin; write "https://chat.example.net"')
        return tuple(origin.lower() for origin in value)


class Limits(Table):
    """0 turns a limit off; loopback addresses are never gated."""

    upstream_lines_per_s: float = Field(default=0.5, ge=0, le=1000)  # Libera.Chat: 1 per 2 s
    connects_per_min: int = Field(default=10, ge=0, le=MOST)  # per (source address, network)
    login_per_min: int = Field(default=10, ge=0, le=MOST)  # failed, per address and per account
    chathistory_max: int = Field(default=1000, ge=0, le=MOST)  # messages per page


class UserDefaults(Table):
    """What a new user gets."""

    auto_away: bool = True
    autoplay: bool = True


class History(Table):
    """How long messages are kept where no user, network or channel says otherwise."""

    keep_days: int = Field(default=0, ge=0, le=36_500)  # 0 keeps them for ever

    @property
    def keep_s(self) -> int | None:
        return self.keep_days * 86_400 or None


class Ops(Table):
    """Whose connection the ops bot is, and the channel where it listens."""

    user: str = Field(min_length=1)
    network: str = Field(min_length=1)
    channel: str = Field(min_length=1)

    @field_validator("channel")
    @classmethod
    def _is_channel(cls, value: str) -> str:
        if value[0] not in "#&+!" or len(value) < 2 or re.search(r"[ ,\a]", value):
            raise ValueError(f'"{value}" is not a channel; write it with its "#", no spaces')
        return value


class Ident(Table):
    """The built-in identd, which tells networks whose connection is whose; off without `listen`."""

    listen: ListenOn | None = None  # "0.0.0.0:113", where servers ask

    @field_validator("listen")
    @classmethod
    def _is_port(cls, value: Address | None) -> Address | None:
        if value is not None and value.path:
            raise ValueError('is a unix socket, where no server can ask; write "0.0.0.0:113"')
        return value


class Mesh(Table):
    """The bouncer's end of the mesh; it dials the voters, so an address is seldom needed."""

    address: ListenOn | None = None  # where voters may answer; None: any free port
    key: Path | None = None  # our long-term key; finish() puts it into the data directory

    @field_validator("address")
    @classmethod
    def _is_port(cls, value: Address | None) -> Address | None:
        if value is not None and value.path:
            raise ValueError('is a unix socket, where no voter can answer; write "0.0.0.0:PORT"')
        return value


_LOOPBACK = (
    Listen(address=Address("127.0.0.1", 6697)),
    Listen(address=Address("127.0.0.1", 6667), tls=False),
)


class Config(Table):
    """The whole file. `source` is the file it came from, None with zero configuration."""

    server_name: str = "muster.localhost"
    data_dir: Path = place.ZERO_CONFIG_DATA
    database: Database = Database()
    tls: Tls = Tls()
    listen: tuple[Listen, ...] = _LOOPBACK
    limits: Limits = Limits()
    user_defaults: UserDefaults = UserDefaults()
    history: History = History()
    ops: Ops | None = None
    ident: Ident = Ident()
    mesh: Mesh = Mesh()
    metrics: MetricsOn | None = None  # where Prometheus asks; loopback only
    source: Path | None = Field(default=None, exclude=True)

    @field_validator("data_dir", mode="before")
    @classmethod
    def _is_named(cls, value: object) -> object:
        if value == "":  # the folder of this file, to a path
            raise ValueError("is empty; name a directory, or remove it")
        return value

    @field_validator("server_name")
    @classmethod
    def _is_server_name(cls, value: str) -> str:
        if not _SERVER_NAME.fullmatch(value):
            raise ValueError(f'"{value}" is not a host name; write one as "irc.example.net"')
        return value

    @field_validator("listen")
    @classmethod
    def _once_each(cls, value: tuple[Listen, ...]) -> tuple[Listen, ...]:
        if not value:
            raise ValueError("is empty; keep at least one, or remove it for the defaults")
        addresses = [str(listen.address) for listen in value if listen.address.port]
        for address in addresses:
            if addresses.count(address) > 1:
                raise ValueError(f"{address} is there more than once; keep one [[listen]] of it")
        return value

    @model_validator(mode="after")
    def _sts_needs_tls(self) -> Config:
        if self.tls.sts_days is not None and self.sts_port is None:
            raise ValueError("sts_days needs a [[listen]] with tls on a port, not a WebSocket")
        return self

    @model_validator(mode="after")
    def _ports_once(self) -> Config:
        taken = {str(listen.address) for listen in self.listen if listen.address.port}
        for key, address in (("metrics", self.metrics), ("ident.listen", self.ident.listen)):
            if address is not None and str(address) in taken:
                raise ValueError(f"{key} is at {address}, where a [[listen]] is; take another port")
        return self

    @property
    def sts_port(self) -> int | None:
        """Where clients that come without TLS are told to go instead."""
        ports = (each.address.port for each in self.listen if each.tls and not each.websocket)
        return next((port for port in ports if port), None)

    @property
    def told_caps(self) -> dict[str, str]:
        """The capabilities that this file switches on, each with its value."""
        days, port = self.tls.sts_days, self.sts_port  # no port where TLS waits for a restart
        return {} if days is None or port is None else {"sts": str(Policy(days * 86_400, port))}

    @property
    def admin_socket(self) -> Path:
        return self.data_dir / place.SOCKET


def load(option: Path | None = None, environ: Mapping[str, str] | None = None) -> Config:
    """The configuration in force: see place.find_config for where it is looked for.

    Raises ConfigError with one line per fault. With no file at all the defaults hold.
    """
    try:
        path = place.find_config(option) if environ is None else place.find_config(option, environ)
        found = parse(place.read_toml(path), path) if path else finish(Config(), None)
        place.short_enough(found.admin_socket)
        return found
    except place.Misplaced as error:
        raise ConfigError([str(error)]) from None


def reloaded(running: Config, fresh: Config) -> tuple[Config, list[str]]:
    """What holds once `fresh` has been read by a bouncer that runs, and the names of what was
    changed and waits for its next start."""
    waiting = [
        name
        for name in Config.model_fields
        if name not in (*RELOADED, "source") and getattr(fresh, name) != getattr(running, name)
    ]
    taken = {name: getattr(fresh, name) for name in RELOADED}
    return running.model_copy(update=taken), waiting


def parse(tables: Mapping[str, object], source: Path) -> Config:
    """Validate the tables read from `source`. Raises ConfigError with one line per fault."""
    if "source" in tables:  # ours, not the file's
        raise ConfigError([f"{source}: source: is not known here; remove it"])
    try:
        return finish(Config.model_validate(tables), source)
    except ValidationError as error:
        raise ConfigError(fault_lines(error, Config, source)) from None


def finish(config: Config, source: Path | None) -> Config:
    """Fill in the defaults that stand in the data directory and make paths absolute.

    Relative paths are relative to the file's folder, so that it means the same from everywhere.
    """
    folder = source.resolve().parent if source else Path.cwd()

    def absolute(path: Path | None) -> Path | None:
        return (folder / path).resolve() if path else None

    data = (folder / config.data_dir).resolve()
    url = config.database.url or f"sqlite:///{data / DATABASE_FILE}"
    if url.startswith("sqlite:///"):
        url = f"sqlite:///{(folder / url.removeprefix('sqlite:///')).resolve()}"
    listen = tuple(
        each.model_copy(update={"address": Address("", 0, str(folder / each.address.path))})
        if each.address.path
        else each
        for each in config.listen
    )
    return config.model_copy(
        update={
            "source": source.resolve() if source else None,
            "data_dir": data,
            "listen": listen,
            "database": config.database.model_copy(update={"url": url}),
            "tls": config.tls.model_copy(
                update={
                    "certificate": absolute(config.tls.certificate),
                    "key": absolute(config.tls.key),
                }
            ),
            "mesh": config.mesh.model_copy(
                update={"key": absolute(config.mesh.key) or data / "mesh.key"}
            ),
        }
    )
