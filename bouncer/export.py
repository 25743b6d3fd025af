"""History out of Muster: the common log format, a file per day and conversation, or JSON lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import TextIO

from sqlalchemy import Connection

from bouncer.importers.loglines import format_row
from bouncer.irc.casemap import CaseMapping
from bouncer.irc.multiline import is_packed, readable, single_lines
from bouncer.irc.wire import Message
from storage import messages
from storage.errors import NotFound
from storage.messages import Row, msgid_of

PAGE_ROWS = 2_000
_EPOCH = datetime.fromtimestamp(0, UTC)
LONGEST_NAME = 200  # octets of a folder's name; file systems take 255

Progress = Callable[[int], None]  # messages written so far


def all_rows(connection: Connection, network_id: int, target: str = "") -> Iterator[Row]:
    """A network's messages by arrival, or those of one conversation by time; page by page."""
    if target:
        position = messages.FIRST_POSITION
        while page := messages.after(connection, network_id, target, position, PAGE_ROWS):
            yield from page
            position = messages.Position(page[-1].time_ms, page[-1].id)
        return
    last = 0
    while page := messages.since(connection, network_id, last, PAGE_ROWS):
        yield from page
        last = page[-1].id


def find_conversation(connection: Connection, network_id: int, name: str) -> str:
    """The folded target of a conversation, in whatever case its name is given. Raises NotFound."""
    known = messages.buffer_targets(connection, network_id)
    for fold in (str, CaseMapping.ASCII.fold, CaseMapping.RFC1459.fold):
        for target in known:
            if fold(target) == fold(name):
                return target
    raise NotFound(f"there is no conversation {name}; `bouncer history stats` lists them")


def as_json(row: Row) -> str:
    """One message as a line of JSON. Times are UTC. What is not said has parameters, as on the
    wire after the channel: `["bob", "out"]` of KICK."""
    is_said = row.command in ("PRIVMSG", "NOTICE", "TAGMSG")
    at = _EPOCH + timedelta(milliseconds=row.time_ms)
    fields: dict[str, object] = {
        "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "msgid": msgid_of(row),
        "target": row.name,
        "command": row.command,
        "source": row.source,
        "addressee": row.addressee or row.name,
        "text": readable(row.text) if is_said else "",
        "params": () if is_said else Message.parse(f"X {row.text}").params,
        "tags": row.tags,
    }
    return json.dumps({key: value for key, value in fields.items() if value}, ensure_ascii=False)


def export_json(
    connection: Connection,
    network_id: int,
    file: TextIO,
    target: str = "",
    progress: Progress | None = None,
) -> int:
    """Write JSON lines to an open file; how many."""
    count = 0
    for count, row in enumerate(all_rows(connection, network_id, target), 1):
        file.write(as_json(row) + "\n")
        if progress is not None and count % PAGE_ROWS == 0:
            progress(count)
    return count


def export_text(
    connection: Connection,
    network_id: int,
    folder: Path,
    target: str = "",
    zone: tzinfo | None = None,
    progress: Progress | None = None,
) -> int:
    """Write FOLDER/CONVERSATION/YYYY-MM-DD.log; how many messages. Existing files are replaced.

    `zone` None is this machine's own. What the format has no form for is left out.
    """
    count = 0
    folders = _folders(messages.buffer_targets(connection, network_id))
    for folded in [target] if target in folders else folders:
        place = folder / folders[folded]
        day, file = "", None
        try:
            for row in _single(all_rows(connection, network_id, folded)):
                line = format_row(row)
                if not line:
                    continue
                at = datetime.fromtimestamp(row.time_ms / 1000, zone)
                if f"{at:%Y-%m-%d}" != day:
                    day = f"{at:%Y-%m-%d}"
                    if file is not None:
                        file.close()
                    place.mkdir(parents=True, exist_ok=True)
                    file = (place / f"{day}.log").open("w", encoding="utf-8", newline="\n")
                assert file is not None
                file.write(f"[{at:%H:%M:%S}] {line}\n")
                count += 1
                if progress is not None and count % PAGE_ROWS == 0:
                    progress(count)
        finally:
            if file is not None:
                file.close()
    return count


def _single(rows: Iterable[Row]) -> Iterator[Row]:
    """A message of several lines as one for each: the format knows no other."""
    for row in rows:
        if is_packed(row.text):
            yield from (row._replace(text=text) for text in single_lines(readable(row.text)))
        else:
            yield row


def _folders(targets: Iterable[str]) -> dict[str, str]:
    """Each conversation's folder, which is no other's: `#a/b` and `#a-b` would be the same."""
    folders: dict[str, str] = {}
    taken: set[str] = set()
    for target in sorted(targets, key=lambda target: (_file_name(target) != target, target)):
        name = folder = _file_name(target)
        number = 1
        while folder.lower() in taken:  # some file systems know no case
            number += 1
            folder = f"{name}~{number}"
        taken.add(folder.lower())
        folders[target] = folder
    return folders


def _file_name(target: str) -> str:
    """No name of a channel leads out of the folder, or is too long for a file system."""
    dots = {".": "-", "..": "--"}
    name = dots.get(target) or target.replace("/", "-").replace("\\", "-").replace("\0", "-")
    return name.encode()[:LONGEST_NAME].decode(errors="ignore")
