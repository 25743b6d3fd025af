"""Whose the files are that we make: nobody else's to read; and, where root makes them, not root's,
for they would lock out whom the folder belongs to."""

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


def keep_private(path: str | Path, model: str | Path) -> None:
    """The same, and of a new file that nobody else may read it: people's words are in it. Of an old
    one that is its owner's choice."""
    if os.stat(path).st_size == 0:
        os.chmod(path, 0o600)
    give_like(path, model)
