"""How far soju's clients have read, as cursors of clients here.

A cursor is one number for a network, a receipt of soju's is for one conversation. So the cursor
stands before the first message that any of a client's receipts leaves out: nothing is missed, and
what another conversation had after that comes again, once.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import trio
from sqlalchemy import Connection

from bouncer.importers.logfiles import Report
from bouncer.importers.loglines import Conversation, fold_of, rows_of
from bouncer.importers.sojumessages import file_name, later_of, row_of
from bouncer.importers.sojureceipts import InDatabase, InFile, Receipt
from bouncer.importers.texts import text_of
from storage import accounts, messages
from storage.directory import get_meta, put_meta
from storage.imports import LAST_IMPORTED_ID
from storage.messages import Position
from storage.records import Network
from storage.store import Store


async def keep_cursors(
    store: Store,
    path: Path,
    source_id: int,
    network: Network,
    receipts: list[Receipt],
    logs: Path | None,
    report: Report,
) -> None:
    """Once for each network: later runs bring messages that are numbered below older ones."""
    places = []
    for receipt in receipts:
        if isinstance(receipt.sent, InDatabase):
            place = await trio.to_thread.run_sync(
                _after_message, path, source_id, network, receipt.target, receipt.sent
            )
        elif logs is not None:
            folder = logs / file_name(receipt.target)
            place = await trio.to_thread.run_sync(_after_line, folder, network, receipt.sent)
        else:
            continue
        places.append((receipt.client, fold_of(network.casemapping)(receipt.target), place))
    note = f"import/{network.id}/soju/{source_id}/clients"
    report.clients += await store.run(_keep, network.id, places, note)


def _keep(
    connection: Connection, network_id: int, places: list[tuple[str, str, Position]], note: str
) -> int:
    """How many clients are new."""
    if get_meta(connection, note) is not None:
        return 0
    put_meta(connection, note, "done")
    newest = messages.newest(connection, network_id, 1)
    cursors: dict[str, int] = {}
    for client, target, place in places:
        left = messages.after(connection, network_id, target, place, 1)
        known = cursors.get(client, newest[-1].id if newest else LAST_IMPORTED_ID)
        cursors[client] = min(known, left[0].id - 1) if left else known
    for client, cursor in cursors.items():
        accounts.put_client(connection, network_id, client, cursor)
    return len(cursors)


def _after_message(
    path: Path, source_id: int, network: Network, target: str, sent: InDatabase
) -> Position:
    """Before the first message of the conversation that came later than the one that was sent."""
    number = sent.number
    while found := later_of(path, source_id, target, number):
        for item in found:
            row = row_of(network, *item)
            if row is not None:
                return Position.before_ms(row.time_ms)
        number = found[-1][0]
    return messages.LAST_POSITION


def _after_line(folder: Path, network: Network, sent: InFile) -> Position:
    """After the line that was sent, at the time that `import_logs` has given it."""
    midnight = datetime(sent.day.year, sent.day.month, sent.day.day).astimezone()
    place = Position.before_ms(int(midnight.timestamp()) * 1000)
    path = folder / f"{sent.day}.log"
    if sent.offset < 0 or not path.exists():
        return place
    lines = _lines_until(path, sent.offset)
    for row in rows_of(lines, sent.day, None, Conversation(network.id, folder.name, "*")):
        if row is not None:
            place = Position.after_ms(row.time_ms)
    return place


def _lines_until(path: Path, offset: int) -> Iterator[str]:
    """One by one, up to the line that has this octet."""
    with path.open("rb") as file:
        while file.tell() <= offset and (line := file.readline()).endswith(b"\n"):
            yield text_of(line.rstrip(b"\r\n"))
