"""A spare machine takes over while the first has lost the database server for a moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bouncer import admin
from bouncer.cli import FAILED
from bouncer.control.actors import OPERATOR
from bouncer.control.grammar import ControlError
from bouncer.control.registry import dispatch
from storage import solitude
from storage.store import open_store
from tests.bouncer.desks import Noted, open_desk
from tests.bouncer.test_transfer import BOUNCER, cluster
from tests.real.process import Program, until
from tests.storage.cluster import Cluster
from tests.storage.test_solitude import end_session, rival

__all__ = ["cluster"]


@pytest.fixture
def postgresql_url(cluster: Cluster) -> Iterator[str]:
    return cluster.new_database()


async def test_a_bouncer_that_was_replaced_ends(tmp_path: Path, postgresql_url: str) -> None:
    config, log, data = (tmp_path / name for name in ("bouncer.toml", "log", "data"))
    config.write_text(
        f'data_dir = "{data}"\n[database]\nurl = "{postgresql_url}"\n'
        f'[[listen]]\naddress = "unix:{tmp_path}/irc.sock"\n'
    )
    with Program([BOUNCER, "run", "--config", config], log=log) as bouncer:
        await until(lambda: admin.answers(data / "bouncer.sock"), 30, "it serves")
        with rival(postgresql_url) as spare:
            end_session(postgresql_url)
            await until(lambda: spare.serves, 30, "the spare machine has taken over")
            assert await bouncer.ended(30) == FAILED
    said = log.read_text()
    assert "is served by another bouncer now. Stop one of the two" in said
    assert "Traceback" not in said


async def test_on_the_database_itself_nobody_prunes_while_another_machine_serves(
    tmp_path: Path, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(solitude, "HANDOVER_S", 0.1)
    tables = {"database": {"url": postgresql_url}}
    async with open_store(postgresql_url) as serving:
        await serving.be_alone()
        async with open_desk(tmp_path, **tables) as desk:
            for words in ("history prune", "history redate"):
                with pytest.raises(ControlError, match="another bouncer, or an import, works on"):
                    await dispatch(words, OPERATOR, desk)
            assert await dispatch("history prune", OPERATOR, replace(desk, live=Noted()))
