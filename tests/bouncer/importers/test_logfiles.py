"""Log files of any name and content come over, or are left; none of them stops the others."""

from __future__ import annotations

import os
from datetime import UTC
from pathlib import Path

from bouncer.importers.logfiles import Report, find_logs, import_logs
from storage import messages
from storage.store import Store
from tests.storage.model import add_network


async def test_odd_files_stop_no_import(store: Store, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    ops, latin = logs / "#ops", os.fsencode(logs) + b"/#caf\xe9"
    ops.mkdir(parents=True)
    os.mkdir(latin)
    Path(os.fsdecode(latin), "2024-05-01.log").write_bytes(b"[10:00:00] <bob> caf\xe9\n")
    for day in ("0001-01-01", "9999-12-31"):
        (ops / f"{day}.log").write_text("[99:00:00] <bob> never\n[00:00:00] <bob> nor ever\n")
    (ops / "2024-05-02.log").mkdir()
    (ops / "2024-05-03.log").write_bytes(
        b"[10:00:00] <bob> nul\0 inside\r\n[25:00:00] <bob> no hour\n[10:00:61] <bob> no second\n"
    )
    network = await add_network(store)
    for expected in (2, 0):
        report = Report()
        files = list(find_logs(logs, network, "alice"))
        await import_logs(store, files, UTC, report, lambda *_: None)
        assert report.messages == expected
    rows = await store.read(messages.since, network, 0, 10)
    assert [(row.target, row.text) for row in rows] == [
        ("#café", "café"),
        ("#ops", "nul inside"),
    ]
