"""How each network folds names. Only adds: the previous release still serves while this runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column(
        "networks", sa.Column("casemapping", sa.Text(), server_default="", nullable=False)
    )
