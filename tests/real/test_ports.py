"""Runs side by side never meet on a port."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from tests.real.ports import BLOCK, free_port

ROOT = Path(__file__).parents[2]
# More than a block, held until every other run has said its own.
RUN = (
    "from tests.real.ports import free_port\n"
    f"print(*(free_port() for _ in range({BLOCK + 20})), flush=True)\n"
    "input()"
)


def test_runs_side_by_side_are_given_different_ports() -> None:
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", RUN],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )
        for _ in range(4)
    ]  # fmt: skip
    ports = [free_port() for _ in range(20)]
    for run in runs:
        assert run.stdout is not None
        ports += [int(word) for word in run.stdout.readline().split()]
    for run in runs:
        run.communicate("\n")
    assert len(set(ports)) == len(ports) == 20 + 4 * (BLOCK + 20)


def test_a_port_that_somebody_has_is_not_given() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", free_port() + 1))
        assert free_port() != other.getsockname()[1]
