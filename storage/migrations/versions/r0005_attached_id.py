"""Until when a channel was detached. Only adds: the previous release serves while this runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column(
        "channels", sa.Column("attached_id", sa.BigInteger(), server_default="0", nullable=False)
    )
