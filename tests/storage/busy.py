"""A database of either kind that another process keeps from being written; it can be read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy.engine import make_url

from storage import schema
from tests.real.disk import locked


@contextmanager
def busy(url: str) -> Iterator[None]:
    place = make_url(url)
    if place.get_backend_name() == "sqlite":
        with locked(Path(str(place.database))):
            yield
        return
    with psycopg.connect(url.replace("+psycopg", "")) as other:
        other.execute(f"LOCK TABLE {', '.join(schema.metadata.tables)} IN SHARE MODE")
        yield
        other.rollback()
