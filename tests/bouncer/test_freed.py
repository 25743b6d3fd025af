"""What is removed while the bouncer runs is freed, also what was there at the start, and frozen."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from weakref import ref

import pytest

from bouncer.control.actors import OPERATOR
from bouncer.control.registry import dispatch
from tests.complaints.venue import running_bouncer, running_network, until


@pytest.fixture
def thawing() -> Iterator[None]:
    yield
    gc.unfreeze()


@pytest.mark.parametrize("line", ["user remove alice", "network remove alice net"])
@pytest.mark.usefixtures("thawing")
async def test_what_a_removed_network_was_is_freed(line: str, tmp_path: Path) -> None:
    async with running_network() as network, running_bouncer(tmp_path, network) as muster:
        client = await muster.client()
        outboxes = [ref(each.outbox) for each in muster.hub.clients.values()]
        await muster.gone(client)
        await until(lambda: gc.collect() >= 0 and outboxes[0]() is None)  # its tasks have ended
        gc.freeze()  # as `bouncer.app.run` does
        link = muster.hub.links["net"]
        parts = [ref(part) for part in (link.session, link.upstream, link.session.state)]
        del link
        await dispatch(line, OPERATOR, muster.bouncer.desk)
        await until(lambda: not [part for part in parts if part() is not None])
