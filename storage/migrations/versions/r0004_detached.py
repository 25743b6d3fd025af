"""Since when a channel is detached. Only adds: the previous release serves while this runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column(
        "channels", sa.Column("detached_id", sa.BigInteger(), server_default="0", nullable=False)
    )
