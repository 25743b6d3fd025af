"""A store to import into: one of either kind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.store import Store, open_store
from tests.storage.conftest import cluster, postgresql_url
from tests.storage.ready import ready

__all__ = ["cluster", "postgresql_url"]


@pytest.fixture(params=["sqlite", "postgresql"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    if request.param == "sqlite":
        url = await ready(tmp_path)
    else:
        url = request.getfixturevalue("postgresql_url")
    async with open_store(url) as opened:
        yield opened
