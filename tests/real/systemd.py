"""A machine of its own, with systemd as its first process, on a copy-on-write of this one's disk.

What units promise can be seen nowhere else: users and folders made, rights taken away, a program
that is started again. The machine is namespaces; it has no network but loopback.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

from tests.real.needs import require
from tests.real.process import Program, found

FIRST = Path(__file__).with_name("systemd.sh")
NAMESPACES = ("mount", "pid", "net", "uts", "ipc", "cgroup")
BOOT_S = 60.0
COMMAND_S = 120.0
WAIT_S = 20.0
POLL_S = 0.2


class Machine:
    """`netns` names its network namespace, for clients from outside."""

    def __init__(self, init: int, netns: str) -> None:
        self.netns = netns
        self._enter = [found("nsenter"), f"--target={init}", *(f"--{ns}" for ns in NAMESPACES)]

    async def shell(
        self, line: str, *, stdin: str = "", expect: int | None = 0, within_s: float = COMMAND_S
    ) -> str:
        """Run a line of shell as root in /root; what it printed (both streams).

        Raises AssertionError unless it ends with `expect`; None for any.
        """
        run = partial(
            subprocess.run,
            [*self._enter, "sh", "-c", f"cd /root && {line}"],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=within_s,
            check=False,
            env={"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"},
        )
        done = await trio.to_thread.run_sync(run)
        said = str(done.stdout)
        assert expect in (None, done.returncode), f"{line}: exit {done.returncode}\n{said}"
        return said

    async def shows(self, unit: str, key: str) -> str:
        """A property of a unit."""
        return (await self.shell(f"systemctl show --value -p {key} {unit}")).strip()

    async def becomes(self, unit: str, key: str, value: str, within_s: float = WAIT_S) -> None:
        """Wait until a unit's property has a value."""
        deadline = trio.current_time() + within_s
        while (is_now := await self.shows(unit, key)) != value:
            if trio.current_time() > deadline:
                raise AssertionError(f"{key}={is_now}\n{await self.journal(unit)}")
            await trio.sleep(POLL_S)

    async def journal(self, unit: str) -> str:
        return await self.shell(f"journalctl --no-pager -o cat -u {unit}", expect=None)

    async def answers(self, line: str, within_s: float = WAIT_S) -> str:
        """Ask by a line of shell until it ends well; what it printed."""
        deadline = trio.current_time() + within_s
        while True:
            try:
                return await self.shell(line)
            except AssertionError:
                if trio.current_time() > deadline:
                    raise
            await trio.sleep(POLL_S)

    async def says(self, unit: str, words: str) -> None:
        """Wait until a unit's journal has these words."""
        await self.answers(f"journalctl --no-pager -u {unit} | grep -q {shlex.quote(words)}")

    async def give(self, folder: Path, to: str) -> None:
        """Copy a folder of ours there."""
        await self.shell(f"mkdir -p {shlex.quote(to)}")
        words = shlex.join([*self._enter, "tar", "-x", "-C", to])
        line = f"tar -c -C {shlex.quote(str(folder))} --exclude=__pycache__ . | {words}"
        await trio.run_process(line, shell=True)

    async def put(self, text: str, path: str) -> None:
        """Write a file."""
        await self.shell(f"cat > {shlex.quote(path)}", stdin=text)


@asynccontextmanager
async def machine(folder: Path) -> AsyncIterator[Machine]:
    """Boot it; gone, with all that ran in it, at the block's end. Skips where none can be had."""
    require("netns", "ip", "bash", "mount", "nsenter", "unshare", "systemctl")
    place = folder / "machine"
    place.mkdir()
    flags = [f"--{name}" for name in NAMESPACES]
    words = [found("unshare"), *flags, "--fork", "--kill-child=KILL"]
    program = Program([*words, found("bash"), FIRST, place], log=folder / "machine.log")
    with program:
        await program.prints(r"^(booting|refused: .*)$", BOOT_S)
        for line in program.output.splitlines():
            if line.startswith("refused: "):
                pytest.skip(f"this machine refuses to {line.removeprefix('refused: ')}")
        children = Path(f"/proc/{program.pid}/task/{program.pid}/children")
        init = int(children.read_text().split()[0])
        netns = f"mt{init}"
        attached = [found("ip"), "netns", "attach", netns, str(init)]
        await trio.run_process(attached)
        try:
            made = Machine(init, netns)
            await made.answers("systemctl is-system-running --quiet", BOOT_S)
            yield made
        finally:
            await _detach(netns)


async def _detach(netns: str) -> None:
    with trio.CancelScope(shield=True):
        await trio.run_process([found("ip"), "netns", "del", netns], check=False)
