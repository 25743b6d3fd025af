"""Since when a channel is detached, or until when it was. Only adds: the previous release serves
while this runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    for name in ("detached_id", "attached_id"):
        op.add_column(
            "channels", sa.Column(name, sa.BigInteger(), server_default="0", nullable=False)
        )
