"""What is exported can be read again: as JSON by anything, as text by our own import."""

from __future__ import annotations

import io
import json
from datetime import UTC, date
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection

from bouncer.export import as_json, export_json, export_text, find_conversation
from bouncer.importers.loglines import Conversation, format_row, rows_of
from bouncer.importers.sojumessages import time_ms_of
from storage.errors import NotFound
from storage.messages import Row
from storage.store import Store, open_store
from tests.storage.model import add_network, said

DAY_MS = 86_400_000
START_MS = 1_714_521_600_000  # 2024-05-01


async def fill(store: Store) -> tuple[int, list[Row]]:
    network = await add_network(store)
    rows = [
        said(store, network, f"line {n} ünï", START_MS + n * 10_000_000, source="bob!b@h")
        for n in range(30)
    ]
    rows.append(said(store, network, ":gone fishing", START_MS + 5, command="PART"))
    rows.append(said(store, network, "psst", START_MS, "../bob"))
    await store.append(rows)
    return network, rows


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("9999-12-31T23:59:59.9999Z", "9999-12-31T23:59:59.999Z"),
        ("2024-05-01 12:00:00.1239+02:00", "2024-05-01T10:00:00.123Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59-01:00", None),
        ("0001-01-01T00:00:00+01:00", None),
    ],
)
def test_every_time_that_is_imported_can_be_told_again(text: str, told: str | None) -> None:
    """Else one line of an odd server would keep all of the history from being written."""
    time_ms = time_ms_of(text)
    if told is None:
        assert time_ms is None
    else:
        assert time_ms is not None
        row = Row(1, 1, "#ops", "#ops", time_ms, "", "PRIVMSG", "bob", "", "", "hi")
        assert json.loads(as_json(row))["time"] == told


async def test_json_lines_hold_everything(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path}/muster.db") as store:
        network, rows = await fill(store)
        out = io.StringIO()

        def work(connection: Connection) -> int:
            return export_json(connection, network, out)

        assert await store.read(work) == len(rows)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    said_in = [line.get("text") for line in lines]
    assert said_in == [None if row.command == "PART" else row.text for row in rows]
    assert lines[0] == {
        "time": "2024-05-01T00:00:00.000Z",
        "msgid": lines[0]["msgid"],
        "target": "#ops",
        "command": "PRIVMSG",
        "source": "bob!b@h",
        "addressee": "#ops",
        "text": "line 0 ünï",
    }


@pytest.mark.parametrize(
    ("command", "text", "params"),
    [
        ("KICK", "bob :out of here", ["bob", "out of here"]),
        ("PART", ":gone fishing", ["gone fishing"]),
        ("MODE", "+ov bob carol", ["+ov", "bob", "carol"]),
        ("JOIN", "", None),
        ("spo\ufffdlt", "by a disk", ["by", "a", "disk"]),
    ],
)
def test_events_have_their_parameters_and_no_signs_of_the_wire(
    command: str, text: str, params: list[str] | None
) -> None:
    row = Row(1, 1, "#ops", "#ops", START_MS, "", command, "alice!a@h", "", "", text)
    told = json.loads(as_json(row))
    assert "text" not in told
    assert told.get("params") == params
    format_row(row)  # it is written as text, or left out


async def test_text_can_be_imported_again(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    async with open_store(f"sqlite:///{tmp_path}/muster.db") as store:
        network, rows = await fill(store)
        work = partial(export_text, network_id=network, folder=folder, zone=UTC)
        assert await store.read(work) == len(rows)
    assert sorted(path.name for path in folder.iterdir()) == ["#ops", "..-bob"]
    got: list[Row] = []
    for path in sorted((folder / "#ops").iterdir()):
        lines = path.read_text().splitlines()
        day = date.fromisoformat(path.stem)
        conversation = Conversation(network, "#ops", "alice")
        got += [row for row in rows_of(lines, day, UTC, conversation) if row is not None]
    mine = sorted((row for row in rows if row.target == "#ops"), key=lambda row: row.time_ms)
    assert [(row.command, row.text) for row in got] == [(row.command, row.text) for row in mine]
    assert [row.time_ms // 1000 for row in got] == [row.time_ms // 1000 for row in mine]


async def test_no_conversation_is_written_over_another(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    long = "#" + "ä" * 200
    names = ["#a-b", "#a/b", "#a\\b", f"{long}1", f"{long}2"]
    async with open_store(f"sqlite:///{tmp_path}/muster.db") as store:
        network = await add_network(store)
        await store.append([said(store, network, name, START_MS, name) for name in names])
        for target in ("", "#a/b", "#a-b"):
            work = partial(export_text, network_id=network, folder=folder, target=target, zone=UTC)
            assert await store.read(work) == (1 if target else len(names))
    texts = {path.parent.name: path.read_text()[17:-1] for path in folder.glob("*/*.log")}
    assert sorted(texts.values()) == sorted(names), "each once"
    assert texts["#a-b"] == "#a-b", "who needs no other name has none"


async def test_a_conversation_is_known_in_any_case(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path}/muster.db") as store:
        network = await add_network(store)
        folded = "#École{a}"  # as rfc1459 folds it: it knows no case of É
        await store.append([said(store, network, "hello", START_MS, folded)])
        for name in (folded, "#ÉCOLE[A]"):
            assert await store.read(find_conversation, network, name) == folded
        with pytest.raises(NotFound, match="no conversation #nowhere"):
            await store.read(find_conversation, network, "#nowhere")


async def test_a_message_of_several_lines_is_one_in_json_and_several_in_a_log(
    tmp_path: Path,
) -> None:
    async with open_store(f"sqlite:///{tmp_path}/muster.db") as store:
        network = await add_network(store)
        await store.append([said(store, network, "hello\n\nhow is \reveryone?", START_MS)])
        out = io.StringIO()
        await store.read(partial(export_json, network_id=network, file=out))
        work = partial(export_text, network_id=network, folder=tmp_path, zone=UTC)
        assert await store.read(work) == 2
    assert json.loads(out.getvalue())["text"] == "hello\n\nhow is everyone?"
    log = (tmp_path / "#ops" / "2024-05-01.log").read_text()
    assert [line.partition("> ")[2] for line in log.splitlines()] == ["hello", "how is everyone?"]
