"""Signing as a person does it: a key of theirs, and the real `ssh-keygen -Y sign`."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.real.process import found

SIGN_S = 20.0


def make_key(path: Path) -> Path:
    """A new Ed25519 key without a passphrase at `path`; returns its public file."""
    words = [found("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", str(path)]
    subprocess.run(words, check=True, timeout=SIGN_S, capture_output=True)
    return path.with_name(path.name + ".pub")


def signed(key: Path, text: str, advice: str) -> str:
    """What follows the word `proof`: `text` signed in the namespace that the `advice` names.

    The armour's lines are joined, as the agent's own command line does it.
    """
    namespace = re.search(r"namespace ([^) ]+)", advice)
    assert namespace, advice
    words = [found("ssh-keygen"), "-Y", "sign", "-q", "-n", namespace[1], "-f", str(key)]
    done = subprocess.run(
        words, input=text.encode(), check=True, timeout=SIGN_S, capture_output=True
    )
    lines = done.stdout.decode().splitlines()
    return "".join(line for line in lines if not line.startswith("-----"))
