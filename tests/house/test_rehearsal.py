"""docs/rehearsal.md, done as it is written: its blocks in one shell, its IRC lines by a client."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

from tests.real import needs
from tests.real.lab import lab
from tests.real.peer import peer

DOCUMENT = Path(__file__).parents[2] / "docs" / "rehearsal.md"
BLOCK_S = 150.0
IRC_PORT, BOUNCER_PORT = 16667, 16697
READY = 1  # blocks: the first prepares this machine, the last four are outage and recovery


def blocks(folder: Path) -> list[str]:
    """The shell blocks in their order, with a folder of the test's own."""
    text = DOCUMENT.read_text().replace("/tmp/rehearsal", str(folder))
    return re.findall(r"^```sh\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


class Shell:
    """One bash, as a person has it; what it printed so far is in `output`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.output = ""

    async def run(self, block: str) -> str:
        """Type a block and wait for its end. AssertionError when a command of it failed."""
        with trio.move_on_after(BLOCK_S) as limit:
            return await trio.to_thread.run_sync(self._run, block, abandon_on_cancel=True)
        assert not limit.cancelled_caught, f"not done in {BLOCK_S:g} s:\n{block}\n{self.output}"
        return ""

    def _run(self, block: str) -> str:
        begun = len(self.output)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{block}\necho '<''done>'\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line == "<done>\n":
                return self.output[begun:]
            self.output += line
        raise AssertionError(f"a command failed:\n{block}\n{self.output[begun:]}")


@contextmanager
def shell(netns: str, folder: Path) -> Iterator[Shell]:
    """A bash in a namespace, stopping at the first fault; killed with all it started."""
    path = os.pathsep.join([str(Path(sys.executable).parent), needs.SEARCH_PATH])
    process = subprocess.Popen(
        ["nsenter", f"--net=/run/netns/{netns}", "--", "bash", "-e"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env={**os.environ, "PATH": path, "NO_COLOR": "1"},
    )
    try:
        yield Shell(process)
    finally:
        process.kill()  # what it started dies with the namespace
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


@pytest.mark.outage
@pytest.mark.timeout(400)
async def test_the_rehearsal_goes_as_it_is_written(tmp_path: Path) -> None:
    needs.require("ip", "nft", "nsenter", "ngircd", "bash", needs.NETNS)
    with lab() as net:
        netns = net.host("alone").netns  # its ports are fixed: let them be free
        with shell(netns, tmp_path) as bash:
            await play(blocks(tmp_path), bash, netns, tmp_path)


async def play(steps: list[str], bash: Shell, netns: str, folder: Path) -> None:
    assert len(steps) == 10, "the document has changed: tell this test where the outage is now"
    for step in steps[READY:-3]:
        await bash.run(step)
    assert "agents fra=OK hel=OK(w)" in bash.output
    password = re.search(r"user alice added; password, shown only now: (\S+)", bash.output)
    code = (folder / "alice.codes").read_text().splitlines()[1]
    assert password is not None
    async with (
        peer("127.0.0.1", BOUNCER_PORT, tls=True, netns=netns) as alice,
        peer("127.0.0.1", IRC_PORT, netns=netns) as outside,
        peer("127.0.0.1", IRC_PORT, netns=netns) as impostor,
    ):
        await alice.register("alice", password=f"alice/home:{password[1]}")
        await alice.says("PRIVMSG #ops :!status")
        await alice.hears("NOTICE|PRIVMSG", "#ops", "*UP *", source="opsbot!*")
        await impostor.register("bobby")
        await outside.register("alice_")
        await outside.join("#status")
        await bash.run(steps[-3])
        line = await outside.hears("PRIVMSG", "#status", source="fallback-fra!*", within_s=60)
        assert re.fullmatch(
            r"\[fallback \w\w\] Primary service unreachable from here since \d\d:\d\dZ\. "
            r"Meet: #meet\. /msg me help",
            line.params[1],
        )
        await outside.says(f"PRIVMSG fallback-fra :claim alice {code}")
        await outside.hears("INVITE", "*", "#meet", within_s=15)
        await outside.join("#meet")
        await outside.hears_voice("#meet", outside.nick, within_s=20)
        for claim in ("bob 1234-5678-9abc-defg", f"alice {code}"):
            await impostor.says(f"PRIVMSG fallback-fra :claim {claim}")
            await impostor.hears("NOTICE", "*", "NOT VERIFIED*", within_s=15)
        await bash.run(steps[-2])
        await outside.hears("PRIVMSG", "*", "*Primary is back since*", within_s=40)
        await outside.hears("PRIVMSG", "*", "*Over: the primary is stable*", within_s=80)
        await bash.run(steps[-1])
    assert not folder.exists()
