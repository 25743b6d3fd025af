"""A machine on which something does not work."""

from __future__ import annotations

from pathlib import Path


def break_ssh_keygen(folder: Path) -> Path:
    """Put a program there that cannot be run, as none can where memory or processes are out."""
    program = folder / "ssh-keygen"
    program.write_bytes(b"\0")
    program.chmod(0o755)
    return program
