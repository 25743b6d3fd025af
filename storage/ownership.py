"""Whose the files are that root makes: else they would lock out whom the folder belongs to."""

from __future__ import annotations

import os
from pathlib import Path


def give_like(path: str | Path, model: str | Path) -> None:
    """As root, let `path` belong to whom `model` belongs. Where nothing can be written, nothing was
    made."""
    if os.geteuid() != 0:
        return
    made, owner = os.stat(path), os.stat(model)
    if (made.st_uid, made.st_gid) != (owner.st_uid, owner.st_gid):
        os.chown(path, owner.st_uid, owner.st_gid)
