"""What an agent must remember when it is killed: its own small SQLite file.

Every fact here is on disk before it is acted on: an armed watch, a maintenance window, the
incident and whether it was spoken, tombstones, stand-downs, burned nonces and codes, who is
verified. The journal is data for after the recovery. One connection, one thread at a time: the
caller sees to that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from storage.trouble import Cause, cause_of

FORMAT = 1
MAX_JOURNAL = 200_000  # rows; the oldest go first
MAX_BURNED = 100_000
MAX_ORDERS = 1000  # admins' orders with their proofs; the oldest go first

METADATA = sa.MetaData()

facts = sa.Table(
    "facts",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.LargeBinary, nullable=False),
)
tombstones = sa.Table(
    "tombstones",
    METADATA,
    sa.Column("incident", sa.Text, primary_key=True),
    sa.Column("record", sa.LargeBinary, nullable=False),  # the decider's own JSON
    sa.Column("at_ms", sa.Integer, nullable=False),
)
burned = sa.Table(
    "burned",
    METADATA,
    sa.Column("kind", sa.Text, primary_key=True),  # "nonce" or "code"
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("at_ms", sa.Integer, nullable=False),
)
people = sa.Table(
    "people",
    METADATA,
    sa.Column("network", sa.Text, primary_key=True),
    sa.Column("handle", sa.Text, primary_key=True),
    sa.Column("nick", sa.Text, primary_key=True),
    sa.Column("record", sa.Text, nullable=False),  # the decider's own JSON
)
journal = sa.Table(
    "journal",
    METADATA,
    # (origin, boot, sequence) is the key the primary pulls and merges by.
    sa.Column("origin", sa.Text, primary_key=True),
    sa.Column("boot", sa.Text, primary_key=True),
    sa.Column("sequence", sa.Integer, primary_key=True),
    sa.Column("at_ms", sa.Integer, nullable=False),
    sa.Column("incident", sa.Text, nullable=False),
    sa.Column("network", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("sender", sa.Text, nullable=False),
    sa.Column("verified", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)
orders = sa.Table(
    "orders",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("at_ms", sa.Integer, nullable=False),
    sa.Column("incident", sa.Text, nullable=False),
    sa.Column("checked", sa.Text, nullable=False),  # what was found of the admin's proof here
    sa.Column("statement", sa.LargeBinary, nullable=False),  # as whoever heard it signed it
)


# What to do about a file that is broken.
MOVE_AWAY = (
    "move it away and start again: the roster comes by itself, but used codes are forgotten, so "
    "give people new ones"
)


PASSING = frozenset({Cause.FULL, Cause.LOCKED, Cause.FAILING})


class IncidentsError(Exception):
    """The agent's file cannot be used. Its text is the operator's message. `passes`: it may be
    otherwise soon, and nothing is wrong with the file."""

    def __init__(self, text: str, *, passes: bool = False) -> None:
        super().__init__(text)
        self.passes = passes


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the journal. `verified` says by what the sender was verified, or ''."""

    origin: str
    boot: str
    sequence: int
    at_ms: int
    incident: str
    network: str
    target: str
    sender: str
    verified: str
    text: str


@dataclass(frozen=True, slots=True)
class KeptOrder:
    """An admin's order as it was taken: for whoever asks afterwards who ordered what, and how
    that was known."""

    id: str
    at_ms: int
    incident: str
    checked: str
    statement: bytes


class Incidents:
    """The open file. Methods commit before they return and raise IncidentsError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._engine = _open(path)
            except sa.exc.SQLAlchemyError as error:
                if cause_of(error) is not Cause.FULL:
                    raise
                # What processes share it by has no room. Alone, what it holds can be read.
                self._engine = _open(path, exclusive=True)
            path.chmod(0o600)
        except (sa.exc.SQLAlchemyError, OSError) as error:
            passes = cause_of(error) in PASSING
            raise IncidentsError(f"{path}: {_reason(error)}", passes=passes) from None

    def close(self) -> None:
        self._engine.dispose()

    # -- facts ----------------------------------------------------------------------------------

    def fact(self, name: str) -> bytes | None:
        with self._reading() as connection:
            return connection.execute(
                sa.select(facts.c.value).where(facts.c.name == name)
            ).scalar_one_or_none()

    def put_facts(self, changes: dict[str, bytes | None]) -> None:
        """Set or (None) remove several facts together."""
        with self._writing() as connection:
            for name, value in changes.items():
                if value is None:
                    connection.execute(facts.delete().where(facts.c.name == name))
                else:
                    row = {"name": name, "value": value}
                    connection.execute(
                        insert(facts)
                        .values(row)
                        .on_conflict_do_update(index_elements=["name"], set_={"value": value})
                    )

    # -- tombstones -----------------------------------------------------------------------------

    def bury(self, incident: str, record: bytes, at_ms: int) -> None:
        """Remember that an incident is over; a later record of it replaces the earlier."""
        with self._writing() as connection:
            connection.execute(
                insert(tombstones)
                .values(incident=incident, record=record, at_ms=at_ms)
                .on_conflict_do_update(index_elements=["incident"], set_={"record": record})
            )

    def buried(self) -> dict[str, bytes]:
        """The records by incident, in the order of their time."""
        with self._reading() as connection:
            rows = connection.execute(
                sa.select(tombstones.c.incident, tombstones.c.record).order_by(tombstones.c.at_ms)
            )
            return {row.incident: row.record for row in rows}

    # -- burned ---------------------------------------------------------------------------------

    def burn(self, kind: str, digests: Iterable[str], at_ms: int) -> list[str]:
        """Use up nonces or codes; gives those that were unused until now."""
        fresh = []
        with self._writing() as connection:
            for digest in digests:
                done = connection.execute(
                    insert(burned)
                    .values(kind=kind, digest=digest, at_ms=at_ms)
                    .on_conflict_do_nothing()
                )
                if done.rowcount:
                    fresh.append(digest)
        return fresh

    def all_burned(self, kind: str) -> set[str]:
        with self._reading() as connection:
            return set(
                connection.execute(
                    sa.select(burned.c.digest)
                    .where(burned.c.kind == kind)
                    .order_by(burned.c.at_ms.desc())
                    .limit(MAX_BURNED)
                ).scalars()
            )

    def lately_burned(self, kind: str, since_ms: int, limit: int) -> list[str]:
        """The newest ones, the latest first."""
        with self._reading() as connection:
            return list(
                connection.execute(
                    sa.select(burned.c.digest)
                    .where(burned.c.kind == kind, burned.c.at_ms >= since_ms)
                    .order_by(burned.c.at_ms.desc())
                    .limit(limit)
                ).scalars()
            )

    # -- people ---------------------------------------------------------------------------------

    def put_people(self, records: dict[tuple[str, str, str], str | None]) -> None:
        """Set or (None) remove records by (network, handle, nick)."""
        with self._writing() as connection:
            for (network, handle, nick), record in records.items():
                connection.execute(
                    people.delete().where(
                        people.c.network == network,
                        people.c.handle == handle,
                        people.c.nick == nick,
                    )
                )
                if record is not None:
                    row = {"network": network, "handle": handle, "nick": nick, "record": record}
                    connection.execute(people.insert().values(row))

    def all_people(self) -> list[tuple[str, str]]:
        """(network, record) of everybody, in the order they were put."""
        query = sa.select(people.c.network, people.c.record).order_by(sa.text("rowid"))
        with self._reading() as connection:
            return [(row.network, row.record) for row in connection.execute(query)]

    def forget_people(self, kind: str) -> None:
        """The incident is over: who was verified in it is verified no more, and what was burned
        under this kind was burned for it alone."""
        with self._writing() as connection:
            connection.execute(people.delete())
            connection.execute(burned.delete().where(burned.c.kind == kind))

    # -- journal --------------------------------------------------------------------------------

    def write(self, lines: Iterable[Line]) -> None:
        """Add lines; those already there (by origin, boot, sequence) are left alone."""
        rows = [
            {column.name: getattr(line, column.name) for column in journal.columns}
            for line in lines
        ]
        if rows:
            with self._writing() as connection:
                connection.execute(insert(journal).on_conflict_do_nothing(), rows)

    def lines(self, incident: str | None = None, limit: int = MAX_JOURNAL) -> list[Line]:
        """The journal in the order of its time."""
        query = sa.select(journal).order_by(
            journal.c.at_ms, journal.c.origin, journal.c.boot, journal.c.sequence
        )
        if incident is not None:
            query = query.where(journal.c.incident == incident)
        with self._reading() as connection:
            return [Line(**row._mapping) for row in connection.execute(query.limit(limit))]

    # -- orders ---------------------------------------------------------------------------------

    def put_order(self, order: KeptOrder) -> None:
        """Remember an admin's order and its proof; one that is there already stays as it is."""
        row = {column.name: getattr(order, column.name) for column in orders.columns}
        with self._writing() as connection:
            connection.execute(insert(orders).values(row).on_conflict_do_nothing())

    def latest_orders(self, limit: int = MAX_ORDERS) -> list[KeptOrder]:
        """The orders in the order of their time, the newest `limit`."""
        query = sa.select(orders).order_by(orders.c.at_ms.desc()).limit(limit)
        with self._reading() as connection:
            return [KeptOrder(**row._mapping) for row in connection.execute(query)][::-1]

    def prune(self) -> None:
        """Keep the journal and the burned list within their bounds, oldest first."""
        with self._writing() as connection:
            count = connection.execute(sa.select(sa.func.count()).select_from(journal)).scalar_one()
            if count > MAX_JOURNAL:
                edge = connection.execute(
                    sa.select(journal.c.at_ms)
                    .order_by(journal.c.at_ms)
                    .offset(count - MAX_JOURNAL)
                    .limit(1)
                ).scalar_one()
                connection.execute(journal.delete().where(journal.c.at_ms < edge))
            newest = sa.select(orders.c.id).order_by(orders.c.at_ms.desc()).limit(MAX_ORDERS)
            connection.execute(orders.delete().where(orders.c.id.not_in(newest)))

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with self._in_words(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        with self._in_words(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        """Failures in the operator's words."""
        try:
            yield
        except sa.exc.SQLAlchemyError as error:
            passes = cause_of(error) in PASSING
            raise IncidentsError(f"{self.path}: {_reason(error)}", passes=passes) from None


def _open(path: Path, *, exclusive: bool = False) -> sa.Engine:
    """Raises SQLAlchemyError, IncidentsError. Nothing is written to a file that is whole."""
    engine = sa.create_engine(
        f"sqlite:///{path}",
        poolclass=sa.StaticPool,
        # Callers hop between worker threads, one at a time.
        connect_args={"check_same_thread": False},
    )
    try:
        with engine.connect() as connection:
            if exclusive:
                connection.exec_driver_sql("PRAGMA locking_mode = EXCLUSIVE")
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            # FULL: a burned code must stay burned when the power fails a moment later.
            connection.exec_driver_sql("PRAGMA synchronous = FULL")
            held = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
            if held > FORMAT:
                raise IncidentsError(f"{path}: was written by a newer release; update this one")
            METADATA.create_all(connection)
            if held != FORMAT:
                connection.exec_driver_sql(f"PRAGMA user_version = {FORMAT}")
            connection.commit()
    except BaseException:
        engine.dispose()
        raise
    return engine


def _reason(error: BaseException) -> str:
    return str(getattr(error, "orig", None) or getattr(error, "strerror", None) or error)
