"""SQLite keeps messages in the order of pages. A large table is left to `storage.clustering`, which
works while everybody serves; a small one is done at once. PostgreSQL keeps its own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage import clustering

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        op.execute("ALTER INDEX ix_messages_network_id_id RENAME TO ix_messages_by_network")
        return
    some = f"SELECT count(*) FROM (SELECT 1 FROM messages LIMIT {clustering.AT_ONCE + 1})"
    if connection.execute(sa.text(some)).scalar_one() <= clustering.AT_ONCE:
        while clustering.step(connection):
            pass
