"""A spare machine takes over while the first has lost the database server for a moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from bouncer import admin
from bouncer.cli import FAILED
from bouncer.control import command
from bouncer.control.actors import OPERATOR
from bouncer.control.grammar import ControlError
from bouncer.control.registry import dispatch
from storage import schema
from tests.bouncer.control.cases import CASES
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


def everything(connection: Connection) -> list[object]:
    return [connection.execute(select(table)).all() for table in schema.metadata.sorted_tables]


async def test_on_the_database_itself_nothing_is_changed_while_another_machine_serves(
    tmp_path: Path, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That bouncer would not hear of it; to look is allowed."""
    monkeypatch.setattr(command, "AT_WORK_S", 0.0)
    tables = {"database": {"url": postgresql_url}}
    refused = set()
    async with (
        open_desk(tmp_path / "serving", Noted(), **tables) as serving,
        open_desk(tmp_path / "spare", **tables) as spare,
    ):
        await serving.store.be_alone()
        for name, case in CASES.items():
            for line in case.before:
                with suppress(ControlError):  # it is there by an earlier case
                    await dispatch(line, OPERATOR, serving)
            before = await serving.store.read(everything)
            try:
                await dispatch(case.line, OPERATOR, spare)
            except ControlError as error:
                if "; nothing was changed: say it on the machine where that runs" in str(error):
                    refused.add(name)
            assert await serving.store.read(everything) == before, name
        assert not {name for name in refused if name.endswith((" list", " status", " stats"))}
        assert {"user add", "network set", "staff codes", "history prune"} <= refused
    async with open_desk(tmp_path / "spare", **tables) as spare:
        for line in ("user add heidi", "user set heidi --admin yes"):
            assert await dispatch(line, OPERATOR, spare)
