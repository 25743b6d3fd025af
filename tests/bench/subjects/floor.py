"""The floor as a subject; see `floor_relay.py`."""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from tests.bench.corpus import NUMBER
from tests.bench.subjects.subject import Subject


class Floor(Subject):
    name = "floor"

    @classmethod
    def check(cls) -> None:
        """It is always here."""

    def prepare(self) -> None:
        self.data().mkdir()
        config = {
            "port": self.port,
            "network_port": self.network_port,
            "database": str(self._database()),
            "pair": [str(path) for path in self.pair[:2]] if self.pair else None,
            "accounts": [account._asdict() for account in self.accounts],
        }
        (self.folder / "floor.json").write_text(json.dumps(config))

    def command(self) -> list[str]:
        return [sys.executable, "-m", "tests.bench.floor_relay", str(self.folder / "floor.json")]

    def data(self) -> Path:
        return self.folder / "data"

    def _database(self) -> Path:
        return self.data() / "floor.db"

    def stored_numbers(self) -> list[int] | None:
        with closing(sqlite3.connect(self._database())) as db:
            texts = db.execute("select text from line order by id").fetchall()
        return [int(number) for (text,) in texts for number in NUMBER.findall(text)]
