"""The tables, once, for both databases. What is here equals what the migrations build.

Messages are numbered in the order in which they were received; a buffer is one conversation of one
network. Read by (buffer, time, id), which is how history is paged, and by (network, id), which is
how a client's delta is played.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
    true,
)

# Every constraint has a name that can be predicted: a migration can drop only what it can name.
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMING)

# sqlite_autoincrement: numbers of what has been removed are not given again, for leftovers of an
# old network must never show up in a new one. PostgreSQL's sequences do so by themselves.

# SQLite numbers rows by itself only in a column of type INTEGER.
BigId = BigInteger().with_variant(Integer, "sqlite")


def _id() -> Column[int]:
    return Column("id", BigId, primary_key=True)


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="")


def _flag(name: str, *, default: bool = False) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=true() if default else false())


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default=text("0"))


def _keep() -> tuple[Column[int], Column[int]]:
    return Column("keep_age_s", BigInteger), Column("keep_bytes", BigInteger)


def _owner(name: str, target: str, *, indexed: bool = False) -> Column[int]:
    reference = ForeignKey(target, ondelete="CASCADE")
    return Column(name, BigId, reference, nullable=False, index=indexed)


meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

users = Table(
    "users",
    metadata,
    _id(),
    Column("name", Text, nullable=False),
    Column("folded_name", Text, nullable=False, unique=True),
    _flag("admin"),
    _flag("enabled", default=True),
    _text("password_hash"),
    _text("scram"),
    _text("nick"),
    _text("realname"),
    Column("auto_away", Boolean),
    Column("autoplay", Boolean),
    *_keep(),
    sqlite_autoincrement=True,
)

certificates = Table(
    "certificates",
    metadata,
    _id(),
    _owner("user_id", "users.id", indexed=True),
    Column("fingerprint", Text, nullable=False, unique=True),
    _text("label"),
)

networks = Table(
    "networks",
    metadata,
    _id(),
    _owner("user_id", "users.id"),
    Column("name", Text, nullable=False),
    Column("folded_name", Text, nullable=False),
    Column("uri", Text, nullable=False),
    _text("nick"),
    _text("ident"),
    _text("realname"),
    _text("password"),
    _text("sasl_mechanism"),
    _text("sasl_login"),
    _text("sasl_password"),
    _flag("sasl_required"),
    _text("certificate"),
    _text("fingerprint"),
    _text("source_address"),
    _text("proxy"),
    _text("connect_commands"),
    _flag("enabled", default=True),
    Column("auto_away", Boolean),
    Column("rate", Float),
    _text("casemapping"),
    *_keep(),
    UniqueConstraint("user_id", "folded_name"),
    sqlite_autoincrement=True,
)

channels = Table(
    "channels",
    metadata,
    _id(),
    _owner("network_id", "networks.id"),
    Column("name", Text, nullable=False),
    Column("folded_name", Text, nullable=False),
    _text("key"),
    _flag("enabled", default=True),
    _flag("detached"),
    _number("detached_id"),
    _number("attached_id"),
    _text("relay_detached"),
    _text("reattach_on"),
    _text("detach_on"),
    _number("detach_after_s"),
    _flag("always_notify"),
    *_keep(),
    UniqueConstraint("network_id", "folded_name"),
    sqlite_autoincrement=True,
)

clients = Table(
    "clients",
    metadata,
    _id(),
    _owner("network_id", "networks.id"),
    Column("name", Text, nullable=False),
    _number("delivered_id"),
    Column("autoplay", Boolean),
    _number("seen_ms"),
    UniqueConstraint("network_id", "name"),
    sqlite_autoincrement=True,
)

markers = Table(
    "markers",
    metadata,
    _id(),
    _owner("network_id", "networks.id"),
    Column("target", Text, nullable=False),
    _number("time_ms"),
    UniqueConstraint("network_id", "target"),
)

marks = Table(
    "marks",
    metadata,
    _id(),
    _owner("network_id", "networks.id"),
    Column("target", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("value", Text, nullable=False),
    UniqueConstraint("network_id", "target", "key"),
)

# Where a client wants to be called: soju.im/webpush. `caps` is how it understands lines.
subscriptions = Table(
    "subscriptions",
    metadata,
    _id(),
    _owner("network_id", "networks.id"),
    Column("endpoint", Text, nullable=False),
    Column("p256dh", Text, nullable=False),
    Column("auth", Text, nullable=False),
    _text("caps"),
    UniqueConstraint("network_id", "endpoint"),
    sqlite_autoincrement=True,
)

agents = Table(
    "agents",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    Column("address", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("role", Text, nullable=False, server_default="agent"),
    _number("position"),
)

staff = Table(
    "staff",
    metadata,
    _id(),
    Column("handle", Text, nullable=False, unique=True),
    _text("display"),
    _text("role"),
    _number("oncall"),
    _flag("admin"),
    _text("user"),
    _text("nicks"),
    _text("accounts"),
    _text("keys"),
)

buffers = Table(
    "buffers",
    metadata,
    _id(),
    _owner("network_id", "networks.id"),
    Column("target", Text, nullable=False),
    Column("name", Text, nullable=False),
    UniqueConstraint("network_id", "target"),
    sqlite_autoincrement=True,
)

# Who said something, `nick!user@host`: one row for thousands of messages.
sources = Table(
    "sources",
    metadata,
    _id(),
    Column("source", Text, nullable=False, unique=True),
    sqlite_autoincrement=True,
)

# No foreign keys from here: each would cost a look-up per message, and removal goes by retention.
messages = Table(
    "messages",
    metadata,
    _id(),
    Column("network_id", BigInteger, nullable=False),
    Column("buffer_id", BigInteger, nullable=False),
    Column("source_id", BigInteger, nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("msgid", Text, nullable=False),
    Column("command", Text, nullable=False),
    Column("tags", Text, nullable=False),
    Column("addressee", Text, nullable=False),
    Column("text", Text, nullable=False),
    Index(None, "buffer_id", "time_ms", "id"),
    Index(None, "network_id", "id"),
)
