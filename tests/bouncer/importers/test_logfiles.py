"""Log files of any name and content come over, or are left; none of them stops the others."""

from __future__ import annotations

import os
import shutil
import tempfile
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path

import pytest

from bouncer.hub.errands import errand_of
from bouncer.importers.logfiles import CHUNK_BYTES, CHUNK_LINES, Report, find_logs, import_logs
from bouncer.importers.loglines import FOLD, fold_of
from bouncer.importers.znc import _read
from bouncer.session.effects import RememberCasemapping
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


async def test_a_file_of_any_size_takes_little_memory(store: Store, tmp_path: Path) -> None:
    """As of a day on which a bot went wild, or one that a crash has left full of zeros."""
    log = tmp_path / "#ops" / "2024-05-01.log"
    log.parent.mkdir()
    network = await add_network(store)
    texts = [f"line {n}" for n in range(CHUNK_LINES + 10)]
    log.write_text(
        "".join(f"[10:{n // 600:02}:{n // 10 % 60:02}] <bob> {t}\n" for n, t in enumerate(texts))
    )
    with log.open("r+b") as file:
        size = file.seek(0, os.SEEK_END) + 40 * CHUNK_BYTES
        file.truncate(size)  # a line of zeros
        file.seek(size)
        file.write(b"\n[11:00:00] <bob> after it\n[11:00:01] <bob> half a li")
    tracemalloc.start()
    try:
        for grown in (len(texts) + 1, 0, 1):
            report = Report()
            if grown == 1:
                with log.open("a") as file:
                    file.write("ne\n")
            files = list(find_logs(tmp_path, network, "alice"))
            await import_logs(store, files, UTC, report, lambda *_: None)
            assert report.messages == grown
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20 * CHUNK_BYTES
    rows = await store.read(messages.latest, network, "#ops", 2 * CHUNK_LINES)
    assert [row.text for row in rows] == [*texts, "after it", "half a line"]


@contextmanager
def nobody_in_particular() -> Iterator[Path]:
    """Work as a user without rights, with a folder that is open to all."""
    folder = Path(tempfile.mkdtemp(prefix="muster-logs-"))
    folder.chmod(0o755)
    was = os.geteuid()
    try:
        if was == 0:
            os.seteuid(65534)
        yield folder
    finally:
        os.seteuid(was)
        shutil.rmtree(folder)


def test_what_may_not_be_read_is_not_taken_for_nothing() -> None:
    """Else a part of the history, or a password, would be missing and nobody knew."""
    with nobody_in_particular() as folder:
        was = os.geteuid()
        os.seteuid(os.getuid())
        window = folder / "#ops"
        window.mkdir()
        (window / "2024-05-01.log").write_text("[10:00:00] <bob> hello\n")
        secret = folder / ".registry"
        secret.write_text("Password x\n")
        secret.chmod(0)
        window.chmod(0)
        os.seteuid(was)
        with pytest.raises(PermissionError):
            list(find_logs(folder, 1, "alice"))
        with pytest.raises(PermissionError):
            _read(secret)
        assert _read(folder / "nothing") == ""


async def test_names_are_folded_as_the_network_folds_them(store: Store, tmp_path: Path) -> None:
    """What is imported before the network has said how is renamed when it does; what is imported
    later is found at once."""
    bob = tmp_path / "bob[away]"
    bob.mkdir()
    network = await add_network(store)
    for hour, folded, fold in ((10, "bob{away}", FOLD), (11, "bob[away]", fold_of("ascii"))):
        with (bob / "2024-05-01.log").open("a") as log:
            log.write(f"[{hour}:00:00] <bob[away]> at {hour}\n")
        files = list(find_logs(tmp_path, network, "alice", fold))
        await import_logs(store, files, UTC, Report(), lambda *_: None)
        rows = await store.read(messages.latest, network, folded, 9)
        assert [row.addressee for row in rows] == ["alice"] * (hour - 9)
        heard = errand_of(RememberCasemapping("ascii"), store, network)
        assert heard is not None
        await heard()
        rows = await store.read(messages.latest, network, "bob[away]", 9)
        assert [row.text for row in rows] == ["at 10", "at 11"][: hour - 9]
        assert await store.read(messages.latest, network, "bob{away}", 9) == []
