"""The agent's own file cut off or overwritten anywhere: a plain word for the operator, no trace."""

from __future__ import annotations

import sqlite3
import time
import tomllib
from contextlib import closing, suppress
from pathlib import Path

import pytest

from bouncer.mesh.keys import MeshKey
from fallback import app, running
from fallback.check import kept_roster
from fallback.config import Config, parse
from fallback.journal import ROSTER, Journal
from fallback.lock import take_lock
from storage.incidents import Incidents, IncidentsError, Line
from tests.real.disk import small_disk

PAGE = 4096


def configured(folder: Path) -> Config:
    key = MeshKey.load_or_make(folder / "mesh.key")
    text = f"""
        name = "fra"
        data_dir = "{folder}"
        primary = ["127.0.0.1:6697"]
        primary_key = "{key.public}"
        mesh = "127.0.0.1:0"
    """
    return parse(tomllib.loads(text), folder / "fallback.toml")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file with something in each table."""
    path = tmp_path_factory.mktemp("whole") / "fallback.db"
    file = Incidents(path)
    file.put_facts({"armed": b"{}", ROSTER: b"x" * 20_000})
    for number in range(50):
        file.bury(str(number), b"{}" * 50, number)
        file.burn("spent", [f"{number:064x}"], number)
        file.put_people({("pub", str(number), "1"): "{}"})
    file.write([Line("a", "b", n, n, "i", "n", "t", "s", "v", "text") for n in range(300)])
    file.close()
    with closing(sqlite3.connect(path)) as whole, whole:
        whole.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.read_bytes()


def damaged(whole: bytes) -> list[bytes]:
    pages = range(0, len(whole), PAGE)
    cut = [whole[: at + more] for at in pages for more in (0, 1, 17, 100, PAGE - 1)]
    spoilt = [
        whole[: at + start] + b"\xa5" * size + whole[at + start + size :]
        for at in pages
        for start, size in ((0, 8), (8, 100), (PAGE // 2, PAGE // 2))
    ]
    return cut + spoilt


def test_what_is_broken_is_said_and_nothing_else_raised(whole: bytes, tmp_path: Path) -> None:
    config, said = configured(tmp_path), set[str]()
    for data in damaged(whole):
        for old in tmp_path.glob("fallback.db*"):
            old.unlink()
        config.database_file.write_bytes(data)
        kept_roster(config)
        try:
            file = Incidents(config.database_file)
        except IncidentsError as error:
            said.add(str(error))
            continue
        journal = Journal(file, "fra", "boot", time.time)
        for read in (lambda: journal.remember(("pub",)), journal.orders):  # noqa: B023
            try:
                read()
            except IncidentsError as error:
                said.add(str(error))
        file.close()
    assert any("malformed" in each for each in said)
    assert all(str(config.database_file) in each for each in said)


def test_a_voter_with_a_broken_file_says_what_to_do(whole: bytes, tmp_path: Path) -> None:
    config = configured(tmp_path)
    config.database_file.write_bytes(whole[:PAGE] + b"\xa5" * (len(whole) - PAGE))
    with pytest.raises(app.Fault, match=r"fallback\.db: .*move it away") as raised:
        running.run(config)
    assert "used codes are forgotten" in str(raised.value)
    take_lock(config).close()  # whoever tries again is not in its own way
    [finding] = kept_roster(config)[1]
    assert "move it away" in finding.todo


@pytest.mark.parametrize("opened_before", [False, True], ids=["empty", "kept"])
async def test_a_full_disk_keeps_no_voter_from_starting(
    opened_before: bool, tmp_path: Path
) -> None:
    """ "Silence is the failure": what it holds it reads, and what it cannot keep it tells of."""
    place = tmp_path / "small"
    place.mkdir()
    with small_disk(place, "400k"):
        config = configured(place)
        if opened_before:
            before = Incidents(config.database_file)
            before.put_facts({"armed": b"{}"})
            before.close()
        fill(place)
        if not opened_before:
            with pytest.raises(app.Hindrance, match="disk"):
                app.Voter(config)
            return
        voter = app.Voter(config)
        assert voter.remembered.kept.armed
        with pytest.raises(IncidentsError, match="full") as raised:
            voter.incidents.put_facts({"notices": b"{}"})
        assert raised.value.passes
        (place / "rest").unlink()
        voter.incidents.put_facts({"notices": b"{}"})
        voter.journal.close()


def fill(place: Path) -> None:
    """Until not an octet fits."""
    with (place / "rest").open("wb", buffering=0) as rest, suppress(OSError):
        while True:
            rest.write(bytes(PAGE))
