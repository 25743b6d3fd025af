"""A voter whose log nobody reads: a pager, a stopped journal. It watches and votes on."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import trio

from bouncer.spool import END_S
from fallback import watch
from fallback.app import Voter
from fallback.config import Config
from fallback.report import ask
from tests.fallback.ircd import open_ircd
from tests.fallback.voters import open_site, until
from tests.real.unread import unread

FALLBACK = str(Path(sys.executable).with_name("fallback"))


async def test_it_votes_and_ends_in_time(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        agent = await site.starts(await site.pairs("fra", ircd=ircd))
        hel = await site.pairs("hel", role="witness")
        with unread() as (_, end):
            process = await trio.lowlevel.open_process(
                [FALLBACK, "run", "--config", str(hel.source)],
                stdout=subprocess.DEVNULL, stderr=end,
            )  # fmt: skip
            try:
                await site.beats()
                await until(lambda: agent.conduct.state.watch.phase is watch.Phase.WATCHING)
                await until(lambda: "hel" in agent.mesh.heard_at)
                await reports(hel, "watch WATCHING")
                site.is_cut()
                await until(lambda: "hel" in voters_for_it(agent))
                process.send_signal(signal.SIGTERM)
                with trio.fail_after(END_S + 10):
                    assert await process.wait() == 0
            finally:
                process.kill()
                await process.wait()


async def reports(config: Config, part: str) -> None:
    with trio.fail_after(15):
        while True:
            if part in await trio.to_thread.run_sync(ask, config.socket):
                return
            await trio.sleep(0.1)


def voters_for_it(agent: Voter) -> set[str]:
    own = agent.conduct.state.incident
    return {each.voter for each in own.ballots} if own else set()
